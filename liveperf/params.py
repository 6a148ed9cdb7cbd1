"""THE table of live parameters: each field of `Params` is a row.

A row is a command-line option, a key of the config file and a target for a knob, with no further code.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from liveperf.errors import LiveperfError
from liveperf.scales import ROOTS, SCALES

MODES = ("answer", "solo", "duet")
# The first of two is never above the second.
ORDERED = (("lowest_pitch", "highest_pitch"), ("answer_shortest_s", "answer_longest_s"))
_FIRST = 1 / 127  # a knob's first step, where one that begins with "off" leaves it


class ParamError(LiveperfError, ValueError):
    """A parameter that does not exist or a value it cannot take; the message says what it can."""


@dataclass(frozen=True)
class Row:
    """What is known of a parameter. `curve`: how a knob's travel maps to its range, linear or exponential."""

    name: str
    kind: type
    default: Any
    low: float
    high: float
    unit: str
    help: str
    curve: str = "linear"
    choices: tuple[str, ...] = ()

    @property
    def bounds(self) -> str:
        """The values it takes, in words."""
        if self.choices:
            return " | ".join(self.choices)
        return f"{self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")

    def check(self, value: Any) -> Any:
        """The value in the row's own type; ParamError if it cannot take it."""
        if self.choices:
            if value not in self.choices:
                raise ParamError(f"{self.name} {value!r} is not one of {', '.join(self.choices)}")
            return value
        try:
            if isinstance(value, bool):
                raise ValueError
            number = self.kind(value)
            if number != float(value):  # 3.5 for a whole number, or not a number
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            kind = "a whole number" if self.kind is int else "a number"
            raise ParamError(f"{self.name} {value!r} is not {kind} ({self.bounds})") from None
        if not self.low <= number <= self.high:
            raise ParamError(f"{self.name} {number:.10g} is outside {self.bounds}")
        return number

    def from_knob(self, position: int) -> Any:
        """The value at a knob's position (0 to 127)."""
        return self.at(position / 127)

    def at(self, part: float) -> Any:
        """The value at a part (0 to 1) of a knob's travel; choices have equal parts."""
        if self.choices:
            return self.choices[min(int(part * len(self.choices)), len(self.choices) - 1)]
        if part >= 1:
            value = self.high  # exactly, whatever a power comes to
        elif self.curve == "exponential" and self.low > 0:
            value = self.low * (self.high / self.low) ** part
        elif self.curve == "exponential":  # from zero, which is "off" or "none"
            rest = (part - _FIRST) / (1 - _FIRST)
            value = self._least * (self.high / self._least) ** rest if part > 0 else 0.0
        else:
            value = self.low + part * (self.high - self.low)
        value = min(max(value, self.low), self.high)
        return self.kind(round(value)) if self.kind is int else float(value)

    def part(self, value: Any) -> float:
        """Where on a knob's travel (0 to 1) a value lies, the inverse of `at`; what is outside lies at an end."""
        if self.choices:
            known = value in self.choices
            return (self.choices.index(value) + 0.5) / len(self.choices) if known else 0.0
        if not self.low < value < self.high:
            return float(value >= self.high)
        if self.curve == "exponential" and self.low > 0:
            return math.log(value / self.low) / math.log(self.high / self.low)
        if self.curve == "exponential":
            part = math.log(value / self._least) / math.log(self.high / self._least)
            return max(_FIRST + part * (1 - _FIRST), _FIRST)
        return float((value - self.low) / (self.high - self.low))

    @property
    def _least(self) -> float:
        """The least value above zero that an exponential knob gives: what its first step out of 127 does."""
        return 1.0 if self.high > 1 else self.high / 100


def _row(
    default: Any,
    low: float = 0,
    high: float = 0,
    unit: str = "",
    help: str = "",
    curve: str = "linear",
    choices: tuple[str, ...] = (),
) -> Any:
    row = {"low": low, "high": high, "unit": unit, "help": help, "curve": curve, "choices": choices}
    return field(default=default, metadata=row)


