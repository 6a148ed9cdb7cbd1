"""What pages keep and fetch: recordings, takes, and files that the model is to hear. One event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from liveperf.playing.desk import Panel
from liveperf.remote import orders
from liveperf.remote.exchange import answer, read, said

PRIMER_BYTES = 1 << 20  # of a MIDI file; the longest of MAESTRO, an hour of music, has 416 kB
KEEP_S = 3600  # a recording that is finished does not change
_RECORDED = {"mid": "audio/midi", "svg": "image/svg+xml", "json": "application/json"}

T = TypeVar("T")


class Kept:
    """The recordings of an instrument, and files for it to hear. What takes a while is done apart."""

    def __init__(self, desk: Panel) -> None:
        self._desk = desk
        self._reading, self._taking = asyncio.Lock(), asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What is asked for, and by what it is answered."""
        return [
            web.post("/api/prime", self._prime),
            web.post("/api/take", self._take),
            web.delete("/api/take", self._end_take),
            web.get("/api/recordings", self._recordings),
            web.get(r"/api/recordings/{name}.{kind:mid|svg|json}", self._recording),
            web.delete("/api/recordings/{name}", self._remove),
        ]

    async def _prime(self, request: web.Request) -> web.Response:
        if request.content_type not in ("audio/midi", "audio/x-midi", "audio/mid"):
            raise web.HTTPUnsupportedMediaType(text="the Content-Type of a MIDI file is audio/midi")
        data = await read(request, PRIMER_BYTES)
        notes, seconds = await self._work(lambda: self._desk.prime(data))
        return answer({"notes": notes, "seconds": round(seconds, 3)})

    async def _take(self, request: web.Request) -> web.Response:
        await said(request)
        return answer({"name": await self._work(self._desk.take, self._taking)})

    async def _end_take(self, request: web.Request) -> web.Response:
        await self._work(self._desk.end_take, self._taking)
        return answer({"take": None})

    async def _recordings(self, request: web.Request) -> web.Response:
        return answer(await self._work(self._desk.shelf.listed))

    async def _recording(self, request: web.Request) -> web.Response:
        """A recording as a MIDI file, a picture or JSON."""
        name, kind = request.match_info["name"], request.match_info["kind"]
        large, shelf = "large" in request.query, self._desk.shelf

        def found() -> tuple[bytes, bool]:
            path = self._named(name)
            made = {"mid": shelf.midi, "svg": lambda path: shelf.picture(path, large), "json": shelf.notes}[kind]
            return made(path), shelf.finished(path)

        body, finished = await self._work(found)
        headers = {"Content-Type": _RECORDED[kind]}
        if finished:
            headers["Cache-Control"] = f"private, max-age={KEEP_S}"
        if kind == "mid":
            headers["Content-Disposition"] = f'attachment; filename="{name}.mid"'
        return web.Response(body=body, headers=headers)

    async def _remove(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        await self._work(lambda: self._desk.shelf.remove(self._named(name)))
        return answer({"removed": name})

    def _named(self, name: str) -> Path:
        """The file of a recording. Raises RecordError, HTTPNotFound."""
        path = self._desk.shelf.find(name)
        if path is None:
            raise web.HTTPNotFound(text=f"no recording {orders.short(name)}; GET /api/recordings lists them")
        return path

    async def _work(self, work: Callable[[], T], apart: asyncio.Lock | None = None) -> T:
        """Do something that takes a while in a thread, one such thing at a time: the music goes on.

        A thread of its own, which nobody waits for where the instrument ends. apart: for what is not to wait until
        files have been read.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if done.done():  # nobody waits any more
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            found: tuple[T | None, Exception | None]
            try:
                found = work(), None
            except Exception as error:  # it is for who asked
                found = None, error
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, *found)

        async with apart or self._reading:
            threading.Thread(target=run, name="liveperf-web-work", daemon=True).start()
            return await done
