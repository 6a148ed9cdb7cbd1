"""Recordings: listed, found, exported as two tracks, drawn and removed, finished or not."""

from __future__ import annotations

import os
import tempfile
import tracemalloc
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.codec import notes_array
from liveperf.midifile import note_messages, read_notes, write_messages
from liveperf.recording import recordings
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import PARAMS, RecordError, Row, Start, line
from liveperf.recording.recordings import check, draw, export, find, inspect, paths, remove
from liveperf.voices import Owner
from tests.fakes import FakeClock
from tests.messages import bend, off, on, program
from tests.recordings import DUET, NOON, Played, record


def track(path: Path, name: str, meta: bool = False) -> list[tuple[int, mido.Message]]:
    """(ms, message) of the track of a name; or its text events."""
    rows, now = [], 0
    for message in next(one for one in mido.MidiFile(path, charset="utf-8").tracks if one.name == name):
        now += message.time
        if message.type == "text" if meta else not message.is_meta:
            rows.append((now, message.copy(time=0)))
    return rows


def test_what_is_known_of_a_recording(tmp_path: Path) -> None:
    (path,) = record(tmp_path, DUET)
    found = inspect(path)
    assert found == recordings.Recording(
        path, NOON + timedelta(seconds=1), 3.0, 1, 2, "maestro", "liveperf", path.stat().st_size, True, 0
    )
    assert found.name == "2026-03-01T12-00-01Z"


def test_one_that_is_not_finished_is_known_as_well(tmp_path: Path) -> None:
    (path,) = record(tmp_path, DUET, ended=False)
    found = inspect(path)
    assert (found.seconds, found.human, found.machine, found.finished) == (3.0, 1, 2, False)
    path.write_bytes(path.read_bytes()[:-5])  # the last line is torn
    found = inspect(path)
    assert (found.seconds, found.human, found.machine, found.finished) == (2.0, 1, 2, False)


