"""A prepared corpus on disk: shards of event indices, and the index that says what lies where.

A folder holds `events-NNN.u16` (uint16, little endian, pieces end to end) and `corpus.json`: format, vocabulary,
the seed of the split, a hash of it all, and for each piece its file, split, shard, start and length in events.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liveperf.events import Vocabulary

FORMAT = 2
INDEX = "corpus.json"
SPLITS = ("train", "validation", "test")
EVENT = np.dtype("<u2")
"""An event index on disk."""


@dataclass(frozen=True)
class Piece:
    """A piece of a corpus: its `length` events lie in shard `shard`, from `start` on."""

    file: str  # relative to the corpus
    split: str
    shard: int
    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next piece of the shard would start, events."""
        return self.start + self.length


def shard_name(number: int) -> str:
    """The file of a shard (from 0)."""
    return f"events-{number:03}.u16"


def digest(events: NDArray[np.uint16]) -> str:
    """The sha256 of a piece's events [n] as they lie on disk, in hexadecimal."""
    return hashlib.sha256(events.astype(EVENT).tobytes()).hexdigest()


def write_index(
    folder: Path, vocabulary: Vocabulary, seed: int, pieces: Sequence[Piece], digests: Sequence[str]
) -> None:
    """Write `corpus.json`, all of it or none; digests: of each piece. Raises OSError.

    The hash is the sha256 of `[vocabulary, [[file, split, digest], ...]]` in JSON: of the music and its split.
    """
    content = [[piece.file, piece.split, one] for piece, one in zip(pieces, digests, strict=True)]
    values = {
        "format": FORMAT,
        "hash": hashlib.sha256(json.dumps([asdict(vocabulary), content]).encode()).hexdigest(),
        "vocabulary": asdict(vocabulary),
        "seed": seed,
    }
    rows = ",\n".join(json.dumps(asdict(piece)) for piece in pieces)
    text = f'{json.dumps(values, indent=1)[:-2]},\n "pieces": [\n{rows}\n ]\n}}\n'
    write_atomically(folder / INDEX, text)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file, all of it or none. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


class Corpus:
    """A prepared corpus: `pieces(split)` gives arrays [n] of event indices, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        """Raises ValueError where `folder` is no prepared corpus of this format; OSError."""
        self.folder = folder
        path = folder / INDEX
        again = "run bin/train prepare again"
        try:
            index = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise ValueError(f"{path}: No such file or directory; {again}") from None
        except ValueError as error:
            raise ValueError(f"{path}: not JSON ({error}); {again}") from error
        if not isinstance(index, dict) or index.get("format") != FORMAT:
            raise ValueError(f"{path}: not of format {FORMAT}, the only one read; {again}")
        try:
            self.vocabulary = Vocabulary(**index["vocabulary"])
            self._hash = str(index["hash"])
            self._pieces = [Piece(**piece) for piece in index["pieces"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: damaged ({error}); {again}") from error
        ends: dict[int, int] = {}
        for piece in self._pieces:
            ends[piece.shard] = max(ends.get(piece.shard, 0), piece.end)
        self._shards: dict[int, NDArray[np.uint16]] = {}
        for number, end in ends.items():
            shard = folder / shard_name(number)
            if not shard.is_file() or shard.stat().st_size < end * EVENT.itemsize:
                raise ValueError(f"{shard}: missing or cut short; {again}")
            self._shards[number] = np.memmap(shard, EVENT, "r")

    @property
    def hash(self) -> str:
        """The sha256 of vocabulary, file names, splits and events, in hexadecimal."""
        return self._hash

    def pieces(self, split: str) -> list[NDArray[np.uint16]]:
        """The pieces of a split, in the order of the corpus."""
        return [
            self._shards[piece.shard][piece.start : piece.end] for piece in self._pieces if piece.split == split
        ]
