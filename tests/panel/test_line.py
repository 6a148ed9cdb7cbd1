"""Pages that come late, go and come back, have a slow line, and lose the keys to another window."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.browser import HEARD, SILENCE, Panel, Player

pytestmark = pytest.mark.browser

Look: TypeAlias = Callable[..., Panel]
Start: TypeAlias = Callable[..., Player]
QUIET = ("--backend", "none", "--turn-gap-s", "5")  # it does not answer for so long

# The line to the instrument, to be cut with `line.close()`; what comes on it comes `slow` ms later.
LINE = """
window.slow = window.hung = window.dropped = 0;
window.WebSocket = class extends WebSocket {
    constructor(...address) {
        if (window.hangs) return {close: () => dropped++, number: ++hung};  // as where nobody answers
        super(...address);
        window.line = this;
    }
    set onmessage(take) { this.take = take; super.onmessage = event => setTimeout(() => take(event), slow); }
    tell(said) { this.dispatchEvent(new MessageEvent('message', {data: JSON.stringify(said)})); }
};
window.shown = {root: [], scale: [], mode: [], lock: []};  // all that the controls have shown since, in turn
window.back = {};  // when each last became another, and for how long (ms) it was what it had been before
window.stood = {};
window.watch = () => {
    const add = (name, value) => {
        if (shown[name].at(-1) === value) return;
        shown[name].push(value);
        stood[name] = performance.now() - (back[name] ?? 0);
        back[name] = performance.now();
    };
    const look = () => {
        for (const name of ['root', 'mode'])
            add(name, document.querySelector(`[name=param-${name}]:checked`).value);
        add('scale', document.querySelector('#param-scale').value);
        add('lock', document.querySelector('#param-key_lock').checked);
    };
    addEventListener('change', look);  // frames are few where the machine is busy
    (function again() { look(); requestAnimationFrame(again); })();
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
    for come_back in ("reload", "close"):
        notes = late.page.evaluate("liveperf.notes")
        if come_back == "reload":
            late.page.reload()
            late.connected()
        else:
            late.page.evaluate("window.was = line; line.close()")
            late.holds("line !== was && liveperf.connected", "it has another line")
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
    panel.falls_silent(5)  # by itself it would not, as soon


def test_what_was_just_chosen_is_not_undone_by_older_news(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(LINE)
    panel.open(player.url)
    page = panel.page
    page.evaluate("slow = 400; watch()")
    for speed in (2, 3):  # news of it comes before any of what is chosen meanwhile, and says how that was
        player.set(speed=speed)
        page.wait_for_timeout(100)
    page.get_by_role("combobox", name="scale", exact=True).select_option("dorian")
    page.get_by_role("radio", name="duet").check()
    page.get_by_role("radio", name="G", exact=True).check()
    page.get_by_role("switch", name="key lock").check()
    page.get_by_role("radio", name="A", exact=True).check()
    slider = page.get_by_role("slider", name="speed", exact=True)
    panel.until(lambda: slider.get_attribute("aria-valuetext") == "3", 5, "the older news is here")
    wanted = {"scale": "dorian", "mode": "duet", "root": "A", "key_lock": "on", "speed": 3}
    panel.until(lambda: page.evaluate("liveperf.params.root") == "A", 5, "and the newer")
    assert player.params().items() >= wanted.items()
    page.wait_for_timeout(500)
    assert page.evaluate("shown") == {
        "root": ["C", "G", "A"],
        "scale": ["off", "dorian"],
        "mode": ["answer", "duet"],
        "lock": [False, True],
    }
    player.set(root="E", mode="solo")
    panel.until(lambda: page.evaluate("shown.root.at(-1) + shown.mode.at(-1)") == "Esolo", 5, "others are heard")


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "lost"])
def test_what_was_chosen_in_vain_is_not_shown_for_long(refused: bool, standing: Player, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(LINE)
    page = panel.open(standing.url).page
    root, chosen = (page.get_by_role("radio", name=name, exact=True) for name in "CB")
    page.evaluate("line.send = () => {}; watch()")
    if refused:
        page.evaluate(
            """line.send = said => setTimeout(
                () => line.tell({error: 'it is refused', refused: JSON.parse(said).as}), 50); null"""
        )
    chosen.click()
    page.get_by_role("slider", name="speed", exact=True).press("End")
    if refused:
        page.get_by_text("it is refused").first.wait_for()
    panel.until(root.is_checked, 5, "it is as it was")
    speed = page.get_by_role("slider", name="speed", exact=True)
    panel.until(lambda: speed.get_attribute("aria-valuetext") == "1", 5, "the slider, too")
    panel.until(lambda: page.evaluate("shown.root") == ["C", "B", "C"], 5, "it was shown, and is not any more")
    assert speed.input_value() == "500"
    assert (page.evaluate("stood.root") < 1500) is refused


def test_what_is_refused_is_not_what_was_chosen_just_now(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(LINE)
    page = panel.open(player.url).page
    page.evaluate("slow = 1000; watch()")
    page.get_by_role("radio", name="G", exact=True).check()
    page.evaluate('line.take({data: \'{"error": "no such knob"}\'})')  # before any news of what was chosen
    page.get_by_text("no such knob").wait_for()
    panel.until(lambda: page.evaluate("liveperf.params.root") == "G", 5, "then that comes, too")
    page.wait_for_timeout(500)
    assert page.evaluate("shown.root") == ["C", "G"]


def test_there_and_back_is_shown_as_there_and_back(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(LINE)
    page = panel.open(player.url).page
    page.evaluate("slow = 1000; watch()")
    player.set(speed=2)  # the news of it says that the root is C
    page.get_by_role("radio", name="G", exact=True).check()
    panel.until(lambda: player.params()["root"] == "G", 2, "it is in force")
    page.wait_for_timeout(100)  # and told
    page.get_by_role("radio", name="C", exact=True).check()
    panel.until(lambda: player.params()["root"] == "C", 2, "it is no more")
    player.set(speed=3)
    panel.until(lambda: page.evaluate("liveperf.params.speed") == 3, 5, "all of that is known here")
    page.wait_for_timeout(500)
    assert page.evaluate("shown.root") == ["C", "G", "C"]


def test_what_was_so_already_is_no_reason_to_wait(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(LINE)
    page = panel.open(player.url).page
    page.evaluate("watch()")
    page.get_by_role("slider", name="speed", exact=True).press("Delete")  # it is where that sets it back to
    page.locator("label", has_text=re.compile("^scale$")).dblclick()
    said = "JSON.stringify({set: {scale: 'dorian', speed: 3}})"  # as anybody else may
    page.evaluate(f"began = performance.now(); line.send({said})")
    panel.until(lambda: page.evaluate("shown.scale.at(-1)") == "dorian", 5, "it is shown")
    assert page.evaluate("back.scale - began") < 1500


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


def test_no_line_of_the_log_is_shown_twice(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(LINE)
    page = panel.open(player.url).page
    lines = page.locator("#log > li > span")
    page.get_by_role("combobox", name="preset", exact=True).select_option("duet")
    expect(lines.filter(has_text="preset duet")).to_have_count(1)
    logged = lines.all_text_contents()
    for _ in range(2):
        page.evaluate("line.close()")
        panel.holds("!liveperf.connected", "it is gone")
        panel.connected()
        page.evaluate("line.addEventListener('message', ({data}) => (line.pongs ||= data.includes('pong')))")
        panel.holds("line.pongs", "it has been told all that there is")
        assert lines.all_text_contents() == logged


@pytest.mark.parametrize("how", ["click", "online"])
def test_a_try_that_hangs_is_given_up_for_another(how: str, start: Start, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(LINE)
    page = panel.open(start(*QUIET).url).page
    page.evaluate("hangs = true; line.close()")
    panel.holds("hung", "it tries again")
    panel.holds("hung > 1", "and again, by itself")
    page.evaluate("hangs = false")
    if how == "click":
        page.get_by_role("button", name="Try now").click()
    else:
        page.evaluate("dispatchEvent(new Event('online'))")
    panel.holds("dropped === hung", "at once")
    panel.connected()


def test_news_is_not_undone_by_an_older_table(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    waiting: list[tuple[Route, APIResponse]] = []
    panel.page.route("**/api/params", lambda route: waiting.append((route, route.fetch())))
    panel.page.goto(player.url)
    panel.connected()
    panel.until(lambda: waiting, 5, "it asks for the table")
    player.set(speed=2)
    panel.until(lambda: panel.page.evaluate("liveperf.params.speed") == 2, 5, "meanwhile it is told of a change")
    for route, answer in waiting:
        route.fulfill(response=answer)
    slider = panel.page.get_by_role("slider", name="speed", exact=True)
    expect(slider).to_have_attribute("aria-valuetext", "2")


# A computer on which the instrument plays, and hears a keyboard by itself; `toy(name, ...)` plays another.
SAME = """
window.WebSocket = class extends WebSocket {
    set onmessage(take) {
        super.onmessage = ({data}) => {
            const said = JSON.parse(data);
            if (said.status) said.status.ports = window.ports;
            take({data: JSON.stringify(said)});
        };
    }
};
window.ports = [{direction: 'input', wanted: null, name: 'NAME-in:NAME 128:0', open: true}];
const inputs = ['NAME-out NAME', 'Midi Through Port-0', 'Nord Piano MIDI 1', 'Toy Piano'].map(name => ({name}));
navigator.requestMIDIAccess = async () => ({inputs: new Map(inputs.map(input => [input.name, input]))});
window.toy = (...data) => inputs.forEach(
    (input, index) => input.onmidimessage?.({data: new Uint8Array([data[0], data[1] + index, data[2]])}));
window.heard = () => inputs.filter(input => input.onmidimessage).map(input => input.name).join();
"""


def test_what_the_instrument_sends_or_hears_itself_is_no_keyboard_of_the_page(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(SAME.replace("NAME", player.input.rpartition(":")[2]))
    panel.open(player.url)
    panel.page.get_by_role("button", name="Connect a MIDI keyboard").click()
    panel.page.get_by_role("status").filter(has_text="Connected: Nord Piano MIDI 1, Toy Piano").wait_for()
    panel.page.evaluate("toy(0x90, 60, 90)")
    panel.until(lambda: panel.sounding("human") == {62, 63}, 5, "they are heard, and no others")
    panel.page.evaluate(
        "ports.push({direction: 'input', wanted: 'nord', name: 'Nord Piano:Nord Piano MIDI 1 24:0', open: true})"
    )
    panel.holds("heard() === 'Toy Piano'", "it hears one of them itself now")
    panel.until(lambda: not panel.sounding("human"), 5, "its keys are let go")
    panel.page.evaluate("ports.pop()")
    panel.holds("heard() === 'Nord Piano MIDI 1,Toy Piano'", "and no more")
