"""Notes <-> events: round trips, the laws of order, the sustain pedal, live input against whole performances."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.codec import Events, LiveEncoder, Notes, apply_sustain, decode, encode, notes_array, transpose
from liveperf.events import MAGENTA, OORE, Event, EventType, Vocabulary
from liveperf.midifile import from_start, read_notes
from tests.corpora import DATA, first_files

ON, OFF, SHIFT, VELOCITY = EventType
Row = tuple[float, float, int, int]

seconds = st.floats(0, 20, allow_subnormal=False)
velocities = st.integers(1, 127)
vocabularies = st.sampled_from([OORE, MAGENTA, Vocabulary(steps_per_second=50, max_shift=7, velocity_bins=8)])
any_notes = st.lists(
    st.tuples(seconds, st.floats(-0.1, 3), st.integers(60, 63), velocities).map(
        lambda row: (row[0], row[0] + row[1], row[2], row[3])
    ),
    max_size=30,
).map(notes_array)


@st.composite
def playable_notes(draw: st.DrawFn) -> Notes:
    """Notes as fingers can play them: those of a pitch come one after another, 20 ms apart or more."""
    rows: list[Row] = []
    for pitch in draw(st.lists(st.integers(0, 127), max_size=6, unique=True)):
        now = 0.0
        for gap, duration, velocity in draw(
            st.lists(st.tuples(st.floats(0.02, 3), st.floats(0.001, 3), velocities), max_size=6)
        ):
            rows.append((now + gap, now + gap + duration, pitch, velocity))
            now += gap + duration
    return notes_array(rows)


def step_of(time: float, vocabulary: Vocabulary) -> int:
    return math.floor(time * vocabulary.steps_per_second + 0.5)


def assert_lawful(events: Events, vocabulary: Vocabulary) -> None:
    """The order of events that the network learns from and the instrument keeps to."""
    sounding: set[int] = set()
    started: set[int] = set()  # at this step
    velocity, previous = 0, None
    for event in (vocabulary.event(int(index)) for index in events):
        if previous and previous.type is VELOCITY:
            assert event.type is ON
        if event.type is ON:
            assert event.value not in sounding
            sounding.add(event.value)
            started.add(event.value)
        elif event.type is OFF:
            assert event.value in sounding
            assert not started
            sounding.remove(event.value)
            if previous and previous.type is OFF:
                assert previous.value < event.value
        elif event.type is VELOCITY:
            assert event.value != velocity
            velocity = event.value
        else:
            started.clear()
            if previous and previous.type is SHIFT:
                assert previous.value == vocabulary.max_shift
        previous = event
    assert not sounding
    assert previous is None or previous.type is OFF


@settings(deadline=None)
@given(any_notes, vocabularies)
def test_events_of_any_notes_keep_the_laws_of_order(notes: Notes, vocabulary: Vocabulary) -> None:
    events = encode(notes, vocabulary)
    assert events.dtype == np.int64
    assert_lawful(events, vocabulary)


@settings(deadline=None)
@given(playable_notes(), vocabularies.filter(lambda vocabulary: vocabulary.steps_per_second >= 100))
def test_notes_come_back_within_a_step_and_a_velocity_bin(notes: Notes, vocabulary: Vocabulary) -> None:
    step = 1 / vocabulary.steps_per_second
    back = decode(encode(notes, vocabulary), vocabulary)
    notes, back = (x[np.lexsort((x["start"], x["pitch"]))] for x in (notes, back))
    assert back["pitch"].tolist() == notes["pitch"].tolist()
    assert np.all(np.abs(back["start"] - notes["start"]) <= step / 2 + 1e-9)
    short = notes["end"] - notes["start"] < step
    assert np.all(np.abs(back["end"] - notes["end"])[~short] <= step / 2 + 1e-9)
    assert np.all((back["end"] - back["start"])[short] <= step + 1e-9)  # made to last one
    for there, here in zip(notes["velocity"], back["velocity"], strict=True):
        assert vocabulary.bin_of(int(here)) == vocabulary.bin_of(int(there))


@settings(deadline=None)
@given(any_notes, vocabularies)
def test_notes_once_decoded_are_kept_exactly(notes: Notes, vocabulary: Vocabulary) -> None:
    once = decode(encode(notes, vocabulary), vocabulary)
    np.testing.assert_array_equal(decode(encode(once, vocabulary), vocabulary), once)


def test_events_of_two_notes() -> None:
    notes = notes_array([(0.0, 1.5, 60, 64), (1.504, 1.504, 60, 64), (1.504, 1.6, 72, 127)])
    assert [OORE.event(int(index)) for index in encode(notes, OORE)] == [
        Event(VELOCITY, 16),
        Event(ON, 60),
        Event(SHIFT, 125),
        Event(SHIFT, 63),
        Event(OFF, 60),
        Event(ON, 60),
        Event(VELOCITY, 32),
        Event(ON, 72),
        Event(SHIFT, 1),
        Event(OFF, 60),
        Event(SHIFT, 11),
        Event(OFF, 72),
    ]


def test_no_notes_are_no_events_and_no_events_no_notes() -> None:
    assert len(encode(notes_array([]), OORE)) == 0
    assert len(decode([], OORE)) == 0


def test_of_two_onsets_of_a_pitch_in_one_step_the_later_counts() -> None:
    events = encode(notes_array([(0.001, 0.5, 60, 10), (0.002, 0.3, 60, 100)]), OORE)
    (note,) = decode(events, OORE)
    assert (note["end"], OORE.bin_of(int(note["velocity"]))) == (pytest.approx(0.304), OORE.bin_of(100))


def test_decode_passes_over_orphans_and_ends_what_is_not_ended() -> None:
    index = OORE.index
    events = [
        index(Event(OFF, 50)),
        index(Event(ON, 60)),
        index(Event(SHIFT, 10)),
        index(Event(ON, 60)),
        index(Event(SHIFT, 5)),
        index(Event(ON, 61)),
    ]
    notes = decode(events, OORE)
    assert [(n["pitch"], round(n["start"] * 125), round(n["end"] * 125)) for n in notes] == [
        (60, 0, 10),
        (60, 10, 16),
        (61, 15, 16),
    ]


def test_transpose_moves_pitches_and_nothing_else() -> None:
    events = encode(notes_array([(0, 1, 60, 64), (0.5, 2, 64, 100)]), OORE)
    down = decode(transpose(events, -3), OORE)
    assert down["pitch"].tolist() == [57, 61]
    np.testing.assert_array_equal(transpose(transpose(events, 5), -5), events)
    before = decode(events, OORE)
    for name in ("start", "end", "velocity"):
        np.testing.assert_array_equal(down[name], before[name])


@pytest.mark.parametrize("semitones", [-61, 64])
def test_transpose_beyond_the_keyboard_raises(semitones: int) -> None:
    events = encode(notes_array([(0, 1, 60, 64), (0.5, 2, 64, 100)]), OORE)
    with pytest.raises(ValueError, match="pitches leave 0 to 127"):
        transpose(events, semitones)


def test_transpose_of_silence_is_silence() -> None:
    assert transpose(np.array([300, 400]), 100).tolist() == [300, 400]


SUSTAIN: list[tuple[str, list[Row], list[tuple[float, int]], list[float]]] = [
    ("no pedal", [(0, 1, 60, 64)], [], [1]),
    ("half down is not down", [(0, 1, 60, 64)], [(0.5, 63), (2, 0)], [1]),
    ("held to the release", [(0, 1, 60, 64)], [(0.5, 64), (2, 63)], [2]),
    ("held before the note", [(1, 2, 60, 64)], [(0, 127), (3, 0)], [3]),
    ("pressed as the key comes up", [(0, 1, 60, 64)], [(1, 127), (2, 0)], [2]),
    ("released as the key comes up", [(0, 1, 60, 64)], [(0, 127), (1, 0)], [1]),
    ("released while the key is down", [(0, 3, 60, 64)], [(1, 127), (2, 0)], [3]),
    ("to the pitch's next onset", [(0, 1, 60, 64), (1.5, 1.7, 60, 64)], [(0.5, 127), (4, 0)], [1.5, 4]),
    ("another pitch does not end it", [(0, 1, 60, 64), (1.5, 1.7, 61, 64)], [(0.5, 127), (4, 0)], [4, 4]),
    ("an onset before the key came up", [(0, 2, 60, 64), (1, 3, 60, 64)], [(0.5, 127), (4, 0)], [2, 4]),
    ("two presses", [(0, 1, 60, 64), (4, 5, 62, 64)], [(0.5, 127), (2, 0), (4.5, 127), (6, 0)], [2, 6]),
    ("pressed again while down", [(0, 1, 60, 64)], [(0.5, 127), (1.5, 80), (2, 0)], [2]),
    ("let go twice", [(0, 1, 60, 64)], [(0.5, 127), (1.5, 0), (2, 0)], [1.5]),
    ("never released", [(0, 1, 60, 64), (2, 3, 62, 64)], [(0.5, 127)], [3, 3]),
    ("never released, known to be down later", [(0, 1, 60, 64)], [(0.5, 127), (7, 127)], [7]),
]


@pytest.mark.parametrize(("rows", "pedal", "ends"), [case[1:] for case in SUSTAIN], ids=[c[0] for c in SUSTAIN])
def test_sustain(rows: list[Row], pedal: list[tuple[float, int]], ends: list[float]) -> None:
    notes = notes_array(rows)
    held = apply_sustain(notes, [time for time, _ in pedal], [value for _, value in pedal])
    assert held["end"].tolist() == ends
    assert notes["end"].tolist() == [row[1] for row in rows]  # the argument is left alone
    for name in ("start", "pitch", "velocity"):
        np.testing.assert_array_equal(held[name], notes[name])


# Live input. A performance is a list of steps; a step is a list of moves, in the order they arrive.
Move = tuple[str, int, int]  # "key", pitch, velocity: goes down if it is up, up if down; "pedal", value, 0
Step = tuple[int, list[int], list[tuple[int, int]]]  # step, pitches ended, (pitch, bin) started

moves = st.one_of(
    st.tuples(st.just("key"), st.integers(60, 63), velocities),
    st.tuples(st.just("pedal"), st.sampled_from([0, 63, 64, 127]), st.just(0)),
)
live_performances = st.lists(st.lists(moves, max_size=6), max_size=12)


def play_live(performance: list[list[Move]]) -> list[Step]:
    """What a LiveEncoder says, driven tick by tick: (step, pitches ended, (pitch, bin) started)."""
    encoder, sounding, said = LiveEncoder(), set[int](), []
    for step, arrived in enumerate([*performance, [], []]):
        for kind, number, velocity in arrived:
            if kind == "pedal":
                encoder.control_pedal(number)
            elif number in encoder.keys:
                encoder.note_off(number)
            else:
                encoder.note_on(number, velocity)
        if step == len(performance):
            encoder.release()
        ended, started = encoder.close(sounding)
        sounding.difference_update(ended)
        sounding.update(pitch for pitch, _ in started)
        if ended or started:
            said.append((step, ended, [(pitch, OORE.bin_of(velocity)) for pitch, velocity in started]))
    assert not sounding
    assert encoder.silent
    assert not encoder.pending
    return said


def notes_of(performance: list[list[Move]]) -> Notes:
    """The same performance as a recording: notes in seconds with sustain applied."""
    rows: list[Row] = []
    down: dict[int, tuple[float, int]] = {}
    pedal: list[tuple[float, int]] = []
    for step, arrived in enumerate(performance):
        for i, (kind, number, velocity) in enumerate(arrived):
            time = (step - 0.4 + 0.8 * (i + 1) / (len(arrived) + 1)) / 125  # within the step, in order
            if kind == "pedal":
                pedal.append((time, number))
            elif number in down:
                start, loudness = down.pop(number)
                rows.append((start, time, number, loudness))
            else:
                down[number] = (time, velocity)
    end = len(performance) / 125
    pedal.append((end, 0))
    rows.extend((start, end, pitch, loudness) for pitch, (start, loudness) in down.items())
    return apply_sustain(notes_array(rows), [time for time, _ in pedal], [value for _, value in pedal])


def by_step(events: Events) -> list[Step]:
    """Events as (step, pitches ended, (pitch, bin) started)."""
    said: list[Step] = []
    step, velocity = 0, 0
    for event in (OORE.event(int(index)) for index in events):
        if event.type is SHIFT:
            step += event.value
        elif event.type is VELOCITY:
            velocity = event.value
        else:
            if not said or said[-1][0] != step:
                said.append((step, [], []))
            if event.type is OFF:
                said[-1][1].append(event.value)
            else:
                said[-1][2].append((event.value, velocity))
    return said


@settings(max_examples=300, deadline=None)
@given(live_performances)
def test_live_input_is_encoded_as_its_recording_is(performance: list[list[Move]]) -> None:
    assert play_live(performance) == by_step(encode(notes_of(performance), OORE))


def test_a_key_struck_and_let_go_within_a_step_sounds_for_a_step() -> None:
    encoder = LiveEncoder()
    encoder.note_on(60, 80)
    encoder.note_off(60)
    assert encoder.close(set()) == ([], [(60, 80)])
    assert encoder.pending
    assert not encoder.silent
    assert encoder.close({60}) == ([60], [])
    assert not encoder.pending
    assert encoder.silent


def test_a_second_strike_of_a_held_key_starts_it_anew_and_its_first_release_ends_it() -> None:
    encoder = LiveEncoder()
    encoder.note_on(60, 80)
    encoder.close(set())
    encoder.note_on(60, 90)
    assert encoder.close({60}) == ([60], [(60, 90)])
    encoder.note_off(60)
    assert encoder.close({60}) == ([60], [])
    encoder.note_off(60)
    assert not encoder.pending


def test_of_two_strikes_in_one_step_the_later_counts_and_its_place() -> None:
    encoder = LiveEncoder()
    for pitch, velocity in ((60, 80), (64, 81), (60, 90)):
        encoder.note_on(pitch, velocity)
    assert encoder.close(set()) == ([], [(64, 81), (60, 90)])


def test_a_note_that_something_else_ended_is_not_ended_again() -> None:
    encoder = LiveEncoder()
    encoder.note_on(60, 80)
    encoder.close(set())
    encoder.note_off(60)
    assert encoder.close(set()) == ([], [])


def test_release_ends_keys_and_what_the_pedal_holds() -> None:
    encoder = LiveEncoder()
    encoder.control_pedal(127)
    encoder.note_on(60, 80)
    encoder.note_on(64, 80)
    encoder.close(set())
    encoder.note_off(60)
    assert encoder.close({60, 64}) == ([], [])
    encoder.release()
    assert encoder.close({60, 64}) == ([60, 64], [])
    assert encoder.silent
    assert not encoder.pedal


@pytest.mark.parametrize("archive", ["maestro-v3.0.0-midi.tar.xz", "piano-rolls.tar.xz"])
def test_real_performances_come_back(archive: str, tmp_path: Path) -> None:
    for path in first_files(DATA / archive, tmp_path):
        notes = from_start(read_notes(path))
        events = encode(notes, OORE)
        assert_lawful(events, OORE)
        onsets = {(int(n["pitch"]), step_of(n["start"], OORE)): int(n["velocity"]) for n in notes}
        ends: dict[tuple[int, int], int] = {}
        for note in notes:
            onset = step_of(note["start"], OORE)
            ends[int(note["pitch"]), onset] = max(step_of(note["end"], OORE), onset + 1)
        back = decode(events, OORE)
        assert len(back) == len(onsets)
        for note in back:
            key = (int(note["pitch"]), round(note["start"] * 125))
            assert OORE.bin_of(int(note["velocity"])) == OORE.bin_of(onsets[key])
            end = round(note["end"] * 125)
            assert end == ends[key] or (end < ends[key] and (key[0], end) in onsets)
        np.testing.assert_array_equal(decode(encode(back, OORE), OORE), back)
