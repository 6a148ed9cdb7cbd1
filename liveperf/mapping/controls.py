"""The control map at work: a controller's messages in, changed parameters and actions out; its lamps and motors.

The numbers are those of MIDI 1.0: a controller's value has 7 bits, a pair of them and the pitch wheel have 14, and
a note-on of velocity 0 is a note-off.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import mido

from liveperf.mapping.encoders import CODINGS
from liveperf.mapping.knobs import Entry, MapError
from liveperf.mapping.pairs import Pair
from liveperf.mapping.sources import FINE, SOURCES, Address
from liveperf.params import ParamError, Params

PRESSED = 64  # a controller is pressed from this value on, as a pedal is
SWEPT = 128  # no value: it has moved on since it was pressed, as faders do and buttons do not
_NUMBERS = {
    "control_change": "control",
    "note_on": "note",
    "note_off": "note",
    "polytouch": "note",
    "program_change": "program",
}


@dataclass(frozen=True)
class ControlMap:
    """All entries; MapError if two are for one knob. Immutable: any thread may look something up."""

    entries: tuple[Entry, ...] = ()
    _found: dict[Address, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[Address, int] = {}
        for index, entry in enumerate(self.entries):
            for address in entry.addresses():
                other = self.entries[found.setdefault(address, index)]
                if found[address] != index:
                    of = "" if entry.name == other.name else f" ({other.name})"
                    raise MapError(
                        f"{entry.name} is already for {other.to}{of}: take one out, or give each a channel",
                        entry.source,
                        index,
                    )
        object.__setattr__(self, "_found", found)

    def find(self, message: mido.Message) -> int | None:
        """The index of the entry that a message is for: it is then neither melody nor for the synth. Else None.

        Any thread; does not block.
        """
        name = _NUMBERS.get(message.type)
        number = 0 if name is None else getattr(message, name)
        kind = "note_on" if name == "note" else message.type
        return self._found.get((kind, number, getattr(message, "channel", -1)))


DEFAULT = ControlMap((Entry("cc", 1, "density"), Entry("cc", 74, "temperature"), Entry("cc", 7, "loudness")))


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do: a name in `knobs.ACTIONS`, and for `preset` its number (0 to 127)."""

    name: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from a message.

    consumed: it was a knob's, so it is no melody and not for the synth. values: for `Params.replace`, which takes
    them. actions: to be done, in order. entry: the knob that it came from.
    """

    consumed: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of one knob.

    part: where it stands (0 to 1), an endless knob by its ticks. pair: the halves of a 14-bit value. given: the
    value that it gave last; as long as that is the parameter's, the knob is in charge of it. pressed: with what a
    button was pressed (1 to 127), or SWEPT; 0: it is up. before: the parameter's value from before it was pressed.
    """

    part: float | None = None
    pair: Pair = Pair()
    given: Any = None
    pressed: int = 0
    before: Any = None


class Mapper:
    """Follows the knobs of a map. `state`, a record for each, is all that it remembers: a value, swapped whole."""

    def __init__(self, control_map: ControlMap) -> None:
        self.map = control_map
        self.state: tuple[Held, ...] = (Held(),) * len(control_map.entries)

    def receive(self, message: mido.Message, params: Params) -> Outcome:
        """Take a message in; `params` is what is in force. Raises nothing; engine thread.

        A change that does not fit the other parameters (a lowest pitch above the highest) is left out.
        """
        index = self.map.find(message)
        if index is None:
            return Outcome()
        entry, held = self.map.entries[index], self.state[index]
        current = getattr(params, entry.to, None)  # None: it is for an action
        value: Any = None
        actions: tuple[Action, ...] = ()
        if entry.encoder is not None:
            held, value = _tick(entry, held, CODINGS[entry.encoder](message.value), current)
        elif entry.is_knob:
            held, value = _turn(entry, held, message, current)
        elif message.type != "polytouch":
            force = _force(message)
            struck = force > 0 and (message.type != "control_change" or held.pressed in (0, force))
            if entry.button is not None:
                held, value = _press(entry, held, force > 0, struck, current)
            elif struck:
                actions = (Action(entry.to, message.program if entry.to == "preset" else None),)
            if message.type != "program_change":
                held = replace(held, pressed=force if struck or not force else SWEPT)
        values: dict[str, Any] = {}
        if value is not None and value != current:
            if _fits(params, entry.to, value):
                values = {entry.to: value}
            else:
                held = replace(held, given=None)  # the knob has left the value behind, and is to meet it anew
        self.state = (*self.state[:index], held, *self.state[index + 1 :])
        return Outcome(True, values, actions, entry)


