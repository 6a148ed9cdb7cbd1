"""What is noticed of threads that die or are stuck, and how often others are started in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from liveperf.playing.supervisor import DEATHS, LOOK_S, SAY_LOOKS, STUCK_LOOKS, WITHIN_S, Charge, Supervisor
from tests.fakes import FakeClock


@dataclass(eq=False)
class Thread:
    """A thread as it looks from outside."""

    beats: int = 0
    failure: Exception | None = None
    alive: bool = True


class Watch:
    """A supervisor, its threads by name, and what it said."""

    def __init__(self) -> None:
        self.clock, self.said = FakeClock(), list[str]()
        self.threads: dict[str, Thread] = {}
        self.begun: list[str] = []
        self.supervisor = Supervisor(self.clock, self.said.append)

    def watch(self, name: str, **how: Any) -> Thread:
        def again() -> None:
            self.begun.append(name)
            self.threads[name] = Thread()

        self.threads[name] = Thread()
        self.supervisor.watch(Charge(name, lambda: self.threads[name], **{"again": again} | how))
        return self.threads[name]

    def look(self, *stuck: str, looks: int = 1) -> bool:
        """So many looks, while all but some give signs of life."""
        well = True
        for _ in range(looks):
            for name, thread in self.threads.items():
                thread.beats += name not in stuck
            self.clock.advance(LOOK_S)
            well = self.supervisor.look()
        return well

    def kill(self, name: str) -> None:
        self.threads[name].failure = RuntimeError("a broken string")


def test_one_that_lives_is_left_alone() -> None:
    watch = Watch()
    watch.watch("engine")
    assert watch.look(looks=100) and not watch.said


def test_one_that_is_stuck_is_noticed_in_half_a_second() -> None:
    watch = Watch()
    stuck = watch.watch("engine")
    stuck.beats = 7
    watch.look()
    looks = 0
    while watch.threads["engine"] is stuck:
        assert watch.look("engine")
        looks += 1
    assert looks == STUCK_LOOKS and (looks + 1) * LOOK_S <= 0.5 + 1e-9  # it may be stuck just after a look
    assert watch.said == ["the engine thread is stuck; it is started again"]
    assert watch.look(looks=10) and watch.begun == ["engine"]  # it counts anew


def test_a_slow_one_is_not_stuck() -> None:
    watch = Watch()
    watch.watch("engine")
    for look in range(100):
        assert watch.look(*["engine"][: look % STUCK_LOOKS])
    assert not watch.said


def test_each_has_its_own_signs_of_life_and_its_own_patience() -> None:
    watch = Watch()
    for name, how in {"engine": {}, "output": {}, "control": {"looks": 10}}.items():
        watch.watch(name, **how)
    watch.look()
    assert watch.look("output", "control", looks=STUCK_LOOKS) and watch.begun == ["output"]
    assert watch.look("control", looks=10 - STUCK_LOOKS) and watch.begun == ["output", "control"]


def test_a_death_is_named() -> None:
    watch = Watch()
    for name in ("engine", "output"):
        watch.watch(name)
    watch.kill("engine")
    watch.threads["output"].alive = False
    assert watch.look()
    assert watch.said == [
        "the engine thread died: RuntimeError: a broken string; it is started again",
        "the output thread ended without a word; it is started again",
    ]
    assert watch.supervisor.deaths == 2


def test_the_third_death_in_a_minute_is_the_last_whosever_it_is() -> None:
    watch = Watch()
    for name in ("engine", "output"):
        watch.watch(name)
    for name in ("engine", "output"):
        watch.kill(name)
        assert watch.look(looks=200)
    watch.kill("engine")
    assert not watch.look()
    assert watch.said[-1].endswith("starting it again is no help any more") and watch.supervisor.deaths == DEATHS


def test_deaths_that_are_far_apart_are_forgiven() -> None:
    watch = Watch()
    watch.watch("engine")
    for _ in range(10):
        watch.kill("engine")
        assert watch.look(looks=round(WITHIN_S / LOOK_S / 1.9))
    assert len(watch.begun) == 10


def test_without_what_is_not_vital_the_music_goes_on() -> None:
    watch = Watch()
    watch.watch("engine")
    watch.watch("control", vital=False)
    for _ in range(DEATHS):
        watch.kill("control")
        assert watch.look(looks=2)
    assert watch.said[-1].endswith("starting it again is no help any more; the music goes on without it")
    assert watch.look("control", looks=100) and len(watch.said) == DEATHS  # nobody looks after it any more
    watch.kill("engine")
    assert watch.look()  # whose deaths are counted for themselves


def test_one_that_cannot_be_started_again_is_said() -> None:
    def refuse() -> None:
        raise OSError("the port is taken")

    for vital in (True, False):
        watch = Watch()
        watch.watch("control", vital=vital, again=refuse)
        watch.kill("control")
        assert watch.look() is not vital
        assert watch.said[0].endswith("a broken string, and cannot be started again: the port is taken")


def test_where_another_would_be_stuck_as_well_it_is_said_and_when_it_goes_on() -> None:
    watch = Watch()
    watch.watch("ports", looks=50, helpless="the server holds it up")
    watch.look()
    assert watch.look("ports", looks=49) and not watch.said
    assert watch.look("ports", looks=SAY_LOOKS) and watch.said == [
        "the ports thread is stuck: the server holds it up"
    ]
    assert watch.look("ports") and len(watch.said) == 2  # each minute
    assert watch.look(looks=5) and watch.said[2:] == ["the ports thread goes on"]
    watch.kill("ports")
    assert watch.look() and watch.begun == ["ports"]  # if it dies, another may well be of use
