"""The control server over real sockets: what it answers, and whom it does not let in."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveperf.panel.shelf import Shelf
from liveperf.params import Params, table
from liveperf.playing.desk import RefusedError
from liveperf.remote import door, exchange, kept, live, site
from liveperf.remote.server import Server, WebError
from liveperf.setup.config import shipped_presets
from liveperf.voices import Owner
from tests.desks import FakeDesk
from tests.jack import until as wait_until
from tests.messages import off, on
from tests.recordings import record
from tests.remote.anything import ANYTHING, NAMES

TOKEN = "a-token-of-24-characters"
JSON = {"Content-Type": "application/json"}
LONG_S = 10.0  # nothing here takes as long


class House:
    """A server and its desk, and what a client on this machine gets from it."""

    def __init__(self, **options: Any) -> None:
        self.desk, self.said = FakeDesk(), list[str]()
        self.server = Server(self.desk, say=self.said.append, **options)
        self.server.start()
        self.port = int(self.server.url.rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Status, body (JSON where it is), headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG_S)
        with contextlib.closing(connection):
            sent = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
            connection.request(method, path, sent, JSON if headers is None else headers)
            answer = connection.getresponse()
            data = answer.read()
        is_json = data and (answer.headers.get("Content-Type") or "").startswith("application/json")
        return answer.status, json.loads(data) if is_json else data, answer.headers

    def raw(self, data: bytes) -> bytes:
        """All that comes back for some bytes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LONG_S) as connection:
            connection.sendall(data)
            return _rest(connection)


def _rest(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            found += data
    return found


@contextlib.contextmanager
def house(**options: Any) -> Iterator[House]:
    found = House(**options)
    try:
        yield found
    finally:
        found.server.stop()
    assert not found.server.alive


@pytest.fixture
def open_house() -> Iterator[House]:
    with house() as found:
        yield found


def test_it_tells_how_it_is(open_house: House) -> None:
    assert open_house.ask("GET", "/api/status")[1] == open_house.desk.status()
    rows = open_house.ask("GET", "/api/params")[1]
    assert [row["name"] for row in rows] == [row.name for row in table()]
    assert open_house.ask("GET", "/api/presets")[1] == shipped_presets()
    status, text, headers = open_house.ask("GET", "/metrics")
    assert status == 200 and b'liveperf_state{state="listening"} 1' in text
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_it_does_what_it_is_asked(open_house: House) -> None:
    desk = open_house.desk
    assert open_house.ask("POST", "/api/params", {"density": 4, "mode": "solo"})[:2] == (
        200,
        {"set": {"density": 4.0, "mode": "solo"}},
    )
    assert desk.params == Params(density=4, mode="solo")
    for name in ("panic", "turn", "next_preset", "previous_preset"):
        assert open_house.ask("POST", f"/api/actions/{name}")[0] == 200
    assert open_house.ask("POST", "/api/preset", {"name": "duet"})[0] == 200
    assert open_house.ask("POST", "/api/reload")[0] == 200
    assert open_house.ask("POST", "/api/stop")[0] == 200
    wanted = ["panic", "turn", "next_preset", "previous_preset", "preset duet", "reload", "stop"]
    assert desk.stopped.wait(LONG_S)  # it is answered first
    assert desk.asked == wanted


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("POST", "/api/params", {"densty": 1}, 400, "did you mean 'density'"),
        ("POST", "/api/params", {"density": 99}, 400, "outside 0 to 32"),
        ("POST", "/api/params", {"lowest_pitch": 120}, 400, "above highest_pitch"),
        ("POST", "/api/params", {"density": 4, "speed": 99}, 400, "speed"),
        ("POST", "/api/params", [], 400, "expected parameters and values"),
        ("POST", "/api/params", b"{", 400, "not JSON"),
        ("POST", "/api/params", b"[" * 60_000, 400, "not JSON"),
        ("POST", "/api/params", b"\xff\xfe", 400, "not JSON"),
        ("POST", "/api/actions/preset", None, 404, "no action 'preset'"),
        ("POST", "/api/actions/dance", None, 404, "there are panic"),
        ("POST", "/api/preset", {"name": "walz"}, 409, "no preset 'walz'"),
        ("POST", "/api/preset", {}, 409, "is not the name"),
        ("GET", "/api/nothing", None, 404, "Not Found"),
        ("GET", "/", None, 404, "Not Found"),
        ("PUT", "/api/params", {"density": 1}, 405, "Method Not Allowed"),
        ("OPTIONS", "/api/params", None, 405, "Method Not Allowed"),
        ("GET", "/api/live", None, 400, "WebSocket"),
    ],
)
def test_what_is_wrong_is_said(
    open_house: House, method: str, path: str, body: Any, status: int, why: str
) -> None:
    found, said, _ = open_house.ask(method, path, body)
    assert found == status
    assert why in said["error"]
    assert not open_house.desk.sets and not open_house.desk.asked
    assert open_house.desk.params == Params()


