"""The talk over a WebSocket, without the socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.mapping.controls import ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.params import Params
from liveperf.remote import live, telling
from liveperf.remote.live import BURST, COSTS, Hub, Listener, frame
from tests.desks import FakeDesk, FakeView
from tests.fakes import FakeClock
from tests.messages import on
from tests.remote.anything import ANYTHING, NAMES
from tests.remote.talk import Talk


def test_settings_of_one_turn_are_made_at_once() -> None:
    talk = Talk()
    assert talk.say(*({"set": {"density": number / 100}} for number in range(1000)), {"set": {"mode": "solo"}})
    assert talk.desk.sets == [{"density": 9.99, "mode": "solo"}]
    talk.say({"set": {"density": 3}})
    assert talk.desk.sets[1:] == [{"density": 3.0}]


def test_one_that_does_not_fit_does_not_keep_the_others_out() -> None:
    talk = Talk()
    talk.say({"set": {"density": 3}}, {"set": {"lowest_pitch": 120}}, {"set": {"speed": 2}})
    assert (talk.desk.params.density, talk.desk.params.lowest_pitch, talk.desk.params.speed) == (3, 21, 2)
    assert talk.answers == ["lowest_pitch 120 is above highest_pitch 108; swap them"]
    talk.say({"set": {"lowest_pitch": 120, "highest_pitch": 125}})
    assert talk.desk.params.lowest_pitch == 120
    assert len(talk.answers) == 1


def test_settings_that_go_by_a_number_are_answered_by_it() -> None:
    talk = Talk()
    talk.say(*({"set": {"density": number}, "as": number} for number in (1, 2, 3)), {"set": {"speed": 2}})
    assert talk.numbers == [{"done": 3}]
    talk.say(
        {"set": {"density": 4}, "as": 4}, {"set": {"lowest_pitch": 120}, "as": 5}, {"set": {"speed": 3}, "as": 6}
    )
    talk.say({"set": {"densty": 4}, "as": 7}, {"learn": "densty"}, {"as": 8, "do": "panic"})
    assert talk.numbers[1:] == [{"done": 4}, {"refused": 5}, {"done": 6}, {"refused": 7}]
    assert len(talk.answers) == 3 and (talk.desk.params.density, talk.desk.params.speed) == (4, 3)


def test_what_was_set_before_an_action_is_in_force_before_it() -> None:
    talk = Talk()
    talk.desk.act = lambda name: talk.desk.asked.append(f"{name} in {talk.desk.params.mode}")  # type: ignore[method-assign]
    talk.say({"set": {"mode": "duet"}}, {"do": "turn"}, {"set": {"mode": "solo"}})
    assert talk.desk.asked == ["turn in duet"]
    assert talk.desk.params.mode == "solo"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("{", "not JSON"),
        ("[" * 15_000, "not JSON"),
        ("[]", "expected {"),
        ("{}", "expected {"),
        ('{"set": {}, "do": "panic"}', "expected parameters and values"),
        ('{"play": 1}', "expected {"),
        ('{"as": 1}', "expected {"),
        ('{"as": "1", "set": {"density": 1}}', "'1' is not a number"),
        ('{"ping": null}', "None is not a number"),
        ('{"ping": true}', "True is not a number"),
        ('{"ping": 1e400}', "inf is not a number"),
        ('{"learn": "densty"}', "did you mean 'density'"),
        ('{"learn": 3}', "no parameter or action 3"),
        ('{"unlearn": "CC 2"}', "no knob 'CC 2'"),
        ('{"unlearn": null}', "is not the name of a knob"),
        ('{"midi": 1}', "midi 1 is not a list"),
        ('{"midi": [[144, 60, 80], [144, 60]]}', "is not a message"),
        ('{"midi": [[144, 60, 128]]}', "is not a message"),
        ('{"midi": [[144, 60.5, 80]]}', "is not a message"),
        ('{"midi": [[60, 60, 60]]}', "is not a message"),
        ('{"midi": [[240, 1, 247]]}', "sysex is nothing that can be played"),
        ('{"midi": [[254]]}', "active_sensing is nothing that can be played"),
        ('{"midi": ' + str([[144, 60, 80]] * 65) + "}", "is not a list of up to 64"),
        ('{"set": null}', "expected parameters and values"),
        ('{"set": {"densty": 1}}', "did you mean 'density'"),
        ('{"do": "panik"}', "did you mean 'panic'"),
        ('{"do": ["panic"]}', "no action a list"),
        ('{"preset": "walz"}', "no preset 'walz'"),
        ('{"preset": 3}', "is not the name"),
    ],
)
def test_what_is_wrong_is_answered(message: str, why: str) -> None:
    talk = Talk()
    assert talk.say(message)
    assert len(talk.answers) == 1 and why in talk.answers[0]
    assert not talk.desk.sets and not talk.desk.asked and not talk.desk.keys


@settings(max_examples=300)
@given(
    st.lists(
        st.text()
        | st.fixed_dictionaries(
            {}, optional={**dict.fromkeys(COSTS, ANYTHING), "set": st.dictionaries(NAMES, ANYTHING)}
        ),
        max_size=5,
    )
)
def test_no_message_breaks_it(messages: list[object]) -> None:
    talk = Talk()
    assert talk.say(*messages)


def test_a_knob_swept_a_thousand_times_a_second_works_and_a_flood_ends_it() -> None:
    talk = Talk()
    for number in range(5000):
        talk.clock.advance(0.001)
        assert talk.say({"set": {"density": number / 500}})
    assert talk.desk.params.density == 4999 / 500
    taken = 0
    while talk.say("{}"):
        taken += 1
    assert taken <= BURST + 1


def test_actions_and_presets_count_for_more() -> None:
    for message, most in (
        ({"do": "panic"}, BURST / 20),
        ({"preset": "duet"}, BURST / 100),
        ({"learn": "density"}, BURST / 20),
    ):
        talk = Talk()
        while talk.say(message):
            assert len(talk.desk.asked) <= most
        assert len(talk.desk.asked) > most * 0.9


def test_what_a_page_holds_is_let_go_when_it_leaves() -> None:
    talk = Talk()
    talk.say({"midi": [[0x90, 60, 80], [0x90, 64, 80], [0xB0, 64, 127], [0xF8], [0xC0, 5, 0]]}, {"midi": []})
    talk.say({"midi": [[0x80, 60, 0]], "ping": 7})
    assert [one.bytes() for one in talk.desk.keys[:3]] == [[0x90, 60, 80], [0x90, 64, 80], [0xB0, 64, 127]]
    assert [one.type for one in talk.desk.keys[3:]] == ["clock", "program_change", "note_off"]
    assert talk.pongs == [{"pong": 7, "now": talk.desk.view.now()}]
    talk.desk.keys.clear()
    talk.caller.leave()
    assert [one.bytes() for one in talk.desk.keys] == [[0x80, 64, 0], [0xB0, 64, 0]]


def test_a_page_teaches() -> None:
    talk = Talk()
    talk.say({"learn": "density"}, {"learn": None}, {"learn": "panic"}, {"unlearn": "CC 1"})
    talk.say({"learn": {"to": "top_p", "encoder": "binary_offset"}})
    assert talk.desk.asked[:4] == ["learn density", "learn None", "learn panic", "unlearn CC 1"]
    assert talk.desk.asked[4:] == ["learn top_p binary_offset"]
    assert not talk.answers


class Box:
    """A socket's other end: what it was sent, and whether it was dropped. `lag`: bytes that are not yet sent."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.lag, self.dropped = 0, False
        self.listener = Listener(lambda data: self.said.append(_unframed(data)), lambda: self.lag, self._drop)

    def _drop(self) -> None:
        self.dropped = True

    def take(self) -> dict[str, Any]:
        """All that has come, later ones over earlier ones."""
        said, self.said = self.said, []
        return {key: value for one in said for key, value in one.items()}


