"""The control map at work: knobs, pick-up, buttons, and what the controller is shown."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.mapping.controls import DEFAULT, Action, ControlMap, Mapper, Outcome, feedback
from liveperf.mapping.knobs import Entry, MapError, entry
from liveperf.mapping.sources import FINE, SOURCES
from liveperf.params import ParamError, Params
from tests.maps import MESSAGES, entries, maps, messages_of, params
from tests.messages import bend, control, off, on, pressure, program


class Desk:
    """A mapper, and the parameters that it works on."""

    def __init__(self, *said: dict[str, Any], **values: Any) -> None:
        self.mapper = Mapper(ControlMap(tuple(entry(one) for one in said)))
        self.params = Params(**values)

    def take(self, *messages: mido.Message) -> Outcome:
        """Give it messages; returns what followed from the last."""
        for message in messages:
            outcome = self.mapper.receive(message, self.params)
            self.params = self.params.replace(**outcome.values)
        return outcome

    def values(self, name: str, messages: Sequence[mido.Message]) -> list[Any]:
        """What a parameter was after each message."""
        found = []
        for message in messages:
            self.take(message)
            found.append(getattr(self.params, name))
        return found


# the map


def test_the_default() -> None:
    assert {(one.source, one.number, one.to) for one in DEFAULT.entries} == {
        ("cc", 1, "density"),
        ("cc", 74, "temperature"),
        ("cc", 7, "loudness"),
    }
    for number in (64, *range(120, 128)):  # the pedal, panic and the other channel modes are no knobs
        assert DEFAULT.find(control(number, 127)) is None


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"cc": 1, "to": "density"}, {"cc": 1, "to": "top_p"}, "CC 1 is already for density: take one out"),
        ({"cc": 1, "to": "density"}, {"cc": 1, "to": "density"}, "CC 1 is already for density"),
        ({"cc14": 1, "to": "density"}, {"cc": 33, "to": "top_p"}, "CC 33 is already for density (14-bit CC 1)"),
        ({"cc": 33, "to": "density"}, {"cc14": 1, "to": "top_p"}, "14-bit CC 1 is already for density (CC 33)"),
        (
            {"cc": 1, "to": "density", "channel": 3},
            {"cc": 1, "to": "top_p"},
            "already for density (CC 1 on channel 3)",
        ),
        (
            {"pressure": True, "to": "density"},
            {"pressure": True, "to": "top_p"},
            "channel pressure is already for",
        ),
        (
            {"program_change": True, "to": "preset"},
            {"program_change": 5, "to": "turn"},
            "program change 5 is already",
        ),
    ],
)
def test_two_on_one_knob_are_refused(first: dict[str, Any], second: dict[str, Any], said: str) -> None:
    with pytest.raises(MapError) as refused:
        Desk(first, second)
    assert said in str(refused.value) and refused.value.entry == 1


def test_a_channel_tells_knobs_apart() -> None:
    desk = Desk({"cc": 1, "to": "density", "channel": 1}, {"cc": 1, "to": "top_p", "channel": 2})
    desk.take(control(1, 127, channel=1))
    assert (desk.params.density, desk.params.top_p) == (0, 1)
    desk.take(control(1, 127, channel=0))
    assert desk.params.density == 32
    assert not desk.take(control(1, 3, channel=2)).consumed


@settings(deadline=None)
@given(maps())
def test_a_map_is_a_value(control_map: ControlMap) -> None:
    again = ControlMap(control_map.entries)
    assert again == control_map and hash(again) == hash(control_map)


# knobs


def test_a_knob_turns_its_parameter() -> None:
    desk = Desk({"cc": 20, "to": "density"}, {"cc": 21, "to": "mode"})
    assert desk.take(control(20, 127)) == Outcome(True, {"density": 32.0}, (), entry({"cc": 20, "to": "density"}))
    assert desk.values("mode", [control(21, value) for value in (0, 42, 43, 84, 85, 127)]) == [
        *("answer", "answer", "solo", "solo", "duet", "duet")
    ]
    assert desk.take(control(21, 127)).values == {}  # nothing new
    assert desk.take(control(22, 127)) == Outcome()
    assert desk.take(on(20, 127)) == Outcome()


def test_a_knob_has_a_range_and_a_curve_of_its_own() -> None:
    desk = Desk({"cc": 1, "to": "temperature", "range": [0.5, 1.5], "curve": "linear"})
    assert desk.values("temperature", [control(1, 0), control(1, 127)]) == [0.5, 1.5]
    desk.take(control(1, 64))
    assert desk.params.temperature == pytest.approx(0.5 + 64 / 127)
    desk = Desk({"cc": 1, "to": "density", "range": [2, 8], "curve": "exponential"})
    desk.take(control(1, 64))
    assert desk.params.density == pytest.approx(4, rel=0.01)
    desk = Desk({"cc": 1, "to": "scale", "values": ["off", "blues", "minor"]})
    assert desk.values("scale", [control(1, 127), control(1, 64), control(1, 0)]) == ["minor", "blues", "off"]


def test_what_does_not_fit_is_left_out() -> None:
    desk = Desk({"cc": 1, "to": "lowest_pitch"}, highest_pitch=60)
    assert desk.take(control(1, 127)) == Outcome(True, {}, (), entry({"cc": 1, "to": "lowest_pitch"}))
    desk.take(control(1, 48))
    assert desk.params.lowest_pitch == 48


@pytest.mark.parametrize(
    ("messages", "part"),
    [
        ([control(1, 127)], 1),  # the coarse half alone will do
        ([control(1, 50)], 50 / 127),
        ([control(1, 127), control(33, 127)], 1),
        ([control(1, 50), control(33, 5)], (50 * 128 + 5) / 16383),
        ([control(33, 5), control(1, 50)], (50 * 128 + 5) / 16383),  # in either order
        ([control(1, 50), control(33, 5), control(33, 6)], (50 * 128 + 6) / 16383),
        ([control(1, 50), control(33, 5), control(1, 51)], (50 * 128 + 5) / 16383),  # it waits for its fine half
        ([control(1, 50), control(33, 5), control(1, 51), control(1, 52)], 52 / 127),  # and not for ever
    ],
)
def test_fourteen_bits(messages: list[mido.Message], part: float) -> None:
    desk = Desk({"cc14": 1, "to": "loudness"})
    assert all(desk.take(message).consumed for message in messages)
    assert desk.params.loudness == pytest.approx(2 * part)


def test_a_half_that_waits_for_the_other_turns_nothing() -> None:
    desk = Desk({"cc14": 1, "to": "loudness"})
    desk.take(control(1, 50), control(33, 5))
    desk.params = desk.params.replace(loudness=1.5)  # somebody else has turned it
    assert desk.values("loudness", [control(1, 51)]) == [1.5]
    desk.take(control(33, 0))
    assert desk.params.loudness == pytest.approx(2 * 51 * 128 / 16383)


def test_pick_up_is_not_tripped_where_the_coarse_half_changes() -> None:
    value = 2 * (65 * 128 + 100) / 16383
    desk = Desk({"cc14": 1, "to": "loudness", "pick_up": True}, loudness=value)
    sweep = range(63 * 128 + 96, 65 * 128 + 20)  # to shortly below it
    halves = [control(number, half) for at in sweep for number, half in ((1, at >> 7), (33, at & 127))]
    assert set(desk.values("loudness", halves)) == {value}


def test_the_fine_half_alone_says_nothing() -> None:
    desk = Desk({"cc14": 1, "to": "loudness"})
    assert desk.take(control(33, 100)) == Outcome(True, {}, (), entry({"cc14": 1, "to": "loudness"}))


def test_the_pitch_wheel_and_pressure() -> None:
    desk = Desk({"pitch_bend": True, "to": "speed"}, {"pressure": True, "to": "density"})
    assert desk.values("speed", [bend(8191), bend(-8192), bend(0)]) == [4, 0.25, 1]
    desk.take(bend(4096))
    assert desk.params.speed == pytest.approx(2, rel=1e-3)
    assert desk.values("density", [pressure(127), pressure(0)]) == [32, 0]


# pick-up


def test_pick_up_waits_for_the_value() -> None:
    desk = Desk({"cc": 1, "to": "loudness", "range": [0, 2], "pick_up": True}, loudness=1.0)
    assert desk.values("loudness", [control(1, 127), control(1, 90), control(1, 70)]) == [1, 1, 1]
    desk.take(control(1, 60))  # it has passed the middle
    assert desk.params.loudness == pytest.approx(120 / 127)
    desk.take(control(1, 5))
    assert desk.params.loudness == pytest.approx(10 / 127)
    desk.params = desk.params.replace(loudness=1.8)  # somebody else has turned it: it is to be met anew
    assert desk.values("loudness", [control(1, 10), control(1, 100)]) == [1.8, 1.8]
    desk.take(control(1, 120))
    assert desk.params.loudness == pytest.approx(240 / 127)


def test_a_value_that_comes_back_is_to_be_met_anew_by_a_knob_that_has_moved_meanwhile() -> None:
    desk = Desk({"cc": 1, "to": "loudness", "pick_up": True}, loudness=1.0)
    desk.values("loudness", [control(1, 60), control(1, 70)])
    first = desk.params
    desk.params = first.replace(loudness=0.2)  # another preset
    desk.take(control(1, 120))
    desk.params = first  # and back
    desk.take(control(1, 121))
    assert desk.params == first


def test_pick_up_beside_the_value() -> None:
    """An endless knob whose ring was set by feedback goes on from there, whichever way it is turned."""
    for value in (63, 65):
        desk = Desk({"cc": 1, "to": "loudness", "pick_up": True}, loudness=2 * 64 / 127)
        desk.take(control(1, value))
        assert desk.params.loudness == pytest.approx(2 * value / 127)


def test_pick_up_of_a_value_out_of_its_range() -> None:
    """It lies at the knob's end: that is where the knob takes over."""
    desk = Desk({"cc": 1, "to": "loudness", "range": [0.5, 1.5], "pick_up": True}, loudness=2)
    assert desk.values("loudness", [control(1, 0), control(1, 100), control(1, 127)]) == [2, 2, 1.5]


