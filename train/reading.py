"""One MIDI file -> events: fast, and on its guard against files that are broken, absurd or hostile."""

from __future__ import annotations

import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from liveperf.codec import NOTE, Notes, apply_sustain, encode, notes_array
from liveperf.events import Vocabulary
from liveperf.midifile import MidiFileError, from_start, read_notes
from train.corpus import EVENT, digest

LARGEST_FILE = 64 << 20  # bytes
LARGEST_FOR_OURS = 2 << 20  # bytes: our own reader takes 0.4 us and 20 bytes of memory for each
MOST_TRACKS = 1024  # symusic makes 16 of each
LONGEST_H = 24  # of music: a glitch of one tick value can put a note years away
LONGEST_S = 300.0  # of our own time


@dataclass(frozen=True)
class Encoded:
    """A file's events, as they were written: how many, and their `corpus.digest`."""

    length: int
    digest: str


def encode_file(path: Path, vocabulary: Vocabulary, out: Path) -> Encoded | str:
    """Write the events of a MIDI file to `out`; returns what was written, or the reason why nothing was.

    For the main thread of a process that may die: SIGALRM ends it where a file takes too long. Raises OSError if
    `out` cannot be written.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        events = encode(read_performance(path), vocabulary).astype(EVENT)
    except MidiFileError as error:
        return str(error).removeprefix(f"{path}: ")[:1000]
    except OSError as error:
        return (error.strerror or str(error))[:1000]
    except Exception as error:  # what a parser trips over is the file's fault
        return f"cannot be read ({type(error).__name__}: {error})"[:1000]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    with open(out, "wb") as file:
        file.write(events.data)
    return Encoded(len(events), digest(events))


def read_performance(path: Path) -> Notes:
    """The notes of a file, the first at 0; MidiFileError if it is not music that one could have played."""
    notes = from_start(read_notes_fast(path))
    hours = notes["end"].max() / 3600
    if not hours <= LONGEST_H:
        raise MidiFileError(f"{path}: lasts {hours:.0f} hours, more than {LONGEST_H}")
    return notes


def read_notes_fast(path: Path) -> Notes:
    """As `midifile.read_notes`, several times faster; times are float32, notes that never end are left out."""
    if not stat.S_ISREG(path.stat().st_mode):  # to open a FIFO would wait for ever
        raise MidiFileError(f"{path}: not a regular file")
    with open(path, "rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise MidiFileError(f"{path}: larger than {LARGEST_FILE >> 20} MiB")
    kind, tracks, division = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10, 12))
    if data[:4] != b"MThd" or kind > 1 or not 0 < division < 0x8000:
        return _read_slowly(path, data, "not a MIDI file of type 0 or 1 with time in ticks a beat")
    if tracks > MOST_TRACKS:
        raise MidiFileError(f"{path}: {tracks} tracks, more than {MOST_TRACKS}")
    try:
        score: Any = symusic.Score.from_midi(_with_silent_notes(data, tracks), ttype="second")
    except Exception as error:  # symusic raises bare RuntimeErrors; ours says what is wrong
        return _read_slowly(path, data, f"a damaged MIDI file ({error})")
    parts = [one for one in score.tracks if not one.is_drum]
    columns = [one.notes.numpy() for one in parts]
    notes = np.zeros(sum(len(one["time"]) for one in columns), NOTE)
    if len(notes):
        notes["start"] = np.concatenate([one["time"] for one in columns])
        notes["end"] = notes["start"] + np.concatenate([one["duration"] for one in columns])
        notes["pitch"] = np.concatenate([one["pitch"] for one in columns])
        notes["velocity"] = np.concatenate([one["velocity"] for one in columns])
    notes = notes[(notes["pitch"] > 0) | (notes["end"] > 0)]
    if not len(notes):
        return _read_slowly(path, data, "no notes in it")
    if notes["end"].min() <= 0:  # symusic counts ticks in 32 bits, and where they overflow puts notes at 0
        return _read_slowly(path, data, "its time outgrows 32 bits")
    pedals = [one.controls.numpy() for one in parts]
    is_pedal = np.concatenate([one["number"] for one in pedals]) == 64
    times = np.concatenate([one["time"] for one in pedals])[is_pedal]
    values = np.concatenate([one["value"] for one in pedals])[is_pedal]
    order = np.argsort(times, kind="stable")
    return apply_sustain(notes_array(notes), times[order], values[order])


def _read_slowly(path: Path, data: bytes, reason: str) -> Notes:
    """What our own reader makes of a file that symusic does not; MidiFileError with its reason, or symusic's."""
    if len(data) > LARGEST_FOR_OURS:
        raise MidiFileError(f"{path}: {reason}")
    return read_notes(path)


def _with_silent_notes(data: bytes, tracks: int) -> bytes:
    """A MIDI file with a silent note (of pitch 0, ends as it starts) first on each channel that has controls.

    symusic drops the control changes of a channel without notes, and the sustain pedal with them. Raises
    ValueError if there are fewer tracks than `tracks`, or the last is cut short.
    """
    at = 8 + int.from_bytes(data[4:8], "big")
    parts = [data[:at]]
    while at < len(data) and tracks:
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        content = data[at + 8 : at + 8 + length]
        silent = b""
        if kind == b"MTrk":
            tracks -= 1
            channels = (channel for channel in range(16) if 0xB0 | channel in content)
            silent = b"".join(bytes((0, 0x90 | one, 0, 1, 0, 0x80 | one, 0, 0)) for one in channels)
        parts += [kind, (len(silent) + length).to_bytes(4, "big"), silent, content]
        at += 8 + length
    if tracks or at > len(data):
        raise ValueError("cut short")
    return b"".join(parts)
