"""The beats of a MIDI clock, in steps."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beats:
    """A beat lies at step `first`, and one each `length` steps; 0 = there are none. A value."""

    first: float = 0.0
    length: float = 0.0

    def number(self, position: float) -> int:
        """The number of the last beat that is not after a position; ValueError without beats."""
        if self.length <= 0:
            raise ValueError("there are no beats")
        return math.floor((position - self.first) / self.length + 1e-6)

    def next(self, step: int) -> int:
        """The first beat that is not before a step, as the nearest step; without beats the step itself."""
        if self.length <= 0:
            return step
        number = math.ceil((step - self.first) / self.length - 1e-6)
        return max(step, round(self.first + number * self.length))