def test_without_pick_up_it_jumps() -> None:
    assert Desk({"cc": 1, "to": "loudness"}).values("loudness", [control(1, 127), control(1, 0)]) == [2, 0]


KNOBS = entries().filter(lambda one: one.is_knob)


def sent(one: Entry, part: float) -> list[mido.Message]:
    """What a knob sends as it comes to a part of its travel."""
    top = SOURCES[one.source].top
    position, channel = round(part * top), (one.channel or 1) - 1
    if one.source == "pitch_bend":
        return [bend(position - 8192, channel=channel)]
    if one.source == "pressure":
        return [pressure(position, channel=channel)]
    assert one.number is not None
    if one.source == "cc":
        return [control(one.number, position, channel=channel)]
    halves = ((one.number, position >> 7), (one.number + FINE, position & 127))
    return [control(number, half, channel=channel) for number, half in halves]


@settings(deadline=None)
@given(
    KNOBS.filter(lambda one: one.pick_up and one.source != "cc14"),
    params(),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1),
)
def test_pick_up_never_jumps(one: Entry, before: Params, away: float, travel: list[tuple[float, bool]]) -> None:
    """A value goes no further than the hand that turns it, but for rounding, or one step of the knob.

    Whatever others have turned it to in between, and back again.
    """
    there = one.row.at(away)
    mapper, top = Mapper(ControlMap((one,))), SOURCES[one.source].top
    last: float | None = None

    def rounding(part: float) -> float:
        return abs(one.part(one.at(part)) - part)

    for part, others in travel:
        if others:
            with contextlib.suppress(ParamError):
                before, there = before.replace(**{one.to: there}), getattr(before, one.to)
        here = round(part * top) / top
        old = one.part(getattr(before, one.to))
        for message in sent(one, part):
            before = before.replace(**mapper.receive(message, before).values)
        moved = abs(one.part(getattr(before, one.to)) - old)
        hand = 0.0 if last is None else abs(here - last) + rounding(last)
        assert moved <= hand + 1 / top + rounding(here) + 1e-9
        last = here


