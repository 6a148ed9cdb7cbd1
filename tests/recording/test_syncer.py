"""What outlives a loss of power is seen to apart: a disk that takes its time for that holds nobody up."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liveperf.recording import syncer as syncers
from liveperf.recording.recordings import inspect
from liveperf.recording.syncer import Syncer
from liveperf.recording.tape import DiskFile, File
from tests.recording.test_journal import Stage, no_thread_stays  # noqa: F401
from tests.recording.test_take import ask


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A journal in virtual time, but for the thread that syncs; its disk ends no sync before it is told to."""
    stage = Stage(tmp_path)
    stage.journal._syncer.start()
    stage.disk.syncs.clear()
    yield stage
    stage.disk.syncs.set()
    stage.journal.end()
    assert stage.disk.open_files == 0


def until(condition: Callable[[], object]) -> None:
    end = time.perf_counter() + 5.0
    while not condition():
        assert time.perf_counter() < end
        time.sleep(0.001)


def test_while_the_disk_stands_still_what_is_played_is_written(stage: Stage) -> None:
    for _ in range(40):  # ten seconds
        stage.play(3)
        stage.run()
        assert stage.kept == stage.added
    assert stage.disk.synced == {} and stage.journal._syncer.waiting == 1
    stage.disk.syncs.set()
    until(lambda: not stage.journal._syncer.waiting)
    stage.run()  # what has come in meanwhile was not forgotten
    (path,) = stage.journal.files
    until(lambda: stage.disk.synced == {path: path.stat().st_size})
    assert stage.said == []


def test_many_takes_while_the_disk_stands_still_are_whole_and_leave_little_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncers, "MOST", 4)
    threads = threading.active_count()
    for _ in range(9):
        stage.play()
        asking, _ = ask(stage.journal)
        stage.run()
        asking.join()
    assert threading.active_count() == threads
    assert stage.journal._syncer.waiting == 4 and stage.disk.open_files <= 6
    assert [inspect(path).finished for path in stage.journal.files] == [True] * 9 + [False]
    stage.play()
    stage.disk.syncs.set()
    stage.journal.end()
    assert stage.kept == stage.added and all(inspect(path).finished for path in stage.journal.files)


def test_a_sync_that_fails_is_told_and_tried_again(stage: Stage) -> None:
    stage.play()
    stage.run()
    stage.disk.broken = True
    stage.disk.syncs.set()
    until(lambda: not stage.journal._syncer.waiting)
    stage.disk.heal()
    stage.run()
    (said,) = stage.said
    assert said.startswith(f"cannot record to {stage.folder}: Input/output error; it plays on (0 messages wait")
    stage.run(2.0)
    (path,) = stage.journal.files
    until(lambda: stage.disk.synced == {path: path.stat().st_size})
    stage.play()
    stage.run()
    assert stage.said[1:] == [f"recording again, to {path}; 0 messages are lost"]
    assert stage.kept == stage.added


def test_the_end_is_seen_through_to_the_disk(stage: Stage) -> None:
    stage.play(3)
    stage.run()
    ending = threading.Thread(target=stage.journal.end)
    ending.start()
    (path,) = stage.journal.files
    until(lambda: inspect(path).finished)
    assert ending.is_alive() and stage.disk.synced == {}
    stage.disk.syncs.set()
    ending.join()
    assert stage.disk.synced == {path: path.stat().st_size}


def test_an_end_that_does_not_reach_the_disk_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.play()
    stage.run()
    stage.disk.syncs.set()
    until(lambda: not stage.journal._syncer.waiting)
    sync = stage.journal._syncer.sync

    def last(file: File, close: bool = False) -> None:
        stage.disk.broken = True
        sync(file, close)

    monkeypatch.setattr(stage.journal._syncer, "sync", last)
    stage.journal.end()
    stage.disk.heal()
    assert len(stage.said) == 1 and "Input/output error" in stage.said[0]


def test_a_fault_of_its_own_ends_no_thread() -> None:
    class Bewitched:
        def write(self, data: bytes) -> int:
            return len(data)

        def sync(self) -> None:
            raise ZeroDivisionError("a bug")

        def close(self) -> None:
            raise OSError(errno.EIO, "gone")

    syncer = Syncer()
    syncer.start()
    syncer.sync(Bewitched(), close=True)
    until(lambda: not syncer.waiting)
    with pytest.raises(OSError, match="ZeroDivisionError: a bug, which is a fault in liveperf"):
        syncer.check()
    syncer.check()  # it is told once
    syncer.end()


def test_a_file_can_be_closed_while_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, begun, go_on = DiskFile(tmp_path / "some", True), threading.Event(), threading.Event()
    failed: list[OSError] = []

    def slow(number: int) -> None:
        begun.set()
        assert go_on.wait(5.0)
        sync(number)

    def work() -> None:
        try:
            file.sync()
        except OSError as error:
            failed.append(error)

    sync = os.fsync
    monkeypatch.setattr("os.fsync", slow)
    file.write(b"played")
    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(5.0)
    file.close()
    go_on.set()
    thread.join()
    assert failed == [] and (tmp_path / "some").read_bytes() == b"played"
    file.sync()  # and afterwards there is nothing to be done
