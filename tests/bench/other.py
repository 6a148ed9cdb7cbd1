"""Other programs, in which a benchmark's keyboards, listeners and pages live; and what is measured beside them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.play import Ear
from tests.bench.row import Row, percentile
from tests.bench.speed import ROOT

END_S = 10.0
Program = subprocess.Popen[str]


@contextlib.contextmanager
def another(code: str) -> Iterator[Program]:
    """Another program of Python's, once it has said that it is ready; it is to end when nothing more is asked."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"a program does not start: {code}")
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
                process.communicate(timeout=END_S)
            process.kill()
            process.wait()


def ask(program: Program, what: object) -> str:
    """Ask a program something, a line; its answer."""
    assert program.stdin is not None and program.stdout is not None
    print(what, file=program.stdin, flush=True)
    answer = program.stdout.readline().strip()
    if not answer:
        raise RuntimeError("a program has ended")
    return answer


def pass_by(program: Program, seconds: float, burdened: bool) -> None:
    """Let time pass; burdened: with what a program does for as many seconds as it is told."""
    if burdened:
        ask(program, seconds)
    else:
        time.sleep(seconds)


def obeying(ear: Ear, classes: frozenset[int], heard: int, asked: float) -> list[float]:
    """When the first note of some pitch classes comes, ms after it was asked for; nothing if none does in 2 s.

    heard: how much was heard before.
    """
    while time.perf_counter() < asked + 2:
        for at, begins, pitch in ear.heard[heard:]:
            if begins and pitch % 12 in classes:
                return [(at - asked) * 1e3]
        time.sleep(0.002)
    return []


def beside(ratio: Row, without: list[float], burdened: list[float]) -> Row:
    """What something costs: p99 with it by p99 without."""
    if not (without and burdened):
        return ratio.missing("nothing to compare")
    return ratio.measured([percentile(burdened, 99) / percentile(without, 99)])
