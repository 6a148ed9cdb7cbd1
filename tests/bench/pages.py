"""Whether pages that are open make notes late."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import os
import queue
import selectors
import socket
import sys
import time
from urllib.parse import urlsplit

from liveperf import daemon
from liveperf.clock import SystemClock
from liveperf.feed import Ring
from liveperf.generator import Generator
from liveperf.midi.nothing import Nothing
from liveperf.model import bundle
from liveperf.panel.pages import read as read_pages
from liveperf.panel.stage import Stage
from liveperf.params import Params
from liveperf.performer import Performer
from liveperf.playing.instrument import Instrument, News
from liveperf.remote.server import Server
from liveperf.setup.settings import Config
from tests.bench.other import another, ask, beside
from tests.bench.play import MACHINE
from tests.bench.row import Aim, Row, Size
from tests.bench.speed import MODEL

CLOSED = Row("note sent after its time, no page open", "ms")
OPEN = Row("note sent after its time, five pages open", "ms")
RATIO = Row("p99 of that / p99 with no page open", "times", Aim("median", most=1.1))
RESTLESS = Row("note sent after its time, pages come and go, and one does not read", "ms")
RESTLESS_RATIO = Row("p99 with pages that come and go / p99 with none", "times")
PAGES_OPEN = (CLOSED, OPEN, RATIO, RESTLESS, RESTLESS_RATIO)

PAGES = 5
TURNS = (
    9  # none, five, and those that come and go by turns, so that whatever else the machine does, it does to all
)
STATES = ("close", "open", "restless")
COME_S = 0.3  # how often one of those goes and another comes
SET_S = 0.5  # how often a page moves a fader, one that does not make it another music
# Few voices: a note of a chord of forty is late by all those before it, whoever looks on.
MUSIC = Params(mode="solo", density=24, polyphony=4)
SETTLE_S = 0.5  # after pages have come or gone


def open_pages(size: Size) -> list[Row]:
    """An instrument that plays alone, without MIDI, and by turns the pages of five browsers."""
    setup = Config(params=MUSIC, channel=MACHINE)
    clock = SystemClock()
    inbox: queue.SimpleQueue[News] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(daemon.SWITCH_S)
        performer = Performer(Generator(bundle.load(MODEL)), setup.params)
        instrument = Instrument(setup, performer, Nothing(clock), clock, None, inbox)
        server = Server(Stage(instrument, clock, Ring(1)), pages=read_pages())
        server.start()
        stack.callback(server.stop)
        readers = stack.enter_context(another(f"from {__name__} import read; read({server.url!r})"))
        gc.freeze()  # as `play` does
        instrument.begin()
        stack.callback(instrument.end)
        late: dict[str, list[float]] = {state: [] for state in STATES}
        for index in range(TURNS):
            state = STATES[index % 3]
            ask(readers, state)
            time.sleep(SETTLE_S)
            before = instrument.output.lateness.count
            time.sleep(size.pages_s / TURNS)
            new = instrument.output.lateness.count - before
            late[state].extend(one * 1e3 for one in list(instrument.output.lateness.recent)[-new:] if new)
        messages = int(ask(readers, "count"))
    none, five, restless = late.values()
    return [
        CLOSED.measured(none, f"priority {instrument.output.priority}, {len(none)} notes"),
        OPEN.measured(five, f"the same run by turns, {len(five)} notes, {messages} messages read in all"),
        beside(RATIO, none, five),
        RESTLESS.measured(restless, f"the same run by turns, {len(restless)} notes; another each {COME_S:g} s"),
        beside(RESTLESS_RATIO, none, restless),
    ]


def read(url: str) -> None:
    """The reading program: pages that read all that comes and now and then move a fader.

    Where they are restless, one after the other goes and comes again, and one more never reads.
    """
    place = urlsplit(url)
    found, count, set_at, come_at = list[socket.socket](), 0, 0.0, float("inf")
    watched = selectors.DefaultSelector()
    watched.register(sys.stdin, selectors.EVENT_READ)
    deaf: socket.socket | None = None
    print("ready", flush=True)

    def come() -> socket.socket:
        page = _page(str(place.hostname), place.port or 0)
        watched.register(page, selectors.EVENT_READ)
        return page

    def go(page: socket.socket) -> None:
        watched.unregister(page)
        page.close()

    while True:
        for key, _ in watched.select(0.1):
            if key.fileobj is sys.stdin:
                asked = os.read(0, 64).decode().split()
                if not asked:
                    return
                if asked[0] in STATES:
                    for page in found:
                        go(page)
                    if deaf is not None:
                        deaf.close()
                    restless = asked[0] == "restless"
                    found = [come() for _ in range(PAGES * (asked[0] != "close"))]
                    deaf = _page(str(place.hostname), place.port or 0) if restless else None
                    come_at = time.perf_counter() + COME_S if restless else float("inf")
                print(count if "count" in asked else "ok", flush=True)
            else:
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj.fileno() < 0:  # it has just gone
                    continue
                count += key.fileobj.recv(1 << 16).count(b"\x81")  # about
        if time.perf_counter() > come_at:
            come_at += COME_S
            go(found.pop(0))
            found.append(come())
        if found and time.perf_counter() > set_at:
            set_at = time.perf_counter() + SET_S / PAGES
            page = found[int(set_at * 10) % PAGES]
            page.sendall(_masked({"set": {"loudness": round(1 + set_at % 0.2, 2)}}))


def _page(host: str, port: int) -> socket.socket:
    page = socket.create_connection((host, port), 5)
    key = base64.b64encode(bytes(16)).decode()
    page.sendall(
        f"GET /api/live HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    if not page.recv(12).startswith(b"HTTP/1.1 101"):
        raise RuntimeError("the page is not let in")
    return page


def _masked(said: object) -> bytes:
    """A page's message: under a mask of zeros."""
    data = json.dumps(said).encode()
    return bytes((0x81, 0x80 | len(data))) + bytes(4) + data
