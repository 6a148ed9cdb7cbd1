"""The instrument as a page has it, in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from liveperf.codec import notes_array
from liveperf.feed import Ring
from liveperf.mapping.encoders import CODINGS
from liveperf.mapping.knobs import ACTIONS, Entry
from liveperf.midifile import note_messages, write_messages
from liveperf.panel.stage import Stage
from liveperf.params import ParamError
from liveperf.playing.desk import Panel, RefusedError
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import RecordError
from liveperf.scales import ROOTS, SCALES
from liveperf.sync.pulse import TICKS
from liveperf.voices import ALL_NOTES_OFF
from tests.bands import KEYS, Band, by_hand, mapped
from tests.messages import control, off, on

SWEEP = [control(20, value) for value in (10, 20, 30, 40)]

_by_hand = pytest.fixture(autouse=True)(by_hand)


class Room(Band):
    """An instrument with a page to it."""

    def __init__(self, file: Path | None = None, journal: Journal | None = None, **setup: Any) -> None:
        super().__init__(**setup)
        self.instrument.journal = journal
        self.log: Ring[tuple[float, str, str]] = Ring(8)
        self.stage: Panel = Stage(self.instrument, self.clock, self.log, file)

    def errands(self) -> None:
        """What the main thread does."""
        while not self.inbox.empty():
            errand = self.inbox.get()
            assert callable(errand)
            errand()
        self.run(0.01)


def test_it_is_a_desk() -> None:
    room = Room()
    room.stage.set({"density": 4})
    room.stage.act("panic")
    room.run(0.01)
    assert room.stage.params is room.performer.params and room.stage.params.density == 4
    with pytest.raises(ParamError):
        room.stage.set({"density": 99})
    for ask in (room.stage.reload, room.stage.stop, lambda: room.stage.preset("duet")):
        ask()
    assert room.inbox.qsize() == 3
    with pytest.raises(RefusedError):
        room.stage.preset("walz")


def test_what_a_page_plays_is_as_if_a_keyboard_had(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    for message in (on(60), off(60)):
        room.stage.play(message)
        room.run(0.01)
    assert room.synth.heard == [on(60), off(60)]
    assert room.instrument.engine.counts.notes_in == 1
    assert [message for _, _, message in room.stage.view.played.last(9)] == [on(60), off(60)]


def test_a_page_plays_where_only_one_channel_is_listened_to() -> None:
    room = Room(input_channel=5)
    room.stage.play(on(60))
    room.stage.play(mido.Message("clock"))
    room.run(0.01)
    assert room.synth.heard == [on(60, channel=4)]


def test_turns_and_gaps_are_seen() -> None:
    room = Room()
    view = room.stage.view
    assert view.state() == {"turn": "nobody", "state": "waiting", "gap_ends": None}
    assert room.stage.status()["gap"] is None and room.stage.status()["turn"] == "nobody"
    room.play(on(60))
    assert view.state() == {"turn": "human", "state": "listening", "gap_ends": None}
    room.play(off(60))
    state = view.state()
    assert state["turn"] == "human" and 0 < state["gap_ends"] - view.now() <= 0.71
    room.run(0.3)
    assert view.state() == state
    assert room.stage.status()["gap"] == pytest.approx([0.3, 0.7], abs=0.05)
    room.until(lambda: view.state()["turn"] == "machine")
    assert view.now() == pytest.approx(state["gap_ends"], abs=0.05)
    assert view.state()["gap_ends"] is None


def test_the_plan_and_what_becomes_of_it_are_seen() -> None:
    room = Room(params=Band().setup.params.replace(mode="solo", density=8, plan_s=0.5))
    view = room.stage.view
    room.until(lambda: view.plan())
    mark, plan = view.plan_mark(), view.plan()
    assert view.plan_mark() == mark
    assert all(start > view.now() - 0.01 and (end is None or end > start) for start, _, _, end in plan)
    first = plan[0]
    room.until(lambda: view.now() > first[0] + 0.02)
    at, who, message = next(
        one for one in view.played.last(99) if one[2].type == "note_on" and one[0] >= first[0] - 0.01
    )
    assert (who, message.note, message.velocity) == ("machine", first[1], first[2])
    assert at == pytest.approx(first[0], abs=0.01) and view.plan_mark() != mark
    steps = room.stage.status()["step_ms"]
    assert set(steps) == {"p50", "p99"}


def test_a_note_that_is_due_is_known() -> None:
    room = Room(params=Band().setup.params.replace(mode="solo"))
    view = room.stage.view
    assert view.lull() == float("inf")
    room.until(lambda: view.lull() < float("inf"))
    assert -0.01 < view.lull() < 0.01


def test_hello_has_what_stays() -> None:
    room = Room(name="left")
    said = room.stage.view.hello()
    assert said == {
        "version": said["version"],
        "now": pytest.approx(room.clock.now()),
        "steps_per_second": 125,
        "name": "left",
        "roots": list(ROOTS),
        "scales": {name: list(steps) for name, steps in SCALES.items()},
        "actions": ACTIONS,
        "encoders": list(CODINGS),
    }


def test_a_midi_system_comes_and_goes() -> None:
    room = Room()
    assert room.stage.status()["midi"] is True
    room.world.kill()
    room.instrument.rack.look()
    assert room.stage.status()["midi"] is False
    room.world.start()
    room.clock.advance(1.0)
    room.instrument.rack.look()
    assert room.stage.status()["midi"] is True


def tick(room: Room, bpm: float, beats: float) -> list[dict[str, Any]]:
    """A MIDI clock runs; the beats that are seen meanwhile."""
    seen: list[dict[str, Any]] = []
    at = room.clock.now()
    for _ in range(round(beats * TICKS)):
        room.world.play(KEYS, mido.Message("clock"))
        at += 60 / bpm / TICKS
        room.run(at - room.clock.now())
        beat = room.stage.view.beat()
        if beat is not None and (not seen or beat["number"] != seen[-1]["number"]):
            seen.append(beat)
    return seen


def test_the_beats_of_a_clock_are_seen() -> None:
    room = Room()
    view = room.stage.view
    assert view.beat() is None
    room.play(mido.Message("start"))
    began = room.clock.now()
    seen = tick(room, 120, 8)
    assert [beat["number"] for beat in seen] == list(range(seen[0]["number"], 9))
    for beat in seen[2:]:  # once it has settled
        assert beat["at"] == pytest.approx(began + 0.5 * beat["number"], abs=0.03)
        assert beat["bpm"] == pytest.approx(120, rel=0.01)
    room.stage.set({"speed": 2.0})  # another speed of the music, and the beats are where they were
    for beat in tick(room, 120, 8):
        assert beat["at"] == pytest.approx(began + 0.5 * beat["number"], abs=0.03)
    room.play(mido.Message("stop"))
    assert view.beat() is None
    tick(room, 120, 2)
    assert view.beat() is None
    room.play(mido.Message("start"))
    assert [beat["number"] for beat in tick(room, 120, 3)] == [0, 1, 2, 3]


# Taught.


def test_a_knob_is_learned_for_the_session() -> None:
    room = Room(map=mapped(Entry("cc", 20, "temperature"), Entry("cc", 21, "speed")))
    before = room.stage.params
    room.stage.learn("density")
    assert room.stage.view.lesson() == {"learning": "density", "hint": None}
    room.play(*SWEEP[:3])
    room.errands()
    assert room.stage.params == before  # while it is learned it turns nothing
    assert room.stage.view.lesson() == {
        "learning": None,
        "hint": None,
        "learned": {"name": "CC 20", "to": "density"},
        "written": None,
    }
    assert {(one.number, one.to) for one in room.stage.view.map.entries} == {(20, "density"), (21, "speed")}
    room.play(control(20, 127))
    assert room.stage.params.density == 32 and room.stage.params.temperature == before.temperature


def test_a_lesson_is_given_up() -> None:
    room = Room(map=mapped())
    room.stage.learn("density")
    room.stage.learn(None)
    room.play(*SWEEP)
    assert room.inbox.empty() and room.stage.view.lesson() == {"learning": None, "hint": None}


@pytest.mark.parametrize("by", ["the page", "the keyboard", "a knob"])
def test_a_panic_ends_a_lesson_and_all_notes(by: str) -> None:
    room = Room(map=mapped(Entry("cc", 9, "panic")), params=Band().setup.params.replace(mode="solo", density=8))
    room.until(lambda: room.machine())
    room.stage.learn("density")
    room.play(control(64, 127))
    assert room.stage.view.lesson()["hint"] == "CC 64 is the sustain pedal and stays it"
    if by == "the page":
        room.stage.act("panic")
    else:
        room.play(control(9 if by == "a knob" else ALL_NOTES_OFF, 127))
    room.run(1.0)
    assert room.stage.view.lesson() == {"learning": None, "hint": None}
    assert not room.performer.plays and room.stage.params.density == 8


def test_an_endless_knob_is_learned() -> None:
    room = Room(map=mapped())
    with pytest.raises(RefusedError, match="panic is simply pressed"):
        room.stage.learn("panic", "binary_offset")
    assert room.stage.view.lesson()["learning"] is None
    room.stage.learn("density", "binary_offset")
    room.play(*[control(20, 65)] * 8)
    room.errands()
    assert room.stage.view.map.entries == (Entry("cc", 20, "density", encoder="binary_offset"),)


def test_another_lesson_does_not_tell_of_the_last() -> None:
    room = Room(map=mapped())
    room.stage.learn("density")
    room.play(*SWEEP)
    room.errands()
    assert "learned" in room.stage.view.lesson()
    room.stage.learn("speed")
    assert room.stage.view.lesson() == {"learning": "speed", "hint": None}


def test_a_knob_is_learned_into_the_setup(tmp_path: Path) -> None:
    file = tmp_path / "evening.yaml"
    file.write_text("# mine\nmap:\n  - {cc: 1, to: speed}  # the wheel\n", encoding="utf-8")
    room = Room(file, map=mapped(Entry("cc", 1, "speed")))
    room.stage.learn("density")
    room.play(*SWEEP)
    room.errands()
    assert room.stage.view.lesson()["written"] == "evening.yaml"
    text = "# mine\nmap:\n  - {cc: 1, to: speed}  # the wheel\n  - {cc: 20, to: density}\n"
    assert file.read_text(encoding="utf-8") == text


def test_a_setup_that_cannot_be_written_keeps_nobody_from_playing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    room = Room(tmp_path / "gone.yaml", map=mapped())
    room.stage.learn("density")
    room.play(*SWEEP)
    room.errands()
    assert room.stage.view.lesson()["written"] is None
    assert [one.to for one in room.stage.view.map.entries] == ["density"]
    assert "gone.yaml" in caplog.text and "CC 20 is for density until it ends" in caplog.text


def test_a_knob_is_taken_out(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    room = Room(tmp_path / "evening.yaml", map=mapped(Entry("cc", 20, "density"), Entry("cc", 21, "speed")))
    with pytest.raises(RefusedError, match="no knob 'CC 9' in the map; there is CC 20, CC 21"):
        room.stage.unlearn("CC 9")
    room.stage.unlearn("CC 20")
    room.errands()
    assert [one.name for one in room.stage.view.map.entries] == ["CC 21"]
    assert "evening.yaml" in caplog.text and "CC 20 is back at the next start" in caplog.text
    lesson = room.stage.view.lesson()
    assert lesson == {
        "learning": None,
        "hint": None,
        "unlearned": {"name": "CC 20", "to": "density"},
        "written": None,
    }
    before = room.stage.params
    room.play(*SWEEP)
    assert room.stage.params == before


def test_a_knob_is_taken_out_of_the_setup(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "evening.yaml"
    text = "# mine\nmap:\n  - {cc: 1,  to: speed}  # the wheel\n  - {cc: 20, to: density} # red\n# end\n"
    file.write_text(text, encoding="utf-8")
    room = Room(file, map=mapped(Entry("cc", 1, "speed"), Entry("cc", 20, "density"), Entry("cc", 9, "top_p")))
    room.stage.unlearn("CC 20")
    room.errands()
    assert file.read_text(encoding="utf-8") == text.replace("  - {cc: 20, to: density} # red\n", "")
    assert [one.name for one in room.stage.view.map.entries] == ["CC 1", "CC 9"]
    assert room.stage.view.lesson()["written"] == "evening.yaml"
    assert "CC 20 is for nothing now, nor in evening.yaml" in caplog.text
    before = file.read_bytes()
    room.stage.unlearn("CC 9")  # which is not in the file: a preset's
    room.errands()
    assert file.read_bytes() == before and room.stage.view.lesson()["written"] is None


# Primed and recorded.


def midi_file(folder: Path, count: int) -> bytes:
    notes = notes_array([(index / 4 + 1, index / 4 + 1.2, 60 + index % 12, 80) for index in range(count)])
    write_messages(folder / "primer.mid", {"piano": note_messages(notes)})
    return (folder / "primer.mid").read_bytes()


def test_the_model_hears_a_file_while_it_plays(tmp_path: Path) -> None:
    room = Room(params=Band().setup.params.replace(mode="solo", density=8))
    room.until(lambda: room.machine())
    before = room.performer.plan.committed
    count, seconds = room.stage.prime(midi_file(tmp_path, 8))
    assert count == 8 and seconds == pytest.approx(1.95)
    room.work()
    after = room.performer.plan.committed
    assert after.step >= before.step and after.own and len(after.trail) >= 8
    assert not np.array_equal(after.logits, before.logits)
    room.run(5.0)
    assert room.instrument.engine.failure is None and room.instrument.output.failure is None


@pytest.mark.parametrize("data", [b"", b"MThd", b"\0" * 100])
def test_what_is_no_music_is_refused(data: bytes, tmp_path: Path) -> None:
    room = Room()
    before = room.performer.plan.committed
    with pytest.raises(RefusedError, match="^not to be heard: [^/]*$"):
        room.stage.prime(data)
    with pytest.raises(RefusedError, match="no notes in it"):
        room.stage.prime(midi_file(tmp_path, 0))
    room.work()
    assert room.performer.plan.committed is before


def test_without_a_journal_there_is_no_take() -> None:
    room = Room()
    with pytest.raises(RefusedError, match="nothing is recorded"):
        room.stage.take()
    with pytest.raises(RefusedError, match="no take runs"):
        room.stage.end_take()
    assert room.stage.view.take() is None
    assert room.stage.view.kept() == 0 and room.stage.shelf.listed() == []


class Reel(Journal):
    """A journal that only counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.broken = folder, False
        self._count = 0

    @property
    def begun(self) -> int:
        """How many takes there were."""
        return self._count

    def take(self) -> Path:
        """Another file."""
        if self.broken:
            raise RecordError("cannot record: the disk is full")
        path = self.folder / f"{self.begun}.jsonl"
        path.touch()
        self._count += 1
        return path


def test_one_take_runs_at_a_time_and_since_when_is_seen(tmp_path: Path) -> None:
    reel = Reel(tmp_path)
    room = Room(journal=reel)
    view = room.stage.view
    assert view.take() is None
    began = view.now()
    assert room.stage.take() == "0" and view.take() == began
    room.clock.advance(12.0)
    with pytest.raises(RefusedError, match="a take runs already, for 12 s; end it first"):
        room.stage.take()
    assert view.take() == began and reel.begun == 1  # it goes on in the same file
    reel.broken = True
    with pytest.raises(RefusedError, match="disk is full"):
        room.stage.end_take()
    assert view.take() == began
    reel.broken = False
    room.stage.end_take()
    assert view.take() is None and reel.begun == 2
    with pytest.raises(RefusedError, match="no take runs"):
        room.stage.end_take()
    reel.broken = True
    with pytest.raises(RefusedError, match="disk is full"):
        room.stage.take()
    assert view.take() is None and view.kept() == 2
