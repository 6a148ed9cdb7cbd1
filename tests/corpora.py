"""Real performances, where the corpora are present; nothing of them is in the project."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

DATA = Path(os.environ.get("LIVEPERF_DATA", Path(__file__).parents[1] / "../shared/data"))


def first_files(archive: Path, folder: Path, count: int = 3, largest: int = 60_000) -> list[Path]:
    """The archive's first small MIDI files, read no further than them; skips where there is no archive."""
    if not archive.is_file():
        pytest.skip(f"no {archive.name} in LIVEPERF_DATA")
    found: list[Path] = []
    with tarfile.open(archive, "r|xz") as members:
        for member in members:
            if not member.name.endswith((".mid", ".midi")) or member.size > largest:
                continue
            content = members.extractfile(member)
            assert content is not None
            found.append(folder / Path(member.name).name)
            found[-1].write_bytes(content.read())
            if len(found) == count:
                break
    return found
