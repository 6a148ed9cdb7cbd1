"""Endless knobs: what their ticks mean, how far they go and from where, and that each of them counts."""

from __future__ import annotations

import random
from typing import Any

import mido
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from liveperf.mapping.controls import ControlMap, Mapper, Outcome, feedback
from liveperf.mapping.encoders import CODINGS, FINEST, TICK
from liveperf.mapping.knobs import Entry, entry
from liveperf.params import Params, row_named, table
from tests.bands import KEYS, SYNTH, Band, by_hand
from tests.maps import encoders, params
from tests.messages import control

CODED = {  # by ticks: what is sent for them
    "twos_complement": {1: 1, 5: 5, 63: 63, 64: 64, -1: 127, -5: 123, -63: 65, 0: 0},
    "binary_offset": {1: 65, 5: 69, 63: 127, -1: 63, -5: 59, -63: 1, -64: 0, 0: 64},
    "sign_magnitude": {1: 1, 5: 5, 63: 63, -1: 65, -5: 69, -63: 127, 0: 64},
}


def turn(ticks: int, number: int = 20) -> mido.Message:
    """An endless knob is turned, by up to 63 ticks at once."""
    return control(number, 64 + ticks)


class Knob:
    """An endless knob on CC 20, and the parameters that it works on."""

    def __init__(self, to: str, now: dict[str, Any] | None = None, **said: Any) -> None:
        self.entry = entry({"cc": 20, "to": to, "encoder": "binary_offset", **said})
        self.mapper = Mapper(ControlMap((self.entry,)))
        self.params = Params(**(now or {}))

    def turn(self, *ticks: int) -> list[Any]:
        """Turn it; what the parameter is after each message."""
        found = []
        for each in ticks:
            outcome = self.mapper.receive(turn(each), self.params)
            assert outcome.consumed and outcome.entry == self.entry
            self.params = self.params.replace(**outcome.values)
            found.append(getattr(self.params, self.entry.to))
        return found


# what is sent


@pytest.mark.parametrize(
    ("coding", "ticks", "value"),
    [(coding, ticks, value) for coding, sent in CODED.items() for ticks, value in sent.items()],
)
def test_what_a_value_means(coding: str, ticks: int, value: int) -> None:
    assert CODINGS[coding](value) == ticks


@pytest.mark.parametrize("coding", CODINGS)
def test_no_two_values_mean_the_same_but_for_a_zero_of_either_sign(coding: str) -> None:
    ticks = [CODINGS[coding](value) for value in range(128)]
    assert len(set(ticks)) == (127 if coding == "sign_magnitude" else 128)
    assert -64 <= min(ticks) and max(ticks) <= 64


@pytest.mark.parametrize("coding", CODED)
def test_each_coding_turns_the_knob(coding: str) -> None:
    mapper = Mapper(ControlMap((Entry("cc", 20, "loudness", encoder=coding),)))
    sent = CODED[coding]
    assert mapper.receive(control(20, sent[5]), Params()).values == {"loudness": pytest.approx(1.1)}
    assert mapper.receive(control(20, sent[-1]), Params(loudness=1.1)).values == {"loudness": pytest.approx(1.08)}
    assert mapper.receive(control(20, sent[0]), Params(loudness=1.5)) == Outcome(True, entry=mapper.map.entries[0])


# how far


def test_a_tick_is_a_hundredth_of_the_travel_along_the_curve() -> None:
    assert Knob("loudness").turn(1, 1, -1) == [pytest.approx(value) for value in (1.02, 1.04, 1.02)]
    assert Knob("speed", {"speed": 0.25}).turn(50, 49, 1) == [pytest.approx(v) for v in (1, 4 * 16**-0.01, 4)]
    knob = Knob("loudness", range=[1, 1.5], tick=0.1)
    assert knob.turn(1, 2) == [pytest.approx(value) for value in (1.05, 1.15)]
    assert Knob("temperature", curve="linear", range=[0.5, 1.5]).turn(-1) == [pytest.approx(0.99)]


