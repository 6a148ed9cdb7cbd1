"""A disk that can be full, broken or slow to fail, for the journal."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from liveperf.recording.tape import DiskFile, File


class FaultyDisk:
    """Opens real files. room: bytes that can still be written; broken: nothing can be done any more.

    syncs: while it is not set, none comes to an end. open_files: how many are.
    """

    def __init__(self) -> None:
        self.room: float = float("inf")
        self.broken = False
        self.syncs = threading.Event()
        self.syncs.set()
        self.open_files = 0
        self.synced: dict[Path, int] = {}  # how much of each file outlives a loss of power

    def open(self, path: Path, new: bool) -> File:
        """A file to be added to."""
        self.check()
        return _FaultyFile(self, path, new)

    def check(self) -> None:
        """OSError while it is broken."""
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def heal(self) -> None:
        """All is well again."""
        self.room, self.broken = float("inf"), False

    def after_power_loss(self, path: Path) -> bytes:
        """What is left of a file."""
        return path.read_bytes()[: self.synced.get(path, 0)]


class _FaultyFile:
    def __init__(self, disk: FaultyDisk, path: Path, new: bool) -> None:
        self._disk, self._path, self._file = disk, path, DiskFile(path, new)
        self._disk.open_files += 1

    def write(self, data: bytes) -> int:
        self._disk.check()
        some = data[: int(min(self._disk.room, len(data)))]
        if not some:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._file.write(some)
        self._disk.room -= written
        return written

    def sync(self) -> None:
        assert self._disk.syncs.wait(10.0)
        self._disk.check()
        self._file.sync()
        self._disk.synced[self._path] = self._path.stat().st_size

    def close(self) -> None:
        self._disk.open_files -= 1
        self._file.close()