@pytest.mark.parametrize("path", ["/api/actions/panic", "/api/preset", "/api/reload", "/api/stop"])
def test_nothing_is_done_by_looking(open_house: House, path: str) -> None:
    assert open_house.ask("GET", path)[0] == 405
    assert open_house.ask("GET", f"{path}?name=duet")[0] == 405
    assert not open_house.desk.asked


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_form_cannot_post(open_house: House, kind: str | None) -> None:
    for path in ("/api/params", "/api/actions/panic", "/api/preset", "/api/stop"):
        headers = {} if kind is None else {"Content-Type": kind}
        assert open_house.ask("POST", path, b'{"density": 4}', headers)[0] == 415
    assert not open_house.desk.sets and not open_house.desk.asked


@pytest.mark.parametrize("path", ["/api/status", "/api/nothing", "/api/params"])
def test_headers_keep_other_pages_out(open_house: House, path: str) -> None:
    headers = open_house.ask("GET", path, headers={"Origin": f"http://127.0.0.1:{open_house.port}"})[2]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers["Cache-Control"] == "no-store"
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert headers["Server"] == "liveperf"


def test_pages_of_others_may_be_added() -> None:
    pages = {"/": ("text/html; charset=utf-8", b"<p>play"), "/panel.js": ("text/javascript", b"1")}
    with house(pages=pages) as found:
        status, body, headers = found.ask("GET", "/")
        assert (status, body, headers["Content-Type"]) == (200, b"<p>play", "text/html; charset=utf-8")
        assert headers["Cache-Control"] == "no-cache"
        assert found.ask("GET", "/panel.js")[1] == b"1"
        assert found.ask("GET", "/", headers={"Host": "evil.example"})[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_a_hostile_page_is_refused_everywhere(open_house: House, headers: dict[str, str]) -> None:
    hostile = {**JSON, **{key: value.format(port=open_house.port) for key, value in headers.items()}}
    for method, path in (
        *(("GET", "/api/status"), ("GET", "/metrics"), ("GET", "/api/live"), ("GET", "/nothing")),
        *(
            ("POST", "/api/params"),
            ("POST", "/api/actions/panic"),
            ("POST", "/api/stop"),
            ("OPTIONS", "/api/params"),
        ),
    ):
        status, said, answered = open_house.ask(
            method, path, {"density": 4} if method == "POST" else None, hostile
        )
        assert status == 403, (method, path)
        assert method == "HEAD" or set(said) == {"error"}
        assert answered["Connection"] == "close"
    assert not open_house.desk.sets and not open_house.desk.asked


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/status HTTP/1.0\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n",
        b"GET http://127.0.0.1/api/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: \xff\xfe\r\nConnection: close\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /api/status?" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"POST /api/params HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{}\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
        b"\0" * 100_000 + b"\r\n\r\n",
    ],
)
def test_no_crooked_request_is_served(open_house: House, head: bytes) -> None:
    answer = open_house.raw(head.replace(b"%d", str(open_house.port).encode()))
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert b"listening" not in answer
    assert open_house.ask("GET", "/api/status")[0] == 200
    assert not open_house.said


def test_a_large_body_is_refused(open_house: House) -> None:
    large = json.dumps({"density": 4, "x": "y" * 70_000}).encode()
    assert open_house.ask("POST", "/api/params", large)[0] == 413
    head = (
        b"POST /api/params HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n" % open_house.port
    )
    chunk = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)
    assert open_house.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 2).startswith(b"HTTP/1.1 413")
    bomb = b"Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x00"
    assert open_house.raw(head + bomb).startswith(b"HTTP/1.1 400")
    assert not open_house.desk.sets


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /api/sta",
        b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: ",
        b"POST /api/params HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{",
        b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
    ],
)
def test_who_says_half_of_something_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(exchange, "PATIENCE_S", 0.1)
    with house() as found:
        found.raw(start.replace(b"%d", str(found.port).encode()))  # returns, for it is closed
        assert not found.desk.sets and not found.said