@pytest.mark.parametrize("row", [row for row in table() if row.kind is int], ids=lambda row: row.name)
def test_a_tick_is_a_whole_number(row: Any) -> None:
    low = int(row.low)
    params = {"lowest_pitch": 0, row.name: low}
    assert Knob(row.name, params).turn(1, 1, 1, 10, -13) == [low + 1, low + 2, low + 3, low + 13, low]


def test_a_tick_is_a_choice() -> None:
    assert Knob("mode").turn(1, 1, 1, -1, -1, -1, 2) == [
        "solo",
        "duet",
        "duet",
        "solo",
        "answer",
        "answer",
        "duet",
    ]
    assert Knob("key_lock").turn(-1, 1, 1, -1) == ["off", "on", "on", "off"]
    assert Knob("scale", values=["off", "blues", "minor"]).turn(1, 1, -2) == ["blues", "minor", "off"]
    every = row_named("scale").choices
    assert tuple(Knob("scale").turn(0, *[1] * (len(every) - 1))) == every


def test_ticks_that_are_too_small_for_a_step_add_up() -> None:
    assert Knob("mode", tick=0.15).turn(*[1] * 4) == ["answer", "solo", "solo", "duet"]
    assert Knob("transpose", range=[0, 4], tick=0.1).turn(*[1] * 5) == [0, 1, 1, 2, 2]
    assert Knob("turn_bars", tick=FINEST).turn(*[1] * 100)[-1] == round(64 * 100 * FINEST)


def test_below_zero_it_goes_the_other_way() -> None:
    assert Knob("loudness", tick=-0.01).turn(1, -2) == [pytest.approx(0.98), pytest.approx(1.02)]
    assert Knob("mode", tick=-1).turn(-1, 1) == ["duet", "answer"]


# from where


def test_it_goes_on_from_whatever_has_set_the_value() -> None:
    knob = Knob("loudness")
    assert knob.turn(1) == [pytest.approx(1.02)]
    knob.params = knob.params.replace(loudness=0.3)  # a page, a preset, another knob
    assert knob.turn(1, -1) == [pytest.approx(0.32), pytest.approx(0.3)]


def test_it_stops_at_the_ends_and_turns_back_at_once() -> None:
    assert Knob("loudness").turn(63, 63, -1) == [pytest.approx(value) for value in (2, 2, 1.98)]
    assert Knob("density").turn(-1, 1, -1) == [0, pytest.approx(1, rel=0.01), 0]
    assert Knob("mode").turn(-20, 1) == ["answer", "solo"]


def test_a_value_out_of_its_range_is_not_turned_the_wrong_way() -> None:
    knob = Knob("loudness", {"loudness": 2}, range=[0.5, 1.5])
    assert knob.turn(0, 1, 5, -1) == [2, 2, 2, pytest.approx(1.49)]
    assert (
        Knob("idle_start_s", {"idle_start_s": 0.5}, tick=FINEST).turn(*[-1] * 8)[-1] == 0
    )  # below its first step
    assert Knob("scale", {"scale": "dorian"}, values=["off", "minor"]).turn(-1) == ["off"]


def test_what_does_not_fit_is_left_out_and_the_way_back_is_short() -> None:
    knob = Knob("lowest_pitch", {"lowest_pitch": 59, "highest_pitch": 60})
    assert knob.turn(1, 1, 1, -1) == [60, 60, 60, 59]


# what the controller is shown


def test_its_ring_follows_its_own_ticks() -> None:
    knob = Knob("loudness")
    before = knob.params
    knob.turn(5)
    assert feedback(knob.mapper.map, before, knob.params, knob.entry) == (control(20, round(127 * 0.55)),)
    assert feedback(knob.mapper.map, knob.params, knob.params, knob.entry) == ()


# whatever comes


def played(one: Entry, now: Params, values: list[int]) -> Any:
    """What a parameter is after a knob has sent some values."""
    mapper = Mapper(ControlMap((one,)))
    for value in values:
        now = now.replace(**mapper.receive(control(20, value), now).values)
    return getattr(now, one.to)


