"""How the panel behaves, in a real browser: who has the keys, what it says, how it fits and shows everywhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Locator, Page, expect

from liveperf.mapping.controls import DEFAULT
from liveperf.setup.config import load
from tests.browser import WEB_MIDI, Panel, Player

pytestmark = pytest.mark.browser

Look: TypeAlias = Callable[..., Panel]
Start: TypeAlias = Callable[..., Player]


def focused(page: Page) -> str:
    """The tag of what has the keys: BODY if nothing in particular has."""
    return str(page.evaluate("document.activeElement.tagName"))


def combobox(page: Page, name: str) -> Locator:
    """A select."""
    return page.get_by_role("combobox", name=name, exact=True)


def test_a_select_that_was_used_with_a_mouse_gives_the_keys_back(start: Start, look: Look) -> None:
    player = start()
    panel = look().open(player.url)
    scale = combobox(panel.page, "scale")
    scale.click()
    panel.page.keyboard.press("ArrowDown")
    panel.page.keyboard.press("Enter")
    panel.until(lambda: player.params()["scale"] == "major", 2, "it is chosen")
    panel.play("m")
    panel.until(lambda: panel.onsets("human") == [59], 2, "M is a note")
    assert player.params()["scale"] == "major"
    scale.focus()
    panel.page.keyboard.press("ArrowDown")
    panel.until(lambda: player.params()["scale"] == "minor", 2, "it is chosen with the keyboard")
    assert focused(panel.page) == "SELECT"  # which is then where it was
    keys = panel.page.get_by_role("img", name="keyboard, to be played").bounding_box()
    assert keys is not None
    panel.page.mouse.click(keys["x"] + 5, keys["y"] + 5)
    assert focused(panel.page) == "BODY"


def test_after_a_click_enter_is_the_turn_and_space_the_pedal(start: Start, look: Look) -> None:
    panel = look().open(start("--answer-shortest-s", "30").url)
    page = panel.page
    turn, pedal = page.locator("#turn"), page.get_by_role("button", name="Pedal")
    clicked = (
        page.get_by_role("radio", name="answer"),
        page.get_by_role("radio", name="G", exact=True),
        page.get_by_role("switch", name="key lock"),
        page.locator("label", has_text="key lock"),
        page.get_by_role("tab", name="Parameters"),
        page.get_by_role("slider", name="density", exact=True),
    )
    for one in clicked:
        one.click()
        page.keyboard.down("Space")
        expect(pedal).to_have_attribute("aria-pressed", "true")
        page.keyboard.up("Space")
        expect(pedal).to_have_attribute("aria-pressed", "false")
        page.keyboard.press("Enter")
        expect(turn).to_have_attribute("data-turn", "machine")
        page.keyboard.press("Escape")
        expect(turn).to_have_attribute("data-turn", "nobody")


def test_space_lifts_no_pedal_that_it_has_not_pressed(standing: Player, look: Look) -> None:
    page = look().open(standing.url).page
    pedal, other = page.get_by_role("button", name="Pedal"), page.get_by_role("button", name="octave up")
    for pressed in ("true", "false"):
        pedal.focus()
        page.keyboard.press("Space")
        expect(pedal).to_have_attribute("aria-pressed", pressed)
        other.focus()
        page.keyboard.press("Space")
        page.wait_for_timeout(50)
        expect(pedal).to_have_attribute("aria-pressed", pressed)


def test_whoever_comes_with_the_keyboard_stays_where_he_is(start: Start, look: Look) -> None:
    player = start()
    panel = look().open(player.url)
    lock = panel.page.get_by_role("switch", name="key lock")
    lock.focus()
    panel.page.keyboard.press("Space")
    panel.until(lambda: player.params()["key_lock"] == "on", 2, "Space is the switch's")
    expect(lock).to_be_focused()
    fold = panel.page.get_by_role("button", name="side panel")
    fold.focus()
    panel.page.keyboard.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(fold).to_be_focused()
    assert panel.page.evaluate("liveperf.state.turn") == "nobody"  # Enter was the button's


def test_the_preset_in_force_is_shown_whoever_has_chosen_it(start: Start, look: Look) -> None:
    player = start()
    here, there = look().open(player.url), look().open(player.url)
    first, second = player.get("/api/presets")[:2]
    shown = combobox(here.page, "preset")
    shown.focus()
    combobox(there.page, "preset").select_option(first)
    expect(shown).to_have_value(first)
    there.page.get_by_role("button", name="next preset").click()
    expect(shown).to_have_value(second)
    slider = there.page.get_by_role("slider", name="speed", exact=True)
    slider.focus()
    slider.press("End")
    expect(shown.locator("option:checked")).to_have_text(f"{second}, changed")
    shown.select_option(second)  # once more
    here.until(lambda: player.params()["speed"] != 4, 2, "it is as it was")
    expect(shown).to_have_value(second)


MAP = """\
mode: answer
map:
  - {cc: 20, to: density, range: [1, 16], curve: linear, pick_up: true}
  - {cc: 21, to: top_p, encoder: sign_magnitude, tick: 0.02}
  - {cc: 22, to: key_lock, button: toggle}
  - {note: 36, channel: 10, to: speed, value: 2}
  - {pitch_bend: true, to: temperature, centre: 1.1}
  - {cc: 24, to: scale, values: [major, dorian]}
  - {note: 40, to: panic}
