"""`liveperf play` as others see it: from key to answer, start-up, memory."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import rtmidi

from liveperf.model import bundle
from liveperf.params import Params
from tests.bench.row import Aim, Row, Size
from tests.bench.speed import MODEL, ROOT

ANSWER = Row("last key up + gap -> first answering note received", "ms")
YIELD = Row("key during an answer -> its last note-off received", "ms")
START = Row("start-up of `play`", "s", Aim("median", most=1.5))
MEMORY = Row("resident memory of `play`", "MB")
OWN = Row("the same without what it shares with the JACK server", "MB", Aim("median", most=200))

MACHINE = 2  # its channel, so that its notes are not the human's


@contextlib.contextmanager
def jack_server() -> Iterator[str]:
    """A JACK server of our own for as long as it is wanted; yields why there is none, or nothing."""
    if shutil.which("jackd") is None:
        yield "jackd is not installed"
        return
    from tests import jack

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        why = ""
        try:
            with _quiet():
                stack.enter_context(jack.Server(f"bench{os.getpid()}", folder))
        except BaseException as error:  # pytest's failures are not Exceptions
            if isinstance(error, KeyboardInterrupt):
                raise
            why = f"JACK does not start: {' '.join(str(error).split())}"
        yield why


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what JACK's library says for as long as its server is not there."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def own_places() -> Iterator[Path]:
    """A folder that holds the user's places for the programs started meanwhile: his own are left alone.

    What else becomes of the environment is put back, too.
    """
    with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ):
        folder = Path(name)
        os.environ.update(XDG_STATE_HOME=str(folder / "state"), XDG_RUNTIME_DIR=str(folder / "run"))
        yield folder


class Ear:
    """Hears the instrument's output; each note is stamped in JACK's own thread, where nothing else holds it up."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bool, int]] = []  # when (s), whether it begins, pitch
        self._port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="ear")
        self._port.set_callback(self._receive)
        connect(self._port, "liveperf-out")

    def _receive(self, event: tuple[list[int], float], _: Any) -> None:
        now, (status, *values) = time.perf_counter(), event[0]
        if status & 0xEF == 0x80 | (MACHINE - 1):
            self.heard.append((now, status & 0x10 > 0 and values[1] > 0, values[0]))

    @property
    def sounding(self) -> bool:
        """Whether a note has begun and not ended."""
        return any({pitch: begins for _, begins, pitch in self.heard}.values())

    def close(self) -> None:
        """Hear nothing more."""
        self._port.close_port()
        self._port.delete()


class Keyboard:
    """What the human plays on."""

    def __init__(self) -> None:
        self._port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="keyboard")
        connect(self._port, "liveperf-in")

    def press(self, pitch: int) -> float:
        """Strike a key; returns when."""
        self._port.send_message([0x90, pitch, 80])
        return time.perf_counter()

    def lift(self, pitch: int) -> float:
        """Let a key go; returns when."""
        self._port.send_message([0x80, pitch, 0])
        return time.perf_counter()

    def turn(self, number: int, value: int) -> float:
        """Turn a knob; returns when."""
        now = time.perf_counter()
        self._port.send_message([0xB0, number, value])
        return now

    def close(self) -> None:
        """Play no more."""
        self._port.close_port()
        self._port.delete()


def connect(port: Any, wanted: str) -> None:
    """Connect to the first port whose name holds `wanted`."""
    names = port.get_ports()
    port.open_port(next(index for index, name in enumerate(names) if wanted in name), "port")


@contextlib.contextmanager
def playing(*options: str, code: str = "from liveperf.cli import main; main()") -> Iterator[tuple[int, float]]:
    """`liveperf play` as a process of its own, from its greeting on: its number, and when (s) it greeted."""
    command = [sys.executable, "-c", code, "play", "--model", MODEL, "--port", "0", *options]
    with own_places(), tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert process.stdout is not None
            greeted = process.stdout.readline()
            now = time.perf_counter()
            if not greeted:
                process.wait()
                errors.seek(0)
                raise RuntimeError(errors.read().strip())
            yield process.pid, now
        finally:
            process.terminate()
            process.communicate()


