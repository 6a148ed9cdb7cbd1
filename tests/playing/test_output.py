"""The output in virtual time: in order, at its time, and nothing left sounding."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.playing.output import Output, Play, Release, Thru, _Stop
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, PEDAL, Owner
from tests.fakes import FakeClock, FakePort
from tests.messages import bend, control, off, on


class Stage:
    """An output with its port, in time that runs from 0."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now()
        self.port = FakePort(self.clock)
        self.told: list[tuple[float, Owner, mido.Message]] = []
        self.output = Output(self.port.send, self.clock, lambda *row: self.told.append(row))

    def play(self, at: float, message: mido.Message, until: float = 1000.0) -> None:
        self.output.put(Play(self.start + at, message, self.start + until))

    def run(self, until: float) -> None:
        """Let time pass, as the thread does."""
        end = self.start + until
        while True:
            item = self.clock.wait(self.output.inbox, min(self.output.next_deadline, end))
            self.output.work(item)
            if item is None and self.clock.now() >= end:
                return

    @property
    def sent(self) -> list[tuple[float, mido.Message]]:
        """(s, message) of what was sent."""
        return [(time - self.start, message) for time, message in self.port.sent]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_notes_leave_at_their_time_in_order_of_deadline(stage: Stage) -> None:
    stage.play(2.0, on(62))
    stage.play(1.0, on(60))
    stage.play(1.5, off(60))
    stage.run(0.5)
    assert stage.sent == []
    stage.run(3.0)
    assert stage.sent == [(1.0, on(60)), (1.5, off(60)), (2.0, on(62))]


def test_at_one_time_the_order_is_that_of_giving(stage: Stage) -> None:
    messages = [on(60), on(72), on(48), off(72)]
    for message in messages:
        stage.play(1.0, message)
    stage.run(1.0)
    assert stage.sent == [(1.0, message) for message in messages]


def test_what_comes_late_is_sent_at_once_and_counted(stage: Stage) -> None:
    stage.clock.advance(1.0)
    stage.play(0.75, on(60))
    stage.play(1.0, on(62))
    stage.run(1.0)
    assert stage.sent == [(1.0, on(60)), (1.0, on(62))]
    assert list(stage.output.lateness.recent) == [0.25, 0.0]
    assert stage.output.lateness.count == 2


def test_the_human_is_passed_on_now(stage: Stage) -> None:
    stage.play(1.0, on(72))
    stage.output.put(Thru(on(60)))
    stage.output.put(Thru(bend(5)))
    stage.output.put(Thru(on(60, velocity=0)))
    stage.run(0.5)
    assert stage.sent == [(0.0, on(60)), (0.0, bend(5)), (0.0, off(60))]


def test_release_drops_what_waits_and_ends_what_sounds(stage: Stage) -> None:
    stage.play(0.0, on(72))
    stage.play(1.0, on(74))
    stage.output.put(Thru(on(60)))
    stage.run(0.5)
    stage.output.put(Release(Owner.MACHINE))
    stage.run(2.0)
    assert stage.sent[2:] == [(0.5, off(72))]
    assert stage.port.sounding == {(0, 60)}


def test_releasing_the_human_leaves_the_machine_playing(stage: Stage) -> None:
    stage.output.put(Thru(on(60)))
    stage.output.put(Thru(control(PEDAL, 127)))
    stage.play(1.0, on(72))
    stage.output.put(Release(Owner.HUMAN))
    stage.run(2.0)
    assert stage.sent[2:] == [(0.0, off(60)), (0.0, control(PEDAL, 0)), (1.0, on(72))]


@pytest.mark.parametrize("number", [ALL_SOUND_OFF, ALL_NOTES_OFF])
def test_all_notes_off_ends_the_human_s_notes_and_passes(stage: Stage, number: int) -> None:
    stage.output.put(Thru(on(60)))
    stage.output.put(Thru(control(number, 0)))
    stage.run(0.0)
    assert [message for _, message in stage.sent] == [on(60), off(60), control(number, 0)]


def test_a_note_that_nobody_ends_is_ended_and_its_late_end_not_sent(stage: Stage) -> None:
    stage.play(0.0, on(60), until=5.0)
    stage.run(4.5)
    stage.play(6.0, off(60))
    stage.run(7.0)
    assert stage.sent == [(0.0, on(60)), (5.0, off(60))]


