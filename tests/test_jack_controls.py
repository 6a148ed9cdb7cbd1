"""Real ports: a controller, a clock, presets, a loop back and channels, and what is heard of them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TypeAlias

import pytest

from liveperf.model import bundle
from tests.jack import IN, OUT, ROOT, Instrument, Keyboard, Synth, is_onset, until
from tests.messages import control

pytestmark = pytest.mark.jack

Play: TypeAlias = Callable[..., tuple[Instrument, Keyboard, Synth]]

AT_ONCE_S = 0.25  # a knob to its effect: 15 ms, and far more on a busy machine
PHRASE = (60, 64, 67, 72, 76)
LIMIT_S = 2.0
LONGEST_S = LIMIT_S + 1.0 + AT_ONCE_S  # a second later the ledger ends what the performer has forgotten
SOLO = ("--mode", "solo", "--density", "16", "--note-limit-s", str(LIMIT_S))
HIGHEST, LOWEST = 20, 21
PITCHES = f"map: [{{cc: {HIGHEST}, to: highest_pitch}}, {{cc: {LOWEST}, to: lowest_pitch}}]\n"
BPM = 100
BEAT_S = 60 / BPM
BEAT_TOLERANCE_S = 0.04  # JACK's period, two polls, half a step: 8 ms; and a busy machine


@pytest.fixture
def setup(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Write a config file; gives the options that make the instrument read it."""

    def write(text: str, name: str = "setup.yaml") -> tuple[str, str]:
        (tmp_path / name).write_text(text)
        return "--config", str(tmp_path / name)

    return write


class Clockwork:
    """A MIDI clock as a process of its own, connected to the instrument."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "tests.clockwork", "--to", "liveperf-in", "--bpm", str(BPM), *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        with self.process.stdout as said:
            lines = (line.split() for line in said)
            self.began = float(next((words[1] for words in lines if words[0] == "began"), "nan"))

    def off_beat(self, at: float) -> float:
        """How far (s) a time is from the nearest beat."""
        beats = (at - self.began) / BEAT_S
        return abs(beats - round(beats)) * BEAT_S

    def kill(self) -> None:
        """It is gone without a word."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def clockwork(*options: str) -> Iterator[Clockwork]:
    """A clock for as long as it is wanted."""
    clock = Clockwork(*options)
    try:
        yield clock
    finally:
        clock.kill()


def turn(keyboard: Keyboard, number: int, value: int) -> float:
    """Move a knob; returns when."""
    now = time.perf_counter()
    keyboard.send("control_change", control=number, value=value)
    return now


def onsets_after(synth: Synth, at: float, count: int = 12) -> list[int]:
    """The pitches of the machine's next onsets after a time, once so many have come."""

    def found() -> list[int]:
        pitches = [pitch for when, pitch in synth.onsets() if when > at]
        return pitches if len(pitches) >= count else []

    pitches: list[int] = until(found, 20, f"{count} notes")
    return pitches


def longest(synth: Synth) -> float:
    """How long (s) the longest of all notes has sounded, or sounds by now."""
    begun: dict[tuple[int, int], float] = {}
    lengths = [0.0]
    for at, message in list(synth.heard):
        if message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            lengths.append(at - begun.pop(key, at))
            if is_onset(message):
                begun[key] = at
    return max([*lengths, *(time.perf_counter() - at for at in begun.values())])


def ends_well(instrument: Instrument, synth: Synth) -> None:
    """No note has hung; it ends, nothing sounds, and nobody has complained."""
    assert longest(synth) < LONGEST_S
    assert instrument.stop() == 0
    assert instrument.err == ""
    assert synth.silent


def says(instrument: Instrument, what: str, seconds: float = 10) -> str:
    """Wait for a line with these words; returns it."""
    line: str = until(
        lambda: next((line for line in instrument.out.splitlines() if what in line), ""), seconds, what
    )
    return line


def test_a_knob_counts_from_the_next_note_on(play: Play, setup: Callable[..., tuple[str, str]]) -> None:
    instrument, keyboard, synth = play(*SOLO, *setup(PITCHES), early=True)
    before = onsets_after(synth, 0)
    assert max(before) > 45, "nothing to obey"
    turned = turn(keyboard, HIGHEST, 45)
    assert max(onsets_after(synth, turned + AT_ONCE_S)) <= 45
    turn(keyboard, HIGHEST, 108)
    turned = turn(keyboard, LOWEST, 80)
    assert min(onsets_after(synth, turned + AT_ONCE_S)) >= 80
    assert not [m for _, m in synth.heard if m.type == "control_change"], "a knob is for the instrument alone"
    ends_well(instrument, synth)


