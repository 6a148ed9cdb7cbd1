"""How quick the panel is, in a browser's window: Chromium, without a screen."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from tests.bench.row import Aim, Row, Size

TURNED = Row("knob turned -> slider moved on a page", "ms", Aim("max", most=50))
SLID = Row("slider moved on a page -> moved on another page", "ms", Aim("max", most=50))
PAINTED = Row("first paint of the panel", "ms", Aim("median", most=300))
FRAMES = Row("from frame to frame of the panel, while it plays", "ms", Aim("median", most=17))
WINDOW = (TURNED, SLID, PAINTED, FRAMES)

_FRAMES = """seconds => new Promise(done => {
    const times = [];
    const frame = now => {
        times.push(now);
        if (now - times[0] < seconds * 1e3) requestAnimationFrame(frame);
        else done(times.slice(1).map((time, index) => time - times[index]));
    };
    requestAnimationFrame(frame);
})"""


def window(size: Size, no_jack: str) -> list[Row]:
    """`liveperf play` with a keyboard and a page that looks at it."""
    if no_jack:
        return [row.missing(no_jack) for row in WINDOW]
    from tests import browser
    from tests.jack import Keyboard

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        chromium = stack.enter_context(browser.launched())
        player = browser.Player(folder, "window", "--backend", "jack", "--port", "0", "--mode", "solo", midi=True)
        stack.callback(player.end)
        player.ready()

        paints = []
        for _ in range(size.paints):
            with contextlib.closing(browser.Panel(chromium)) as panel:
                paints.append(browser.painted(panel, player.url))
        with (
            contextlib.closing(browser.Panel(chromium)) as panel,
            contextlib.closing(Keyboard(player.input)) as keyboard,
        ):
            panel.open(player.url)
            frames: list[float] = panel.page.evaluate(_FRAMES, size.frames_s)
            turns = browser.turned(panel, keyboard, range(4, 124, 120 // size.slides))
            with contextlib.closing(browser.Panel(chromium)) as other:
                slides = browser.slid(panel, other.open(player.url), range(200, 1000, 800 // size.slides))
    return [
        TURNED.measured(turns, "over JACK and a WebSocket"),
        SLID.measured(slides, "over two WebSockets; two windows of one browser"),
        PAINTED.measured(paints, "a window of its own each time, nothing cached"),
        FRAMES.measured(frames, "no screen and no graphics card"),
    ]