def feedback(
    control_map: ControlMap, before: Params | None, after: Params, moved: Entry | None = None
) -> tuple[mido.Message, ...]:
    """What the controller is to be sent so that its rings, faders and lamps show the parameters.

    Left out is what has not changed (before None: all is sent) and `moved`, the knob that has changed it, for its
    motor would fight the hand. A button's lamp and an endless knob's ring are sent: nobody else knows whether a
    toggle is on, or where the ticks have led. An entry of any channel is shown on channel 1. Pressure and program
    changes show nothing. Pure; any thread.
    """
    messages: list[mido.Message] = []
    for entry in control_map.entries:
        value = getattr(after, entry.to, None)
        if value is None or (before is not None and getattr(before, entry.to) == value):
            continue
        if entry != moved or not entry.is_knob or entry.encoder is not None:
            messages += _shown(entry, value)
    return tuple(messages)


def _turn(entry: Entry, held: Held, message: mido.Message, current: Any) -> tuple[Held, Any]:
    """A knob has moved: what is known of it now, and the value that it gives, or None."""
    last, held = held.part, _moved(entry, held, message)
    if held.part is None or held.pair.waits:
        return held, None
    top = 127 if entry.source == "cc14" and held.pair.fine is None else SOURCES[entry.source].top
    place, position = entry.part(current) * top, held.part * top
    if 0 < position < top and round(place) == round(position):
        return replace(held, given=current), None  # it stands where the value is: a motor, or an encoder, says so
    if entry.pick_up and held.given != current:
        passed = last is not None and min(last * top, position) <= place <= max(last * top, position)
        if not passed and abs(position - place) > 1 and entry.at(held.part) != current:
            return replace(
                held, given=None
            ), None  # it is to meet the value anew, also if that comes back to what it was
    value = entry.at(held.part)
    return replace(held, given=value), value


def _tick(entry: Entry, held: Held, ticks: int, current: Any) -> tuple[Held, Any]:
    """An endless knob has been turned: what is known of it now, and the value that it gives, or None.

    It goes on from the value in force, whoever has set that; and from where it stands as long as that is its own
    value, so that ticks too small for the next whole number or choice add up to it.
    """
    if not ticks:
        return held, None
    way = ticks * entry.per_tick
    start = entry.part(current) if held.part is None or held.given != current else held.part
    part = entry.turned(start, way)
    value = entry.at(part)
    if not entry.row.choices and (value - current) * way < 0:
        value = current  # outside of the range, it has only come nearer to it
    return replace(held, part=part, given=value), value


def _moved(entry: Entry, held: Held, message: mido.Message) -> Held:
    """Where a knob stands after a message."""
    if message.type == "pitchwheel":
        return replace(held, part=(message.pitch + 8192) / 16383)
    if entry.source != "cc14":
        return replace(held, part=message.value / 127)
    is_coarse = message.control == entry.number
    pair = held.pair.with_coarse(message.value) if is_coarse else held.pair.with_fine(message.value)
    return replace(held, part=pair.part, pair=pair)


def _force(message: mido.Message) -> int:
    """The value with which a button is down after a message (1 to 127); 0: it is up.

    A controller is down from the middle on. The same value once more is another press: there are buttons that send
    no release.
    """
    if message.type == "control_change":
        return int(message.value) if message.value >= PRESSED else 0
    return int(message.velocity) if message.type == "note_on" else int(message.type == "program_change")


def _press(entry: Entry, held: Held, pressed: bool, struck: bool, current: Any) -> tuple[Held, Any]:
    """A button has changed: what is known of it now, and the value that it gives, or None."""
    value = entry.values[-1]
    if struck and entry.button == "toggle" and current == value:
        return held, entry.values[0]
    if struck:
        return (held if held.pressed else replace(held, before=current)), value
    if entry.button == "momentary" and held.pressed and not pressed and current == value:
        return held, held.before  # if somebody else has changed it meanwhile, it stays
    return held, None


def _fits(params: Params, name: str, value: Any) -> bool:
    try:
        params.replace(**{name: value})
    except ParamError:
        return False
    return True


def _shown(entry: Entry, value: Any) -> list[mido.Message]:
    """What shows a value on a knob or button."""
    top, channel = SOURCES[entry.source].top, (entry.channel or 1) - 1
    on = entry.part(value) if entry.is_knob else float(value == entry.values[-1])
    position = round(on * top)
    if entry.source == "cc":
        return [mido.Message("control_change", control=entry.number, value=position, channel=channel)]
    if entry.source == "cc14" and entry.number is not None:
        halves = ((entry.number, position >> 7), (entry.number + FINE, position & 127))
        return [mido.Message("control_change", control=n, value=half, channel=channel) for n, half in halves]
    if entry.source == "pitch_bend":
        return [mido.Message("pitchwheel", pitch=position - 8192, channel=channel)]
    if entry.source == "note":
        return [mido.Message("note_on", note=entry.number, velocity=position, channel=channel)]
    return []