@dataclass(frozen=True)
class Params:
    """One setting of the instrument; validated at birth, swapped whole."""

    mode: str = _row(
        "answer",
        choices=MODES,
        help="answer: it listens and replies; solo: it plays on and on; duet: it plays along with you",
    )
    density: float = _row(
        0.0, 0, 32, "notes/s", "How many notes it plays; 0 leaves it to the model.", "exponential"
    )
    scale: str = _row(
        "off", choices=("off", *SCALES), help="The scale or chord it leans to; off: the model decides."
    )
    root: str = _row("C", choices=ROOTS, help="The root of that scale or chord.")
    key_lock: str = _row("off", choices=("off", "on"), help="on: it plays no pitch outside the scale or chord.")
    split: int = _row(
        0,
        0,
        127,
        "",
        "Keys below this one steer its harmony: it leans to the chord held there; 0 = none do.",
    )
    temperature: float = _row(
        1.0, 0.1, 2, "", "How adventurous it is: below 1 safer, above 1 wilder.", "exponential"
    )
    top_p: float = _row(0.98, 0.1, 1, "", "Choose among the likeliest events that make up this probability.")
    repeat_guard: float = _row(0.0, 0, 1, "", "How much it avoids what it has just played; 0 = not at all.")
    lowest_pitch: int = _row(21, 0, 127, "", "The lowest key it plays (MIDI note number).")
    highest_pitch: int = _row(108, 0, 127, "", "The highest key it plays (MIDI note number).")
    polyphony: int = _row(40, 1, 128, "notes", "How many notes it holds at once, at most.")
    note_limit_s: float = _row(
        5.0, 0.1, 20, "s", "It ends its notes after this long at the latest.", "exponential"
    )
    transpose: int = _row(0, -48, 48, "semitones", "How much higher it sounds than it means to.")
    loudness: float = _row(1.0, 0, 2, "", "How loud it plays; 1 is as the model means it.")
    loudness_spread: float = _row(1.0, 0, 2, "", "How far loud and soft differ; 1 as the model means it.")
    speed: float = _row(1.0, 0.25, 4, "", "How fast its time runs.", "exponential")
    turn_gap_s: float = _row(
        0.7, 0.1, 5, "s", "answer: your phrase is over when no key was down this long.", "exponential"
    )
    answer_length: float = _row(1.0, 0.25, 4, "", "answer: its length relative to your phrase.", "exponential")
    answer_shortest_s: float = _row(2.0, 0.5, 60, "s", "answer: the shortest answer.", "exponential")
    answer_longest_s: float = _row(30.0, 0.5, 300, "s", "answer: the longest answer.", "exponential")
    turn_bars: int = _row(
        0, 0, 64, "bars", "answer: it answers for so many bars of 4/4, and not a note longer; 0 = by your phrase."
    )
    idle_start_s: float = _row(
        8.0, 0, 600, "s", "answer: it starts by itself when nobody played this long; 0 = never.", "exponential"
    )
    duet_rest_s: float = _row(2.0, 0.1, 60, "s", "duet: it rests this long after you do.", "exponential")
    reference_bpm: float = _row(
        120.0, 20, 300, "bpm", "The tempo of a MIDI clock at which its time runs as the model means it."
    )
    plan_s: float = _row(0.15, 0.0, 1, "s", "How far it plans ahead of what is heard.")

    def __post_init__(self) -> None:
        for row in table():
            object.__setattr__(self, row.name, row.check(getattr(self, row.name)))
        self._check_order()

    def _check_order(self) -> None:
        for low, high in ORDERED:
            least, most = getattr(self, low), getattr(self, high)
            if least > most:
                raise ParamError(f"{low} {least:g} is above {high} {most:g}; swap them")

    def replace(self, **values: Any) -> Params:
        """The same with other values; ParamError names an unknown parameter's nearest.

        Only those are looked at, for a swept knob asks for this a thousand times a second.
        """
        checked = {name: row_named(name).check(value) for name, value in values.items()}
        changed = object.__new__(Params)
        changed.__dict__.update(self.__dict__, **checked)
        changed._check_order()
        return changed


@cache
def table() -> tuple[Row, ...]:
    """All rows, in order."""
    return tuple(
        Row(name=f.name, kind=type(f.default), default=f.default, **f.metadata) for f in dataclasses.fields(Params)
    )


def row_named(name: str) -> Row:
    """The row of a name; ParamError names the nearest if there is none."""
    row = _named().get(name)
    if row is None:
        raise ParamError(f"unknown parameter {name!r}{nearest(name, [row.name for row in table()])}")
    return row


@cache
def _named() -> dict[str, Row]:
    return {row.name: row for row in table()}


def nearest(name: str, known: list[str]) -> str:
    """`; did you mean 'x'?`, or a list of what there is."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(sorted(known))}"