def test_a_crowd_does_not_keep_the_musician_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PATIENCE_S", 0.3)
    with house() as found, contextlib.ExitStack() as stack:
        crowd = []
        for _ in range(300):
            with contextlib.suppress(OSError):
                crowd.append(stack.enter_context(socket.create_connection(("127.0.0.1", found.port), LONG_S)))
        assert all(_rest(one) == b"" for one in crowd)  # each of them is closed, unheard
        assert found.ask("GET", "/api/status")[0] == 200


def _silent(stack: contextlib.ExitStack, port: int, count: int) -> list[socket.socket]:
    return [
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=LONG_S)) for _ in range(count)
    ]


def test_who_says_nothing_makes_room_for_who_does(open_house: House) -> None:
    with contextlib.ExitStack() as stack:
        crowd = _silent(stack, open_house.port, door.CONNECTIONS)
        assert open_house.ask("GET", "/api/status")[0] == 200
        assert _rest(crowd[0]) == b""  # the first of them is gone
        request = b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % open_house.port
        crowd[-1].sendall(request)
        assert crowd[-1].recv(12) == b"HTTP/1.1 200"


def test_who_has_asked_and_lingers_makes_room_for_who_asks(open_house: House) -> None:
    request = b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % open_house.port
    with contextlib.ExitStack() as stack:
        for one in _silent(stack, open_house.port, door.CONNECTIONS):
            one.sendall(request)
            assert one.recv(12) == b"HTTP/1.1 200"
        assert open_house.ask("GET", "/api/status")[0] == 200


def test_a_crowd_does_not_push_out_a_page_that_is_open(open_house: House) -> None:
    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url) as page:
            for _ in range(2):
                with contextlib.ExitStack() as stack:
                    _silent(stack, open_house.port, door.CONNECTIONS)
            await page.send_json({"ping": 17.5})
            assert await until(page, "pong", lambda said: True) == 17.5

    talk(open_house, run)


def test_while_all_are_being_served_nobody_else_is_let_in(
    open_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "CONNECTIONS", 4)
    half = b"POST /api/params HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
    half = half % open_house.port + b"Content-Length: 14\r\nExpect: 100-continue\r\n\r\n"
    with contextlib.ExitStack() as stack:
        busy = _silent(stack, open_house.port, 4)
        for one in busy:
            one.sendall(half)
            said = b""
            while not said.endswith(b"\r\n\r\n"):
                said += one.recv(4096)
            assert said.startswith(b"HTTP/1.1 100")  # it waits for the rest
        assert _rest(_silent(stack, open_house.port, 1)[0]) == b""
        for one in busy:
            one.sendall(b'{"density": 4}')
            assert b" 200 " in one.recv(4096)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer wrong-wrong-wrong\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX: \xff\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_who_is_refused_waits_for_the_next_try(monkeypatch: pytest.MonkeyPatch, request_: bytes) -> None:
    monkeypatch.setattr(door, "RATE", 50.0)
    monkeypatch.setattr(door, "BURST", 5.0)
    with house(token=TOKEN) as found:
        began = time.monotonic()
        for _ in range(20):
            answer = found.raw(request_.replace(b"%d", str(found.port).encode()))
            assert answer.split(b" ")[1:2] in ([b"400"], [b"401"], [b"403"])  # and it is closed
        assert time.monotonic() - began >= (20 - 5 - 1) / 50
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert found.ask("GET", "/api/status", headers=bearer)[0] == 200


def test_a_token_is_asked_for_where_it_is_given() -> None:
    with house(token=TOKEN, pages={"/": ("text/html", b"<p>")}) as found:
        for path in ("/", "/api/status", "/metrics", "/api/live", "/nothing"):
            status, said, headers = found.ask("GET", path)
            assert status == 401 and "token" in said["error"]
            assert headers["WWW-Authenticate"] == "Bearer" and "Set-Cookie" not in headers
            assert found.ask("GET", f"{path}?token={TOKEN[:-1]}x")[0] == 401
        assert found.ask("POST", "/api/params", {"density": 4})[0] == 401
        assert found.ask("POST", f"/api/params?token={TOKEN}", {"density": 4})[0] == 401
        assert not found.desk.sets
        bearer = {**JSON, "Authorization": f"Bearer {TOKEN}"}
        status, _, headers = found.ask("POST", "/api/params", {"density": 4}, bearer)
        assert status == 200 and "Set-Cookie" not in headers
        status, _, headers = found.ask("GET", f"/?token={TOKEN}")
        assert status == 200
        cookie = headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        with_cookie = {**JSON, "Cookie": cookie.partition(";")[0]}
        assert found.ask("GET", "/api/status", headers=with_cookie)[0] == 200
        assert found.ask("POST", "/api/params", {"density": 5}, with_cookie)[0] == 200
        assert found.ask("POST", "/api/stop", {}, {**with_cookie, "Origin": "https://evil.example"})[0] == 403
        assert found.desk.asked == []


