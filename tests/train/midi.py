"""MIDI files for the tests of `prepare`, well made and not."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from liveperf.codec import Notes, notes_array
from liveperf.midifile import note_messages, write_messages


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


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, byte for byte."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
