"""Sampling: never outside the limits, and the two knobs do what their names say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveperf.events import MAGENTA, OORE, EventType, Vocabulary
from liveperf.sampling import Limits, Sampler

ON, OFF, SHIFT, VELOCITY = EventType
SMALL = Vocabulary(steps_per_second=10, max_shift=4, velocity_bins=4)
ALMOST_ONE = 1 - 2.0**-53
FOUR = (0.5, 0.3, 0.15, 0.05)

vocabularies = st.sampled_from([OORE, MAGENTA, SMALL])
pitches = st.integers(0, 127)
chances = st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 0.999999, ALMOST_ONE]))
pitch_ranges = st.tuples(pitches, pitches).map(lambda pair: (min(pair), max(pair)))


@st.composite
def some_limits(draw: st.DrawFn, vocabulary: Vocabulary) -> Limits:
    shifts = st.integers(1, vocabulary.max_shift)
    return Limits(
        notes_on=draw(st.none() | pitch_ranges),
        taken=tuple(draw(st.one_of(st.lists(pitches, unique=True), st.just(list(range(128)))))),
        notes_off=tuple(draw(st.lists(pitches, unique=True, max_size=10))),
        velocity=draw(st.none() | st.integers(0, vocabulary.velocity_bins)),
        shifts=draw(st.none() | st.tuples(shifts, shifts).map(lambda pair: (min(pair), max(pair)))),
        only_notes_on=draw(st.booleans()),
    )


@st.composite
def any_logits(draw: st.DrawFn, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Of any size, some of them infinite."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = random.normal(0, draw(st.sampled_from([0.0, 1.0, 30.0, 1e38])), vocabulary.size)
    share = draw(st.sampled_from([0.0, 0.5, 1.0]))
    for value in draw(st.sampled_from([(), (-np.inf,), (np.inf,), (np.inf, -np.inf)])):
        logits[random.random(vocabulary.size) < share] = value
    with np.errstate(over="ignore"):
        return logits.astype(np.float32)


def is_allowed(index: int, limits: Limits, vocabulary: Vocabulary) -> bool:
    """The rules, one by one."""
    event = vocabulary.event(index)
    low, high = limits.notes_on or (1, 0)
    may_start = {pitch for pitch in range(low, high + 1) if pitch not in limits.taken}
    if event.type is ON:
        return event.value in may_start
    if may_start and limits.only_notes_on:
        return False
    if event.type is OFF:
        return event.value in limits.notes_off
    if event.type is VELOCITY:
        return bool(may_start) and limits.velocity is not None and event.value != limits.velocity
    if limits.shifts is None:
        return not may_start and event.value == 1
    return limits.shifts[0] <= event.value <= limits.shifts[1]


@settings(max_examples=300)
@given(st.data(), vocabularies, st.floats(0.1, 2), st.floats(0.1, 1), chances)
def test_nothing_outside_the_limits_is_chosen(
    data: st.DataObject, vocabulary: Vocabulary, temperature: float, top_p: float, chance: float
) -> None:
    limits = data.draw(some_limits(vocabulary))
    logits = data.draw(any_logits(vocabulary))
    with np.errstate(invalid="ignore"):
        index = Sampler(vocabulary).sample(logits, temperature, top_p, chance, limits)
    assert is_allowed(index, limits, vocabulary)


@given(st.data(), vocabularies)
def test_all_that_is_within_the_limits_may_be_chosen(data: st.DataObject, vocabulary: Vocabulary) -> None:
    limits = data.draw(some_limits(vocabulary))
    expected = [index for index in range(vocabulary.size) if is_allowed(index, limits, vocabulary)]
    assert Sampler(vocabulary).allowed(limits).tolist() == expected
    assert expected


def test_where_no_note_may_start_time_passes() -> None:
    sampler = Sampler(SMALL)
    full = Limits(notes_on=(60, 61), taken=(60, 61), velocity=1, only_notes_on=True)
    one_step = SMALL.first[SHIFT]
    assert sampler.allowed(full).tolist() == sampler.allowed(Limits()).tolist() == [one_step]


def drawn(chance: float, temperature: float = 1.0, top_p: float = 1.0, odds: Any = FOUR) -> int:
    """Which of the four lowest keys, whose probabilities are `odds`."""
    logits = np.full(OORE.size, 50.0, np.float32)  # the rest is likely, and not allowed
    logits[: len(odds)] = np.log(odds)
    return Sampler(OORE).sample(logits, temperature, top_p, chance, Limits(notes_on=(0, len(odds) - 1)))


@pytest.mark.parametrize("top_p", [1.0, 0.9999])
def test_a_chance_falls_on_each_event_by_its_probability(top_p: float) -> None:
    drawn_at = [drawn(chance, top_p=top_p) for chance in (0.0, 0.49, 0.51, 0.79, 0.81, 0.94, 0.96, ALMOST_ONE)]
    assert drawn_at == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("top_p", [1.0, 0.9999])
def test_no_chance_falls_on_what_cannot_be(top_p: float) -> None:
    with np.errstate(divide="ignore"):
        assert drawn(0.0, top_p=top_p, odds=(0.0, 0.4, 0.0, 0.6)) == (1 if top_p == 1 else 3)
        assert drawn(ALMOST_ONE, top_p=top_p, odds=(0.4, 0.0, 0.6, 0.0)) == (2 if top_p == 1 else 0)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.1, 1), (0.499, 1), (0.501, 2), (0.799, 2), (0.801, 3), (0.949, 3), (0.951, 4), (1.0, 4)]
)
def test_top_p_keeps_the_fewest_likeliest_that_make_it_up(top_p: float, kept: int) -> None:
    chances = np.linspace(0, ALMOST_ONE, 1000).tolist()
    assert {drawn(chance, top_p=top_p) for chance in chances} == set(range(kept))
    assert drawn(0.999999, top_p=top_p) == kept - 1


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20), st.floats(0.1, 1), st.floats(0.2, 2), chances)
def test_what_top_p_cuts_off_is_never_chosen(
    logits: list[float], top_p: float, temperature: float, chance: float
) -> None:
    odds = np.exp(logits)
    sharpened = odds ** (1 / temperature)
    sharpened /= sharpened.sum()
    chosen = drawn(chance, temperature, top_p, odds)
    likelier = sharpened[sharpened > sharpened[chosen] * (1 + 1e-5)].sum()
    assert likelier < top_p + 1e-5


@pytest.mark.parametrize(("temperature", "share"), [(0.5, 0.64 / 0.68), (1.0, 0.8), (2.0, 2 / 3)])
def test_temperature_sharpens_and_flattens(temperature: float, share: float) -> None:
    assert drawn(share - 0.001, temperature, odds=(0.8, 0.2)) == 0
    assert drawn(share + 0.001, temperature, odds=(0.8, 0.2)) == 1


def test_logits_are_left_as_they_are() -> None:
    logits = np.zeros(OORE.size, np.float32)
    logits.flags.writeable = False
    Sampler(OORE).sample(logits, 1.0, 0.9, 0.5, Limits(notes_on=(0, 127)))
