"""The instrument in virtual time: what passes through it, what it is asked, and what comes of parts that fail."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import pytest

from liveperf.clock import SystemClock
from liveperf.events import OORE, EventType
from liveperf.mapping.controls import DEFAULT, Action
from liveperf.mapping.knobs import Entry
from liveperf.midi.ports import PortError
from liveperf.model.bundle import BundleError
from liveperf.params import ParamError, Params
from liveperf.performer import Performer
from liveperf.playing.desk import RefusedError
from liveperf.playing.instrument import WATCH_LOOKS, Ask
from liveperf.playing.items import Change, Received, Stop
from liveperf.playing.output import Play, Thru
from liveperf.playing.traffic import Traffic
from liveperf.session import State
from liveperf.setup.settings import Config, ConfigError
from liveperf.voices import PEDAL, Owner
from tests.bands import KEYS, PORTS, SYNTH, Band, Notebook, by_hand, mapped
from tests.desks import FakeDesk
from tests.fakes import FakeClock
from tests.messages import control, off, on

TICK_S = 60 / 120 / 24
PAD = mapped(Entry("note", 60, "next_preset"))

_by_hand = pytest.fixture(autouse=True)(by_hand)


# What passes through.


def test_the_humans_notes_pass_through_and_are_kept() -> None:
    band = Band()
    band.play(on(60), control(PEDAL, 127), off(60))
    assert band.synth.heard == [on(60), control(PEDAL, 127), off(60)]
    assert band.book.messages == [(Owner.HUMAN, message) for message in band.synth.heard]
    assert [message for _, _, message in band.instrument.traffic.played.last(9)] == band.synth.heard
    assert band.performer.session.state is State.LISTENING
    assert band.instrument.engine.counts.notes_in == 1


def test_only_one_channel_is_listened_to_and_it_is_passed_on_where_told() -> None:
    band = Band(input_channel=2, thru_channel=5)
    band.play(on(60), off(60), on(62, channel=1), off(62, channel=1))
    assert band.synth.heard == [on(62, channel=4), off(62, channel=4)]
    assert band.instrument.engine.counts.notes_in == 1


def test_a_knob_is_not_for_the_synth() -> None:
    band = Band(map=mapped(Entry("cc", 20, "density")))
    band.play(control(20, 127), control(21, 3))
    assert band.synth.heard == [control(21, 3)]
    assert band.instrument.params.density == 32


def test_the_machines_notes_that_come_back_are_not_heard() -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: band.synth.held)
    begun = [message for message in band.synth.heard if message.type == "note_on"]
    band.play(*begun[-1:])
    assert band.instrument.engine.counts.notes_in == 0


CHANGES: list[dict[str, Any]] = [{"thru": False}, {"thru_channel": 7}, {"input_channel": 9}, {"map": PAD}]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_key_that_is_down_while_the_setup_changes_is_let_go_everywhere(change: dict[str, Any]) -> None:
    band = Band()
    band.play(on(60), control(PEDAL, 127))
    band.instrument.configure(Config(**{**PORTS, **change}))
    band.play(off(60))
    if "map" in change:
        band.play(control(PEDAL, 0))
    assert not band.synth.held and not band.synth.orphans
    assert band.synth.heard.count(control(PEDAL, 0)) == 1
    assert band.performer.keyboard.silent
    band.until(lambda: band.performer.session.plays)


def test_a_pad_that_is_hit_while_it_becomes_a_key_does_no_harm() -> None:
    band = Band(map=PAD)
    band.play(on(60))
    band.instrument.configure(Config(**PORTS))
    band.play(off(60))
    assert not band.synth.heard and band.performer.keyboard.silent


@pytest.mark.parametrize("number", [120, 123])
def test_all_notes_off_ends_the_machines_notes_one_by_one_too(number: int) -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: band.synth.held)
    band.world.play(KEYS, control(number, 0))
    band.instrument.rack.poll()
    band.send()
    assert not band.synth.held and not band.synth.orphans


@pytest.mark.parametrize("channel", [0, 3])
def test_a_keyboard_that_says_all_notes_off_with_its_last_key_up_is_answered(channel: int) -> None:
    band = Band()
    for pitch in (60, 64):
        band.play(on(pitch, channel=channel))
        band.play(off(pitch, channel=channel), control(123, 0, channel=channel))
    assert control(123, 0, channel=channel) not in band.synth.heard  # on his channel the machine may play as well
    band.until(lambda: band.performer.session.plays)


@pytest.mark.parametrize(
    "messages",
    [
        [on(60), on(64), off(60), control(123, 0)],  # a key is down
        [on(60), off(60), control(64, 0), control(123, 0)],  # something was played since
        [on(60), off(60), control(120, 0)],  # no keyboard says that by itself
        [on(60), off(60), control(123, 0), control(123, 0)],  # nor that twice
        [on(60), off(60), control(123, 0, channel=1)],  # nor on a channel that nobody plays on
    ],
)
def test_any_other_all_notes_off_is_a_panic(messages: list[mido.Message]) -> None:
    band = Band()
    band.play(*messages)
    assert band.performer.session.state is State.FINISHED


def test_an_all_notes_off_a_moment_later_is_a_panic() -> None:
    band = Band()
    band.play(on(60), off(60))
    band.run(0.1)
    band.play(control(123, 0))
    assert band.performer.session.state is State.FINISHED


# The desk.


def test_values_are_taken_all_or_none() -> None:
    band = Band()
    band.instrument.set({"density": 3.0, "mode": "duet"})
    band.run(0.01)
    assert (band.instrument.params.density, band.instrument.params.mode) == (3.0, "duet")
    with pytest.raises(ParamError, match="density 99"):
        band.instrument.set({"temperature": 0.5, "density": 99})
    band.run(0.01)
    assert band.instrument.params.temperature == Params().temperature


def test_what_it_is_asked_goes_to_whom_it_concerns() -> None:
    band = Band()
    band.instrument.act("turn")
    band.run(0.05)
    assert band.performer.session.plays
    band.play(on(40))
    band.instrument.act("panic")
    band.run(0.05)
    assert not band.synth.held and not band.performer.session.plays
    for ask in (band.instrument.reload, band.instrument.stop, lambda: band.instrument.act("next_preset")):
        ask()
    asked = [band.inbox.get_nowait() for _ in range(3)]
    assert asked == [Ask("reload"), Ask("stop"), Action("next_preset")]


def test_a_preset_that_was_changed_since_is_known(tmp_path: Path) -> None:
    file = tmp_path / "evening.yaml"
    file.write_text("density: 6\n")
    band = Band(presets=(str(file),))

    def change() -> bool:
        band.run(0.01)
        return bool(band.instrument.status()["preset_changed"])

    assert not change()
    band.instrument.turn_to(Ask("preset", str(file)))
    assert not change() and band.performer.params.density == 6
    band.instrument.set({"density": 7})
    assert change()
    band.instrument.set({"density": 6})
    assert not change()


def test_a_preset_that_is_not_there_is_refused_and_one_that_is_broken_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("density: 6\n")
    bad.write_text("mood: blue\n")
    band = Band(presets=(str(good), str(bad)))
    for name in ("no_such", str(tmp_path / "nowhere.yaml")):
        with pytest.raises(RefusedError, match="no preset"):
            band.instrument.preset(name)
    other = tmp_path / "other.yaml"
    other.write_text("density: 9\n")
    with pytest.raises(RefusedError, match="`liveperf preset FILE`, on its own machine, takes files"):
        band.instrument.preset(str(other))
    with pytest.raises(RefusedError, match="there is no file"):
        band.instrument.preset(str(tmp_path / "nowhere.yaml"), file=True)
    assert band.inbox.empty()
    band.instrument.preset(str(other), file=True)
    assert band.inbox.get_nowait() == Ask("preset", str(other))
    for name in ("good", "bad"):
        band.instrument.preset(name)
        ask = band.inbox.get_nowait()
        assert isinstance(ask, Ask)
        band.instrument.turn_to(ask)
        band.run(0.01)
    assert band.instrument.params == Params(density=6)
    assert band.instrument.status()["preset"] == "good"
    assert "preset good" in caplog.messages and "everything stays as it was" in caplog.messages[-1]


def test_its_status_has_all_that_was_agreed() -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: band.synth.held)
    band.book.current = Path("take.jsonl")
    found = band.instrument.status()
    assert found.keys() == FakeDesk().status().keys()
    assert (found["mode"], found["state"], found["restarts"]) == ("solo", "playing", 0)
    assert found["notes_out"] > 0 and found["lateness_ms"]["p50"] >= 0 and found["recording"] == "take.jsonl"
    assert [port["name"] for port in found["ports"]] == [SYNTH, KEYS]
    assert found["uptime_s"] == round(band.clock.now() - FakeClock().now(), 1)


def test_its_status_can_be_asked_while_another_recording_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    band = Band()
    there = iter([Path("take.jsonl"), None, None])
    current = property(lambda book: next(there), lambda book, path: None)
    monkeypatch.setattr(Notebook, "current", current, raising=False)
    assert band.instrument.status()["recording"] == "take.jsonl"


def test_the_journal_is_told_what_parameters_become() -> None:
    band = Band()
    band.look(looks=2)
    assert band.book.values == [vars(Params())]
    band.instrument.set({"density": 3.0})
    band.run(0.01)
    band.look(looks=2)
    assert band.book.values[1:] == [{"density": 3.0}]


def test_a_minute_is_a_line() -> None:
    band = Band()
    band.play(on(60), off(60))
    assert band.instrument.minute() == "1 notes in, 0 out, 0 underruns, 0 reconnects so far"
    band.instrument.act("turn")
    band.until(lambda: band.synth.held)
    out = band.instrument.engine.counts.notes_out
    assert band.instrument.minute().startswith(f"0 notes in, {out} out, lateness p50 ")


# Threads that die or are stuck.


def kill(band: Band, name: str) -> None:
    thread = band.threads()[name]
    thread.failure = RuntimeError("a broken string")
    thread._thread.alive = False


def test_an_engine_that_died_is_followed_by_another_that_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: len(band.synth.held) > 1)
    old, out, sounding = band.instrument.engine, band.instrument.engine.counts.notes_out, band.machine()
    kill(band, "engine")
    assert band.look(looks=1)
    new = band.instrument.engine
    ends = {OORE.first[EventType.NOTE_OFF] + pitch for pitch in sounding}
    heard, trail, more = old.performer.plan.committed.trail, new.performer.plan.committed.trail, len(sounding)
    assert new is not old and set(trail[-more:]) == ends and heard[-50:] == trail[-50 - more : -more]
    band.send()
    assert not band.synth.held
    assert "the engine thread died: RuntimeError: a broken string; it is started again" in caplog.messages
    band.until(lambda: band.synth.held)
    assert new.counts.notes_out > out and band.instrument.status()["restarts"] == 1
    assert not band.synth.orphans and not band.synth.doubled


def test_hands_and_feet_know_nothing_of_an_engine_that_died() -> None:
    band = Band(params=Params(split=48))
    band.play(on(40), on(43), control(PEDAL, 127), on(60), on(64))
    wish = band.performer.wish
    kill(band, "engine")
    assert band.look(looks=1)
    band.run(0.1)
    assert band.synth.held == {40, 43, 60, 64} and control(PEDAL, 0) not in band.synth.heard
    assert band.performer.wish == wish and wish.classes
    assert band.performer.session.state is State.LISTENING
    band.play(off(60), off(64))
    band.run(3)
    assert not band.performer.session.plays, "the pedal holds the phrase"
    band.play(control(PEDAL, 0))
    band.until(lambda: band.performer.session.plays, 5)
    band.play(off(40), off(43))
    assert not band.performer.wish.classes
    assert not band.synth.orphans and not band.synth.doubled


def test_a_key_that_is_let_go_as_the_engine_dies_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    band = Band()
    band.play(on(60))
    old = band.instrument.engine

    def broken(now: float) -> None:
        raise RuntimeError("a broken string")

    monkeypatch.setattr(old, "_catch_up", broken)
    old.put(Received(band.clock.now(), off(60)))
    old.put(Received(band.clock.now(), on(62)))
    with pytest.raises(RuntimeError):
        old.take(old.inbox.get())
    kill(band, "engine")
    assert band.look(looks=1)
    band.instrument.engine.put(Stop())
    thread: Any = band.instrument.engine._thread
    thread.target()
    assert band.performer.keyboard.keys == {62}


@pytest.mark.parametrize("mode", ["solo", "answer"])
def test_an_engine_that_is_stuck_is_of_no_more_consequence_when_it_wakes(mode: str) -> None:
    band = Band(params=Params(mode=mode, density=8.0))
    if mode == "answer":
        band.instrument.act("turn")
    band.until(lambda: band.synth.held)
    old = band.instrument.engine
    assert band.look("engine")
    assert band.instrument.engine is not old
    heard, given = len(band.synth.heard), band.instrument.output.inbox.qsize()
    old.take(Received(band.clock.now(), on(30)))
    band.clock.advance(0.5)
    old.work()
    assert band.instrument.output.inbox.qsize() == given
    band.send()
    assert not band.synth.held and all(message.type == "note_off" for message in band.synth.heard[heard:])
    band.play(on(60))
    assert band.instrument.engine.counts.notes_in == 1


def test_what_is_played_while_the_engine_is_stuck_is_not_lost() -> None:
    band = Band()
    band.world.play(KEYS, on(60), on(62), off(60))
    band.instrument.rack.poll()
    band.instrument.set({"density": 3.0})
    assert band.look("engine")
    band.instrument.engine.put(Change(channel=3))
    band.run(0.05)
    assert band.performer.keyboard.keys == {62} and band.instrument.params.density == 3.0
    assert band.instrument.engine.channel == 3


def test_a_song_that_stands_still_does_so_after_a_restart_too() -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    ticks = [mido.Message("clock")]
    band.play(mido.Message("start"))
    for _ in range(48):
        band.world.play(KEYS, *ticks)
        band.run(TICK_S)
    assert band.instrument.status()["clock"]["running"]
    beats = band.performer.beats
    kill(band, "engine")
    assert band.look(looks=1)
    assert band.instrument.status()["clock"]["running"] and band.performer.beats == beats
    band.play(mido.Message("stop"))
    band.run(0.2)
    kill(band, "engine")
    assert band.look(looks=1)
    heard = len(band.synth.heard)
    band.run(2)
    assert band.synth.heard[heard:] == [] and not band.synth.held


def test_a_solo_that_was_ended_is_not_begun_again_by_a_restart() -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: band.synth.held)
    band.instrument.act("turn")
    band.until(lambda: band.performer.session.state is State.FINISHED)
    kill(band, "engine")
    assert band.look(looks=1)
    band.run(2)
    assert band.performer.session.state is State.FINISHED and not band.synth.held


def test_an_output_that_is_stuck_is_followed_by_another_and_every_note_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: band.synth.held)
    band.play(on(20))
    old = band.instrument.output
    band.instrument.put(Play(band.clock.now() + 0.01, on(100)))
    band.world.play(KEYS, off(20))
    band.instrument.rack.poll()
    assert band.look("output")
    assert "the output thread is stuck; it is started again" in caplog.messages
    new = band.instrument.output
    assert new is not old and new.lateness is old.lateness
    band.send()
    assert not band.synth.held and on(100) not in band.synth.heard  # it is late by half a second
    old.work(Thru(on(50)))
    assert not band.synth.held
    band.until(lambda: band.synth.held)
    assert not band.synth.orphans and not band.synth.doubled


def test_a_stalled_output_that_wakes_in_the_middle_of_a_note_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    band = Band()
    old, send = band.instrument.output, band.instrument._send

    def stalled(message: mido.Message) -> None:
        if message.type == "note_on" and band.instrument.output is old:
            assert band.look("output")
            band.send()  # the other one has done what it can
        send(message)

    old._send = stalled
    old.work(Thru(on(60)))
    assert band.instrument.output is not old
    assert band.synth.heard == [on(60), off(60)]
    band.instrument.put(Thru(off(60)))
    band.send()
    assert not band.synth.held and not band.synth.orphans


@pytest.mark.parametrize("message", [off(60), control(PEDAL, 0)])
def test_the_end_of_a_note_that_an_output_dies_of_is_sent_by_the_next(message: mido.Message) -> None:
    band = Band()
    band.play(on(60), control(PEDAL, 127))

    def broken(message: mido.Message) -> None:
        raise OSError("unplugged")

    old = band.instrument.output
    old._send = broken
    with pytest.raises(OSError, match="unplugged"):
        old.work(Thru(message))
    kill(band, "output")
    assert band.look(looks=1)
    band.send()
    assert not band.synth.held and band.synth.heard[-1] in (off(60), control(PEDAL, 0))
    assert control(PEDAL, 0) in band.synth.heard


def test_the_third_death_in_a_minute_is_the_last(caplog: pytest.LogCaptureFixture) -> None:
    band = Band()
    for name in ("engine", "output"):
        kill(band, name)
        assert band.look(looks=1)
    kill(band, "engine")
    assert not band.look(looks=1)
    assert caplog.messages[-1].endswith("starting it again is no help any more")


def test_one_that_cannot_be_started_again_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: band.synth.held)

    def broken(self: Performer, before: Performer) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(Performer, "resume", broken)
    kill(band, "engine")
    assert not band.look(looks=1)
    assert "cannot be started again: no memory" in caplog.messages[-1]
    kill(band, "output")  # as nobody takes anything in any more
    assert band.instrument.end()
    assert not band.synth.held


def test_ports_that_are_not_looked_after_are_again() -> None:
    band = Band()
    old = band.instrument.rack.eye._thread
    kill(band, "ports")
    assert band.look(looks=1) and band.instrument.rack.eye._thread not in (None, old)
    assert band.instrument.rack.eye.alive and band.instrument.rack.eye.failure is None


@pytest.mark.parametrize("message", [on(67), off(64)])
def test_the_keys_are_let_go_and_nothing_is_lost_when_the_input_dies(
    message: mido.Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, failed = Traffic.receive, list[mido.Message]()

    def broken(self: Traffic, received: mido.Message) -> None:
        if received == message and not failed:
            failed.append(received)
            raise RuntimeError("a broken string")
        heard(self, received)

    monkeypatch.setattr(Traffic, "receive", broken)
    band = Band(params=Params(turn_gap_s=0.5))
    band.play(on(60), on(64))
    band.world.play(KEYS, message, off(60), on(72))
    with pytest.raises(RuntimeError):
        band.instrument.rack.poll()
    kill(band, "input")
    assert band.look(looks=1) and band.threads()["input"].alive
    band.run(0.05)
    assert not band.synth.held and on(72) in band.synth.heard  # what was said meanwhile is not lost
    band.until(lambda: band.machine())  # no key is down: he is answered


def test_an_input_that_is_stuck_is_followed_by_another_and_the_keys_are_let_go() -> None:
    band = Band()
    band.play(on(60), on(64))
    ear = band.instrument.rack.ear
    stuck = ear._thread
    assert band.look("input") and ear._thread is not stuck and ear.alive
    band.run(0.05)
    assert not band.synth.held


def test_who_watches_the_ports_may_be_held_up_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    band = Band()
    eye = band.instrument.rack.eye
    held_up = eye._thread
    assert band.look("ports", looks=WATCH_LOOKS + 10) and eye._thread is held_up  # another would be, too
    assert caplog.messages[-1].startswith("the ports thread is stuck: the MIDI system holds it up")


def test_two_who_play_at_once_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # real threads
    hurry = sys.getswitchinterval()
    heard: list[Received] = []
    traffic = Traffic(Config(), SystemClock(), None, heard.append, lambda thru: None, lambda message: False)
    failures: list[BaseException] = []

    def play(channel: int) -> None:
        try:
            for _ in range(60):
                for make in (on, off):
                    for pitch in range(40, 100):
                        traffic.receive(make(pitch).copy(channel=channel))
        except BaseException as error:
            failures.append(error)

    sys.setswitchinterval(1e-6)
    try:
        players = [threading.Thread(target=play, args=(channel,)) for channel in (0, 1)]
        for player in players:
            player.start()
        for player in players:
            player.join()
    finally:
        sys.setswitchinterval(hurry)
    assert not failures and len(heard) == 2 * 60 * 120 and not traffic._down


def test_an_output_that_is_dead_at_the_end_has_its_notes_ended() -> None:
    band = Band(params=Params(mode="solo", density=8.0))
    band.until(lambda: band.synth.held)
    kill(band, "output")
    assert band.instrument.end()
    assert not band.synth.held and not band.synth.orphans


def test_one_that_never_began_can_be_ended() -> None:
    band = Band()
    for thread in (band.instrument.engine._thread, band.instrument.output._thread):
        thread.alive = False  # type: ignore[attr-defined]
    assert band.instrument.end()


# Another setup.


def test_only_what_differs_counts(caplog: pytest.LogCaptureFixture) -> None:
    band = Band(params=Params(density=4.0))
    rack = band.instrument.rack
    band.instrument.set({"temperature": 0.7})
    band.run(0.01)
    band.instrument.configure(Config(**PORTS, params=Params(density=5.0), channel=9, keep_mb=5, port=1234))
    band.run(0.01)
    assert band.instrument.params == Params(density=5.0, temperature=0.7)
    assert band.instrument.engine.channel == 9 and band.instrument.rack is rack
    assert caplog.messages[-1] == "the setup was read again; from the next start: keep_mb, port"


def test_a_knob_that_was_learned_and_a_preset_that_was_taken_outlive_a_setup_that_says_nothing_of_them() -> None:
    band = Band()
    band.instrument.turn_to(Ask("preset", "duet"))
    band.run(0.01)
    before = band.instrument.params
    assert before.mode == "duet"
    band.instrument.configure(Config(**PORTS))
    band.run(0.01)
    assert band.instrument.params == before and band.instrument.engine.controls == DEFAULT


def test_other_presets_can_be_chosen_from(tmp_path: Path) -> None:
    files = []
    for index, name in enumerate(("one", "two", "three")):
        (tmp_path / f"{name}.yaml").write_text(f"density: {index + 1}\n")
        files.append(str(tmp_path / f"{name}.yaml"))
    band = Band(presets=tuple(files))
    for _ in range(3):
        band.instrument.turn_to(Action("next_preset"))
    assert band.instrument.status()["preset"] == "three"
    band.instrument.configure(Config(**PORTS, presets=(files[2], files[0])))
    assert band.instrument.status()["preset"] == "three"
    band.instrument.turn_to(Action("next_preset"))
    assert band.instrument.status()["preset"] == "one"
    band.instrument.configure(Config(**PORTS, presets=(files[1],)))
    assert band.instrument.status()["preset"] == "one"  # it is in force still
    band.run(0.01)
    assert band.instrument.params.density == 1


def test_a_setup_with_a_model_that_is_not_there_changes_nothing() -> None:
    band = Band()
    with pytest.raises(BundleError, match="nowhere"):
        band.instrument.configure(Config(model="nowhere.onnx", channel=5, input=("other",)))
    band.run(0.01)
    assert band.instrument.engine.channel == 1 and band.instrument.setup == band.setup


def test_a_setup_that_does_not_go_with_what_the_knobs_have_made_of_the_rest_is_refused_as_a_whole() -> None:
    band = Band()
    band.instrument.set({"highest_pitch": 50})
    band.run(0.01)
    setup = replace(band.setup, params=Params(lowest_pitch=60, temperature=0.5))
    for _ in range(2):  # and again, as nothing of it is in force
        with pytest.raises(ConfigError, match="lowest_pitch 60 is above highest_pitch 50"):
            band.instrument.configure(setup)
    band.run(0.01)
    assert band.instrument.params == Params(highest_pitch=50)
    band.instrument.set({"highest_pitch": 100})
    band.run(0.01)
    band.instrument.configure(setup)
    band.run(0.01)
    assert band.instrument.params == Params(highest_pitch=100, lowest_pitch=60, temperature=0.5)


def test_what_waits_for_the_next_start_stays_as_it_is_until_then(caplog: pytest.LogCaptureFixture) -> None:
    band = Band()
    later: dict[str, Any] = {"name": "other", "port": 1234}
    for _ in range(2):  # asked again, it is still for later
        band.instrument.configure(Config(**PORTS, **later))
        assert caplog.messages[-1] == "the setup was read again; from the next start: name, port"
        assert band.instrument.status()["name"] == "liveperf" and band.instrument.setup == band.setup
    band.instrument.configure(Config(**PORTS))
    assert caplog.messages[-1] == "the setup was read again"


def test_ports_are_not_changed_while_the_server_stands_still() -> None:
    band = Band()
    for band.world.frozen in (False, True):
        for _ in range(4):
            band.clock.advance(0.25)
            band.instrument.rack.look()  # as its thread does
    assert band.instrument.rack.paused
    rack, count = band.instrument.rack, len(band.world.opened)
    with pytest.raises(PortError, match="stands still"):
        band.instrument.configure(Config(input=("Other",), output=("synth",), channel=7))
    assert band.instrument.rack is rack and band.instrument.setup == band.setup and len(band.world.opened) == count


def test_other_ports_are_taken_and_the_keys_of_those_before_let_go() -> None:
    band = Band()
    band.play(on(60), control(PEDAL, 127))
    band.world.plug("Other keys")
    old = band.instrument.rack
    band.instrument.configure(Config(input=("Other",), output=("synth",)))
    assert band.instrument.rack is not old and not any(port.open for port in old.status())
    band.run(0.1)
    assert not band.synth.held and band.performer.keyboard.silent
    band.play(on(70))
    assert not band.synth.held
    band.world.play("Other keys", on(71))
    band.run(0.01)
    assert band.synth.held == {71}
    assert not band.synth.orphans and not band.synth.doubled
    band.until(lambda: band.performer.session.state is State.LISTENING)


def test_new_lamps_show_what_is() -> None:
    band = Band(map=mapped(Entry("cc", 20, "density")))
    lamps = band.world.plug("Lamps synth")
    band.run(0.01)
    band.instrument.configure(Config(**PORTS, map=band.setup.map, feedback="Lamps"))
    band.run(0.01)
    assert [message.control for message in lamps.heard] == [20]


def test_ports_that_cannot_be_opened_leave_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    band = Band()
    band.world.virtual = False
    with pytest.raises(PortError, match="no virtual ports"):
        band.instrument.configure(Config(input=(), output=("synth",), channel=7))
    assert band.instrument.setup == band.setup
    band.clock.advance(1.0)
    band.instrument.rack.look()  # as its thread does
    assert [port.name for port in band.instrument.rack.status() if port.open] == [SYNTH, KEYS]
    assert band.instrument.rack.ear.alive and band.instrument.rack.eye.alive
    band.play(on(60))
    assert band.synth.held == {60} and band.instrument.engine.channel == 1
    band.instrument.configure(band.setup)
    band.play(off(60))
    assert not band.synth.held
