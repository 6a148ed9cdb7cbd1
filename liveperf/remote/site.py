"""What is served over HTTP and WebSockets: parameters, actions, status, pages. All of it runs in one event loop.

This, `door`, `exchange` and `kept` are the only ones that import aiohttp. It takes 0.15 s and 27 MB: whoever
serves nothing does without.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from liveperf.playing.desk import Panel
from liveperf.remote import exchange, metrics, orders
from liveperf.remote.door import Door, Handler
from liveperf.remote.exchange import abort, answer, said, wrong
from liveperf.remote.guard import Guard
from liveperf.remote.kept import Kept
from liveperf.remote.live import Caller, Hub, Listener, frame
from liveperf.setup.config import shipped_presets

SOCKETS = 32  # WebSockets at once
MESSAGE_BYTES = 16 * 1024
PING_S = 20.0  # a reader who does not answer half of this after it is gone
END_S = 0.1  # for farewells
_LOG = logging.getLogger("liveperf.site")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False  # what strangers send is no news for a musician


class Site:
    """Serves one instrument.

    pages: what there is beside the interface: path -> (kind, such as text/html; all of it). say: told what goes
    wrong inside.
    """

    def __init__(
        self, desk: Panel, guard: Guard, pages: Mapping[str, tuple[str, bytes]], say: Callable[[str], None]
    ) -> None:
        self._desk, self._pages, self._say = desk, pages, say
        self._door = Door(guard, self._blame)
        self.talks: set[web.WebSocketResponse] = set()
        self._callers: set[Caller] = set()

    async def serve(self, listening: socket.socket, ready: Callable[[], None], end: asyncio.Event) -> None:
        """Serve those who connect to a socket until the end is there; then all are cut off within 0.3 s."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._mishap)
        self._hub = Hub(self._desk, self._loop.time, self._blame)
        runner = web.AppRunner(
            self._app(),
            access_log=None,
            logger=_LOG,
            keepalive_timeout=exchange.PATIENCE_S,
            lingering_time=END_S,
            shutdown_timeout=END_S,
            auto_decompress=False,  # nothing that is small when it comes becomes large here
        )
        await runner.setup()
        server = runner.server
        assert server is not None
        watch = asyncio.ensure_future(self._door.watch(listening, server))
        ready()
        ending = asyncio.ensure_future(end.wait())
        await asyncio.wait([watch, ending], return_when=asyncio.FIRST_COMPLETED)
        for task in (watch, ending):
            task.cancel()
        await asyncio.wait([watch, ending])
        listening.close()
        farewells = [talk.close(code=1001, message=b"the instrument ends") for talk in self.talks]
        if farewells:
            await asyncio.wait([asyncio.ensure_future(one) for one in farewells], timeout=END_S)
        for connection in server.connections:
            abort(connection.transport)
        await runner.cleanup()
        if not watch.cancelled():
            watch.result()  # raises what it died of

    def let_go(self) -> None:
        """Let go all keys that are held on pages. Any thread, when the loop is stuck."""
        for caller in list(self._callers):
            caller.leave()

    def _blame(self, error: Exception) -> None:
        self._say(f"control: {type(error).__name__}: {error}")

    def _mishap(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError):  # else somebody went away
            self._blame(error)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._door.admit], client_max_size=exchange.BODY_BYTES)
        app.on_response_prepare.append(self._door.label)
        app.add_routes(
            [
                web.get("/api/status", self._status),
                web.get("/api/params", self._params),
                web.get("/api/presets", self._presets),
                web.get("/metrics", self._metrics),
                web.get("/api/live", self._live, allow_head=False),
                web.post("/api/params", self._set),
                web.post("/api/actions/{name}", self._act),
                web.post("/api/preset", self._preset),
                web.post("/api/reload", self._reload),
                web.post("/api/stop", self._stop),
                *Kept(self._desk).routes(),
                *(web.get(path, _page(*page)) for path, page in self._pages.items()),
            ]
        )
        return app

    async def _status(self, request: web.Request) -> web.Response:
        return answer(self._desk.status())

    async def _params(self, request: web.Request) -> web.Response:
        return answer(orders.rows(self._desk.params))

    async def _presets(self, request: web.Request) -> web.Response:
        return answer(shipped_presets())

    async def _metrics(self, request: web.Request) -> web.Response:
        text = metrics.prometheus(self._desk.status())
        return web.Response(body=text.encode(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _set(self, request: web.Request) -> web.Response:
        values = orders.values(await said(request))
        self._desk.set(values)
        return answer({"set": values})

    async def _act(self, request: web.Request) -> web.Response:
        await said(request)
        name = request.match_info["name"]
        if name not in orders.ACTS:
            raise web.HTTPNotFound(text=f"no action {orders.short(name)}; there are {', '.join(orders.ACTS)}")
        self._desk.act(name)
        return answer({"do": name})

    async def _preset(self, request: web.Request) -> web.Response:
        wanted = await said(request)
        name = orders.preset(wanted.get("name") if isinstance(wanted, dict) else wanted)
        self._desk.preset(name, self._door.may_name_files(request))
        return answer({"preset": name})

    async def _reload(self, request: web.Request) -> web.Response:
        await said(request)
        self._desk.reload()
        return answer({"do": "reload"})

    async def _stop(self, request: web.Request) -> web.StreamResponse:
        await said(request)
        response = answer({"do": "stop"})
        await response.prepare(request)
        await response.write_eof()  # first: it may be the last
        self._desk.stop()
        return response

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if len(self.talks) >= SOCKETS:
            return wrong(503, f"{SOCKETS} are connected already; close one")
        talk = web.WebSocketResponse(timeout=END_S, heartbeat=PING_S, max_msg_size=MESSAGE_BYTES, compress=False)
        self.talks.add(talk)
        try:
            await talk.prepare(request)
            transport = request.transport
            assert transport is not None
            listener = Listener(
                lambda data: None if talk.closed or transport.is_closing() else transport.write(data),
                transport.get_write_buffer_size,
                lambda: abort(transport),
            )
            caller = Caller(self._desk, self._loop.time, self._loop.call_soon)
            caller.answer = lambda said: listener.post(frame(said), self._loop.time())
            self._callers.add(caller)
            try:
                self._hub.join(listener)
                await _converse(talk, caller)
            except Exception as error:
                self._blame(error)
            finally:
                self._hub.leave(listener)
                caller.leave()
                self._callers.discard(caller)
                abort(transport)
        finally:
            self.talks.discard(talk)
        return talk


async def _converse(talk: web.WebSocketResponse, caller: Caller) -> None:
    async for message in talk:
        if message.type is not web.WSMsgType.TEXT:
            await talk.close(code=1003, message=b"text is wanted")
        elif not caller.take(message.data):
            await talk.close(code=1008, message=b"too many messages")


def _page(kind: str, body: bytes) -> Handler:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"Content-Type": kind, "Cache-Control": "no-cache", "ETag": tag}

    async def serve(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    return serve
