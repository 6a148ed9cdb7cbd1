"""MIDI files for the tests of `prepare`, well made and not."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import mido

from liveperf.codec import Notes, notes_array
from liveperf.midifile import note_messages, write_messages

Messages = Sequence[mido.Message | mido.MetaMessage]


def scale(root: int, length: int) -> Notes:
    """So many notes, one after the other."""
    return notes_array([(i * 0.2, i * 0.2 + 0.16, root + i % 12, 40 + i) for i in range(length)])


def write_scales(folder: Path, lengths: Sequence[int]) -> list[str]:
    """Scales of so many notes each, the i-th on 40 + i; their names in order."""
    (folder / "sub").mkdir(parents=True)
    names = [f"sub/{i:02}.{'midi' if i % 2 else 'MID'}" for i in range(len(lengths))]
    for i, (name, length) in enumerate(zip(names, lengths, strict=True)):
        write_messages(folder / name, {"piano": note_messages(scale(40 + i, length))})
    return names


def write_table(folder: Path, rows: Sequence[tuple[str, str]], name: str = "corpus-v1.csv") -> None:
    """A CSV like MAESTRO's, of (file, split)."""
    with open(folder / name, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(["canonical_composer", "split", "midi_filename", "duration"])
        table.writerows([["Frédéric, somebody", split, name, "1.0"] for name, split in rows])


def on(pitch: int, time: int = 0, velocity: int = 64, channel: int = 0) -> mido.Message:
    """A note starts, so many ticks later."""
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    """A note ends."""
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def pedal(value: int, time: int = 0, channel: int = 0) -> mido.Message:
    """The sustain pedal moves."""
    return mido.Message("control_change", control=64, value=value, time=time, channel=channel)


def midi_bytes(kind: int, *tracks: Messages, division: int = 480) -> bytes:
    """A file of this type."""
    file = mido.MidiFile(type=kind, ticks_per_beat=division)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def raw_bytes(events: bytes, division: int = 480, tracks: int = 1) -> bytes:
    """A file of equal tracks, byte by byte; each is ended."""
    events += b"\0\xff\x2f\0"
    head = b"MThd\0\0\0\6\0\1" + tracks.to_bytes(2, "big") + division.to_bytes(2, "big")
    return head + tracks * (b"MTrk" + len(events).to_bytes(4, "big") + events)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, byte for byte."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
