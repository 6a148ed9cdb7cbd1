"""Entries of a map: what they say, what they make of a position, and how a wrong one is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.mapping.encoders import CODINGS
from liveperf.mapping.knobs import ACTIONS, Entry, MapError, entry
from liveperf.mapping.sources import SOURCES
from liveperf.params import row_named, table
from tests.maps import entries

# what is written, at which key it is refused, and with which words
REFUSED: list[tuple[str, str | None, str]] = [
    ("{cc: 1, to: densty}", "to", "unknown parameter or action 'densty'; did you mean 'density'?"),
    ("{cc: 1, to: panik}", "to", "did you mean 'panic'?"),
    ("{cc: 1, to: [density]}", "to", "`to` ['density'] is not the name of a parameter or an action"),
    ("{cc: 1}", "to", "`to` None is not the name"),
    (
        "{to: density}",
        None,
        "an entry needs one of cc, cc14, pitch_bend, pressure, note, program_change; this has none",
    ),
    ("{cc: 1, note: 3, to: density}", None, "this has cc and note"),
    ("{cc: 1, to: density, rnage: [1, 2]}", "rnage", "unknown key 'rnage'; did you mean 'range'?"),
    ("{cc: 1, to: density, 3: 4}", "3", "unknown key 3"),
    ("density", None, "'density' is not an entry, such as {cc: 1, to: density}"),
    ("{cc: 200, to: density}", "cc", "cc 200 is not a controller from 0 to 119 other than the pedal, 64"),
    ("{cc: 64, to: density}", "cc", "cc 64 is not a controller"),
    ("{cc: 120, to: density}", "cc", "cc 120 is not a controller"),
    ("{cc: 127, to: panic}", "cc", "cc 127 is not a controller"),
    ("{cc: -1, to: density}", "cc", "cc -1 is not a controller"),
    ("{cc: true, to: density}", "cc", "cc True is not a controller"),
    ("{cc: 1.0, to: density}", "cc", "cc 1.0 is not a controller"),
    ("{cc: wheel, to: density}", "cc", "cc 'wheel' is not a controller"),
    ("{cc: null, to: density}", "cc", "cc has no value: give a controller from 0 to 119"),
    ("{cc14: 32, to: density}", "cc14", "cc14 32 is not a controller from 0 to 31, whose fine half is 32 higher"),
    ("{cc14: 88, to: density}", "cc14", "cc14 88 is not a controller from 0 to 31"),
    ("{pitch_bend: 3, to: density}", "pitch_bend", "pitch_bend 3 is not true"),
    ("{pitch_bend: null, to: density}", "pitch_bend", "pitch_bend has no value: give true"),
    ("{pressure: false, to: density}", "pressure", "pressure False is not true"),
    ("{note: 128, to: panic}", "note", "note 128 is not a note from 0 to 127"),
    ("{note: true, to: panic}", "note", "note True is not a note"),
    ("{program_change: 128, to: panic}", "program_change", "program_change 128 is not true or a program"),
    ("{cc: 1, to: density, channel: 0}", "channel", "channel 0 is outside 1 to 16; leave it out for any"),
    ("{cc: 1, to: density, channel: any}", "channel", "channel 'any' is outside 1 to 16"),
    ("{cc: 1, to: density, channel: true}", "channel", "channel True is outside 1 to 16"),
    ("{cc: 1, to: density, range: [8, 2]}", "range", "range [8, 2] of density does not go upwards: write [2, 8]"),
    ("{cc: 1, to: density, range: [2, 2]}", "range", "does not go upwards: give two different values"),
    ("{cc: 1, to: density, range: [2, 99]}", "range", "range: density 99 is outside 0 to 32 notes/s"),
    ("{cc: 1, to: density, range: [2, loud]}", "range", "range: density 'loud' is not a number"),
    ("{cc: 1, to: density, range: [.nan, 2]}", "range", "range: density nan is not a number"),
    ("{cc: 1, to: density, range: 8}", "range", "range 8 is not a list such as [a, b]"),
    ("{cc: 1, to: density, range: [1, 2, 3]}", "range", "range [1, 2, 3] is not a list such as [a, b]"),
    ("{cc: 1, to: polyphony, range: [1, 2.5]}", "range", "range: polyphony 2.5 is not a whole number"),
    ("{cc: 1, to: mode, range: [1, 2]}", "range", "range has no use here, for mode has choices, not numbers"),
    ("{cc: 1, to: density, curve: log}", "curve", "curve 'log' is not one of linear, exponential"),
    ("{cc: 1, to: transpose, curve: exponential}", "curve", "curve exponential of transpose needs a range from 0"),
    ("{cc: 1, to: mode, curve: linear}", "curve", "curve has no use here"),
    ("{cc: 1, to: density, pick_up: often}", "pick_up", "pick_up 'often' is not true or false"),
    (
        "{note: 1, to: mode, value: solo, pick_up: true}",
        "pick_up",
        "pick_up has no use here, for a button has no travel",
    ),
    ("{cc: 1, to: panic, pick_up: true}", "pick_up", "pick_up has no use here, for panic is simply pressed"),
    ("{cc: 1, to: panic, button: toggle}", "button", "button has no use here, for panic is simply pressed"),
    ("{cc: 1, to: panic, value: 3}", "button", "has no use here, for panic is simply pressed"),
    (
        "{pitch_bend: true, to: panic}",
        "pitch_bend",
        "pitch bend cannot press panic: use cc, note or program_change",
    ),
    ("{cc14: 1, to: turn}", "cc14", "14-bit CC 1 cannot press turn"),
    ("{cc: 1, to: preset}", "cc", "CC 1 does not tell what preset needs: write `program_change: true`"),
    ("{program_change: 3, to: preset}", "program_change", "write `program_change: true`"),
    ("{program_change: true, to: turn}", "program_change", "give one program's number"),
    ("{program_change: true, to: mode, value: solo}", "program_change", "program change is for preset"),
    (
        "{program_change: 3, to: mode, button: momentary, value: solo}",
        "button",
        "a program change has none: use toggle",
    ),
    ("{note: 36, to: density}", "note", "note 36 is a switch: add `value`, or `button: toggle` with `values`"),
    (
        "{cc: 1, to: density, button: toggle}",
        "button",
        "button toggle of density (0 to 32 notes/s) needs two different ones",
    ),
    (
        "{cc: 1, to: mode, button: toggle}",
        "button",
        "button toggle of mode (answer | solo | duet) needs two different ones",
    ),
    ("{cc: 1, to: mode, button: toggle, values: [solo, solo]}", "button", "needs two different ones"),
    ("{cc: 1, to: mode, button: toggle, value: solo}", "button", "needs two different ones"),
    ("{cc: 1, to: mode, button: toggle, values: [solo, jazz]}", "values", "values: mode 'jazz' is not one of"),
    ("{cc: 1, to: mode, button: momentary}", "button", "needs the one that it gives: `value: a`"),
    ("{cc: 1, to: density, button: toggle, values: [1, 99]}", "values", "values: density 99 is outside"),
    (
        "{cc: 1, to: density, button: latch, value: 1}",
        "button",
        "button 'latch' is not one of set, toggle, momentary",
    ),
    ("{pitch_bend: true, to: key_lock, button: toggle}", "button", "pitch bend is not a button"),
    (
        "{cc: 1, to: density, value: 3, range: [1, 2]}",
        "range",
        "range has no use here, for a button has no travel",
    ),
    ("{cc: 1, to: density, value: 3, values: [1, 2]}", "value", "`value` and `values` exclude each other"),
    (
        "{cc: 1, to: density, values: [1, 2]}",
        "values",
        "values has no use here, for density is a number; `range` says",
    ),
    ("{cc: 1, to: mode, values: [solo]}", "values", "values of mode must be two or more different ones"),
    ("{cc: 1, to: mode, values: [[solo], duet]}", "values", "values: mode ['solo'] is not one of"),
    ("{cc: 1, to: mode, values: solo}", "values", "values 'solo' is not a list such as [a, b]"),
    ("{cc: 1, to: speed, centre: 1}", "centre", "centre is for pitch_bend, not for CC 1"),
    ("{pitch_bend: true, to: speed, centre: 4}", "centre", "centre 4 of speed is not inside 0.25 to 4"),
    ("{pitch_bend: true, to: speed, centre: 9}", "centre", "centre: speed 9 is outside 0.25 to 4"),
    (
        "{cc: 1, to: density, encoder: relative}",
        "encoder",
        "encoder 'relative' is not one of twos_complement, binary_offset, sign_magnitude",
    ),
    ("{cc: 1, to: density, encoder: true}", "encoder", "encoder True is not one of twos_complement"),
    ("{cc: 1, to: density, encoder: [binary_offset]}", "encoder", "encoder ['binary_offset'] is not one of"),
    (
        "{cc14: 1, to: density, encoder: binary_offset}",
        "encoder",
        "encoder is for cc, not for 14-bit CC 1: leave it out",
    ),
    ("{pressure: true, to: density, encoder: binary_offset}", "encoder", "not for channel pressure: leave it out"),
    (
        "{cc: 1, to: density, encoder: binary_offset, pick_up: true}",
        "pick_up",
        "pick_up has no use here, for an endless knob goes on from whatever value is in force: leave it out",
    ),
    (
        "{cc: 1, to: key_lock, encoder: binary_offset, button: toggle}",
        "encoder",
        "encoder has no use here, for a button has no travel: leave it out",
    ),
    ("{note: 1, to: density, encoder: binary_offset}", "encoder", "encoder has no use here, for a button has no"),
    (
        "{cc: 1, to: panic, encoder: binary_offset}",
        "encoder",
        "encoder has no use here, for panic is simply pressed",
    ),
    ("{cc: 1, to: speed, encoder: binary_offset, centre: 1}", "centre", "centre is for pitch_bend, not for CC 1"),
    (
        "{cc: 1, to: density, tick: 0.02}",
        "tick",
        "tick is for an endless knob: add `encoder`, or leave it out",
    ),
    ("{note: 1, to: mode, value: solo, tick: 0.02}", "tick", "tick has no use here, for a button has no travel"),
    (
        "{cc: 1, to: density, encoder: binary_offset, tick: 0}",
        "tick",
        "tick 0 is not a part of the travel, 0.001 to 1, or below 0 to go the other way",
    ),
    ("{cc: 1, to: density, encoder: binary_offset, tick: 2}", "tick", "tick 2 is not a part of the travel"),
    ("{cc: 1, to: density, encoder: binary_offset, tick: -1.5}", "tick", "tick -1.5 is not a part of the travel"),
    ("{cc: 1, to: density, encoder: binary_offset, tick: .nan}", "tick", "tick nan is not a part of the travel"),
    ("{cc: 1, to: density, encoder: binary_offset, tick: true}", "tick", "tick True is not a part of the travel"),
    (
        "{cc: 1, to: density, encoder: binary_offset, tick: slow}",
        "tick",
        "tick 'slow' is not a part of the travel",
    ),
]


@pytest.mark.parametrize(("text", "key", "said"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_a_wrong_entry_is_refused(text: str, key: str | None, said: str) -> None:
    with pytest.raises(MapError) as refused:
        entry(yaml.safe_load(text))
    assert said in str(refused.value)
    assert refused.value.key == key
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"cc": 1, "to": "density"}, Entry("cc", 1, "density")),
        ({"cc14": 31, "to": "density", "channel": 16}, Entry("cc14", 31, "density", 16)),
        ({"cc": 0, "to": "density", "range": [1, 8]}, Entry("cc", 0, "density", span=(1.0, 8.0))),
        ({"pitch_bend": True, "to": "speed", "centre": 2}, Entry("pitch_bend", None, "speed", centre=2.0)),
        ({"note": 36, "to": "mode", "value": "solo"}, Entry("note", 36, "mode", button="set", values=("solo",))),
        (
            {"cc": 119, "to": "key_lock", "button": "toggle"},
            Entry("cc", 119, "key_lock", button="toggle", values=("off", "on")),
        ),
        (
            {"cc": 65, "to": "key_lock", "button": "momentary"},
            Entry("cc", 65, "key_lock", button="momentary", values=("on",)),
        ),
        ({"program_change": True, "to": "preset"}, Entry("program_change", None, "preset")),
        ({"program_change": 0, "to": "turn"}, Entry("program_change", 0, "turn")),
        ({"cc": 3, "to": "scale", "values": ["off", "minor"]}, Entry("cc", 3, "scale", values=("off", "minor"))),
        (
            {"cc": 3, "to": "speed", "encoder": "sign_magnitude", "tick": -1},
            Entry("cc", 3, "speed", encoder="sign_magnitude", tick=-1.0),
        ),
    ],
)
def test_what_an_entry_says(said: dict[str, Any], expected: Entry) -> None:
    assert entry(said) == expected


@settings(deadline=None)
@given(entries())
def test_an_entry_says_itself(one: Entry) -> None:
    assert entry(one.settings()) == one
    assert hash(entry(one.settings())) == hash(one)


KEYS = st.one_of(
    st.sampled_from([*SOURCES, "to", "range", "values", "channel", "button", "encoder", "tick"]), st.text()
)
NAMES = [*ACTIONS, *(row.name for row in table()), "toggle", *CODINGS]
THINGS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from([*NAMES, [1, 2]])
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, THINGS))
def test_anything_is_an_entry_or_refused_in_one_line(said: dict[str, Any]) -> None:
    try:
        entry(said)
    except MapError as error:
        assert str(error)


@pytest.mark.parametrize("row", table(), ids=lambda row: row.name)
def test_a_plain_knob_is_the_row_s_own(row: Any) -> None:
    one = Entry("cc", 1, row.name)
    assert [one.at(position / 127) for position in range(128)] == [
        row.from_knob(position) for position in range(128)
    ]


@settings(deadline=None)
@given(entries(), st.floats(0, 1), st.floats(0, 1))
def test_a_knob_goes_upwards_within_its_range(one: Entry, part: float, other: float) -> None:
    if not one.is_knob:
        return
    row = row_named(one.to)
    low, high = sorted((part, other))
    values = [one.at(low), one.at(high)]
    assert [row.check(value) for value in values] == values
    if row.choices:
        assert set(values) <= set(one.values or row.choices)
    else:
        assert (
            (one.span or (row.low, row.high))[0] <= values[0] <= values[1] <= (one.span or (row.low, row.high))[1]
        )
        assert (one.at(0), one.at(1)) == (one.row.low, one.row.high)


@settings(deadline=None)
@given(entries(), st.integers(0, 127))
def test_a_value_lies_where_it_came_from(one: Entry, position: int) -> None:
    """`part` is the inverse of `at`, and off only by what rounding to whole numbers and choices does."""
    if not one.is_knob:
        return
    value = one.at(position / 127)
    assert 0 <= one.part(value) <= 1
    assert one.at(one.part(value)) == (value if one.row.choices or one.row.kind is int else pytest.approx(value))


@pytest.mark.parametrize("name", ["speed", "transpose", "temperature", "loudness"])
def test_a_pitch_wheel_rests_at_the_default(name: str) -> None:
    one = Entry("pitch_bend", None, name)
    rest = 8192 / 16383
    assert one.at(rest) == row_named(name).default
    assert one.part(row_named(name).default) == pytest.approx(rest)
    assert (one.at(0), one.at(1)) == (row_named(name).low, row_named(name).high)


def test_a_pitch_wheel_rests_where_one_says() -> None:
    assert Entry("pitch_bend", None, "speed", span=(1.0, 4.0)).at(8192 / 16383) == pytest.approx(2, rel=1e-3)
    assert Entry("pitch_bend", None, "speed", span=(0.5, 4.0), centre=3.0).at(8192 / 16383) == 3
    assert Entry("pitch_bend", None, "mode").at(8192 / 16383) == "solo"


def test_an_exponential_range_from_zero_is_off_at_its_end() -> None:
    one = Entry("cc", 1, "repeat_guard", curve="exponential")
    travel = [one.at(position / 127) for position in range(128)]
    assert travel[0] == 0 and travel[1] == pytest.approx(0.01) and travel[127] == 1
    assert travel == sorted(travel)
