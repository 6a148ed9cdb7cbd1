"""MIDI ports and backends: the only import of rtmidi."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import mido
import rtmidi

from liveperf.clock import prefer_this_thread, sleep

NAME = "liveperf"
POLL_S = 0.001  # how often an input looks for messages
PRIORITY = 20  # it only ever works briefly
QUEUE_SIZE = 1 << 14  # messages that wait in the meantime
Callback = Callable[[mido.Message], None]

# name -> (RtMidi's name of the interface, whether it has virtual ports, how to get it)
_BACKENDS = {
    "alsa": (
        "alsa",
        True,
        "no ALSA sequencer: `sudo modprobe snd-seq`; in a container or on a system without sound, use JACK",
    ),
    "jack": (
        "jack",
        True,
        "no JACK server: start PipeWire (with pipewire-jack), or `jackd -d alsa` (Debian: apt install jackd2)",
    ),
    "coremidi": ("coremidi", True, "CoreMIDI is part of macOS; start Audio MIDI Setup once"),
    "winmm": ("windowsmm", False, "Windows MIDI is part of Windows; loopMIDI adds ports between programs"),
}
_looks = itertools.count()


class PortError(Exception):
    """The outside world: a backend or a port that is not there; the message says what is and how to get it."""


class OutputPort(Protocol):
    """Where messages go."""

    name: str

    def send(self, message: mido.Message) -> None:
        """Send a message now. Output thread; does not block."""

    def close(self) -> None:
        """Let everything that was sent leave, then close."""


@dataclass(frozen=True)
class Backend:
    """A MIDI interface of this machine that works."""

    name: str
    api: int
    virtual: bool

    def inputs(self) -> list[str]:
        """Names of the ports one can listen to."""
        with _quiet():
            return _port_names(rtmidi.MidiIn(self.api, name=_passing_name()))

    def outputs(self) -> list[str]:
        """Names of the ports one can send to."""
        with _quiet():
            return _port_names(rtmidi.MidiOut(self.api, name=_passing_name()))

    def open_input(self, wanted: str | None, callback: Callback) -> InputPort:
        """Listen to the first port whose name holds `wanted`, or make a virtual one (None).

        callback gets each message within POLL_S, in the port's own thread.
        """
        return InputPort(self, wanted, callback)

    def open_output(self, wanted: str | None, purpose: str = "out") -> RtMidiOutput:
        """Send to the first port whose name holds `wanted`, or make a virtual one (None)."""
        return RtMidiOutput(self, wanted, purpose)

    def _client(self, direction: str) -> str:
        # JACK renames a second client of one name to liveperf-01; the others show both ports under one.
        return f"{NAME}-{direction}" if self.name == "jack" else NAME


class InputPort:
    """A port that calls back for each message it receives, from a thread of its own.

    RtMidi could call back itself, but from the MIDI system's thread, which it cancels (JACK) or joins (ALSA) on
    closing without letting the interpreter lock go: a note in that moment would hang the process, and its notes.
    """

    def __init__(self, backend: Backend, wanted: str | None, callback: Callback) -> None:
        self._callback = callback
        with _quiet():
            self._port = rtmidi.MidiIn(backend.api, name=backend._client("in"), queue_size_limit=QUEUE_SIZE)
            self._port.ignore_types(sysex=True, timing=False, active_sense=True)
            self.name = _open(self._port, backend, wanted, "input")
        self._listening = True
        self._thread = threading.Thread(target=self._listen, name="liveperf-input", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        prefer_this_thread(PRIORITY)
        while self._listening:
            while (event := self._port.get_message()) is not None:
                self._receive(event[0])
            sleep(POLL_S)

    def _receive(self, data: list[int]) -> None:
        try:
            message = mido.Message.from_bytes(data)
        except (ValueError, LookupError):
            return  # not a MIDI message: a damaged byte stream
        self._callback(message)

    def stop(self) -> None:
        """Stop listening; nothing is called back afterwards. Takes a millisecond or so."""
        self._listening = False
        self._thread.join()

    def close(self) -> None:
        """Stop listening and close. This may block for seconds, and the interpreter with it (JACK)."""
        self.stop()
        with _quiet():
            self._port.close_port()
            self._port.delete()


class RtMidiOutput:
    """A port to send to."""

    def __init__(self, backend: Backend, wanted: str | None, purpose: str = "out") -> None:
        with _quiet():
            self._port = rtmidi.MidiOut(backend.api, name=backend._client(purpose))
            self.name = _open(self._port, backend, wanted, "output")

    def send(self, message: mido.Message) -> None:
        """Send now."""
        self._port.send_message(message.bytes())

    def close(self) -> None:
        """Close; RtMidi lets what was sent leave first."""
        with _quiet():
            self._port.close_port()
            self._port.delete()


def available() -> dict[str, Backend | str]:
    """Each backend that this machine could have: itself if it works, else what is missing."""
    found: dict[str, Backend | str] = {}
    compiled = {rtmidi.get_api_name(api): api for api in rtmidi.get_compiled_api()}
    for name, (api_name, virtual, remedy) in _BACKENDS.items():
        if api_name not in compiled:
            continue
        backend = Backend(name, compiled[api_name], virtual)
        try:
            backend.outputs()
        except rtmidi.RtMidiError:
            found[name] = remedy
        else:
            found[name] = backend
    return found


def choose(name: str | None) -> Backend:
    """A backend by name, or the first that works; PortError says what is missing."""
    found = available()
    if name is not None:
        backend = found.get(name, f"this machine's build of RtMidi has {', '.join(found) or 'none'}")
        if isinstance(backend, str):
            raise PortError(f"MIDI backend {name} does not work here: {backend}")
        return backend
    for backend in found.values():
        if isinstance(backend, Backend):
            return backend
    missing = "; ".join(f"{name}: {remedy}" for name, remedy in found.items())
    raise PortError(f"no MIDI system works here. {missing or 'RtMidi was built without one'}")


def _open(port: Any, backend: Backend, wanted: str | None, kind: str) -> str:
    """Open a virtual port, or the first that matches; returns its name. The client is gone after a PortError."""
    try:
        return _find_and_open(port, backend, wanted, kind)
    except PortError:
        port.delete()  # a JACK server would wait for a client that has ended without a word
        raise


def _find_and_open(port: Any, backend: Backend, wanted: str | None, kind: str) -> str:
    try:
        if wanted is None:
            if not backend.virtual:
                remedy = "install loopMIDI, then name its ports with --in and --out"
                raise PortError(f"{backend.name} has no virtual ports: {remedy}")
            port.open_virtual_port(NAME)
            return f"{backend._client('in' if kind == 'input' else 'out')}:{NAME}"
        names = _port_names(port, delete=False)
        for index, name in enumerate(names):
            if wanted.lower() in name.lower():
                port.open_port(index, NAME)
                return name
    except rtmidi.RtMidiError as error:
        raise PortError(f"cannot open MIDI {kind} {wanted or NAME!r}: {error}") from error
    found = ", ".join(repr(name) for name in names) or "none"
    raise PortError(f"no MIDI {kind} matches {wanted!r}; found: {found}")


def _passing_name() -> str:
    """A name for a client that only looks: jackd now and then refuses one whose namesake has just left."""
    return f"{NAME}-list-{os.getpid()}-{next(_looks)}"


def _port_names(port: Any, delete: bool = True) -> list[str]:
    names = [str(name) for name in port.get_ports()]
    if delete:
        port.delete()
    return names


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the MIDI libraries print to the terminal from the musician; errors come as exceptions."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # no stderr to keep quiet
        yield
        return
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
