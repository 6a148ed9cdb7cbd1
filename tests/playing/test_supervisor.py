"""What is noticed of threads that die or are stuck, and how often they are started again."""

from __future__ import annotations

from dataclasses import dataclass

from liveperf.playing.supervisor import DEATHS, LOOK_S, STUCK_LOOKS, WITHIN_S, Supervisor


@dataclass
class Thread:
    """A thread as it looks from outside."""

    beats: int = 0
    failure: Exception | None = None
    alive: bool = True


def test_one_that_lives_is_left_alone() -> None:
    supervisor, thread = Supervisor(), Thread()
    for _ in range(100):
        thread.beats += 1
        assert supervisor.look("engine", thread) is None


def test_one_that_is_stuck_is_noticed_in_half_a_second() -> None:
    supervisor, thread = Supervisor(), Thread(beats=7)
    supervisor.look("engine", thread)
    looks = 1
    while supervisor.look("engine", thread) is None:
        looks += 1
    assert supervisor.look("engine", thread) == "is stuck"
    assert looks == STUCK_LOOKS and (looks + 1) * LOOK_S <= 0.5 + 1e-9  # it may be stuck just after a look


def test_a_slow_one_is_not_stuck() -> None:
    supervisor, thread = Supervisor(), Thread()
    for look in range(100):
        thread.beats += look % STUCK_LOOKS == 0
        assert supervisor.look("engine", thread) is None


def test_each_has_its_own_signs_of_life() -> None:
    supervisor, stuck, well = Supervisor(), Thread(), Thread()
    for _ in range(STUCK_LOOKS):
        well.beats += 1
        assert supervisor.look("output", stuck) is None
        assert supervisor.look("engine", well) is None
    assert supervisor.look("output", stuck) == "is stuck"


def test_a_death_is_named() -> None:
    supervisor = Supervisor()
    assert supervisor.look("engine", Thread(failure=RuntimeError("a broken string"), alive=False)) == (
        "died: RuntimeError: a broken string"
    )
    assert supervisor.look("engine", Thread(alive=False)) == "ended without a word"


def test_after_a_restart_it_counts_anew() -> None:
    supervisor, thread = Supervisor(), Thread()
    for _ in range(STUCK_LOOKS + 1):
        supervisor.look("engine", thread)
    assert supervisor.restarts("engine", 0.0)
    assert supervisor.look("engine", Thread()) is None


def test_the_third_death_in_a_minute_is_the_last() -> None:
    supervisor = Supervisor()
    assert [supervisor.restarts("engine", at) for at in (0.0, 20.0)] == [True, True]
    assert not supervisor.restarts("output", 50.0)
    assert supervisor.deaths == DEATHS


def test_deaths_that_are_far_apart_are_forgiven() -> None:
    supervisor = Supervisor()
    assert all(supervisor.restarts("engine", count * WITHIN_S / 1.9) for count in range(50))