def test_stop_ends_everything_and_sends_nothing_that_waits(stage: Stage) -> None:
    stage.play(0.0, on(72))
    stage.play(1.0, on(74))
    stage.output.put(Thru(on(60)))
    stage.output.put(Thru(control(PEDAL, 127)))
    stage.run(0.5)
    assert stage.output.work(_Stop()) is False
    stage.run(2.0)
    assert sorted(message.hex() for _, message in stage.sent[3:]) == sorted(
        message.hex() for message in (off(72), off(60), control(PEDAL, 0))
    )
    assert not stage.port.sounding


def test_the_thread_ends_when_stopped_with_nothing_sounding(stage: Stage) -> None:
    stage.play(0.0, on(72))
    stage.output.put(Thru(on(60)))
    stage.output.start()
    assert stage.output.stop()
    assert stage.output.failure is None
    assert {message.note for _, message in stage.sent} == {60, 72}
    assert not stage.port.sounding


def test_a_port_that_is_gone_ends_the_thread_and_is_kept() -> None:
    def gone(message: mido.Message) -> None:
        raise OSError("unplugged")

    output = Output(gone, FakeClock())
    output.put(Thru(on(60)))
    output.start()
    assert output.stop()
    assert str(output.failure) == "unplugged"


def test_the_recorder_is_told_what_the_machine_played(stage: Stage) -> None:
    stage.output.put(Thru(on(60)))
    stage.play(1.0, on(72))
    stage.play(2.0, off(72))
    stage.play(3.0, on(74))
    stage.play(3.0, on(76), until=4.0)
    stage.run(4.5)
    stage.output.work(_Stop())
    assert {owner for _, owner, _ in stage.told} == {Owner.MACHINE}
    assert [(time - stage.start, message) for time, _, message in stage.told] == [
        (1.0, on(72)),
        (2.0, off(72)),
        (3.0, on(74)),
        (3.0, on(76)),
        (4.0, off(76)),
        (4.5, off(74)),
    ]


pitches = st.integers(60, 62)
messages = st.one_of(st.builds(on, pitches, st.integers(0, 127)), st.builds(off, pitches))
deeds = st.lists(
    st.one_of(
        st.tuples(st.just("play"), messages, st.sampled_from([-0.1, 0.0, 0.0, 0.5, 1.0])),
        st.tuples(st.just("thru"), messages, st.none()),
        st.tuples(st.just("release"), st.sampled_from(Owner), st.none()),
        st.tuples(st.just("pass"), st.none(), st.sampled_from([0.1, 0.5, 2.0])),
    ),
    max_size=30,
)


@given(deeds)
def test_whatever_is_asked_for_notes_are_paired(script: list[tuple[str, mido.Message, float]]) -> None:
    stage, now = Stage(), 0.0
    for what, thing, seconds in script:
        if what == "play" and (thing.type == "note_off" or thing.velocity):
            stage.play(now + seconds, thing, until=now + seconds + 1.0)
        elif what == "thru":
            stage.output.put(Thru(thing))
        elif what == "release":
            stage.output.put(Release(thing))
        elif what == "pass":
            now += seconds
        stage.run(now)
        _ = stage.port.sounding  # raises for an orphan and for a doubled note
    stage.output.put(Release(Owner.HUMAN))
    stage.run(now + 3.0)
    assert not stage.port.sounding


def test_another_that_takes_its_place_ends_its_notes_and_it_sends_no_more(stage: Stage) -> None:
    stage.play(1.0, on(60))
    stage.output.put(Thru(on(64)))
    stage.play(5.0, on(67))
    stage.run(2.0)
    old = stage.output
    stage.output = Output(stage.port.send, stage.clock, before=old)
    stage.run(2.5)
    assert sorted(message.note for _, message in stage.sent[2:]) == [60, 64] and not stage.port.sounding
    assert stage.output.lateness is old.lateness
    stage.clock.advance(10.0)
    old.work(None)
    assert len(stage.sent) == 4
    stage.play(20.0, on(60))
    stage.run(20.0)
    assert stage.sent[-1] == (20.0, on(60))