def test_a_knob_that_is_swept_like_mad(play: Play, setup: Callable[..., tuple[str, str]]) -> None:
    instrument, keyboard, synth = play(*SOLO, *setup(PITCHES), early=True)
    onsets_after(synth, 0)
    begun = time.perf_counter()
    for number in range(2_000):
        time.sleep(max(begun + number / 1000 - time.perf_counter(), 0))
        turn(keyboard, HIGHEST, 60 + abs(number % 96 - 48))
    turned = turn(keyboard, HIGHEST, 50)
    during = [pitch for at, pitch in synth.onsets() if begun + AT_ONCE_S < at < turned]
    assert len(during) > 5, "the music does not go on"
    assert max(onsets_after(synth, turned + AT_ONCE_S)) <= 50
    ends_well(instrument, synth)


def test_an_answer_begins_on_a_beat_of_the_clock(play: Play) -> None:
    gap_s = 0.15
    options = ("--turn-gap-s", str(gap_s), "--answer-shortest-s", "0.6", "--answer-longest-s", "0.6")
    instrument, keyboard, synth = play(*options, "--idle-start-s", "0", early=True)
    with clockwork("--seconds", "90", "--jitter", "0.002") as clock:
        told = says(instrument, "following a MIDI clock at")
        assert abs(float(told.split()[-2]) - BPM) < 0.02 * BPM
        off = []
        for every_s in (0.11, 0.13, 0.17):  # the phrases end anywhere between two beats
            over = keyboard.phrase(*PHRASE, every_s=every_s)
            begun = until(lambda: [at for at, _ in synth.onsets() if at > over], 5, "an answer")[0]  # noqa: B023
            assert begun - over < gap_s + BEAT_S + AT_ONCE_S
            off.append(clock.off_beat(begun))
            until(lambda: synth.rests(0.5), 10, "the answer ends")
        assert median(off) < BEAT_TOLERANCE_S, off
    ends_well(instrument, synth)


def test_it_stops_and_starts_with_the_clock_and_outlives_it(play: Play) -> None:
    instrument, _, synth = play(*SOLO, early=True)
    stop, start = 4.0, 5.5
    with clockwork("--seconds", "60", "--say", f"{stop}:stop", "--say", f"{start}:start") as clock:
        says(instrument, "following a MIDI clock at")
        stopped, started = clock.began + stop, clock.began + start
        until(lambda: time.perf_counter() > started, 10, "its Start")
        assert [at for at, _ in synth.onsets() if stopped - 1 < at < stopped], "it has not played"
        onsets_after(synth, started)
        rested = [at for at, _ in synth.notes() if stopped + AT_ONCE_S < at < started - AT_ONCE_S / 10]
        assert not rested, "it plays while the song stands still"
        clock.kill()
    says(instrument, "the MIDI clock is lost")
    onsets_after(synth, time.perf_counter())
    ends_well(instrument, synth)


def test_a_program_change_switches_the_preset(play: Play, setup: Callable[..., tuple[str, str]]) -> None:
    other = Path(setup("")[1]).with_name("other.onnx")
    shutil.copy(bundle.find(bundle.DEFAULT), other)
    solo = f"mode: solo\ndensity: 16\nnote_limit_s: {LIMIT_S}\n"
    _, low = setup(f"{solo}highest_pitch: 50\n", "low.yaml")
    _, high = setup(f"{solo}lowest_pitch: 70\nmodel: {other}\n", "high.yaml")
    _, gone = setup("model: none of these\n", "gone.yaml")
    switches = "map: [{program_change: true, to: preset}, {cc: 30, to: next_preset}]"
    config = setup(f"{switches}\npresets: [{low}, {high}, {gone}]")
    instrument, keyboard, synth = play(*SOLO, *config, early=True)
    assert max(onsets_after(synth, 0)) > 50, "nothing to switch"

    keyboard.send("program_change", program=0)
    says(instrument, "preset low")
    assert max(onsets_after(synth, time.perf_counter() + AT_ONCE_S)) <= 50
    keyboard.send("program_change", program=1)  # another model
    says(instrument, "preset high")
    assert min(onsets_after(synth, time.perf_counter() + AT_ONCE_S)) >= 70
    turn(keyboard, 30, 127)
    assert "none of these" in says(instrument, "everything stays as it was")
    assert min(onsets_after(synth, time.perf_counter())) >= 70
    assert not [m for _, m in synth.heard if m.type not in ("note_on", "note_off")]
    ends_well(instrument, synth)


def test_it_begins_with_a_preset_and_goes_on_from_it(play: Play, setup: Callable[..., tuple[str, str]]) -> None:
    solo = f"mode: solo\ndensity: 16\nnote_limit_s: {LIMIT_S}\n"
    _, low = setup(f"{solo}highest_pitch: 50\n", "low.yaml")
    _, high = setup(f"{solo}lowest_pitch: 70\n", "high.yaml")
    config = setup(f"map: [{{note: 24, to: next_preset}}]\npresets: [{low}, {high}]")
    instrument, keyboard, synth = play("--preset", low, *config, early=True)
    assert "mode solo" in instrument.out
    assert max(onsets_after(synth, 0)) <= 50
    keyboard.press(24)
    says(instrument, "preset high")
    keyboard.lift(24)
    assert min(onsets_after(synth, time.perf_counter() + AT_ONCE_S)) >= 70
    assert not synth.onsets(1), "a switch is no melody"
    ends_well(instrument, synth)


