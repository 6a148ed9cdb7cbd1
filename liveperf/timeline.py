"""Steps <-> seconds. A new speed or a delay is a new Timeline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Timeline:
    """Step 0 lies at `origin_s` of a clock; `rate` steps make a second. Thread-safe: a value."""

    origin_s: float
    rate: float

    def time_of(self, step: int) -> float:
        """The clock's time (s) of a step."""
        return self.origin_s + step / self.rate

    def step_at(self, time_s: float) -> int:
        """The last step that is not after a time."""
        return math.floor((time_s - self.origin_s) * self.rate + 1e-6)

    def delayed(self, seconds: float) -> Timeline:
        """The same, every step that much later."""
        return replace(self, origin_s=self.origin_s + seconds)
