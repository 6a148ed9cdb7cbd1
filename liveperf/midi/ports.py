"""MIDI ports and backends: the only import of rtmidi."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mido
import rtmidi

from liveperf.errors import NOT_STARTED, LiveperfError
from liveperf.midi.jackwatch import IS_INPUT, IS_OUTPUT, JackWatch, Library, RingGuard
from liveperf.system.loop import Loop

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


class PortError(LiveperfError):
    """The outside world: a backend or a port that is not there; the message says what is and how to get it."""

    exit_code = NOT_STARTED


class BuildError(PortError):
    """A backend that is not in this machine's build of RtMidi: there is no use in waiting for it."""


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
        return RtMidiOutput(self, wanted, self.client(purpose))

    def patchbay(self, name: str = NAME) -> Patchbay:
        """A lasting look at the ports; opens nothing yet. name: of the program."""
        return Patchbay(self, name)

    def client(self, purpose: str, name: str = NAME) -> str:
        """The name of the client that has a port. JACK has one for each port, the others show all under one."""
        return f"{name}-{purpose}" if self.name == "jack" else name


class Source:
    """An opened port that keeps what comes in until somebody looks."""

    def __init__(self, backend: Backend, wanted: str | None, client: str, label: str = NAME) -> None:
        with _quiet():
            self._port = _client_of(rtmidi.MidiIn, backend.api, name=client, queue_size_limit=QUEUE_SIZE)
            self._port.ignore_types(sysex=True, timing=False, active_sense=True)
            self.name = _open(self._port, backend, wanted, "input", client, label)

    def messages(self) -> list[mido.Message]:
        """What has come in since the last call. One thread at a time; does not block."""
        messages = []
        while (event := self._port.get_message()) is not None:
            try:
                messages.append(mido.Message.from_bytes(event[0]))
            except (ValueError, LookupError):
                continue  # not a MIDI message: a damaged byte stream
        return messages

    def close(self) -> None:
        """Close. This may block for seconds, and the interpreter with it (JACK)."""
        with _quiet():
            self._port.close_port()
            self._port.delete()


class InputPort:
    """A port that calls back for each message it receives, from a thread of its own.

    RtMidi could call back itself, but from the MIDI system's thread, which it cancels (JACK) or joins (ALSA) on
    closing without letting the interpreter lock go: a note in that moment would hang the process, and its notes.
    """

    def __init__(self, backend: Backend, wanted: str | None, callback: Callback) -> None:
        self._callback = callback
        self._source = Source(backend, wanted, backend.client("in"))
        self.name = self._source.name
        self._loop = Loop("liveperf-input", self._poll, POLL_S, PRIORITY)
        self._loop.start()

    def _poll(self) -> None:
        for message in self._source.messages():
            self._callback(message)

    def close(self) -> None:
        """Listen no more, and close. This may block for seconds, and the interpreter with it (JACK)."""
        self._loop.stop()
        self._source.close()


class RtMidiOutput:
    """A port to send to."""

    def __init__(
        self,
        backend: Backend,
        wanted: str | None,
        client: str,
        label: str = NAME,
        admit: Callable[[int], bool] = lambda size: True,
    ) -> None:
        """admit: whether a message of so many bytes can be sent without waiting."""
        self._admit = admit
        with _quiet():
            self._port = _client_of(rtmidi.MidiOut, backend.api, name=client)
            self.name = _open(self._port, backend, wanted, "output", client, label)

    def send(self, message: mido.Message) -> None:
        """Send now. Raises PortError when it would have to wait, RtMidiError when the port is gone."""
        data = message.bytes()
        if not self._admit(len(data)):
            raise PortError(f"{self.name} takes nothing any more")
        self._port.send_message(data)

    def close(self) -> None:
        """Close; RtMidi lets what was sent leave first."""
        with _quiet():
            self._port.close_port()
            self._port.delete()


