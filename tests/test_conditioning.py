"""Density and pitch classes: by brute force, and where they lie in the control vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.codec import Events, encode, notes_array
from liveperf.conditioning import PITCH_CLASSES, PRIOR, Conditioning, event_steps
from liveperf.events import MAGENTA, OORE, EventType, Vocabulary

rows = st.tuples(st.floats(0, 12), st.floats(0.01, 6), st.integers(58, 75), st.integers(1, 127))
performances = st.lists(rows, min_size=1, max_size=12).map(
    lambda notes: encode(notes_array([(t, t + d, p, v) for t, d, p, v in notes]), OORE)
)


def roll(events: Events, vocabulary: Vocabulary) -> tuple[list[int], list[int], list[tuple[int, int, int]]]:
    """By hand: the step of each event, the steps of the note-ons, the notes as (start, end, pitch)."""
    step, steps, onsets = 0, [], []
    sounding: dict[int, int] = {}
    notes = []
    for event in (vocabulary.event(int(index)) for index in events):
        if event.type is EventType.TIME_SHIFT:
            step += event.value
        elif event.type is EventType.NOTE_ON:
            onsets.append(step)
            sounding[event.value] = step
        elif event.type is EventType.NOTE_OFF:
            notes.append((sounding.pop(event.value), step, event.value))
        steps.append(step)
    return steps, onsets, notes


@settings(deadline=None)
@given(performances)
def test_steps_lie_where_a_walk_through_the_events_puts_them(events: Events) -> None:
    assert event_steps(events, OORE).tolist() == roll(events, OORE)[0]


@settings(deadline=None)
@given(performances)
def test_density_counts_the_notes_of_the_coming_three_seconds(events: Events) -> None:
    steps, onsets, _ = roll(events, OORE)
    measured, _ = Conditioning().measure(events, OORE)
    for step, found in zip(steps, measured, strict=True):
        density = sum(step <= onset < step + 3 * 125 for onset in onsets) / 3
        assert found == pytest.approx(density)


@settings(deadline=None)
@given(performances)
def test_the_histogram_weighs_pitch_classes_by_duration_in_the_coming_five_seconds(events: Events) -> None:
    steps, _, notes = roll(events, OORE)
    _, measured = Conditioning().measure(events, OORE)
    for step, found in zip(steps, measured, strict=True):
        weights = np.full(PITCH_CLASSES, PRIOR)
        for start, end, pitch in notes:
            weights[pitch % 12] += max(0, min(end, step + 5 * 125) - max(start, step)) / 125
        np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-5)


@settings(deadline=None)
@given(performances)
def test_values_change_only_after_a_time_shift(events: Events) -> None:
    density, histogram = Conditioning().measure(events, OORE)
    first = OORE.first[EventType.TIME_SHIFT]
    for i in range(1, len(events)):
        if not first <= events[i] < first + OORE.max_shift:
            assert density[i] == density[i - 1]
            np.testing.assert_array_equal(histogram[i], histogram[i - 1])


def test_windows_are_in_the_seconds_of_the_vocabulary() -> None:
    notes = notes_array([(0, 0.2, 60, 64), (2.8, 3.0, 61, 64), (3.0, 3.2, 62, 64), (4.8, 5.4, 62, 64)])
    for vocabulary in (OORE, MAGENTA):
        conditioning = Conditioning()
        density, histogram = conditioning.measure(encode(notes, vocabulary), vocabulary)
        assert density[0] == pytest.approx(2 / 3)  # two notes in three seconds
        np.testing.assert_allclose(histogram[0, :3], np.array([0.21, 0.21, 0.41]) / (0.12 + 0.8), rtol=1e-5)


def test_a_note_that_is_never_ended_counts_to_the_end_of_the_window() -> None:
    _, histogram = Conditioning().measure(np.array([60]), OORE)
    np.testing.assert_allclose(histogram[0, 0], 5.01 / 5.12, atol=1e-6)


def test_the_vector_is_density_then_pitch_classes_each_with_a_bit_for_off() -> None:
    conditioning = Conditioning()
    assert conditioning.size == 22
    off = conditioning.off
    assert off.dtype == np.float32
    assert off.shape == (22,)
    assert np.flatnonzero(off).tolist() == [0, 9]
    told = conditioning.vector(density=4.0, weights=(1, *[0] * 11))
    assert np.flatnonzero(told[:10]).tolist() == [4]  # the fourth knot: 0.5, 1, 2, 4
    assert told[10:].sum() == pytest.approx(1, abs=1e-6)
    assert told[10] > 0.8


@pytest.mark.parametrize(
    ("density", "place"), [(0.1, 1), (0.5, 1), (1, 2), (2, 3), (2 * 2**0.25, 3.25), (32, 7), (64, 8), (1000, 8)]
)
def test_a_density_is_shared_between_the_knots_around_it(density: float, place: float) -> None:
    vector = Conditioning().vector(density)
    assert vector[1:9].sum() == pytest.approx(1)
    assert (vector[1:9] * np.arange(1, 9)).sum() == pytest.approx(place, abs=1e-6)
    assert np.count_nonzero(vector[1:9]) == (1 if place == int(place) else 2)
    assert vector[0] == 0
    assert vector[9] == 1


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 11, 12, 96, 250])
def test_a_density_told_is_the_same_density_measured(count: int) -> None:
    conditioning = Conditioning()
    notes = notes_array([(i * 2.9 / count, i * 2.9 / count + 0.05, i % 128, 64) for i in range(count)])
    density, histogram = conditioning.measure(encode(notes, OORE), OORE)
    measured = conditioning.vectors(1, density[:1], histogram[:1])[0]
    np.testing.assert_allclose(conditioning.vector(count / 3)[:9], measured[:9], atol=1e-5)


@pytest.mark.parametrize("knots", [(), (1,), (2, 1), (1, 1), (0, 1), (-1, 2)])
def test_knots_rise_from_above_zero(knots: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="density knots"):
        Conditioning(density_knots=knots)


@pytest.mark.parametrize("count", [1, 11, 13])
def test_pitch_classes_are_twelve_or_none(count: int) -> None:
    with pytest.raises(ValueError, match="12 pitch-class weights"):
        Conditioning().vector(weights=(1.0,) * count)


def test_weights_told_are_normalised_as_measured_ones_are() -> None:
    told = Conditioning().vector(weights=tuple(range(12)))
    expected = (np.arange(12) + PRIOR) / (66 + 12 * PRIOR)
    np.testing.assert_allclose(told[10:], expected, rtol=1e-5)
    assert np.flatnonzero(told[:10]).tolist() == [0]


def test_no_weight_at_all_is_off() -> None:
    np.testing.assert_array_equal(Conditioning().vector(weights=(0.0,) * 12), Conditioning().off)


def test_metadata_is_enough_to_build_it_again() -> None:
    metadata = Conditioning().as_metadata()
    again = Conditioning(
        tuple(metadata["density_knots"]), metadata["density_window_s"], metadata["histogram_window_s"]
    )
    assert again == Conditioning()
    assert metadata["size"] == 22
    assert metadata["off"] == Conditioning().off.tolist()
