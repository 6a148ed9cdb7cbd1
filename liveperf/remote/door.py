"""Who connects over HTTP, how often, and whether he is let in. One event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from liveperf.params import ParamError
from liveperf.playing.desk import RefusedError
from liveperf.recording.journalfile import RecordError
from liveperf.remote import exchange
from liveperf.remote.exchange import abort, wrong
from liveperf.remote.guard import Bucket, Guard, Head

CONNECTIONS = 64  # at once
RATE, BURST = 200.0, 200.0  # connections, of all together; and requests, of all who were let in
BREATH_S = 1.0  # when the system has no file for a connection
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "Server": "liveperf",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Lets in whom the guard lets in, and has whoever knocks too often wait.

    A request that is refused costs as much as one that is served: half a millisecond of the interpreter, which
    the music needs. It ends its connection, and connections are taken RATE times a second; the others wait with
    the system, and nobody is shut out by strangers.
    """

    def __init__(self, guard: Guard, blame: Callable[[Exception], None]) -> None:
        """blame: told what goes wrong inside."""
        self._guard, self._blame = guard, blame
        self._requests, self._arrivals = Bucket(RATE, BURST), Bucket(RATE, BURST)
        # Those for whom nothing is done now, the one who has waited longest first; whether he ever asked.
        self._idle: dict[web.RequestHandler, bool] = {}

    async def watch(self, listening: socket.socket, server: web.Server) -> None:
        """Take in those who connect, for ever."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except ConnectionError:  # he has gone again
                continue
            except OSError:  # there are no files left
                await asyncio.sleep(BREATH_S)
                continue
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(lambda: self._open(server), connection)
            while not self._arrivals.take(loop.time()):
                await asyncio.sleep(1 / RATE)

    def _open(self, server: web.Server) -> asyncio.Protocol:
        """Somebody connects: he is heard, and has to say soon what he wants.

        If it is full, the one goes for whom nothing was done for the longest time.
        """
        there = server.connections
        self._idle = {one: asked for one, asked in self._idle.items() if one in there}
        if len(there) >= CONNECTIONS:
            longest = next(iter(self._idle), None)
            if longest is None:
                return _Closed()
            del self._idle[longest]
            abort(longest.transport)
        connection = server()
        self._idle[connection] = False
        asyncio.get_running_loop().call_later(exchange.PATIENCE_S, self._hurry, connection)
        return connection

    def _hurry(self, connection: web.RequestHandler) -> None:
        if self._idle.get(connection) is False:
            connection.force_close()

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who may come in, and say what is wrong in one way."""
        self._idle.pop(request.protocol, None)
        try:
            return await self._admit(request, handler)
        finally:
            self._idle[request.protocol] = True

    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_text(request):
            response = wrong(400, "a request whose head is not text")
            response.force_close()
            return response
        refusal = self._guard.refusal(self._head(request))
        if refusal is not None:
            return wrong(*refusal)
        if not self._requests.take(asyncio.get_running_loop().time()):
            return wrong(429, f"more than {RATE:g} requests a second: use the WebSocket, /api/live")
        try:
            return await handler(request)
        except ParamError as error:
            return wrong(400, str(error))
        except (RefusedError, RecordError) as error:
            return wrong(409, str(error))
        except web.HTTPException as error:
            return wrong(error.status, error.text or error.reason, error.headers.get("Allow"))
        except (asyncio.TimeoutError, web.RequestPayloadError):
            return wrong(408, "the body of the request did not come")
        except ConnectionError:  # the other side is gone
            raise
        except Exception as error:
            self._blame(error)
            return wrong(500, "something is wrong inside; the instrument's log says what")

    def may_name_files(self, request: web.Request) -> bool:
        """Whether one who was let in may have a file of this machine read."""
        return self._guard.may_name_files(self._head(request))

    async def label(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give an answer the headers that all have."""
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        head = self._head(request)
        if self._guard.wants_cookie(head) and self._guard.refusal(head) is None:
            cookie = f"{self._guard.cookie_name}={self._guard.token}; Path=/; HttpOnly; SameSite=Strict"
            response.headers["Set-Cookie"] = cookie

    def _head(self, request: web.Request) -> Head:
        headers, transport = request.headers, request.transport
        hosts = headers.getall("Host", [])
        return Head(
            method=request.method,
            host=hosts[0] if len(hosts) == 1 else None,
            local=transport.get_extra_info("sockname")[0] if transport else "",
            remote=request.remote or "",
            origin=",".join(headers.getall("Origin", [])) if "Origin" in headers else None,
            site=headers.get("Sec-Fetch-Site"),
            navigates=headers.get("Sec-Fetch-Mode") == "navigate",
            authorization=headers.get("Authorization"),
            cookie=request.cookies.get(self._guard.cookie_name),
            token=request.query.get("token"),
        )


class _Closed(asyncio.Protocol):
    """A connection that there is no room for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        abort(transport)


def _is_text(request: web.Request) -> bool:
    """Whether a head can be said again, and its key be read: aiohttp lets through bytes that are no characters."""
    try:
        "".join((request.path_qs, *request.headers.values())).encode()
    except UnicodeEncodeError:
        return False
    return request.headers.get("Sec-WebSocket-Key", "").isascii()