def test_a_preset_that_ships_by_name(play: Play) -> None:
    instrument, _, _ = play("--preset", "duet")
    assert "mode duet" in instrument.out
    assert instrument.stop() == 0


def loop_back() -> None:
    """Pass all that the instrument sends on to what it listens to, as a DAW may."""
    subprocess.run(["jack_connect", OUT, IN], check=True, timeout=10)


def test_its_own_output_at_its_input_does_no_harm_in_solo(play: Play) -> None:
    instrument, keyboard, synth = play(*SOLO, "--mode", "answer")
    loop_back()  # while nobody plays: what is sent as JACK connects ports may get lost
    subprocess.run([sys.executable, "-m", "liveperf", "mode", "solo"], cwd=ROOT, check=True, timeout=10)
    onsets_after(synth, 0)
    keyboard.phrase(*PHRASE)
    until(lambda: len(synth.onsets(1)) >= len(PHRASE), 5, "the phrase is heard")
    onsets_after(synth, time.perf_counter(), 30)
    assert [pitch for _, pitch in synth.onsets(1)] == list(PHRASE), "it goes round and round"
    assert synth.sounding(1) == set()
    assert {message.type for _, message in synth.heard} == {"note_on", "note_off"}
    ends_well(instrument, synth)
    assert f"{len(PHRASE)} notes in" in instrument.out


@pytest.mark.parametrize("first", ["human", "machine"])
def test_it_answers_a_phrase_with_its_own_output_at_its_input(play: Play, first: str) -> None:
    """first: who plays first. As long as the machine has not played, nothing of its own has come back."""
    length = ("--answer-shortest-s", "1", "--answer-longest-s", "1")
    options = ("--turn-gap-s", "0.3", *length, "--idle-start-s", "0.5" if first == "machine" else "0")
    instrument, keyboard, synth = play(*options, "--note-limit-s", str(LIMIT_S))
    loop_back()
    if first == "machine":
        onsets_after(synth, 0, 5)
    for number in range(2):
        over = keyboard.phrase(*PHRASE)
        until(lambda: [at for at, _ in synth.onsets() if at > over], 5, "an answer")  # noqa: B023
        until(lambda: synth.rests(0.3), 10, "the answer ends")
        heard = [pitch for _, pitch in synth.onsets(1)]
        assert heard == [*PHRASE] * (number + 1), "it goes round and round"
    ends_well(instrument, synth)


def test_only_the_channel_asked_for_is_heard_and_it_is_passed_on_where_told(play: Play) -> None:
    channels = ("--input-channel", "3", "--thru-channel", "5", "--channel", "7")
    instrument, keyboard, synth = play(*channels, "--turn-gap-s", "0.2", "--answer-shortest-s", "0.5", early=True)
    for channel in (0, 4, 6):
        keyboard.send("note_on", channel=channel, note=50)
        keyboard.send("note_off", channel=channel, note=50)
    for kind in ("note_on", "note_off"):
        for pitch in PHRASE:
            keyboard.send(kind, channel=2, note=pitch)
    keyboard.send("control_change", channel=2, control=64, value=127)
    keyboard.send("control_change", channel=2, control=64, value=0)
    until(lambda: synth.onsets(7), 5, "an answer")
    assert [pitch for _, pitch in synth.onsets(5)] == list(PHRASE)
    assert [m.channel for _, m in synth.heard if m.type == "control_change"] == [4, 4]
    assert {m.channel for _, m in synth.heard} == {4, 6}
    ends_well(instrument, synth)
    assert f"{len(PHRASE)} notes in" in instrument.out