def test_in_a_network_it_needs_a_token_and_goes_by_its_address() -> None:
    with pytest.raises(WebError, match="no token"):
        Server(FakeDesk(), "0.0.0.0")
    with house(host="0.0.0.0", token=TOKEN, names=("studio.local",)) as found:
        assert found.server.url == f"http://127.0.0.1:{found.port}"
        for host, wanted in ((f"studio.local:{found.port}", 200), (f"127.0.0.1:{found.port}", 200), ("evil", 403)):
            headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
            assert found.ask("GET", "/api/status", headers=headers)[0] == wanted


def test_in_a_network_it_goes_by_the_machines_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Piano.house.example")
    with house(host="0.0.0.0", token=TOKEN) as found:
        for name, wanted in (("piano.house.example", 200), ("piano.local", 200), ("piano", 403)):
            headers = {"Host": f"{name}:{found.port}", "Authorization": f"Bearer {TOKEN}"}
            assert found.ask("GET", "/api/status", headers=headers)[0] == wanted
    with house(token=TOKEN) as found:  # this machine alone
        headers = {"Host": f"piano.local:{found.port}", "Authorization": f"Bearer {TOKEN}"}
        assert found.ask("GET", "/api/status", headers=headers)[0] == 403


def test_only_a_program_of_this_machine_may_name_a_file(open_house: House) -> None:
    said = {"name": "/home/me/mine.yaml"}
    page = {**JSON, "Origin": open_house.server.url}
    for headers in (page, {**JSON, "Sec-Fetch-Site": "same-origin"}):
        status, answer, _ = open_house.ask("POST", "/api/preset", said, headers)
        assert status == 409 and "no preset" in answer["error"]
        assert open_house.ask("POST", "/api/preset", {"name": "duet"}, headers)[0] == 200
    assert open_house.ask("POST", "/api/preset", said)[0] == 200
    assert open_house.desk.asked == ["preset duet", "preset duet", "preset /home/me/mine.yaml"]

    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url) as socket:
            await socket.send_json({"preset": "/home/me/mine.yaml"})
            assert "no preset" in await until(socket, "error", lambda said: True)

    talk(open_house, run)
    assert len(open_house.desk.asked) == 3


def test_a_port_that_is_taken_and_an_address_that_is_elsewhere(open_house: House) -> None:
    with pytest.raises(WebError, match=rf"port {open_house.port}: .*; take another port, or 0"):
        Server(FakeDesk(), port=open_house.port).start()
    with pytest.raises(WebError, match="cannot serve at 192.0.2.1"):
        Server(FakeDesk(), "192.0.2.1", token=TOKEN).start()
    with pytest.raises(WebError, match="cannot serve at 'no such host'"):
        Server(FakeDesk(), "no such host", token=TOKEN).start()
    with pytest.raises(WebError, match="outside 0 to 65535"):
        Server(FakeDesk(), port=70_000)
    with pytest.raises(WebError, match="16 to 256"):
        Server(FakeDesk(), token="x")


def test_a_flood_of_requests_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "RATE", 20.0)  # what a slow machine asks for is a flood, too
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(house()).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG_S)
        stack.callback(connection.close)
        while len(found) < 5000 and 429 not in found:
            connection.request("GET", "/api/presets")
            answer = connection.getresponse()
            answer.read()
            found.append(answer.status)
    assert answer.headers["Retry-After"] == "1"
    assert found.count(200) >= door.BURST


@pytest.mark.parametrize("error", [RuntimeError("a broken string"), OSError(28, "No space left on device")])
def test_whatever_breaks_inside_is_told_to_the_musician_not_to_the_world(
    open_house: House, error: Exception
) -> None:
    open_house.desk.breaks = error
    status, said, _ = open_house.ask("POST", "/api/params", {"density": 4})
    assert status == 500 and str(error) not in said["error"]
    assert open_house.said == [f"control: {type(error).__name__}: {error}"]


