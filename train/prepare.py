"""A corpus of MIDI files -> shards of event indices.

OUT holds `SPLIT-NNN.npy` (uint16, pieces end to end, memory-mappable) and `corpus.json`: the vocabulary, and for
each piece its file, split, shard, start and length; for each file passed over its reason.
"""

from __future__ import annotations

import csv
import multiprocessing
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray
from rich.progress import track

from liveperf.codec import NOTE, Notes, apply_sustain, encode, notes_array
from liveperf.events import Vocabulary
from liveperf.midifile import MidiFileError, from_start, read_notes
from train.corpus import SPLITS, Corpus, Piece, digest, shard_name, write_index

__all__ = ["SPLITS", "Corpus", "prepare"]

SHARD_EVENTS = 8_000_000


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
    numbers = {split: i for i, split in enumerate(SPLITS)}
    lengths: dict[str, int] = defaultdict(int)
    entries: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    digests: list[str] = []
    out.mkdir(parents=True, exist_ok=True)

    def flush(split: str) -> None:
        (out / shard_name(numbers[split])).write_bytes(np.concatenate(shards.pop(split)).tobytes())

    jobs = [(corpus / file, vocabulary) for file, _ in pieces]
    with multiprocessing.Pool() as pool:
        results = track(pool.imap(_encode_file, jobs, chunksize=4), "preparing", len(jobs))
        for (file, split), events in zip(pieces, results, strict=True):
            if isinstance(events, str):
                skipped.append({"file": file, "reason": events})
                continue
            place = {"shard": numbers[split], "start": lengths[split], "length": len(events)}
            entries.append({"file": file, "split": split, **place})
            digests.append(digest(events))
            shards[split].append(events)
            lengths[split] += len(events)
    if not entries:
        raise ValueError(f"{corpus}: no MIDI file with notes in it ({len(skipped)} skipped)")
    for split in list(shards):
        flush(split)
    write_index(out, vocabulary, 0, [Piece(**e) for e in entries], digests)
    return {split: sum(e["length"] for e in entries if e["split"] == split) for split in SPLITS}
