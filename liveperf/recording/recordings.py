"""The recordings that there are: listed, found by name, as MIDI files and pictures."""

from __future__ import annotations

import contextlib
import heapq
import itertools
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import mido

from liveperf.codec import Notes
from liveperf.files import part_of, replacing
from liveperf.midifile import notes_of, write_messages
from liveperf.recording import pianoroll
from liveperf.recording.journalfile import (
    END,
    PARAMS,
    START,
    SUFFIX,
    RecordError,
    Row,
    Start,
    ends,
    read,
    tally,
    unreadable,
)
from liveperf.voices import Owner

WINDOW_S = 10.0  # what two threads record at the same time is not further apart in the journal


@dataclass(frozen=True)
class Recording:
    """One file of a journal. seconds: from its first message to its last. human, machine: how many notes of each.

    instrument: the name of the one that played; "?" where the file has lost it. finished: False where it is still
    written, or was cut off. lost: messages that could not be kept.
    """

    path: Path
    start: datetime
    seconds: float
    human: int
    machine: int
    model: str
    instrument: str
    size: int
    finished: bool
    lost: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.path.stem


def inspect(path: Path) -> Recording:
    """What is known of a file; it is gone through only where it is not finished. Raises RecordError."""
    first, last = ends(path)
    if last is not None and last.kind == END:
        finished, seconds, counts = True, last.time_s, Counter[str](last.data)
    else:
        finished, (seconds, counts) = False, tally(path)
    head = Start.of(first, path) if first is not None and first.kind == START else None
    try:
        status = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    return Recording(
        path=path,
        start=head.start if head else datetime.fromtimestamp(status.st_mtime, timezone.utc),
        seconds=max(seconds, 0.0),
        human=counts[Owner.HUMAN.value],
        machine=counts[Owner.MACHINE.value],
        model=head.model if head else "?",
        instrument=head.instrument if head else "?",
        size=status.st_size,
        finished=finished,
        lost=counts["lost"],
    )


def paths(folder: Path) -> list[Path]:
    """A folder's recordings, oldest first; none for a folder that is not there. Raises RecordError."""
    try:
        found = [path for path in folder.iterdir() if path.suffix == SUFFIX] if folder.exists() else []
    except OSError as error:
        raise RecordError(f"cannot read {folder}: {error.strerror or error}") from error
    return sorted(found, key=lambda path: path.stem)


def find(folder: Path, name: str) -> Path:
    """The recording of a name, of a beginning that only one has, or `last`: of any instrument, the one begun last.

    Raises RecordError.
    """
    found = paths(folder)
    if not found:
        raise RecordError(f"there are no recordings in {folder} yet; they are made as you play")
    if name == "last":
        return found[-1]
    fitting = [path for path in found if path.stem == name]
    fitting = fitting or [path for path in found if path.stem.startswith(name)]
    if not fitting:
        raise RecordError(f"no recording begins with {name!r}; the last is {found[-1].stem!r}")
    if len(fitting) > 1:
        raise RecordError(
            f"{len(fitting)} recordings begin with {name!r}, from {fitting[0].stem!r} to {fitting[-1].stem!r}; "
            "give more of the name"
        )
    return fitting[0]


def cut_off(folder: Path, instrument: str) -> bool:
    """Whether an instrument's last recording has no end: it or the machine has died. Not while it plays."""
    try:
        found = paths(folder)
    except RecordError:
        return False
    for path in reversed(found):
        with contextlib.suppress(RecordError):  # one that cannot be read hides no other
            first, last = ends(path)
            if first is not None and first.kind == START and Start.of(first, path).instrument == instrument:
                return last is None or last.kind != END
    return False


def remove(path: Path) -> None:
    """Remove a recording; one that is still written goes on in another file. Raises RecordError."""
    try:
        path.unlink()
    except OSError as error:
        raise RecordError(f"cannot remove {path}: {error.strerror or error}") from error


