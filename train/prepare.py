"""A corpus of MIDI files -> shards of event indices.

OUT holds `SPLIT-NNN.npy` (uint16, pieces end to end, memory-mappable) and `corpus.json`: the vocabulary, and for
each piece its file, split, shard, start and length; for each file passed over its reason.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import random
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray
from rich.progress import track

from liveperf.codec import NOTE, Notes, apply_sustain, encode, notes_array
from liveperf.events import Vocabulary
from liveperf.midifile import MidiFileError, from_start, read_notes

SHARD_EVENTS = 8_000_000
SPLITS = ("train", "validation", "test")


def find_pieces(corpus: Path, seed: int = 0) -> list[tuple[str, str]]:
    """(file relative to the corpus, split): from a MAESTRO-style CSV, or 80/10/10 by file, seeded."""
    for table in sorted(corpus.glob("*.csv")):
        with open(table, newline="", encoding="utf-8") as lines:
            rows = csv.DictReader(lines)
            if {"midi_filename", "split"} <= set(rows.fieldnames or ()):
                return [(row["midi_filename"], row["split"]) for row in rows]
    files = sorted(
        str(path.relative_to(corpus)) for path in corpus.rglob("*") if path.suffix.lower() in (".mid", ".midi")
    )
    random.Random(seed).shuffle(files)
    tenth = len(files) // 10
    return [
        (file, "test" if i < tenth else "validation" if i < 2 * tenth else "train") for i, file in enumerate(files)
    ]


def read_notes_fast(path: Path) -> Notes:
    """As `midifile.read_notes`, thirty times faster; times are float32, notes that never end are left out."""
    data = path.read_bytes()
    kind, _, division = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10, 12))
    if data[:4] != b"MThd" or kind > 1 or not 0 < division < 0x8000:
        return read_notes(path)
    try:
        score: Any = symusic.Score.from_midi(_with_silent_notes(data), ttype="second")
    except Exception:  # symusic raises bare RuntimeErrors; mido says what is wrong
        return read_notes(path)
    tracks = [one for one in score.tracks if not one.is_drum]
    if not tracks:
        return read_notes(path)
    columns = [one.notes.numpy() for one in tracks]
    notes = np.zeros(sum(len(one["time"]) for one in columns), NOTE)
    notes["start"] = np.concatenate([one["time"] for one in columns])
    notes["end"] = notes["start"] + np.concatenate([one["duration"] for one in columns])
    notes["pitch"] = np.concatenate([one["pitch"] for one in columns])
    notes["velocity"] = np.concatenate([one["velocity"] for one in columns])
    notes = notes[(notes["pitch"] > 0) | (notes["end"] > 0)]
    if not len(notes):
        return read_notes(path)
    pedal = [(control.time, control.value) for one in tracks for control in one.controls if control.number == 64]
    pedal.sort(key=lambda change: change[0])
    return apply_sustain(notes_array(notes), [time for time, _ in pedal], [value for _, value in pedal])


_SILENT_NOTES = bytes(byte for channel in range(16) for byte in (0, 0x90 | channel, 0, 1, 0, 0x80 | channel, 0, 0))
"""A note of pitch 0 that ends as it starts, on each channel."""


def _with_silent_notes(data: bytes) -> bytes:
    """A MIDI file with a silent note at the start of each track, on each channel.

    symusic drops the control changes of a channel without notes, and the sustain pedal with them.
    """
    at = 8 + int.from_bytes(data[4:8], "big")
    parts = [data[:at]]
    while at < len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        silent = _SILENT_NOTES if kind == b"MTrk" else b""
        parts += [kind, (length + len(silent)).to_bytes(4, "big"), silent, data[at + 8 : at + 8 + length]]
        at += 8 + length
    return b"".join(parts)


def _encode_file(job: tuple[Path, Vocabulary]) -> NDArray[np.uint16] | str:
    """The file's events, or why it has none."""
    path, vocabulary = job
    try:
        return encode(from_start(read_notes_fast(path)), vocabulary).astype(np.uint16)
    except (MidiFileError, OSError) as error:
        return str(error)


def prepare(corpus: Path, out: Path, vocabulary: Vocabulary) -> dict[str, int]:
    """Encode a corpus; returns the events of each split. ValueError if there is no music in it."""
    pieces = find_pieces(corpus)
    shards: dict[str, list[NDArray[np.uint16]]] = defaultdict(list)  # of each split, the one being filled
    numbers: dict[str, int] = defaultdict(int)
    lengths: dict[str, int] = defaultdict(int)
    entries: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    out.mkdir(parents=True, exist_ok=True)

    def flush(split: str) -> None:
        np.save(out / f"{split}-{numbers[split]:03}.npy", np.concatenate(shards.pop(split)))
        numbers[split] += 1
        lengths[split] = 0

    jobs = [(corpus / file, vocabulary) for file, _ in pieces]
    with multiprocessing.Pool() as pool:
        results = track(pool.imap(_encode_file, jobs, chunksize=4), "preparing", len(jobs))
        for (file, split), events in zip(pieces, results, strict=True):
            if isinstance(events, str):
                skipped.append({"file": file, "reason": events})
                continue
            if split in shards and lengths[split] + len(events) > SHARD_EVENTS:
                flush(split)
            place = {"shard": numbers[split], "start": lengths[split], "length": len(events)}
            entries.append({"file": file, "split": split, **place})
            shards[split].append(events)
            lengths[split] += len(events)
    if not entries:
        raise ValueError(f"{corpus}: no MIDI file with notes in it ({len(skipped)} skipped)")
    for split in list(shards):
        flush(split)
    index = {"vocabulary": asdict(vocabulary), "pieces": entries, "skipped": skipped}
    (out / "corpus.json").write_text(json.dumps(index, indent=1))
    return {split: sum(e["length"] for e in entries if e["split"] == split) for split in SPLITS}


class Corpus:
    """A prepared corpus: `pieces(split)` gives arrays [n] of event indices, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = json.loads((folder / "corpus.json").read_text())
        self.vocabulary = Vocabulary(**index["vocabulary"])
        self._entries = index["pieces"]
        self._shards: dict[str, NDArray[np.uint16]] = {}

    def pieces(self, split: str) -> list[NDArray[np.uint16]]:
        """The pieces of a split, in the order of the corpus."""
        return [self._piece(entry) for entry in self._entries if entry["split"] == split]

    def _piece(self, entry: dict[str, int | str]) -> NDArray[np.uint16]:
        name = f"{entry['split']}-{entry['shard']:03}.npy"
        if name not in self._shards:
            self._shards[name] = np.load(self.folder / name, mmap_mode="r")
        start = int(entry["start"])
        return self._shards[name][start : start + int(entry["length"])]