# buttons


def test_a_toggle() -> None:
    desk = Desk({"note": 36, "to": "key_lock", "button": "toggle"})
    assert desk.values("key_lock", [on(36, 90), on(36, 0), on(36, 1), on(36, 0)]) == [
        "on",
        "on",
        "off",
        "off",
    ]
    desk = Desk({"cc": 20, "to": "mode", "button": "toggle", "values": ["answer", "duet"]}, mode="solo")
    assert desk.values("mode", [control(20, 127), control(20, 0), control(20, 127)]) == ["duet", "duet", "answer"]


def test_momentary_returns_to_the_value_before() -> None:
    desk = Desk({"cc": 20, "to": "density", "button": "momentary", "value": 32}, density=3)
    assert desk.values("density", [control(20, value) for value in (127, 90, 0, 0)]) == [32, 32, 3, 3]
    desk.take(control(20, 64))
    desk.params = desk.params.replace(density=5)  # changed by somebody else while it is held
    assert desk.values("density", [control(20, 0)]) == [5]


def test_a_key_struck_again_before_it_is_let_go() -> None:
    desk = Desk({"note": 1, "to": "density", "button": "momentary", "value": 32}, density=3)
    assert desk.values("density", [on(1, 9), on(1, 9), on(1, 0)]) == [32, 32, 3]


