"""The journal in virtual time: what was played is kept, whatever the disk does, and the music goes on."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf import __version__
from liveperf.clock import SystemClock
from liveperf.recording import journal as journals
from liveperf.recording import scribe
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import END, MESSAGES, NAME, PARAMS, START, Row, parse, read
from liveperf.recording.recordings import inspect
from liveperf.recording.tape import DiskFile, File
from liveperf.voices import Owner
from tests.disks import FaultyDisk
from tests.fakes import FakeClock
from tests.messages import bend, on
from tests.recordings import NOON


def numbered(number: int) -> mido.Message:
    """A message that no other equals."""
    return bend(number - 8192)


class Stage:
    """A journal in a folder, in time that runs from 0; the day begins at noon."""

    def __init__(
        self,
        folder: Path,
        limit_mb: float = 1024,
        open_file: Callable[[Path, bool], File] | None = None,
        instrument: str = NAME,
    ) -> None:
        self.clock, self.disk, self.said = FakeClock(), FaultyDisk(), list[str]()
        self.start = self.clock.now()
        self.folder = folder / "recordings"
        self.journal = Journal(
            self.folder,
            self.clock,
            self.said.append,
            "maestro",
            limit_mb,
            open_file or self.disk.open,
            self.wall,
            instrument,
        )
        self.added: list[mido.Message] = []

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.now)

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.clock.now() - self.start

    def play(self, count: int = 1) -> None:
        """Play some messages, all different, now."""
        for _ in range(count):
            message = numbered(len(self.added))
            self.added.append(message)
            self.journal.add(self.clock.now(), Owner.HUMAN, message)

    def run(self, seconds: float = journals.WRITE_S) -> None:
        """Let time pass, as the thread does."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.advance(min(journals.WRITE_S, end - self.clock.now()))
            self.journal.work()

    @property
    def rows(self) -> list[Row]:
        """What is in the files by now."""
        return [row for path in self.journal.files for row in read(path)]

    @property
    def kept(self) -> list[mido.Message]:
        """The messages among it."""
        return messages(self.rows)


def messages(rows: Sequence[Row]) -> list[mido.Message]:
    return [mido.Message.from_bytes(bytes.fromhex(row.data)) for row in rows if row.kind in MESSAGES]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_what_is_played_is_written_as_it_happens(stage: Stage) -> None:
    stage.run(2.0)
    stage.journal.add(stage.start + 2.0, Owner.HUMAN, on(60))
    stage.run(1.0)
    stage.journal.add(stage.start + 2.5, Owner.MACHINE, on(64))
    stage.journal.set(stage.start + 3.0, {"density": 4.0})
    stage.run()
    assert [(row.time_s, row.kind, row.data) for row in stage.rows[1:]] == [
        (0.0, "human", "903c40"),
        (0.5, "machine", "904040"),
        (1.0, PARAMS, {"density": 4.0}),
    ]
    assert stage.rows[0].kind == START
    assert stage.rows[0].data == {
        "format": 1, "start": "2026-03-01T12:00:02+00:00", "begin_s": 2.0, "model": "maestro",
        "version": __version__, "instrument": "liveperf",
    }  # fmt: skip
    stage.journal.end()
    assert (stage.rows[-1].kind, stage.rows[-1].data) == (END, {"human": 1, "machine": 1, "lost": 0})
    assert [path.name for path in stage.journal.files] == ["2026-03-01T12-00-02Z.jsonl"]
    assert stage.said == []


def test_a_file_is_json_lines(stage: Stage) -> None:
    stage.play(3)
    stage.journal.end()
    lines = stage.journal.files[0].read_text().splitlines()
    assert [json.loads(text)[1] for text in lines] == [START, "human", "human", "human", END]


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
def test_it_is_the_user_s_alone(stage: Stage) -> None:
    stage.play()
    stage.journal.end()
    assert stage.folder.stat().st_mode & 0o777 == 0o700
    assert stage.journal.files[0].stat().st_mode & 0o777 == 0o600


