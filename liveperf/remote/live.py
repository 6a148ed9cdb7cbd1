"""The talk over a WebSocket, without the socket: what changes goes out, what is asked comes in. One event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import mido

from liveperf.midi.ledgers import Held
from liveperf.params import ParamError
from liveperf.playing.desk import Panel, RefusedError
from liveperf.preview import Planned
from liveperf.remote import orders, telling
from liveperf.remote.guard import Bucket

LOOK_S = 0.025  # how often it looks for a change: a fader on a page follows a knob at 40 Hz
PLAN_S = 0.04
STATUS_S = 1.0
CLEAR_S = 0.002  # a look takes a part of that, and no note may be due meanwhile
YIELDS = 3  # then it is done all the same
SLOW_S = 2.0  # a reader who has not kept up for this long is dropped,
LAG_BYTES = 1 << 20  # and one whom so much waits for
LOGGED = 50  # lines that a new reader is told
RATE, BURST = 2000.0, 2000.0  # messages of one socket: twice what a fader sends that is swept at 1,000 Hz
# As how many more messages one counts; a preset reads a file.
COSTS = {"set": 0.0, "midi": 0.0, "ping": 0.0, "do": 20.0, "learn": 20.0, "unlearn": 20.0, "preset": 100.0}


class Listener:
    """Who is told: the way out to one socket. What he has not read yet waits for him, but not for long."""

    def __init__(
        self, write: Callable[[bytes], object], waiting: Callable[[], int], drop: Callable[[], object]
    ) -> None:
        """write: never waits. waiting: how many bytes are not sent yet. drop: ends the connection at once."""
        self._write, self._waiting, self.drop = write, waiting, drop
        self._behind: float | None = None  # since when, s

    def post(self, frame: bytes, now: float) -> None:
        """Have a frame sent, or drop one who is too slow for it. Never waits. now: the event loop's time, s."""
        waiting = self._waiting()
        if not waiting:
            self._behind = None
        elif self._behind is None:
            self._behind = now
        if waiting > LAG_BYTES or (self._behind is not None and now - self._behind > SLOW_S):
            self.drop()
        else:
            self._write(frame)


class Hub:
    """All listeners, told together of what changes and is played, and of the status each second.

    Whatever is new at a look goes out in one message, which is made once for all.
    """

    def __init__(self, desk: Panel, now: Callable[[], float], fail: Callable[[Exception], None]) -> None:
        """now: the event loop's time, s. fail: told what went wrong inside."""
        self._desk, self._now, self._fail = desk, now, fail
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    def join(self, listener: Listener) -> None:
        """Tell a new listener how things are, and from now on what changes."""
        view, now = self._desk.view, self._now()
        if not self._listeners:
            self._begin()
        listener.post(frame({"hello": view.hello()}), now)
        how = {key: make() for key, (_, make) in self._marked.items()}
        how["learning"] = view.lesson()["learning"]  # what came of earlier lessons is no news to him
        listener.post(frame(how | {"plan": self._planned, "now": round(view.now(), 4)}), now)
        played, end = view.played.since(0)
        told = max(len(played) - (end - self._played), 0)  # the rest he is told with the others
        listener.post(frame({"past": telling.past(played[:told], view.map, view.now())}), now)
        logged = telling.logged(view.log.last(LOGGED))
        listener.post(frame({"status": self._desk.status(), "log": logged}), now)
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())

    def leave(self, listener: Listener) -> None:
        """Tell this one no more. When nobody is left, nothing is looked at."""
        self._listeners.discard(listener)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    def _begin(self) -> None:
        """Somebody looks on: what is new is what is new from here on."""
        desk, view = self._desk, self._desk.view
        self._marked: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
            "params": (lambda: desk.params, lambda: vars(desk.params)),
            "state": (view.state, view.state),
            "beat": (lambda: (view.beat() or {}).get("number"), view.beat),
            "map": (lambda: view.map, lambda: telling.knobs(view.map)),
            "recordings": (view.kept, lambda: True),
            "take": (view.take, view.take),
        }
        self._seen = {key: mark() for key, (mark, _) in self._marked.items()}
        self._lesson = view.lesson()
        self._planned: list[Planned] = []
        self._plan_mark: object = None
        self._plan_at = self._now()
        self._status_at = self._now() + STATUS_S
        self._played, self._logged = view.played.end, view.log.end

    async def _run(self) -> None:
        try:
            while True:
                await self._lull()
                now = self._now()
                news = self._news(now)
                if news:
                    told = frame(news)
                    for listener in list(self._listeners):
                        listener.post(told, now)
                await asyncio.sleep(LOOK_S)
        except Exception as error:
            self._fail(error)
            for listener in self._listeners:
                listener.drop()

    async def _lull(self) -> None:
        """Let a note that is about to be sent go first: it would have to wait for the interpreter."""
        for _ in range(YIELDS):
            left = self._desk.view.lull()
            if left > CLEAR_S:
                return
            await asyncio.sleep(max(left, 0.0) + CLEAR_S / 2)

    def _news(self, now: float) -> dict[str, Any]:
        """What has changed since the last look."""
        desk, view, news = self._desk, self._desk.view, dict[str, Any]()
        for key, (mark, make) in self._marked.items():
            found = mark()
            if self._seen[key] is not found and self._seen[key] != found:
                self._seen[key] = found
                news[key] = make()
        lesson = view.lesson()
        if lesson != self._lesson:
            self._lesson = lesson
            news |= lesson
        played, self._played = view.played.since(self._played)
        if played:
            news |= telling.heard(played, view.map)
        if now >= self._plan_at:
            self._look_at_plan(news, now)
        logged, self._logged = view.log.since(self._logged)
        if logged:
            news["log"] = telling.logged(logged)
        if now >= self._status_at:
            self._status_at = now + STATUS_S
            news["status"] = desk.status()
        if "notes" in news or "plan" in news:
            news["now"] = round(view.now(), 4)
        return news

    def _look_at_plan(self, news: dict[str, Any], now: float) -> None:
        mark = self._desk.view.plan_mark()
        if mark == self._plan_mark:
            return
        self._plan_mark, self._plan_at = mark, now + PLAN_S
        planned = self._desk.view.plan()
        if planned != self._planned:
            self._planned = planned
            news["plan"] = planned