def test_a_button_that_sends_no_release() -> None:
    """It says the same again: another press. A fader that is swept over it never does that."""
    desk = Desk({"cc": 20, "to": "key_lock", "button": "toggle"}, {"cc": 66, "to": "turn"})
    assert desk.values("key_lock", [control(20, 127)] * 3) == ["on", "off", "on"]
    assert [desk.take(control(66, 100)).actions for _ in range(3)] == [(Action("turn"),)] * 3
    desk = Desk({"cc": 20, "to": "key_lock", "button": "toggle"}, {"cc": 66, "to": "turn"})
    up, stuck, down = range(60, 128, 3), [126, 126, 100, 100], range(127, 50, -2)
    assert set(desk.values("key_lock", [control(20, value) for value in (*up, *stuck, *down)])[2:-5]) == {"on"}
    assert [len(desk.take(control(66, value)).actions) for value in (*up, *stuck, *down)].count(1) == 1


def test_a_button_that_latches_is_momentary() -> None:
    """127 at one press, 0 at the next: it is down in between."""
    desk = Desk({"cc": 20, "to": "key_lock", "button": "momentary", "value": "on"})
    assert desk.values("key_lock", [control(20, value) for value in (127, 0, 127, 0)]) == ["on", "off"] * 2


def test_a_button_that_sets_a_value() -> None:
    desk = Desk({"note": 40, "to": "mode", "value": "solo"}, {"program_change": 3, "to": "mode", "value": "duet"})
    assert desk.values("mode", [on(40, 80), on(40, 0), program(3), program(4)]) == [
        "solo",
        "solo",
        "duet",
        "duet",
    ]


def test_notes_of_a_switch_are_no_melody() -> None:
    desk = Desk({"note": 36, "channel": 10, "to": "turn"})
    touch = mido.Message("polytouch", note=36, value=50, channel=9)
    assert desk.take(on(36, 80, channel=9)).actions == (Action("turn"),)
    for message in (off(36, channel=9), touch, on(36, 0, channel=9)):
        outcome = desk.take(message)
        assert (outcome.consumed, outcome.values, outcome.actions) == (True, {}, ())
    for message in (on(36, 80), on(37, 80, channel=9), off(36)):
        assert not desk.take(message).consumed


def test_an_action_comes_once_a_press() -> None:
    desk = Desk({"cc": 66, "to": "turn"}, {"program_change": 9, "to": "panic"})
    pressed = [desk.take(control(66, value)).actions for value in (10, 70, 100, 127, 63, 0, 64)]
    assert pressed == [(), (Action("turn"),), (), (), (), (), (Action("turn"),)]
    assert [desk.take(program(9)).actions for _ in range(2)] == [(Action("panic"),)] * 2