"""
SHOWN = [
    ("CC 20", "density", "1 to 16 notes/s, linear, picks up"),
    ("CC 21", "top p", "0.1 to 1, endless, sign magnitude, 2 % a tick"),
    ("CC 22", "key lock", "switches"),
    ("note 36 on channel 10", "speed", "a press gives 2"),
    ("pitch bend", "temperature", "0.1 to 2, 1.1 at rest"),
    ("CC 24", "scale", "major, dorian"),
    ("note 40", "panic", ""),
]


def test_all_that_a_map_says_of_a_knob_is_shown(start: Start, look: Look, tmp_path: Path) -> None:
    setup = tmp_path / "evening.yaml"
    setup.write_text(MAP)
    page = look().open(start("--config", str(setup)).url).page
    page.get_by_role("tab", name="Knobs").click()
    rows = page.locator("#map > li")
    expect(rows).to_have_count(len(SHOWN))
    expect(rows).to_have_text(
        [re.compile(f"^{re.escape(knob + to + more)}\\s*Remove$") for knob, to, more in SHOWN]
    )


def test_actions_and_endless_knobs_are_learnt(start: Start, look: Look, tmp_path: Path) -> None:
    setup = tmp_path / "evening.yaml"
    setup.write_text("mode: answer\n")
    panel = look()
    panel.context.add_init_script(WEB_MIDI)
    panel.open(start("--config", str(setup)).url)
    page = panel.page
    page.get_by_role("button", name="Connect a MIDI keyboard").click()
    page.get_by_role("status").filter(has_text="Toy Piano").wait_for()
    page.get_by_role("tab", name="Knobs").click()
    what, how = combobox(page, "what a knob is to be for"), combobox(page, "what kind of knob it is")
    learn = page.get_by_role("button", name="Learn", exact=True)

    def send(control: int, *values: int) -> None:
        for value in values:
            page.evaluate("data => toy(...data)", [0xB0, control, value])

    what.select_option("next preset")
    expect(how).to_be_disabled()
    learn.click()
    page.get_by_text("Move the knob that is to be for next preset.").wait_for()
    send(40, 127, 0)
    page.get_by_role("button", name="Remove CC 40").wait_for()
    what.select_option("top p")
    learn.click()
    page.get_by_text("Move the knob that is to be for top p.").wait_for()
    send(41, *[65] * 24)
    page.locator("#learn-says").filter(has_text="CC 41 repeats itself").wait_for()
    page.get_by_role("button", name="Give up").click()
    learn.wait_for()
    how.select_option("endless, binary offset")
    learn.click()
    page.get_by_role("button", name="Give up").wait_for()
    send(41, *[65] * 8)
    page.locator("#map > li", has_text="CC 41").get_by_text("endless, binary offset").wait_for()
    panel.until(lambda: len(load(setup).map.entries) == 5, 3, "both are written, beside what every setup has")
    assert [(one.number, one.to, one.encoder) for one in load(setup).map.entries[3:]] == [
        (40, "next_preset", None),
        (41, "top_p", "binary_offset"),
    ]


def test_what_moves_and_is_not_taken_is_said_wherever_one_looks(start: Start, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(WEB_MIDI)
    panel.open(start().url)
    page = panel.page
    page.get_by_role("button", name="Connect a MIDI keyboard").click()
    page.get_by_role("status").filter(has_text="Toy Piano").wait_for()
    page.get_by_role("button", name="learn temperature").click()
    panel.until(lambda: page.get_by_text("move it").is_visible(), 2, "it waits for a knob")
    for _ in range(3):
        page.evaluate("toy(0xc0, 5, 0)")
    notice = page.locator("#notices p", has_text="program change will not do for this")
    expect(notice).to_have_count(1)


def test_a_pitch_stops_at_its_partner(start: Start, look: Look) -> None:
    player = start("--highest-pitch", "60")
    panel = look().open(player.url)
    lowest = panel.page.get_by_role("slider", name="lowest pitch")
    lowest.scroll_into_view_if_needed()
    box = lowest.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    panel.page.mouse.move(box["x"] + 5, middle)
    panel.page.mouse.down()
    panel.page.mouse.move(box["x"] + box["width"] - 5, middle, steps=30)
    panel.until(lambda: player.params()["lowest_pitch"] == 60, 2, "it is as high as it goes")
    assert (lowest.input_value(), lowest.get_attribute("aria-valuetext")) == ("60", "C4")  # while it is held
    panel.page.mouse.up()
    longest = panel.page.get_by_role("slider", name="answer longest")
    longest.focus()
    longest.press("Home")
    panel.until(lambda: player.params()["answer_longest_s"] == 2, 2, "it is as short as the shortest")
    assert longest.get_attribute("aria-valuetext") == "2 s"
    combobox(panel.page, "scale").select_option("dorian")
    panel.until(lambda: player.params()["scale"] == "dorian", 2, "what has no partner is set")
    panel.page.locator("label", has_text=re.compile("^scale$")).dblclick()
    panel.until(lambda: player.params()["scale"] == "off", 2, "and set back")
    assert panel.page.locator("#notices p").count() == 0


def test_every_control_is_set_back_as_the_help_says(start: Start, look: Look) -> None:
    player = start()
    panel = look().open(player.url)
    page = panel.page
    wanted = {"scale": "dorian", "key_lock": "on", "root": "G", "speed": 2}
    controls = {
        "scale": combobox(page, "scale"),
        "key_lock": page.get_by_role("switch", name="key lock"),
        "root": page.get_by_role("radio", name="G", exact=True),
        "speed": page.get_by_role("slider", name="speed", exact=True),
    }
    before = player.params()

    def is_set_back(name: str) -> bool:
        return bool(player.params()[name] == before[name])

    for how in ("Delete", "dblclick"):
        player.set(**wanted)
        panel.until(lambda: page.evaluate("liveperf.params").items() >= wanted.items(), 5, "they are others")
        for name, control in controls.items():
            if how == "Delete":
                control.press("Delete")
            else:
                control.dispatch_event("dblclick")
            panel.until(partial(is_set_back, name), 5, f"{name} is set back")
    page.get_by_role("button", name="learn speed").dblclick()
    page.get_by_role("button", name="learn speed").press("Delete")
    assert player.params() == before


def test_where_a_knob_is_taken_out_the_next_has_the_focus(start: Start, look: Look) -> None:
    panel = look().open(start().url)
    page = panel.page
    page.get_by_role("tab", name="Knobs").click()
    buttons = page.locator("#map button")
    expect(buttons).to_have_count(len(DEFAULT.entries))
    buttons.last.focus()
    page.evaluate("before = document.activeElement")
    page.get_by_role("button", name="Learn", exact=True).dispatch_event("click")  # which shows the list again
    page.get_by_role("button", name="Give up").wait_for()
    assert page.evaluate("before === document.activeElement && before.isConnected")
    for left in reversed(range(len(DEFAULT.entries))):
        page.keyboard.press("Enter")
        expect(buttons).to_have_count(left)
        expect(buttons.last if left else page.locator("#knobs")).to_be_focused()


def test_a_notice_that_is_shown_is_not_shown_again(standing: Player, look: Look) -> None:
    page = look().open(standing.url).page
    page.evaluate(
        """import('./panel/notices.js').then(({notify}) => {
            for (const text of ['one', 'other', 'one', 'one']) notify(text);
        })"""
    )
    expect(page.locator("#notices p")).to_have_text(["one", "other"])


def test_the_hint_goes_when_somebody_plays_elsewhere(start: Start, look: Look) -> None:
    player = start()
    here, there = look().open(player.url), look().open(player.url)
    hint = here.page.get_by_text("Switch the sound on, then play")
    assert hint.is_visible()
    there.play("q")
    hint.wait_for(state="hidden")


def test_the_log_has_the_time_of_day(start: Start, look: Look) -> None:
    before = time.time()
    player = start()
    began = time.time()
    panel = look(timezone_id="Asia/Kolkata").open(player.url)
    panel.page.wait_for_timeout(max(began + 1.5 - time.time(), 0) * 1000)
    panel.page.get_by_role("tab", name="Status").click()
    stamp = panel.page.get_by_role("log").locator("time").last
    said = datetime.fromisoformat(str(stamp.get_attribute("datetime")).replace("Z", "+00:00"))
    assert before - 1 < said.timestamp() < began + 1
    there = datetime.fromtimestamp(said.timestamp() + 5.5 * 3600, timezone.utc)
    expect(stamp).to_have_text(f"{there:%H:%M:%S}")


def test_the_banner_is_not_read_out_at_each_try(start: Start, look: Look) -> None:
    player = start()
    panel = look().open(player.url)
    panel.page.evaluate(
        """() => {
            window.said = [];
            const watch = (id, say) => new MutationObserver(say)
                .observe(document.getElementById(id), {childList: true, characterData: true, subtree: true});
            watch('banner-says', ([{target}]) => said.push(target.textContent));
            window.tries = 0;
            watch('banner-waits', () => tries++);
        }"""
    )
    player.stop()
    panel.holds("tries > 1", "it tries again")
    assert panel.page.evaluate("said") == ["The instrument is gone."]
    expect(panel.page.get_by_role("alert")).to_have_text("The instrument is gone.")
    panel.forgive_absence()


SIDEWAYS, SMALL, TWICE = (
    {"width": 844, "height": 390},
    {"width": 667, "height": 375},
    {"width": 720, "height": 450},  # a window of 1440 x 900 at 200 %
)


@pytest.mark.parametrize("window", [SIDEWAYS, SMALL, TWICE])
def test_the_keys_are_in_view_where_the_window_is_low(
    window: dict[str, int], standing: Player, look: Look
) -> None:
    page = look(viewport=window, has_touch=window is not TWICE).open(standing.url).page
    roll, keys = page.locator(".roll").bounding_box(), page.locator("#manual").bounding_box()
    assert roll is not None and keys is not None
    assert keys["height"] > 90 and keys["y"] + keys["height"] < window["height"] + 1
    assert roll["height"] > 80
    tops = "[...document.querySelectorAll('.strip button')].map(one => Math.round(one.getBoundingClientRect().y))"
    assert len(set(page.evaluate(tops))) == 1  # they are in one row
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_forced_colours_hide_nothing(scheme: str, standing: Player, look: Look) -> None:
    page = look(forced_colors="active", color_scheme=scheme).open(standing.url).page
    for control in (
        page.get_by_role("slider", name="density", exact=True),
        page.get_by_role("slider", name="volume"),
        page.get_by_role("switch", name="key lock"),
    ):
        expect(control).to_have_css("appearance", "auto")  # as the system draws it
    colour = "element => getComputedStyle(element).backgroundColor"
    chosen = page.get_by_role("tab", name="Parameters"), page.locator("#modes input:checked + span")
    others = page.get_by_role("tab", name="Status"), page.locator("#modes input:not(:checked) + span").first
    for one, other in zip(chosen, others, strict=True):
        assert one.evaluate(colour) != other.evaluate(colour)
