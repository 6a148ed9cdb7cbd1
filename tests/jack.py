"""Real parts for the tests marked `jack`: a JACK server, the instrument as a process, ports to play and hear it.

No Python runs in JACK's threads here: RtMidi opens and closes clients without letting the interpreter lock go, so
that a callback would wait for it, and the whole graph for the callback, while messages are lost.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import mido
import pytest
import rtmidi

from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF
from tests import excuses

ROOT = Path(__file__).parents[1]
PERIOD = 64
IN, OUT = "liveperf-in:liveperf", "liveperf-out:liveperf"
_clients = itertools.count()
UNUSED = 119  # a control that is for nothing
MACHINE = 2  # the channel that the instrument plays on, so that its notes are not the human's (channel 1)


def missing(what: str) -> None:
    """Skip the test for want of something; in CI there is no such excuse."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")


def need(program: str) -> str:
    """The path of a program."""
    found = shutil.which(program)
    if found is None:
        missing(program)
    return str(found)


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for a condition to hold; returns what it came to. The test fails when it does not hold in time."""
    end = time.perf_counter() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.perf_counter() > end:
            pytest.fail(f"within {seconds:g} s: {what}")
        time.sleep(0.002)


def port_names() -> list[str]:
    """All MIDI ports of the JACK server."""
    names = []
    for kind in (rtmidi.MidiIn, rtmidi.MidiOut):
        client = kind(rtmidi.API_UNIX_JACK, name=_fresh("look"))
        try:
            names += client.get_ports()
        finally:
            client.delete()
    return names


def instrument_ports() -> list[str]:
    """The ports of the instrument that are open."""
    return [name for name in port_names() if "liveperf" in name]


def _fresh(name: str) -> str:
    """A client's name that was never used: jackd now and then refuses one whose namesake has just left."""
    return f"{name}{next(_clients)}"


class _Port:
    def __init__(self, kind: Any, client: str, **options: int) -> None:
        client = _fresh(client)
        self.port = kind(rtmidi.API_UNIX_JACK, name=client, **options)
        self.name = f"{client}:port"
        self._closed = False

    def open(self, other: str | None) -> None:
        """Connect to another's port, or wait for others to connect."""
        if other is None:
            self.port.open_virtual_port("port")
            return
        names = until(lambda: [n for n in self.port.get_ports() if n == other], 10, f"there is a port {other}")
        self.port.open_port(self.port.get_ports().index(names[0]), "port")

    def close(self) -> None:
        """Close, once; what was sent leaves first."""
        if not self._closed:
            self._closed = True
            self.port.close_port()
            self.port.delete()


class Keyboard(_Port):
    """What the human plays on."""

    def __init__(self, to: str | None = IN) -> None:
        super().__init__(rtmidi.MidiOut, "keyboard")
        self.open(to)

    def raw(self, data: list[int]) -> None:
        """Send bytes."""
        self.port.send_message(data)

    def send(self, kind: str, **values: int) -> None:
        """Send a message of mido's."""
        self.raw(mido.Message(kind, **values).bytes())

    def press(self, *pitches: int, velocity: int = 80) -> float:
        """Strike keys; returns when."""
        now = time.perf_counter()
        for pitch in pitches:
            self.send("note_on", note=pitch, velocity=velocity)
        return now

    def lift(self, *pitches: int) -> float:
        """Let keys go; returns when."""
        now = time.perf_counter()
        for pitch in pitches:
            self.send("note_off", note=pitch)
        return now

    def phrase(self, *pitches: int, every_s: float = 0.12) -> float:
        """Play one key after the other; returns when the last was let go."""
        at = time.perf_counter()
        for pitch in pitches:
            self.press(pitch)
            at += every_s
            time.sleep(max(at - time.perf_counter(), 0))
            ended = self.lift(pitch)
        return ended


