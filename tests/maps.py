"""Maps, messages and settings by lot, for the properties of everything that has to do with knobs."""

from __future__ import annotations

from typing import Any

import mido
from hypothesis import strategies as st

from liveperf.mapping.controls import ControlMap
from liveperf.mapping.encoders import CODINGS, FINEST
from liveperf.mapping.knobs import ACTIONS, BUTTONS, CURVES, Entry, MapError
from liveperf.mapping.sources import SOURCES
from liveperf.params import ParamError, Params, Row, table
from tests.messages import bend, control, on, pressure, program


def _values(row: Row) -> st.SearchStrategy[Any]:
    if row.choices:
        return st.sampled_from(row.choices)
    if row.kind is int:
        return st.integers(int(row.low), int(row.high))
    return st.floats(row.low, row.high).map(lambda value: round(value, 4))  # as one writes them


def _travel(draw: st.DrawFn, row: Row) -> dict[str, Any]:
    """What a knob goes over."""
    if row.choices and len(row.choices) > 2 and draw(st.booleans()):
        return {"values": tuple(draw(st.permutations(row.choices))[:2])}
    if not row.choices and draw(st.booleans()):
        ends = sorted((draw(_values(row)), draw(_values(row))))
        return {"curve": draw(st.sampled_from(CURVES)), "span": tuple(ends)}
    return {}


def _ticks(draw: st.DrawFn) -> dict[str, Any]:
    """What an endless knob sends."""
    far = st.floats(FINEST, 1).map(lambda tick: round(tick, 4))
    tick = st.none() | far | far.map(lambda tick: -tick)
    return {"encoder": draw(st.sampled_from(sorted(CODINGS))), "tick": draw(tick)}


@st.composite
def encoders(draw: st.DrawFn) -> Entry:
    """An endless knob, on CC 20."""
    row = draw(st.sampled_from(table()))
    try:
        return Entry("cc", 20, row.name, **_travel(draw, row), **_ticks(draw))
    except MapError:  # as in `entries`
        return Entry("cc", 20, row.name, **_ticks(draw))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry that is allowed."""
    source = draw(st.sampled_from(sorted(SOURCES)))
    numbers = SOURCES[source].numbers
    number = draw(st.sampled_from(numbers)) if numbers else None
    to = draw(st.sampled_from([*(row.name for row in table()), *ACTIONS]))
    extra: dict[str, Any] = {}
    if to == "preset":
        source, number = "program_change", None
    elif to not in ACTIONS:
        (row,) = [row for row in table() if row.name == to]
        if SOURCES[source].turns and (not SOURCES[source].presses or draw(st.booleans())):
            endless = source == "cc" and draw(st.booleans())
            extra = {**_travel(draw, row), **(_ticks(draw) if endless else {"pick_up": draw(st.booleans())})}
        else:
            extra["button"] = draw(st.sampled_from(BUTTONS))
            count = 2 if extra["button"] == "toggle" else 1
            extra["values"] = tuple(draw(_values(row)) for _ in range(count))
    elif not SOURCES[source].presses:
        source, number = "cc", 1
    try:
        return Entry(source, number, to, draw(st.sampled_from([None, 1, 2])), **extra)
    except MapError:  # the same value twice, a range below zero with an exponential curve, and the like
        return Entry("cc", 1, "density")


@st.composite
def maps(draw: st.DrawFn, size: int = 8, least: int = 0) -> ControlMap:
    """A map without two entries on one knob."""
    chosen: list[Entry] = []
    taken: set[Any] = set()
    for entry in draw(st.lists(entries(), min_size=least, max_size=size)):
        if taken.isdisjoint(entry.addresses()):
            taken.update(entry.addresses())
            chosen.append(entry)
    return ControlMap(tuple(chosen))


@st.composite
def params(draw: st.DrawFn) -> Params:
    """Parameters that fit together."""
    rows = draw(st.lists(st.sampled_from(table()), max_size=6))
    found = Params()
    for row in rows:
        try:
            found = found.replace(**{row.name: draw(_values(row))})
        except ParamError:
            pass
    return found


_byte = st.integers(0, 127)
_channel = st.integers(0, 2)
MESSAGES = st.one_of(
    st.builds(control, _byte, _byte, channel=_channel),
    st.builds(on, _byte, _byte, channel=_channel),
    st.builds(lambda c, n, v: mido.Message("note_off", channel=c, note=n, velocity=v), _channel, _byte, _byte),
    st.builds(lambda c, n, v: mido.Message("polytouch", channel=c, note=n, value=v), _channel, _byte, _byte),
    st.builds(program, _byte, channel=_channel),
    st.builds(pressure, _byte, channel=_channel),
    st.builds(bend, st.integers(-8192, 8191), channel=_channel),
    st.sampled_from([mido.Message(kind) for kind in ("clock", "active_sensing", "start", "sysex", "songpos")]),
)


def messages_of(control_map: ControlMap) -> st.SearchStrategy[mido.Message]:
    """Messages, most of them from the knobs of a map."""
    addresses = sorted({address for entry in control_map.entries for address in entry.addresses()})
    if not addresses:
        return MESSAGES

    def build(address: tuple[str, int, int], value: int, release: bool) -> mido.Message:
        kind, number, channel = address
        if kind == "control_change":
            return control(number, value, channel=channel)
        if kind == "note_on":
            return mido.Message("note_off" if release else kind, note=number, velocity=value, channel=channel)
        if kind == "program_change":
            return program(number, channel=channel)
        if kind == "aftertouch":
            return pressure(value, channel=channel)
        return bend(value * 129 - 8192, channel=channel)

    return st.one_of(st.builds(build, st.sampled_from(addresses), _byte, st.booleans()), MESSAGES)
