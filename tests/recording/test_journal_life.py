"""The journal's thread: what it survives, how it is seen that it lives, and how another takes its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from liveperf.clock import SystemClock
from liveperf.recording import journal as journals
from liveperf.recording import scribe, tape
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import PARAMS, START, read
from liveperf.recording.recordings import inspect
from liveperf.voices import Owner
from tests.disks import FaultyDisk
from tests.recording.test_journal import Stage, messages, no_thread_stays, numbered  # noqa: F401


def until(condition: Callable[[], object]) -> None:
    end = time.perf_counter() + 5.0
    while not condition():
        assert time.perf_counter() < end
        time.sleep(0.001)


class Life:
    """A journal with its threads, in a hurry; `say` is what it tells trouble to."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.disk, self.added = SystemClock(), FaultyDisk(), 0
        self.said: list[str] = []
        self.say: Callable[[str], None] = self.said.append
        self.journal = Journal(folder, self.clock, lambda text: self.say(text), "m", open_file=self.disk.open)
        self.journal.start()

    def play(self) -> None:
        self.journal.add(self.clock.now(), Owner.HUMAN, numbered(self.added))
        self.added += 1

    @property
    def kept(self) -> list[Any]:
        return messages([row for path in self.journal.files for row in read(path)])


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    monkeypatch.setattr(journals, "WRITE_S", 0.01)
    monkeypatch.setattr(scribe, "RETRY_S", 0.01)
    life = Life(tmp_path)
    yield life
    life.disk.heal()
    assert life.journal.stop()
    assert life.disk.open_files == 0


def test_it_shows_that_it_lives(life: Life) -> None:
    until(lambda: life.journal.beats > 3)
    assert life.journal.alive and life.journal.failure is None


def test_when_its_thread_has_died_another_goes_on_in_the_same_file(life: Life) -> None:
    def fall(text: str) -> None:
        raise ZeroDivisionError("a bug")

    life.play()
    until(lambda: life.kept)
    life.say, life.disk.broken = fall, True
    life.play()
    until(lambda: not life.journal.alive)
    assert isinstance(life.journal.failure, ZeroDivisionError)
    life.say = life.said.append
    life.disk.heal()
    life.play()
    beats = life.journal.beats
    life.journal.resume()
    assert life.journal.failure is None
    until(lambda: life.journal.beats > beats and len(life.kept) == 3)
    (path,) = life.journal.files
    assert life.journal.stop() and inspect(path).finished
    assert life.kept == [numbered(number) for number in range(3)] and life.journal.lost == 0
    times = [row.time_s for row in read(path)]
    assert times == sorted(times)  # they count from the same start


def test_when_its_thread_is_stuck_another_goes_on_in_another_file(life: Life, tmp_path: Path) -> None:
    stuck, go_on = threading.Event(), threading.Event()
    check = life.disk.check

    def hang() -> None:
        if threading.current_thread() is first:
            stuck.set()
            assert go_on.wait(5.0)
        check()

    life.play()
    until(lambda: life.kept)
    first, life.disk.check = life.journal._thread, hang  # type: ignore[method-assign]
    life.play()
    assert stuck.wait(5.0) and first is not None
    life.journal.resume()
    life.play()
    until(lambda: len(life.kept) == 3)
    go_on.set()
    first.join()
    assert life.journal.stop()
    before, after = life.journal.files
    assert messages(list(read(before))) == [numbered(0), numbered(1)]  # it has come round, and written it, too
    assert messages(list(read(after))) == [numbered(1), numbered(2)]
    assert next(row for row in read(after) if row.kind == START).data["begin_s"] > 0
    assert inspect(after).finished


def test_what_it_cannot_make_a_row_of_costs_only_that(tmp_path: Path) -> None:
    class Odd:
        channel = 0

    stage = Stage(tmp_path)
    stage.play(2)
    stage.journal.add(stage.clock.now(), Owner.HUMAN, Odd())
    stage.journal.set(stage.clock.now(), None)  # type: ignore[arg-type]
    stage.journal.set(stage.clock.now(), {"density": 4.0})
    stage.play(2)
    stage.run()
    assert stage.kept == stage.added and stage.journal.lost == 1
    assert [row.data for row in stage.rows if row.kind == PARAMS] == [{"density": 4.0}]
    assert len(stage.said) == 1 and "AttributeError" in stage.said[0]


def test_a_room_that_cannot_be_made_does_not_keep_it_from_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> set[Path]:
        raise RecursionError("too deep")

    monkeypatch.setattr(scribe, "trim", fail)
    stage = Stage(tmp_path)
    stage.play(2)
    stage.run()
    assert stage.kept == stage.added and stage.journal.lost == 0
    assert stage.said == [f"the oldest recordings in {stage.folder} cannot make room: too deep"]


def test_while_there_is_room_no_other_recording_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} is read")

    stage = Stage(tmp_path)
    stage.folder.mkdir()
    (stage.folder / "2025-01-01T00-00-00Z.jsonl").write_bytes(b" " * 9000)
    monkeypatch.setattr(tape, "ends", refuse)
    stage.play()
    stage.run()
    assert stage.said == [] and stage.kept == stage.added


def test_it_knows_its_last_file_without_the_disk_and_forgets_those_that_made_room(tmp_path: Path) -> None:
    stage = Stage(tmp_path, limit_mb=0.02)
    for _ in range(300):
        stage.play(10)
        stage.run()
        assert stage.journal.current == stage.journal.files[-1]
    assert stage.journal.begun > 10 and len(stage.journal._scribe.begun) == len(stage.journal.files) < 6
    last = stage.journal.files[-1]
    last.unlink()
    assert stage.journal.current == last  # until another is begun