def test_a_file_counts_once_there_is_something_in_it(tmp_path: Path) -> None:
    counts: list[int] = []

    class Watched(DiskFile):
        def write(self, data: bytes) -> int:
            counts.append(watched.journal.begun)
            return super().write(data)

    watched = Stage(tmp_path, open_file=Watched)
    watched.play()
    watched.run()
    assert counts == [0, 0] and watched.journal.begun == 1  # at its head, and at what was played


def test_nothing_played_is_no_file(stage: Stage) -> None:
    stage.journal.set(stage.start, {"mode": "duet"})
    stage.journal.add(stage.start, Owner.HUMAN, mido.Message("start"))
    stage.run(100.0)
    stage.journal.end()
    assert not stage.folder.exists()
    assert stage.journal.files == []


def test_a_file_begins_with_the_parameters_in_force_and_repeats_none(stage: Stage) -> None:
    stage.journal.set(stage.start, {"mode": "duet", "density": 1.0})
    stage.journal.set(stage.start, {"mode": "duet", "density": 2.0})
    stage.play()
    stage.journal.set(stage.start, {"mode": "duet", "density": 2.0})
    stage.journal.set(stage.start, {"mode": "solo", "density": 2.0})
    stage.run()
    found = [row.data for row in stage.rows if row.kind == PARAMS]
    assert found == [{"mode": "duet", "density": 2.0}, {"mode": "solo"}]


def test_messages_before_the_start_are_at_the_start(stage: Stage) -> None:
    stage.journal.add(stage.start - 5.0, Owner.HUMAN, on(60))
    stage.run()
    assert [row.time_s for row in stage.rows] == [0.0, 0.0]


def test_when_the_program_is_killed_a_quarter_of_a_second_is_missing(stage: Stage) -> None:
    for _ in range(40):
        stage.play(3)
        before = len(stage.added)
        stage.run()
        assert len(stage.kept) == before


def test_when_the_power_is_lost_a_second_is_missing_at_most(stage: Stage) -> None:
    counts = [0]
    for _ in range(60):
        stage.play(2)
        stage.run()
        counts.append(len(stage.added))
        (path,) = stage.journal.files
        survived = [row for text in stage.disk.after_power_loss(path).splitlines() if (row := parse(text))]
        assert len(messages(survived)) >= counts[max(len(counts) - 1 - round(1.0 / journals.WRITE_S), 0)]


def test_a_disk_that_rests_is_left_alone(stage: Stage) -> None:
    stage.play()
    stage.run(2.0)
    (path,) = stage.journal.files
    stage.disk.synced.clear()
    stage.run(100.0)
    assert stage.disk.synced == {}
    stage.play()
    stage.run()
    assert stage.disk.synced == {path: path.stat().st_size}


def test_a_file_that_has_grown_is_followed_by_another_that_stands_for_itself(tmp_path: Path) -> None:
    stage = Stage(tmp_path, limit_mb=0.02)  # a file has 5 kB
    stage.journal.set(stage.start, {"mode": "duet"})
    for _ in range(20):
        stage.play(10)
        stage.run(1.0)
    stage.journal.end()
    first, second = stage.journal.files
    assert first.stem < second.stem
    rows = list(read(second))
    assert rows[0].data["begin_s"] == pytest.approx(14.0, abs=2.0)
    assert rows[1] == Row(0.0, PARAMS, {"mode": "duet"})
    assert stage.kept == stage.added
    assert all(inspect(path).finished for path in (first, second))


def test_the_oldest_make_room_for_the_newest_and_the_limit_is_kept(tmp_path: Path) -> None:
    stage = Stage(tmp_path, limit_mb=0.02)
    for _ in range(200):
        stage.play(10)
        stage.run()
        files = sorted(stage.folder.iterdir())
        assert sum(path.stat().st_size for path in files) <= 20_000
        assert stage.journal.files == files  # only what is oldest has gone
    assert len(stage.added) > len(stage.kept) > 300
    assert stage.kept == stage.added[-len(stage.kept) :]
    assert stage.said == []


