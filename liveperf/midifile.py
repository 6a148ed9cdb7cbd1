"""Standard MIDI files <-> notes and messages. Files are read and written by mido."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np

from liveperf.codec import Notes, apply_sustain, notes_array

DRUM_CHANNEL = 9
TICKS_PER_SECOND = 1000  # written files: 500 ticks a beat at 120 beats a minute, so that a tick is 1 ms


class MidiFileError(Exception):
    """A file that is not music we can read; the message names it and says why."""


def read_notes(path: Path) -> Notes:
    """All notes of a file, tracks merged, drums left out, sustain applied; MidiFileError if there are none."""
    messages = _read_messages(path)
    rows: list[tuple[float, float, int, int]] = []
    open_notes: dict[tuple[int, int], deque[tuple[float, int]]] = defaultdict(deque)
    pedal: list[tuple[float, int]] = []
    time = 0.0
    for message in messages:
        time += message.time
        if message.is_meta or getattr(message, "channel", DRUM_CHANNEL) == DRUM_CHANNEL:
            continue
        if message.type == "note_on" and message.velocity > 0:
            open_notes[message.channel, message.note].append((time, message.velocity))
        elif message.type in ("note_on", "note_off"):
            waiting = open_notes[message.channel, message.note]
            if waiting:
                start, velocity = waiting.popleft()
                rows.append((start, time, message.note, velocity))
        elif message.type == "control_change" and message.control == 64:
            pedal.append((time, message.value))
    for (_, pitch), waiting in open_notes.items():
        rows.extend((start, time, pitch, velocity) for start, velocity in waiting)
    if not rows:
        raise MidiFileError(f"{path}: no notes in it")
    times, values = (list(column) for column in zip(*pedal, strict=True)) if pedal else ([], [])
    return apply_sustain(notes_array(rows), times, values)


def _read_messages(path: Path) -> Iterable[mido.Message]:
    """Messages in order, `time` in seconds since the one before."""
    try:
        file = mido.MidiFile(path, clip=True)
        if file.type not in (0, 1):
            raise MidiFileError(f"{path}: a type {file.type} file (separate patterns); save it as type 0 or 1")
        if file.ticks_per_beat <= 0:
            raise MidiFileError(f"{path}: its time is not in ticks a beat (SMPTE); save it with beats")
        return list(file)
    except MidiFileError:
        raise
    except OSError as error:
        if error.strerror:
            raise MidiFileError(f"{path}: {error.strerror}") from error
        raise MidiFileError(f"{path}: not a MIDI file ({error})") from error
    except EOFError as error:
        raise MidiFileError(f"{path}: not a MIDI file, or cut short") from error
    except Exception as error:  # mido raises what its parser trips over
        raise MidiFileError(f"{path}: a damaged MIDI file ({error})") from error


def write_messages(path: Path, tracks: dict[str, list[tuple[float, mido.Message]]]) -> None:
    """Write named tracks of (seconds, message), ascending in time: all of the file or none. Raises OSError."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_SECOND // 2)
    for name, messages in tracks.items():
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        now = 0
        for seconds, message in messages:
            tick = max(now, round(seconds * TICKS_PER_SECOND))
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    part = part_of(path)
    try:
        file.save(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def note_messages(notes: Notes, channel: int = 0) -> list[tuple[float, mido.Message]]:
    """(seconds, message) of notes in order; at one time note-offs come first."""
    timed = [
        (float(note["end"]), 0, mido.Message("note_off", channel=channel, note=int(note["pitch"])))
        for note in notes
    ] + [
        (
            float(note["start"]),
            1,
            mido.Message("note_on", channel=channel, note=int(note["pitch"]), velocity=int(note["velocity"])),
        )
        for note in notes
    ]
    return [(time, message) for time, _, message in sorted(timed, key=lambda row: row[:2])]


def from_start(notes: Notes) -> Notes:
    """The notes moved so that the first starts at 0."""
    moved = notes.copy()
    if len(moved):
        first = np.min(moved["start"])
        moved["start"] -= first
        moved["end"] -= first
    return moved
