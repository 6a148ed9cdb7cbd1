"""Programs that are killed while they prepare a corpus: `python -m tests.train.killed NAME ARGUMENT ...`."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from liveperf.events import OORE
from tests.train import readers
from tests.train.midi import contents
from train import corpus, draft, prepare, reading
from train.corpus import SPLITS, Corpus, digest

SEED = 5


def die() -> None:
    """As if by SIGKILL from outside, at this very moment."""
    os.kill(os.getpid(), signal.SIGKILL)


def after(midi: str, out: str, files: str) -> None:
    """Be killed when so many files are done."""
    prepare.prepare(Path(midi), Path(out), OORE, SEED, lambda done, _: die() if done == int(files) else None)


def waiting(midi: str, out: str) -> None:
    """Wait for readers that never come to an end."""
    reading.encode_file = readers.waiting
    prepare.prepare(Path(midi), Path(out), OORE, SEED)


def everywhere(midi: str, before: str, folder: str, every: str) -> None:
    """Be killed at every n-th line that is run of `train.draft` and `train.corpus`, and go on; prints how often.

    before: the folder as it is at the start. Whenever it is killed, what lies there is either no corpus for a
    reader, or a whole one; and in the end it is always the same.
    """
    # Without readers there are no threads here, so that a fork is safe. Shards are small; the disk is not waited
    # for, as what a process has written is there even if it is killed.
    os.fsync = lambda fd: None
    prepare.encode_files = readers.here  # type: ignore[attr-defined]
    draft.SHARD_EVENTS = 40
    whole = Path(folder) / "whole"
    shutil.copytree(before, whole)
    prepare.prepare(Path(midi), whole, OORE, SEED)
    expected = contents(whole)
    known = {_read(Path(before)), _read(whole), ()}
    for moment in itertools.count(1, int(every)):
        out = Path(folder) / str(moment)
        shutil.copytree(before, out)
        killed = _die_in_child(moment, lambda: prepare.prepare(Path(midi), out, OORE, SEED))  # noqa: B023
        assert _read(out) in known, moment
        prepare.prepare(Path(midi), out, OORE, SEED)
        assert contents(out) == expected, moment
        shutil.rmtree(out)
        if not killed:
            print(moment // int(every))
            break


def _read(folder: Path) -> tuple[str, ...]:
    """What a reader finds there: the hash, and the digests of the pieces; nothing if it is no corpus."""
    try:
        found = Corpus(folder)
    except ValueError:
        return ()
    return (found.hash, *(digest(piece) for split in SPLITS for piece in found.pieces(split)))


def _die_in_child(moment: int, work: Callable[[], Any]) -> bool:
    """Whether the work, in a child process, had so many lines to be killed at."""
    child = os.fork()
    if not child:
        left = moment

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in (draft.__file__, corpus.__file__):
                return None
            left -= event == "line"
            if not left:
                die()
            return trace

        sys.settrace(trace)
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
