"""One knob, fader, wheel, pedal or button of a controller and what it is for, checked at birth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from liveperf.mapping.encoders import CODINGS, FINEST, TICK
from liveperf.mapping.sources import FINE, SOURCES, Address, Source
from liveperf.params import ParamError, Row, nearest, row_named, table

CURVES = ("linear", "exponential")
DIGITS = 12  # of a part of a travel: as many ticks back as there were forth end where they began, be that "off"
BUTTONS = ("set", "toggle", "momentary")
ACTIONS = {
    "panic": "end every note at once, and be silent until it is asked to play",
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


# What else an entry may say, beside `to` and `channel`: the key of each, and its field.
SETTINGS = {
    "range": "span",
    "curve": "curve",
    "pick_up": "pick_up",
    "button": "button",
    "values": "values",
    "centre": "centre",
    "encoder": "encoder",
    "tick": "tick",
}


@dataclass(frozen=True)
class Entry:
    """One knob and what it is for; MapError says what is wrong with it.

    source: a name in SOURCES. number: of the controller, note or program; None: it has none, or any. to: a
    parameter or an action. channel: 1 to 16; None: any. span: the values at its ends; None: all that the parameter
    has. curve: None: the parameter's. pick_up: it moves nothing until it passes the parameter's value. button: one
    of BUTTONS; None: it is a knob. values: the two that a toggle goes between, the one that another button gives,
    or the choices that a knob goes through; none: the parameter's. centre: the value of a pitch wheel at rest;
    None: the parameter's default where it lies inside the span, else the middle of the travel. encoder: how an
    endless knob codes its ticks, a name in CODINGS; None: it is none. tick: how far of the travel a tick goes,
    FINEST to 1, or below 0 to go the other way; None: as `per_tick` says.
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
    encoder: str | None = None
    tick: float | None = None

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
        self._refuse(f"{self.to} is simply pressed", *SETTINGS)
        if not kind.presses:
            raise MapError(f"{self.name} cannot press {self.to}: use cc, note or program_change", self.source)
        if (self.to == "preset") != (kind.every and self.number is None):
            remedy = "write `program_change: true`" if self.to == "preset" else "give one program's number"
            raise MapError(f"{self.name} does not tell what {self.to} needs: {remedy}", self.source)

    def _check_button(self, kind: Source) -> None:
        if not kind.presses:
            raise MapError(f"{self.name} is not a button: leave `button` and `value` out", "button")
        self._refuse("a button has no travel", *(key for key in SETTINGS if key not in ("button", "values")))
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
        self._check_encoder()
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

    def _check_encoder(self) -> None:
        if self.encoder is None:
            if self.tick is not None:
                raise MapError("tick is for an endless knob: add `encoder`, or leave it out", "tick")
            return
        if self.source != "cc":
            raise MapError(f"encoder is for cc, not for {self.name}: leave it out", "encoder")
        if self.encoder not in list(CODINGS):
            raise MapError(f"encoder {self.encoder!r} is not one of {', '.join(CODINGS)}", "encoder")
        self._refuse("an endless knob goes on from whatever value is in force", "pick_up")
        if self.tick is not None:
            if type(self.tick) not in (int, float) or not FINEST <= abs(self.tick) <= 1:
                expected = f"a part of the travel, {FINEST:g} to 1, or below 0 to go the other way"
                raise MapError(f"tick {self.tick!r} is not {expected}", "tick")
            object.__setattr__(self, "tick", float(self.tick))

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

    @property
    def per_tick(self) -> float:
        """How far of its travel (-1 to 1) a tick goes; the usual: to the next choice or whole number, or TICK."""
        row = self.row
        if self.tick is not None:
            return self.tick
        if row.choices:
            return 1 / len(row.choices)
        return 1 / (row.high - row.low) if row.kind is int and row.curve == "linear" else TICK

    def turned(self, part: float, way: float) -> float:
        """Where (0 to 1) an endless knob stands after it has gone some way from a part; it stops at the ends."""
        low, high = self.part(self.at(0)), self.part(self.at(1))  # of a choice, the middle
        return round(min(max(min(max(part, low), high) + way, low), high), DIGITS)

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