class Synth(_Port):
    """What the instrument plays to: it remembers all messages and the time (s) of each, 2 ms late at most."""

    def __init__(self, source: str | None = OUT) -> None:
        self.heard: list[tuple[float, mido.Message]] = []
        self.garbage: list[list[int]] = []
        super().__init__(rtmidi.MidiIn, "synth", queue_size_limit=1 << 16)
        self.port.ignore_types(sysex=False, timing=False, active_sense=False)
        self.open(source)
        self._listening = True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        last, longest = time.perf_counter(), 0.0
        while self._listening:
            self._take()
            time.sleep(0.001)
            now = time.perf_counter()
            if now - last > longest:
                longest = now - last
                excuses.held_up(longest)
            last = now
        self._take()

    def _take(self) -> None:
        while (event := self.port.get_message()) is not None:
            try:
                self.heard.append((time.perf_counter(), mido.Message.from_bytes(event[0])))
            except (ValueError, LookupError):
                self.garbage.append(event[0])

    def close(self) -> None:
        """Hear nothing more."""
        self._listening = False
        self._thread.join()
        super().close()

    def notes(self, channel: int = MACHINE) -> list[tuple[float, mido.Message]]:
        """The notes of a channel (1 to 16) so far, and when they came."""
        return [
            (at, message)
            for at, message in list(self.heard)
            if message.type in ("note_on", "note_off") and message.channel == channel - 1
        ]

    def onsets(self, channel: int = MACHINE) -> list[tuple[float, int]]:
        """(when, pitch) of the note-ons of a channel so far."""
        return [(at, message.note) for at, message in self.notes(channel) if is_onset(message)]

    def sounding(self, channel: int = MACHINE) -> set[int]:
        """The pitches of a channel that sound now."""
        return {pitch for _, pitch in sounding(message for _, message in self.notes(channel))}

    @property
    def silent(self) -> bool:
        """Whether nothing sounds on any channel."""
        return not sounding(message for _, message in list(self.heard))

    def rests(self, seconds: float) -> bool:
        """Whether the machine has been silent for so long."""
        notes = self.notes()
        return not self.sounding() and bool(notes) and time.perf_counter() - notes[-1][0] > seconds


def linked(keyboard: Keyboard, synth: Synth, thru: bool = True) -> None:
    """Wait until what is played gets through: JACK may lose what is sent just as ports are connected.

    thru: whether the synth hears what the keyboard sends; it is then as if nothing had been sent.
    """
    if not thru:
        for port, name in ((IN, b"keyboard"), (OUT, b"synth")):
            until(partial(_is_linked, port, name), 10, f"{port} is linked")
        return
    values = itertools.count()

    def gets_through() -> bool:
        value = next(values)
        keyboard.send("control_change", control=UNUSED, value=value)
        end = time.perf_counter() + 0.2
        while time.perf_counter() < end:
            probes = [one for one in list(synth.heard) if _is_probe(one[1])]
            if any(message.value == value for _, message in probes):
                for one in probes:
                    synth.heard.remove(one)
                return True
            time.sleep(0.001)
        return False

    until(gets_through, 10, "what is played gets through")


def _is_linked(port: str, name: bytes) -> bool:
    return name in subprocess.run([need("jack_lsp"), "-c", port], capture_output=True, timeout=10).stdout


def _is_probe(message: mido.Message) -> bool:
    return bool(message.type == "control_change" and message.control == UNUSED)


def is_onset(message: mido.Message) -> bool:
    """Whether a note begins."""
    return bool(message.type == "note_on" and message.velocity > 0)


def sounding(messages: Iterable[mido.Message]) -> set[tuple[int, int]]:
    """(channel, pitch) of notes begun and not ended; AssertionError for an orphan or a doubled note.

    What All Notes Off has ended may be ended once more, by itself.
    """
    held: set[tuple[int, int]] = set()
    swept: set[tuple[int, int]] = set()
    for message in messages:
        if message.is_cc(ALL_NOTES_OFF) or message.is_cc(ALL_SOUND_OFF):
            swept |= {key for key in held if key[0] == message.channel}
            held -= swept
        if message.type not in ("note_on", "note_off"):
            continue
        key = (message.channel, message.note)
        if is_onset(message):
            assert key not in held, f"doubled {message}"
            held.add(key)
            swept.discard(key)
        else:
            assert key in held | swept, f"orphan {message}"
            (held if key in held else swept).remove(key)
    return held