@pytest.mark.parametrize("contents", [b"", b"\0" * 5000, b"not a journal\n", b'[0.0,"start"'])
def test_what_holds_nothing_is_a_recording_of_nothing(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(contents)
    found = inspect(path)
    assert (found.seconds, found.human, found.machine, found.model, found.finished) == (0.0, 0, 0, "?", False)
    assert found.start.tzinfo is not None
    export([path], tmp_path / "some.mid")
    assert [one.name for one in mido.MidiFile(tmp_path / "some.mid").tracks] == ["human", "machine"]
    draw(path, tmp_path / "some.svg")
    ElementTree.parse(tmp_path / "some.svg")


def test_without_its_first_line_the_rest_is_there(tmp_path: Path) -> None:
    (path,) = record(tmp_path, DUET)
    path.write_bytes(b"x" + path.read_bytes())
    assert inspect(path).machine == 2
    export([path], tmp_path / "jam.mid")
    assert track(tmp_path / "jam.mid", "human") == [(0, on(60)), (500, off(60))]


def test_two_tracks_with_times_from_the_first_message_or_from_the_start(tmp_path: Path) -> None:
    (path,) = record(tmp_path, DUET)
    out = tmp_path / "jam.mid"
    export([path], out)
    assert mido.MidiFile(out).type == 1
    assert [one.name for one in mido.MidiFile(out).tracks] == ["human", "machine"]
    assert track(out, "human") == [(0, on(60)), (500, off(60))]
    assert [time for time, _ in track(out, "machine")] == [1000, 1250, 2000, 3000]
    export([path], out, whole=True)
    assert track(out, "human") == [(1000, on(60)), (1500, off(60))]
    assert [time for time, _ in track(out, "machine")] == [2000, 2250, 3000, 4000]
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(["jam.mid", path.name])


def test_parameters_are_text_events_that_say_what_changed(tmp_path: Path) -> None:
    clock = FakeClock()
    journal = Journal(tmp_path, clock, print, "maestro")
    journal.set(clock.now(), {"mode": "duet", "density": 2.0})
    journal.add(clock.now(), Owner.HUMAN, on(60))
    clock.advance(1.5)
    journal.set(clock.now(), {"mode": "söhne"})
    journal.end()
    out = tmp_path / "jam.mid"
    export(journal.files, out)
    assert [(time, one.text) for time, one in track(out, "machine", meta=True)] == [
        (0, "mode = duet"),
        (0, "density = 2.0"),
        (1500, "mode = söhne"),
    ]
    assert track(out, "human", meta=True) == []


def test_nothing_played_is_a_file_too(tmp_path: Path) -> None:
    export([], tmp_path / "silence.mid", whole=True)
    assert [one.name for one in mido.MidiFile(tmp_path / "silence.mid").tracks] == ["human", "machine"]


@pytest.mark.parametrize("kind", ["start", "stop", "continue", "songpos", "quarter_frame", "reset"])
def test_a_sequencer_s_transport_does_not_spoil_it(kind: str, tmp_path: Path) -> None:
    files = record(tmp_path, [(0.5, Owner.HUMAN, mido.Message(kind)), (1.0, Owner.HUMAN, on(60))])
    export(files, tmp_path / "jam.mid", whole=True)
    assert track(tmp_path / "jam.mid", "human") == [(1000, on(60))]


def test_a_performance_of_several_files_is_one_midi_file(tmp_path: Path) -> None:
    played: Played = [(i * 0.1, list(Owner)[i % 2], on(i % 128)) for i in range(600)]
    files = record(tmp_path, played, limit_mb=0.04)
    assert len(files) > 2
    out = tmp_path / "jam.mid"
    export(files, out, whole=True)
    for owner in Owner:
        expected = [(round(time * 1000), message) for time, whose, message in played if whose is owner]
        assert track(out, owner.value) == expected
    assert len(track(out, "machine", meta=True)) == 2
    export(files[1:2], out)
    assert min(track(out, owner.value)[0][0] for owner in Owner) == 0


played = st.lists(
    st.tuples(
        st.integers(-2000, 8000).map(lambda ms: ms / 1000),
        st.sampled_from(Owner),
        st.one_of(
            st.builds(on, st.integers(0, 127), st.integers(0, 127)),
            st.builds(off, st.integers(0, 127)),
            st.builds(bend, st.integers(-8192, 8191)),
            st.builds(lambda value: program(value, channel=3), st.integers(0, 127)),
        ),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(played)
def test_exported_is_what_was_played_sorted_by_time(rows: Played) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clock = FakeClock()
        journal = Journal(folder / "recordings", clock, print, "maestro")
        for time, owner, message in rows:  # as threads hand it over: not quite in order
            journal.add(clock.now() + time, owner, message)
            if round(time * 1000) % 3 == 0:
                journal.work()
        journal.end()
        export(journal.files, folder / "journal.mid", whole=True)
        ordered = sorted(rows, key=lambda row: max(row[0], 0.0))
        expected = {
            owner.value: [(max(time, 0.0), message) for time, whose, message in ordered if whose is owner]
            for owner in Owner
        }
        write_messages(folder / "expected.mid", expected)
        assert (folder / "journal.mid").read_bytes() == (folder / "expected.mid").read_bytes()


note_rows = st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(40, 80), st.integers(1, 127))
part = st.lists(note_rows, max_size=15, unique_by=lambda row: (row[0], row[2]))


@settings(deadline=None)
@given(part, part)
def test_notes_that_are_recorded_are_read_from_the_midi_file(
    human: list[tuple[int, int, int, int]], machine: list[tuple[int, int, int, int]]
) -> None:
    machine = [(slot, length, pitch + 41, velocity) for slot, length, pitch, velocity in machine]
    notes = {
        owner: notes_array(
            [(slot * 10, slot * 10 + length, pitch, velocity) for slot, length, pitch, velocity in of]
        )
        for owner, of in ((Owner.HUMAN, human), (Owner.MACHINE, machine))
    }
    both = np.concatenate(list(notes.values()))
    if not len(both):
        return
    timed = [(time, owner, message) for owner, of in notes.items() for time, message in note_messages(of)]
    with tempfile.TemporaryDirectory() as name:
        files = record(Path(name) / "recordings", sorted(timed, key=lambda row: row[0]))
        out = Path(name) / "jam.mid"
        export(files, out, whole=True)
        back = read_notes(out)
        expected = notes_array(both)
        for field in ("pitch", "velocity", "start", "end"):
            np.testing.assert_allclose(back[field], expected[field])
        assert (inspect(files[0]).human, inspect(files[0]).machine) == (len(human), len(machine))


def test_a_long_one_is_exported_with_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(line(Start(NOON, 0.0, "maestro", "1").row()))
        for i in range(6_000):
            file.write(line(Row(i * 0.1, "machine", f"90{i % 128:02x}40")))
    export([path], tmp_path / "first.mid")  # what is imported on the way counts for nothing
    tracemalloc.start()
    try:
        export([path], tmp_path / "long.mid")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(track(tmp_path / "long.mid", "machine")) == 6_000
    assert peak < 300_000  # as messages they would take ten times as much


def test_what_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: mido.MidiFile, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    files = record(tmp_path / "recordings", DUET)
    out = tmp_path / "out" / "jam.mid"
    out.parent.mkdir()
    out.write_bytes(b"old")
    monkeypatch.setattr(mido.MidiFile, "save", fail)
    with pytest.raises(RecordError, match=r"cannot record to .*jam\.mid: No space left on device"):
        export(files, out)
    assert out.read_bytes() == b"old"
    assert list(out.parent.iterdir()) == [out]


def test_a_recording_that_has_gone_is_said_and_leaves_the_old_file(tmp_path: Path) -> None:
    out = tmp_path / "jam.mid"
    out.write_bytes(b"old")
    with pytest.raises(RecordError, match=r"cannot read .*gone\.jsonl: No such file"):
        export([tmp_path / "gone.jsonl"], out)
    with pytest.raises(RecordError, match=r"cannot read .*gone\.jsonl: No such file"):
        draw(tmp_path / "gone.jsonl", tmp_path / "gone.svg")
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_the_format_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.jsonl"
    path.write_bytes(line(Row(0.0, "start", {"format": 2})) + line(Row(0.0, PARAMS, {"mode": "duet"})))
    for use in (lambda: inspect(path), lambda: export([path], tmp_path / "later.mid")):
        with pytest.raises(
            RecordError, match="a recording in format 2, this liveperf reads 1; use version a later"
        ):
            use()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing/jam.mid", "No such file or directory"),
        pytest.param(
            "file/jam.mid",
            "Not a directory",
            marks=pytest.mark.skipif(os.name == "nt", reason="Windows says it in other words"),
        ),
        ("", "it is a folder"),
    ],
)
def test_what_cannot_be_written_is_said_at_once(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError) as refused:
        check(tmp_path / name)
    assert str(refused.value) == f"cannot record to {tmp_path / name}: {why}"


