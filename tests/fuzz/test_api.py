"""The control interface: any JSON, any bytes as a request, any WebSocket message, any OSC packet."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from liveperf.remote import door
from liveperf.remote.server import Server
from tests.desks import FakeDesk
from tests.fuzz.tools import counts, damaged, times
from tests.remote.anything import ANYTHING
from tests.remote.packets import server as osc_server
from tests.remote.talk import Talk

ALL = settings(max_examples=times(300), deadline=None, suppress_health_check=list(HealthCheck))
PATHS = ("params", "preset", "actions/turn", "actions/panic", "status", "presets", "live", "nothing")
REQUESTS = [
    b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n",
    b"POST /api/params HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
    b'Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{"density": 4}',
    b"POST /api/params HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n"
    b'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n{"density": 4}\r\n0\r\n\r\n',
    b"GET /api/live HTTP/1.1\r\nHost: localhost:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    b"\x81\x85\x01\x02\x03\x04abcde",
]


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[FakeDesk, int, list[str]]]:
    """A desk, the port of its server, and what that complained of. It is not asked to hurry."""
    desk, said = FakeDesk(), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "BURST", 1e9)  # who connects
        patch.setattr(door, "RATE", 1e9)
        served = Server(desk, say=said.append)
        served.start()
        yield desk, int(served.url.rpartition(":")[2]), said
        served.stop()
    assert not said


def answer(port: int, request: bytes) -> bytes:
    """The first that comes back; nothing where the server has hung up, or waits for more."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)
    return b""


def test_any_json_is_taken_or_refused(house: tuple[FakeDesk, int, list[str]]) -> None:
    desk, port, said = house

    @ALL
    @given(ANYTHING)
    def ask(body: object) -> None:
        text = json.dumps(body).encode()
        for path in PATHS:
            counts["HTTP requests"] += 1
            head = f"POST /api/{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            status = answer(port, head.encode() + text)[9:12]
            assert status in (b"", b"200", b"429") or status.startswith(b"4")

    ask()
    assert desk.params and not said


def test_damaged_requests_bring_nothing_down(house: tuple[FakeDesk, int, list[str]]) -> None:
    desk, port, said = house
    dice = random.Random(4)
    for _ in range(times(1500)):
        counts["damaged HTTP requests"] += 1
        request = dice.choice(REQUESTS).replace(b"%d", str(port).encode())
        first = answer(port, damaged(request, dice))
        assert not first or first.startswith(b"HTTP/"), first[:80]
        assert b" 500 " not in first[:20]
    assert not said


@ALL
@given(ANYTHING)
def test_any_message_of_a_page_is_taken_or_refused(message: object) -> None:
    counts["WebSocket messages"] += 1
    assert Talk().say(json.dumps(message)) in (True, False)


def test_damaged_osc_goes_by() -> None:
    served, desk, _ = osc_server()
    dice = random.Random(5)
    packets = [
        b"/liveperf/density\0\0\0,f\0\0\x40\x80\0\0",
        b"#bundle\0" + bytes(8) + b"\0\0\0\x10/liveperf/turn\0\0",
    ]
    for _ in range(times(20_000)):
        counts["OSC packets"] += 1
        served.take(damaged(dice.choice(packets), dice))
    assert desk.params
