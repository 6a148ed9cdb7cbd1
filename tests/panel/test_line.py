"""Pages that come late, go and come back, have a slow line, and lose the keys to another window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from playwright.sync_api import expect

from tests.browser import HEARD, SILENCE, Panel, Player

pytestmark = pytest.mark.browser

Look: TypeAlias = Callable[..., Panel]
Start: TypeAlias = Callable[..., Player]
QUIET = ("--backend", "none", "--turn-gap-s", "5")  # it does not answer for so long

# The line to the instrument, to be cut with `line.close()`; what comes on it comes `slow` ms later.
LINE = """
window.slow = 0;
window.WebSocket = class extends WebSocket {
    constructor(...address) { super(...address); window.line = this; }
    set onmessage(take) { super.onmessage = event => setTimeout(() => take(event), slow); }
};
"""
WEB_MIDI = """
const input = new EventTarget();
input.name = 'Toy Piano';
const access = {inputs: new Map([['toy', input]])};
navigator.requestMIDIAccess = async () => access;
window.toy = (...data) => input.onmidimessage?.({data: new Uint8Array(data)});
window.unplug = () => {
    access.inputs.clear();
    access.onstatechange({port: {state: 'disconnected'}});
};
"""


def lit(panel: Panel) -> list[int]:
    """The pitches whose keys are lit."""
    found: list[int] = panel.page.evaluate("liveperf.lit")
    return found


def test_a_page_that_comes_late_sees_what_was_played(start: Start, look: Look) -> None:
    player = start(*QUIET)
    first = look().open(player.url)
    first.play("x", "c")
    first.page.keyboard.down("z")
    first.page.keyboard.down(" ")
    first.until(lambda: first.onsets("human") == [50, 52, 48], 5, "it is played")
    late = look()
    late.context.add_init_script(LINE)
    late.open(player.url)
    late.until(lambda: lit(late) == [48], 2, "it sees what sounds")
    assert late.shows("human-head") and late.page.evaluate("liveperf.notes") == 3 and not late.onsets("human")
    late.sound()
    assert late.loudest(0.5) < SILENCE  # what began before is not heard
    first.play("v")
    late.until(lambda: late.level() > HEARD, 2, "what begins now is")
    late.page.wait_for_timeout(700)
    assert late.loudest(0.2) > HEARD  # the foot is down
    for come_back in ("late.reload()", "late.line.close()"):
        notes = late.page.evaluate("liveperf.notes")
        late.page.evaluate(come_back.replace("late.", "location." if "reload" in come_back else ""))
        if "close" in come_back:
            late.holds("!liveperf.connected", "it is gone")
        late.page.wait_for_timeout(100)
        late.connected()
        late.until(lambda: lit(late) == [48], 2, "it sees it again")
        assert late.page.evaluate("liveperf.notes") == notes == 4
    first.page.keyboard.up("z")
    late.until(lambda: lit(late) == [], 2, "it ends")


def test_the_pedal_is_obeyed_once_on_a_slow_line(start: Start, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(LINE)
    panel.open(start(*QUIET).url)
    keyboard = panel.page.keyboard
    panel.sound()
    panel.page.evaluate("slow = 600")
    for press in (keyboard.down, keyboard.up, keyboard.down):
        press(" ")
    keyboard.press("z", delay=100)
    panel.until(lambda: panel.level() > HEARD, 2, "it is heard")
    panel.page.wait_for_timeout(1500)
    assert panel.loudest(0.2) > HEARD  # though it was told meanwhile that the pedal came up
    keyboard.up(" ")
    panel.until(lambda: panel.level() < SILENCE, 5, "it is let go")


def test_another_window_takes_the_keys_but_no_midi_keyboard(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(WEB_MIDI)
    panel.open(player.url)
    panel.page.get_by_role("button", name="Connect a MIDI keyboard").click()
    pedal = panel.page.get_by_role("button", name="Pedal")

    def holds(*pitches: int) -> None:
        panel.until(lambda: panel.sounding("human") == set(pitches), 2, f"{pitches} are held")

    panel.page.evaluate("toy(0x90, 64, 90); toy(0x90, 52, 90)")
    panel.page.keyboard.down("z")
    panel.page.keyboard.down("c")  # which the keyboard holds as well: 52
    panel.page.keyboard.down(" ")
    holds(48, 52, 64)
    expect(pedal).to_have_attribute("aria-pressed", "true")
    panel.page.evaluate("dispatchEvent(new Event('blur'))")
    holds(52, 64)
    expect(pedal).to_have_attribute("aria-pressed", "false")
    for key in ("z", "c", " "):
        panel.page.keyboard.up(key)
    panel.page.evaluate("toy(0xb0, 64, 127); toy(0x80, 52, 0)")
    holds(64)
    panel.page.evaluate("dispatchEvent(new Event('blur'))")
    panel.play("x")
    holds(64)
    expect(pedal).to_have_attribute("aria-pressed", "true")
    panel.page.evaluate("unplug()")
    holds()
    expect(pedal).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("granted", [True, False])
def test_a_midi_keyboard_is_connected_again(granted: bool, start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look(permissions=["midi"] if granted else [])
    panel.context.add_init_script(WEB_MIDI)
    panel.open(player.url)
    switch = panel.page.get_by_role("button", name="Connect a MIDI keyboard")
    expect(switch).to_have_attribute("aria-pressed", "false")  # not by itself, at first
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    panel.page.reload()
    panel.connected()
    expect(switch).to_have_attribute("aria-pressed", "true" if granted else "false")
    panel.page.evaluate("toy(0x90, 64, 90)")
    panel.play("z")
    panel.until(lambda: 48 in panel.onsets("human"), 2, "a key is played")
    panel.until(lambda: panel.sounding("human") == ({64} if granted else set()), 2, "and what is plugged in")
    if granted:
        switch.click()
        panel.until(lambda: not panel.sounding("human"), 2, "it is let go")
        panel.page.reload()
        panel.connected()
        panel.page.wait_for_timeout(200)
        expect(switch).to_have_attribute("aria-pressed", "false")
