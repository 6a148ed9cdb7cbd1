"""Augmented performances: the same notes, moved as asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.codec import Events, decode, encode, notes_array
from liveperf.conditioning import event_steps
from liveperf.events import MAGENTA, OORE, EventType, Vocabulary
from train.augment import augment, reach

rows = st.tuples(st.floats(0, 12), st.floats(0.01, 6), st.integers(40, 90), st.integers(1, 127))
performances = st.tuples(st.sampled_from([OORE, MAGENTA]), st.lists(rows, min_size=1, max_size=20)).map(
    lambda pair: (
        encode(notes_array([(t, t + d, p, v) for t, d, p, v in pair[1]]), pair[0]),
        pair[0],
    )
)


def assert_lawful(events: Events, vocabulary: Vocabulary) -> None:
    """As `encode` would have written it, but for the order of note-ons at one step."""
    again = encode(decode(events, vocabulary), vocabulary)
    first = vocabulary.first[EventType.VELOCITY]
    assert sorted(again[again < first]) == sorted(events[events < first])
    velocities = events[events >= first]
    assert np.all(np.diff(velocities) != 0)


@settings(deadline=None)
@given(performances, st.integers(-40, 37), st.integers(-31, 31))
def test_key_and_loudness(made: tuple[Events, Vocabulary], semitones: int, louder: int) -> None:
    events, vocabulary = made
    moved = augment(events, vocabulary, semitones=semitones, louder=louder)
    before, after = decode(events, vocabulary), decode(moved, vocabulary)
    np.testing.assert_array_equal(after["start"], before["start"])
    np.testing.assert_array_equal(after["end"], before["end"])
    np.testing.assert_array_equal(after["pitch"], before["pitch"] + semitones)
    bins = np.clip((before["velocity"] - 1) // 4 + 1 + louder, 1, 32)
    np.testing.assert_array_equal((after["velocity"] - 1) // 4 + 1, bins)
    assert_lawful(moved, vocabulary)


@settings(deadline=None)
@given(performances, st.floats(0.5, 2))
def test_tempo(made: tuple[Events, Vocabulary], stretch: float) -> None:
    events, vocabulary = made
    moved = augment(events, vocabulary, stretch=stretch)
    kinds = [[vocabulary.event(int(i)) for i in one] for one in (events, moved)]
    others = [[event for event in one if event.type is not EventType.TIME_SHIFT] for one in kinds]
    assert others[0] == others[1]  # every note, in the same order
    assert len(decode(moved, vocabulary)) == len(decode(events, vocabulary))
    first, last = vocabulary.first[EventType.TIME_SHIFT], vocabulary.max_shift
    is_other = (events < first) | (events >= first + last)
    was_other = (moved < first) | (moved >= first + last)
    old, new = event_steps(events, vocabulary)[is_other], event_steps(moved, vocabulary)[was_other]
    assert np.all((np.diff(old) > 0) == (np.diff(new) > 0))  # what was together is, and nothing else
    kept_apart = np.sum(np.diff(old) == 1)  # a single step cannot shrink
    assert np.all(np.abs(new - old * stretch) <= 1 + kept_apart)
    longest = first + last - 1
    shifts = (moved >= first) & (moved < first + last)
    inner = shifts[:-1] & shifts[1:]
    assert np.all(moved[:-1][inner] == longest)  # a rest is whole seconds, then what is left


@given(performances)
def test_nothing_asked_is_nothing_changed(made: tuple[Events, Vocabulary]) -> None:
    events, vocabulary = made
    np.testing.assert_array_equal(augment(events, vocabulary), events)


def test_the_reach_ends_at_the_keyboard() -> None:
    events = encode(notes_array([(0, 1, 1, 64), (0, 1, 120, 64)]), OORE)
    assert reach(events, 3) == (-1, 3)
    assert reach(events, 127) == (-1, 7)
    assert reach(np.array([256, 300]), 5) == (0, 0)


def test_beyond_the_keyboard_is_refused() -> None:
    with pytest.raises(ValueError, match="leave 0 to 127"):
        augment(np.array([0]), OORE, semitones=-1)


def test_only_time_is_left_as_it_is() -> None:
    np.testing.assert_array_equal(augment(np.array([300, 300]), OORE, stretch=1.04), [300, 300])
