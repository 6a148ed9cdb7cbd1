"""What a row of the benchmark's table is, and how much is measured for it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    """How much to measure."""

    steps: int = 5000
    torch_steps: int = 100
    torch_runs: int = 5
    reads: int = 200
    turns: int = 100
    lateness_s: float = 40.0
    phrases: int = 15
    knob_turns: int = 100
    sweep_s: float = 60.0
    pages_s: float = 60.0
    paints: int = 10
    frames_s: float = 10.0
    slides: int = 40
    posts: int = 50
    watch_s: float = 40.0
    starts: int = 5
    playing_s: float = 5.0
    restarts: int = 5
    keyboards: int = 8
    faults: int = 3
    lives: int = 5
    music_s: float = 60.0
    pieces: int = 3


QUICK = Size(
    steps=500,
    torch_steps=50,
    torch_runs=1,
    reads=20,
    turns=20,
    lateness_s=5.0,
    phrases=3,
    knob_turns=5,
    sweep_s=8.0,
    pages_s=8.0,
    paints=3,
    frames_s=2.0,
    slides=10,
    posts=5,
    watch_s=5.0,
    starts=2,
    playing_s=2.0,
    restarts=2,
    keyboards=2,
    faults=1,
    lives=2,
    music_s=20.0,
    pieces=1,
)


@dataclass(frozen=True)
class Aim:
    """A bound on one of a row's figures."""

    figure: str  # median, p99 or max
    most: float | None = None
    least: float | None = None

    def reached(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    def __str__(self) -> str:
        bound = f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"
        return f"{self.figure} {bound}"


@dataclass(frozen=True)
class Row:
    """One line of the table. A figure that was not measured is None, and the note says why."""

    name: str
    unit: str
    aim: Aim | None = None
    median: float | None = None
    p99: float | None = None
    max: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None where there is no aim or no figure."""
        value = getattr(self, self.aim.figure) if self.aim else None
        return None if self.aim is None or value is None else self.aim.reached(value)

    def measured(self, values: Sequence[float], note: str = "") -> Row:
        """The same with the figures of some values; a p99 needs 100 of them, a maximum two."""
        if not values:
            return self.missing(note or "nothing was measured")
        return replace(
            self,
            median=statistics.median(values),
            p99=percentile(values, 99) if len(values) >= 100 else None,
            max=max(values) if len(values) > 1 else None,
            note=note,
        )

    def missing(self, why: str) -> Row:
        """The same without figures."""
        return replace(self, median=None, p99=None, max=None, note=f"not measured: {why}")

    def less(self, other: Row) -> Row:
        """The same, each figure less that of another row."""

        def difference(a: float | None, b: float | None) -> float | None:
            return None if a is None or b is None else a - b

        return replace(
            self,
            median=difference(self.median, other.median),
            p99=difference(self.p99, other.p99),
            max=difference(self.max, other.max),
        )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of 100 do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100) - 1, 0)]
