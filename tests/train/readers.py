"""Readers that go wrong, in place of `reading.encode_file`: processes find them here by name."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Sequence
from pathlib import Path

from liveperf.codec import Notes
from liveperf.events import Vocabulary
from train import reading
from train.pool import Job
from train.reading import Encoded, encode_file


def here(jobs: Sequence[Job]) -> Generator[Encoded | str]:
    """In place of `pool.encode_files`: reads in this process."""
    yield from (encode_file(*job) for job in jobs)


def crashing(path: Path, vocabulary: Vocabulary, out: Path) -> Encoded | str:
    """Dies of a file that is called deadly, with its events half written."""
    if path.name.startswith("deadly"):
        out.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return encode_file(path, vocabulary, out)


def crashing_once(path: Path, vocabulary: Vocabulary, out: Path) -> Encoded | str:
    """Dies of a file, but not twice."""
    mark = out.with_name("seen")
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return encode_file(path, vocabulary, out)


def hanging(path: Path, vocabulary: Vocabulary, out: Path) -> Encoded | str:
    """Does not get to the end of a file that is called endless."""
    if path.name.startswith("endless"):
        reading.LONGEST_S = 0.05
        reading.read_performance = _never
    return encode_file(path, vocabulary, out)


def _never(path: Path) -> Notes:
    signal.pause()
    raise AssertionError(f"{path} came to an end")


def waiting(path: Path, vocabulary: Vocabulary, out: Path) -> Encoded | str:
    """Says that it is there, and stays."""
    print("here", flush=True)
    signal.pause()
    return ""


def stillborn() -> None:
    """A start that no reader survives."""
    os._exit(1)