def keys(size: Size, no_jack: str) -> list[Row]:
    """A keyboard and an ear at `liveperf play`: phrases, their answers, and a key in the midst of each."""
    if no_jack:
        return [ANSWER.missing(no_jack), YIELD.missing(no_jack)]
    answered: list[float] = []
    yielded: list[float] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(playing("--backend", "jack", "--channel", str(MACHINE), "--seed", "1"))
        keyboard = stack.enter_context(contextlib.closing(Keyboard()))
        ear = stack.enter_context(contextlib.closing(Ear()))
        time.sleep(0.2)
        for _ in range(size.phrases):
            answered += _answer(keyboard, ear)
            time.sleep(0.7)
            yielded += _interrupt(keyboard, ear)
    step_ms = 1e3 / bundle.load(MODEL).card.vocabulary.steps_per_second
    note = "over JACK there and back, {} of {} {}; a step is {:g} ms"
    return [
        ANSWER.measured(answered, note.format(len(answered), size.phrases, "phrases", step_ms)),
        YIELD.measured(yielded, note.format(len(yielded), size.phrases, "keys", step_ms)),
    ]


def _answer(keyboard: Keyboard, ear: Ear) -> list[float]:
    """Play a phrase; how late the answer begins, ms. Nothing if none comes within five seconds."""
    for pitch in (60, 64, 67):
        keyboard.press(pitch)
        time.sleep(0.12)
        lifted = keyboard.lift(pitch)
    while time.perf_counter() < lifted + 5:
        onsets = [at for at, begins, _ in ear.heard if begins and at > lifted]
        if onsets:
            return [(onsets[0] - lifted - Params().turn_gap_s) * 1e3]
        time.sleep(0.01)
    return []


def _interrupt(keyboard: Keyboard, ear: Ear) -> list[float]:
    """Strike a key while a note sounds; how long the machine's notes go on, ms. Nothing if none sounded."""
    end = time.perf_counter() + 2
    while not ear.sounding and time.perf_counter() < end:
        time.sleep(0.01)
    pressed = keyboard.press(48)
    time.sleep(0.2)
    keyboard.lift(48)
    last = ear.heard[-1][0] if ear.heard else 0.0
    return [(last - pressed) * 1e3] if last > pressed and not ear.sounding else []


def program(size: Size, no_jack: str) -> list[Row]:
    """`liveperf play` from the outside: how soon it is ready, how large it is."""
    options = ["--mode", "solo", *([] if no_jack else ["--backend", "jack"])]
    taken, memory = [], [row.missing("this system does not tell it without more tools") for row in (MEMORY, OWN)]
    for index in range(-1, size.starts):  # the first to get warm
        start = time.perf_counter()
        with playing(*options) as (pid, greeted):
            last = index == size.starts - 1
            time.sleep(size.playing_s if last else 0.2)  # ended before it plays, it leaves JACK a dead client
            resident = resident_mb(pid) if last else None
        if index >= 0:
            taken.append(greeted - start)
    if resident is not None:
        total, shared = resident
        when = f"after {size.playing_s:g} s of playing alone"
        memory = [MEMORY.measured([total], when), OWN.measured([total - shared], when)]
    return [START.measured(taken, "from the command to its greeting; files in the system's cache"), *memory]


def resident_mb(pid: int) -> tuple[float, float] | None:
    """(resident memory of a process, how much of it JACK shares), MB of 10^6 bytes; None where it is not told."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
        return resident_kib(lines) * 1024 / 1e6, resident_kib(lines, "/dev/shm/jack") * 1024 / 1e6
    with contextlib.suppress(OSError, ValueError):
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
        return int(told.stdout) * 1024 / 1e6, 0.0
    return None


def resident_kib(smaps: list[str], file: str = "") -> int:
    """What is resident of the mappings of files whose names begin so, of all without one."""
    kib, counts = 0, True
    for line in smaps:
        first, *rest = line.split()
        if not first.endswith(":"):  # a mapping: its addresses, and four things before its file
            counts = " ".join(rest[4:]).startswith(file)
        elif first == "Rss:" and counts:
            kib += int(rest[0])
    return kib