def _unframed(data: bytes) -> dict[str, Any]:
    """The JSON of a WebSocket's frame: one, final, text, not masked."""
    size, begin = data[1], 2
    if size > 125:
        begin = 4 if size == 126 else 10
        size = int.from_bytes(data[2:begin], "big")
    assert data[0] == 0x81 and len(data) == begin + size
    found: dict[str, Any] = json.loads(data[begin:])
    return found


@pytest.mark.parametrize("size", [0, 117, 118, 65527, 65528, 200_000])
def test_a_frame_says_how_long_it_is(size: int) -> None:
    assert _unframed(frame({"log": "x" * size})) == {"log": "x" * size}


def test_a_reader_who_takes_nothing_is_dropped() -> None:
    box = Box()
    for second in range(10):
        box.lag = 100 * (second % 3)  # now and then he is behind, and catches up
        box.listener.post(frame({}), second)
    assert not box.dropped and len(box.said) == 10
    box.lag = 100
    for tenth in range(100, 100 + int(10 * live.SLOW_S) + 1):
        box.listener.post(frame({}), tenth / 10)
        assert not box.dropped
    box.listener.post(frame({}), tenth / 10 + 0.1)
    assert box.dropped


def test_a_reader_who_lags_too_much_is_dropped() -> None:
    box = Box()
    box.lag = live.LAG_BYTES + 1
    box.listener.post(frame({}), 0)
    assert box.dropped and not box.said


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _watch(watching: Callable[[Hub, FakeDesk, FakeClock, list[Box]], Awaitable[None]]) -> None:
    """Run something with a hub and two listeners who have been told the beginning."""
    desk, clock, boxes = FakeDesk(), FakeClock(), [Box(), Box()]

    async def run() -> None:
        hub = Hub(desk, clock.now, lambda error: pytest.fail(str(error)))
        for box in boxes:
            hub.join(box.listener)
        await watching(hub, desk, clock, boxes)
        for box in boxes:
            hub.leave(box.listener)
        await _turns()
        assert asyncio.all_tasks() == {asyncio.current_task()}  # nobody looks when nobody listens

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "LOOK_S", 0)
        asyncio.run(run())