@settings(deadline=None)
@given(encoders(), params(), st.lists(st.integers(0, 127), max_size=60))
def test_any_stream_of_ticks_stays_in_the_range(one: Entry, now: Params, values: list[int]) -> None:
    before, after = getattr(now, one.to), played(one, now, values)
    assert row_named(one.to).check(after) == after
    if one.row.choices:
        assert after in one.row.choices or after == before
    else:
        assert min(one.row.low, before) <= after <= max(one.row.high, before)


def value_of(one: Entry, ticks: int) -> int:
    """What a knob sends for so many ticks."""
    return next(value for value in range(128) if CODINGS[one.encoder or ""](value) == ticks)


@settings(deadline=None)
@given(encoders(), st.floats(0, 1), st.lists(st.integers(-63, 63), max_size=20))
def test_there_and_back_is_where_it_was(one: Entry, part: float, ticks: list[int]) -> None:
    start = one.at(part)
    place, low, high = one.part(start), one.part(one.at(0)), one.part(one.at(1))
    assume(one.row.choices or one.row.kind is int or abs(one.at(place) - start) < 1e-9)  # not below a first step
    for index, each in enumerate(ticks):
        while not low <= place + each * one.per_tick <= high:  # it is to stop at no end
            each = int(each / 2)
        ticks[index], place = each, place + each * one.per_tick
    values = {"lowest_pitch": 0, "highest_pitch": 127, "answer_shortest_s": 0.5, "answer_longest_s": 300}
    now = Params(**{**values, one.to: start})
    back = [-each for each in reversed(ticks)]
    after = played(one, now, [value_of(one, each) for each in (*ticks, *back)])
    assert after == (start if one.row.choices or one.row.kind is int else pytest.approx(start, rel=1e-9, abs=1e-9))


def test_there_and_back_is_off_again() -> None:
    one = Entry("cc", 20, "density", encoder="binary_offset")
    assert played(one, Params(density=0.0), [value_of(one, each) for each in (1, 3, -3, -1)]) == 0


@settings(deadline=None)
@given(encoders(), st.lists(st.integers(1, 20), max_size=5), st.sampled_from([-1, 1]))
def test_a_fast_turn_is_as_many_slow_ones(one: Entry, ticks: list[int], way: int) -> None:
    now = Params(lowest_pitch=0, highest_pitch=127, answer_shortest_s=0.5, answer_longest_s=300)
    fast = played(one, now, [value_of(one, way * each) for each in ticks])
    slow = played(one, now, [value_of(one, way)] * sum(ticks))
    if one.row.choices or one.row.kind is int:  # a rounding apart, they may be on two sides of a border
        apart = abs(one.part(fast) - one.part(slow)) * (len(one.row.choices) or one.row.high - one.row.low)
        assert apart <= 1 + 1e-9
    else:
        assert fast == pytest.approx(slow, rel=1e-9, abs=1e-9)


# a thousand a second


def test_every_tick_of_a_sweep_counts(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """From the keyboard's port to the parameter, while the music goes on; and a ring shows where it has led."""
    by_hand(monkeypatch, caplog)
    one = Entry("cc", 20, "loudness", encoder="sign_magnitude", tick=FINEST)
    band = Band(map=ControlMap((one,)), params=Params(mode="solo", loudness=0.5), feedback=SYNTH)
    ticks = [1] * 500 + [3] * 50 + [-1] * 300 + [-2] * 50
    random.Random(2).shuffle(ticks)
    for pair in zip(ticks[::2], ticks[1::2], strict=True):
        band.world.play(KEYS, *(control(20, value_of(one, each)) for each in pair))
        band.run(0.002)
    band.run(0.1)
    assert band.performer.params.loudness == pytest.approx(0.5 + 2 * FINEST * sum(ticks))
    assert any(message.type == "note_on" for message in band.synth.heard)
    rings = [message for message in band.synth.heard if message.type == "control_change"]
    assert rings[-1] == control(20, round(127 * band.performer.params.loudness / 2))


def test_the_usual_tick_is_what_the_manual_says() -> None:
    assert TICK == 0.01 and Entry("cc", 1, "loudness", encoder="binary_offset").per_tick == TICK
