"""A thread that does the same again and again: how it fails, is stuck, is followed by another, and ends."""

from __future__ import annotations

import threading

from liveperf.system.loop import Loop
from tests.jack import until

LONG_S = 20.0  # nothing here takes as long


def test_it_works_until_it_is_stopped() -> None:
    for every_s in (0.0, 0.02):
        loop = Loop("test", lambda: None, every_s)
        assert not loop.alive and loop.stop(0.0)  # before it began
        loop.start()
        until(lambda one=loop: one.beats > 3, LONG_S, "it works")  # type: ignore[misc]
        assert loop.alive and loop.stop(LONG_S) and not loop.alive
        beats = loop.beats
        assert loop.beats == beats and loop.failure is None


def test_what_it_died_of_is_known_and_it_can_begin_again() -> None:
    strings = [RuntimeError("a broken string")]

    def work() -> None:
        if strings:
            raise strings.pop()

    loop = Loop("test", work, 0.0)
    loop.start()
    until(lambda: not loop.alive, LONG_S, "it dies")
    assert str(loop.failure) == "a broken string"
    loop.start()
    before = loop.beats
    until(lambda: loop.beats > before + 3, LONG_S, "it works")
    assert loop.failure is None and loop.stop(LONG_S)


def test_one_that_is_stuck_is_not_waited_for_and_does_no_more_when_it_wakes() -> None:
    wakes, done = threading.Event(), list[str]()
    fails = threading.Event()

    def work() -> None:
        me = threading.current_thread().name
        if not done:
            done.append(me)
            wakes.wait()
            fails.set()
            raise RuntimeError("it has woken")

    loop = Loop("test", work, 0.0)
    loop.start()
    until(lambda: done, LONG_S, "it is stuck")
    beats = loop.beats
    assert not loop.stop(0.01)
    loop.start()
    until(lambda: loop.beats > beats + 3, LONG_S, "another works")
    wakes.set()
    assert fails.wait(LONG_S)
    before = loop.beats
    until(lambda: loop.beats > before + 3, LONG_S, "the other works on")
    assert loop.failure is None and loop.stop(LONG_S)  # what the first died of is nobody's business any more