def test_all_are_told_how_it_is_and_what_changes() -> None:
    async def watching(hub: Hub, desk: FakeDesk, clock: FakeClock, boxes: list[Box]) -> None:
        assert list(boxes[0].said[0]) == ["hello"]
        begin = {"hello", "status", "log", "now", "learning"}
        begin |= {"params", "state", "beat", "map", "plan", "recordings", "take", "past"}
        assert [set(box.take()) for box in boxes] == [begin] * 2
        await _turns()
        assert [box.said for box in boxes] == [[], []]

        async def told() -> dict[str, Any]:
            await _turns()
            assert len(boxes[0].said) == 1 and boxes[0].said == boxes[1].said
            return [box.take() for box in boxes][0]

        desk.set({"density": 7})
        assert await told() == {"params": {**vars(Params()), "density": 7}}
        desk.view.turn = {"turn": "human"}
        assert await told() == {"state": {"turn": "human"}}
        desk.view.files = 1
        assert await told() == {"recordings": True}
        desk.view.taking = 1000.25
        assert await told() == {"take": 1000.25}
        desk.view.taking = None
        assert await told() == {"take": None}
        desk.view.taught = {"learning": "density"}
        assert await told() == {"learning": "density"}
        desk.view.last_beat = {"number": 3, "at": 1000.25, "bpm": 120.0}
        assert await told() == {"beat": {"number": 3, "at": 1000.25, "bpm": 120.0}}
        desk.view.last_beat = {"number": 3, "at": 1000.26, "bpm": 120.1}  # the same beat is told once
        await _turns()
        assert boxes[0].said == []
        desk.view.last_beat = None
        assert await told() == {"beat": None}
        desk.view.log.add((1.23456, "info", "it plays"))
        assert await told() == {"log": [[1.235, "info", "it plays"]]}
        desk.view.map = ControlMap((Entry("cc", 20, "density"), Entry("cc", 21, "turn")))
        knob = {"name": "CC 20", "to": "density", "cc": 20, "range": [0, 32]}
        assert await told() == {"map": [knob, {"name": "CC 21", "to": "turn", "cc": 21}]}
        clock.advance(live.STATUS_S)
        await _turns()
        assert [list(box.take()) for box in boxes] == [["status"]] * 2

    _watch(watching)


def test_what_was_learned_before_is_no_news_to_who_comes() -> None:
    async def watching(hub: Hub, desk: FakeDesk, clock: FakeClock, boxes: list[Box]) -> None:
        boxes[0].take()
        learned = {"learned": {"name": "CC 20", "to": "density"}, "written": None}
        desk.view.taught = {"learning": "speed", **learned}
        await _turns()
        assert boxes[0].take() == {"learning": "speed", **learned}
        late = Box()
        hub.join(late.listener)
        said = late.take()
        assert said["learning"] == "speed" and not said.keys() & learned.keys()
        hub.leave(late.listener)

    _watch(watching)


def test_all_are_told_what_is_played_once_and_in_order() -> None:
    def play(view: FakeView, who: str, *data: int) -> None:
        view.clock.advance(0.25)
        view.played.add((view.now(), who, mido.Message.from_bytes(data)))

    async def watching(hub: Hub, desk: FakeDesk, clock: FakeClock, boxes: list[Box]) -> None:
        boxes[0].take()
        play(desk.view, "human", 0x90, 60, 80)
        play(desk.view, "human", 0xB0, 64, 127)
        play(desk.view, "human", 0xB0, 1, 64)  # a knob
        play(desk.view, "machine", 0x91, 64, 70)
        play(desk.view, "machine", 0x81, 64, 70)
        play(desk.view, "human", 0x90, 60, 0)
        await _turns()
        notes = [
            [1000.75, "human", 1, 60, 80],
            [1001.5, "machine", 2, 64, 70],
            [1001.75, "machine", 2, 64, 0],
            [1002.0, "human", 1, 60, 0],
        ]
        assert boxes[0].said == [{"notes": notes, "pedal": [[1001.0, 127]], "now": 1002.0}]
        late = Box()
        hub.join(late.listener)
        play(desk.view, "machine", 0x91, 65, 70)
        await _turns()
        assert late.take()["notes"] == boxes[0].said[1]["notes"] == [[1002.25, "machine", 2, 65, 70]]
        hub.leave(late.listener)

    _watch(watching)


