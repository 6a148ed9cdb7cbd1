"""A take: a recording of its own, begun when it is asked for."""

from __future__ import annotations

import errno
import queue
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from liveperf.recording import journal as journals
from liveperf.recording import scribe
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import MESSAGES, PARAMS, RecordError, read
from liveperf.recording.recordings import inspect
from liveperf.voices import Owner
from tests.disks import FaultyDisk
from tests.fakes import FakeClock
from tests.messages import on
from tests.recordings import NOON


def ask(journal: Journal) -> tuple[threading.Thread, queue.SimpleQueue[Path | RecordError]]:
    """Somebody has asked for a take, and waits for it; what becomes of that."""
    found: queue.SimpleQueue[Path | RecordError] = queue.SimpleQueue()

    def wait() -> None:
        try:
            found.put(journal.take())
        except RecordError as error:
            found.put(error)

    asking, waiting = threading.Thread(target=wait), journal._inbox.qsize()
    asking.start()
    while journal._inbox.qsize() == waiting:
        pass
    return asking, found


class Desk:
    """A journal whose thread's work is done by hand, and one who asks it for takes."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.disk = FakeClock(), FaultyDisk()
        begin = self.clock.now()
        self.journal = Journal(
            folder,
            self.clock,
            lambda text: None,
            "maestro",
            open_file=self.disk.open,
            wall=lambda: NOON + timedelta(seconds=self.clock.now() - begin),
        )

    def play(self, pitch: int) -> None:
        self.clock.advance(1.0)
        self.journal.add(self.clock.now(), Owner.HUMAN, on(pitch, 9))

    def take(self) -> Path:
        """Ask for a take, and let the journal's thread come to it."""
        asking, found = ask(self.journal)
        while asking.is_alive():
            self.journal.work()
        path = found.get()
        if isinstance(path, RecordError):
            raise path
        return path


def pitches(path: Path) -> list[int]:
    return [int(row.data[2:4], 16) for row in read(path) if row.kind in MESSAGES]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_take_holds_what_is_played_from_there_on(desk: Desk) -> None:
    desk.journal.set(desk.clock.now(), {"density": 4.0})
    desk.play(60)
    desk.journal.work()
    desk.play(61)
    desk.clock.advance(1.0)
    take = desk.take()
    desk.play(62)
    desk.journal.work()
    after = desk.take()
    desk.play(63)
    desk.journal.end()
    before, *rest = desk.journal.files
    assert rest == [take, after] and desk.journal.begun == 3
    assert [pitches(path) for path in (before, take, after)] == [[60, 61], [62], [63]]
    assert all(inspect(path).finished for path in (before, take, after))
    assert inspect(take).start == NOON + timedelta(seconds=3)
    assert [row.data for row in read(take) if row.kind == PARAMS] == [{"density": 4.0}]
    assert [row.time_s for row in read(take) if row.kind in MESSAGES] == [1.0]


def test_a_take_in_which_nothing_is_played_goes(desk: Desk) -> None:
    first = desk.take()
    assert first.exists()
    desk.clock.advance(5.0)
    second = desk.take()
    assert not first.exists() and second.exists() and first != second
    desk.journal.end()
    assert desk.journal.files == [] and not second.exists()


def test_what_was_played_before_it_but_comes_late_is_at_its_start(desk: Desk) -> None:
    desk.play(60)
    desk.clock.advance(1.0)
    take = desk.take()
    desk.journal.add(desk.clock.now() - 0.01, Owner.MACHINE, on(61, 9))
    desk.journal.end()
    assert [(row.time_s, row.data[:4]) for row in read(take) if row.kind in MESSAGES] == [(0.0, "903d")]


def test_what_is_played_after_a_take_is_asked_for_is_kept_when_it_ends_at_once(desk: Desk) -> None:
    desk.play(60)
    first, _ = ask(desk.journal)
    desk.play(61)
    second, _ = ask(desk.journal)
    desk.play(62)
    desk.journal.end()
    for asking in (first, second):
        asking.join()
    assert [pitches(path) for path in desk.journal.files] == [[60], [61], [62]]
    assert all(inspect(path).finished for path in desk.journal.files) and desk.journal.lost == 0


def test_a_disk_that_is_full_is_told_and_recording_goes_on(desk: Desk) -> None:
    desk.play(60)
    desk.journal.work()
    desk.disk.broken = True
    with pytest.raises(RecordError, match="cannot record to"):
        desk.take()
    desk.disk.heal()
    desk.clock.advance(scribe.RETRY_S)
    desk.play(61)
    desk.journal.end()
    assert [pitch for path in desk.journal.files for pitch in pitches(path)] == [60, 61]


def test_a_thread_that_is_not_there_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "TAKE_S", 0.01)
    with pytest.raises(RecordError, match="within 0.01 s"):
        Journal(tmp_path, FakeClock(), lambda text: None, "maestro").take()


def test_one_that_was_given_up_is_not_made_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "TAKE_S", 0.01)
    desk.play(60)
    desk.journal.work()
    with pytest.raises(RecordError, match="within 0.01 s"):
        desk.journal.take()
    desk.play(61)
    desk.journal.end()
    (path,) = desk.journal.files
    assert pitches(path) == [60, 61]


def test_a_folder_that_cannot_be_made_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(scribe, "Tape", refuse)
    with pytest.raises(RecordError, match="Permission denied"):
        desk.take()
