"""Real ports: how it starts, what it says, and that it ends without a note that hangs."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.jack import Instrument, Keyboard, Server, Synth, instrument_ports, liveperf, until

pytestmark = pytest.mark.jack

Play: TypeAlias = Callable[..., tuple[Instrument, Keyboard, Synth]]

CHORD = (36, 43, 48)
NOT_STARTED = 3


@pytest.fixture
def keyboard(jack: str) -> Iterator[Keyboard]:
    """A keyboard that nobody is connected to yet."""
    with contextlib.closing(Keyboard(None)) as port:
        yield port


@pytest.fixture
def synth(jack: str) -> Iterator[Synth]:
    """A synth that nobody is connected to yet."""
    with contextlib.closing(Synth(None)) as port:
        yield port


def test_it_is_ready_soon_and_says_what_to_connect(play: Play) -> None:
    instrument, _, _ = play()
    assert time.perf_counter() - instrument.started < 10
    lines = instrument.out.splitlines()
    assert len(lines) <= 3
    assert "liveperf-in:liveperf" in instrument.out and "liveperf-out:liveperf" in instrument.out
    assert instrument.err == ""
    assert instrument.stop() == 0


@pytest.mark.parametrize("signals", [["SIGTERM"], ["SIGINT"], ["SIGINT", "SIGINT"]], ids="-".join)
def test_a_signal_in_the_middle_of_a_chord_leaves_no_note(play: Play, signals: list[str]) -> None:
    instrument, keyboard, synth = play("--mode", "solo", early=True)
    keyboard.send("control_change", control=64, value=127)
    keyboard.press(*CHORD)
    until(lambda: synth.sounding(1) == set(CHORD) and synth.sounding(), 5, "human and machine sound")
    asked = time.perf_counter()
    for name in signals:
        instrument.signal(signal.Signals[name])
        time.sleep(0.005)
    assert instrument.process.wait(5) == 0
    assert time.perf_counter() - asked < 1.0
    until(lambda: synth.silent, 0.1, "every note is released")
    assert instrument.ended() == 0
    pedal = [m.value for _, m in synth.heard if m.type == "control_change" and m.control == 64]
    assert pedal == [127, 0]
    assert instrument.err == ""


def test_a_second_ctrl_c_at_any_time_changes_nothing(play: Play) -> None:
    for delay_s in (0.1, 0.14, 0.18, 0.22):
        instrument, _, _ = play()
        instrument.signal(signal.SIGINT)
        time.sleep(delay_s)
        with contextlib.suppress(ProcessLookupError):
            instrument.signal(signal.SIGINT)
        assert instrument.ended(1.0) == 0 and instrument.err == ""


@pytest.mark.parametrize("noticed", [False, True], ids=["not noticed yet", "noticed"])
def test_a_server_that_stands_still_does_not_keep_it_and_that_is_said(
    noticed: bool, jack: str, tmp_path: Path
) -> None:
    with Server(f"{jack}-frozen", tmp_path) as frozen:
        instrument = Instrument(tmp_path, "--mode", "solo")
        try:
            instrument.ready()
            time.sleep(1.0)  # the server has been seen to move
            frozen.signal(signal.SIGSTOP)
            if noticed:
                until(lambda: "stands still; waiting for it" in instrument.out, 10, "it is noticed")
            asked = instrument.signal(signal.SIGTERM)
            assert instrument.process.wait(10) == 0
            assert time.perf_counter() - asked < 1.5
            assert ("stands still; waiting for it" in instrument.out) is noticed
            assert len(instrument.err.splitlines()) == 1
            assert "stands still: its ports are left open, and what sounded there may hang" in instrument.err
        finally:
            instrument.end()


def test_it_ends_while_somebody_plays_like_mad(play: Play) -> None:
    instrument, keyboard, synth = play("--mode", "solo", early=True)
    until(synth.sounding, 5, "it plays")
    ended = threading.Event()

    def hammer() -> None:
        while not ended.is_set():
            for _ in range(10):
                keyboard.press(*CHORD)
                keyboard.lift(*CHORD)
            time.sleep(0.001)

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        until(lambda: len(synth.onsets(1)) > 1_000, 5, "it listens")
        instrument.signal(signal.SIGTERM)
        assert instrument.ended(2.0) == 0
    finally:
        ended.set()
        thread.join()
    until(lambda: synth.silent, 0.1, "every note is released")
    assert instrument.err == ""


def test_note_offs_leave_even_when_the_period_is_long(jack: str, tmp_path: Path) -> None:
    with Server(f"{jack}-slow", tmp_path, period=4096), contextlib.closing(Synth(None)) as synth:
        instrument = Instrument(tmp_path, "--mode", "solo", "--out", synth.name, "--channel", "2")
        try:
            instrument.ready()
            until(synth.sounding, 5, "it plays")
            assert instrument.stop() == 0
        finally:
            instrument.end()
        assert synth.silent


@pytest.mark.parametrize("option", ["--in", "--out"])
def test_a_port_that_is_not_there_is_waited_for_and_said(keyboard: Keyboard, synth: Synth, option: str) -> None:
    there = keyboard.name if option == "--in" else synth.name
    done = liveperf("play", "--backend", "jack", option, "Nord", "--duration", "1")
    assert done.returncode == 0 and done.stderr == ""
    waits = [line for line in done.stdout.splitlines() if line.startswith("waiting for")]
    assert len(waits) == 1 and "'Nord'" in waits[0] and there in waits[0]
    assert instrument_ports() == []


def test_without_a_server_it_says_what_is_missing(jack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"{jack}-none")
    done = liveperf("play", "--backend", "jack")
    assert done.returncode == NOT_STARTED
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert "JACK" in done.stderr and "pipewire-jack" in done.stderr


def test_ports_lists_what_is_there(keyboard: Keyboard, synth: Synth) -> None:
    done = liveperf("ports")
    assert done.returncode == 0
    inputs = [line for line in done.stdout.splitlines() if "--in" in line]
    outputs = [line for line in done.stdout.splitlines() if "--out" in line]
    assert any(keyboard.name in line for line in inputs)
    assert any(synth.name in line for line in outputs)


def test_doctor_has_a_verdict_on_each_thing(jack: str) -> None:
    done = liveperf("doctor", "--backend", "jack")
    assert done.returncode in (0, 1)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    verdicts = [line for line in lines if line.startswith(("ok ", "!! "))]
    for what in ("MIDI backend", "virtual ports", "real-time priority", "model step", "output lateness"):
        assert sum(what + ":" in line for line in verdicts) == 1
    assert all(line in verdicts or line.startswith("     ") for line in lines)
    assert (done.returncode == 0) == all(line.startswith("ok ") for line in verdicts)
