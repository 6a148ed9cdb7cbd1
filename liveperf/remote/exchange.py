"""What requests have in common: how they are read, and how they are answered."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from liveperf.remote.live import to_json

PATIENCE_S = 10.0  # for a request's head, for its body, and for the next one
BODY_BYTES = 64 * 1024


async def read(request: web.Request, most: int = BODY_BYTES) -> bytes:
    """The body, of up to so many bytes. Raises HTTPRequestEntityTooLarge, TimeoutError."""
    return await asyncio.wait_for(_read(request, most), PATIENCE_S)


async def _read(request: web.Request, most: int) -> bytes:
    data = bytearray()
    async for chunk in request.content.iter_chunked(BODY_BYTES):
        data += chunk
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(data), text=f"the body has more than {most} bytes")
    return bytes(data)


async def said(request: web.Request) -> Any:
    """The JSON of a request, {} if there is none. A form of another web site cannot send that kind."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="the Content-Type of what is posted must be application/json")
    body = await read(request)
    try:
        return json.loads(body) if body else {}
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is not JSON") from None


def answer(said: Any, status: int = 200) -> web.Response:
    """It as JSON."""
    return web.json_response(text=to_json(said), status=status)


def wrong(status: int, why: str, allow: str | None = None) -> web.Response:
    """What is wrong, as JSON. Whoever was refused has to connect again, which is paced."""
    response = answer({"error": why}, status)
    if allow:
        response.headers["Allow"] = allow
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 429:
        response.headers["Retry-After"] = "1"
    if status in (401, 403, 408, 413, 429):
        response.force_close()
    return response


def abort(transport: asyncio.BaseTransport | None) -> None:
    """End a connection at once, whatever is on its way."""
    if isinstance(transport, asyncio.Transport):
        transport.abort()
