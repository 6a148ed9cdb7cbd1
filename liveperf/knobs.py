"""One knob, fader, wheel, pedal or button of a controller and what it is for, checked at birth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from liveperf.params import ParamError, Row, nearest, row_named, table
from liveperf.voices import PEDAL

FINE = 32  # MIDI 1.0: the fine half of a 14-bit controller's value has a number this much higher than the coarse
CURVES = ("linear", "exponential")
BUTTONS = ("set", "toggle", "momentary")
ACTIONS = {
    "panic": "end every note at once",
    "turn": "hand over the turn",
    "next_preset": "go on to the next preset",
    "previous_preset": "go back to the preset before",
    "preset": "take the preset whose number a program change gives",
}


class MapError(ValueError):
    """A map that cannot be used; the message says what to do. `entry` (from 0) and `key` say where, if known."""

    def __init__(self, message: str, key: str | None = None, entry: int | None = None) -> None:
        super().__init__(message)
        self.key, self.entry = key, entry


@dataclass(frozen=True)
class Source:
    """A kind of thing on a controller, named by a key of an entry.

    numbers: those it may have; none: the key's value is `true`. every: `true` stands for all numbers. top: the
    position of its far end; the near end is 0. turns: it has positions in between. presses: it can be a button.
    """

    name: str
    words: str
    help: str
    message: str
    numbers: tuple[int, ...] = ()
    every: bool = False
    top: int = 127
    turns: bool = True
    presses: bool = False


# 64 is the sustain pedal; 120 to 127 are MIDI's channel mode messages, such as all notes off. Programs count from
# 0, as they are sent; the displays of many devices count them from 1.
SOURCES = {
    source.name: source
    for source in (
        Source(
            "cc",
            "CC",
            "a controller from 0 to 119 other than the pedal, 64",
            "control_change",
            tuple(number for number in range(120) if number != PEDAL),
            presses=True,
        ),
        Source(
            "cc14",
            "14-bit CC",
            "a controller from 0 to 31, whose fine half is 32 higher",
            "control_change",
            tuple(range(FINE)),
            top=16383,
        ),
        Source("pitch_bend", "pitch bend", "true", "pitchwheel", top=16383),
        Source("pressure", "channel pressure", "true", "aftertouch"),
        Source("note", "note", "a note from 0 to 127", "note_on", tuple(range(128)), turns=False, presses=True),
        Source(
            "program_change",
            "program change",
            "true or a program from 0 to 127",
            "program_change",
            tuple(range(128)),
            every=True,
            turns=False,
            presses=True,
        ),
    )
}
# What else an entry may say, beside `to` and `channel`: the key of each, and its field.
SETTINGS = {
    "range": "span",
    "curve": "curve",
    "pick_up": "pick_up",
    "button": "button",
    "values": "values",
    "centre": "centre",
}
Address = tuple[str, int, int]  # mido's type of message, number (0 if it has none), channel (0 to 15)


@dataclass(frozen=True)
class Entry:
    """One knob and what it is for; MapError says what is wrong with it.

    source: a name in SOURCES. number: of the controller, note or program; None: it has none, or any. to: a
    parameter or an action. channel: 1 to 16; None: any. span: the values at its ends; None: all that the parameter
    has. curve: None: the parameter's. pick_up: it moves nothing until it passes the parameter's value. button: one
    of BUTTONS; None: it is a knob. values: the two that a toggle goes between, the one that another button gives,
    or the choices that a knob goes through; none: the parameter's. centre: the value of a pitch wheel at rest;
    None: the parameter's default where it lies inside the span, else the middle of the travel.
    """

    source: str
    number: int | None
    to: str
    channel: int | None = None
    span: tuple[float, float] | None = None
    curve: str | None = None
    pick_up: bool = False
    button: str | None = None
    values: tuple[Any, ...] = ()
    centre: float | None = None

    def __post_init__(self) -> None:
        kind = SOURCES[self.source]
        if self.number is None:
            fits = kind.every or not kind.numbers
        else:
            fits = type(self.number) is int and self.number in kind.numbers
        if not fits:
            raise MapError(f"{self.source} {self.number!r} is not {kind.help}", self.source)
        if self.channel is not None and not (type(self.channel) is int and 1 <= self.channel <= 16):
            raise MapError(f"channel {self.channel!r} is outside 1 to 16; leave it out for any", "channel")
        if self.to in ACTIONS:
            self._check_action(kind)
        elif self.to not in (row.name for row in table()):
            known = [row.name for row in table()] + list(ACTIONS)
            raise MapError(f"unknown parameter or action {self.to!r}{nearest(str(self.to), known)}", "to")
        elif self.button is None and kind.turns:
            self._check_knob()
        else:
            self._check_button(kind)

    def _check_action(self, kind: Source) -> None:
        self._refuse(f"{self.to} is simply pressed", "range", "curve", "pick_up", "button", "values", "centre")
        if not kind.presses:
            raise MapError(f"{self.name} cannot press {self.to}: use cc, note or program_change", self.source)
        if (self.to == "preset") != (kind.every and self.number is None):
            remedy = "write `program_change: true`" if self.to == "preset" else "give one program's number"
            raise MapError(f"{self.name} does not tell what {self.to} needs: {remedy}", self.source)

    def _check_button(self, kind: Source) -> None:
        if not kind.presses:
            raise MapError(f"{self.name} is not a button: leave `button` and `value` out", "button")
        self._refuse("a button has no travel", "range", "curve", "pick_up", "centre")
        if self.button is None:
            raise MapError(f"{self.name} is a switch: add `value`, or `button: toggle` with `values`", self.source)
        if self.button not in BUTTONS:
            raise MapError(f"button {self.button!r} is not one of {', '.join(BUTTONS)}", "button")
        if kind.every and self.number is None:
            raise MapError(f"{self.name} is for preset: for {self.to}, give one program's number", self.source)
        if self.source == "program_change" and self.button == "momentary":
            raise MapError("button momentary needs a release, and a program change has none: use toggle", "button")
        row = row_named(self.to)
        values = tuple(_checked(row, value, "values") for value in self.values)
        values = values or self._usual_values
        wanted = 2 if self.button == "toggle" else 1
        if not len(values) == len(set(values)) == wanted:
            remedy = "two different ones: `values: [a, b]`" if wanted == 2 else "the one that it gives: `value: a`"
            raise MapError(f"button {self.button} of {self.to} ({row.bounds}) needs {remedy}", "button")
        object.__setattr__(self, "values", values)

    @property
    def _usual_values(self) -> tuple[Any, ...]:
        """What a button gives that does not say: of two values a toggle gives both, others the one not usual."""
        row = row_named(self.to)
        states = two_states(row)
        return states if self.button == "toggle" else tuple(one for one in states if one != row.default)

    def _check_knob(self) -> None:
        row = row_named(self.to)
        if type(self.pick_up) is not bool:
            raise MapError(f"pick_up {self.pick_up!r} is not true or false", "pick_up")
        if self.curve is not None and self.curve not in CURVES:
            raise MapError(f"curve {self.curve!r} is not one of {', '.join(CURVES)}", "curve")
        if row.choices:
            self._refuse(f"{self.to} has choices, not numbers", "range", "curve", "centre")
            values = tuple(_checked(row, value, "values") for value in self.values)
            if values and not len(values) == len(set(values)) >= 2:
                raise MapError(f"values of {self.to} must be two or more different ones", "values")
            object.__setattr__(self, "values", values)
            return
        self._refuse(f"{self.to} is a number; `range` says how far a knob goes", "values")
        if self.span is not None:
            low, high = (_checked(row, value, "range") for value in self.span)
            if low >= high:
                remedy = f"write [{high:g}, {low:g}]" if low > high else "give two different values"
                raise MapError(f"range [{low:g}, {high:g}] of {self.to} does not go upwards: {remedy}", "range")
            object.__setattr__(self, "span", (low, high))
        if self.row.curve == "exponential" and self.row.low < 0:
            raise MapError(f"curve exponential of {self.to} needs a range from 0 or above", "curve")
        if self.centre is not None:
            if self.source != "pitch_bend":
                raise MapError(f"centre is for pitch_bend, not for {self.name}: leave it out", "centre")
            centre = _checked(row, self.centre, "centre")
            if not self.row.low < centre < self.row.high:
                raise MapError(f"centre {centre:g} of {self.to} is not inside {self.row.bounds}", "centre")
            object.__setattr__(self, "centre", centre)

    def _refuse(self, why: str, *keys: str) -> None:
        for key in keys:
            if getattr(self, SETTINGS[key]) != getattr(Entry, SETTINGS[key]):
                raise MapError(f"{key} has no use here, for {why}: leave it out", key)

    @property
    def name(self) -> str:
        """The knob, in words."""
        number = "" if self.number is None else f" {self.number}"
        channel = "" if self.channel is None else f" on channel {self.channel}"
        return SOURCES[self.source].words + number + channel

    @property
    def is_knob(self) -> bool:
        """Whether its position is a parameter's value: it is no button, and is not for an action."""
        return self.button is None and self.to not in ACTIONS

    @cached_property
    def row(self) -> Row:
        """The parameter's row, as far as this knob goes through it."""
        row = row_named(self.to)
        low, high = self.span or (row.low, row.high)
        choices = (self.values or row.choices) if row.choices else ()
        return replace(row, low=low, high=high, curve=self.curve or row.curve, choices=choices)

    def at(self, part: float) -> Any:
        """The parameter's value where the knob stands at a part (0 to 1) of its travel."""
        start, end, row = next(half for half in self._halves if part <= half[1])
        return row.at((part - start) / (end - start))

    def part(self, value: Any) -> float:
        """Where (0 to 1) the knob stands for a value: the inverse of `at`. What is out of range is at an end."""
        halves = self._halves
        start, end, row = halves[-1] if len(halves) == 1 or value > halves[0][2].high else halves[0]
        return start + row.part(value) * (end - start)

    @cached_property
    def _halves(self) -> tuple[tuple[float, float, Row], ...]:
        """Its travel: from where to where it goes over what. A pitch wheel has a half on each side of its rest."""
        row, centre = self.row, self.centre
        if self.source != "pitch_bend" or row.choices:
            return ((0.0, 1.0, row),)
        if centre is None:
            if not row.low < row.default < row.high:
                return ((0.0, 1.0, row),)
            centre = row.default
        rest = 8192 / SOURCES[self.source].top
        return (0.0, rest, replace(row, high=centre)), (rest, 1.0, replace(row, low=centre))

    def addresses(self) -> Iterator[Address]:
        """What it sends: mido's type of message, number (0 if it has none), channel (0 to 15)."""
        kind = SOURCES[self.source]
        numbers: tuple[int, ...] = kind.numbers or (0,)
        if self.number is not None:
            numbers = (self.number, self.number + FINE) if self.source == "cc14" else (self.number,)
        for channel in range(16) if self.channel is None else (self.channel - 1,):
            for number in numbers:
                yield kind.message, number, channel

    def settings(self) -> dict[str, Any]:
        """It as keys and values of a map file; `entry` makes the same of them."""
        said: dict[str, Any] = {self.source: True if self.number is None else self.number}
        if self.channel is not None:
            said["channel"] = self.channel
        said["to"] = self.to
        for key, name in SETTINGS.items():
            value = getattr(self, name)
            if value != getattr(Entry, name):
                said[key] = list(value) if isinstance(value, tuple) else value
        if self.button is not None and self.values == self._usual_values:
            del said["values"]
        elif self.button in ("set", "momentary"):
            (said["value"],) = said.pop("values")
        return said


