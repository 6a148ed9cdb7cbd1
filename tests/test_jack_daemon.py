"""Real ports, processes and signals: what happens around it leaves no note hanging and costs no music."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import mido
import pytest

from tests import faults
from tests.jack import MACHINE, ROOT, Instrument, Keyboard, Server, Synth, linked, liveperf, until
from tests.peers import SYNTH, Peer, connect

pytestmark = pytest.mark.jack

Start: TypeAlias = Callable[..., Instrument]
Stage: TypeAlias = Callable[..., tuple[Instrument, Synth]]
FAILED = 1
TRACKS = ("human", "machine")


@pytest.fixture
def start(jack: str, tmp_path: Path) -> Iterator[Start]:
    """Start an instrument as a service does, on any free port."""
    started: list[Instrument] = []

    def start(*options: str, **how: Any) -> Instrument:
        folder = tmp_path / f"play{len(started)}"
        folder.mkdir()
        options = ("--daemon", "--channel", str(MACHINE), "--port", "0", *options)
        instrument = Instrument(folder, *options, **how)
        started.append(instrument)
        until(lambda: "-C ends it" in instrument.err or instrument.process.poll() is not None, 20, "it plays")
        assert instrument.process.poll() is None, instrument.err
        return instrument

    yield start
    for instrument in started:
        instrument.end()


@pytest.fixture
def stage(start: Start) -> Iterator[Stage]:
    """Start an instrument with a synth that is there first and misses nothing."""
    synths: list[Synth] = []

    def begin(*options: str, **how: Any) -> tuple[Instrument, Synth]:
        synths.append(Synth(None))
        return start("--out", synths[-1].name, *options, **how), synths[-1]

    yield begin
    for synth in synths:
        synth.close()


def url(instrument: Instrument) -> str:
    """Where it is controlled from."""
    return instrument.err.split("panel is at ")[1].split()[0]


def status(instrument: Instrument) -> dict[str, Any]:
    """What it says of itself."""
    with urllib.request.urlopen(f"{url(instrument)}/api/status", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def kept(places: Path) -> list[Path]:
    """The recordings that there are."""
    return sorted((places / "state" / "liveperf" / "recordings").glob("*"))


def replace(file: Path, text: str) -> None:
    """Write a file anew, whole at once."""
    new = file.with_name("new")
    new.write_text(text)
    new.rename(file)


def notes_of(file: Path) -> dict[str, list[int]]:
    """The pitches of each track of a MIDI file."""
    tracks = {track.name: track for track in mido.MidiFile(file).tracks}
    return {
        name: [one.note for one in tracks[name] if one.type == "note_on" and one.velocity > 0] for name in TRACKS
    }


def struck(keyboard: Keyboard, synth: Synth) -> bool:
    """Strike a key; whether any was heard."""
    keyboard.press(60)
    time.sleep(0.05)
    keyboard.lift(60)
    return bool(synth.onsets(1))


THREADS = {
    "engine": ("dies", "sleeps", "spins"),
    "output": ("dies", "sleeps"),
    "input": ("dies", "sleeps"),
    "ports": ("dies",),
    "recording": ("dies",),
    "control": ("dies", "sleeps"),
}


@pytest.mark.parametrize("fault", [f"{name} {what}" for name, kinds in THREADS.items() for what in kinds])
def test_a_thread_that_dies_or_is_stuck_costs_half_a_second_and_no_note_hangs(
    fault: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fault"
    monkeypatch.setenv(faults.VARIABLE, str(file))
    instrument, synth = stage("--mode", "solo", "--density", "12", program=faults.PROGRAM)
    until(lambda: len(synth.onsets()) > 10, 10, "it plays")
    replace(file, fault)
    if "control" in fault:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url(instrument), timeout=0.2)
    until(lambda: "started again" in instrument.err, 10, "it is noticed")
    assert fault.split()[0] in instrument.err and ("broken string" in instrument.err) == ("dies" in fault)
    before = len(synth.onsets())
    until(lambda: len(synth.onsets()) > before + 10, 10, "the music goes on")
    with contextlib.closing(Keyboard()) as keyboard:
        until(lambda: struck(keyboard, synth), 10, "a key is heard")
    assert status(instrument)["restarts"] == 1
    assert instrument.stop() == 0
    until(lambda: synth.silent, 0.2, "every note is released")


def test_a_thread_that_dies_again_and_again_ends_it_with_a_report(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fault"
    monkeypatch.setenv(faults.VARIABLE, str(file))
    instrument, synth = stage("--mode", "solo", program=faults.PROGRAM)
    for count in range(3):
        until(lambda: synth.sounding(), 10, "it plays")
        replace(file, "engine dies")
        until(lambda n=count: instrument.err.count("broken string") > n, 3, "it is noticed")  # type: ignore[misc]
    assert instrument.ended() == FAILED
    assert "no help" in instrument.err and instrument.err.count("started again") == 2
    until(lambda: synth.silent, 0.2, "every note is released")


def test_a_server_killed_five_times_costs_two_seconds_each_and_no_state(
    start: Start, jack: str, tmp_path: Path
) -> None:
    with Server(f"{jack}-mortal", tmp_path) as server:
        synth = Peer(tmp_path, SYNTH, "listener")
        instrument = start("--mode", "solo", "--density", "16", "--out", "listener")
        pid = status(instrument)["pid"]
        for count in range(5):
            until(lambda one=synth: one.heard, 5, "it plays")  # type: ignore[misc]
            server.kill()
            synth.kill()
            until(lambda n=count: instrument.err.count("is gone; w") > n, 3, "the loss is noticed")  # type: ignore[misc]
            server.start()
            synth = Peer(tmp_path, SYNTH, "listener")
            back = time.perf_counter()
            until(lambda one=synth: one.heard, 4, "it plays on")  # type: ignore[misc]
            assert time.perf_counter() - back < 4  # 2 s, and the synth has to come back as well
        found = status(instrument)
        assert found["pid"] == pid and found["restarts"] == 0 and found["reconnects"] >= 5
        asked = time.perf_counter()
        instrument.signal(signal.SIGTERM)
        assert instrument.process.wait(3) == 0
        assert time.perf_counter() - asked < 2
        synth.kill()


def test_a_keyboard_that_dies_with_keys_down_lifts_them(stage: Stage) -> None:
    code = (
        "import contextlib, sys\nfrom tests.jack import Keyboard\n"
        "keyboard = Keyboard(None)\nprint(keyboard.name, flush=True)\n"
        "sys.stdin.readline()\nkeyboard.press(36, 43, 48)\n"
        "keyboard.send('control_change', control=64, value=127)\nsys.stdin.read()"
    )
    player = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert player.stdin and player.stdout
    try:
        name = player.stdout.readline().strip()
        instrument, synth = stage("--in", name)
        player.stdin.write("\n")
        player.stdin.flush()
        until(lambda: synth.sounding(1) == {36, 43, 48}, 5, "the chord sounds")
        player.kill()
        until(lambda: not synth.sounding(1), 2, "the keys are lifted")
        until(synth.onsets, 5, "the phrase that was cut off is answered")
        assert "is gone; waiting for it" in instrument.err
        assert instrument.stop() == 0
    finally:
        player.kill()
        player.wait()
        player.stdin.close()
        player.stdout.close()


def test_a_port_that_is_not_there_is_waited_for(start: Start) -> None:
    instrument = start("--in", "Nord", "--in", "latecomer")
    assert "waiting for the MIDI input 'Nord'" in instrument.err
    synth = Synth()
    keyboard = Keyboard(None)
    late = Keyboard.__new__(Keyboard)
    super(Keyboard, late).__init__(type(keyboard.port), "latecomer")
    late.open(None)
    until(lambda: "latecomer" in instrument.err.split("-C ends it")[1], 2, "it is found")

    def heard() -> bool:
        late.press(60)
        late.lift(60)
        return bool(synth.onsets(1))

    until(heard, 2, "its keys are heard")
    for port in (keyboard, late, synth):
        port.close()
    assert instrument.stop() == 0


def test_after_kill_9_at_most_a_second_is_missing(
    stage: Stage, start: Start, places: Path, tmp_path: Path
) -> None:
    instrument, synth = stage("--mode", "solo", "--density", "12")
    keyboard = Keyboard()
    linked(keyboard, synth)
    keyboard.phrase(60, 62, 64)
    until(lambda: len(synth.onsets()) > 30, 20, "it plays")
    instrument.process.kill()
    killed = time.perf_counter()
    instrument.process.wait()
    heard = [pitch for at, pitch in synth.onsets() if at < killed - 1.0]
    (name,) = [path.stem for path in kept(places)]
    done = liveperf("recordings", "export", name, str(tmp_path / "last.mid"))
    assert done.returncode == 0, done.stderr
    notes = notes_of(tmp_path / "last.mid")
    assert notes["human"] == [60, 62, 64]
    assert notes["machine"][: len(heard)] == heard and len(heard) > 10
    keyboard.close()
    again = start("--mode", "solo")  # the place is free
    assert again.stop() == 0


SILENCE = [[0xB0 + channel, number, 0] for channel in range(16) for number in (64, 123, 120)]


def test_after_kill_9_the_next_ends_what_hangs(stage: Stage, start: Start, jackd: Server) -> None:
    died, synth = stage("--mode", "solo", "--density", "12")
    until(synth.sounding, 20, "it plays")
    died.process.kill()
    died.process.wait()
    until(lambda: jackd.works, 10, "the server has got over it")
    until(lambda: time.perf_counter() - synth.heard[-1][0] > 0.3, 10, "what was sent has come")
    before = len(synth.heard)
    again = start("--out", synth.name, "--mode", "answer")
    assert again.err.count("what may still sound is ended where it plays") == 1
    until(lambda: len(synth.heard) >= before + len(SILENCE), 3, "it is told to end all")
    assert again.stop() == 0
    third = start("--out", synth.name, "--mode", "answer")
    assert "what may still sound" not in third.err and third.stop() == 0
    assert [message.bytes() for _, message in synth.heard[before:]] == SILENCE  # once


@pytest.mark.parametrize("virtual", [False, True], ids=["named", "connected"])
def test_after_kill_9_a_synth_that_comes_later_is_put_right_too(
    virtual: bool, start: Start, jack: str, tmp_path: Path
) -> None:
    died = start("--mode", "answer")
    died.process.kill()
    died.process.wait()
    again = start("--mode", "answer", *(() if virtual else ("--out", "latecomer")))
    synth = Peer(tmp_path, SYNTH, "latecomer")
    try:
        if virtual:
            connect("liveperf-out:liveperf", "latecomer:port")
        until(lambda: len(synth.heard) >= len(SILENCE), 3, "it is told to end all")
        assert again.stop() == 0
        assert synth.heard == SILENCE
    finally:
        synth.kill()


def test_a_second_instrument_says_who_has_the_place(start: Start) -> None:
    first = start()
    done = liveperf("play", "--backend", "jack")
    assert done.returncode == 3 and len(done.stderr.splitlines()) == 1
    assert str(first.process.pid) in done.stderr and "--name" in done.stderr
    second = start("--name", "left")
    assert status(second)["name"] == "left"
    assert second.process.poll() is None and first.stop() == 0
    assert second.process.poll() is None
    second.end()


def test_the_setup_is_read_again_without_losing_a_note(stage: Stage, tmp_path: Path) -> None:
    setup = tmp_path / "setup.yaml"
    setup.write_text("mode: solo\ndensity: 12\ntemperature: 0.9\nhighest_pitch: 100\n")
    instrument, synth = stage("--config", str(setup))
    until(synth.onsets, 10, "it plays")
    assert liveperf("set", "temperature", "0.8").returncode == 0
    replace(setup, "mode: solo\ndensity: 12\ntemperature: 0.9\nhighest_pitch: 50\n")
    with contextlib.closing(Keyboard()) as keyboard:
        until(lambda: struck(keyboard, synth), 10, "a key is heard")
        until(lambda: not synth.sounding(1), 5, "it ends")
        before, pitches = len(synth.onsets(1)), list(range(60, 80))
        for pitch in pitches:  # under load: it plays 12 notes a second, and the human twice as many
            keyboard.press(pitch)
            instrument.signal(signal.SIGHUP)
            time.sleep(0.02)
            keyboard.lift(pitch)
            time.sleep(0.02)
        until(lambda: len(synth.onsets(1)) >= before + len(pitches), 5, "his notes are heard")
        assert [pitch for _, pitch in synth.onsets(1)[before:]] == pitches
        until(lambda: not synth.sounding(1), 5, "and end")
    until(lambda: status(instrument)["params"]["highest_pitch"] == 50, 3, "it is read")
    assert status(instrument)["params"]["temperature"] == 0.8  # which the file had not changed
    replace(setup, "mood: blue\n")
    instrument.signal(signal.SIGHUP)
    until(lambda: "unknown key 'mood'" in instrument.err, 3, "it is refused")
    after = time.perf_counter() + 0.3
    until(lambda: len([1 for at, _ in synth.onsets() if at > after]) > 10, 10, "it plays on")
    assert all(pitch <= 50 for at, pitch in synth.onsets() if at > after)
    found = status(instrument)
    assert found["restarts"] == 0 and found["params"]["highest_pitch"] == 50
    replace(setup, f"mode: solo\ninput: {Keyboard.__name__}\nchannel: 5\n")
    instrument.signal(signal.SIGHUP)
    until(lambda: "waiting for the MIDI input" in instrument.err, 4, "other ports are taken")
    assert instrument.stop() == 0


def test_it_is_steered_from_the_command_line(stage: Stage) -> None:
    instrument, synth = stage("--mode", "solo")
    until(synth.sounding, 10, "it plays")
    assert "solo" in liveperf("status").stdout
    assert json.loads(liveperf("status", "--json").stdout)["pid"] == instrument.process.pid
    assert liveperf("mode", "answer").returncode == 0
    until(lambda: synth.rests(0.3), 3, "it listens")
    assert liveperf("turn").returncode == 0
    until(synth.sounding, 3, "it has the turn")
    assert liveperf("panic").returncode == 0
    until(lambda: not synth.sounding(), 1, "every note is ended")
    assert liveperf("preset", "duet").returncode == 0
    until(lambda: status(instrument)["mode"] == "duet", 3, "the preset is taken")
    refused = liveperf("set", "density", "many")
    assert refused.returncode == 2 and "density" in refused.stderr
    assert liveperf("stop").returncode == 0
    assert instrument.ended(2) == 0
    gone = liveperf("status")
    assert gone.returncode == 3 and len(gone.stderr.splitlines()) == 1
