"""Files that take another's place: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what then takes a file's place, at once, once it has reached the disk.

    So that a reader sees the old one or the new one, whole, and so does he after a loss of power. Where anything
    is raised, the old one stays. Links are followed, and permissions kept. Raises OSError.
    """
    path = path.resolve()
    part = part_of(path)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Where a file is written before it takes its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")