@pytest.fixture(scope="module")
def busy_house() -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "RATE", 1e9)
        patch.setattr(door, "BURST", 1e9)
        with house() as found:
            yield found


BODIES = (ANYTHING | st.dictionaries(NAMES, ANYTHING, max_size=3)).map(lambda said: json.dumps(said).encode())


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["params", "preset", "reload", "stop", "status", "live", "presets", "actions/turn"]),
    BODIES | st.binary(max_size=50),
)
def test_no_json_breaks_it(busy_house: House, path: str, body: bytes) -> None:
    status, said, _ = busy_house.ask("POST", f"/api/{path}", body)
    assert status == 200 or 400 <= status < 500
    assert ("error" in said) == (status != 200)
    assert not busy_house.said


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(min_size=1, max_size=20))
def test_no_action_breaks_it(busy_house: House, name: str) -> None:
    path = "/api/actions/" + "".join(f"%{byte:02x}" for byte in name.encode("utf-8", "surrogatepass"))
    assert 200 <= busy_house.ask("POST", path)[0] < 500
    assert not busy_house.said


# What the panel keeps and fetches

MIDI = {"Content-Type": "audio/midi"}
TAKE = "2026-03-01T12-00-00Z"


@pytest.fixture
def recorded(open_house: House, tmp_path: Path) -> House:
    """A house with a recording."""
    record(tmp_path, [(0.0, Owner.HUMAN, on(60)), (1.0, Owner.HUMAN, off(60))])
    open_house.desk.shelf = Shelf(tmp_path)
    return open_house


def test_a_page_that_has_not_changed_is_not_sent_again() -> None:
    with house(pages={"/": ("text/html", b"<p>")}) as found:
        tag = found.ask("GET", "/")[2]["ETag"]
        status, body, headers = found.ask("GET", "/", headers={"If-None-Match": tag})
        assert (status, body, headers["ETag"]) == (304, b"", tag)
        assert found.ask("GET", "/", headers={"If-None-Match": '"other"'})[0] == 200


def test_a_server_that_has_died_serves_again_at_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    opens, strings = door.Door._open, [RuntimeError("a broken string")]

    def breaking(self: door.Door, server: Any) -> Any:
        if strings:
            raise strings.pop()
        return opens(self, server)

    monkeypatch.setattr(door.Door, "_open", breaking)
    with house() as found:
        with socket.create_connection(("127.0.0.1", found.port), timeout=LONG_S):
            wait_until(lambda: not found.server.alive, LONG_S, "it dies")
        assert str(found.server.failure) == "a broken string"
        found.server.restart()
        assert found.ask("GET", "/api/status")[0] == 200 and found.server.url.endswith(str(found.port))
        assert found.server.alive and found.server.failure is None


def test_a_server_that_is_stuck_is_followed_by_another_and_its_keys_are_let_go(open_house: House) -> None:
    desk, server = open_house.desk, open_house.server
    stuck, wakes, act = threading.Event(), threading.Event(), desk.act

    def held_up(name: str) -> None:
        stuck.set()
        wakes.wait(LONG_S)
        act(name)

    async def play(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url, autoclose=False) as page:
            await page.send_json({"midi": [[0x90, 60, 80]]})
            while not desk.keys:
                await asyncio.sleep(0.01)
            desk.act = held_up  # type: ignore[method-assign]
            await page.send_json({"do": "turn"})
            while not stuck.is_set():
                await asyncio.sleep(0.01)
            beats, old = server.beats, server._life.thread
            await asyncio.sleep(0.3)
            assert server.beats == beats and server.alive
            await asyncio.to_thread(server.restart)
            assert desk.keys == [on(60, 80), off(60)]
            status, _, _ = await asyncio.to_thread(open_house.ask, "GET", "/api/status")
            assert status == 200 and server.beats > 0
            wakes.set()
            await asyncio.to_thread(old.join, LONG_S)
            assert not old.is_alive() and server.alive and server.failure is None
            assert await farewell(page) == 1001  # it comes back by itself

    talk(open_house, play)


