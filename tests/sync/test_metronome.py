"""Steps on the beats of a clock, in virtual time: what is changed meanwhile, held up, or moved by transport."""

from __future__ import annotations

from itertools import pairwise

import pytest

from liveperf.params import Params
from liveperf.sync.metronome import Metronome
from tests.clockwork import Faults, Tempo, steady

ZERO, RATE, LEAD_S = 987_654.25, 125.0, 0.005
JITTER = Faults(jitter_s=0.002)


class Follower:
    """A metronome, and who closes the steps when their time has come, as the engine does."""

    def __init__(self, **params: float) -> None:
        self.params = Params(**params)  # type: ignore[arg-type]
        self.metronome, self.step, self.now = Metronome(ZERO, RATE, self.params), 0, ZERO
        self.closed: list[float] = [ZERO]  # when each step was

    def until(self, at_s: float) -> None:
        """Let time pass."""
        timeline = self.metronome.timeline
        while timeline.time_of(self.step + 1) <= at_s + LEAD_S:
            self.step += 1
            self.closed.append(timeline.time_of(self.step))
        self.now = at_s

    def hear(self, kind: str, at_s: float, sixteenths: int = 0) -> None:
        self.until(at_s)
        self.metronome.receive(kind, at_s, self.step, sixteenths)

    def clock(self, tempo: Tempo, seconds: float, faults: Faults = JITTER, begin: float | None = None) -> None:
        """A clock runs; its first tick is now."""
        begin = self.now if begin is None else begin
        for at, _ in faults.apply(tempo.times(seconds), seed=1):
            self.hear("clock", begin + at)
        self.until(begin + seconds)

    def change(self, **params: float) -> None:
        self.params = self.params.replace(**params)
        self.metronome.set_params(self.params, self.step)

    def pace(self, seconds: float, at_s: float) -> float:
        """Steps a second in the time before."""
        return sum(at_s - seconds < one <= at_s for one in self.closed) / seconds

    def off_beat_s(self) -> float:
        """How far from the clock's beats those are that are told in steps; a beat of the clock is now."""
        beats, timeline = self.metronome.beats, self.metronome.timeline
        position = timeline.position_at(self.now)
        return abs(timeline.time_of(beats.first + beats.length * round(beats.number(position + 1))) - self.now)


@pytest.mark.parametrize(
    ("changed", "expected"), [({"speed": 2.0}, 2.0), ({"reference_bpm": 60.0}, 2.0), ({"speed": 0.25}, 0.25)]
)
def test_what_is_changed_while_a_clock_is_followed_counts_from_there_on_and_on_the_beat(
    changed: dict[str, float], expected: float
) -> None:
    follower = Follower()
    follower.clock(steady(120), 10)
    assert follower.pace(4, follower.now) == pytest.approx(RATE, rel=0.01)
    before = [follower.metronome.timeline.time_of(follower.step - n) for n in range(3)]
    follower.change(**changed)
    assert follower.metronome.timeline.time_of(follower.step) == pytest.approx(before[0], abs=1e-6)
    follower.clock(steady(120), 10)
    assert follower.pace(8, follower.now) == pytest.approx(RATE * expected, rel=0.01)
    assert follower.metronome.beats.length == pytest.approx(RATE / 2 * expected)
    assert follower.off_beat_s() < 0.012
    assert all(0 < b - a < 0.05 for a, b in pairwise(follower.closed))


@pytest.mark.parametrize("late_s", [0.07, 0.5, 3.1])
def test_after_it_was_held_up_the_music_comes_back_to_the_beat_without_hurrying_for_bars(late_s: float) -> None:
    follower = Follower()
    follower.clock(steady(120), 10)
    follower.metronome.delay(late_s, follower.now)
    step, begin = follower.step, follower.now
    follower.clock(steady(120), 20)
    assert follower.off_beat_s() < 0.012
    missed = 20 - (follower.step - step) / RATE
    assert missed == pytest.approx(2 * round(late_s / 2), abs=0.05)  # whole bars; the rest is made up for
    assert all(a < b for a, b in pairwise(follower.closed)) and follower.pace(1, begin + 20) < 1.11 * RATE


def test_a_song_position_and_a_continue_in_mid_bar_say_which_beat_it_is() -> None:
    follower = Follower()
    follower.hear("start", ZERO)
    follower.clock(steady(120), 5)  # ten beats
    assert follower.metronome.beats.number(follower.step + 1) == 10
    follower.hear("stop", follower.now)
    follower.clock(steady(120), 1)
    follower.hear("songpos", follower.now, 26)  # beat 6.5
    follower.hear("continue", follower.now)
    begin = follower.now
    follower.clock(steady(120), 2, Faults())
    beats, timeline = follower.metronome.beats, follower.metronome.timeline
    for seconds in (0.3, 1.3):
        assert beats.number(timeline.position_at(begin + seconds)) == int(6.5 + 2 * seconds)
    assert timeline.time_of(beats.next(round(timeline.position_at(begin + 0.1)))) == pytest.approx(
        begin + 0.25, abs=0.02
    )
    follower.hear("songpos", follower.now, 64)  # while it runs
    follower.clock(steady(120), 1, Faults())
    assert follower.metronome.beats.number(follower.step + 1) == 18


@pytest.mark.parametrize(
    ("tempo", "most"), [(steady(120), 0.08), (steady(60, (4, 180, 8)), 0.13), (steady(180, (4, 60, 8)), 0.13)]
)
def test_steps_are_even_under_jitter_and_ramps(tempo: Tempo, most: float) -> None:
    """From one step to the next no more than that part off what the true tempo asks for."""
    follower = Follower()
    follower.clock(tempo, 16)
    for a, b in pairwise(follower.closed):
        if ZERO + 3 < a < ZERO + 16 - 0.1:
            asked = 120 / tempo.bpm_at(a - ZERO) / RATE
            assert abs((b - a) / asked - 1) < most, a - ZERO
