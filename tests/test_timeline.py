"""Steps, beats and seconds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.timeline import SETTLE_S, STRETCH, Tie, Timeline, steps_per_beat

timelines = st.builds(Timeline, st.floats(0, 1e6), st.sampled_from([50, 100, 125]))
steps = st.integers(0, 10_000_000)
rates = st.floats(10, 500)
bent = st.builds(Timeline, st.floats(0, 1000), rates, st.floats(-1e4, 1e4), st.floats(0, 3), rates)
ties = st.builds(Tie, st.integers(0, 100_000), st.floats(0, 1000), st.floats(10, 1000))


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


@given(bent, st.floats(-100, 1100), st.floats(0, 100))
def test_a_delay_moves_a_bend_too(timeline: Timeline, at: float, seconds: float) -> None:
    assert timeline.delayed(seconds).position_at(at + seconds) == pytest.approx(timeline.position_at(at), abs=1e-6)


def test_time_does_not_drift() -> None:
    day = 24 * 60 * 60
    assert Timeline(1000.0, 125).time_of(day * 125) == 1000.0 + day


def test_before_the_origin_steps_are_negative() -> None:
    assert Timeline(10.0, 100).step_at(9.995) == -1


@given(bent, st.floats(-100, 1100))
def test_positions_and_times_are_inverse_to_each_other(timeline: Timeline, at: float) -> None:
    assert timeline.time_of(timeline.position_at(at)) == pytest.approx(at, abs=1e-6)


@given(bent, st.floats(-100, 1100), st.floats(1e-6, 10))
def test_positions_never_go_back(timeline: Timeline, at: float, later: float) -> None:
    assert timeline.position_at(at + later) > timeline.position_at(at)


@pytest.mark.parametrize("rates", [(0.0, 0.0, 1.0), (-1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (1.0, -1.0, 1.0)])
def test_a_timeline_that_would_not_run_forward_is_refused(rates: tuple[float, float, float]) -> None:
    rate, settle_s, settle_rate = rates
    with pytest.raises(ValueError, match="runs forward"):
        Timeline(0, rate, 0, settle_s, settle_rate)


@given(bent, steps, rates)
def test_a_new_rate_counts_from_a_step_on(timeline: Timeline, step: int, rate: float) -> None:
    changed = timeline.at_rate(rate, step)
    assert changed.time_of(step) == timeline.time_of(step)
    assert changed.time_of(step + 10) - changed.time_of(step) == pytest.approx(10 / rate, abs=1e-6)


@given(bent, bent, st.floats(0, 1000))
def test_toward_a_target_there_is_no_jump_and_no_way_back(timeline: Timeline, target: Timeline, at: float) -> None:
    new = timeline.toward(target, at)
    assert new.position_at(at) == pytest.approx(timeline.position_at(at), abs=1e-6)
    slowest, fastest = sorted((target.rate, target.settle_rate if target.settle_s else target.rate))
    assert (1 - STRETCH) * slowest * 0.999 <= new.settle_rate <= (1 + STRETCH) * fastest * 1.001 or (
        target.settle_s and at < target.origin_s + target.settle_s
    )
    end = new.origin_s + new.settle_s
    for later in (0.0, 0.1, 100.0):
        assert new.late_s(target, end + later) == pytest.approx(0, abs=1e-6)
    assert new.rate == target.rate


@given(st.floats(-0.5, 0.5), rates)
def test_an_error_is_worked_off_in_the_time_that_is_stated(late_s: float, rate: float) -> None:
    target = Timeline(100.0, rate)
    new = target.delayed(late_s).toward(target, 200.0)
    assert new.settle_s == pytest.approx(max(SETTLE_S, abs(late_s) / STRETCH))
    assert new.late_s(target, 200.0) == pytest.approx(late_s, abs=1e-6)
    assert new.late_s(target, 200.0 + new.settle_s / 2) == pytest.approx(late_s / 2, abs=1e-6)
    assert rate * (1 - STRETCH) * 0.999 <= new.settle_rate <= rate * (1 + STRETCH) * 1.001


@given(bent, bent, st.lists(st.floats(0.001, 0.5), max_size=30))
def test_to_aim_again_changes_nothing_much(timeline: Timeline, target: Timeline, waits: list[float]) -> None:
    straight = Timeline(target.origin_s, target.rate, target.origin)
    now = 10.0
    errors = []
    for wait in [0.0, *waits]:
        now += wait
        timeline = timeline.toward(straight, now)
        errors.append(abs(timeline.late_s(straight, now)))
    assert all(b <= a + 1e-6 for a, b in itertools.pairwise(errors))


@given(ties, st.floats(0, 1000), bent)
def test_a_tie_maps_beats_to_steps(tie: Tie, beat: float, beats: Timeline) -> None:
    assert tie.beat_of(tie.step_of(beat)) == pytest.approx(beat, abs=1e-6)
    target = tie.steps(beats)
    assert target.time_of(tie.step_of(beat)) == pytest.approx(beats.time_of(beat), abs=1e-6)


@given(ties, st.floats(0, 1000))
def test_a_whole_step_can_be_tied_to_a_beat(tie: Tie, beat: float) -> None:
    whole = tie.whole(beat)
    assert whole.step_of(beat) == round(tie.step_of(beat))
    assert whole.steps_per_beat == tie.steps_per_beat


@given(ties, steps, st.floats(10, 1000))
def test_at_another_speed_nothing_jumps(tie: Tie, step: int, ratio: float) -> None:
    changed = tie.at_ratio(ratio, step)
    assert changed.beat_of(step) == tie.beat_of(step)
    assert changed.step_of(changed.beat_of(step) + 1) == pytest.approx(step + ratio, abs=1e-5)


@given(ties, st.floats(-1000, 1000))
def test_after_an_interruption_the_music_goes_on_in_the_nearest_bar(tie: Tie, late_s: float) -> None:
    beats = Timeline(50.0, 2.0)
    timeline = tie.steps(beats).delayed(late_s)
    nearest = tie.nearest(timeline, beats, 500.0)
    assert abs(timeline.late_s(nearest.steps(beats), 500.0)) <= 1 + 1e-6  # half a bar of 2 s
    bars = (nearest.beat - tie.beat) / 4
    assert bars == pytest.approx(round(bars), abs=1e-6)


@pytest.mark.parametrize(
    ("reference", "speed", "expected"), [(120, 1, 62.5), (60, 1, 125), (120, 2, 125), (240, 0.5, 15.625)]
)
def test_the_reference_tempo_plays_at_its_own_speed(reference: float, speed: float, expected: float) -> None:
    assert steps_per_beat(125, reference, speed) == expected
    beats = Timeline(0.0, reference / 60)
    assert Tie(0, 0, expected).steps(beats).rate == pytest.approx(125 * speed)
