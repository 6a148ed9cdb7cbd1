"""Recordings on the panel, in a real browser: begun, listed, played back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from liveperf.voices import Owner
from tests.browser import DEAF, HEARD, SILENCE, Panel, Player
from tests.messages import off, on, pedal
from tests.recordings import Played, record

pytestmark = pytest.mark.browser

Look: TypeAlias = Callable[..., Panel]
Start: TypeAlias = Callable[..., Player]
HUMAN, MACHINE = Owner.HUMAN, Owner.MACHINE
QUIET = ("--backend", "none", "--turn-gap-s", "5")  # it does not answer for so long


@pytest.fixture
def shelf(places: Path) -> Path:
    """The folder that the instrument records to."""
    return places / "state" / "liveperf" / "recordings"


def sounds(panel: Panel, seconds: float) -> None:
    """Wait until so much of what is to be heard has been: a busy machine is behind with it."""
    end = panel.audio_s + seconds
    panel.until(lambda: panel.audio_s > end, seconds, "the sound goes on")


def steady(seconds: float) -> Played:
    """Short notes, eight a second."""
    return [
        (number / 8 + part, MACHINE, make(84))
        for number in range(round(8 * seconds))
        for part, make in ((0.0, on), (0.05, off))
    ]


def listed(panel: Panel, text: str = "") -> Locator:
    """The list is opened: its rows with a text."""
    panel.page.get_by_role("tab", name="Recordings").click()
    return panel.page.locator("#takes > li").filter(has_text=text)


def play(row: Locator) -> Locator:
    """Its button to play and to stop."""
    return row.get_by_role("button", name=re.compile("^(play|stop) "))


def held_up(page: Page, path: str) -> Callable[[], None]:
    """What is asked for at a path waits, until what is returned is called; then so does nothing."""
    waiting: list[Route] = []
    page.route(path, lambda route: waiting.append(route))

    def go_on() -> None:
        for route in waiting:
            route.continue_()
        page.unroute(path)

    return go_on


def test_however_often_it_is_asked_for_it_is_played_once(start: Start, look: Look, shelf: Path) -> None:
    record(shelf, steady(30))
    panel = look().open(start(*QUIET).url)
    panel.sound()
    row = listed(panel, "it 240")
    for click in (1, 2):
        go_on = held_up(panel.page, "**/api/recordings/*.json")
        for _ in range(click):
            play(row).click()
        go_on()
        panel.until(lambda: panel.level() > HEARD, 10, "it is played back")
        expect(play(row)).to_have_text("Stop")
        panel.page.keyboard.press("Escape")
        expect(play(row)).to_have_text("Play")
        panel.until(lambda: panel.loudest(0.3) < SILENCE, 5, "it ends")
        assert panel.loudest(2) < SILENCE  # and so does whatever else there was
    go_on = held_up(panel.page, "**/api/recordings/*.json")
    play(row).click()
    panel.page.keyboard.press("Escape")
    go_on()
    assert panel.loudest(2) < SILENCE  # it has not begun at all


@pytest.mark.parametrize("how", ["Stop", "Escape"])
def test_nothing_of_it_is_heard_once_it_is_stopped(how: str, start: Start, look: Look, shelf: Path) -> None:
    record(shelf, steady(30))
    panel = look().open(start(*QUIET).url)
    panel.sound()
    row = listed(panel, "it 240")
    play(row).click()
    panel.until(lambda: panel.level() > HEARD, 10, "it is played back")
    before = panel.loudest(1)
    if how == "Stop":
        play(row).click()
    else:
        panel.page.keyboard.press("Escape")
    sounds(panel, 0.3)
    after = panel.loudest(1.2)
    assert after < before / 20  # the room
    assert panel.loudest(0.3) < SILENCE


def test_what_is_played_now_goes_on_when_a_recording_is_stopped(start: Start, look: Look, shelf: Path) -> None:
    record(shelf, steady(30))
    panel = look().open(start(*QUIET).url)
    keyboard = panel.page.keyboard
    panel.sound()
    row = listed(panel, "it 240")
    for foot in (False, True):
        play(row).click()
        panel.until(lambda: panel.level() > HEARD, 10, "it is played back")
        if foot:
            keyboard.down(" ")
        keyboard.down("z")
        panel.until(lambda: panel.onsets("human"), 2, "a key is held")
        play(row).click()
        if foot:
            keyboard.up("z")
        sounds(panel, 1.7)  # longer than it is ahead
        assert panel.loudest(0.2) > HEARD
        keyboard.up(" " if foot else "z")
        panel.falls_silent(5)  # by itself it would not, as soon


def test_its_pedal_is_played_back(start: Start, look: Look, shelf: Path) -> None:
    touch: Played = [(0.3, HUMAN, on(48, 100)), (1.5, HUMAN, off(48)), (15.0, HUMAN, on(100, 1))]
    record(shelf, touch)
    record(shelf, [(0.0, HUMAN, pedal(127)), *touch[:2], (6.0, HUMAN, pedal(0)), touch[2]], hours=1)
    panel = look().open(start(*QUIET).url)
    panel.sound()
    rows = listed(panel, "you 2")
    for row, rings in ((rows.nth(1), False), (rows.nth(0), True)):
        play(row).click()
        panel.until(lambda: panel.level() > HEARD, 10, "it is played back")
        begun = panel.audio_s
        sounds(panel, 2.7)
        assert (panel.loudest(0.2) > HEARD) is rings
        panel.falls_silent(8.5, begun)  # as it is let go; by itself after 10 s
        play(row).click()


def test_all_pages_know_of_a_take(start: Start, look: Look, shelf: Path) -> None:
    player = start(*QUIET)
    here, there = look().open(player.url), look().open(player.url)
    pages = [one.page for one in (here, there)]
    begin, end = re.compile("^Record$"), re.compile(r"^Stop \d:\d\d$")
    two = re.compile(r"^Stop 0:(0[2-9]|[1-5]\d)$")  # seconds, at least
    pages[0].get_by_role("button", name=begin).click()
    for page in pages:
        expect(page.locator("#record-says")).to_have_text(end)
        expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    expect(pages[0].locator("#record-says")).to_have_text(two)
    begun = player.get("/api/status")["recording"]
    status, said = player.ask("POST", "/api/take", b"{}", {"Content-Type": "application/json"})
    assert status == 409 and b"a take runs already" in said
    there.play("z")
    pages[0].reload()
    here.connected()
    expect(pages[0].locator("#record-says")).to_have_text(two)  # since it began
    here.play("x")
    assert player.get("/api/status")["recording"] == begun
    pages[1].get_by_role("button", name=end).click()
    for page in pages:
        expect(page.locator("#record-says")).to_have_text(begin)
    expect(listed(here, "you 2 ")).to_have_count(1)
    assert len(list(shelf.iterdir())) == 2  # and the one that has begun


def test_a_second_click_while_a_take_begins_is_none(start: Start, look: Look) -> None:
    panel = look().open(start(*QUIET).url)
    page = panel.page
    go_on = held_up(page, "**/api/take")
    for _ in range(3):
        page.locator("#record").click()
    go_on()
    expect(page.locator("#record-says")).to_have_text(re.compile("^Stop"))
    page.locator("#record").click()
    expect(page.locator("#record-says")).to_have_text("Record")
    expect(page.locator("#notices .error")).to_have_count(0)


def test_the_list_says_what_it_does_and_leaves_out(start: Start, look: Look, shelf: Path) -> None:
    (cut_off,) = record(shelf, steady(1), ended=False)
    player = start(*QUIET)
    panel = look().open(player.url)
    says = panel.page.locator("#takes-empty")
    go_on = held_up(panel.page, "**/api/recordings")
    row = listed(panel, "it 8")
    expect(says).to_have_text("Looking...")
    go_on()
    expect(row).to_have_count(1)
    expect(says).to_be_hidden()
    assert "being written" not in row.inner_text()  # nobody writes it any more
    panel.play("z")
    expect(listed(panel, "being written")).to_have_count(1)
    expect(listed(panel, "you 1 ")).to_have_text(re.compile("being written"))
    for number in range(199):
        shutil.copy(cut_off, shelf / f"2026-02-01T{number // 60:02}-{number % 60:02}-00Z.jsonl")
    panel.page.reload()
    panel.connected()
    expect(listed(panel)).to_have_count(200)
    expect(says).to_have_text("These are the newest 200: liveperf recordings lists all.")


def test_an_empty_list_says_so(start: Start, look: Look) -> None:
    panel = look().open(start(*QUIET).url)
    expect(listed(panel)).to_have_count(0)
    expect(panel.page.locator("#takes-empty")).to_have_text("None yet.")


def test_a_row_that_is_still_there_stays_under_the_hand(start: Start, look: Look, shelf: Path) -> None:
    record(shelf, steady(1))
    player = start(*QUIET)
    panel = look().open(player.url)
    rows = listed(panel)
    row = rows.filter(has_text="it 8 ")
    remove = row.get_by_role("button", name="delete")
    remove.focus()
    row.evaluate("row => (window.before = row)")
    record(shelf, steady(2), hours=1)
    record(shelf, steady(3), hours=2)
    player.ask("POST", "/api/take", b"{}", {"Content-Type": "application/json"})  # all are told
    expect(rows).to_have_count(3)
    assert row.evaluate("row => row === before")
    expect(remove).to_be_focused()
    remove.press("Enter")
    expect(remove).to_have_accessible_name(re.compile("^Really[?]: delete "))
    remove.press("Enter")
    expect(row).to_have_count(0)
    expect(rows.last.get_by_role("button", name="delete")).to_be_focused()  # which was before it


def test_what_goes_on_is_looked_at_again(start: Start, look: Look) -> None:
    player = start(*QUIET)
    panel = look().open(player.url)

    def heard() -> list[int]:
        return [one["human"] for one in player.get("/api/recordings")]

    def play_another(number: int) -> None:
        panel.page.get_by_role("tab", name="Status").click()
        panel.play("z")
        panel.until(lambda: heard() == [number], 10, "it is written")

    expect(listed(panel)).to_have_count(0)
    for number in (1, 2):
        play_another(number)
        expect(listed(panel, f"you {number} ")).to_have_count(1)


def test_switching_the_sound_off_ends_what_is_played_back(start: Start, look: Look, shelf: Path) -> None:
    record(shelf, steady(30))
    panel = look().open(start(*QUIET).url)
    panel.sound()
    row = listed(panel, "it 240")
    play(row).click()
    panel.until(lambda: panel.level() > HEARD, 10, "it is played back")
    panel.page.get_by_role("button", name="Sound", exact=True).click()
    expect(play(row)).to_have_text("Play")
    panel.holds("liveperf.audio.context.state === 'suspended'", "it is off")
    panel.sound()
    assert panel.loudest(1) < SILENCE  # neither it nor its end


def test_playing_back_where_there_is_no_sound_blocks_nothing(start: Start, look: Look, shelf: Path) -> None:
    record(shelf, steady(3))
    player = start(*QUIET)
    panel = look()
    panel.context.add_init_script(DEAF)
    row = listed(panel.open(player.url), "it 24")
    play(row).click()
    panel.page.get_by_role("status").filter(has_text="No sound yet").wait_for()
    expect(play(row)).to_have_text("Play")
    record(shelf, steady(1), hours=1)
    player.ask("POST", "/api/take", b"{}", {"Content-Type": "application/json"})
    expect(listed(panel, "it 8")).to_have_count(1)
