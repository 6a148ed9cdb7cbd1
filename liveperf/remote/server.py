"""The control server's life: an address, a thread, an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from liveperf.clock import prefer_this_thread
from liveperf.errors import NOT_STARTED, LiveperfError
from liveperf.playing.desk import Panel
from liveperf.remote.guard import Guard, GuardError, is_loopback

if TYPE_CHECKING:
    from liveperf.remote.site import Site

END_S = 0.5
TAKEN = (errno.EADDRINUSE, errno.EACCES)  # a port; the second where Windows keeps it for itself
WAITING = 512  # connections that wait for the door: 2.6 s at its pace; whom the system turns away waits for longer
BEAT_S = 0.1  # a sign of life
PRIORITY = 1  # as the engine has: it works briefly, a fiftieth of the time


class WebError(LiveperfError):
    """The server cannot be had like this; the message says what to do."""

    exit_code = NOT_STARTED


class PortError(WebError):
    """The port is taken; another may be free."""


class Server:
    """Serves one instrument, in a thread and an event loop of its own; `start`, `restart` and `stop` are one other
    thread's. A `supervisor.Watched`.

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

    @property
    def url(self) -> str:
        """Where it is for programs on this machine, once it has started."""
        return f"http://{self._guard.places(self._local)[0]}"

    @property
    def beats(self) -> int:
        """Goes up as long as the thread lives and is not stuck. Any thread."""
        return self._life.beats

    @property
    def failure(self) -> Exception | None:
        """What the thread has died of."""
        return self._life.failure

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._life.thread.is_alive()

    @property
    def site(self) -> Site:
        """What is served, once it has started."""
        return self._life.site

    def start(self) -> None:
        """Serve from now on. Raises WebError if the port is taken or the address is not one of this machine."""
        listening = _bind(self._host, self._port)
        bound, self._port = listening.getsockname()[:2]
        if self._token is None and not is_loopback(bound):
            listening.close()
            raise WebError(f"{self._host} is {bound}, which other machines reach: take 127.0.0.1 or give a token")
        self._guard = _guard(self._host, self._port, self._token, self._names)
        self._local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)
        self._begin(listening)
        self._life.ready.wait()
        if self.failure is not None:
            raise WebError(f"the control server did not start: {self.failure}") from self.failure

    def restart(self) -> None:
        """Serve on in another thread, at the same place, whatever has become of the one before.

        Keys that were held on a page are let go; pages come back by themselves. Raises WebError.
        """
        self._life.abandon()
        self._begin(_bind(self._host, self._port))

    def _begin(self, listening: socket.socket) -> None:
        self._life = _Life(self._make, listening)
        self._life.thread.start()

    def _make(self) -> Site:
        from liveperf.remote.site import Site  # with aiohttp, which takes its time

        return Site(self._desk, self._guard, self._pages, self._say)

    def stop(self) -> None:
        """End: sockets are closed, requests cut off, whatever the other side does. May be called again."""
        self._life.end()
        self._life.thread.join(END_S)


class _Life:
    """A thread of the server's, with its event loop."""

    def __init__(self, make: Callable[[], Site], listening: socket.socket) -> None:
        self.beats = 0
        self.failure: Exception | None = None
        self.ready = threading.Event()  # it serves, or has failed
        self.site: Site
        self._make, self._listening = make, listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self.thread = threading.Thread(target=self._run, name="liveperf-web", daemon=True)

    def _run(self) -> None:
        prefer_this_thread(PRIORITY)
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self.failure = error
        finally:
            self._listening.close()
            self.ready.set()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self.site = self._make()
        beating = asyncio.ensure_future(self._beat())
        try:
            await self.site.serve(self._listening, self.ready.set, self._over)
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while True:
            self.beats += 1
            await asyncio.sleep(BEAT_S)

    def end(self) -> None:
        """Have it end, when it can."""
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._over.set)

    def abandon(self) -> None:
        """Be done with it, though it may be stuck: it ends when it wakes, and what it held is let go now."""
        self._listening.close()
        self.end()
        if self.ready.is_set() and self.failure is None:
            self.site.let_go()


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