def liveperf(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of liveperf's to its end."""
    command = [sys.executable, "-m", "liveperf", *arguments]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


class Instrument:
    """`liveperf play` as a process of its own."""

    def __init__(self, folder: Path, *options: str, program: tuple[str, ...] = ("-m", "liveperf")) -> None:
        """program: what Python is to run, which takes the command line."""
        self._out, self._err = folder / "stdout", folder / "stderr"
        command = [sys.executable, *program, "play", "--backend", "jack", "--seed", "1", *options]
        self.started = time.perf_counter()
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    @property
    def out(self) -> str:
        """What it has said so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it has complained of so far."""
        return self._err.read_text()

    def ready(self) -> None:
        """Wait until it says that it plays."""
        until(lambda: self.process.poll() is not None or self.out.count("\n") >= 3, 20, "it says what to connect")
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.err}"

    def signal(self, number: signal.Signals) -> float:
        """Send a signal; returns when."""
        now = time.perf_counter()
        self.process.send_signal(number)
        return now

    def ended(self, seconds: float = 5) -> int:
        """Its exit code, once it has ended and left no port behind."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it has not ended within {seconds:g} s")
        assert instrument_ports() == []
        return code

    def stop(self) -> int:
        """End it as a terminal would, and return its exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.ended()

    def end(self) -> None:
        """See to it that nothing is left of it, whatever has happened."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Server:
    """A JACK server without a sound card, which every JACK client started meanwhile finds; it can be killed.

    Synchronous: when the machine is busy a cycle comes late, instead of being skipped with the messages in it. The
    timeout (ms) counts tenfold for a client that has gone in the middle of a cycle.
    """

    def __init__(self, name: str, folder: Path, period: int = PERIOD) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._command = [need("jackd"), "--no-realtime", "--sync", "--timeout", "50", "-n", name]
        self._command += ["-d", "dummy", "-r", "48000", "-p", str(period)]
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[str, str | None] = {}
        self._still = False  # as it was told to stand still
        if rtmidi.API_UNIX_JACK not in rtmidi.get_compiled_api():
            missing("RtMidi with JACK")

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def start(self) -> float:
        """Start it; returns when it served. Until `end`, every JACK client started finds it."""
        if not self._before:
            self._before = {name: os.environ.get(name) for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")}
        os.environ.update(JACK_DEFAULT_SERVER=self.name, JACK_NO_START_SERVER="1")
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process = self._process
        until(lambda: process.poll() is not None or self._serves(), 10, "jackd serves")
        if process.poll() is not None:
            pytest.fail(f"jackd ended: {self.said}")
        return time.perf_counter()

    def _serves(self) -> bool:
        """Asked by a process of its own: this one may have clients of a server that is dead."""
        try:
            return subprocess.run(["jack_lsp"], capture_output=True, timeout=2).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    @property
    def works(self) -> bool:
        """Whether clients come and go as they should.

        One that was killed holds it up for two seconds; one that never answers, in each cycle for half a second.
        """
        for _ in range(5):
            begun = time.perf_counter()
            if self._serves() and time.perf_counter() - begun < 0.4:
                return True
        return False

    @property
    def said(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-800:]

    def signal(self, number: signal.Signals) -> float:
        """Send it a signal; returns when."""
        assert self._process is not None
        self._still = number == signal.SIGSTOP
        self._process.send_signal(number)
        return time.perf_counter()

    def kill(self) -> float:
        """End it without a word; returns when."""
        now = self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        return now

    def end(self) -> None:
        """See to it that nothing is left of it.

        JACK's registry holds eight servers, and one that was killed keeps its place until another of its name
        ends in good order.
        """
        try:
            if self._process is not None:
                if self._process.poll() is not None:
                    self.start()
                elif not self._still and not self.works:
                    excuses.stuck(f"{self.name}: {self.said}")
                self._terminate()
                if self._process.returncode != 0:
                    self.start()
                    self._terminate()
        finally:
            self._process = None
            for name, value in self._before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            self._before = {}
            for left in Path("/dev/shm").glob(f"jack*_{self.name}_*"):  # of clients that were killed
                left.unlink(missing_ok=True)

    def _terminate(self) -> None:
        assert self._process is not None
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