def test_looking_whether_it_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    check(tmp_path / "jam.mid")
    assert not list(tmp_path.iterdir())


def test_one_that_cannot_be_read_does_not_hide_that_another_was_cut_off(tmp_path: Path) -> None:
    record(tmp_path, DUET, ended=False)
    (tmp_path / "2027-01-01T00-00-00Z.jsonl").mkdir()
    (tmp_path / "2027-01-02T00-00-00Z.jsonl").write_bytes(line(Row(0.0, "start", {"format": 2})))
    assert recordings.cut_off(tmp_path, "liveperf")
    record(tmp_path, DUET, hours=1)
    assert not recordings.cut_off(tmp_path, "liveperf")


def test_the_recordings_are_in_order_of_time(tmp_path: Path) -> None:
    for hours in (30, 1, 5):
        record(tmp_path, DUET, hours=hours)
    (tmp_path / "notes.txt").touch()
    names = ["2026-03-01T13-00-01Z", "2026-03-01T17-00-01Z", "2026-03-02T18-00-01Z"]
    assert [path.stem for path in paths(tmp_path)] == names
    assert paths(tmp_path / "nowhere") == []


def test_a_recording_is_found_by_its_name_a_beginning_or_as_the_last(tmp_path: Path) -> None:
    for hours in (1, 5, 30):
        record(tmp_path, DUET, hours=hours)
    first, second, third = paths(tmp_path)
    assert find(tmp_path, first.stem) == first
    assert find(tmp_path, "2026-03-01T17") == second
    assert find(tmp_path, "last") == third
    again = first.with_name(f"{first.stem}.02.jsonl")
    again.write_bytes(first.read_bytes())
    assert find(tmp_path, first.stem) == first  # though it is a beginning of another's, too


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("2025", "no recording begins with '2025'; the last is '2026-03-01T17-00-01Z'"),
        (
            "2026",
            "2 recordings begin with '2026', from '2026-03-01T13-00-01Z' to '2026-03-01T17-00-01Z'; "
            "give more of the name",
        ),
    ],
)
def test_what_cannot_be_found_is_said(name: str, why: str, tmp_path: Path) -> None:
    for hours in (1, 5):
        record(tmp_path, DUET, hours=hours)
    with pytest.raises(RecordError) as refused:
        find(tmp_path, name)
    assert str(refused.value) == why


def test_before_anything_is_played_there_is_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="there are no recordings in .*nowhere yet; they are made as you play"):
        find(tmp_path / "nowhere", "last")


def test_a_recording_is_removed(tmp_path: Path) -> None:
    (path,) = record(tmp_path, DUET)
    remove(path)
    assert paths(tmp_path) == []
    with pytest.raises(RecordError, match=r"cannot remove .*Z\.jsonl: No such file"):
        remove(path)


@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_recording_is_drawn(tmp_path: Path, thumbnail: bool) -> None:
    (path,) = record(tmp_path / "recordings", DUET)
    out = tmp_path / "jam.svg"
    draw(path, out, thumbnail)
    text = out.read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert text.count("h") and (path.stem in text) is not thumbnail
    assert sorted(one.name for one in tmp_path.iterdir()) == ["jam.svg", "recordings"]
    with pytest.raises(RecordError, match="cannot draw to .*missing"):
        draw(path, tmp_path / "missing" / "jam.svg")
