"""Any notes, any events, any live messages: the laws of the stream hold."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveperf.codec import LiveEncoder, apply_sustain, decode, encode, notes_array
from liveperf.events import MAGENTA, OORE, Vocabulary
from tests.fuzz.tools import counts, times

ALL = settings(max_examples=times(400), deadline=None, suppress_health_check=list(HealthCheck))

vocabularies = st.sampled_from([OORE, MAGENTA, Vocabulary(1, 1, 1), Vocabulary(1000, 1000, 127)])
seconds = st.floats(0, 60, allow_subnormal=True) | st.sampled_from([0.0, 0.004, 0.012, 3600.0])
rows = st.tuples(seconds, seconds, st.integers(0, 127), st.integers(1, 127))  # some end before they begin
calls = st.one_of(
    st.tuples(st.just("note_on"), st.integers(0, 127), st.integers(1, 127)),
    st.tuples(st.just("note_off"), st.integers(0, 127)),
    st.tuples(st.just("control_pedal"), st.integers(0, 127)),
    st.tuples(st.just("release")),
    st.tuples(st.just("close")),
)


@ALL
@given(st.lists(rows, max_size=40), vocabularies)
def test_notes_become_events_and_notes_again(drawn: list[tuple[float, float, int, int]], v: Vocabulary) -> None:
    counts["performances"] += 1
    events = encode(notes_array(drawn), v)
    assert np.all((events >= 0) & (events < v.size))
    once = decode(events, v)
    assert np.all(once["end"] > once["start"])
    twice = decode(encode(once, v), v)
    np.testing.assert_array_equal(once, twice)


@ALL
@given(st.data(), vocabularies)
def test_any_events_become_notes_that_can_be_written(data: st.DataObject, v: Vocabulary) -> None:
    counts["event streams"] += 1
    notes = decode(data.draw(st.lists(st.integers(0, v.size - 1), max_size=100)), v)
    assert np.all(notes["end"] > notes["start"])
    assert np.all((notes["velocity"] >= 1) & (notes["velocity"] <= 127))
    np.testing.assert_array_equal(decode(encode(notes, v), v)["pitch"], notes["pitch"])


@ALL
@given(st.lists(rows, max_size=20), st.lists(st.tuples(seconds, st.integers(0, 127)), max_size=20))
def test_any_pedal_only_lengthens(
    drawn: list[tuple[float, float, int, int]], pedal: list[tuple[float, int]]
) -> None:
    counts["pedals"] += 1
    notes = notes_array(drawn)
    pedal.sort()
    held = apply_sustain(notes, [time for time, _ in pedal], [value for _, value in pedal])
    assert sorted(held["start"]) == sorted(notes["start"])
    assert held["end"].sum() >= notes["end"].sum() - 1e-6 * len(notes)


@ALL
@given(st.lists(calls, max_size=200))
def test_any_live_messages_are_a_lawful_stream(drawn: list[tuple[object, ...]]) -> None:
    counts["live streams"] += 1
    encoder, sounding = LiveEncoder(), set[int]()
    for name, *values in [*drawn, ("release",), *[("close",)] * 2]:
        if name != "close":
            getattr(encoder, str(name))(*values)
            continue
        ended, started = encoder.close(sounding)
        assert ended == sorted(ended) and set(ended) <= sounding
        sounding -= set(ended)
        pitches = [pitch for pitch, _ in started]
        assert len(set(pitches)) == len(pitches) and not set(pitches) & sounding
        sounding |= set(pitches)
    assert not sounding
    assert encoder.silent
