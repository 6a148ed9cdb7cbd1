"""THE table of live parameters: each field of `Params` is a row.

A row is a command-line option, a key of the config file and a target for a knob, with no further code.
"""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from liveperf.scales import ROOTS, SCALES

MODES = ("answer", "solo", "duet")


class ParamError(ValueError):
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
        if self.choices:
            return self.choices[position * len(self.choices) // 128]
        part = position / 127
        if self.curve == "exponential" and self.low > 0:
            value = self.low * (self.high / self.low) ** part
        elif self.curve == "exponential":  # from zero, which is "off" or "none"
            value = 0.0 if position == 0 else self.high ** ((part - 1 / 127) / (126 / 127))
        else:
            value = self.low + part * (self.high - self.low)
        return self.kind(round(value)) if self.kind is int else float(min(max(value, self.low), self.high))


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
    temperature: float = _row(
        1.0, 0.1, 2, "", "How adventurous it is: below 1 safer, above 1 wilder.", "exponential"
    )
    top_p: float = _row(0.98, 0.1, 1, "", "Choose among the likeliest events that make up this probability.")
    lowest_pitch: int = _row(21, 0, 127, "", "The lowest key it plays (MIDI note number).")
    highest_pitch: int = _row(108, 0, 127, "", "The highest key it plays (MIDI note number).")
    polyphony: int = _row(40, 1, 128, "notes", "How many notes it holds at once, at most.")
    note_limit_s: float = _row(
        5.0, 0.1, 20, "s", "It ends its notes after this long at the latest.", "exponential"
    )
    turn_gap_s: float = _row(
        0.7, 0.1, 5, "s", "answer: your phrase is over when no key was down this long.", "exponential"
    )
    answer_length: float = _row(1.0, 0.25, 4, "", "answer: its length relative to your phrase.", "exponential")
    answer_shortest_s: float = _row(2.0, 0.5, 60, "s", "answer: the shortest answer.", "exponential")
    answer_longest_s: float = _row(30.0, 0.5, 300, "s", "answer: the longest answer.", "exponential")
    idle_start_s: float = _row(
        8.0, 0, 600, "s", "answer: it starts by itself when nobody played this long; 0 = never.", "exponential"
    )
    duet_rest_s: float = _row(2.0, 0.1, 60, "s", "duet: it rests this long after you do.", "exponential")
    plan_s: float = _row(0.15, 0.0, 1, "s", "How far it plans ahead of what is heard.")

    def __post_init__(self) -> None:
        for row in table():
            object.__setattr__(self, row.name, row.check(getattr(self, row.name)))
        if self.lowest_pitch > self.highest_pitch:
            raise ParamError(
                f"lowest_pitch {self.lowest_pitch} is above highest_pitch {self.highest_pitch}; swap them"
            )
        if self.answer_shortest_s > self.answer_longest_s:
            raise ParamError(
                f"answer_shortest_s {self.answer_shortest_s:g} is above "
                f"answer_longest_s {self.answer_longest_s:g}; swap them"
            )

    def replace(self, **values: Any) -> Params:
        """The same with other values; ParamError names an unknown parameter's nearest."""
        for name in values:
            row_named(name)
        return dataclasses.replace(self, **values)


@cache
def table() -> tuple[Row, ...]:
    """All rows, in order."""
    return tuple(
        Row(name=f.name, kind=type(f.default), default=f.default, **f.metadata) for f in dataclasses.fields(Params)
    )


def row_named(name: str) -> Row:
    """The row of a name; ParamError names the nearest if there is none."""
    for row in table():
        if row.name == name:
            return row
    raise ParamError(f"unknown parameter {name!r}{nearest(name, [row.name for row in table()])}")


def nearest(name: str, known: list[str]) -> str:
    """`; did you mean 'x'?`, or a list of what there is."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(sorted(known))}"
