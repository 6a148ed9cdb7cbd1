"""Performances beside real ones: what is alike is, and silence, loops and strange music show."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from liveperf.codec import NOTE, Notes, notes_array
from train.compare import Comparison, compare, draw, rounded
from train.listen import MEASURES, Performance, whole


def music(seed: int, seconds: float = 400.0, rate: float = 6.0) -> Performance:
    """Random notes of a random piece."""
    random = np.random.default_rng(seed)
    count = int(seconds * rate)
    start = np.sort(random.uniform(0, seconds - 2, count))
    pitch, velocity = random.integers(40, 90, count), random.integers(30, 100, count)
    rows = zip(start, start + random.exponential(0.4, count) + 0.01, pitch, velocity, strict=True)
    return Performance(notes_array(list(rows)), 0.0, seconds)


def played(notes: Notes, seconds: float = 300.0) -> Performance:
    """What was generated."""
    return Performance(notes, 0.0, seconds)


def plain(comparison: Comparison) -> dict[str, object]:
    """Strict JSON, or an error."""
    values: dict[str, object] = json.loads(json.dumps(comparison.as_json(), allow_nan=False))
    return values


REAL = [music(seed) for seed in range(8)]
GENERATED = [music(100 + seed, 300.0) for seed in range(3)]


def test_a_corpus_against_itself_is_at_no_distance() -> None:
    same = [music(1)] * 4
    found = compare([same[0].between(0, 400)] * 2, same)
    assert [one.generated for one in found.likenesses] == pytest.approx([0] * len(MEASURES), abs=1e-12)
    assert found.distance == pytest.approx(0, abs=1e-12) and found.ceiling == pytest.approx(0, abs=1e-12)
    for one in found.likenesses:
        assert one.generated_median == one.real_median


def test_music_of_the_same_kind_comes_close_to_the_ceiling() -> None:
    found = compare(GENERATED, REAL)
    assert found.ceiling is not None
    assert found.distance < 2 * found.ceiling < 0.1
    assert (found.generated, found.generated_s, found.excerpts, found.excerpts_s) == (3, 300, 3, 300)
    for one in found.likenesses:
        assert one.generated_bins.sum() == pytest.approx(1) and one.real_bins.sum() == pytest.approx(1)
        assert len(one.ceiling) == len(one.excerpt_bins) > 1
    other = compare([music(7, 300.0, rate=30)], REAL)
    assert other.distance > 4 * found.distance
    assert {one.measure.name: one for one in other.likenesses}["notes per second"].generated > 0.8


def test_the_same_seed_gives_the_same_comparison() -> None:
    assert plain(compare(GENERATED, REAL, seed=3)) == plain(compare(GENERATED, REAL, seed=3))
    assert plain(compare(GENERATED, REAL, seed=3)) != plain(compare(GENERATED, REAL, seed=4))


def test_falling_silent_shows() -> None:
    notes = music(5, 300.0).notes
    found = compare([played(notes[notes["end"] < 100])], REAL)
    early, late = found.drift[30][0], found.drift[300][0]
    assert early.silent == 0 and early.notes_per_second == pytest.approx(6, abs=1)
    assert (late.silent, late.notes_per_second, late.polyphony) == (1, 0, 0)
    assert late.velocity is None and late.repetition is None
    assert early.distance is not None and late.distance is not None and late.distance > 0.9 > 0.3 > early.distance
    assert found.drift[300][1].silent == 0
    plain(found)


def test_falling_into_a_loop_shows() -> None:
    notes = music(5, 300.0).notes
    pitches = [60, 64, 67, 72] * 200
    loop = notes_array([(200 + i / 8, 200 + (i + 1) / 8, pitch, 64) for i, pitch in enumerate(pitches)])
    found = compare([played(np.concatenate((notes[notes["end"] < 200], loop)))] * 2, REAL)
    early, late = found.drift[60][0], found.drift[300][0]
    assert (early.looping, early.repetition) == (0, 0) and (late.looping, late.repetition) == (1, 1)
    assert early.distance is not None and late.distance is not None and late.distance > 2 * early.distance
    own, real = found.repetition
    assert own is not None and own > 0.3 and real == 0


def test_a_window_counts_by_hand() -> None:
    rows = [(float(second), second + 0.5, 60 + second % 2, 50 + second % 2) for second in range(40)]
    notes = notes_array(rows)
    window = compare([played(notes, 60), played(np.zeros(0, NOTE), 60)], REAL).drift[60][0]
    assert window.performances == 2
    assert window.notes_per_second == pytest.approx(10 / 60)  # until 40 s, in one of two
    assert window.velocity == pytest.approx(50.5)
    assert window.polyphony == pytest.approx(5 / 60)
    assert (window.silent, window.looping) == (0.5, 0.5)


def test_nothing_played_at_all() -> None:
    found = compare([played(np.zeros(0, NOTE))] * 2, REAL)
    by_name = {one.measure.name: one for one in found.likenesses}
    assert by_name["durations"].generated == 1 and by_name["durations"].generated_median is None
    assert by_name["polyphony"].generated_median == 0
    assert found.distance > 0.9 and found.repetition[0] is None
    plain(found)


def test_a_single_short_piece() -> None:
    found = compare(GENERATED, [music(1, 12.0)])
    assert found.ceiling is None and all(one.ceiling == () for one in found.likenesses)
    assert found.excerpts == 1 and found.excerpts_s == pytest.approx(12)
    assert found.distance > 0
    assert found.drift[30][1].performances == 0 and found.drift[30][1].distance is None
    assert found.drift[30][0].performances == 3 and found.drift[30][0].distance is not None
    plain(found)


def test_a_corpus_and_performances_of_a_blink() -> None:
    short = [whole(notes_array([(0, 0.5, 60 + i, 64), (0.25, 0.75, 64, 70)])) for i in range(2)]
    found = compare([played(short[0].notes, 3.0)], short)
    assert found.excerpts == 1 and found.drift[30][0].performances == 0
    assert found.drift[30][0].distance is None
    plain(found)


def test_excerpts_are_of_long_pieces_first() -> None:
    pieces = [music(seed, 100.0) for seed in range(3)] + REAL[:3]
    random = np.random.default_rng(1)
    for _ in range(20):
        chosen = draw(pieces, 4, 300.0, random)
        assert {3, 4, 5} < {piece for piece, _ in chosen} and len({piece for piece, _ in chosen}) == 4
        for piece, excerpt in chosen:
            assert 0 <= excerpt.begin <= excerpt.end <= pieces[piece].seconds
            assert excerpt.seconds == pytest.approx(300 if piece > 2 else 100)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.123456, 0.1235), (1234.56, 1235.0), (None, None), (math.nan, None), (math.inf, None), (0.0, 0.0)],
)
def test_json_has_no_number_that_is_none(value: float | None, expected: float | None) -> None:
    assert rounded(value) == expected