@dataclass(frozen=True)
class Seen:
    """The ports that are there: those that one can listen to, and those that one can send to."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Patchbay:
    """What is plugged in, seen through clients that are kept, and ports that are opened beside them. One thread.

    A JACK server may go and come; other systems are taken to be always there.
    """

    def __init__(self, backend: Backend, name: str) -> None:
        self.name, self.virtual = backend.name, backend.virtual
        self._backend, self._label = backend, name
        library = Library.of(rtmidi._rtmidi.__file__) if backend.name == "jack" else None
        self._watch = JackWatch(library, f"{name}-watch") if library else None
        self._lists: tuple[Any, Any] | None = None

    def look(self) -> Seen | None:
        """The ports; None when there is no server, or not the one there was: close all ports and this."""
        if self._watch is not None:
            if not self._watch.open():
                return None
            return Seen(self._watch.ports(IS_OUTPUT), self._watch.ports(IS_INPUT))
        try:
            if self._lists is None:
                client = self._backend.client("list", self._label)
                with _quiet():
                    api = self._backend.api
                    self._lists = rtmidi.MidiIn(api, name=client), rtmidi.MidiOut(api, name=client)
            inputs, outputs = (tuple(_port_names(port, delete=False)) for port in self._lists)
        except (rtmidi.RtMidiError, SystemError):
            return None
        return Seen(inputs, outputs)

    def frame(self) -> int | None:
        """A number that stands still when the server does; None where that cannot be known. After a look."""
        return self._watch.frame() if self._watch else None

    def linked(self, one: str, other: str) -> bool:
        """Whether two ports are connected, as far as that can be known."""
        return other in self._watch.links(one) if self._watch else True

    def links(self, name: str) -> tuple[str, ...]:
        """The ports that a port is connected to; none where that cannot be known."""
        return self._watch.links(name) if self._watch else ()

    def owner(self, name: str) -> str:
        """Who a port belongs to: somebody else, each time that its program is started; empty if nobody knows."""
        return self._watch.owner(name) if self._watch else ""

    def connect(self, source: str, target: str) -> bool:
        """Connect a port that sends to one that receives; whether they are connected. The server may block it."""
        return self._watch is not None and self._watch.connect(source, target)

    def open_input(self, name: str | None, purpose: str) -> Source:
        """Listen to a port, or make a virtual one (None). Raises PortError."""
        return Source(self._backend, name, self._backend.client(purpose, self._label), self._label)

    def open_output(self, name: str | None, purpose: str) -> RtMidiOutput:
        """Send to a port, or make a virtual one (None). Raises PortError."""
        client = self._backend.client(purpose, self._label)
        if self._watch is None:
            return RtMidiOutput(self._backend, name, client, self._label)
        return RtMidiOutput(self._backend, name, client, self._label, RingGuard(self._watch.frame).admit)

    def close(self) -> None:
        """Close what looks; `look` begins anew. After the ports."""
        if self._watch is not None:
            self._watch.close()
        with _quiet():
            for port in self._lists or ():
                port.delete()
        self._lists = None


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
        except (rtmidi.RtMidiError, SystemError):
            found[name] = remedy
        else:
            found[name] = backend
    return found


def choose(name: str | None) -> Backend:
    """A backend by name, or the first that works; PortError says what is missing, BuildError that it stays so."""
    found = available()
    if name is not None and name not in found:
        has = ", ".join(found) or "none"
        raise BuildError(f"MIDI backend {name} does not work here: this machine's build of RtMidi has {has}")
    for backend in found.values() if name is None else [found[name]]:
        if isinstance(backend, Backend):
            return backend
    if name is not None:
        raise PortError(f"MIDI backend {name} does not work here: {found[name]}")
    if not found:
        raise BuildError("no MIDI system works here. RtMidi was built without one")
    missing = "; ".join(f"{name}: {remedy}" for name, remedy in found.items())
    raise PortError(f"no MIDI system works here. {missing}")


def _client_of(kind: Any, api: int, **options: Any) -> Any:
    """A client of the MIDI system. PortError where it is refused, for which rtmidi has two kinds of error."""
    try:
        return kind(api, **options)
    except (rtmidi.RtMidiError, SystemError) as error:
        raise PortError(f"the MIDI system refuses {options['name']!r}: {error}") from error


def _open(port: Any, backend: Backend, wanted: str | None, kind: str, client: str, label: str) -> str:
    """Open a virtual port, or the first that matches; returns its name. The client is gone after a PortError."""
    try:
        return _find_and_open(port, backend, wanted, kind, client, label)
    except PortError:
        port.delete()  # a JACK server would wait for a client that has ended without a word
        raise


def _find_and_open(port: Any, backend: Backend, wanted: str | None, kind: str, client: str, label: str) -> str:
    try:
        if wanted is None:
            if not backend.virtual:
                remedy = "install loopMIDI, then name its ports with --in and --out"
                raise PortError(f"{backend.name} has no virtual ports: {remedy}")
            port.open_virtual_port(label)
            return f"{client}:{label}"
        names = _port_names(port, delete=False)
        for name in [name for name in names if name == wanted] or names:
            if wanted.lower() in name.lower():
                port.open_port(names.index(name), label)
                return name
    except (rtmidi.RtMidiError, SystemError) as error:
        raise PortError(f"cannot open MIDI {kind} {wanted or label!r}: {error}") from error
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