def entry(said: Any) -> Entry:
    """The entry that the keys and values of a map file make; MapError says what is wrong with them."""
    if not isinstance(said, dict):
        raise MapError(f"{said!r} is not an entry, such as {{cc: 1, to: density}}")
    known = [*SOURCES, "to", "channel", *SETTINGS, "value"]
    for key in said:
        if key not in known:
            raise MapError(f"unknown key {key!r}{nearest(str(key), known)}", str(key))
    sources = [name for name in SOURCES if name in said]
    if len(sources) != 1:
        found = " and ".join(sources) or "none"
        raise MapError(f"an entry needs one of {', '.join(SOURCES)}; this has {found}")
    if not isinstance(said.get("to"), str):
        raise MapError(f"`to` {said.get('to')!r} is not the name of a parameter or an action", "to")
    values = {name: said[key] for key, name in SETTINGS.items() if key in said}
    if "value" in said:
        if "values" in said:
            raise MapError("`value` and `values` exclude each other: leave one out", "value")
        values = {"button": "set", **values, "values": (said["value"],)}
    for key in ("range", "values"):
        if key in said:
            value = said[key]
            if not isinstance(value, list) or (key == "range" and len(value) != 2):
                raise MapError(f"{key} {value!r} is not a list such as [a, b]", key)
            values[SETTINGS[key]] = tuple(value)
    kind, number = SOURCES[sources[0]], said[sources[0]]
    if number is None:
        raise MapError(f"{kind.name} has no value: give {kind.help}", kind.name)
    if number is True and (kind.every or not kind.numbers):
        number = None
    return Entry(kind.name, number, said["to"], said.get("channel"), **values)


def two_states(row: Row) -> tuple[Any, ...]:
    """The two values of a parameter that has no more, in order; else none."""
    if len(row.choices) == 2:
        return row.choices
    return (int(row.low), int(row.high)) if row.kind is int and row.high - row.low == 1 else ()


def _checked(row: Row, value: Any, key: str) -> Any:
    try:
        return row.check(value)
    except ParamError as error:
        raise MapError(f"{key}: {error}", key) from error
