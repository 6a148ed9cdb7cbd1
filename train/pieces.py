"""Which files a corpus has, in which order, and to which split each belongs."""

from __future__ import annotations

import csv
import os
import posixpath
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from train.corpus import SPLITS

ENDINGS = (".mid", ".midi")


@dataclass(frozen=True)
class Listed:
    """A file of a corpus, before it is read."""

    file: str  # relative to the corpus
    split: str = ""  # none: dealt once it is known which files are music
    problem: str = ""  # why it shall not be read


def find_pieces(corpus: Path, seed: int = 0) -> list[Listed]:
    """The files of a corpus in its order: that of a MAESTRO-style CSV, or else shuffled, seeded.

    Such a CSV lies in the folder itself and has the columns `midi_filename` and `split`; of several the first by
    name counts. Without one, all .mid and .midi files at any depth are taken; links are followed, each folder
    once. Raises OSError, or ValueError for a CSV that cannot be read to its end.
    """
    for table in sorted(corpus.glob("*.csv")):
        if table.is_file():
            rows = _read_table(table)
            if rows is not None:
                return rows
    problems: list[OSError] = []
    pieces = [Listed(file) for file in sorted(_walk(corpus, problems))]
    random.Random(seed).shuffle(pieces)
    unread = [
        Listed(os.path.relpath(one.filename, corpus), problem=one.strerror or "unreadable") for one in problems
    ]
    return pieces + unread


def deal(count: int) -> list[str]:
    """The splits of so many pieces that have none: 80/10/10, by piece.

    One at least is for validation and one for test, but where there are only one or two, they are for training.
    """
    tenth = max(1, count // 10) if count >= 3 else 0
    return ["test"] * tenth + ["validation"] * tenth + ["train"] * (count - 2 * tenth)


def _walk(corpus: Path, problems: list[OSError]) -> Iterator[str]:
    """MIDI files at any depth, relative to the corpus; folders that cannot be read are collected."""
    seen: set[tuple[int, int]] = set()
    prefix = len(os.path.join(corpus, ""))
    for folder, folders, files in os.walk(corpus, onerror=problems.append, followlinks=True):
        info = os.stat(folder)
        if (info.st_dev, info.st_ino) in seen:  # a link to a folder above would go round for ever
            folders.clear()
            continue
        seen.add((info.st_dev, info.st_ino))
        folders.sort()
        for file in files:
            if file.lower().endswith(ENDINGS):
                yield os.path.join(folder, file)[prefix:]


def _read_table(path: Path) -> list[Listed] | None:
    """The rows of a MAESTRO-style CSV; None if it is a table of something else."""
    # Names that are not UTF-8 come as the file system has them, those of a spreadsheet after a byte order mark.
    with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as lines:
        rows = csv.DictReader(lines)
        try:
            if not {"midi_filename", "split"} <= set(rows.fieldnames or ()):
                return None
        except csv.Error:
            return None
        seen: dict[str, str] = {}
        try:
            return [_read_row(row, f"{path.name}, line {rows.line_num}", seen) for row in rows]
        except csv.Error as error:
            raise ValueError(f"{path}, line {rows.line_num}: {error}") from error


def _read_row(row: dict[str, str | None], where: str, seen: dict[str, str]) -> Listed:
    """A row, or what is wrong with it; seen: the splits of the files before."""
    name, split = row["midi_filename"] or "", (row["split"] or "").strip().lower()
    if not name.strip():
        return Listed(where, problem="names no file")
    file = posixpath.normpath(name)
    if posixpath.isabs(file) or file.split("/")[0] == "..":
        return Listed(name, problem=f"leads outside the corpus ({where})")
    if split not in SPLITS:
        return Listed(file, problem=f"unknown split {split!r}, expected one of {', '.join(SPLITS)} ({where})")
    if file in seen:
        return Listed(file, problem=f"named before, for {seen[file]} ({where})")
    seen[file] = split
    return Listed(file, split)
