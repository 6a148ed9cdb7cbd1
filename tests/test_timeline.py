"""Steps and seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.timeline import Timeline

timelines = st.builds(Timeline, st.floats(0, 1e6), st.sampled_from([50, 100, 125]))
steps = st.integers(0, 10_000_000)


@given(timelines, steps)
def test_a_step_is_found_again_at_its_time(timeline: Timeline, step: int) -> None:
    assert timeline.step_at(timeline.time_of(step)) == step


@given(timelines, steps, st.floats(0.001, 0.999))
def test_between_two_steps_the_earlier_counts(timeline: Timeline, step: int, part: float) -> None:
    assert timeline.step_at(timeline.time_of(step) + part / timeline.rate) == step


@given(timelines, steps, st.floats(0, 100))
def test_a_delay_moves_every_step(timeline: Timeline, step: int, seconds: float) -> None:
    moved = timeline.delayed(seconds)
    assert moved.time_of(step) == pytest.approx(timeline.time_of(step) + seconds, abs=1e-6)
    assert moved.rate == timeline.rate


def test_time_does_not_drift() -> None:
    day = 24 * 60 * 60
    assert Timeline(1000.0, 125).time_of(day * 125) == 1000.0 + day


def test_before_the_origin_steps_are_negative() -> None:
    assert Timeline(10.0, 100).step_at(9.995) == -1
