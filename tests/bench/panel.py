"""How soon what a panel asks for is heard, and whether being looked at makes notes late."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import sys
import time
from itertools import pairwise
from statistics import fmean
from unittest import mock
from urllib.parse import urlsplit

from aiohttp import ClientSession, ClientWebSocketResponse

from liveperf.cli import main
from liveperf.playing import output
from liveperf.playing.lateness import Lateness
from liveperf.scales import pitch_classes
from tests.bench.control import AHEAD_S, CHORD_S, PLAYING, ROOTS, SCALE
from tests.bench.daemon import service, url_of
from tests.bench.other import another, beside, obeying, pass_by
from tests.bench.play import Ear
from tests.bench.row import Row, Size

POSTED = Row("parameter set over HTTP -> first obeying note-on received", "ms")
ALONE = Row("note sent after its time, nobody looks", "ms")
WATCHED = Row("note sent after its time, a panel open and the status polled", "ms")
RATIO = Row("p99 of that / p99 with nobody looking", "times")
LOOKED_AT = (ALONE, WATCHED, RATIO)

TURNS = 8  # by turns, so that whatever else the machine does, it does to both
POLL_S = 0.1
_entries: list[tuple[float, float]] = []


class Diary(Lateness):
    """Remembers of each note when it was sent and how late, s."""

    def add(self, seconds: float) -> None:
        """One more."""
        super().add(seconds)
        _entries.append((time.perf_counter(), seconds))


def diary() -> None:
    """The command line with such a memory, which it prints in the end; a service prints nothing else."""
    try:
        with mock.patch.object(output, "Lateness", Diary):
            main()
    finally:
        print(json.dumps(_entries))


def posts(size: Size, no_jack: str) -> list[Row]:
    """`liveperf play`, alone, and a program that asks it for another key."""
    if no_jack:
        return [POSTED.missing(no_jack)]
    taken: list[float] = []
    dice = random.Random(1)
    with (
        service(*PLAYING) as (instrument, _),
        contextlib.closing(Ear()) as ear,
        contextlib.closing(http.client.HTTPConnection(urlsplit(url_of(instrument)).netloc)) as connection,
    ):
        for index in range(size.posts + 1):  # the first to get warm
            time.sleep(AHEAD_S + 0.1 * dice.random())  # the plan is as long as it gets
            taken += _post(connection, ear, ROOTS[(index + 1) % 2])[: index > 0]
        onsets = [at for at, begins, _ in ear.heard if begins]
    apart = [after - before for before, after in pairwise(onsets) if after - before > CHORD_S]
    each = f"a note or chord each {fmean(apart) * 1e3:.0f} ms" if apart else "no notes"
    note = f"over HTTP there and over JACK back, {len(taken)} of {size.posts} turns; {each}"
    return [POSTED.measured(taken, note)]


def _post(connection: http.client.HTTPConnection, ear: Ear, root: str) -> list[float]:
    """Ask for another key; when the first note of it comes, ms. Nothing if none does in two seconds."""
    classes, heard = pitch_classes(SCALE, root), len(ear.heard)
    asked = time.perf_counter()
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/api/params", json.dumps({"root": root}), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"it answers {answer.status}: {answer.read().decode()}")
    answer.read()
    return obeying(ear, classes, heard, asked)


def looked_at(size: Size, no_jack: str) -> list[Row]:
    """`liveperf play`, alone, and by turns a program that has a WebSocket open and asks for the status."""
    if no_jack:
        return [row.missing(no_jack) for row in LOOKED_AT]
    late: tuple[list[float], list[float]] = ([], [])
    spans: list[tuple[float, float]] = []
    program = ("-c", f"from {__name__} import diary; diary()")
    with (
        service("--mode", "solo", "--density", "16", program=program) as (instrument, _),
        another(f"from {__name__} import watches; watches({url_of(instrument)!r})") as watcher,
    ):
        time.sleep(0.5)
        for index in range(TURNS):
            begun = time.perf_counter()
            pass_by(watcher, size.watch_s / TURNS, index % 2 > 0)
            spans.append((begun, time.perf_counter()))
        instrument.stop()
        diary: list[tuple[float, float]] = json.loads(instrument.out)
    for index, (begun, ended) in enumerate(spans):
        late[index % 2].extend(seconds * 1e3 for at, seconds in diary if begun <= at < ended)
    rows = [
        ALONE.measured(late[0], f"as a service, {len(late[0])} notes"),
        WATCHED.measured(late[1], f"the same run by turns, {len(late[1])} notes; asked {1 / POLL_S:g} times/s"),
    ]
    return [*rows, beside(RATIO, *late)]


def watches(url: str) -> None:
    """The program that looks: for each line, so many seconds."""
    print("ready", flush=True)
    for line in sys.stdin:
        asyncio.run(_watch(url, float(line)))
        print("watched", flush=True)


async def _watch(url: str, seconds: float) -> None:
    end = time.perf_counter() + seconds
    async with ClientSession(raise_for_status=True) as session, session.ws_connect(f"{url}/api/live") as talk:
        hearing = asyncio.ensure_future(_hear(talk))
        while time.perf_counter() < end:
            async with session.get(f"{url}/api/status") as answer:
                await answer.json()
            await asyncio.sleep(POLL_S)
        hearing.cancel()


async def _hear(talk: ClientWebSocketResponse) -> None:
    async for _ in talk:
        pass