def test_recordings_of_earlier_days_make_room_and_other_files_stay(tmp_path: Path) -> None:
    stage = Stage(tmp_path, limit_mb=0.02)
    stage.folder.mkdir()
    for name in ("2025-01-01T00-00-00Z.jsonl", "2025-01-02T00-00-00Z.jsonl", "mine.txt"):
        (stage.folder / name).write_bytes(b" " * 9000)
    stage.play()
    stage.run()
    kept = ["2025-01-02T00-00-00Z.jsonl", "2026-03-01T12-00-00Z.jsonl", "mine.txt"]
    assert sorted(path.name for path in stage.folder.iterdir()) == kept


def test_the_oldest_of_another_instrument_make_no_room(tmp_path: Path) -> None:
    idle, small, large = (Stage(tmp_path, mb, None, name) for name, mb in (("a", 0.02), ("b", 0.02), ("c", 0.1)))
    idle.play()
    idle.run()
    for _ in range(200):
        for stage in (small, large):
            stage.play(10)
            stage.run()
    assert small.kept == small.added[-len(small.kept) :] and len(small.kept) < 500
    assert large.kept == large.added[-len(large.kept) :] and len(large.kept) > 1000
    idle.play()
    idle.run()
    assert idle.kept == idle.added and len(idle.journal.files) == 1
    assert idle.said == small.said == large.said == []


def test_two_instruments_at_once_have_two_files(tmp_path: Path) -> None:
    stages = [Stage(tmp_path) for _ in range(3)]
    for stage in stages:
        stage.play()
        stage.run()
    names = [path.name for stage in stages for path in stage.journal.files]
    assert names == [f"2026-03-01T12-00-00Z{number}.jsonl" for number in ("", ".02", ".03")]
    assert all(stage.kept == stage.added for stage in stages)


def test_a_full_disk_is_told_once_a_minute_and_then_it_goes_on(stage: Stage) -> None:
    stage.play()
    stage.run(1.0)
    stage.disk.room = 10
    for _ in range(200):
        stage.play()
        stage.run(1.0)
    assert len(stage.said) == 4
    expected = (
        f"cannot record to {stage.folder}: No space left on device; it plays on (1 messages wait, 0 are lost"
    )
    assert stage.said[0].startswith(expected)
    stage.disk.heal()
    stage.play()
    stage.run(2.0)
    assert stage.said[4:] == [f"recording again, to {stage.journal.files[0]}; 0 messages are lost"]
    assert stage.kept == stage.added
    assert len(stage.journal.files) == 1


def test_a_disk_that_is_full_from_the_start_leaves_no_file(stage: Stage) -> None:
    stage.disk.room = 40
    stage.play(5)
    stage.run(3.0)
    assert list(stage.folder.iterdir()) == []
    stage.journal.end()
    assert stage.said[-1] == f"the recording in {stage.folder} is not whole: 5 messages could not be written"
    assert len(stage.said) == 2 and stage.journal.lost == 5


def test_a_disk_that_comes_and_goes_is_not_told_of_each_time(stage: Stage) -> None:
    for _ in range(300):
        stage.disk.broken = not stage.disk.broken
        stage.play()
        stage.run(1.0)
    assert 5 <= sum(text.startswith("cannot record") for text in stage.said) <= 6
    assert len(stage.said) <= 12
    stage.disk.heal()
    stage.journal.end()
    assert stage.kept == stage.added


