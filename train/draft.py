"""A corpus while it is being written: whatever is killed, the work done so far is found again.

What each file of the corpus came to is a line of the journal, after a first one that says what the run is. A
file's events are on their way to the disk before its line is. To go on, shards are cut back to what the journal
says; and as a machine that lost its power may have kept the line without the events, their digests are compared.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from liveperf.events import Vocabulary
from train.corpus import EVENT, INDEX, Piece, shard_name, write_atomically, write_index
from train.reading import Encoded

SHARD_EVENTS = 100_000_000  # 200 MB: a memory map for each, of which a process may have some thousand
JOURNAL = "prepare.jsonl"
REPORT = "skipped.txt"


class Draft:
    """The folder that a corpus is written into; `outcomes` has what each file came to, in order.

    Use as a context. One process at a time.
    """

    def __init__(self, folder: Path, run: dict[str, Any]) -> None:
        """Go on where an earlier run with the same `run` (of plain values) was, or begin anew.

        Raises ValueError where another process is at work there; OSError.
        """
        self.folder = folder
        self.outcomes: list[Encoded | str] = []
        self._places: list[tuple[int, int]] = []  # (shard, start) of what is encoded
        self._end = (0, 0)
        self._shard: tuple[int, BinaryIO] | None = None
        self._journal = open(folder / JOURNAL, "ab+")
        try:
            self._lock()
            self._restore(_line({"run": run, "shard": SHARD_EVENTS}))
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._close_shard()
        finally:
            self._journal.close()

    def part(self, number: int) -> Path:
        """Where a reader puts the events of the file of this number, for `add` to take."""
        return self.folder / f"prepare-{number}.part"

    def add(self, outcome: Encoded | str) -> None:
        """Append the events of the next file, which lie in its `part`, or the reason why it has none.

        Raises OSError.
        """
        part = self.part(len(self.outcomes))
        if isinstance(outcome, Encoded):
            number, start = self._place(outcome.length)
            if self._shard is None or self._shard[0] != number:
                self._close_shard()
                self._shard = (number, open(self.folder / shard_name(number), "ab"))
            with open(part, "rb") as events:
                shutil.copyfileobj(events, self._shard[1])
            self._shard[1].flush()
        self._journal.write(_line(asdict(outcome) if isinstance(outcome, Encoded) else {"skipped": outcome}))
        self._journal.flush()
        part.unlink(missing_ok=True)
        self._take(outcome)

    def finish(
        self, vocabulary: Vocabulary, seed: int, names: Sequence[str], splits: Sequence[str]
    ) -> list[Piece]:
        """Write the index and the report, remove the journal; returns the pieces, which may be none.

        names: of every file; splits: of every piece, that is, of every file that was not skipped.
        """
        self._close_shard()
        both = list(zip(names, self.outcomes, strict=True))
        found = [(name, outcome) for name, outcome in both if isinstance(outcome, Encoded)]
        pieces = [
            Piece(name, split, shard, start, outcome.length)
            for (name, outcome), split, (shard, start) in zip(found, splits, self._places, strict=True)
        ]
        report = [f"{name}: {outcome}" for name, outcome in both if isinstance(outcome, str)]
        write_atomically(self.folder / REPORT, "".join(f"{_printable(line)}\n" for line in report))
        if pieces:
            write_index(self.folder, vocabulary, seed, pieces, [outcome.digest for _, outcome in found])
        (self.folder / JOURNAL).unlink(missing_ok=True)
        return pieces

    def _lock(self) -> None:
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{self.folder}: another process is preparing a corpus there") from None
        except OSError:  # a file system without locks
            pass

    def _restore(self, run: bytes) -> None:
        self._journal.seek(0)
        if self._journal.readline() != run:
            self._begin(run)
            return
        kept = len(run)
        for line in self._journal:
            outcome = _parse(line)
            if outcome is None or (isinstance(outcome, Encoded) and not self._holds(outcome)):
                break
            self._take(outcome)
            kept += len(line)
        self._journal.truncate(kept)
        number, end = self._end
        full = {shard_name(one) for one in range(number)}
        for shard in self._files("events-*.u16"):
            if end and shard.name == shard_name(number):
                os.truncate(shard, end * EVENT.itemsize)
            elif shard.name not in full:
                shard.unlink()
        self._remove("prepare-*.part")

    def _begin(self, run: bytes) -> None:
        # The index goes first: without it no reader takes the rest for a corpus. Shards are removed, not cut, as
        # one who has the corpus before this mapped into memory may go on reading it.
        self._remove(f"{INDEX}*", f"{REPORT}*", "events-*.u16", "prepare-*.part")
        self._journal.truncate(0)
        self._journal.write(run)
        self._journal.flush()

    def _place(self, length: int) -> tuple[int, int]:
        """(shard, start) of the next piece; no piece lies in two shards, one longer than a shard has its own."""
        number, end = self._end
        return (number + 1, 0) if end and end + length > SHARD_EVENTS else (number, end)

    def _take(self, outcome: Encoded | str) -> None:
        self.outcomes.append(outcome)
        if isinstance(outcome, Encoded):
            number, start = self._place(outcome.length)
            self._places.append((number, start))
            self._end = (number, start + outcome.length)

    def _holds(self, outcome: Encoded) -> bool:
        """Whether the next piece's events are there."""
        number, start = self._place(outcome.length)
        try:
            with open(self.folder / shard_name(number), "rb") as shard:
                shard.seek(start * EVENT.itemsize)
                events = shard.read(outcome.length * EVENT.itemsize)
        except FileNotFoundError:
            return False
        return hashlib.sha256(events).hexdigest() == outcome.digest

    def _close_shard(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard[1], None
            with shard:
                shard.flush()
                os.fsync(shard.fileno())

    def _files(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern))

    def _remove(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self._files(pattern):
                path.unlink()


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _parse(line: bytes) -> Encoded | str | None:
    """A line of the journal; None if it is not whole."""
    if not line.endswith(b"\n"):
        return None
    try:
        values = json.loads(line)
        return str(values["skipped"]) if "skipped" in values else Encoded(values["length"], values["digest"])
    except (ValueError, KeyError, TypeError):
        return None


def _printable(text: str) -> str:
    """The text on one line, and in UTF-8 whatever it is."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