def test_recordings_are_listed_fetched_and_removed(recorded: House) -> None:
    listed = recorded.ask("GET", "/api/recordings")[1]
    assert [(one["name"], one["human"], one["finished"]) for one in listed] == [(TAKE, 1, True)]
    status, body, headers = recorded.ask("GET", f"/api/recordings/{TAKE}.mid")
    assert status == 200 and body.startswith(b"MThd") and headers["Content-Type"] == "audio/midi"
    assert headers["Content-Disposition"] == f'attachment; filename="{TAKE}.mid"'
    assert headers["Cache-Control"] == "private, max-age=3600"
    small, large = (recorded.ask("GET", f"/api/recordings/{TAKE}.svg{which}") for which in ("", "?large"))
    assert small[2]["Content-Type"] == "image/svg+xml" and len(large[1]) > len(small[1]) > 0
    notes = [[0.0, "human", 1, 60, 64], [1.0, "human", 1, 60, 0]]
    assert recorded.ask("GET", f"/api/recordings/{TAKE}.json")[1] == notes
    assert recorded.ask("DELETE", f"/api/recordings/{TAKE}")[:2] == (200, {"removed": TAKE})
    assert recorded.ask("GET", "/api/recordings")[1] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/recordings/other.mid", 404),
        ("GET", "/api/recordings/last.mid", 404),
        ("GET", f"/api/recordings/{TAKE}.jsonl", 405),
        ("GET", f"/api/recordings/{TAKE}", 405),
        ("GET", "/api/recordings/..%2F..%2Fetc%2Fpasswd.mid", 404),
        ("DELETE", "/api/recordings/other", 404),
        ("DELETE", "/api/recordings/%00", 404),
        ("POST", f"/api/recordings/{TAKE}", 405),
        ("GET", "/api/take", 405),
        ("GET", "/api/prime", 405),
    ],
)
def test_what_is_no_recording_is_not_fetched(recorded: House, method: str, path: str, status: int) -> None:
    found, said, _ = recorded.ask(method, path)
    assert found == status and "error" in said
    assert recorded.desk.shelf.find(TAKE) is not None and not recorded.desk.asked and not recorded.said


