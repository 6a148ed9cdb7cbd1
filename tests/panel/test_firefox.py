"""The panel in Firefox, driven over a WebSocket: WebDriver BiDi, https://www.w3.org/TR/webdriver-bidi/."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.browser import Player
from tests.jack import missing
from tests.jack import until as wait_until

pytestmark = pytest.mark.browser

NAMES = ("firefox-esr", "firefox")
# An audio device that is not there, for a machine that has none: without any, Firefox starts no sound.
PREFERENCES = 'user_pref("media.cubeb.backend", "null"); user_pref("media.cubeb.force_mock_context", true);'
HEARD = 3e-3  # RMS at the end of the audio graph
LONG_S = 20.0
START_S = 60.0  # the first time, it makes a profile


class Fox:
    """A window of Firefox."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers, self._window = socket, itertools.count(), ""
        self.complaints: list[str] = []

    async def open(self, url: str) -> None:
        """Go to a page in its first window; whatever it complains of is kept."""
        await self.ask("session.new", capabilities={})
        await self.ask("session.subscribe", events=["log.entryAdded"])
        self._window = (await self.ask("browsingContext.getTree"))["contexts"][0]["context"]
        await self.ask("browsingContext.navigate", context=self._window, url=url, wait="complete")

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """What it answers to a command."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            said = await self._socket.receive_json(timeout=LONG_S)
            if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.complaints.append(said["params"]["text"])
            elif said.get("id") == number:
                assert said["type"] == "success", said
                return dict(said["result"])

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page: a number, a text, yes or no."""
        target = {"context": self._window}
        said = await self.ask("script.evaluate", expression=expression, target=target, awaitPromise=True)
        assert said["type"] == "success", said
        return said["result"].get("value")

    async def perform(self, kind: str, *actions: dict[str, Any]) -> None:
        """Let a `key`board or a `pointer` do something, as a hand would."""
        source = {"type": kind, "id": kind, "actions": list(actions)}
        await self.ask("input.performActions", context=self._window, actions=[source])

    async def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        box = f"document.querySelector('{selector}').getBoundingClientRect()"
        x = int(await self.evaluate(f"{box}.x + {box}.width / 2"))
        y = int(await self.evaluate(f"{box}.y + {box}.height / 2"))
        move = {"type": "pointerMove", "x": x, "y": y}
        await self.perform(
            "pointer", move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}
        )

    async def key(self, kind: str, *keys: str) -> None:
        """Press keys (`keyDown`) or let them go (`keyUp`)."""
        await self.perform("key", *({"type": kind, "value": key} for key in keys))

    async def until(self, condition: Callable[[], Awaitable[Any]], what: str) -> None:
        """Wait for a condition to hold."""
        end = time.monotonic() + LONG_S
        while not await condition():
            assert time.monotonic() < end, what
            await asyncio.sleep(0.02)

    async def holds(self, expression: str) -> None:
        """Wait until something is so in the page."""
        await self.until(lambda: self.evaluate(f"Boolean({expression})"), expression)


@pytest.fixture
def firefox(tmp_path: Path) -> Iterator[str]:
    """Firefox without a window; where its WebSocket is."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        missing("Firefox")
    assert program is not None
    profile, said = tmp_path / "profile", tmp_path / "firefox"
    profile.mkdir()
    (profile / "user.js").write_text(PREFERENCES)
    command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with open(said, "wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, "HOME": str(profile)}
        )
    try:
        address = re.compile(r"BiDi listening on (ws://\S+)")
        wait_until(lambda: address.search(said.read_text()), START_S, "Firefox listens")
        yield address.findall(said.read_text())[0]
    finally:
        process.terminate()
        try:
            process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def window(address: str) -> AsyncIterator[Fox]:
    """Its window."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{address}/session", max_msg_size=0) as one:
        yield Fox(one)


def test_it_hears_a_phrase_and_answers_in_firefox(firefox: str, tmp_path: Path) -> None:
    player = Player(
        tmp_path / "play", "liveperf", "--port", "0", "--idle-start-s", "0",
        "--turn-gap-s", "3", "--answer-shortest-s", "30",
    )  # fmt: skip

    async def play() -> None:
        async with window(firefox) as fox:
            await fox.open(player.url)
            await fox.holds("window.liveperf?.connected && document.querySelector('[data-param=density]')")
            assert await fox.evaluate("liveperf.audio.context === null")
            await fox.click("#sound")
            await fox.holds("liveperf.audio.on && liveperf.audio.voices.ready > 2")
            await fox.key("keyDown", "z")
            await fox.holds(f"liveperf.audio.level() > {HEARD}")
            await fox.key("keyUp", "z")
            for key in "xcvb":
                await fox.key("keyDown", key)
                await fox.key("keyUp", key)
            await fox.holds("liveperf.notes >= 5")
            await fox.holds("liveperf.state.turn === 'machine' && liveperf.notes > 8")
            await fox.holds(f"liveperf.audio.level() > {HEARD}")
            await fox.key("keyDown", "\ue00c")  # Escape
            assert await fox.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert fox.complaints == []

    try:
        player.ready()
        asyncio.run(play())
        assert player.get("/api/status")["notes_in"] == 5
    finally:
        player.end()
