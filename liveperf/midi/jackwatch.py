"""Looks at a JACK server from outside: whether it lives, how far it is, which ports there are, and their links."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from typing import Any

NO_START_SERVER = 1  # of JackOptions
IS_INPUT, IS_OUTPUT = 1, 2  # of JackPortFlags
MIDI = b"8 bit raw midi"
RING_BYTES = 12_000  # of the 16,383 that RtMidi's buffer holds
HEADER_BYTES = 4  # that RtMidi puts before each message

_POINTER, _NAME, _NAMES = ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "jack_client_open": (_POINTER, [_NAME, ctypes.c_int, _POINTER]),
    "jack_client_close": (ctypes.c_int, [_POINTER]),
    "jack_activate": (ctypes.c_int, [_POINTER]),
    "jack_on_shutdown": (None, [_POINTER] * 3),
    "jack_get_ports": (
        _NAMES,
        [_POINTER, _NAME, _NAME, ctypes.c_ulong],
    ),
    "jack_port_by_name": (_POINTER, [_POINTER, _NAME]),
    "jack_port_get_all_connections": (_NAMES, [_POINTER, _POINTER]),
    "jack_connect": (ctypes.c_int, [_POINTER, _NAME, _NAME]),
    "jack_get_uuid_for_client_name": (_POINTER, [_POINTER, _NAME]),
    "jack_free": (None, [_POINTER]),
    "jack_last_frame_time": (ctypes.c_uint32, [_POINTER]),
    "jack_ringbuffer_create": (_POINTER, [ctypes.c_size_t]),
    "jack_ringbuffer_free": (None, [_POINTER]),
    "jack_ringbuffer_read_space": (ctypes.c_size_t, [_POINTER]),
    "jack_ringbuffer_write_advance": (None, [_POINTER, ctypes.c_size_t]),
    "jack_ringbuffer_reset": (None, [_POINTER]),
    "jack_set_error_function": (None, [_POINTER]),
    "jack_set_info_function": (None, [_POINTER]),
}


class Library:
    """The JACK library that RtMidi itself uses: any other could not tell what happens to RtMidi's clients."""

    def __init__(self, extension: str) -> None:
        """extension: the file of a module linked with JACK. Raises OSError, AttributeError if it is not."""
        # Look where the system's linker did: in what all see (LD_PRELOAD), then in what the module needs.
        whole = ctypes.CDLL(None)
        path = None if hasattr(whole, "jack_client_open") else extension
        # Calls that cannot block keep the interpreter lock: to get it back might take the output thread long.
        blocking, quick = ctypes.CDLL(path), ctypes.PyDLL(path)
        for name, (result, arguments) in _SIGNATURES.items():
            fast = "ringbuffer" in name or name == "jack_last_frame_time"
            function = getattr(quick if fast else blocking, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("jack_"), function)
        # JACK's complaints would land on the musician's terminal: let a C function take them that does nothing.
        silence = ctypes.cast(whole.strlen, ctypes.c_void_p)
        self.set_error_function(silence)
        self.set_info_function(silence)
        self.lower = ctypes.cast(blocking.jack_ringbuffer_reset, ctypes.c_void_p)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(f"no JACK function {name}")

    @classmethod
    def of(cls, extension: str) -> Library | None:
        """The library, or None where there is no JACK."""
        try:
            return cls(extension)
        except (OSError, AttributeError, TypeError):  # TypeError: Windows has no library of all that is loaded
            return None


class JackWatch:
    """A JACK client without ports that stays. One thread calls it; `frame` any, while it is open.

    No Python runs in JACK's threads. That the server has gone is told by a flag that JACK's own thread lowers, in
    C: a ring buffer with one byte in it, and the function that empties it.
    """

    def __init__(self, library: Library, name: str) -> None:
        self._jack, self._name = library, name.encode()
        self._client: int | None = None
        self._flag: int | None = None

    def open(self) -> bool:
        """Whether there is a server. Opens the client if need be; takes some milliseconds when there is none.

        A server that has gone stays gone until `close`: all clients of a process end before others begin.
        """
        jack = self._jack
        if self._client is not None:
            return jack.ringbuffer_read_space(self._flag) == 1  # type: ignore[no-any-return]
        client = jack.client_open(self._name, NO_START_SERVER, None)
        if not client:
            return False
        self._client, self._flag = client, jack.ringbuffer_create(4)
        jack.ringbuffer_write_advance(self._flag, 1)
        jack.on_shutdown(client, jack.lower, self._flag)
        if jack.activate(client):  # it died in this moment
            self.close()
            return False
        return True

    def close(self) -> None:
        """End the client; that of a dead server, too."""
        if self._client is not None:
            self._jack.client_close(self._client)
            self._jack.ringbuffer_free(self._flag)
        self._client = self._flag = None

    def frame(self) -> int:
        """When the server's last cycle began, in samples: it stands still when the server does. Does not block."""
        return self._jack.last_frame_time(self._client)  # type: ignore[no-any-return]

    def ports(self, flag: int) -> tuple[str, ...]:
        """Names of the MIDI ports that send (IS_OUTPUT) or receive (IS_INPUT)."""
        return self._names(self._jack.get_ports(self._client, None, MIDI, flag))

    def links(self, name: str) -> tuple[str, ...]:
        """Names of the ports that a port is connected to."""
        port = self._jack.port_by_name(self._client, name.encode())
        return self._names(self._jack.port_get_all_connections(self._client, port)) if port else ()

    def owner(self, name: str) -> str:
        """Of a port: the number that the server gave to its client, a new one each time; empty if it has gone."""
        found = self._jack.get_uuid_for_client_name(self._client, name.partition(":")[0].encode())
        if not found:
            return ""
        number = ctypes.string_at(found).decode()
        self._jack.free(found)
        return number

    def connect(self, source: str, target: str) -> bool:
        """Connect a port that sends to one that receives; whether they are connected. The server may block it."""
        return self._jack.connect(self._client, source.encode(), target.encode()) in (0, errno.EEXIST)

    def _names(self, found: Any) -> tuple[str, ...]:
        names: list[str] = []
        while found and found[len(names)]:
            names.append(found[len(names)].decode(errors="ignore"))
        if found:
            self._jack.free(found)
        return tuple(names)


class RingGuard:
    """Keeps RtMidi's JACK output from filling its buffer: it would wait for room for ever, and Python with it.

    The server takes everything out once a cycle. So what was sent in this cycle and the one before is all that can
    be in there; when the server has died there is no next cycle, and no more is sent.
    """

    def __init__(self, frame: Callable[[], int]) -> None:
        """frame: when the last cycle began. Until it has been seen to move, all is let through."""
        self._frame, self._last = frame, frame()
        self._before = self._now = 0
        self._moved = False

    def admit(self, size: int) -> bool:
        """Whether a message of so many bytes may be sent; if so, it counts. Output thread; does not block."""
        frame = self._frame()
        if frame != self._last:
            self._before, self._now, self._last, self._moved = self._now, 0, frame, True
        size += HEADER_BYTES
        if self._moved and self._before + self._now + size > RING_BYTES:
            return False
        self._now += size
        return True