def test_who_comes_is_told_what_was_played_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PAST_S", 10.0)

    def play(view: FakeView, seconds: float, who: str, *data: int) -> None:
        view.clock.advance(seconds)
        view.played.add((view.now(), who, mido.Message.from_bytes(data)))

    def joined(hub: Hub) -> dict[str, Any]:
        late = Box()
        hub.join(late.listener)
        hub.leave(late.listener)
        said: dict[str, Any] = late.take()["past"]
        return said

    async def watching(hub: Hub, desk: FakeDesk, clock: FakeClock, boxes: list[Box]) -> None:
        view = desk.view
        assert boxes[0].take()["past"] == {"since": 990.5, "notes": [], "pedal": 0}
        play(view, 0, "human", 0x90, 60, 80)  # held ever since
        play(view, 0, "human", 0x90, 62, 80)  # let go before the time
        play(view, 0, "machine", 0x90, 64, 80)  # let go in it
        play(view, 0.5, "human", 0xB0, 64, 127)
        play(view, 0.5, "human", 0x80, 62, 0)
        play(view, 8.0, "machine", 0x80, 64, 0)
        play(view, 0, "human", 0xB0, 1, 9)
        await _turns()
        view.clock.advance(4.0)
        sounding = [[1000.5, "human", 1, 60, 80], [1000.5, "machine", 1, 64, 80]]
        recent = [[1009.5, "machine", 1, 64, 0]]
        assert joined(hub) == {"since": 1003.5, "notes": [*sounding, *recent], "pedal": 127}
        play(view, 0, "human", 0x90, 65, 80)  # the others have not been told yet: he will be with them
        assert joined(hub) == {"since": 1003.5, "notes": [*sounding, *recent], "pedal": 127}
        await _turns()
        play(view, 1.0, "human", 0x90, 60, 0)
        play(view, 0, "human", 0xB0, 64, 0)
        await _turns()
        monkeypatch.setattr(telling, "PAST", 1)  # rows: further back there is only what sounds still
        rest = [[1013.5, "human", 1, 65, 80], [1014.5, "human", 1, 60, 0]]
        assert joined(hub) == {"since": 1014.5, "notes": [sounding[0], *rest], "pedal": 0}

    _watch(watching)


def test_a_key_that_is_a_knob_is_no_note() -> None:
    async def watching(hub: Hub, desk: FakeDesk, clock: FakeClock, boxes: list[Box]) -> None:
        desk.view.map = ControlMap((Entry("note", 36, "turn"),))
        boxes[0].take()
        for who in ("human", "machine"):
            desk.view.played.add((0.0, who, on(36, 9)))
        await _turns()
        assert boxes[0].take()["notes"] == [[0.0, "machine", 1, 36, 9]]

    _watch(watching)


def test_the_plan_is_told_when_it_has_changed_and_not_too_often() -> None:
    async def watching(hub: Hub, desk: FakeDesk, clock: FakeClock, boxes: list[Box]) -> None:
        boxes[0].take()
        clock.advance(live.PLAN_S)
        for pitch in (60, 61, 62):
            desk.view.notes = [(1001.0, pitch, 80, None)]
            await _turns()
        assert boxes[0].said == [{"plan": [[1001.0, 60, 80, None]], "now": 1000.5}]
        clock.advance(live.PLAN_S)
        await _turns()
        assert boxes[0].said[1:] == [{"plan": [[1001.0, 62, 80, None]], "now": 1000.5}]
        desk.view.notes = []
        clock.advance(live.PLAN_S)
        await _turns()
        assert boxes[0].said[2:] == [{"plan": [], "now": 1000.5}]

    _watch(watching)


def test_a_desk_that_breaks_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0)
    desk, clock = FakeDesk(), FakeClock()
    failures: list[Exception] = []
    box = Box()

    async def run() -> None:
        hub = Hub(desk, clock.now, failures.append)
        hub.join(box.listener)
        await asyncio.sleep(0)
        desk.status = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
        clock.advance(live.STATUS_S)
        await _turns()

    asyncio.run(run())
    assert [type(one) for one in failures] == [ZeroDivisionError]
    assert box.dropped  # who is told nothing any more shall know it