def test_a_recording_that_goes_meanwhile_is_said(recorded: House, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = recorded.desk.shelf.folder / "gone.jsonl"
    monkeypatch.setattr(recorded.desk.shelf, "find", lambda name: gone)
    for kind in ("mid", "svg", "json"):
        status, said, _ = recorded.ask("GET", f"/api/recordings/gone.{kind}")
        assert status == 409 and "cannot read" in said["error"]


def test_a_take_is_begun_and_ended(open_house: House) -> None:
    assert open_house.ask("POST", "/api/take")[:2] == (200, {"name": "a-take"})
    assert open_house.ask("DELETE", "/api/take")[:2] == (200, {"take": None})
    assert open_house.desk.asked == ["take", "end take"]
    open_house.desk.breaks = RefusedError("nothing is recorded")
    for method in ("POST", "DELETE"):
        assert open_house.ask(method, "/api/take")[:2] == (409, {"error": "nothing is recorded"})


def test_a_file_primes_it(open_house: House) -> None:
    file = b"MThd" + bytes(900_000)  # more than others may send
    assert open_house.ask("POST", "/api/prime", file, MIDI)[:2] == (200, {"notes": 3, "seconds": 1.5})
    assert open_house.desk.asked == [f"prime {len(file)}"]
    assert open_house.ask("POST", "/api/prime", b"ID3", MIDI)[:2] == (409, {"error": "not a MIDI file"})
    for headers in (JSON, {}, {"Content-Type": "text/plain"}):
        assert open_house.ask("POST", "/api/prime", b"MThd", headers)[0] == 415
    head = b"POST /api/prime HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: audio/midi\r\n" % open_house.port
    length = b"Content-Length: %d\r\n\r\n" % (kept.PRIMER_BYTES + 1)
    answer = open_house.raw(head + length + b"MThd" + bytes(kept.PRIMER_BYTES - 3))
    assert answer.startswith(b"HTTP/1.1 413") and b"has more than 1048576 bytes" in answer
    assert len(open_house.desk.asked) == 1 and not open_house.said


def test_what_takes_long_keeps_nobody_waiting_and_is_not_waited_for_at_the_end() -> None:
    going, may_end = threading.Event(), threading.Event()

    def prime(data: bytes) -> tuple[int, float]:
        going.set()
        may_end.wait(LONG_S)
        return 1, 1.0

    try:
        with house() as found:
            found.desk.prime = prime  # type: ignore[method-assign]
            asking = threading.Thread(target=lambda: _ignored(lambda: found.ask("POST", "/api/prime", b"", MIDI)))
            asking.start()
            assert going.wait(LONG_S)
            assert found.ask("GET", "/api/status")[0] == 200
        asking.join(LONG_S)
        assert not asking.is_alive()
    finally:
        may_end.set()


def test_a_take_does_not_wait_until_recordings_have_been_read() -> None:
    going, may_end = threading.Event(), threading.Event()

    def listed() -> list[dict[str, Any]]:
        going.set()
        may_end.wait(LONG_S)
        return []

    with house() as found:
        found.desk.shelf.listed = listed  # type: ignore[method-assign]
        asking = threading.Thread(target=lambda: _ignored(lambda: found.ask("GET", "/api/recordings")))
        asking.start()
        assert going.wait(LONG_S)
        try:
            for method in ("POST", "DELETE"):
                assert found.ask(method, "/api/take")[0] == 200
            assert asking.is_alive()
        finally:
            may_end.set()
        asking.join(LONG_S)


def _ignored(work: Callable[[], object]) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        work()


# WebSockets


def talk(found: House, run: Callable[[ClientSession, str], Awaitable[None]]) -> None:
    """Run a client's side in an event loop of its own."""

    async def session() -> None:
        async with ClientSession() as client:
            await asyncio.wait_for(run(client, f"{found.server.url}/api/live"), LONG_S)

    asyncio.run(session())


async def until(reader: ClientWebSocketResponse, key: str, wanted: Callable[[Any], bool]) -> Any:
    """The first message of a kind that is as wanted."""
    while True:
        said = await reader.receive_json()
        if key in said and wanted(said[key]):
            return said[key]


async def farewell(page: ClientWebSocketResponse) -> int | None:
    """The code that the server closes with; None if the connection just ends. For a page without `autoclose`."""
    while (said := await page.receive()).type is WSMsgType.TEXT:
        pass
    return int(said.data) if said.type is WSMsgType.CLOSE else None


def test_two_pages_stay_in_step(open_house: House) -> None:
    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url) as one, client.ws_connect(url) as two:
            for page in (one, two):
                assert await until(page, "params", lambda said: True) == vars(Params())
                assert (await until(page, "status", lambda said: True))["name"] == "liveperf"
            await one.send_json({"set": {"density": 4}})
            for page in (one, two):
                assert (await until(page, "params", lambda said: said["density"] == 4))["mode"] == "answer"
            await two.send_json({"set": {"mode": "solo", "density": 5}})
            for page in (one, two):
                assert (await until(page, "params", lambda said: said["mode"] == "solo"))["density"] == 5
            open_house.desk.set({"speed": 2})  # a knob
            for page in (one, two):
                await until(page, "params", lambda said: said["speed"] == 2)
                await until(page, "status", lambda said: said["mode"] == "solo")  # comes each second

    talk(open_house, run)


def test_it_says_hello_first_and_answers_at_once(open_house: House) -> None:
    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url) as page:
            assert (await page.receive_json())["hello"] == open_house.desk.view.hello()
            await page.send_json({"ping": 17.5})
            assert await until(page, "pong", lambda said: True) == 17.5
            open_house.desk.view.log.add((1.0, "info", "it plays"))
            assert await until(page, "log", bool) == [[1.0, "info", "it plays"]]

    talk(open_house, run)


def test_what_a_page_plays_is_heard_and_let_go_when_it_closes(open_house: House) -> None:
    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url) as page:
            await page.send_json({"midi": [[144, 60, 80], [144, 64, 80], [128, 64, 0]]})
            await page.send_json({"ping": 1})
            await until(page, "pong", lambda said: True)
            assert len(open_house.desk.keys) == 3
            page._response.connection.transport.abort()  # type: ignore[union-attr]
        while len(open_house.desk.keys) < 4:
            await asyncio.sleep(0)

    talk(open_house, run)
    assert [one.bytes()[:2] for one in open_house.desk.keys] == [[144, 60], [144, 64], [128, 64], [128, 60]]


