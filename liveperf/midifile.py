"""Standard MIDI files <-> notes and messages. They are written by mido."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import mido
import numpy as np

from liveperf import smf
from liveperf.codec import NOTE, Notes, apply_sustain, notes_array
from liveperf.errors import LiveperfError
from liveperf.files import replacing
from liveperf.voices import PEDAL

DRUM_CHANNEL = 9
TICKS_PER_SECOND = 1000  # written files: 500 ticks a beat at 120 beats a minute, so that a tick is 1 ms


LARGEST_BYTES = 8 << 20  # twenty times the longest of MAESTRO
LONGEST_S = 100 * 3600.0  # what claims to last longer is damaged, and would make billions of events


class MidiFileError(LiveperfError):
    """A file that is not music we can read; the message says why, and names it if it has a name."""


def read_notes(path: Path) -> Notes:
    """All notes of a file, tracks merged, drums left out, sustain applied; MidiFileError if there are none."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise MidiFileError(f"over {LARGEST_BYTES >> 20} MiB, which is no music")
        return notes_in(path.read_bytes())
    except MidiFileError as error:
        raise MidiFileError(f"{path}: {error}") from error
    except OSError as error:
        raise MidiFileError(f"{path}: {error.strerror or error}") from error


def notes_in(data: bytes) -> Notes:
    """As `read_notes`, of a file's bytes. 0.4 us for each of them, and 20 bytes of memory.

    It is the interpreter that works, so that another thread may play meanwhile.
    """
    try:
        notes = _notes(smf.messages(data))
    except smf.SmfError as error:
        raise MidiFileError(str(error)) from error
    if not len(notes):
        raise MidiFileError("no notes in it")
    if notes["end"].max() > LONGEST_S:
        raise MidiFileError(f"it lasts {notes['end'].max() / 3600:.0f} hours; its times are damaged")
    return notes


def notes_of(times: Sequence[float], messages: bytes | bytearray) -> Notes:
    """The notes of messages of three bytes each, at these times (s), in whatever order.

    Drums are left out, sustain is applied, and what was not ended ends with the last message.
    """
    order = np.argsort(np.asarray(times, np.float64), kind="stable")
    columns = np.frombuffer(messages, np.uint8).reshape(-1, 3)[order].T.tolist()
    return _notes(zip(np.asarray(times, np.float64)[order].tolist(), *columns, strict=True))


def _notes(messages: Iterable[tuple[float, int, int, int]]) -> Notes:
    """The notes of (seconds, status, data, data), ascending in time; else as `notes_of`."""
    starts, ends, pitches, velocities = array("d"), array("d"), array("B"), array("B")
    times, values = array("d"), array("B")  # of the pedal
    waiting: dict[tuple[int, int], deque[int]] = defaultdict(deque)  # the notes of a key that are not ended
    time = 0.0
    for time, status, one, two in messages:
        kind, channel = status & 0xF0, status & 0x0F
        if channel == DRUM_CHANNEL:
            continue
        if kind == smf.NOTE_ON and two > 0:
            waiting[channel, one].append(len(starts))
            starts.append(time)
            ends.append(np.nan)
            pitches.append(one)
            velocities.append(two)
        elif kind in (smf.NOTE_ON, smf.NOTE_OFF):
            if waiting[channel, one]:
                ends[waiting[channel, one].popleft()] = time
        elif kind == smf.CONTROL and one == PEDAL:
            times.append(time)
            values.append(two)
    notes = np.zeros(len(starts), NOTE)
    for name, column in (("start", starts), ("end", ends), ("pitch", pitches), ("velocity", velocities)):
        notes[name] = column
    notes["end"][np.isnan(notes["end"])] = time
    return apply_sustain(notes_array(notes), times, values)


def write_messages(out: Path | BinaryIO, tracks: Mapping[str, Iterable[tuple[float, mido.Message]]]) -> None:
    """Write named tracks of (seconds, message), ascending in time: of a file all or none. Raises OSError.

    A track is asked for its messages one by one, and one track after the other.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_SECOND // 2, charset="utf-8")
    file.tracks += [_ticks(name, messages) for name, messages in tracks.items()]
    if isinstance(out, Path):
        with replacing(out) as part:
            file.save(part)
    else:
        file.save(file=out)


def _ticks(name: str, messages: Iterable[tuple[float, mido.Message]]) -> Iterator[mido.Message]:
    yield mido.MetaMessage("track_name", name=name)
    now = 0
    for seconds, message in messages:
        tick = max(now, round(seconds * TICKS_PER_SECOND))
        yield message.copy(time=tick - now)
        now = tick


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
