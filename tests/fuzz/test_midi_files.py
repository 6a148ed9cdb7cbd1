"""Damaged MIDI files: each gives notes or one line that says why not, in bounded time and memory."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from liveperf.codec import encode
from liveperf.events import OORE
from liveperf.midifile import MidiFileError, from_start, note_messages, read_notes, write_messages
from tests.fuzz.tools import counts, damaged, times
from tests.midifiles import musical

HEADER = b"MThd\0\0\0\x06\0\1\0\1\1\xe0"
NOTE = b"\0\x90\x3c\x40\x60\x80\x3c\x40"
END = b"\0\xff\x2f\0"
LONGEST = b"\xff\xff\xff\x7f"  # the largest number that four bytes may be


def track(data: bytes, length: int | None = None) -> bytes:
    """A track; length: what it claims to have."""
    return b"MTrk" + struct.pack(">I", len(data) if length is None else length) + data


def read(path: Path, content: bytes) -> bool:
    """Whether there are notes in it; anything but that and MidiFileError fails."""
    path.write_bytes(content)
    try:
        notes = read_notes(path)
    except MidiFileError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return False
    assert np.isfinite(notes["start"]).all() and np.isfinite(notes["end"]).all()
    assert np.all(notes["start"] >= 0) and np.all(notes["end"] >= notes["start"])
    assert np.all((notes["velocity"] >= 1) & (notes["velocity"] <= 127) & (notes["pitch"] < 128))
    return True


@pytest.mark.parametrize("make", ["noise", "damage"])
def test_damaged_files(make: str, tmp_path: Path) -> None:
    dice = random.Random(7)
    number, readable = times(2500), 0
    for _ in range(number):
        content = damaged(musical(dice), dice) if make == "damage" else dice.randbytes(dice.randrange(200))
        if make == "noise" and dice.random() < 0.8:
            content = HEADER + track(content)
        readable += read(tmp_path / "some.mid", content)
    assert readable
    counts["MIDI files"] += number
    counts["of them readable"] += readable


CROOKED: dict[str, Callable[[], bytes]] = {
    "a track that claims 4 GB": lambda: HEADER + track(NOTE + END, 0xFFFFFFFF),
    "a track that claims too little": lambda: HEADER + track(NOTE + END, 3),
    "a track of no length": lambda: HEADER + track(NOTE + END, 0),
    "a text that claims 256 MB": lambda: HEADER + track(b"\0\xff\x01" + LONGEST + b"hi"),
    "a SysEx that claims 256 MB": lambda: HEADER + track(b"\0\xf0" + LONGEST + b"\1\2"),
    "a number that never ends": lambda: HEADER + track(b"\xff" * 5000 + NOTE + END),
    "65,535 tracks of which none is there": lambda: HEADER[:10] + b"\xff\xff\1\xe0",
    "a thousand tracks": lambda: HEADER[:10] + struct.pack(">HH", 1000, 480) + track(NOTE + END) * 1000,
    "a header that claims 4 GB": lambda: b"MThd\xff\xff\xff\xff" + HEADER[8:] + track(NOTE + END),
    "running status before any": lambda: HEADER + track(b"\0\x3c\x40" + END),
    "a real-time byte in a track": lambda: HEADER + track(b"\0\xf8" + NOTE + END),
    "an escape": lambda: HEADER + track(b"\0\xf7\2\1\2" + NOTE + END),
    "data after the end": lambda: HEADER + track(NOTE + END) + b"\0" * 1000,
    "50,000 notes that are never ended": lambda: HEADER + track(b"\0\x90\x3c\x40" + b"\0\x3c\x40" * 50_000 + END),
    "a tempo of nothing": lambda: HEADER + track(b"\0\xff\x51\3\0\0\0" + NOTE + END),
    "texts that are no text": lambda: HEADER + track(b"\0\xff\3\4\xff\xfe\x80\x81" + NOTE + END),
    "a SMPTE offset of nonsense": lambda: HEADER + track(b"\0\xff\x54\5\xff\xff\xff\xff\xff" + NOTE + END),
}


@pytest.mark.parametrize("make", list(CROOKED.values()), ids=list(CROOKED))
def test_crooked_files(make: Callable[[], bytes], tmp_path: Path) -> None:
    content = make()
    tracemalloc.start()
    try:
        read(tmp_path / "some.mid", content)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100e6
    counts["crooked MIDI files"] += 1


def paced(ticks_per_beat: int, data: bytes) -> bytes:
    """A file of one track."""
    return HEADER[:12] + struct.pack(">H", ticks_per_beat) + track(data)


SLOW = b"\0\xff\x51\3\xff\xff\xff"  # a beat takes 16 s
HUGE: dict[str, bytes] = {
    "a note of three days": paced(480, b"\0\x90\x3c\x40" + LONGEST + b"\x80\x3c\x40" + END),
    "a rest of a year": paced(480, NOTE + (LONGEST + b"\xb0\1\1") * 100 + NOTE + END),
    "a rest of a century": paced(1, SLOW + NOTE + LONGEST + NOTE[1:] + END),
    "a note of many centuries": paced(1, SLOW + NOTE[:4] + (LONGEST + b"\xb0\1\1") * 1000 + END),
}


@pytest.mark.parametrize("content", list(HUGE.values()), ids=list(HUGE))
def test_huge_times_cost_no_huge_memory(content: bytes, tmp_path: Path) -> None:
    """As `--prime` does it: notes, from their start, as events, 8 bytes for each second that passes."""
    path = tmp_path / "some.mid"
    counts["crooked MIDI files"] += 1
    if not read(path, content):
        return
    notes = from_start(read_notes(path))
    assert notes["end"].max() < 100 * 3600, "such a file is to be refused"
    tracemalloc.start()
    try:
        assert len(encode(notes, OORE))
        write_messages(tmp_path / "again.mid", {"again": note_messages(notes)})
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100e6