def test_what_cannot_be_written_for_long_is_dropped_and_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe, "KEPT", 50)
    stage.disk.broken = True
    stage.journal.set(stage.start, {"mode": "duet"})
    for _ in range(20):
        stage.play(9)
        stage.journal.set(stage.clock.now(), {"density": len(stage.added)})
        stage.run(1.0)
    stage.disk.heal()
    stage.run(2.0)
    assert stage.kept == stage.added[-len(stage.kept) :]
    assert 40 <= len(stage.kept) <= 50
    assert stage.journal.lost == len(stage.added) - len(stage.kept)
    assert (
        stage.said[-1] == f"recording again, to {stage.journal.files[0]}; {stage.journal.lost} messages are lost"
    )
    first = next(row.data for row in stage.rows if row.kind == PARAMS)
    assert first["mode"] == "duet" and first["density"] > 9  # as they were when the first that is kept was played
    stage.journal.end()
    assert inspect(stage.journal.files[0]).lost == stage.journal.lost


def test_parameters_outlive_the_messages_that_are_dropped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribe, "KEPT", 20)
    stage.play()
    stage.run()
    stage.disk.broken = True
    for number in range(30):
        stage.journal.set(stage.clock.now(), {"mode": "solo", "density": number})
        stage.play(3)
        stage.run()
    stage.disk.heal()
    stage.run(2.0)
    assert len(stage.kept) < 20
    values: dict[str, object] = {}
    for row in stage.rows[2:]:  # each message finds those in force that it was played with
        if row.kind == PARAMS:
            values.update(row.data)
        else:
            number = stage.added.index(messages([row])[0])
            assert values == {"mode": "solo", "density": (number - 1) // 3}


def test_a_disk_that_hangs_does_not_fill_the_memory(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribe, "KEPT", 50)
    stage.play(200)  # and the thread is not there to take them
    stage.run()
    assert stage.kept == stage.added[:50]
    assert stage.journal.lost == 150
    assert stage.said == [f"recording again, to {stage.journal.files[0]}; 150 messages are lost"]


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no file that is open")
@pytest.mark.parametrize("gone", ["file", "folder", "moved"])
def test_a_recording_that_goes_away_is_followed_by_another(stage: Stage, gone: str) -> None:
    stage.play(3)
    stage.run()
    (path,) = stage.journal.files
    if gone == "file":
        path.unlink()
    elif gone == "folder":
        shutil.rmtree(stage.folder)
    else:
        stage.folder.rename(stage.folder.with_name("elsewhere"))
    stage.run(10.0)
    assert stage.journal.files == []
    stage.play(4)
    stage.run(2.0)
    (second,) = stage.journal.files
    assert stage.kept == stage.added[3:]
    assert stage.said == [f"the recording {path} has gone; going on in {second}"]
    if gone == "moved":
        moved = stage.folder.with_name("elsewhere") / path.name
        assert messages(list(read(moved))) == stage.added[:3]


def test_a_folder_that_cannot_be_made_is_told_and_waited_for(stage: Stage) -> None:
    stage.folder.touch()  # a file in its place
    stage.play()
    stage.run(5.0)
    assert len(stage.said) == 1 and stage.said[0].startswith(f"cannot record to {stage.folder}: ")
    stage.folder.unlink()
    stage.run(1.0)
    assert stage.kept == stage.added
    assert stage.said[1].startswith("recording again")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_disk_that_is_really_full_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, open_file=lambda path, new: DiskFile(Path("/dev/full"), False))
    stage.play(3)
    stage.run(5.0)
    assert len(stage.said) == 1 and "No space left on device; it plays on (3 messages wait" in stage.said[0]


def test_wherever_a_line_is_torn_it_is_there_once(tmp_path: Path) -> None:
    for room in range(140):  # bytes, of the four lines' 140
        stage = Stage(tmp_path / str(room))
        stage.play()
        stage.run()
        stage.disk.room = room
        stage.play(4)
        stage.run(1.0)
        assert stage.said[0].startswith("cannot record")
        stage.disk.heal()
        stage.play(2)
        stage.journal.end()
        assert stage.kept == stage.added, room


