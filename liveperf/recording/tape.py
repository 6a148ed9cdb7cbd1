"""One file of the journal, as it is written: it goes on after trouble, and is not begun without need."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from liveperf.recording.journalfile import (
    END,
    MESSAGES,
    PARAMS,
    START,
    SUFFIX,
    RecordError,
    Row,
    Start,
    ends,
    line,
)
from liveperf.system import places

BATCH = 500  # rows


class File(Protocol):
    """A file that is added to. Its methods raise OSError."""

    def write(self, data: bytes) -> int:
        """Add some of the data; returns how many bytes."""

    def sync(self) -> None:
        """See that what was written outlives a loss of power. Any thread, also while it is closed."""

    def close(self) -> None:
        """Let it go."""


Open = Callable[[Path, bool], File]
"""Opens a file to be added to; True: one that must not be there yet. Raises OSError."""


class DiskFile:
    """A file of the system's, readable by its user only."""

    def __init__(self, path: Path, new: bool) -> None:
        """Open it, make it if it is `new` (FileExistsError if it is not), and its folder. Raises OSError."""
        if new:
            places.make(path.parent)
        mode = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | (os.O_CREAT | os.O_EXCL if new else 0)
        self._number, self._closed, self._lock = os.open(path, mode, 0o600), False, threading.Lock()
        self._folder = path.parent if new else None  # whose entry is to be kept, too

    def write(self, data: bytes) -> int:
        """Add some of the data; returns how many bytes."""
        return os.write(self._number, data)

    def sync(self) -> None:
        """See that what was written outlives a loss of power. Any thread, also while it is closed."""
        with self._lock:
            if self._closed:
                return
            number, folder, self._folder = os.dup(self._number), self._folder, None
        try:
            os.fsync(number)
        finally:
            os.close(number)
        if folder is not None:
            with contextlib.suppress(OSError):  # not every file system can
                places.sync(folder)

    def close(self) -> None:
        """Let it go."""
        with self._lock:
            self._closed = True
            os.close(self._number)


class Tape:
    """A file that rows are added to. Its methods raise OSError; then `close` it, and the next `write` goes on.

    params: the parameters before the first row; kept up to date with what is written. Used by one thread.
    """

    def __init__(self, folder: Path, start: Start, params: dict[str, Any], open_file: Open) -> None:
        """Begin a file that is named after its start. No trace is left where that fails."""
        self.begin_s, self.bytes = start.begin_s, 0
        self._params, self._open_file = params, open_file
        self._counts, self._last_s = dict.fromkeys(MESSAGES, 0), 0.0
        self._torn = False  # the last line may be half a line
        self.path, file = _begin(folder, name(start.start), open_file)
        self._file: File | None = file
        try:
            self.write(deque([start.row(), *([Row(start.begin_s, PARAMS, dict(params))] if params else [])]))
        except OSError:
            self.close()
            with contextlib.suppress(OSError):
                self.path.unlink()
            raise

    @property
    def gone(self) -> bool:
        """Whether somebody has removed or moved the file, so that what is added would not be found."""
        return not self.path.exists()

    def write(self, rows: deque[Row]) -> None:
        """Add rows, their times counted as `begin_s` is, and take those that are there whole off the deque.

        BATCH at most, so that one who tries again and again does not encode all that waits each time.
        """
        file = self.opened()
        lines = [line(Row(row.time_s - self.begin_s, row.kind, row.data)) for row in itertools.islice(rows, BATCH)]
        if self._torn:
            lines[0] = b"\n" + lines[0]
        data, done = b"".join(lines), 0
        try:
            while done < len(data):
                done += file.write(data[done:])
            self._torn = False
        finally:
            self.bytes += done
            for text in lines:
                done -= len(text)
                if done < -1:  # a line is whole without its newline, too
                    break
                self._note(rows.popleft())

    def opened(self) -> File:
        """The file, open again if it was let go."""
        self._file = self._file or self._open_file(self.path, False)
        return self._file

    def _note(self, row: Row) -> None:
        if row.kind == PARAMS:
            self._params.update(row.data)
        elif row.is_note:
            self._counts[row.kind] += 1
        self._last_s = max(self._last_s, row.time_s - self.begin_s)

    def finish(self, lost: int) -> File:
        """Add that this is all; the file, to be synced and closed. lost: messages that could not be kept."""
        self.write(deque([Row(self.begin_s + self._last_s, END, {**self._counts, "lost": lost})]))
        file, self._file = self.opened(), None
        return file

    def close(self) -> None:
        """Let the file go, as it is."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file, self._torn = None, True


def name(start: datetime) -> str:
    """What a file is called without its suffix: by UTC, so that names sort by time, whatever clocks change to."""
    return f"{start.astimezone(timezone.utc):%Y-%m-%dT%H-%M-%SZ}"


def trim(folder: Path, instrument: str, limit: float) -> set[Path]:
    """Remove an instrument's oldest journals until the rest of its own has `limit` bytes at most; those removed.

    Those of instruments beside it stay: they may be written just now, and count for a limit of their own. So does
    what cannot be read or removed.
    """
    removed: set[Path] = set()
    sizes: dict[Path, int] = {}
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            sizes[path] = path.stat().st_size
    if sum(sizes.values()) <= limit:  # whosever they are: none of them has to be read
        return removed
    for path in sorted(sizes, key=lambda path: path.stem, reverse=True):
        with contextlib.suppress(OSError, RecordError):
            first, _ = ends(path)
            if first is None or first.kind != START or Start.of(first, path).instrument == instrument:
                limit -= sizes[path]
                if limit < 0:
                    path.unlink()
                    removed.add(path)
    return removed


def _begin(folder: Path, stem: str, open_file: Open) -> tuple[Path, File]:
    for number in itertools.count(1):
        path = folder / f"{stem}{'' if number == 1 else f'.{number:02}'}{SUFFIX}"
        with contextlib.suppress(FileExistsError):  # another instrument's, or that of a moment ago
            return path, open_file(path, True)
        if not path.exists():
            break
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
