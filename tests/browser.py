"""Real parts for the tests marked `browser`: a browser, pages that look at the panel, an instrument without MIDI.

While Playwright runs, its event loop counts as that of the thread: nothing else may run one there meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, WebSocket, expect, sync_playwright

from liveperf.params import row_named
from tests.jack import ROOT, Instrument, Keyboard, missing
from tests.jack import until as wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
WINDOW = {"width": 1440, "height": 900}
NO_MIDI = {  # what keeps a process from finding JACK, PipeWire and ALSA, wherever it runs
    "JACK_DEFAULT_SERVER": "nobody",
    "JACK_NO_START_SERVER": "1",
    "PIPEWIRE_REMOTE": "nobody",
    "ALSA_CONFIG_PATH": os.devnull,
}
LONG_S = 20.0
expect.set_options(timeout=LONG_S * 1000)
SILENCE, HEARD = 1e-4, 3e-3  # RMS at the end of the audio graph
_AWAY = re.compile(r"(?=.*net::ERR_).*/api/(live|status)\b(?![/?])", re.DOTALL)
_REPORT_CSP = """addEventListener('securitypolicyviolation', event =>
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"""
_SHOWS = """name => {
    const dot = document.createElement('canvas').getContext('2d');
    dot.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    dot.fillRect(0, 0, 1, 1);
    const [red, green, blue] = dot.getImageData(0, 0, 1, 1).data;
    const canvas = document.querySelector('canvas[role=img]');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const near = (a, b) => Math.abs(a - b) < 3;
    for (let i = 0; i < data.length; i += 4)
        if (near(data[i], red) && near(data[i + 1], green) && near(data[i + 2], blue) && data[i + 3] > 250)
            return true;
    return false;
}"""

# A keyboard that is plugged in where the browser is; toy(status, data, data) plays it.
WEB_MIDI = """
const input = new EventTarget();
input.name = 'Toy Piano';
navigator.requestMIDIAccess = async () => ({inputs: new Map([['toy', input]])});
window.toy = (...data) => input.onmidimessage({data: new Uint8Array(data)});
"""
# As Firefox does where there is no sound card: it waits for one.
DEAF = """AudioContext.prototype.resume = () => new Promise(() => {});
Object.defineProperty(BaseAudioContext.prototype, 'state', {get: () => 'suspended'});"""
_LOUDEST = """async seconds => {
    let most = 0;
    for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
        most = Math.max(most, liveperf.audio.level());
        await new Promise(go => setTimeout(go, 15));
    }
    return most;
}"""
_FALLS_SILENT = """async ([silence, end]) => {
    const { audio } = liveperf;
    for (const late = performance.now() + 60000; performance.now() < late; ) {
        if (audio.level() < silence) return true;
        if (audio.context.currentTime > end) return false;
        await new Promise(go => setTimeout(go, 15));
    }
    return false;
}"""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window. Skips the test if there is none; in CI that is a failure."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = next(filter(None, map(shutil.which, NAMES)), own if Path(own).exists() else None)
        if found is None:
            missing("Chromium")
        as_root = hasattr(os, "getuid") and os.getuid() == 0
        arguments = [*ARGUMENTS, *(["--no-sandbox"] if as_root else [])]
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Player(Instrument):
    """`liveperf play` as a process of its own, with or without a MIDI system: what it says is in `out`."""

    def __init__(
        self, folder: Path, name: str, *options: str, midi: bool = False, env: Mapping[str, str] | None = None
    ) -> None:
        """name: of its ports. midi: let it look for a MIDI system. env: variables for it alone."""
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._err = folder / "stdout", folder / "stderr"
        command = [sys.executable, "-m", "liveperf", "play", "--seed", "1", "--name", name, *options]
        self.input = f"{name}-in:{name}"
        variables = os.environ | ({} if midi else NO_MIDI) | dict(env or {})
        self.started = time.perf_counter()
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=variables
            )

    def ready(self) -> None:
        """Wait until it says where its panel is."""
        wait_until(lambda: self.process.poll() is not None or "Ctrl-C ends it" in self.out, LONG_S, "it plays")
        assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.err}"

    @property
    def url(self) -> str:
        """Where its panel is."""
        return self.out.split("panel is at ")[1].split()[0].split("?")[0].rstrip("/")

    @property
    def port(self) -> int:
        """The port of its panel."""
        return int(self.url.rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of what it answers to a request."""
        request = urllib.request.Request(f"{self.url}{path}", body, dict(headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=LONG_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def get(self, path: str, **headers: str) -> Any:
        """The JSON that it answers to GET."""
        status, body = self.ask("GET", path, headers=headers)
        assert status == 200, body
        return json.loads(body)

    def set(self, **values: Any) -> None:
        """Give parameters other values."""
        headers = {"Content-Type": "application/json"}
        status, body = self.ask("POST", "/api/params", json.dumps(values).encode(), headers)
        assert status == 200, body

    def params(self) -> dict[str, Any]:
        """What its parameters are."""
        found: dict[str, Any] = self.get("/api/status")["params"]
        return found

    def ended(self, seconds: float = 5) -> int:
        """Its exit code, once it has ended."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it has not ended within {seconds:g} s")


class Note(NamedTuple):
    """What the instrument tells a page of a note; velocity 0: it ends."""

    at: float
    who: str
    pitch: int
    velocity: int


class Panel:
    """A page in a browser's window of its own, and all that goes wrong in it."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        """options: as of Playwright's new_context, such as color_scheme."""
        self.context = browser.new_context(**({"viewport": WINDOW} | options))
        self.context.set_default_timeout(LONG_S * 1000)
        self.context.add_init_script(_REPORT_CSP)
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.notes: list[Note] = []
        self.page = self.context.new_page()
        self._watch(self.page)

    def _watch(self, page: Page) -> None:
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", self._overhear)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _overhear(self, socket: WebSocket) -> None:
        def heard(frame: str | bytes) -> None:
            told = json.loads(frame).get("notes", [])
            self.notes += [Note(at, who, pitch, velocity) for at, who, _, pitch, velocity in told]

        self.asked.append(socket.url)
        socket.on("framereceived", heard)

    def open(self, url: str) -> Panel:
        """Go to a panel and wait until it has the instrument, and its controls."""
        self.page.goto(url)
        self.connected()
        self.page.get_by_role("radio", name="answer").wait_for(state="attached")
        return self

    def connected(self) -> None:
        """Wait until it has the instrument."""
        self.holds("window.liveperf?.connected", "it has the instrument")

    def shows(self, name: str) -> bool:
        """Whether a colour of the style sheet's is to be seen in the piano roll."""
        return bool(self.page.evaluate(_SHOWS, name))

    def onsets(self, who: str) -> list[int]:
        """The pitches that the instrument has told it of, as they began."""
        return [note.pitch for note in self.notes if note.who == who and note.velocity > 0]

    def rate(self, seconds: float) -> float:
        """How many notes a second the machine has played of late; none if it has not played for so long."""
        times = [note.at for note in self.notes if note.who == "machine" and note.velocity > 0]
        if not times or times[-1] - times[0] < seconds:
            return 0.0
        return sum(at > times[-1] - seconds for at in times) / seconds

    def sounding(self, who: str) -> set[int]:
        """The pitches that the instrument has told it of and has not ended."""
        held: set[int] = set()
        for note in self.notes:
            if note.who == who:
                (held.add if note.velocity > 0 else held.discard)(note.pitch)
        return held

    def play(self, *keys: str, held_ms: float = 120) -> None:
        """Play on the computer's keyboard, one key after the other."""
        for key in keys:
            self.page.keyboard.press(key, delay=held_ms)

    def sound(self) -> None:
        """Switch the sound on, and wait until the piano is there."""
        self.page.get_by_role("button", name="Sound", exact=True).click()
        self.holds("liveperf.audio.on && liveperf.audio.voices.ready > 2", "the piano is there")

    def until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """Wait for a condition to hold while the page lives on; returns what it came to.

        seconds: how long it takes at most, in a good world. LONG_S at least is waited: no claim of a time is made
        with this, it only keeps the test from hanging.
        """

        def look() -> Any:
            self.page.wait_for_timeout(10)  # meanwhile Playwright hears what happens in the page
            return condition()

        return wait_until(look, max(seconds, LONG_S), what)

    def holds(self, expression: str, what: str) -> None:
        """Wait until something is so in the page. (Playwright's own wait_for_function has to break the policy.)"""
        self.until(lambda: self.page.evaluate(f"Boolean({expression})"), LONG_S, what)

    def level(self) -> float:
        """How loud it sounds at this moment: RMS at the very end of the audio graph."""
        return float(self.page.evaluate("window.liveperf.audio.level()"))

    def loudest(self, seconds: float) -> float:
        """The most that `level` came to in so long a time, as the page itself listens."""
        return float(self.page.evaluate(_LOUDEST, seconds))

    @property
    def audio_s(self) -> float:
        """The time of what is to be heard, s: on a busy machine it goes more slowly than others."""
        return float(self.page.evaluate("liveperf.audio.context.currentTime"))

    def falls_silent(self, seconds: float, since: float | None = None) -> None:
        """Wait until nothing is heard, which comes to pass within so long, by `audio_s`, since then or now."""
        end = (self.audio_s if since is None else since) + seconds
        assert self.page.evaluate(_FALLS_SILENT, [SILENCE, end]), "it sounds on"

    def foreign(self, url: str) -> list[str]:
        """What it has asked others for than the one at a URL."""
        home = urlsplit(url).netloc
        return [one for one in self.asked if urlsplit(one).netloc not in (home, "")]

    def forgive_absence(self) -> None:
        """The instrument was away for a while: what the browser says of that is no complaint."""
        self.complaints = [one for one in self.complaints if not _AWAY.search(one)]

    def close(self) -> None:
        """Close the window."""
        self.context.close()


def in_words(density: float) -> str:
    """A density as the panel says it."""
    return f"{float(f'{density:.3g}'):g} notes/s"


def turned(panel: Panel, keyboard: Keyboard, positions: Iterable[int]) -> list[float]:
    """Turn the knob of CC 1 to each position; how long until the slider of density has moved there, ms."""

    def turn(position: int) -> tuple[str, float]:
        begun = time.time() * 1e3
        keyboard.send("control_change", control=1, value=position)
        return in_words(row_named("density").from_knob(position)), begun

    return _followed(panel, map(turn, positions))


def slid(here: Panel, there: Panel, positions: Iterable[int]) -> list[float]:
    """Move the slider of density to each position of 1,000; how long until that of another page is there, ms."""
    slider = here.page.get_by_role("slider", name="density", exact=True)

    def slide(position: int) -> tuple[str, float]:
        text, begun = slider.evaluate(
            """(slider, position) => {
                const begun = Date.now();
                slider.value = position;
                slider.dispatchEvent(new Event('input'));
                return [slider.getAttribute('aria-valuetext'), begun];
            }""",
            position,
        )
        return text, begun

    return _followed(there, map(slide, positions))


def _followed(panel: Panel, moves: Iterable[tuple[str, float]]) -> list[float]:
    """How long a page's slider of density takes for each move, ms: what it is to say, and when it was made, ms."""
    slider = panel.page.get_by_role("slider", name="density", exact=True)
    slider.evaluate(
        """slider => {
            window.moved = {};
            new MutationObserver(() => moved[slider.getAttribute('aria-valuetext')] ??= Date.now())
                .observe(slider, {attributes: true, attributeFilter: ['aria-valuetext']});
        }"""
    )
    begun: dict[str, float] = {}
    for text, at in moves:
        begun[text] = at
        panel.holds(f"moved[{text!r}]", "it moves")
    moved = panel.page.evaluate("moved")
    return [moved[text] - at for text, at in begun.items()]


def painted(panel: Panel, url: str) -> float:
    """Go to a panel; when it was first painted, ms after the start."""
    panel.page.goto(url)
    paints = "performance.getEntriesByName('first-contentful-paint')"
    panel.holds(f"{paints}.length", "it is painted")
    took: float = panel.page.evaluate(f"{paints}[0].startTime")
    return took


@contextlib.contextmanager
def site(page: str) -> Iterator[str]:
    """Another web site on this machine with one page; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            body = page.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
