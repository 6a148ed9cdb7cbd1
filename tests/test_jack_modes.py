"""Real ports, a real model: what is played in, and what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import mido
import pytest

from tests.jack import Instrument, Keyboard, Synth, is_onset, until

pytestmark = pytest.mark.jack

Play: TypeAlias = Callable[..., tuple[Instrument, Keyboard, Synth]]

AT_ONCE_S = 0.25  # a key to its effect: 15 ms, and far more on a busy machine
PHRASE = (60, 64, 67, 72, 76)
GAP_S, LENGTH_S = 0.3, 1.0
GRACE_S, RING_S = 2.0, 1.5  # an answer looks for a rest so long after its time, and rings on as long as this
QUICK = ("--turn-gap-s", str(GAP_S), "--answer-shortest-s", str(LENGTH_S), "--answer-longest-s", str(LENGTH_S))


def test_a_phrase_is_passed_on_and_answered(play: Play) -> None:
    instrument, keyboard, synth = play(*QUICK)
    over = keyboard.phrase(*PHRASE)
    until(lambda: len(synth.onsets(1)) == len(PHRASE), 1, "the phrase is heard")
    assert tuple(pitch for _, pitch in synth.onsets(1)) == PHRASE
    assert not synth.onsets(), "it plays while it should listen"
    begun = until(synth.onsets, GAP_S + 1, "an answer")[0][0]
    assert GAP_S - AT_ONCE_S < begun - over < GAP_S + 0.5

    until(lambda: synth.rests(LENGTH_S + 0.2), LENGTH_S + GRACE_S + RING_S + LENGTH_S + 1, "the answer ends")
    assert LENGTH_S / 2 < synth.notes()[-1][0] - begun < LENGTH_S + GRACE_S + RING_S + 0.3
    assert synth.silent
    assert instrument.stop() == 0


def test_a_key_stops_the_answer_at_once(play: Play) -> None:
    instrument, keyboard, synth = play("--turn-gap-s", str(GAP_S), "--answer-shortest-s", "10")
    keyboard.phrase(*PHRASE)
    for key in (50, 60):
        answered = len(synth.onsets()) + 3
        until(lambda: len(synth.onsets()) >= answered and synth.sounding(), 10, "an answer")  # noqa: B023
        struck = keyboard.press(key)
        until(lambda: not synth.sounding(), 1, "the answer has stopped")
        assert synth.notes()[-1][0] - struck < AT_ONCE_S
        time.sleep(GAP_S + 0.3)  # the key is held: no gap, no answer
        assert synth.notes()[-1][0] - struck < AT_ONCE_S
        keyboard.lift(key)  # and this it answers again
    assert instrument.stop() == 0
    assert synth.silent


def test_it_starts_by_itself_and_yields(play: Play) -> None:
    instrument, keyboard, synth = play("--idle-start-s", "0.5")
    until(synth.sounding, 3, "it plays by itself")
    struck = keyboard.press(60)
    until(lambda: not synth.sounding(), 1, "it has stopped")
    assert synth.notes()[-1][0] - struck < AT_ONCE_S
    assert instrument.stop() == 0
    assert synth.silent


def test_solo_goes_on_whatever_is_played_in(play: Play) -> None:
    instrument, keyboard, synth = play("--mode", "solo", early=True)
    until(lambda: len(synth.onsets()) > 3, 5, "it plays")
    keyboard.phrase(*PHRASE)
    keyboard.press(*PHRASE)
    before = len(synth.onsets())
    until(lambda: len(synth.onsets()) > before + 3, 5, "it goes on")
    keyboard.lift(*PHRASE)
    assert [pitch for _, pitch in synth.onsets(1)] == [*PHRASE, *PHRASE]
    assert instrument.stop() == 0
    assert synth.silent


def test_duet_plays_along_and_rests(play: Play) -> None:
    instrument, keyboard, synth = play("--mode", "duet", "--duet-rest-s", "0.3", early=True)
    assert not synth.heard
    keyboard.press(48)  # held, so that the human plays all the time
    while len(synth.onsets()) < 5:
        keyboard.phrase(*PHRASE)
        assert len(synth.onsets(1)) < 100, "it does not play along"
    keyboard.lift(48)
    until(lambda: synth.rests(1), 0.3 + GRACE_S + RING_S + 2, "it rests after the human does")
    assert instrument.stop() == 0
    assert synth.silent


def test_a_pitch_that_two_hold_sounds_until_both_let_go(play: Play) -> None:
    only = ("--lowest-pitch", "60", "--highest-pitch", "60", "--channel", "1")
    instrument, keyboard, synth = play("--mode", "solo", *only, early=True)
    until(lambda: synth.sounding(1), 5, "the machine plays it")
    time.sleep(0.05)
    held_from = keyboard.press(60, velocity=127)
    time.sleep(1)
    released = keyboard.lift(60)
    until(lambda: synth.notes(1)[-1][0] > released, 1, "it ends")
    between = [(at - held_from, m) for at, m in synth.notes(1) if held_from + AT_ONCE_S < at < released]
    assert not between
    last = [message for at, message in synth.notes(1) if at < released][-1]
    assert is_onset(last)
    ended, message = next(row for row in synth.notes(1) if row[0] > released)
    assert not is_onset(message) and ended - released < AT_ONCE_S
    assert instrument.stop() == 0
    assert synth.silent


def test_without_thru_only_the_machine_is_heard(play: Play) -> None:
    instrument, keyboard, synth = play(*QUICK, "--no-thru")
    keyboard.send("control_change", control=64, value=127)
    keyboard.phrase(*PHRASE)
    keyboard.send("control_change", control=64, value=0)
    until(synth.onsets, 3, "an answer")
    assert instrument.stop() == 0
    assert {message.channel for _, message in synth.heard} == {1}


def test_a_recording_holds_what_was_heard(play: Play, tmp_path: Path) -> None:
    file = tmp_path / "take.mid"
    instrument, keyboard, synth = play("--mode", "solo", "--duration", "2", "--record", str(file), early=True)
    keyboard.phrase(*PHRASE)
    assert instrument.ended(10) == 0
    assert synth.silent
    take = mido.MidiFile(file)
    tracks = {
        track.name: [(is_onset(m), m.note) for m in track if m.type in ("note_on", "note_off")]
        for track in take.tracks
    }
    assert {"human", "machine"} <= set(tracks)
    assert tracks["machine"] == [(is_onset(m), m.note) for _, m in synth.notes()]
    assert tracks["human"] == [(is_onset(m), m.note) for _, m in synth.notes(1)]
    assert len(tracks["human"]) == 2 * len(PHRASE) and len(tracks["machine"]) > 2
    assert 0.3 < take.length < 2.5  # it may rest towards the end
    assert instrument.err == ""
