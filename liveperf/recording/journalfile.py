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
import re
import zlib
from collections import Counter
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
LONGEST_S = 1e9  # thirty years
_TAIL = 8192  # bytes at a file's end that hold its last line
_GROUP = 1 << 16  # bytes of lines that are looked through at once
_MESSAGE = re.compile(r"[89abe][0-9a-f]([0-7][0-9a-f]){2}|[cd][0-9a-f][0-7][0-9a-f]")
_NOTE = re.compile(rb'^\[[0-9.e-]+,"(human|machine)","9.(?!..00)....","[0-9a-f]{8}"\]$', re.MULTILINE)


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
        """What a line says; RecordError for the format of a later version, or one that says nothing."""
        known = row.data if isinstance(row.data, dict) else {}
        number, version = known.get("format"), known.get("version")
        if number != FORMAT:
            later = version if isinstance(version, str) and version.isprintable() else "a later one"
            raise RecordError(
                f"{path}: a recording in format {str(number) if isinstance(number, int) else '?':.9}, "
                f"this liveperf reads {FORMAT}; use version {later:.20}"
            )
        try:
            return cls.said(known)
        except (LookupError, TypeError, ValueError):
            raise RecordError(f"{path}: the first line of the recording does not say how it begins") from None

    @classmethod
    def said(cls, data: dict[str, Any]) -> Start:
        """What a line's data say. Raises LookupError, TypeError, ValueError."""
        start, words = datetime.fromisoformat(data["start"]), (data["model"], data["version"])
        found = cls(start, data["begin_s"], *words, data.get("instrument", NAME))
        if start.tzinfo is None or not 1970 <= start.year < 9999:  # so that any zone can tell it
            raise ValueError
        if not (_is_time(found.begin_s) and all(isinstance(one, str) for one in (*words, found.instrument))):
            raise TypeError
        return found


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
        if not (_is_time(time) and isinstance(kind, str) and _fits(kind, data)):
            return None
    except (LookupError, TypeError, ValueError, RecursionError):
        return None
    return Row(float(time), kind, data)


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= LONGEST_S


def _fits(kind: str, data: Any) -> bool:
    """Whether a row of a kind may have such data, for a sound checksum says only that somebody has made it so.

    Raises what `Start.said` does; ValueError for text that cannot be shown; RecursionError.
    """
    if kind in MESSAGES:
        return isinstance(data, str) and _MESSAGE.fullmatch(data) is not None
    json.dumps([kind, data], ensure_ascii=False).encode()
    if kind not in (START, PARAMS, END):
        return True
    if not isinstance(data, dict):
        return False
    if kind == START:
        return data.get("format") != FORMAT or Start.said(data) is not None
    if kind == END:
        return all(type(one) is int and 0 <= one < LONGEST_S for one in data.values())
    return all(one is None or isinstance(one, str | int | float) for one in data.values())


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


def tally(path: Path) -> tuple[float, Counter[str]]:
    """The time of a file's last row (s), and how many notes of each are in it. Raises RecordError.

    Lines are counted by what they look like: no checksum is made, so that it takes a tenth of what `read` does.
    """
    counts: Counter[str] = Counter()
    tail = b""
    try:
        with path.open("rb") as file:
            while lines := file.readlines(_GROUP):
                text = b"".join(lines)
                counts.update(owner.decode() for owner in _NOTE.findall(text))
                tail = (tail + text)[-_TAIL:]
    except OSError as error:
        raise unreadable(path, error) from error
    last = next((row for line in reversed(tail.splitlines()) if (row := parse(line)) is not None), None)
    return 0.0 if last is None else last.time_s, counts


def unreadable(path: Path, error: OSError) -> RecordError:
    """What to raise for a file that cannot be read."""
    return RecordError(f"cannot read {path}: {error.strerror or error}")
