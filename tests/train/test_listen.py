"""Measures of a performance: by hand, on music made here; and what must hold of any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.codec import NOTE, Notes, notes_array
from liveperf.events import MAGENTA, OORE, Vocabulary
from train import listen
from train.listen import MEASURES, Floats, Performance, divergence, repeated, share_inside, whole

NOTES = notes_array([(0, 1, 60, 40), (0, 3, 64, 60), (2, 2.5, 67, 80), (9, 12, 60, 100)])
PIECE = Performance(NOTES, 0.0, 10.0)
SILENCE = Performance(np.zeros(0, NOTE), 0.0, 10.0)

bins = st.lists(st.floats(0, 1e6), min_size=6, max_size=6).map(np.array)


def melody(pitches: list[int], beat: float = 0.25, begin: float = 0.0) -> Notes:
    """One note after the other."""
    return notes_array([(begin + i * beat, begin + (i + 1) * beat, pitch, 64) for i, pitch in enumerate(pitches)])


def values(sample: listen.Sample) -> list[float]:
    """The values that have a weight."""
    found, weights = sample
    return [round(float(value), 6) for value in found[weights > 0]]


def test_measures_by_hand() -> None:
    assert values(listen.onset_intervals(PIECE)) == [0, 2, 7]
    assert values(listen.durations(PIECE)) == [1, 3, 0.5, 3]  # the last in full, though the end comes first
    assert values(listen.velocities(PIECE)) == [40, 60, 80, 100]
    assert values(listen.note_rates(PIECE)) == [0.6, 0.2]
    voices, seconds = listen.polyphony(PIECE)
    assert voices.tolist() == [0, 1, 2] and seconds.tolist() == [6, 2.5, 1.5]
    classes, sounded = listen.pitch_classes(PIECE)
    assert classes.tolist() == [0, 4, 7, 0] and sounded.tolist() == [1, 3, 0.5, 3]
    assert values(listen.pitch_class_entropy(PIECE)) == [round(np.log2(3), 6), 0]


def test_a_part_of_a_performance() -> None:
    part = PIECE.between(0.5, 2.75)
    assert part.struck["pitch"].tolist() == [67]
    assert listen.polyphony(part)[1].tolist() == [0, 1.25, 1]  # what began before is heard
    assert values(listen.note_rates(part)) == [round(1 / 2.25, 6)]  # shorter than a window: one of its own


def test_medians_are_weighted() -> None:
    medians = {measure.name: measure.median([PIECE, SILENCE]) for measure in MEASURES}
    assert medians["durations"] == 1 and medians["velocities"] == 60
    assert medians["polyphony"] == 0  # 16 of 20 seconds
    assert medians["pitch classes"] is None


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
@pytest.mark.parametrize("seconds", [0.0, 3.0, 10.0])
def test_silence_can_be_measured(measure: listen.Measure, seconds: float) -> None:
    silence = Performance(SILENCE.notes, 0.0, seconds)
    assert np.isfinite(measure.histogram([silence])).all()
    assert measure.median([silence]) in (None, 0)
    assert measure.median([]) is None
    assert not repeated(silence).any()
    assert whole(SILENCE.notes).seconds == 0


@pytest.mark.parametrize("vocabulary", [OORE, MAGENTA], ids=["oore", "magenta"])
def test_no_step_lies_on_an_edge(vocabulary: Vocabulary) -> None:
    rate, seconds = vocabulary.steps_per_second, next(one for one in MEASURES if one.name == "durations").edges
    assert np.abs(seconds[1:-1, None] - np.arange(20 * rate)[None] / rate).min() > 1e-5
    rates = next(one for one in MEASURES if one.name == "notes per second").edges
    assert np.abs(rates[:, None] - np.arange(500)[None] / listen.WINDOW_S).min() > 0.05


def test_histograms_add_up_and_keep_what_lies_beyond() -> None:
    dense = notes_array([(i / 200, 30, pitch, 64) for i, pitch in enumerate(range(20, 100))])
    for measure in MEASURES:
        both = measure.histogram([PIECE, whole(dense)])
        assert both == pytest.approx(measure.histogram([PIECE]) + measure.histogram([whole(dense)]))
        weight = sum(measure.sample(one)[1].sum() for one in (PIECE, whole(dense)))
        assert both.sum() == pytest.approx(weight)


def test_divergence_by_hand() -> None:
    assert divergence(np.array([1.0, 0]), np.array([0, 5.0])) == 1
    assert divergence(np.array([1.0, 1]), np.array([3.0, 3])) == 0
    half = divergence(np.array([1.0, 0]), np.array([1.0, 1]))
    assert half == pytest.approx((np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5) / 2)
    nothing = np.zeros(2)
    assert (divergence(nothing, np.ones(2)), divergence(nothing, nothing)) == (1, 0)


@given(bins, bins, st.floats(1e-3, 1e3))
def test_divergence_is_symmetric_and_bounded(one: Floats, other: Floats, factor: float) -> None:
    found = divergence(one, other)
    assert 0 <= found <= 1
    assert found == pytest.approx(divergence(other, one), abs=1e-9)
    assert divergence(one, one * factor) == pytest.approx(0, abs=1e-9)


def test_a_loop_is_found() -> None:
    loop = whole(melody([60, 62, 64, 65] * 25))
    flags = repeated(loop)
    assert not flags[:11].any() and flags[11:].all()  # eight notes, and four until the first is back
    random = np.random.default_rng(5).integers(21, 108, 400).tolist()
    assert repeated(whole(melody(random))).mean() == 0
    twice = repeated(whole(melody(random + random)))
    assert not twice[:407].any() and twice[407:].all()


def test_a_chord_is_one_whichever_key_is_first() -> None:
    def chords(spread: list[float]) -> list[tuple[float, float, int, int]]:
        chosen = ([48, 64], [50, 65], [52, 67], [53, 69], [55, 71])
        return [
            (i / 2 + late, i / 2 + 0.4, pitch, 64)
            for i, chord in enumerate(chosen)
            for pitch, late in zip(chord, spread, strict=True)
        ]

    again = [(start + 5, end + 5, pitch, 64) for start, end, pitch, _ in chords([0.02, 0])]
    heard = whole(notes_array(chords([0, 0.008]) + again))
    assert heard.struck["pitch"][repeated(heard)].tolist() == [69, 71, 55]  # the eighth to the tenth from below


def test_repetition_begins_where_the_performance_is_heard() -> None:
    notes = melody([60, 62, 64, 65] * 25)
    late = Performance(notes, 10.0, 20.0)
    assert len(repeated(late)) == 40 and repeated(late).sum() == 29


def test_time_inside_a_scale() -> None:
    assert share_inside([PIECE], {0}) == pytest.approx(4 / 7.5)
    assert share_inside([PIECE, SILENCE], set(range(12))) == 1
    assert share_inside([SILENCE], {0}) is None


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 9), st.integers(0, 127)), max_size=30))
def test_polyphony_is_all_the_time(rows: list[tuple[float, float, int]]) -> None:
    notes = np.array([(start, start + held, pitch, 64) for start, held, pitch in rows], NOTE)
    voices, seconds = listen.polyphony(Performance(notes, 2.0, 12.0))
    assert seconds.sum() == pytest.approx(10) and (seconds > -1e-9).all()
    held = (np.clip(notes["end"], 2, 12) - np.clip(notes["start"], 2, 12)).sum()
    assert voices @ seconds == pytest.approx(held, abs=1e-6)