def test_a_pitch_that_both_hold_on_one_channel_is_its_owners_to_end(play: Play) -> None:
    only = ("--lowest-pitch", "60", "--highest-pitch", "60", "--note-limit-s", str(LIMIT_S))
    channels = ("--input-channel", "3", "--thru-channel", "5", "--channel", "5")
    instrument, keyboard, synth = play("--mode", "solo", "--density", "1", *only, *channels, early=True)
    held = 0
    for number in range(10):
        until(lambda: synth.sounding(5), 10, "the machine plays it")
        for kind in ("note_on", "note_off"):
            keyboard.send(kind, channel=2, note=60)
        mark = control(99, number, channel=4)
        keyboard.raw(mark.copy(channel=2).bytes())
        until(lambda: mark in [m for _, m in synth.heard], 2, "the mark is passed on")  # noqa: B023
        messages = [m for _, m in synth.heard]
        notes = [m for m in messages[: messages.index(mark)] if m.type in ("note_on", "note_off")]
        held += is_onset(notes[-1])  # and the rest of the time, the machine had just ended it
        time.sleep(0.05)
    assert held >= 5, "the human ends the machine's note"

    keyboard.send("note_on", channel=2, note=60, velocity=127)
    time.sleep(0.1)
    pressed = time.perf_counter()
    time.sleep(1.5)
    lifted = time.perf_counter()
    keyboard.send("note_off", channel=2, note=60)
    ended = [at for at, m in synth.notes(5) if not is_onset(m) and pressed < at < lifted]
    begun = [at for at, m in synth.notes(5) if is_onset(m) and pressed < at < lifted]
    assert len(ended) == len(begun), "the machine ends the human's note"
    ends_well(instrument, synth)


def test_a_key_as_a_footswitch_hands_over_the_turn(play: Play, setup: Callable[..., tuple[str, str]]) -> None:
    gap = ("--turn-gap-s", "5", "--answer-shortest-s", "20", "--idle-start-s", "0")
    instrument, keyboard, synth = play(*gap, *setup("map: [{note: 24, to: turn}]"), early=True)
    keyboard.phrase(*PHRASE)
    assert not synth.onsets()
    pressed = keyboard.press(24)
    keyboard.lift(24)
    begun = until(synth.onsets, 3, "an answer")[0][0]
    assert begun - pressed < AT_ONCE_S
    until(lambda: len(synth.onsets()) > 3 and synth.sounding(), 10, "the answer goes on")
    pressed = keyboard.press(24)
    until(lambda: not synth.sounding(), 1, "the answer has stopped")
    assert synth.notes()[-1][0] - pressed < AT_ONCE_S
    assert [pitch for _, pitch in synth.onsets(1)] == list(PHRASE)
    assert instrument.stop() == 0
    assert synth.silent


def test_a_knob_for_panic_ends_every_note(play: Play, setup: Callable[..., tuple[str, str]]) -> None:
    instrument, keyboard, synth = play(*SOLO, *setup("map: [{cc: 30, to: panic}, {cc: 31, to: turn}]"), early=True)
    keyboard.send("control_change", control=64, value=127)
    keyboard.press(*PHRASE)
    until(lambda: synth.sounding(1) == set(PHRASE) and len(synth.sounding()) > 1, 10, "both sound")
    sounded = synth.sounding()
    pressed = turn(keyboard, 30, 127)
    until(lambda: not synth.sounding(1), 1, "the human's notes have ended")

    def ended() -> set[int]:
        return {message.note for at, message in synth.notes() if at > pressed and not is_onset(message)}

    until(lambda: sounded <= ended(), AT_ONCE_S, "the machine's have, too")
    assert synth.notes(1)[-1][0] - pressed < AT_ONCE_S
    pedal = [m.value for _, m in synth.heard if m.type == "control_change" and m.control == 64]
    assert pedal == [127, 0]
    until(lambda: synth.rests(0.5), 2, "it is silent, until somebody asks for music")
    onsets_after(synth, turn(keyboard, 31, 127))
    ends_well(instrument, synth)


def test_the_controller_is_shown_what_a_preset_changes(
    play: Play, setup: Callable[..., tuple[str, str]], jack: str
) -> None:
    _, low = setup("mode: solo\nhighest_pitch: 50\nlowest_pitch: 30\n", "low.yaml")
    with contextlib.closing(Synth(None)) as controller:
        text = f"{PITCHES.rstrip()[:-1]}, {{program_change: true, to: preset}}]\npresets: [{low}]\n"
        instrument, keyboard, synth = play(*SOLO, *setup(f"{text}feedback: {controller.name}\n"), early=True)

        def shown() -> list[tuple[int, int]]:
            return [(m.control, m.value) for _, m in list(controller.heard)]

        until(lambda: len(shown()) == 2, 5, "it is shown how things stand")
        assert shown() == [(HIGHEST, 108), (LOWEST, 21)]
        keyboard.send("program_change", program=0)
        says(instrument, "preset low")
        until(lambda: len(shown()) >= 4, 5, "it is shown the preset")
        assert shown()[2:] == [(HIGHEST, 50), (LOWEST, 30)]
        turn(keyboard, HIGHEST, 60)  # the hand that turns a knob knows where it is
        keyboard.send("program_change", program=0)
        until(lambda: len(shown()) >= 5, 5, "it is shown the preset again")
        assert shown()[4:] == [(HIGHEST, 50)]
        assert not [m for _, m in controller.heard if m.type != "control_change"]
        assert {m.type for _, m in synth.heard} <= {"note_on", "note_off"}
        ends_well(instrument, synth)
