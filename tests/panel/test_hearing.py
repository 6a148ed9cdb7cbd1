"""What is seen and heard as time goes by, in a real browser: the plan, the gap, how loud, and when."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import pytest

from tests.browser import HEARD, SILENCE, WEB_MIDI, Panel, Player

pytestmark = pytest.mark.browser

Look: TypeAlias = Callable[..., Panel]
Start: TypeAlias = Callable[..., Player]

# Whether heads of planned notes are seen, further from now than notes that are played already and soon shown: in
# the upper part of the roll, in the lower.
PLANNED = """part => {
    const dot = document.createElement('canvas').getContext('2d');
    dot.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--machine').trim();
    dot.fillRect(0, 0, 1, 1);
    const wanted = [...dot.getImageData(0, 0, 1, 1).data.slice(0, 3), 204];
    const {width, height} = front;
    const x = Math.round(width * 0.94);
    const {data} = front.getContext('2d').getImageData(x, 0, width - x, height);
    const seen = [false, false];
    for (let i = 0; i < data.length; i += 4)
        if (wanted.every((one, at) => Math.abs(data[i + at] - one) < 4))
            seen[Number(Math.floor(i / 4 / (width - x)) > part * height)] = true;
    return seen;
}"""
SPLIT = 66  # the roll shows C2 to C7


def test_the_plan_is_seen_ahead_of_now_and_another_once_a_knob_is_turned(start: Start, look: Look) -> None:
    solo = ("--mode", "solo", "--density", "16", "--lowest-pitch", "48", "--highest-pitch", "84")
    player = start("--backend", "none", "--plan-s", "0.5", *solo)
    panel = look().open(player.url)
    for _ in range(8):
        panel.page.keyboard.press("=")  # less time, more to see of it

    def seen() -> list[bool]:
        found: list[bool] = panel.page.evaluate(PLANNED, (96 - SPLIT) / 61)
        return found

    panel.until(lambda: seen()[1], 20, "it means to play low notes")
    assert panel.page.evaluate("liveperf.planned") > 0
    player.set(lowest_pitch=SPLIT + 2)
    panel.holds(f"liveperf.params.lowest_pitch === {SPLIT + 2}", "it is known here")
    panel.page.wait_for_timeout(200)  # and the plan that it has changed
    panel.until(lambda: not seen()[1], 2, "it does not any more")

    def high() -> bool:
        above, below = seen()
        assert not below
        return above

    for _ in range(20):
        panel.until(high, 20, "it means to play high notes, and no others")


# How far the ring has run down (0 to 100) in each frame while the gap does, until the machine has the turn.
RINGS = """() => {
    window.rings = [];
    const watch = () => {
        const {turn, gap_ends} = liveperf.state;
        if (gap_ends !== null) rings.push(100 - Number(ring.style.strokeDashoffset) / 1.01);
        if (turn !== 'machine') requestAnimationFrame(watch);
        else window.ended = true;
    };
    watch();
}"""


def test_the_ring_of_the_gap_runs_down(start: Start, look: Look) -> None:
    panel = look().open(start("--backend", "none", "--turn-gap-s", "3").url)
    panel.page.evaluate(RINGS)
    panel.play("z", "x")
    panel.holds("window.ended", "the gap is over")
    rings: list[float] = panel.page.evaluate("rings")
    whole = [at for at, (before, after) in enumerate(pairwise([0, *rings])) if after > before]
    rings = rings[whole[-1] :]  # since the last key came up
    assert len(set(rings)) > 10 and rings[0] > 80 and rings[-1] < 10


def test_a_key_that_is_struck_harder_sounds_louder(start: Start, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(WEB_MIDI)
    panel.open(start("--backend", "none", "--turn-gap-s", "5", "--answer-shortest-s", "30").url)
    panel.page.get_by_role("button", name="Connect a MIDI keyboard").click()
    panel.page.get_by_role("status").filter(has_text="Toy Piano").wait_for()
    panel.sound()
    levels = []
    for velocity in (30, 70, 120):
        panel.until(lambda: panel.level() < SILENCE, 10, "it is silent")
        panel.page.evaluate("velocity => toy(0x90, 60, velocity)", velocity)
        levels.append(panel.loudest(0.6))
        panel.page.evaluate("toy(0x80, 60, 0)")
    assert levels[0] > HEARD / 3 and levels[1] > 1.5 * levels[0] and levels[2] > 1.5 * levels[1]


# A line on which messages take up to 80 ms more, in turn; what was told of notes, and when they begin to sound.
JITTER = """
window.told = [];
window.onsets = [];
const {start} = AudioBufferSourceNode.prototype;
AudioBufferSourceNode.prototype.start = function (at) { onsets.push(at); start.call(this, at); };
const waiting = [];
let due = 0;
window.WebSocket = class extends WebSocket {
    set onmessage(take) {
        const next = () => {
            const event = waiting.shift();
            for (const [time, , , , velocity] of JSON.parse(event.data).notes ?? [])
                if (velocity > 0) told.push(time);
            take(event);
        };
        super.onmessage = event => {
            waiting.push(event);
            due = Math.max(due, performance.now() + 80 * Math.random());
            setTimeout(next, due - performance.now());
        };
    }
};
window.listen = async seconds => {
    told.length = onsets.length = 0;
    const late = liveperf.audio.late;
    await new Promise(go => setTimeout(go, 1000 * seconds));
    return [told, onsets, liveperf.audio.late - late];
};
"""


def test_a_line_with_jitter_is_not_heard(start: Start, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(JITTER)
    panel.open(start("--backend", "none", "--mode", "solo", "--density", "16").url)
    panel.sound()
    found = []
    for _ in range(10):  # it takes a while to know the line, and the machine may be busy
        told, onsets, late = panel.page.evaluate("listen(3)")
        assert len(told) > 5
        if len(told) == len(onsets):
            apart = zip(pairwise(told), pairwise(onsets), strict=True)
            found.append((late, max(abs((b - a) - (d - c)) for (a, b), (c, d) in apart)))
            if late == 0 and found[-1][1] < 0.008:
                return
    pytest.fail(f"late, and off by (s): {found}")
