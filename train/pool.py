"""All cores read files; a reader that dies takes nothing with it but the file it died of."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from liveperf.events import Vocabulary
from train import reading
from train.reading import Encoded

Job = tuple[Path, Vocabulary, Path]
"""The arguments of `reading.encode_file`."""

Waiting = deque[tuple[Job, "Future[Encoded | str]"]]

DEADLY = "whatever reads it dies: it crashes, or takes too much memory or time"
WINDOW = 4  # files under way for each reader


def encode_files(jobs: Sequence[Job]) -> Generator[Encoded | str]:
    """What `reading.encode_file` says of each, in their order.

    Answers are small, the events being in files: a reader killed in the middle of a long answer would leave half
    of it in the pipe, and the pool waiting for the other half.
    Raises OSError where events cannot be written or no reader starts.
    """
    readers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    todo, waiting = deque(jobs), Waiting()
    pool = _open_pool(readers)
    try:
        while todo or waiting:
            try:
                while todo and len(waiting) < WINDOW * readers:
                    waiting.append((todo[0], pool.submit(reading.encode_file, *todo[0])))
                    todo.popleft()
                outcome = waiting[0][1].result()
            except BrokenProcessPool:
                pool.shutdown()
                yield from _one_at_a_time(waiting)
                waiting.clear()
                pool = _open_pool(readers)
            else:
                waiting.popleft()
                yield outcome
    finally:
        pool.shutdown(cancel_futures=True)


def _one_at_a_time(waiting: Waiting) -> Iterator[Encoded | str]:
    """The answers that a broken pool still owes: any of the files may have broken it."""
    pool: ProcessPoolExecutor | None = None
    outcome: Encoded | str
    try:
        for job, future in waiting:
            if future.done() and not future.cancelled() and future.exception() is None:
                yield future.result()
                continue
            if pool is None:
                pool = _open_pool(1)
                _check(pool)
            try:
                outcome = pool.submit(reading.encode_file, *job).result()
            except BrokenProcessPool:
                pool.shutdown()
                pool, outcome = None, DEADLY
            yield outcome
    finally:
        if pool:
            pool.shutdown()


def _check(pool: ProcessPoolExecutor) -> None:
    """Raises ChildProcessError if not even an idle reader lives: then the files are not to blame."""
    try:
        pool.submit(int).result()
    except BrokenProcessPool as error:
        raise ChildProcessError("the processes that read files die as they start") from error


def _open_pool(readers: int) -> ProcessPoolExecutor:
    # Processes are spawned: the pool itself has threads in this process, as torch and numpy have, and a fork of a
    # process with threads may inherit a lock that nobody will ever release. It costs a reader 0.2 s, once.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(readers, mp_context=context, initializer=_begin_reader)


def _begin_reader() -> None:
    """In a reader: Ctrl-C is for the parent to hear, and when that is gone, even killed, go too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
