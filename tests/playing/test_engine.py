"""The engine in virtual time: a performer kept in step with the clock, and what becomes of a musician's input."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import mido
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from liveperf.events import OORE, Event, EventType
from liveperf.generator import Generator
from liveperf.mapping.controls import Action, ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.params import MODES, Params
from liveperf.performer import MachineNote, Performer
from liveperf.playing.engine import LEAD_S, LEDGER_S, Engine
from liveperf.playing.items import Change, Do, Received, Set
from liveperf.playing.output import Output, Release, Thru, _Stop
from liveperf.state import FAR
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, PEDAL, Owner
from tests.dice import Dice, dice_bundle
from tests.fakes import FakeClock, FakePort
from tests.jack import until
from tests.maps import maps, messages_of
from tests.messages import bend, control, off, on, program
from tests.test_performer import check_stream

RATE = OORE.steps_per_second
STEP_S = 1 / RATE


class Score:
    """A performer that plays what is written, and remembers what it was told."""

    def __init__(self, *notes: MachineNote) -> None:
        self.params = Params()
        self.generator = SimpleNamespace(vocabulary=OORE)
        self.beats: Any = None
        self.notes = list(notes)
        self.now = 0
        self.told: list[tuple[Any, ...]] = []
        self.fails_at: int | None = None

    @property
    def next_due(self) -> int:
        return max(self.notes[0].step, self.now + 1) if self.notes else FAR

    def run_until(self, step: int) -> list[MachineNote]:
        if self.fails_at is not None and step >= self.fails_at:
            raise RuntimeError("a broken string")
        self.now = step
        due = [note for note in self.notes if note.step <= step]
        self.notes = self.notes[len(due) :]
        return due

    def plan_ahead(self) -> bool:
        return False

    def rehearse(self, events: int) -> bool:
        return False

    def note_on(self, pitch: int, velocity: int) -> None:
        self.told.append(("on", pitch, velocity, self.now))

    def note_off(self, pitch: int) -> None:
        self.told.append(("off", pitch, self.now))

    def pedal(self, value: int) -> None:
        self.told.append(("pedal", value))

    def set_params(self, params: Params) -> None:
        self.params = params

    def release(self) -> None:
        self.told.append(("release",))

    def begin(self) -> None:
        self.told.append(("begin",))

    def panic(self) -> None:
        self.told.append(("panic",))

    def turn(self) -> None:
        self.told.append(("turn",))

    def halt(self, halted: bool) -> None:
        self.told.append(("halt", halted))

    def set_tempo(self, ratio: float) -> None:
        self.tempo = ratio

    halted = False


class CountingDice:
    """A network that counts its steps."""

    def __init__(self, dice: Dice) -> None:
        self.dice, self.steps = dice, 0

    def step(self, *arguments: Any) -> Any:
        self.steps += 1
        return self.dice.step(*arguments)

    def run(self, *arguments: Any) -> Any:
        self.steps += len(arguments[0])
        return self.dice.run(*arguments)


class Band:
    """An engine, its output and a port; time runs from 0."""

    def __init__(self, performer: Score | Performer, **options: Any) -> None:
        self.clock = FakeClock()
        self.start = self.clock.now()
        self.port = FakePort(self.clock)
        self.output = Output(self.port.send, self.clock)
        self.engine = Engine(cast(Performer, performer), self.output, self.clock, **options)

    def hear(self, *messages: mido.Message, ago: float = 0.0) -> None:
        for message in messages:
            self.engine.put(Received(self.clock.now() - ago, message))

    def run(self, seconds: float) -> None:
        """Let time pass, as the two threads do."""
        end = self.clock.now() + seconds
        while True:
            while not self.engine.inbox.empty():
                self.engine.take(self.engine.inbox.get())
            until = self.engine.work()
            self.flush()
            if self.clock.now() >= end and until > end:
                return
            soonest = min(until, self.output.next_deadline, end)
            self.clock.time = max(self.clock.time, soonest)

    def flush(self) -> None:
        """Let the output take in what it was given, and send what is due."""
        while not self.output.inbox.empty():
            self.output.work(self.output.inbox.get())
        self.output.work(None)

    @property
    def sent(self) -> list[tuple[Any, mido.Message]]:
        """(s, message) of what was sent."""
        return [(pytest.approx(time - self.start, abs=1e-6), message) for time, message in self.port.sent]


def knobs(names: dict[int, str]) -> ControlMap:
    return ControlMap(tuple(Entry("cc", number, name) for number, name in names.items()))


def test_a_note_sounds_at_its_step_on_its_channel() -> None:
    band = Band(Score(MachineNote(125, 60, 80), MachineNote(250, 60, 0)), channel=3)
    band.run(3.0)
    assert band.sent == [(1.0, on(60, 80, channel=2)), (2.0, off(60, channel=2))]
    assert band.engine.counts.notes_out == 1
    assert max(band.output.lateness.recent) < 1e-9


def test_a_step_is_closed_shortly_before_its_time() -> None:
    score = Score(MachineNote(125, 60, 80))
    band = Band(score)
    assert band.engine.work() == pytest.approx(band.start + 1.0 - LEAD_S)
    band.run(1.0 - 2 * LEAD_S)
    assert score.notes


def test_where_a_step_takes_long_to_close_it_is_begun_sooner_for_a_while() -> None:
    score = Score(*(MachineNote(125 * number, 60, 80 * (number % 2)) for number in range(1, 9)))
    band, run, takes = Band(score), score.run_until, [0.013, 0.013, 0.013, 0.100, 0.013, 0.013, 0.013, 0.013]

    def slow(step: int) -> list[MachineNote]:
        due = run(step)
        for _ in due:
            band.clock.advance(takes.pop(0))
        return due

    score.run_until = slow  # type: ignore[method-assign]
    band.run(8.5)
    late = [pytest.approx(seconds, abs=1e-6) for seconds in (0.008, 0, 0, 0.087, 0, 0, 0, 0)]
    assert list(band.output.lateness.recent) == late
    score.run_until = run  # type: ignore[method-assign]
    score.notes = [MachineNote(step, 60, 0) for step in range(score.now + 1, score.now + 1001)]
    band.run(9.0)
    score.notes = [MachineNote(score.now + 250, 60, 80)]
    due = band.engine.timeline.time_of(score.now + 250)
    assert band.engine.work() == pytest.approx(due - LEAD_S)


def test_the_ledger_outlasts_the_longest_note() -> None:
    score = Score(MachineNote(125, 60, 80))
    score.params = Params(note_limit_s=2.0)
    band = Band(score)
    band.run(10.0)
    assert band.sent == [(1.0, on(60, 80)), (4.0, off(60))]


def test_what_is_a_little_late_is_sent_and_time_goes_on() -> None:
    band = Band(Score(MachineNote(125, 60, 80), MachineNote(130, 62, 80)))
    band.run(0.9)
    band.clock.advance(0.13)  # the engine was held up: 30 ms late
    band.run(1.0)
    assert band.sent == [(1.03, on(60, 80)), (1.04, on(62, 80))]
    assert band.engine.counts.delays == 0
    assert list(band.output.lateness.recent) == [pytest.approx(0.03), pytest.approx(0.0, abs=1e-6)]


def test_what_is_very_late_moves_the_timeline_and_nothing_is_bunched_up_or_dropped() -> None:
    notes = [MachineNote(125 + 10 * i, 60 + i, 80) for i in range(5)]
    band = Band(Score(*notes))
    band.run(0.9)
    band.clock.advance(0.6)
    band.run(2.0)
    assert band.sent == [(1.5 + 10 * i * STEP_S, on(60 + i, 80)) for i in range(5)]
    assert band.engine.counts.delays == 1


def test_silence_is_not_lateness() -> None:
    band = Band(Score(MachineNote(100_000, 60, 80)))
    for _ in range(3):
        band.clock.advance(100.0)
        band.run(0.0)
    assert band.engine.counts.delays == 0


def test_keys_reach_the_performer_at_the_step_of_their_arrival() -> None:
    score = Score()
    band = Band(score)
    band.clock.advance(2.0)
    band.hear(on(60, 90), ago=1.0)
    band.hear(on(60, velocity=0), off(64), ago=0.6)
    band.run(0.0)
    assert score.told == [("on", 60, 90, 125), ("off", 60, 175), ("off", 64, 175)]
    assert band.engine.counts.notes_in == 1


def test_pedal_and_panic() -> None:
    score = Score()
    band = Band(score)
    band.hear(control(PEDAL, 100), control(ALL_NOTES_OFF, 0), control(ALL_SOUND_OFF, 0), control(7, 100))
    band.hear(bend(1))
    band.run(0.0)
    assert score.told == [("pedal", 100), ("panic",), ("panic",)]


def test_a_knob_turns_its_parameter() -> None:
    score = Score()
    band = Band(score, controls=knobs({74: "temperature", 20: "mode"}))
    band.hear(control(74, 127), control(20, 64), control(21, 127))
    band.run(0.0)
    assert score.params == Params(temperature=2.0, mode="solo")


def test_a_knob_that_does_not_fit_the_rest_stays_put() -> None:
    score = Score()
    score.params = Params(highest_pitch=60)
    band = Band(score, controls=knobs({20: "lowest_pitch"}))
    band.hear(control(20, 127))
    band.run(0.0)
    assert score.params == Params(highest_pitch=60)
    band.hear(control(20, 50))
    band.run(0.0)
    assert score.params == Params(highest_pitch=60, lowest_pitch=50)


def test_what_has_piled_up_of_a_knob_is_obeyed_once_and_before_the_key_that_follows() -> None:
    class Counting(Score):
        def set_params(self, params: Params) -> None:
            super().set_params(params)
            self.told.append(("params", params.split, round(params.temperature, 1)))

    band = Band(score := Counting(), controls=knobs({20: "split", 21: "temperature"}))
    band.hear(
        *(control(20, value) for value in range(61)), on(60), control(20, 40), control(21, 0), control(21, 127)
    )
    band.run(0.0)
    assert score.told == [("params", 60, 1.0), ("on", 60, 64, 0), ("params", 40, 1.0), ("params", 40, 2.0)]


def test_switches_panic_hand_over_the_turn_and_ask_for_presets() -> None:
    score, asked = Score(), list[Any]()
    controls = ControlMap(
        (
            Entry("cc", 20, "panic"),
            Entry("note", 24, "turn"),
            Entry("program_change", None, "preset"),
            Entry("cc", 21, "next_preset"),
        )
    )
    band = Band(score, controls=controls, tell=asked.append)
    band.hear(on(24), off(24), control(20, 127), control(20, 0), control(21, 127))
    band.hear(program(3))
    band.run(0.0)
    assert score.told == [("turn",), ("panic",)]
    assert asked == [Action("next_preset"), Action("preset", 3)]
    assert band.engine.counts.notes_in == 0


def test_the_controller_is_shown_what_others_change() -> None:
    shown: list[mido.Message] = []
    score = Score()
    band = Band(score, controls=knobs({20: "temperature", 21: "polyphony"}))
    band.output._show = shown.append
    band.hear(control(20, 127))
    band.run(0.0)
    assert shown == []  # the hand that moved it knows
    band.engine.put(Change(Params(temperature=0.1, polyphony=128)))
    band.run(0.0)
    assert shown == [control(20, 0), control(21, 127)]


def clock_ticks(band: Band, bpm: float, beats: float) -> None:
    """A MIDI clock runs, and the instrument with it."""
    for _ in range(round(beats * 24)):
        band.hear(mido.Message("clock"))
        band.run(60 / bpm / 24)


def test_a_clock_makes_the_music_run_at_its_tempo() -> None:
    said: list[Any] = []
    performer = dice("solo", note_limit_s=1.0)
    band = Band(performer, tell=said.append)
    clock_ticks(band, 60, 4)
    before, at = performer.now, band.clock.now()
    clock_ticks(band, 60, 8)
    assert (performer.now - before) / (band.clock.now() - at) == pytest.approx(RATE / 2, rel=0.02)
    assert said == [f"following a MIDI clock at {60:.1f} bpm"]
    clock_ticks(band, 90, 4)
    before, at = performer.now, band.clock.now()
    clock_ticks(band, 90, 8)
    assert (performer.now - before) / (band.clock.now() - at) == pytest.approx(RATE * 0.75, rel=0.02)
    band.run(2.0)  # no ticks any more
    assert "lost; carrying on at 90" in said[-1]
    before, at = performer.now, band.clock.now()
    band.run(4.0)
    assert (performer.now - before) / (band.clock.now() - at) == pytest.approx(RATE * 0.75, rel=0.02)
    assert band.engine.counts.delays == 0
    assert max(band.output.lateness.recent) < LEAD_S  # where the tempo changes, a step may come sooner than it was


@pytest.mark.parametrize("bpm", [40, 120, 280])
def test_what_the_network_has_heard_is_what_the_audience_has_at_any_tempo(bpm: float) -> None:
    performer = dice("solo", note_limit_s=2.0)
    cast(Dice, performer.generator.bundle.network).liveliness = 0.5  # it lets few notes go
    band = Band(performer)
    clock_ticks(band, 120, 4)
    clock_ticks(band, bpm, 12 * bpm / 60)
    begun: dict[int, float] = {}
    lasted = []  # 3 s for each that the ledger had to end
    for at, message in band.port.sent:
        if message.type == "note_on":
            begun[message.note] = at
        else:
            lasted.append(at - begun.pop(message.note))
    assert max(lasted[len(lasted) // 3 :]) == pytest.approx(2.0, abs=0.1)


def test_the_transport_starts_and_stops_the_music() -> None:
    performer = dice("solo")
    band = Band(performer)
    clock_ticks(band, 120, 2)
    band.hear(mido.Message("stop"))
    band.run(0.1)
    assert not band.port.sounding and not performer.plays
    sent = len(band.port.sent)
    clock_ticks(band, 120, 8)
    assert len(band.port.sent) == sent
    band.hear(mido.Message("start"))
    clock_ticks(band, 120, 8)
    assert len(band.port.sent) > sent and performer.plays


def test_a_sequencer_that_stops_and_quits_does_not_take_the_music_with_it() -> None:
    said: list[Any] = []
    band = Band(dice("solo"), tell=said.append)
    clock_ticks(band, 120, 8)
    band.hear(mido.Message("stop"))
    band.run(1.0)
    assert said[-1] == "the MIDI clock is lost; silent, as it was stopped, until Start, the turn or another mode"
    asks: tuple[Any, ...] = (
        Do(Action("turn")),
        Received(band.clock.now(), mido.Message("start")),  # no ticks come with it
        Change(Params(mode="answer", idle_start_s=0.5)),
    )
    for ask in asks:
        sent = len(band.port.sent)
        band.run(5.0)
        assert len(band.port.sent) == sent
        band.engine.put(replace(ask, at=band.clock.now()) if isinstance(ask, Received) else ask)
        band.run(2.0)
        assert len(band.port.sent) > sent
        band.hear(mido.Message("stop"))
        band.run(0.1)


def test_an_answer_begins_on_the_beat_of_the_clock() -> None:
    performer = dice("answer", turn_gap_s=0.3, idle_start_s=0.0)
    band = Band(performer)
    band.hear(mido.Message("start"))
    first = band.clock.now()
    clock_ticks(band, 100, 8.25)
    band.hear(on(60))
    clock_ticks(band, 100, 0.5)
    band.hear(off(60))
    clock_ticks(band, 100, 8)
    begin = band.port.sent[0][0]
    beats = (begin - first) / 0.6
    assert abs(beats - round(beats)) * 0.6 < 0.012  # within a step and the clock's own ticks
    assert beats > 8.75 + 0.5


def test_a_speed_changes_without_a_jump() -> None:
    performer = dice("solo")
    band = Band(performer)
    band.run(2.0)
    for speed in (2.0, 0.25, 4.0, 1.0):
        before = performer.now
        band.engine.put(Change(performer.params.replace(speed=speed)))
        band.run(0.0)
        assert performer.now - before <= 1
        at, before = band.clock.now(), performer.now
        band.run(4.0)
        assert (performer.now - before) / (band.clock.now() - at) == pytest.approx(RATE * speed, rel=0.01)
    assert band.engine.counts.delays == 0


def test_a_swept_knob_neither_starves_nor_delays_the_output() -> None:
    swept, still = (Band(dice("solo", density=4.0), controls=knobs({1: "density"})) for _ in range(2))
    for i in range(3000):
        swept.hear(control(1, (i * 7) % 128))
        swept.run(0.001)
    still.run(3.0)
    swept.hear(control(1, 64))
    swept.run(2.0)
    assert swept.engine.counts.notes_out > still.engine.counts.notes_out / 4
    assert max(swept.output.lateness.recent) < 1e-6
    assert swept.engine.counts.delays == 0


def test_a_swept_knob_costs_little_planning_and_is_obeyed_at_once() -> None:
    bundle, dice = dice_bundle()
    counted = CountingDice(dice)
    performer = Performer(Generator(replace(bundle, network=cast(Any, counted))), Params(mode="solo"), 1)
    band = Band(performer, controls=knobs({20: "temperature", 21: "highest_pitch"}))
    steps = []
    for swept in (False, True):
        before = counted.steps
        for number in range(2_000):
            if swept:
                band.hear(control(20, 48 + number % 32))
            band.run(0.001)
        steps.append(counted.steps - before)
    assert steps[1] < 0.5 * 2_000  # of which each would else have cost a plan of a dozen
    for low in (60, 80, 100):
        band.hear(control(21, low))
        seen = len(band.port.sent)
        band.run(2.0)
        onsets = [message for _, message in band.port.sent[seen:] if message.type == "note_on"]
        assert onsets and all(message.note <= low for message in onsets)


def test_another_model_and_other_knobs_take_over_while_it_plays() -> None:
    performer = dice("solo")
    band = Band(performer, controls=knobs({1: "density"}))
    band.run(2.0)
    sent = len(band.port.sent)
    generator = Generator(dice_bundle(liveliness=2.0)[0])
    band.engine.put(Change(performer.params.replace(temperature=0.5), knobs({2: "temperature"}), generator))
    band.run(3.0)
    assert performer.generator is generator and performer.params.temperature == 0.5
    assert band.engine.controls.entries[0].to == "temperature"
    assert len(band.port.sent) > sent


def test_a_model_that_takes_over_has_heard_all_and_held_nothing_up() -> None:
    performer = dice("solo", density=8.0)
    band = Band(performer)
    band.run(20.0)
    bundle, network = dice_bundle()
    counted = CountingDice(network)
    band.engine.put(Change(generator=Generator(replace(bundle, network=cast(Any, counted)))))
    steps = []

    def watched(call: Any, *arguments: Any) -> Any:
        before = counted.steps
        result = call(*arguments)
        steps.append(counted.steps - before)
        return result

    for method in ("take", "work"):
        setattr(band.engine, method, partial(watched, getattr(band.engine, method)))
    was = performer.generator
    band.run(0.0)
    assert performer.generator is not was
    state = performer.plan.committed
    assert max(steps) < 20 and sum(steps) > 200  # it would else be twenty milliseconds at once
    assert [OORE.index(event) for event in network.history(state)] == list(state.trail)
    band.run(5.0)
    history = [OORE.index(event) for event in network.history(performer.plan.committed)]
    assert history[-256:] == list(performer.plan.committed.trail)


def test_parameters_are_swapped_whole() -> None:
    score = Score()
    band = Band(score)
    band.engine.put(Change(Params(density=4)))
    band.run(0.0)
    assert score.params == Params(density=4)


def test_the_thread_ends_when_stopped() -> None:
    band = Band(Score(MachineNote(1, 60, 80)))
    band.engine.start()
    band.engine.stop()
    assert not band.engine.alive
    assert band.engine.failure is None


def test_a_performer_that_breaks_releases_its_notes_and_is_kept() -> None:
    score = Score(MachineNote(1, 60, 80), MachineNote(250, 62, 80))
    score.fails_at = 200
    band = Band(score)
    band.engine.start()
    until(lambda: not band.engine.alive, 20.0, "it breaks")  # by itself: a Stop might be read before
    assert str(band.engine.failure) == "a broken string"
    assert not band.engine.alive
    band.flush()
    assert [message for _, message in band.port.sent] == [on(60, 80), off(60)]
    assert not band.port.sounding


# The whole instrument but for its ports and threads: a performer that plays dice.


def dice(mode: str, seed: int = 0, **params: Any) -> Performer:
    settings = {"turn_gap_s": 0.2, "answer_shortest_s": 0.5, "idle_start_s": 1.0, "duet_rest_s": 0.3, **params}
    return Performer(Generator(dice_bundle()[0]), Params(mode=mode, **settings), seed)


def test_a_phrase_is_answered_and_a_key_ends_the_answer() -> None:
    band = Band(dice("answer", answer_shortest_s=20))
    band.hear(on(60))
    band.run(0.5)
    band.hear(off(60))
    band.run(0.15)
    assert band.sent == []
    band.run(0.2)
    assert band.engine.counts.notes_out > 0
    while not band.port.sounding:
        band.run(STEP_S)
    played = len(band.port.sent)
    band.hear(on(62))
    band.run(0.02)
    assert {message.type for _, message in band.port.sent[played:]} == {"note_off"}
    assert not band.port.sounding


def test_panic_silences_it() -> None:
    band = Band(dice("duet"))
    band.hear(on(60))
    while not band.port.sounding:
        band.run(STEP_S)
    band.hear(off(60), control(ALL_NOTES_OFF, 0))
    band.run(1.0)
    assert not band.port.sounding


@pytest.mark.parametrize("number", [ALL_SOUND_OFF, ALL_NOTES_OFF])
def test_a_daw_that_sends_panic_as_it_stops_does_not_start_the_music(number: int) -> None:
    band = Band(dice("solo"))
    clock_ticks(band, 120, 4)
    assert band.port.sounding
    band.hear(mido.Message("stop"), *(control(number, 0, channel=channel) for channel in range(16)))
    band.run(0.1)
    sent = len(band.port.sent)
    clock_ticks(band, 120, 8)
    band.hear(control(number, 0))
    clock_ticks(band, 120, 8)
    assert len(band.port.sent) == sent and not band.port.sounding
    band.hear(mido.Message("continue"))
    clock_ticks(band, 120, 4)
    assert band.port.sounding


def test_after_a_panic_neither_another_channel_nor_another_model_starts_the_music() -> None:
    performer = dice("solo")
    band = Band(performer)
    band.run(2.0)
    band.engine.put(Do(Action("panic")))
    band.engine.put(Change(channel=5))
    band.run(0.1)
    sent = len(band.port.sent)
    other = Generator(dice_bundle()[0])
    band.engine.put(Change(performer.params.replace(density=8.0), knobs({1: "density"}), other))
    band.engine.put(Change(channel=6))
    band.run(30.0)
    assert len(band.port.sent) == sent and not band.port.sounding
    band.engine.put(Do(Action("turn")))
    band.run(1.0)
    assert len(band.port.sent) > sent


def test_another_engine_is_as_silent_after_a_panic() -> None:
    for pending in (False, True):
        band = Band(dice("solo"))
        band.run(2.0)
        band.engine.take(Do(Action("panic")))
        if not pending:
            band.run(0.1)
        stuck = band.engine
        legacy = stuck.retire()
        band.output.put(Release(Owner.MACHINE))
        performer = Performer(stuck.performer.generator, stuck.performer.params)
        performer.resume(stuck.performer)
        band.engine = Engine(performer, band.output, band.clock, legacy=legacy)
        band.flush()
        sent = len(band.port.sent)
        band.run(10.0)
        assert len(band.port.sent) == sent


messages = st.one_of(
    st.builds(on, st.integers(58, 62), st.integers(0, 127)),
    st.builds(off, st.integers(58, 62)),
    st.builds(control, st.sampled_from([PEDAL, 1, 20, 74, ALL_NOTES_OFF]), st.integers(0, 127)),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(MODES),
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from([0.0, 0.05, 0.4, 1.5]), messages), max_size=12),
)
def test_whatever_a_human_does_notes_are_paired_and_end(
    mode: str, seed: int, human: list[tuple[float, mido.Message]]
) -> None:
    band = Band(dice(mode, seed, density=2.0), controls=knobs({1: "density", 20: "mode", 74: "temperature"}))
    for seconds, message in human:
        band.run(seconds)
        band.hear(message)
        band.output.put(Thru(message))
    band.run(1.0)
    _ = band.port.sounding  # raises for an orphan and for a doubled note
    band.output.work(_Stop())
    assert not band.port.sounding


def random_message(dice: random.Random) -> mido.Message:
    """Anything a controller, a keyboard or a sequencer sends."""
    channel, value = dice.randrange(16), dice.randrange(128)
    kind = dice.choices(
        (
            "control_change",
            "note_on",
            "note_off",
            "pitchwheel",
            "aftertouch",
            "program_change",
            "clock",
            "transport",
        ),
        (60, 8, 8, 5, 5, 4, 8, 2),
    )[0]
    if kind == "control_change":
        return mido.Message(kind, channel=channel, control=dice.randrange(128), value=value)
    if kind in ("note_on", "note_off"):
        return mido.Message(kind, channel=channel, note=value, velocity=dice.randrange(128))
    if kind == "pitchwheel":
        return mido.Message(kind, channel=channel, pitch=dice.randrange(-8192, 8192))
    if kind == "aftertouch":
        return mido.Message(kind, channel=channel, value=value)
    if kind == "program_change":
        return mido.Message(kind, channel=channel, program=value)
    return mido.Message("clock" if kind == "clock" else dice.choice(("start", "stop", "continue")))


class Strict(Performer):
    """A performer whose notes are held against what was asked for as they came."""

    def run_until(self, step: int) -> list[MachineNote]:
        before, params = self.now, self.params
        notes = super().run_until(step)
        assert self.now >= before
        onsets = [note for note in notes if note.velocity]
        for note in onsets:
            assert params.lowest_pitch <= note.pitch <= params.highest_pitch
            classes = self.wish.classes if self.wish.locked else frozenset()
            assert not classes or (note.pitch - params.transpose) % 12 in classes
        assert not onsets or len(self.plan.committed.own) <= params.polyphony
        return notes


@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.data(), maps(60, 30), st.integers(0, 99), st.sampled_from(MODES))
def test_ten_thousand_random_control_messages_leave_every_law_in_force(
    data: st.DataObject, control_map: ControlMap, seed: int, mode: str
) -> None:
    """Any map: notes stay paired, in range and in key, steps and the stream in order, parameters valid."""
    turned, draw = data.draw(st.lists(messages_of(control_map), min_size=50)), random.Random(seed)
    usual = dice(mode)
    performer = Strict(usual.generator, usual.params)
    band = Band(performer, controls=control_map)
    begun: dict[int, tuple[float, float]] = {}
    seen, limit_s = 0, performer.params.note_limit_s
    for _ in range(10_000):
        band.hear(draw.choice(turned) if draw.random() < 0.6 else random_message(draw))
        band.run(draw.choice((0.0, 0.0, 0.001, 0.003)))
        slack = LEDGER_S + 2 / performer.rate
        for at, message in band.port.sent[seen:]:
            if message.type == "note_on":
                begun[message.note] = (
                    at,
                    max(performer.params.note_limit_s, limit_s),
                )  # it was closed before it began
            else:
                began, longest_s = begun.pop(message.note)
                assert at - began <= longest_s + slack
        seen, limit_s = len(band.port.sent), performer.params.note_limit_s
    assert performer.params.replace() == Params(**asdict(performer.params)) == performer.params
    assert band.engine.failure is None and band.engine.counts.notes_in > 100
    network = cast(Dice, performer.generator.bundle.network)
    check_stream(network.history(performer.plan.committed), OORE)
    performer.lift()
    performer.panic()
    band.run(2 / performer.rate + 0.1)
    assert not band.port.sounding  # every note-on of the machine's had its note-off, and none came twice


def test_another_engine_goes_on_from_what_was_committed() -> None:
    band = Band(dice("solo", 3, density=8.0))
    band.run(5.0)
    stuck = band.engine
    state = stuck.performer.plan.committed
    sounding = sorted(state.sounding)
    assert sounding
    legacy = stuck.retire()
    band.output.put(Release(Owner.MACHINE))
    performer = Performer(stuck.performer.generator, stuck.performer.params)
    performer.resume(stuck.performer)
    network = cast(Dice, stuck.performer.generator.bundle.network)
    heard = [network.history(one) for one in (state, performer.plan.committed)]
    offs = [Event(EventType.NOTE_OFF, pitch) for pitch in sounding]
    assert heard[1] == heard[0] + offs
    band.clock.advance(0.5)
    band.engine = Engine(performer, band.output, band.clock, legacy=legacy)
    before = len(band.port.sent)
    stuck.put(Received(band.clock.now(), on(60)))
    stuck.take(stuck.inbox.get())
    stuck.work()
    band.run(5.0)
    assert any(message.type == "note_on" for _, message in band.port.sent[before:])
    assert band.engine.counts.delays == 1  # half a second, in which nobody played
    band.output.work(_Stop())
    assert not band.port.sounding


def test_values_from_elsewhere_are_taken_or_left_as_a_whole() -> None:
    score = Score()
    band = Band(score)
    band.engine.put(Set({"density": 4.0, "temperature": 0.5}))
    band.engine.put(Set({"temperature": 0.7, "lowest_pitch": 120}))  # above the highest
    band.engine.put(Do(Action("panic")))
    band.run(0.01)
    assert (score.params.density, score.params.temperature) == (4.0, 0.5)
    assert score.told == [("panic",)]


def test_another_channel_leaves_no_note_on_the_old_one() -> None:
    band = Band(dice("solo", 3, density=8.0))
    band.run(5.0)
    assert {channel for channel, _ in band.port.sounding} == {0}
    band.engine.put(Change(channel=5))
    band.run(0.1)
    assert not {channel for channel, _ in band.port.sounding} - {4}
    band.run(5.0)
    assert {channel for channel, _ in band.port.sounding} == {4}


def test_a_panic_does_not_wait_for_the_next_step_however_slow_time_runs() -> None:
    band = Band(dice("duet", speed=0.25, reference_bpm=300.0))
    for _ in range(4 * 24):
        band.hear(mido.Message("clock"))
        band.run(60 / 30 / 24)
    band.hear(on(60))
    band.run(0.5)
    band.hear(off(60))
    while not band.port.sounding:
        band.run(0.01)
    band.hear(control(ALL_NOTES_OFF, 0))
    band.run(0.01)
    assert not band.port.sounding