def check(path: Path, to: str = "record") -> None:
    """Find out whether a file could be written, and leave no trace; RecordError if not. to: what is done to it."""
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        part = part_of(path.resolve())
        part.touch()
        part.unlink()
    except OSError as error:
        raise RecordError(f"cannot {to} to {path}: {error.strerror or error}") from error


def export(files: Sequence[Path], out: Path, whole: bool = False) -> None:
    """Write files of one performance, in order, as a MIDI file of two tracks: human, and machine with parameters.

    Parameters are text events, `name = value`. whole: times count from the performance's start, not from the first
    message. No more of it is in memory than the MIDI file is long. Raises RecordError; then `out` is as it was.
    """
    check(out)
    try:
        write_messages(out, tracks(files, whole))
    except OSError as error:
        raise RecordError(f"cannot record to {out}: {error.strerror or error}") from error


def tracks(files: Sequence[Path], whole: bool = False) -> dict[str, Iterator[tuple[float, mido.Message]]]:
    """What `export` writes, as `write_messages` takes it."""
    return {owner.value: _track(files, owner, whole) for owner in Owner}


def draw(path: Path, out: Path, thumbnail: bool = False) -> None:
    """Draw a recording's piano roll to an SVG file. Raises RecordError."""
    check(out, "draw")
    text = picture(path, thumbnail)
    try:
        with replacing(out) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordError(f"cannot draw to {out}: {error.strerror or error}") from error


def picture(path: Path, thumbnail: bool = False) -> str:
    """A recording's piano roll as SVG. Raises RecordError."""
    notes, seconds = _notes(path)
    return pianoroll.thumbnail(notes, seconds) if thumbnail else pianoroll.svg(notes, seconds, path.stem)


def _notes(path: Path) -> tuple[dict[str, Notes], float]:
    """Everybody's notes, and how long it is (s); it is read once."""
    times = {owner.value: array("d") for owner in Owner}
    messages = {owner.value: bytearray() for owner in Owner}
    seconds = 0.0
    for row in rows([path]):
        seconds = max(seconds, row.time_s)
        if row.kind in times:
            times[row.kind].append(row.time_s)
            messages[row.kind] += bytes.fromhex(row.data).ljust(3, b"\0")
    return {name: notes_of(times[name], messages[name]) for name in times}, seconds


def rows(files: Sequence[Path], whole: bool = False) -> Iterator[Row]:
    """What is in files of one performance, in order; times as `export` has them. Raises RecordError."""
    origin = 0.0 if whole else None
    end = 0.0
    for path in files:
        begin = end  # where the line that says it is damaged
        for row in read(path):
            if row.kind == START:
                begin = Start.of(row, path).begin_s
                continue
            if origin is None:
                origin = begin
            end = max(end, begin + row.time_s)
            yield Row(max(begin + row.time_s - origin, 0.0), row.kind, row.data)


def _track(files: Sequence[Path], owner: Owner, whole: bool) -> Iterator[tuple[float, mido.Message]]:
    """(seconds, message) of one of the two, ascending in time."""
    waiting: list[tuple[float, int, mido.Message]] = []
    order = itertools.count()
    for time, message in _unsorted(files, owner, whole):
        heapq.heappush(waiting, (time, next(order), message))
        while waiting[0][0] < time - WINDOW_S:
            yield waiting[0][0], heapq.heappop(waiting)[2]
    while waiting:
        yield waiting[0][0], heapq.heappop(waiting)[2]


def _unsorted(files: Sequence[Path], owner: Owner, whole: bool) -> Iterator[tuple[float, mido.Message]]:
    values: dict[str, object] = {}
    for row in rows(files, whole):
        if row.kind == owner.value:
            yield row.time_s, mido.Message.from_bytes(bytes.fromhex(row.data))
        elif row.kind == PARAMS and owner is Owner.MACHINE:
            for name, value in row.data.items():
                if values.get(name) != value:  # a file begins with all of them
                    values[name] = value
                    yield row.time_s, mido.MetaMessage("text", text=f"{name} = {value}")
