"""The panel in a real browser, on an instrument that plays: with JACK, and with no MIDI system at all."""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import mido
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from liveperf.mapping.controls import DEFAULT
from liveperf.params import Params
from liveperf.scales import ROOTS, pitch_classes
from liveperf.setup.config import load
from tests import browser as parts
from tests.browser import DEAF, HEARD, SILENCE, WEB_MIDI, Panel, Player, in_words, painted, turned
from tests.jack import Keyboard, Server, Synth
from tests.messages import off, on

pytestmark = pytest.mark.browser

Look: TypeAlias = Callable[..., Panel]
Start: TypeAlias = Callable[..., Player]
Room: TypeAlias = Callable[..., tuple[Player, Synth | None]]
Record: TypeAlias = Callable[[str, object], None]
PHRASE = [48, 50, 52, 53, 55]  # the keys Z X C V B
TOKEN = "a-token-of-24-characters"


@pytest.fixture(params=[pytest.param("jack", marks=pytest.mark.jack), "no MIDI"])
def room(request: pytest.FixtureRequest, start: Start) -> Iterator[Room]:
    """Start an instrument with a synth on JACK, or on a machine without any MIDI system."""
    with contextlib.ExitStack() as stack:

        def begin(*options: str) -> tuple[Player, Synth | None]:
            if request.param != "jack":
                return start(*options), None
            request.getfixturevalue("jack")
            synth = Synth(None)
            stack.callback(synth.close)
            return start("--backend", "jack", "--out", synth.name, *options, midi=True), synth

        yield begin


def test_it_hears_a_phrase_and_answers(room: Room, look: Look) -> None:
    player, synth = room("--turn-gap-s", "5", "--answer-shortest-s", "30")
    panel = look().open(player.url)
    panel.sound()
    assert panel.level() < SILENCE and not panel.shows("human-head")
    panel.page.keyboard.down("z")
    panel.until(lambda: panel.level() > HEARD, 5, "the key is heard")
    panel.until(lambda: panel.shows("human-head"), 5, "and seen")
    panel.page.keyboard.up("z")
    panel.play("x", "c", "v", "b")
    panel.until(lambda: panel.onsets("human") == PHRASE, 5, "the instrument has heard it")
    assert panel.page.get_by_role("status").filter(has_text="listening").is_visible()
    panel.until(lambda: panel.level() < SILENCE, 5, "the last note has faded away")
    assert not panel.onsets("machine") and not panel.shows("machine-head")
    panel.until(lambda: panel.onsets("machine"), 10, "it answers")
    panel.until(lambda: panel.level() > HEARD, 5, "the answer is heard")
    panel.until(lambda: panel.shows("machine-head"), 5, "and seen")
    panel.page.get_by_role("status").filter(has_text="answering").wait_for()
    assert player.get("/api/status")["notes_in"] == len(PHRASE)
    if synth is not None:
        panel.until(lambda: [pitch for _, pitch in synth.onsets(1)] == PHRASE, 2, "the synth is sent his notes")
        panel.until(lambda: synth.onsets(), 2, "and the answer")


def test_a_slider_moves_the_density(room: Room, look: Look, record_property: Record) -> None:
    player, synth = room("--mode", "solo", "--density", "1")
    panel = look().open(player.url)
    slider = panel.page.get_by_role("slider", name="density", exact=True)
    before = panel.until(lambda: panel.rate(4.0), 15, "it plays for a while")
    slider.focus()
    slider.press("End")
    panel.until(lambda: player.params()["density"] == 32, 2, "it is at its highest")
    panel.until(lambda: synth.onsets() if synth else panel.onsets("machine"), 2, "it plays on")
    panel.until(lambda: panel.rate(2.0) > 4 * before, 20, "it plays more and more notes")
    record_property("notes a second", (before, panel.rate(2.0)))
    told = len(panel.onsets("machine"))
    panel.until(lambda: synth is None or len(synth.onsets()) >= told, 2, "the synth is sent as many")
    slider.press("ArrowLeft")
    panel.until(lambda: 31 < player.params()["density"] < 32, 2, "a key is a step")
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    panel.page.mouse.move(box["x"] + box["width"] * 0.8, middle)
    panel.page.mouse.down()
    panel.page.mouse.move(box["x"] + box["width"] * 0.3, middle, steps=8)
    panel.page.mouse.up()
    panel.until(lambda: 1 < player.params()["density"] < 5, 2, "it was drawn to the left")
    panel.until(
        lambda: slider.get_attribute("aria-valuetext") == in_words(player.params()["density"]), 2, "it says so"
    )
    slider.press("Delete")
    panel.until(lambda: player.params()["density"] == Params().density, 2, "it is set back")


