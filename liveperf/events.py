"""The event vocabulary: one table of ranges; everything else is derived from it.

A performance is a sequence of NOTE_ON, NOTE_OFF, TIME_SHIFT and VELOCITY events (Oore et al. 2018,
arXiv 1808.03715). Time is counted in integer *steps*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property


class EventType(Enum):
    """The kinds of event, in the order of their indices."""

    NOTE_ON = "note on"
    NOTE_OFF = "note off"
    TIME_SHIFT = "time shift"
    VELOCITY = "velocity"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: a pitch (0 to 127), a number of steps (from 1), or a velocity bin (from 1)."""

    type: EventType
    value: int

    def __post_init__(self) -> None:
        lowest, highest = _LIMITS[self.type]
        if not lowest <= self.value <= highest:
            raise ValueError(f"{self.type.value} {self.value} is outside {lowest} to {highest}")


# Bounds of an event in any vocabulary; a Vocabulary narrows the last two.
_LIMITS = {
    EventType.NOTE_ON: (0, 127),
    EventType.NOTE_OFF: (0, 127),
    EventType.TIME_SHIFT: (1, 1_000_000),
    EventType.VELOCITY: (1, 127),
}

PITCHES = 128


@dataclass(frozen=True)
class Vocabulary:
    """A numbering of events from 0 to `size` - 1.

    steps_per_second: the resolution of time. max_shift: the longest TIME_SHIFT, steps.
    velocity_bins: MIDI velocities 1 to 127 in bins of equal width.
    """

    steps_per_second: int = 125
    max_shift: int = 125
    velocity_bins: int = 32

    def __post_init__(self) -> None:
        if not (1 <= self.steps_per_second <= 1000 and 1 <= self.max_shift <= 1000):
            raise ValueError(f"steps per second and longest shift are 1 to 1000: {self}")
        if not 1 <= self.velocity_bins <= 127:
            raise ValueError(f"velocity bins are 1 to 127: {self}")
        if (self.velocity_bins - 1) * self.bin_width >= 127:
            raise ValueError(f"{self.velocity_bins} bins of {self.bin_width} velocities do not fit into 127")

    @cached_property
    def ranges(self) -> tuple[tuple[EventType, int, int], ...]:
        """(type, lowest value, highest value) in the order of indices."""
        return (
            (EventType.NOTE_ON, 0, PITCHES - 1),
            (EventType.NOTE_OFF, 0, PITCHES - 1),
            (EventType.TIME_SHIFT, 1, self.max_shift),
            (EventType.VELOCITY, 1, self.velocity_bins),
        )

    @cached_property
    def first(self) -> dict[EventType, int]:
        """The index of each type's lowest value."""
        offsets, offset = {}, 0
        for kind, lowest, highest in self.ranges:
            offsets[kind] = offset
            offset += highest - lowest + 1
        return offsets

    @cached_property
    def size(self) -> int:
        """How many events there are."""
        return sum(highest - lowest + 1 for _, lowest, highest in self.ranges)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All events by index."""
        return tuple(
            Event(kind, value) for kind, lowest, highest in self.ranges for value in range(lowest, highest + 1)
        )

    @cached_property
    def _indices(self) -> dict[Event, int]:
        return {event: index for index, event in enumerate(self.events)}

    def index(self, event: Event) -> int:
        """The index of an event; ValueError if the vocabulary does not have it."""
        try:
            return self._indices[event]
        except KeyError:
            raise ValueError(f"{event} is not in {self}") from None

    def event(self, index: int) -> Event:
        """The event of an index; ValueError outside 0 to `size` - 1."""
        if not 0 <= index < self.size:
            raise ValueError(f"event index {index} is outside 0 to {self.size - 1}")
        return self.events[index]

    @cached_property
    def bin_width(self) -> int:
        """MIDI velocities in one bin."""
        return -(-127 // self.velocity_bins)

    def bin_of(self, velocity: int) -> int:
        """The bin (from 1) of a MIDI velocity (1 to 127)."""
        return (velocity - 1) // self.bin_width + 1

    def velocity_of(self, velocity_bin: int) -> int:
        """The MIDI velocity in the middle of a bin (its lower edge would play everything softer)."""
        lowest = (velocity_bin - 1) * self.bin_width + 1
        return (lowest + min(lowest + self.bin_width - 1, 127) + 1) // 2

    def steps(self, seconds: float) -> int:
        """The nearest step."""
        return round(seconds * self.steps_per_second)


OORE = Vocabulary()  # 413 events: Oore et al. 2018
MAGENTA = Vocabulary(steps_per_second=100, max_shift=100)  # 388 events: Magenta, performance_model.py
