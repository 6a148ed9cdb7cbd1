"""What a bundle plays when it is asked to, many performances at once: the instrument itself, in virtual time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveperf.codec import NOTE, Notes, notes_array
from liveperf.generator import Generator
from liveperf.model import bundle
from liveperf.offline import CLOSING_S, perform
from liveperf.params import Params
from liveperf.performer import MachineNote, Performer
from train.listen import Performance

SOLO = Params(mode="solo")  # everything else as the instrument has it when nothing is set


@dataclass(frozen=True)
class Asked:
    """A performance to be played."""

    seed: int
    seconds: float
    params: Params = SOLO


def play(generator: Generator, asked: Asked) -> Performance:
    """Play it. Its close, when the performer comes to rest, lies after the seconds asked for."""
    performer = Performer(generator, asked.params, asked.seed)
    notes = perform(performer, asked.seconds + CLOSING_S, lambda done: None)
    return Performance(paired(notes, generator.vocabulary.steps_per_second), 0.0, asked.seconds)


def paired(messages: Sequence[MachineNote], steps_per_second: int) -> Notes:
    """Notes of note-ons and note-offs in order, each note ended."""
    struck: dict[int, MachineNote] = {}
    rows = []
    for message in messages:
        if message.velocity:
            struck[message.pitch] = message
        else:
            on = struck.pop(message.pitch)
            rows.append((on.step / steps_per_second, message.step / steps_per_second, on.pitch, on.velocity))
    return notes_array(rows) if rows else np.zeros(0, NOTE)


def play_all(
    path: Path,
    asked: Sequence[Asked],
    jobs: int | None = None,
    advance: Callable[[float], None] = lambda done: None,
) -> list[Performance]:
    """Play all with the bundle at `path`. jobs: processes, default: one a processor; 1 = this one.

    advance: told the part done, 0 to 1. Raises BundleError; OSError if a process dies.
    """
    total, done = sum(one.seconds for one in asked), 0.0
    played: dict[int, Performance] = {}
    jobs = min(jobs or os.cpu_count() or 1, len(asked))
    if jobs <= 1:
        generator = Generator(bundle.load(str(path)))
        for i, one in enumerate(asked):
            played[i] = play(generator, one)
            done += one.seconds
            advance(done / total)
        return [played[i] for i in range(len(asked))]
    # Not forked: this process may have run torch, whose threads a fork would leave behind.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(jobs, context, _open, (str(path),))
    try:
        longest_first = sorted(range(len(asked)), key=lambda i: -asked[i].seconds)
        waiting = {executor.submit(_play, asked[i]): i for i in longest_first}
        for future in as_completed(waiting):
            i = waiting[future]
            played[i] = future.result()
            done += asked[i].seconds
            advance(done / total)
    except BrokenProcessPool as error:
        raise OSError("a process that played died; --jobs 1 plays in one process") from error
    finally:
        executor.shutdown(cancel_futures=True)
    return [played[i] for i in range(len(asked))]


_generators: list[Generator] = []  # of a process of the pool: its own


def _open(path: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches us, too: no traceback
    _generators[:] = [Generator(bundle.load(path))]


def _play(asked: Asked) -> Performance:
    return play(_generators[0], asked)
