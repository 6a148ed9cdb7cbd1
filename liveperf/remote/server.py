"""The control server's life: an address, a thread, an event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import threading
from collections.abc import Callable, Mapping

from liveperf.clock import prefer_this_thread
from liveperf.errors import NOT_STARTED, LiveperfError
from liveperf.playing.desk import Panel
from liveperf.remote.guard import Guard, GuardError, is_loopback

END_S = 0.5
TAKEN = (errno.EADDRINUSE, errno.EACCES)  # a port; the second where Windows keeps it for itself
WAITING = 512  # connections that wait for the door: 2.6 s at its pace; whom the system turns away waits for longer
PRIORITY = 1  # as the engine has: it works briefly, a fiftieth of the time


class WebError(LiveperfError):
    """The server cannot be had like this; the message says what to do."""

    exit_code = NOT_STARTED


class PortError(WebError):
    """The port is taken; another may be free."""


class Server:
    """Serves one instrument, in a thread and an event loop of its own; `start` and `stop` are one other thread's.

    The thread runs before ordinary programs: while it holds the interpreter lock and another program keeps the
    processor, the output waits as well.
    """

    def __init__(
        self,
        desk: Panel,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        say: Callable[[str], None] = lambda text: None,
        names: tuple[str, ...] = (),
        pages: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> None:
        """port: 0 for any that is free. token: needed where others can come in, asked for wherever it is given.
        say: told what goes wrong inside, in the server's thread. names: further names that the place is asked for
        by, such as `piano.example:443`; what the machine calls itself is known. pages: what else there is: path
        -> (kind, such as text/html; all of it). Raises WebError.
        """
        if not 0 <= port <= 65535:
            raise WebError(f"port {port} is outside 0 to 65535")
        if not is_loopback(host):
            names = (*names, *own_names())
        _guard(host, port, token, names)
        self._desk, self._say, self._pages = desk, say, dict(pages or {})
        self._host, self._port, self._token, self._names = host, port, token, names
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="liveperf-web", daemon=True)

    @property
    def url(self) -> str:
        """Where it is for programs on this machine, once it has started."""
        return f"http://{self._guard.places(self._local)[0]}"

    def start(self) -> None:
        """Serve from now on. Raises WebError if the port is taken or the address is not one of this machine."""
        self._listening = _bind(self._host, self._port)
        bound, port = self._listening.getsockname()[:2]
        if self._token is None and not is_loopback(bound):
            self._listening.close()
            raise WebError(f"{self._host} is {bound}, which other machines reach: take 127.0.0.1 or give a token")
        self._guard = _guard(self._host, port, self._token, self._names)
        self._local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise WebError(f"the control server did not start: {self._failure}") from self._failure

    def stop(self) -> None:
        """End: sockets are closed, requests cut off, whatever the other side does. May be called again."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(END_S)

    def _run(self) -> None:
        prefer_this_thread(PRIORITY)
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._failure = error
            if self._ready.is_set():
                self._say(f"the control server died: {type(error).__name__}: {error}")
        finally:
            self._listening.close()
            self._ready.set()

    async def _serve(self) -> None:
        from liveperf.remote.site import Site  # with aiohttp, which takes its time

        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self.site = Site(self._desk, self._guard, self._pages, self._say)
        await self.site.serve(self._listening, self._ready.set, self._end)


def own_names() -> tuple[str, str]:
    """What this machine is called in its network: with a name server, and without one (mDNS)."""
    name = socket.gethostname()
    return name, f"{name.partition('.')[0]}.local"


def _guard(host: str, port: int, token: str | None, names: tuple[str, ...]) -> Guard:
    try:
        return Guard(host, port, token, names)
    except GuardError as error:
        raise WebError(str(error)) from None


def _bind(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises WebError."""
    try:
        found = socket.getaddrinfo("127.0.0.1" if host == "localhost" else host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise WebError(f"cannot serve at {host!r}: {error}; 127.0.0.1 always works") from None
    try:
        if sys.platform == "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have just ended
        listening.bind(address)
        listening.listen(WAITING)
    except OSError as error:
        listening.close()
        why = f"cannot serve at {host} port {port}: {error.strerror or error}"
        if error.errno in TAKEN and port:
            raise PortError(f"{why}; take another port, or 0 for any that is free") from None
        raise WebError(f"{why}; 127.0.0.1 always works") from None
    return listening
