"""The recordings of a folder, as a page shows them, fetches them and plays them back."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import mido

from liveperf.midifile import write_messages
from liveperf.recording import recordings
from liveperf.recording.journalfile import MESSAGES, RecordError, unreadable
from liveperf.recording.recordings import Recording
from liveperf.voices import PEDAL

MOST = 500  # that are listed, the newest
_BATCH = 200  # rows that are made JSON at once: meanwhile no other thread of the interpreter's runs


class Shelf:
    """What a page needs of recordings. Any thread but the instrument's own; everything reads files, and may take
    a second. Raises RecordError.
    """

    def __init__(self, folder: Path, written: Callable[[], Sequence[Path]] = tuple) -> None:
        """written: the file that is written just now, if there is one."""
        self.folder = folder
        self.changes = 0  # how many were removed here
        self._written = written
        self._known: dict[Path, tuple[tuple[int, int], Recording]] = {}  # as they were at a size and a time

    def listed(self) -> list[dict[str, Any]]:
        """The recordings in which anything was played, the newest first, as JSON can say it.

        One that is neither `finished` nor `written` just now was cut off, or another instrument writes it.
        """
        found: list[Recording] = []
        known: dict[Path, tuple[tuple[int, int], Recording]] = {}
        for path in reversed(recordings.paths(self.folder)):
            try:
                known[path] = self._inspect(path)
            except RecordError:  # gone meanwhile, or of a later version
                continue
            one = known[path][1]
            if one.human or one.machine:
                found.append(one)
            if len(found) == MOST:
                break
        self._known = known
        written = set(self._written())
        return [_row(one, one.path in written and not one.finished) for one in found]

    def _inspect(self, path: Path) -> tuple[tuple[int, int], Recording]:
        """A file's size and time of change, and what is known of it: it is read once for each."""
        try:
            status = path.stat()
        except OSError as error:
            raise unreadable(path, error) from error
        mark = status.st_size, status.st_mtime_ns
        known = self._known.get(path)
        if known is None or known[0] != mark:
            known = self._known[path] = mark, recordings.inspect(path)
        return known

    def find(self, name: str) -> Path | None:
        """The file of a recording of exactly this name; None if there is none."""
        return next((path for path in recordings.paths(self.folder) if path.stem == name), None)

    def finished(self, path: Path) -> bool:
        """Whether nothing more is added to a recording."""
        return self._inspect(path)[1].finished

    def midi(self, path: Path) -> bytes:
        """A recording as a MIDI file."""
        out = io.BytesIO()
        write_messages(out, recordings.tracks([path]))
        return out.getvalue()

    def picture(self, path: Path, large: bool) -> bytes:
        """A recording's piano roll as SVG."""
        return recordings.picture(path, thumbnail=not large).encode()

    def notes(self, path: Path) -> bytes:
        """A recording's notes and pedal as JSON: [[s, "human" or "machine", channel, pitch, velocity], ...].

        Velocity 0: the note ends. Pitch null: the sustain pedal is moved, to the last of the five, 0 to 127.
        """
        rows, parts = _notes(path), list[str]()
        while batch := list(islice(rows, _BATCH)):
            parts.append(json.dumps(batch, separators=(",", ":"))[1:-1])
        return f"[{','.join(parts)}]".encode()

    def remove(self, path: Path) -> None:
        """Remove a recording; one that is still written goes on in another file."""
        recordings.remove(path)
        self.changes += 1


def _row(one: Recording, written: bool) -> dict[str, Any]:
    keys = ("name", "seconds", "human", "machine", "model", "size", "finished")
    return {"start": one.start.isoformat(), **{key: getattr(one, key) for key in keys}, "written": written}


def _notes(path: Path) -> Iterator[tuple[float, str, int, int | None, int]]:
    for row in recordings.rows([path]):
        if row.kind in MESSAGES and row.data[:1] in ("8", "9", "b"):
            message = mido.Message.from_bytes(bytes.fromhex(row.data))
            where = round(row.time_s, 4), row.kind, message.channel + 1
            if message.type != "control_change":
                velocity = message.velocity if message.type == "note_on" else 0
                yield *where, message.note, velocity
            elif message.control == PEDAL:
                yield *where, None, message.value