@pytest.mark.jack
def test_a_hardware_knob_moves_the_slider(jack: str, start: Start, look: Look, record_property: Record) -> None:
    player = start("--backend", "jack", midi=True)
    panel = look().open(player.url)
    with contextlib.closing(Keyboard(player.input)) as keyboard:
        took = sorted(turned(panel, keyboard, range(10, 120, 5)))
    record_property("knob to slider, ms: median, most", (took[len(took) // 2], took[-1]))
    assert took[len(took) // 2] < 250


def test_two_browsers_are_in_step(room: Room, look: Look) -> None:
    player, _ = room()
    here, there = look().open(player.url), look().open(player.url)
    slider, other = (one.page.get_by_role("slider", name="speed", exact=True) for one in (here, there))
    slider.focus()
    slider.press("End")
    there.until(lambda: other.get_attribute("aria-valuetext") == "4", 2, "the other shows it")
    there.page.get_by_role("radio", name="duet").check()
    here.until(lambda: here.page.get_by_role("radio", name="duet").is_checked(), 2, "and the other way round")
    there.page.get_by_role("combobox", name="scale", exact=True).select_option("dorian")
    there.page.get_by_role("radio", name="A", exact=True).check()
    there.page.get_by_role("switch", name="key lock").check()
    lock = here.page.get_by_role("switch", name="key lock")
    here.until(lock.is_checked, 2, "the lock as well")
    assert here.page.get_by_role("combobox", name="scale", exact=True).input_value() == "dorian"
    assert here.page.get_by_role("radio", name="A", exact=True).is_checked()
    members = [ROOTS.index(one.input_value()) for one in here.page.locator(".seat.member input").all()]
    assert set(members) == pitch_classes("dorian", "A")
    wanted = {"speed": 4, "mode": "duet", "scale": "dorian", "root": "A", "key_lock": "on"}
    assert player.params().items() >= wanted.items()
    here.page.keyboard.down("q")
    there.until(lambda: there.sounding("human") == {60}, 2, "what one plays the other sees")
    here.page.keyboard.up("q")
    there.until(lambda: not there.sounding("human"), 2, "until it ends")


def test_a_preset_is_chosen(start: Start, look: Look) -> None:
    player = start()
    panel = look().open(player.url)
    name = player.get("/api/presets")[0]
    panel.page.get_by_role("combobox", name="preset", exact=True).select_option(name)
    panel.until(lambda: player.get("/api/status")["preset"] == name, 3, "it is in force")
    panel.page.get_by_role("button", name="next preset").click()
    panel.until(lambda: player.get("/api/status")["preset"] not in (name, None), 3, "and the next")


def test_a_knob_is_learnt_by_click_and_move(
    room: Room, look: Look, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    setup = tmp_path / "evening.yaml"
    setup.write_text("# of an evening\nmode: answer\n")
    player, synth = room("--config", str(setup))
    panel = look()
    panel.context.add_init_script(WEB_MIDI)
    panel.open(player.url)
    page = panel.page
    with contextlib.ExitStack() as stack:
        if synth is None:  # then a knob that is plugged in where the browser is
            page.get_by_role("button", name="Connect a MIDI keyboard").click()
            page.get_by_role("status").filter(has_text="Toy Piano").wait_for()

            def turn(control: int, value: int) -> None:
                page.evaluate("data => toy(...data)", [0xB0, control, value])
        else:
            keyboard = stack.enter_context(contextlib.closing(Keyboard(player.input)))

            def turn(control: int, value: int) -> None:
                keyboard.send("control_change", control=control, value=value)

        learn = page.get_by_role("button", name="learn temperature")
        learn.click()
        panel.until(lambda: learn.get_attribute("aria-pressed") == "true", 2, "it waits for a knob")
        expect(learn).to_have_accessible_name(
            "move it: learn temperature"
        )  # which begins with what is written on it
        for value in (10, 20, 30, 40):
            turn(21, value)
        panel.until(lambda: learn.inner_text() == "CC 21", 3, "it is learnt")
        assert learn.get_attribute("aria-pressed") == "false"
        turn(21, 127)
        panel.until(lambda: player.params()["temperature"] == 2, 2, "the knob moves it")
        slider = page.get_by_role("slider", name="temperature", exact=True)
        panel.until(lambda: slider.get_attribute("aria-valuetext") == "2", 2, "and the slider")
        panel.until(lambda: "temperature" in setup.read_text(), 3, "it is written")
        assert setup.read_text().startswith("# of an evening\nmode: answer\n")
        page.get_by_role("tab", name="Knobs").click()
        page.get_by_role("button", name="Remove CC 21").click()
        page.get_by_role("button", name="Remove CC 21").wait_for(state="detached")
        page.get_by_role("status").filter(has_text="CC 21 is for nothing: written to evening.yaml").wait_for()
        assert [one.to for one in load(setup).map.entries] == ["density", "loudness"]
        assert setup.read_text().startswith("# of an evening\nmode: answer\n")
        turn(21, 0)
        turn(1, 127)
        panel.until(lambda: player.params()["density"] == 32, 2, "another knob is obeyed")
        assert player.params()["temperature"] == 2


def test_the_knobs_in_force_are_shown_from_the_first(standing: Player, look: Look) -> None:
    page = look().open(standing.url).page
    for entry in DEFAULT.entries:
        learn = page.get_by_role("button", name=f"{entry.name}: learn {entry.to}", exact=True)
        expect(learn).to_have_text(entry.name)
    page.get_by_role("tab", name="Knobs").click()
    for entry in DEFAULT.entries:
        page.get_by_role("button", name=f"remove {entry.name}", exact=True).wait_for()


def test_a_keyboard_where_the_browser_is(standing: Player, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(WEB_MIDI)
    panel.open(standing.url)
    panel.page.get_by_role("button", name="Connect a MIDI keyboard").click()
    panel.page.get_by_role("status").filter(has_text="Toy Piano").wait_for()
    panel.page.evaluate("toy(0x90, 64, 90)")
    panel.until(lambda: panel.sounding("human") == {64}, 2, "its notes are played")
    panel.page.evaluate("toy(0x90, 64, 0)")
    panel.until(lambda: not panel.sounding("human"), 2, "and ended")


def test_escape_ends_every_note(room: Room, look: Look) -> None:
    player, synth = room("--turn-gap-s", "5", "--answer-shortest-s", "30", "--density", "16")
    panel = look().open(player.url)
    panel.sound()
    panel.page.get_by_role("button", name=re.compile("^Turn")).click()
    panel.until(lambda: panel.sounding("machine"), 5, "it plays")
    panel.until(lambda: panel.level() > HEARD, 5, "it is heard")
    panel.page.get_by_role("slider", name="density", exact=True).focus()  # from anywhere
    panel.page.keyboard.press("Escape")
    panel.until(lambda: not panel.sounding("machine"), 2, "its notes are ended")
    panel.falls_silent(5)
    for key in "zxc":
        panel.page.keyboard.down(key)
    panel.until(lambda: len(panel.sounding("human")) == 3, 2, "keys are held")
    panel.page.get_by_role("button", name="Panic").click()
    panel.until(lambda: not panel.sounding("human"), 2, "his notes are ended, too")
    panel.falls_silent(5)
    assert synth is None or synth.silent


def test_it_comes_back_when_the_instrument_does(room: Room, start: Start, look: Look) -> None:
    first, synth = room()
    panel = look().open(first.url)
    banner = panel.page.get_by_role("alert")
    panel.page.keyboard.down("z")
    panel.until(lambda: panel.sounding("human") == {48}, 2, "a key is held")
    assert first.stop() == 0
    banner.wait_for()
    panel.notes.clear()
    how = {"midi": True} if synth else {}
    options = ("--backend", "jack", "--out", synth.name) if synth else ()
    again = start(*options, "--port", str(first.port), "--density", "5", **how)
    panel.connected()
    banner.wait_for(state="hidden")
    panel.page.keyboard.up("z")
    slider = panel.page.get_by_role("slider", name="density", exact=True)
    panel.until(lambda: slider.get_attribute("aria-valuetext") == in_words(5), 3, "it shows what is in force now")
    panel.play("x")
    panel.until(lambda: panel.onsets("human") == [50] and not panel.sounding("human"), 2, "and is played on")
    assert again.get("/api/status")["notes_in"] == 1
    panel.forgive_absence()


def midi_file(path: Path, pitches: list[int], velocity: int = 70) -> Path:
    """A file with a quaver each, every other one a little louder."""
    track = mido.MidiTrack()
    for index, pitch in enumerate(pitches):
        track += [on(pitch, velocity + 5 * (index % 2)), off(pitch, time=240)]
    mido.MidiFile(tracks=[track]).save(path)
    return path


DROP = """files => {
    const dataTransfer = new DataTransfer();
    for (const [name, data] of files)
        dataTransfer.items.add(new File([Uint8Array.from(atob(data), one => one.charCodeAt(0))], name));
    for (const type of ['dragenter', 'dragover', 'drop'])
        document.body.dispatchEvent(new DragEvent(type, {dataTransfer, bubbles: true, cancelable: true}));
}"""


def test_a_file_that_is_dropped_is_heard(standing: Player, look: Look, tmp_path: Path) -> None:
    panel = look().open(standing.url)
    notices = panel.page.locator("#notices")
    nocturne = midi_file(tmp_path / "nocturne.mid", list(range(60, 80)))
    dropped = [[name, base64.b64encode(nocturne.read_bytes()).decode()] for name in ("nocturne.mid", "other.mid")]
    panel.page.evaluate(DROP, dropped)
    notices.get_by_text("one file at a time: nocturne.mid now").wait_for()
    notices.get_by_text("heard nocturne.mid: 20 notes, 5 s").wait_for()
    panel.page.get_by_role("tab", name="Recordings").click()
    waltz = midi_file(tmp_path / "waltz.mid", [60, 64, 67])
    panel.page.get_by_label("Choose a file").set_input_files(waltz)
    notices.get_by_text("heard waltz.mid: 3 notes").wait_for()
    for name, data, complaint in (
        ("nonsense.mid", b"nonsense", "nonsense.mid: "),
        ("symphony.mid", bytes(2 << 20), "1 MB"),
        ("song.mp3", b"", "no MIDI file"),
    ):
        panel.page.evaluate(DROP, [[name, base64.b64encode(data).decode()]])
        notices.get_by_text(complaint).wait_for()
    panel.until(lambda: panel.complaints, 2, "Chromium says something of the refusal")
    assert len(panel.complaints) == 1 and "api/prime" in panel.complaints.pop()


def goes_on(panel: Panel, file: Path, figure: list[int]) -> bool:
    """Drop a file; whether one of the next notes is of its register. A long one may ring on first."""
    before = len(panel.onsets("machine"))
    panel.page.evaluate(DROP, [[file.name, base64.b64encode(file.read_bytes()).decode()]])
    panel.page.locator("#notices").get_by_text(f"heard {file.name}: 200 notes").first.wait_for()
    panel.until(lambda: len(panel.onsets("machine")) > before + 25, 30, "it plays on")
    return any(min(figure) - 5 < one < max(figure) + 5 for one in panel.onsets("machine")[before:])


def test_it_goes_on_from_a_file_that_was_dropped(room: Room, look: Look, tmp_path: Path) -> None:
    player, synth = room("--mode", "solo", "--temperature", "0.5", "--density", "8")
    panel = look().open(player.url)
    high, low = [96, 98, 100, 103, 105, 103, 100, 98], [28, 31, 33, 35, 36, 35, 33, 31]

    panel.until(lambda: panel.onsets("machine"), 20, "it plays")
    for name, figure in (("high", high), ("low", low), ("high again", high)):
        file = midi_file(tmp_path / f"{name}.mid", figure * 25)
        assert any(goes_on(panel, file, figure) for _ in range(4)), f"{name}: {panel.onsets('machine')}"
    assert synth is None or synth.onsets()


def test_a_take_is_recorded_listed_played_downloaded_and_deleted(
    room: Room, look: Look, tmp_path: Path, places: Path
) -> None:
    player, _ = room()
    panel = look().open(player.url)
    page = panel.page
    panel.play("q")
    panel.until(lambda: panel.onsets("human") == [60], 2, "this is before the take")
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_role("button", name="Stop").wait_for()
    panel.play("z", "x", "c", "v", "b")
    panel.until(lambda: panel.onsets("human") == [60, *PHRASE], 5, "the take is played")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Record", exact=True).wait_for()
    page.get_by_role("tab", name="Recordings").click()
    take = page.get_by_role("listitem").filter(has_text=f"you {len(PHRASE)} ")
    take.wait_for()
    thumbnail = take.get_by_role("img")
    panel.until(lambda: thumbnail.evaluate("image => image.complete && image.naturalWidth > 0"), 5, "it is drawn")
    with page.expect_download() as download:
        take.get_by_role("link", name="download").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    tracks = {track.name: track for track in mido.MidiFile(file).tracks}
    assert [one.note for one in tracks["human"] if one.type == "note_on" and one.velocity > 0] == PHRASE
    assert file.suffix == ".mid" and (places / "state" / "liveperf" / "recordings").is_dir()
    take.get_by_role("button", name="play").click()
    panel.until(lambda: panel.level() > HEARD, 10, "it is played back")
    take.get_by_role("button", name="stop").click()
    remove = take.get_by_role("button", name="delete")
    remove.click()
    remove.get_by_text("Really?").wait_for()
    remove.click()
    take.wait_for(state="detached")
    assert file.stem not in [one["name"] for one in player.get("/api/recordings")]


def test_there_is_no_sound_before_a_click(start: Start, look: Look) -> None:
    player = start("--backend", "none", "--mode", "solo", "--density", "8")
    panel = look().open(player.url)
    panel.until(lambda: len(panel.onsets("machine")) > 5, 10, "it plays")
    assert panel.page.evaluate("liveperf.audio.context") is None and panel.level() == 0
    switch = panel.page.get_by_role("button", name="Sound", exact=True)
    assert switch.get_attribute("aria-pressed") == "false"
    panel.sound()
    panel.until(lambda: panel.level() > HEARD, 5, "it is heard")
    assert switch.get_attribute("aria-pressed") == "true"  # and its name has not changed
    switch.click()
    panel.until(lambda: panel.level() == 0, 2, "and not heard any more")


def test_only_the_machine_is_heard_where_somebody_hears_himself(start: Start, look: Look) -> None:
    player = start("--backend", "none", "--turn-gap-s", "5", "--answer-shortest-s", "30")
    panel = look().open(player.url)
    panel.sound()
    switch = panel.page.get_by_role("button", name="you sound here")
    assert switch.get_attribute("aria-pressed") == "true"
    panel.page.keyboard.down("z")
    panel.until(lambda: panel.level() > HEARD, 5, "he is heard")
    switch.click()
    panel.falls_silent(5)  # though the key is held
    panel.page.keyboard.up("z")
    panel.page.reload()
    panel.connected()
    panel.sound()
    assert switch.get_attribute("aria-pressed") == "false"  # this browser remembers
    panel.play("x", "c")
    panel.until(lambda: panel.onsets("human")[-2:] == [50, 52], 2, "the instrument hears him")
    assert panel.page.evaluate("liveperf.audio.voices.sounding") == 0 and panel.level() < SILENCE
    panel.page.get_by_role("button", name=re.compile("^Turn")).click()
    panel.until(lambda: panel.level() > HEARD, 10, "the machine is heard")
    panel.page.keyboard.press("Escape")
    panel.falls_silent(5)
    switch.click()
    panel.play("v")
    panel.until(lambda: panel.level() > HEARD, 5, "he is heard again")


# A MIDI clock, as another page plays it: 24 ticks a beat after a Start, and at last a Stop.
CLOCK = """async bpm => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/api/live');
    await new Promise(open => (socket.onopen = open));
    const send = status => socket.send(JSON.stringify({midi: [[status]]}));
    const began = performance.now();
    let ticks = 0;
    window.late = 0;  // ms, at worst
    send(0xfa);
    const timer = setInterval(() => {
        for (let due; performance.now() >= (due = began + (ticks * 60000) / bpm / 24); ticks++) {
            late = Math.max(late, performance.now() - due);
            send(0xf8);
        }
    }, 3);
    window.halt = () => { clearInterval(timer); send(0xfc); };
}"""
BEATS = """() => {
    const seen = [];
    liveperf.beats.visit(-Infinity, liveperf.now + 1, (at, number) => seen.push([number, at]));
    return seen;
}"""


def test_the_roll_has_the_beats_of_a_clock(standing: Player, look: Look) -> None:
    panel = look().open(standing.url)
    assert not panel.shows("faint")  # only bar lines are as strong as that
    for _ in range(8):
        panel.page.evaluate(CLOCK, 150)
        panel.until(lambda: panel.shows("faint"), 5, "there are bar lines")
        panel.until(lambda: len(panel.page.evaluate(BEATS)) > 10, 10, "there are beats, those to come as well")
        beats = panel.page.evaluate(BEATS)
        length = (beats[-1][1] - beats[2][1]) / (len(beats) - 3)
        if length == pytest.approx(0.4, rel=0.05) or panel.page.evaluate("late") < 20:
            break
        panel.page.evaluate("halt()")  # a clock whose ticks come as late as that has another tempo
        panel.until(lambda: panel.page.evaluate(BEATS) == [], 5, "there are no beats")
    assert [number for number, _ in beats] == list(range(len(beats)))
    assert length == pytest.approx(0.4, rel=0.05)
    panel.page.evaluate("halt()")
    panel.until(lambda: not panel.shows("faint"), 5, "there are seconds again")
    assert panel.page.evaluate(BEATS) == []


@pytest.mark.jack
def test_a_midi_system_that_comes_and_goes_is_seen(start: Start, look: Look, tmp_path: Path, places: Path) -> None:
    name = f"panel{os.getpid()}"
    with Server(name, tmp_path):
        player = start("--backend", "jack", midi=True)
        panel = look().open(player.url)
        panel.page.get_by_role("tab", name="Status").click()
        absent = panel.page.get_by_text("no MIDI system")
        panel.page.get_by_text("connected").first.wait_for()
        assert not absent.is_visible()
    absent.wait_for()
    with Server(name, tmp_path):
        absent.wait_for(state="hidden")


def test_meters_say_what_they_show(standing: Player, look: Look) -> None:
    panel = look().open(standing.url)
    panel.page.get_by_role("button", name=re.compile("^Turn")).click()
    panel.page.get_by_role("tab", name="Status").click()
    for name in ("lateness", "step time"):
        meter = panel.page.get_by_role("meter", name=name, exact=True)
        expect(meter).to_have_attribute("aria-valuetext", re.compile("half within"))
        assert 0 < float(meter.get_attribute("aria-valuenow") or 0) < 1000
    panel.page.keyboard.press("Escape")


def test_it_says_so_where_there_can_be_no_sound(standing: Player, look: Look) -> None:
    panel = look()
    panel.context.add_init_script(DEAF)
    panel.open(standing.url).page.get_by_role("button", name="Sound", exact=True).click()
    panel.page.get_by_role("status").filter(has_text="No sound yet").wait_for()


def test_mouse_and_finger_play(standing: Player, look: Look) -> None:
    panel = look(viewport=PHONE, has_touch=True, is_mobile=True).open(standing.url)
    keys = panel.page.get_by_role("img", name="keyboard, to be played")
    box = keys.bounding_box()
    assert box is not None
    panel.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.9)
    panel.until(lambda: len(panel.onsets("human")) == 1 and not panel.sounding("human"), 2, "a finger plays")
    panel.page.mouse.move(box["x"] + 5, box["y"] + box["height"] * 0.9)
    panel.page.mouse.down()
    panel.page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] * 0.9, steps=30)
    panel.until(
        lambda: len(panel.onsets("human")) > 5 and len(panel.sounding("human")) == 1, 2, "a glissando is played"
    )
    played = panel.onsets("human")[1:]
    assert played == sorted(played)
    panel.page.mouse.up()
    panel.until(lambda: not panel.sounding("human"), 2, "it ends")


TABS = ("Parameters", "Knobs", "Recordings", "Status")
DESKTOP, PHONE, SIDEWAYS = parts.WINDOW, {"width": 360, "height": 740}, {"width": 740, "height": 360}


@pytest.mark.parametrize(
    ("scheme", "window"),
    [("dark", DESKTOP), ("light", DESKTOP), ("dark", PHONE), ("light", PHONE), ("dark", SIDEWAYS)],
)
def test_nothing_keeps_anybody_out(scheme: str, window: dict[str, int], standing: Player, look: Look) -> None:
    panel = look(color_scheme=scheme, viewport=window, has_touch=window is not DESKTOP).open(standing.url)
    assert panel.page.evaluate("document.documentElement.dataset.theme") == scheme
    found = []
    for tab in TABS:
        panel.page.get_by_role("tab", name=tab).click()
        for one in Axe().run(panel.page).response["violations"]:
            if one["impact"] in ("serious", "critical"):
                found.append((tab, one["id"], [(node["target"], node["html"][:200]) for node in one["nodes"]]))
    assert found == []
    assert panel.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_parameter_has_a_labelled_control(standing: Player, look: Look) -> None:
    page = look().open(standing.url).page
    for row in standing.get("/api/params"):
        name = row["name"].removesuffix("_s").replace("_", " ")
        if row["name"] in ("mode", "root"):
            control = page.get_by_role("radiogroup", name=name, exact=True)
            assert control.get_by_role("radio").count() == len(row["choices"])
        elif row["kind"] == "choice":
            role: Any = "switch" if row["choices"] == ["off", "on"] else "combobox"
            control = page.get_by_role(role, name=name, exact=True)
        else:
            control = page.get_by_role("slider", name=name, exact=True)
            assert control.get_attribute("aria-valuetext")
        assert control.count() == 1, row["name"]


# Of what can be clicked: what is written on it, and its name, where that is another.
NAMES = """() => [...document.querySelectorAll('button[aria-label], a[aria-label]')]
    .map(element => [element.innerText.trim(), element.getAttribute('aria-label')])"""


def test_what_is_written_on_a_button_is_in_its_name(standing: Player, look: Look) -> None:
    page = look().open(standing.url).page
    page.get_by_role("button", name="CC 1: learn density").wait_for()
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        names = [(text, name) for text, name in page.evaluate(NAMES) if re.search("[a-z]", text, re.IGNORECASE)]
        assert names and [one for one in names if one[0].lower() not in one[1].lower()] == []


REACHABLE = """() => {
    const seen = element => element.checkVisibility({visibilityProperty: true}) && !element.disabled;
    const all = [...document.querySelectorAll('a[href], button, input, select, [tabindex="0"]')].filter(seen);
    window.named = element =>
        element.type === 'radio' ? `radio ${element.name}`
        : element.role === 'tab' ? 'tabs'
        : element.role === 'tabpanel' ? element.id  // what is in it changes meanwhile
        : `${element.tagName} ${element.id} ${element.getAttribute('aria-label') ?? element.textContent.trim()}`;
    return [...new Set(all.map(named))];
}"""


def test_the_keyboard_reaches_everything(standing: Player, look: Look) -> None:
    panel = look().open(standing.url)
    page = panel.page
    for at, tab in enumerate(TABS):
        if at:
            page.get_by_role("tab", name=TABS[at - 1]).focus()
            page.keyboard.press("ArrowRight")
        assert page.get_by_role("tab", name=tab).get_attribute("aria-selected") == "true"
        page.evaluate("document.activeElement.blur()")
        wanted, reached = set(page.evaluate(REACHABLE)), set[str]()
        for _ in range(2 * len(wanted) + 10):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("named(document.activeElement)"))
            if reached >= wanted:
                break
        assert wanted <= reached, tab
    page.get_by_role("slider", name="volume").focus()
    before = len(panel.onsets("human"))
    panel.play("q")
    panel.until(lambda: len(panel.onsets("human")) == before + 1, 2, "keys play wherever the focus is")


def test_the_first_paint_is_soon(standing: Player, look: Look, record_property: Record) -> None:
    took = []
    for _ in range(3):
        panel = look()
        took.append(painted(panel, standing.url))
        panel.connected()
    record_property("first contentful paint, ms", took)
    assert min(took) < 2000


def test_without_a_midi_system_the_page_is_all_there_is(start: Start, look: Look) -> None:
    player = start("--backend", "none")
    assert "without MIDI" in player.out
    assert not any(port["open"] for port in player.get("/api/status")["ports"])
    panel = look().open(player.url)
    panel.page.get_by_role("tab", name="Status").click()
    panel.page.get_by_text("no MIDI system").wait_for()
    assert panel.page.locator("#ports > li").count() == 0 and not panel.page.get_by_text("None: this").is_visible()
    panel.play("q")
    panel.until(lambda: player.get("/api/status")["notes_in"] == 1, 2, "it is played")


def test_a_token_opens_the_panel_once(start: Start, look: Look) -> None:
    player = start("--token", TOKEN)
    stranger = look()
    for wrong in ("", "?token=another-token-of-24-chars"):
        answer = stranger.page.goto(f"{player.url}/{wrong}")
        assert answer is not None and answer.status == 401
        assert not stranger.page.evaluate("'liveperf' in window")
    assert stranger.context.cookies() == []
    friend = look().open(f"{player.url}/?token={TOKEN}")
    assert "token" not in friend.page.url  # nor in the history
    friend.page.reload()
    friend.connected()
    friend.play("q")
    friend.until(lambda: friend.onsets("human") == [60], 2, "he may play")
    stranger.complaints = [one for one in stranger.complaints if "401" not in one]


# What another web site can do to somebody who looks at it: all that a page can try, without a right to.
ATTACK = """<!doctype html><title>Free sheet music</title><script>
const tries = {
    set: home => fetch(home + '/api/params', {method: 'POST', mode: 'no-cors', body: '{"density": 31}'}),
    setAsJson: home => fetch(home + '/api/params', {
        method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"density": 31}'}),
    stop: home => fetch(home + '/api/stop', {method: 'POST', mode: 'no-cors', credentials: 'include'}),
    prime: home => fetch(home + '/api/prime', {method: 'POST', mode: 'no-cors', body: new Uint8Array(100)}),
    take: home => fetch(home + '/api/take', {method: 'POST', mode: 'no-cors', credentials: 'include'}),
    erase: home => fetch(home + '/api/recordings/mine', {method: 'DELETE', credentials: 'include'}),
    read: home => fetch(home + '/api/status', {credentials: 'include'}).then(answer => answer.text()),
    readRecordings: home => fetch(home + '/api/recordings', {credentials: 'include'})
        .then(answer => answer.text()),
    form: home => new Promise((resolve, reject) => {
        const frame = document.createElement('iframe');
        frame.name = 'form';
        document.body.append(frame);
        const form = document.body.appendChild(document.createElement('form'));
        form.method = 'post'; form.enctype = 'text/plain'; form.target = 'form';
        form.action = home + '/api/params';
        const field = form.appendChild(document.createElement('input'));
        field.name = '{"density": 31, "x": "'; field.value = '"}';
        frame.onload = () => { try { resolve(frame.contentDocument.body.innerText); } catch (no) { reject(no); } };
        form.submit();
    }),
    script: home => new Promise((resolve, reject) => {
        const script = document.head.appendChild(document.createElement('script'));
        script.onload = resolve; script.onerror = reject;
        script.src = home + '/api/params';
    }),
    frame: home => new Promise((resolve, reject) => {
        const frame = document.body.appendChild(document.createElement('iframe'));
        frame.onload = () => { try { resolve(frame.contentDocument.body.innerText); } catch (no) { reject(no); } };
        frame.src = home + '/';
    }),
    play: home => new Promise((resolve, reject) => {
        const socket = new WebSocket(home.replace('http', 'ws') + '/api/live');
        socket.onopen = () => {
            socket.send('{"midi": [[144, 60, 100]]}');
            socket.send('{"set": {"density": 31}}');
        };
        socket.onmessage = event => resolve(event.data);
        socket.onclose = reject;
    }),
};
window.attack = async home => {
    const outcome = {};
    for (const [name, attempt] of Object.entries(tries)) {
        try {
            const late = new Promise((resolve, reject) => setTimeout(reject, 2000));
            const won = await Promise.race([attempt(home), late]);
            outcome[name] = won?.type ?? String(won);
        } catch {
            outcome[name] = null;
        }
    }
    return outcome;
};
</script><body>"""
UNSEEN = {"set", "stop", "prime", "take"}  # these are sent, and nobody sees what came of them


@pytest.mark.parametrize("place", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_another_web_site_can_neither_set_nor_play_nor_read(
    token: str | None, place: str, start: Start, browser: Browser
) -> None:
    player = start("--mode", "solo", *(["--token", token] if token else []))
    panel = Panel(browser)
    bearer = {"Authorization": f"Bearer {token}"}
    try:
        answer = panel.page.goto(f"{player.url}/api/status" + (f"?token={token}" if token else ""))
        assert answer is not None and answer.status == 200  # from now on the browser has the cookie
        with parts.site(ATTACK) as elsewhere:
            panel.page.goto(elsewhere.replace("127.0.0.1", place))
            home = player.url.replace("127.0.0.1", place)
            outcome = panel.page.evaluate("home => window.attack(home)", home)
    finally:
        panel.close()
    assert {name for name, seen in outcome.items() if seen is not None} <= UNSEEN
    assert all(outcome[name] in ("opaque", None) for name in UNSEEN)
    assert player.process.poll() is None
    status = player.get("/api/status", **bearer)
    assert status["params"]["density"] == Params().density and status["notes_in"] == 0


def test_a_name_of_another_that_leads_here_is_not_ours(start: Start, browser: Browser) -> None:
    player, panel = start(), Panel(browser)
    try:
        answer = panel.page.goto(f"http://evil.localhost:{player.port}/")
        assert answer is not None and answer.status == 403
        assert panel.page.evaluate("fetch('/api/status').then(answer => answer.status)") == 403
        assert (
            panel.page.evaluate(
                """new Promise(resolve => {
                const socket = new WebSocket(`ws://${location.host}/api/live`);
                socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused');
            })"""
            )
            == "refused"
        )
    finally:
        panel.close()
