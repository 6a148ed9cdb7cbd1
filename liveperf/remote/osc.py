"""The table of parameters over OSC, for control surfaces that speak it. The only import of pythonosc (an extra).

/liveperf/density 4.0   /liveperf/mode solo   /liveperf/panic   /liveperf/turn   /liveperf/preset evening

OSC has no way to say who asks, so only this machine is listened to. Only single messages are read by the library:
its bundles may send it round in circles (a size below zero), and its dispatcher sleeps until the time they name.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.parsing import osc_types

from liveperf.clock import Clock, SystemClock
from liveperf.errors import NOT_STARTED, LiveperfError
from liveperf.params import ParamError, row_named
from liveperf.playing.desk import Desk, RefusedError
from liveperf.remote import orders
from liveperf.remote.guard import Bucket, is_loopback
from liveperf.system.loop import Loop

PREFIX = "/liveperf/"
PACKET_BYTES = 16 * 1024
RATE, BURST = 2000.0, 2000.0  # messages; twice what a fader sends that is swept at 1,000 Hz
BEAT_S = 0.1  # a sign of life at least this often
END_S = 0.5
DEPTH = 8  # of bundles in bundles
_BUNDLE, _HEAD_BYTES = b"#bundle\0", 16  # its name and its time, which is not waited for
_TYPES = set("ihfdsTF")


class OscError(LiveperfError):
    """OSC cannot be had like this; the message says what to do."""

    exit_code = NOT_STARTED


class Server:
    """Listens to OSC in a thread of its own. What makes no sense is counted and goes by."""

    def __init__(
        self,
        desk: Desk,
        port: int,
        host: str = "127.0.0.1",
        say: Callable[[str], None] = lambda text: None,
        clock: Clock | None = None,
    ) -> None:
        """port: of UDP; 0 for any that is free. say: told what goes wrong inside, in the server's thread.

        Raises OscError.
        """
        if not is_loopback(host):
            raise OscError(f"OSC at {host} would let everybody in who can reach it: take 127.0.0.1")
        if not 0 <= port <= 65535:
            raise OscError(f"port {port} is outside 0 to 65535")
        self.taken, self.ignored = 0, 0  # messages; read from any thread
        self._desk, self._say, self._clock = desk, say, clock or SystemClock()
        self._host, self._port = "127.0.0.1" if host == "localhost" else host.strip("[]"), port
        self._bucket = Bucket(RATE, BURST)
        self.loop = Loop("liveperf-osc", self._listen, 0.0)  # the thread, for those who look after it

    @property
    def port(self) -> int:
        """The port that it listens at, once it has started."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Listen from now on. Raises OscError if the port is taken."""
        self._socket = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((self._host, self._port))
        except OSError as error:
            self._socket.close()
            why = error.strerror or error
            raise OscError(
                f"cannot listen to OSC at {self._host} port {self._port}: {why}; take another"
            ) from None
        self._socket.settimeout(BEAT_S)
        self.loop.start()

    def stop(self) -> None:
        """Listen no more. May be called again."""
        if not self.loop.stop(0.0):
            with socket.socket(self._socket.family, socket.SOCK_DGRAM) as waker:
                waker.sendto(b"", self._socket.getsockname())
            self.loop.stop(END_S)
        self._socket.close()

    def _listen(self) -> None:
        try:
            packet = self._socket.recv(PACKET_BYTES)
        except TimeoutError:
            return
        except OSError:  # on Windows: one that is too long
            packet = b"?"
        self.take(packet)

    def take(self, packet: bytes) -> None:
        """Do what a packet says."""
        try:
            for message in _messages(packet):
                self._take(message)
        except _NonsenseError:
            self.ignored += 1

    def _take(self, data: bytes) -> None:
        try:
            if not self._bucket.take(self._clock.now()):
                raise _NonsenseError
            self._do(*_read(data))
            self.taken += 1
        except (ParamError, RefusedError, _NonsenseError):
            self.ignored += 1
        except Exception as error:
            self.ignored += 1
            self._say(f"OSC: {type(error).__name__}: {error}")

    def _do(self, address: str, said: list[Any]) -> None:
        if not address.startswith(PREFIX):
            raise _NonsenseError
        name, first = address[len(PREFIX) :], said[0] if said else None
        if name in orders.ACTS:
            if not said or first:  # a button sends 1 when it is pressed and 0 when it is let go
                self._desk.act(name)
        elif name == "preset":
            self._desk.preset(orders.preset(first))
        else:
            self._desk.set({name: orders.value(name, _rounded(name, first))})


class _NonsenseError(Exception):
    """A packet, or a message in it, that is not to be understood."""


def _rounded(name: str, said: Any) -> Any:
    """A fader's number: 7 digits are in it, and it knows no whole numbers."""
    if not isinstance(said, float) or not math.isfinite(said):
        return said
    return round(said) if row_named(name).kind is int else float(f"{said:.7g}")


def _messages(packet: bytes, depth: int = 0) -> Iterator[bytes]:
    """The messages of a packet: it is one, or it is a bundle. Raises _NonsenseError where it ends to be one."""
    if not packet.startswith(_BUNDLE):
        yield packet
        return
    at = _HEAD_BYTES
    if depth == DEPTH or len(packet) < at:
        raise _NonsenseError
    while at < len(packet):
        if at + 4 > len(packet):
            raise _NonsenseError
        (size,) = struct.unpack_from(">i", packet, at)
        at += 4
        if not 0 < size <= len(packet) - at:
            raise _NonsenseError
        yield from _messages(packet[at : at + size], depth + 1)
        at += size


def _read(data: bytes) -> tuple[str, list[Any]]:
    """A message's address and arguments. Raises _NonsenseError."""
    try:
        address, at = osc_types.get_string(data, 0)
        types = osc_types.get_string(data, at)[0] if data[at:] else ","
        if types[:1] != "," or len(types) > 8 or not set(types[1:]) <= _TYPES:  # others the library logs
            raise _NonsenseError
        return address, OscMessage(data).params
    except Exception:  # of several kinds; whatever a stranger sends
        raise _NonsenseError from None