deeds = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.integers(1, 9)),
        st.tuples(st.just("wait"), st.sampled_from([0.25, 0.5, 1.0, 3.0])),
        st.tuples(st.just("room"), st.integers(0, 400)),
        st.tuples(st.just("break"), st.just(0)),
        st.tuples(st.just("heal"), st.just(0)),
        st.tuples(st.just("remove"), st.just(0)),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(deeds, st.sampled_from([1.0, 0.004]))
def test_whatever_the_disk_does_all_is_there_once_and_in_order(
    script: list[tuple[str, float]], limit: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), limit)
        removed: list[mido.Message] = []
        for what, amount in script:
            if what == "play":
                stage.play(int(amount))
            elif what == "wait":
                stage.run(amount)
            elif what == "room":
                stage.disk.room = amount
            elif what == "break":
                stage.disk.broken = True
            elif what == "heal":
                stage.disk.heal()
            elif os.name != "nt":
                removed += stage.kept
                for path in stage.journal.files:
                    path.unlink()
        stage.disk.heal()
        stage.journal.end()
        kept = stage.kept
        if limit == 1.0:
            assert removed + kept == stage.added
        else:  # the oldest may have made room
            assert kept == stage.added[len(stage.added) - len(kept) :]
        assert stage.journal.lost == 0
        assert all(inspect(path).finished for path in stage.journal.files[-1:])


def test_a_thread_of_its_own_writes_what_any_thread_plays(tmp_path: Path) -> None:
    said: list[str] = []
    journal = Journal(tmp_path, SystemClock(), said.append, "maestro")
    journal.start()

    def play(channel: int) -> None:
        for pitch in range(100):
            message = on(pitch, channel=channel)
            journal.add(float(pitch), Owner.MACHINE, message)
            journal.set(float(pitch), {f"knob{channel}": pitch})

    threads = [threading.Thread(target=play, args=(channel,)) for channel in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.stop()
    assert said == []
    (path,) = journal.files
    found = messages(list(read(path)))
    for channel in range(4):
        assert [one.note for one in found if one.channel == channel] == list(range(100))
    assert inspect(path).finished


def test_a_fault_of_its_own_costs_what_it_fails_at_and_no_more(tmp_path: Path) -> None:
    broken = [True]

    def bewitched(path: Path, new: bool) -> File:
        if broken[0]:
            raise ZeroDivisionError("a bug")
        return DiskFile(path, new)

    stage = Stage(tmp_path, open_file=bewitched)
    stage.play(3)
    stage.run()
    (said,) = stage.said
    assert "ZeroDivisionError: a bug, which is a fault in liveperf; it plays on" in said
    assert stage.journal.lost == 3
    broken[0] = False
    stage.play(2)
    stage.run(2.0)
    assert stage.kept == stage.added[3:]
    stage.journal.end()
    assert stage.rows[-1].data["lost"] == 3


def test_another_evening_is_another_recording(stage: Stage) -> None:
    for evening in range(3):
        stage.play(5)
        stage.run(60.0)
        stage.play(5)
        stage.run(scribe.REST_S - 1.0)
        stage.play(1)
        stage.run(60.0)
        stage.journal.set(stage.clock.now(), {"density": float(evening)})  # a knob is no music
        stage.clock.advance(24 * 3600.0)
        stage.journal.work()
    stage.journal.end()
    files = [list(read(path)) for path in stage.journal.files]
    assert [len(messages(rows)) for rows in files] == [11, 11, 11]
    for evening, rows in enumerate(files):
        played = [row.time_s for row in rows if row.kind in MESSAGES]
        assert played[-1] - played[0] == pytest.approx(60.0 + scribe.REST_S - 1.0, abs=0.01)
        assert [row.data["density"] for row in rows if row.kind == PARAMS] == [evening - 1.0, evening][
            not evening :
        ]
    assert stage.kept == stage.added


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """No test leaves a thread behind."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before
