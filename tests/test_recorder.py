"""Recordings: two tracks, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from liveperf.recorder import Recorder, RecordError
from liveperf.voices import Owner


def on(pitch: int) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=64)


def track(path: Path, name: str) -> list[tuple[int, mido.Message]]:
    """(ms, message) of the track of a name."""
    rows, now = [], 0
    for message in next(one for one in mido.MidiFile(path).tracks if one.name == name):
        now += message.time
        if not message.is_meta:
            rows.append((now, message.copy(time=0)))
    return rows


def test_two_tracks_from_the_start_on_in_order(tmp_path: Path) -> None:
    recording = Recorder(tmp_path / "jam.mid")
    recording.add(101.5, Owner.MACHINE, on(72))
    recording.add(101.0, Owner.HUMAN, on(60))
    recording.add(99.0, Owner.HUMAN, on(59))  # before the start
    recording.add(101.25, Owner.HUMAN, mido.Message("pitchwheel", pitch=100))
    recording.save(100.0)
    path = tmp_path / "jam.mid"
    assert mido.MidiFile(path).type == 1
    assert track(path, "human") == [
        (0, on(59)),
        (1000, on(60)),
        (1250, mido.Message("pitchwheel", pitch=100)),
    ]
    assert track(path, "machine") == [(1500, on(72))]
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_played_is_a_file_too(tmp_path: Path) -> None:
    Recorder(tmp_path / "silence.mid").save(0.0)
    assert [one.name for one in mido.MidiFile(tmp_path / "silence.mid").tracks] == ["human", "machine"]


@pytest.mark.parametrize("kind", ["start", "stop", "continue", "songpos", "quarter_frame", "reset"])
def test_a_sequencer_s_transport_does_not_spoil_it(kind: str, tmp_path: Path) -> None:
    recording = Recorder(tmp_path / "jam.mid")
    recording.add(0.0, Owner.HUMAN, mido.Message(kind))
    recording.add(1.0, Owner.HUMAN, on(60))
    recording.save(0.0)
    assert track(tmp_path / "jam.mid", "human") == [(1000, on(60))]


def test_looking_whether_it_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    Recorder(tmp_path / "jam.mid")
    assert not list(tmp_path.iterdir())


def test_what_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: mido.MidiFile, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "jam.mid"
    path.write_bytes(b"old")
    recording = Recorder(path)
    monkeypatch.setattr(mido.MidiFile, "save", fail)
    with pytest.raises(RecordError, match=r"cannot record to .*jam\.mid: No space left on device"):
        recording.save(0.0)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing/jam.mid", "No such file or directory"),
        ("file/jam.mid", "Not a directory"),
        ("", "it is a folder"),
    ],
)
def test_what_cannot_be_written_is_said_at_once(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError) as refused:
        Recorder(tmp_path / name)
    assert str(refused.value) == f"cannot record to {tmp_path / name}: {why}"
