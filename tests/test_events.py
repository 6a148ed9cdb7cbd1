"""The vocabulary: golden indices both ways, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.events import MAGENTA, OORE, Event, EventType, Vocabulary

GOLDEN = [
    (EventType.NOTE_ON, 0, 0),
    (EventType.NOTE_ON, 60, 60),
    (EventType.NOTE_ON, 127, 127),
    (EventType.NOTE_OFF, 0, 128),
    (EventType.NOTE_OFF, 72, 200),
    (EventType.NOTE_OFF, 127, 255),
    (EventType.TIME_SHIFT, 1, 256),
    (EventType.TIME_SHIFT, 125, 380),
    (EventType.VELOCITY, 1, 381),
    (EventType.VELOCITY, 32, 412),
]

vocabularies = st.builds(
    Vocabulary,
    steps_per_second=st.integers(1, 1000),
    max_shift=st.integers(1, 1000),
    velocity_bins=st.sampled_from([1, 2, 8, 16, 32, 64, 127]),
)


@pytest.mark.parametrize(("kind", "value", "index"), GOLDEN)
def test_golden_indices_both_ways(kind: EventType, value: int, index: int) -> None:
    assert OORE.index(Event(kind, value)) == index
    assert OORE.event(index) == Event(kind, value)


def test_sizes_are_those_that_were_published() -> None:
    assert OORE.size == 413
    assert MAGENTA.size == 388


def test_magenta_velocities_follow_its_shorter_time_shifts() -> None:
    assert MAGENTA.index(Event(EventType.TIME_SHIFT, 100)) == 355
    assert MAGENTA.index(Event(EventType.VELOCITY, 1)) == 356
    assert MAGENTA.event(387) == Event(EventType.VELOCITY, 32)


@settings(deadline=None)
@given(vocabularies)
def test_every_index_is_an_event_and_back(vocabulary: Vocabulary) -> None:
    assert len(vocabulary.events) == len(set(vocabulary.events)) == vocabulary.size
    assert [vocabulary.index(event) for event in vocabulary.events] == list(range(vocabulary.size))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (EventType.NOTE_ON, -1),
        (EventType.NOTE_ON, 128),
        (EventType.NOTE_OFF, 128),
        (EventType.TIME_SHIFT, 0),
        (EventType.VELOCITY, 0),
        (EventType.VELOCITY, 128),
    ],
)
def test_an_event_outside_its_range_is_not_born(kind: EventType, value: int) -> None:
    with pytest.raises(ValueError, match=f"{kind.value} {value} is outside"):
        Event(kind, value)


@pytest.mark.parametrize("index", [-1, 413])
def test_an_index_outside_the_vocabulary_raises(index: int) -> None:
    with pytest.raises(ValueError, match=f"{index} is outside 0 to 412"):
        OORE.event(index)


@pytest.mark.parametrize("event", [Event(EventType.TIME_SHIFT, 126), Event(EventType.VELOCITY, 33)])
def test_an_event_that_the_vocabulary_lacks_raises(event: Event) -> None:
    with pytest.raises(ValueError, match="is not in Vocabulary"):
        OORE.index(event)


@pytest.mark.parametrize(
    "fields",
    [
        {"steps_per_second": 0},
        {"steps_per_second": 1001},
        {"max_shift": 0},
        {"max_shift": 1001},
        {"velocity_bins": 0},
        {"velocity_bins": 128},
    ],
)
def test_a_vocabulary_out_of_bounds_is_not_born(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="are 1 to"):
        Vocabulary(**fields)


@settings(deadline=None)
@given(vocabularies)
def test_a_bin_decodes_to_a_velocity_of_its_own(vocabulary: Vocabulary) -> None:
    bins = range(1, vocabulary.velocity_bins + 1)
    assert [vocabulary.bin_of(vocabulary.velocity_of(b)) for b in bins] == list(bins)


def test_every_velocity_is_in_a_bin_and_comes_back_near() -> None:
    assert [OORE.bin_of(velocity) for velocity in (1, 4, 5, 124, 125, 127)] == [1, 1, 2, 31, 32, 32]
    back = [OORE.velocity_of(OORE.bin_of(velocity)) for velocity in range(1, 128)]
    assert all(abs(there - velocity) <= 2 for velocity, there in enumerate(back, start=1))


def test_decoding_to_the_middle_does_not_make_it_softer() -> None:
    change = [OORE.velocity_of(OORE.bin_of(velocity)) - velocity for velocity in range(1, 125)]
    assert sum(change) / len(change) == 0.5  # to the lower edge it would be -1.5


def test_steps_are_the_nearest() -> None:
    assert (OORE.steps(1.0), OORE.steps(0.0119), OORE.steps(0.0121)) == (125, 1, 2)
    assert MAGENTA.steps(0.5) == 50
