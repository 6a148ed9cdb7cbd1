"""The recordings as pages have them."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import mido
import pytest

from liveperf.panel import shelf as shelves
from liveperf.panel.shelf import Shelf
from liveperf.recording import recordings
from liveperf.recording.journalfile import SUFFIX, RecordError, Row, line
from liveperf.recording.recordings import Recording
from liveperf.voices import Owner
from tests.messages import bend, off, on, pedal
from tests.recordings import record

HUMAN, MACHINE = Owner.HUMAN, Owner.MACHINE
PLAYED = [
    (0.0, HUMAN, on(60, 80)),
    (0.5, MACHINE, on(64, 70, channel=1)),
    (0.75, HUMAN, pedal(127)),
    (1.0, HUMAN, on(60, 0)),
    (2.5, MACHINE, off(64, channel=1)),
]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    record(tmp_path, PLAYED)
    record(tmp_path, PLAYED[:1], hours=1, ended=False)
    record(tmp_path, PLAYED[2:3], hours=2)  # a foot that was put down
    return Shelf(tmp_path)


def test_the_list_has_the_newest_first_and_none_without_notes(shelf: Shelf) -> None:
    newer, older = shelf.listed()
    assert older == {
        "start": "2026-03-01T12:00:00+00:00",
        "name": "2026-03-01T12-00-00Z",
        "seconds": 2.5,
        "human": 1,
        "machine": 1,
        "model": "maestro",
        "size": (shelf.folder / f"2026-03-01T12-00-00Z{SUFFIX}").stat().st_size,
        "finished": True,
        "written": False,
    }
    assert (newer["name"], newer["finished"]) == ("2026-03-01T13-00-00Z", False)
    assert shelf.listed() == [newer, older]


def test_only_the_file_that_is_written_is_called_so(shelf: Shelf) -> None:
    finished, cut_off, *_ = recordings.paths(shelf.folder)
    written: list[Path] = []
    shelf = Shelf(shelf.folder, lambda: written)
    for path, wanted in ((None, []), (cut_off, [cut_off.stem]), (finished, [])):
        written[:] = [path] if path else []
        assert [one["name"] for one in shelf.listed() if one["written"]] == wanted


def test_what_has_not_changed_is_read_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shelf.listed()
    read, whole = list[str](), recordings.inspect

    def inspect(path: Path) -> Recording:
        read.append(path.stem)
        return whole(path)

    monkeypatch.setattr(recordings, "inspect", inspect)
    assert shelf.listed() == before
    assert read == []  # nor the one that was cut off
    grown = shelf.find("2026-03-01T13-00-00Z")
    assert grown is not None
    with grown.open("ab") as file:
        file.write(line(Row(7.0, "machine", on(64, 70).bin().hex())))
    after = shelf.listed()
    assert read == [grown.stem]
    assert (after[0]["seconds"], after[0]["machine"]) == (7.0, before[0]["machine"] + 1)
    os.utime(grown, (0, 0))  # another of the same size
    shelf.listed()
    assert read == [grown.stem] * 2


def test_a_picture_needs_one_reading_and_what_is_known_none(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shelf.find("2026-03-01T13-00-00Z")
    assert path is not None
    read, opened = list[str](), Path.open

    def count(path: Path, *arguments: Any, **options: Any) -> Any:
        read.append(path.stem)
        return opened(path, *arguments, **options)

    assert not shelf.finished(path)
    monkeypatch.setattr(Path, "open", count)
    shelf.picture(path, large=True)
    assert read == [path.stem]
    assert not shelf.finished(path)  # it has not changed
    assert read == [path.stem]


def test_a_midi_file_is_made_without_a_disk(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("mkdtemp", "mkstemp"):
        monkeypatch.setattr(f"tempfile.{name}", full)
    path = shelf.find("2026-03-01T12-00-00Z")
    assert path is not None and shelf.midi(path).startswith(b"MThd")


def test_a_long_list_is_cut(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "MOST", 1)
    assert [one["name"] for one in shelf.listed()] == ["2026-03-01T13-00-00Z"]


def test_damaged_files_keep_nobody_from_the_others(shelf: Shelf) -> None:
    (shelf.folder / f"2027{SUFFIX}").write_bytes(b"\0\xff{")
    (shelf.folder / f"2028{SUFFIX}").mkdir()
    assert len(shelf.listed()) == 2


@pytest.mark.parametrize("name", ["", "last", "2026", "../x", "2026-03-01T12-00-00Z.jsonl", "/etc/passwd", "a\0b"])
def test_only_a_whole_name_is_found(shelf: Shelf, name: str) -> None:
    assert shelf.find(name) is None


def test_a_recording_is_a_midi_file_a_picture_and_notes(shelf: Shelf) -> None:
    path = shelf.find("2026-03-01T12-00-00Z")
    assert path is not None and shelf.finished(path)
    file = mido.MidiFile(file=io.BytesIO(shelf.midi(path)))
    assert [track.name for track in file.tracks] == ["human", "machine"]
    assert [one.note for track in file.tracks for one in track if one.type == "note_on" and one.velocity] == [
        60,
        64,
    ]
    small, large = (shelf.picture(path, large) for large in (False, True))
    assert small.startswith(b"<svg") and large.startswith(b"<svg") and len(large) > len(small)
    assert json.loads(shelf.notes(path)) == [
        [0.0, "human", 1, 60, 80],
        [0.5, "machine", 2, 64, 70],
        [0.75, "human", 1, None, 127],
        [1.0, "human", 1, 60, 0],
        [2.5, "machine", 2, 64, 0],
    ]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 1000])
def test_many_notes_are_one_list(tmp_path: Path, count: int) -> None:
    record(tmp_path, [(0.0, HUMAN, bend(0))])
    shelf = Shelf(tmp_path)
    (path,) = tmp_path.iterdir()
    rows = [(number / 4, "human", 1, number % 128, 1) for number in range(count)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelves, "_notes", lambda _: iter(rows))
        assert json.loads(shelf.notes(path)) == [list(row) for row in rows]


def test_what_is_removed_is_gone_and_counted(shelf: Shelf) -> None:
    path = shelf.find("2026-03-01T12-00-00Z")
    assert path is not None
    shelf.remove(path)
    assert shelf.find(path.stem) is None and shelf.changes == 1
    with pytest.raises(RecordError, match="cannot remove"):
        shelf.remove(path)
    assert shelf.changes == 1


def test_no_folder_is_no_recording(tmp_path: Path) -> None:
    assert Shelf(tmp_path / "none").listed() == []