class Caller:
    """What one socket asks for and plays. Settings that come in together are made together."""

    def __init__(
        self, desk: Panel, now: Callable[[], float], soon: Callable[[Callable[[], None]], object]
    ) -> None:
        """now: the event loop's time, s. soon: calls something at the loop's next turn."""
        self.answer: Callable[[dict[str, Any]], None] = lambda said: None
        self._desk, self._now, self._soon = desk, now, soon
        self._bucket = Bucket(RATE, BURST)
        self._waiting: list[tuple[dict[str, Any], float | None]] = []  # settings, and what they go by
        self._hand = Held()

    def take(self, text: str) -> bool:
        """Take one message in; False: they come too fast. What is wrong with it is answered.

        Settings may go by a number, `as`: `done` says that those up to it have been handed on, and an error which
        it has `refused`.
        """
        now = self._now()
        if not self._bucket.take(now):
            return False
        by: float | None = None
        try:
            message = _message(text)
            if "as" in message:
                by = orders.number(message.pop("as"))
            for key, said in message.items():
                cost = len(said) if key == "midi" and isinstance(said, list) else COSTS[key]
                if not self._bucket.take(now, cost):
                    return False
                self._do(key, said, by)
        except (ParamError, RefusedError) as error:
            self._refuse(error, by)
        return True

    def leave(self) -> None:
        """It has gone: let go the keys and pedals that it held."""
        for message in self._hand.held():
            self._play(message)

    def _do(self, key: str, said: Any, by: float | None) -> None:
        if key == "set":
            self._waiting.append((orders.values(said), by))
            if len(self._waiting) == 1:
                self._soon(self.flush)
            return
        if key == "ping":
            self.answer({"pong": orders.number(said), "now": round(self._desk.view.now(), 6)})
            return
        self.flush()  # what was set before is in force before
        if key == "midi":
            for message in orders.midi(said):
                self._play(message)
        elif key == "do":
            self._desk.act(orders.action(said))
        elif key == "learn":
            self._desk.learn(*orders.lesson(said))
        elif key == "unlearn":
            self._desk.unlearn(orders.knob(said))
        else:
            self._desk.preset(orders.preset(said))

    def _play(self, message: mido.Message) -> None:
        self._hand.sent(message)
        self._desk.play(message)

    def flush(self) -> None:
        """Make the settings that wait: as one, or each by itself if they do not fit together."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self._desk.set({name: value for said, _ in waiting for name, value in said.items()})
        except ParamError as error:
            if len(waiting) == 1:
                self._refuse(error, waiting[0][1])
                return
            for one in waiting:
                self._waiting = [one]
                self.flush()
        else:
            numbers = [by for _, by in waiting if by is not None]
            if numbers:
                self.answer({"done": numbers[-1]})

    def _refuse(self, error: Exception, by: float | None) -> None:
        self.answer({"error": str(error)} | ({} if by is None else {"refused": by}))


def to_json(said: Any) -> str:
    """It as JSON, as short as it goes."""
    return json.dumps(said, separators=(",", ":"))


def frame(said: Any) -> bytes:
    """It as a WebSocket's text message (RFC 6455), as a server sends it: made once, for all who listen."""
    data = to_json(said).encode()
    size = len(data)
    if size < 126:
        return bytes((0x81, size)) + data
    return (
        b"\x81\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x81\x7f" + size.to_bytes(8, "big")
    ) + data


def _message(text: str) -> dict[str, Any]:
    """What is asked, and with what. Raises RefusedError."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise RefusedError("not JSON") from None
    asked = said.keys() - {"as"} if isinstance(said, dict) else set()
    if not asked or not asked <= COSTS.keys():
        raise RefusedError('expected {"set": {...}}, {"do": "panic"}, or one of ' + ", ".join([*COSTS][1:]))
    found: dict[str, Any] = said
    return found