def test_it_does_over_a_websocket_what_it_does_over_http(open_house: House) -> None:
    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url) as page:
            await page.send_json({"do": "panic"})
            await page.send_json({"preset": "duet"})
            await page.send_json({"preset": "walz"})
            assert await until(page, "error", lambda said: True) == "no preset 'walz'"
            await page.send_str("{")
            assert await until(page, "error", lambda said: True) == "not JSON"
            await page.send_json({"set": {"lowest_pitch": 120}})
            assert "swap them" in await until(page, "error", lambda said: True)

    talk(open_house, run)
    assert open_house.desk.asked == ["panic", "preset duet"]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Host": "localhost"}],
)
def test_a_hostile_page_gets_no_websocket(open_house: House, headers: dict[str, str]) -> None:
    async def run(client: ClientSession, url: str) -> None:
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(url, headers=headers)
        assert refused.value.status == 403
        async with client.ws_connect(url, headers={"Origin": open_house.server.url}) as page:
            await page.receive_json()

    talk(open_house, run)


def test_a_websocket_needs_the_token_too() -> None:
    async def run(client: ClientSession, url: str) -> None:
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(url)
        assert refused.value.status == 401
        async with client.ws_connect(f"{url}?token={TOKEN}") as page:
            await page.receive_json()

    with house(token=TOKEN) as found:
        talk(found, run)


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda page: page.send_str('{"set": {"x": "' + "y" * 17_000 + '"}}'), 1009),
        (lambda page: page.send_bytes(b"{}"), 1003),
    ],
)
def test_messages_that_are_too_long_or_no_text_end_it(
    open_house: House, send: Callable[[ClientWebSocketResponse], Awaitable[None]], code: int
) -> None:
    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url, autoclose=False) as page:
            await send(page)
            assert await farewell(page) == code

    talk(open_house, run)
    assert not open_house.said


def test_a_knob_that_is_swept_arrives_and_a_flood_is_cut_off(
    open_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "RATE", 100.0)  # what a slow machine sends is a flood, too

    async def run(client: ClientSession, url: str) -> None:
        async with client.ws_connect(url, autoclose=False) as page:
            for number in range(1, 1001):
                await page.send_json({"set": {"density": number / 50}})
            await until(page, "params", lambda said: said["density"] == 20)
            assert len(open_house.desk.sets) <= 1000
            with contextlib.suppress(ConnectionError):
                for _ in range(20_000):
                    await page.send_str("{}")
            assert await farewell(page) in (1008, None)  # None: what was still on its way is not read any more
        async with client.ws_connect(url) as page:  # and may come again
            await page.receive_json()

    talk(open_house, run)


def test_a_reader_who_does_not_read_is_dropped_and_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STATUS_S", 0.1)
    monkeypatch.setattr(live, "SLOW_S", 1.0)
    with house() as found:
        found.desk.padding = "x" * 500_000
        with socket.create_connection(("127.0.0.1", found.port), LONG_S) as sleeper:
            sleeper.sendall(_handshake(found.port))
            assert sleeper.recv(12) == b"HTTP/1.1 101"

            async def run(client: ClientSession, url: str) -> None:
                async with client.ws_connect(url, max_msg_size=0) as page:
                    while await until(page, "status", lambda said: True) and len(found.server.site.talks) > 1:
                        pass
                    found.desk.set({"density": 4})
                    await until(page, "params", lambda said: said["density"] == 4)

            talk(found, run)
            _rest(sleeper)  # ends
        assert not found.said


def _handshake(port: int) -> bytes:
    return (
        f"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def test_there_is_room_for_so_many(open_house: House) -> None:
    async def run(client: ClientSession, url: str) -> None:
        pages = [await client.ws_connect(url) for _ in range(site.SOCKETS)]
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(url)
        assert refused.value.status == 503
        await pages[0].close()
        while True:
            with contextlib.suppress(WSServerHandshakeError):
                pages[0] = await client.ws_connect(url)
                break
        for page in pages:
            await until(page, "params", lambda said: True)
            await page.close()

    talk(open_house, run)


def test_it_ends_while_pages_are_open_and_requests_are_on_their_way() -> None:
    with house() as found, socket.create_connection(("127.0.0.1", found.port), LONG_S) as half:
        half.sendall(b"POST /api/params HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 9\r\n" % found.port)

        async def run(client: ClientSession, url: str) -> None:
            pages = [await client.ws_connect(url, autoclose=False) for _ in range(8)]
            stopping = threading.Thread(target=found.server.stop)
            stopping.start()
            for page in pages:
                assert await farewell(page) == 1001
            stopping.join()

        talk(found, run)
        assert not found.server.alive
        assert _rest(half) == b""
        found.server.stop()  # again
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", found.port), LONG_S)
