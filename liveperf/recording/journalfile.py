"""The journal of a performance as a text file that is only ever added to: a line for each thing that happened.

A line is a JSON array of the time (s, since the file's start), what it is, its data, and a checksum of what comes
before it, so that whatever is torn or damaged is known and left out, and the rest is read:

    [0.0,"start",{"format":1,"start":"2026-03-01T19:30:00+01:00","begin_s":12.5,"model":"maestro",...},"…"]
    [0.0,"params",{"mode":"duet","temperature":0.9},"5f0d3c21"]
    [0.0,"human","903c40","0d3c215f"]
    [0.35,"machine","904350","3c215f0d"]
    [0.35,"end",{"human":1,"machine":1,"lost":0},"215f0d3c"]
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from liveperf.errors import LiveperfError
from liveperf.voices import Owner

FORMAT = 1
NAME = "liveperf"  # of the instrument, where a file has none
SUFFIX = ".jsonl"
START, PARAMS, END = "start", "params", "end"
MESSAGES = tuple(owner.value for owner in Owner)
_TAIL = 8192  # bytes at a file's end that hold its last line


class RecordError(LiveperfError):
    """A recording that cannot be written, read or found; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line. `kind`: whose message it is (`data`: its bytes in hex), or START, PARAMS, END (`data`: by name)."""

    time_s: float
    kind: str
    data: Any

    @property
    def is_note(self) -> bool:
        """Whether it is a message that begins a note."""
        return self.kind in MESSAGES and self.data[:1] == "9" and self.data[4:] != "00"


@dataclass(frozen=True)
class Start:
    """How a file begins. start: when, by the wall clock. begin_s: how long after that of the performance.

    instrument: the name of the one that played, which others beside it have not.
    """

    start: datetime
    begin_s: float
    model: str
    version: str
    instrument: str = NAME

    def row(self) -> Row:
        """As a file's first line; its time since the performance's start."""
        return Row(self.begin_s, START, {"format": FORMAT, **vars(self), "start": self.start.isoformat()})

    @classmethod
    def of(cls, row: Row, path: Path) -> Start:
        """What a line says; RecordError for the format of a later version."""
        known = row.data if isinstance(row.data, dict) else {}
        if known.get("format") != FORMAT:
            raise RecordError(
                f"{path}: a recording in format {known.get('format')!r}, this liveperf reads {FORMAT}; "
                f"use version {known.get('version', 'a later one')}"
            )
        start = datetime.fromisoformat(known["start"])
        return cls(start, known["begin_s"], known["model"], known["version"], known.get("instrument", NAME))


def line(row: Row) -> bytes:
    """A row as a line of the file."""
    body = json.dumps([round(row.time_s, 6), row.kind, row.data], separators=(",", ":"), default=str)[:-1].encode()
    return b'%b,"%08x"]\n' % (body, zlib.crc32(body))


def parse(text: bytes) -> Row | None:
    """The row of a line; None if it is damaged."""
    body, _, check = text.rstrip().rpartition(b',"')
    if check != b'%08x"]' % zlib.crc32(body):
        return None
    try:
        time, kind, data = json.loads(body + b"]")
        whole = math.isfinite(time) and isinstance(kind, str) and (kind not in MESSAGES or isinstance(data, str))
    except (ValueError, TypeError):
        return None
    return Row(float(time), kind, data) if whole else None


def read(path: Path) -> Iterator[Row]:
    """The rows of a file, without those that are damaged, as they are asked for. Raises RecordError."""
    try:
        with path.open("rb") as file:
            for text in file:
                row = parse(text)
                if row is not None:
                    yield row
    except OSError as error:
        raise unreadable(path, error) from error


def ends(path: Path) -> tuple[Row | None, Row | None]:
    """The first and the last row of a file without reading it all; None for one that is damaged. RecordError."""
    try:
        with path.open("rb") as file:
            first = parse(file.readline(_TAIL))
            file.seek(max(path.stat().st_size - _TAIL, 0))
            tail = file.read().splitlines()
    except OSError as error:
        raise unreadable(path, error) from error
    return first, parse(tail[-1]) if tail else None


def unreadable(path: Path, error: OSError) -> RecordError:
    """What to raise for a file that cannot be read."""
    return RecordError(f"cannot read {path}: {error.strerror or error}")
