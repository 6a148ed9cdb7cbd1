"""How late notes are sent: cheap to count, cheap to ask."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field

FINENESS = 20  # classes a decade: a percentile is right within 6 %
EDGES = tuple(10.0 ** (index / FINENESS - 5) for index in range(6 * FINENESS + 1))  # 10 us to 10 s


@dataclass(slots=True)
class Histogram:
    """Durations (s), counted by class. Written by one thread, read by any."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    most: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(EDGES, seconds)] += 1
        self.most = max(self.most, seconds)

    def __add__(self, other: Histogram) -> Histogram:
        counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        return Histogram(counts, max(self.most, other.most))

    @property
    def total(self) -> int:
        """How many."""
        return sum(self.counts)

    def percentile(self, percent: float) -> float:
        """The upper edge of the class that holds this percentile, s; 0 for none at all."""
        rank, seen = percent / 100 * self.total, 0
        for index, count in enumerate(self.counts):
            seen += count
            if count and seen >= rank:
                return min(EDGES[index], self.most) if index < len(EDGES) else self.most
        return 0.0

    def summary(self) -> dict[str, float] | None:
        """p50, p99 and max, s; None where there is nothing."""
        if not self.total:
            return None
        return {"p50": self.percentile(50), "p99": self.percentile(99), "max": self.most}


@dataclass
class Lateness:
    """How late the machine's notes were sent. `add` is the output thread's, `turn` one other's, the rest any's.

    recent: the last 10,000, s. count: all in all. minute, before: by class, since the last turn and before it.
    """

    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))
    count: int = 0
    minute: Histogram = field(default_factory=Histogram)
    before: Histogram = field(default_factory=Histogram)

    def add(self, seconds: float) -> None:
        """One more."""
        self.recent.append(seconds)
        self.count += 1
        self.minute.add(seconds)

    def turn(self) -> Histogram:
        """A minute is over: the histogram of it."""
        self.before, self.minute = self.minute, Histogram()
        return self.before

    def summary(self) -> dict[str, float] | None:
        """p50, p99 and max of the last minute or two, s; None where nothing was sent."""
        return (self.before + self.minute).summary()