def test_program_changes_call_presets() -> None:
    desk = Desk({"program_change": True, "to": "preset"}, {"cc": 43, "to": "previous_preset"})
    assert desk.take(program(7)).actions == (Action("preset", 7),)
    assert desk.take(control(43, 127)).actions == (Action("previous_preset"),)


# what the controller is shown


def test_feedback_shows_what_has_changed() -> None:
    said = [
        {"cc": 20, "channel": 3, "to": "loudness"},
        {"cc14": 1, "to": "loudness"},
        {"pitch_bend": True, "channel": 2, "to": "speed"},
        {"note": 36, "to": "mode", "value": "duet"},
        {"note": 37, "to": "mode", "value": "answer"},
        {"cc": 40, "to": "key_lock", "button": "toggle"},
        {"pressure": True, "to": "density"},
        {"cc": 41, "to": "panic"},
    ]
    control_map = ControlMap(tuple(entry(one) for one in said))
    before = Params()
    after = before.replace(loudness=2, speed=4, mode="duet", key_lock="on", density=3)
    assert feedback(control_map, before, before) == ()
    shown = (
        control(20, 127, channel=2),
        *(control(1, 127), control(33, 127)),
        bend(8191, channel=1),
        *(on(36, 127), on(37, 0)),
        control(40, 127),
    )
    assert feedback(control_map, before, after) == shown
    assert feedback(control_map, None, after) == shown
    assert feedback(control_map, after, before)[3] == bend(0, channel=1)
    # the hand that turns a fader is not fought; the other fader and a toggle's own lamp follow
    moved = control_map.entries[0]
    assert feedback(control_map, before, before.replace(loudness=2), moved) == (control(1, 127), control(33, 127))
    pressed = control_map.entries[5]
    assert feedback(control_map, before, before.replace(key_lock="on"), pressed) == (control(40, 127),)


@settings(deadline=None)
@given(maps(), params())
def test_feedback_then_receive_changes_nothing(control_map: ControlMap, now: Params) -> None:
    """A motor that goes where it is told, and says so, turns nothing: at most the last step to an end."""
    mapper = Mapper(control_map)
    for message in feedback(control_map, None, now):
        index = control_map.find(message)
        assert index is not None
        one = control_map.entries[index]
        if one.is_knob and one.encoder is None:  # an endless knob says nothing of its ring
            outcome = mapper.receive(message, now)
            for name, value in outcome.values.items():
                step = 1 / (127 if one.source != "pitch_bend" else 16383)
                outside = one.row.choices or not one.row.low <= getattr(now, name) <= one.row.high
                assert outside or abs(one.part(value) - one.part(getattr(now, name))) <= step


# whatever comes


@settings(deadline=None)
@given(st.data(), maps(), params())
def test_any_stream_keeps_the_parameters_valid(data: st.DataObject, control_map: ControlMap, now: Params) -> None:
    mapper = Mapper(control_map)
    for message in data.draw(st.lists(messages_of(control_map), max_size=40)):
        state = mapper.state
        outcome = mapper.receive(message, now)
        assert outcome.consumed == (control_map.find(message) is not None)
        assert outcome.consumed or (outcome == Outcome() and mapper.state is state)
        assert all(getattr(now, name) != value for name, value in outcome.values.items())
        try:
            now = now.replace(**outcome.values)
        except ParamError:
            pytest.fail(f"{message} gave {outcome.values}, which {now} does not take")


@settings(deadline=None)
@given(st.data(), maps(), params())
def test_the_state_is_all_that_it_remembers(data: st.DataObject, control_map: ControlMap, now: Params) -> None:
    first, second = Mapper(control_map), Mapper(control_map)
    messages = data.draw(st.lists(messages_of(control_map), min_size=1, max_size=20))
    for message in messages[:-1]:
        now = now.replace(**first.receive(message, now).values)
    hash(first.state)
    second.state = first.state
    assert first.receive(messages[-1], now) == second.receive(messages[-1], now)
    assert first.state == second.state


@settings(deadline=None)
@given(MESSAGES)
def test_an_empty_map_takes_nothing(message: mido.Message) -> None:
    assert Mapper(ControlMap()).receive(message, Params()) == Outcome()
