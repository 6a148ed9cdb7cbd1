"""The laws of the instrument, for any human, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.codec import encode, notes_array
from liveperf.events import MAGENTA, OORE, Event, EventType, Vocabulary
from liveperf.generator import Generator
from liveperf.params import MODES, Params
from liveperf.performer import MachineNote, Performer
from liveperf.scales import pitch_classes
from liveperf.session import State
from liveperf.sync.beats import Beats
from tests.dice import Dice, dice_bundle

RATE = OORE.steps_per_second


@dataclass(frozen=True)
class Deed:
    """Something a human does, some steps after the deed before."""

    wait: int
    what: str
    value: Any


pitches = st.integers(0, 127)
deeds = st.lists(
    st.builds(
        Deed,
        st.sampled_from([0, 0, 0, 1, 1, 2, 7, 40, 100, 130, 400, 1200]),
        st.sampled_from(
            [
                "on",
                "on",
                "on",
                "off",
                "off",
                "pedal",
                "params",
                "params",
                "turn",
                "release",
                "panic",
                "halt",
                "go on",
            ]
        ),
        pitches,
    ),
    max_size=40,
)
knobs = [
    {"density": 8.0},
    {"temperature": 0.3, "top_p": 0.9},
    {"lowest_pitch": 60, "highest_pitch": 62},
    {"polyphony": 1},
    {"note_limit_s": 0.1},
    {"mode": "solo"},
    {"mode": "answer", "turn_gap_s": 0.2, "idle_start_s": 1.0},
    {"mode": "duet", "duet_rest_s": 0.3},
    {"transpose": 7},
    {"transpose": -30, "split": 50},
    {"transpose": 0, "split": 0},
    {"scale": "pentatonic", "root": "F#", "key_lock": "on"},
    {"scale": "off", "repeat_guard": 1.0},
    {"speed": 4.0, "loudness": 2.0, "loudness_spread": 2.0},
    {"speed": 0.25, "loudness": 0.0},
    {"speed": 1.0, "turn_bars": 1},
]


def a_performer(mode: str, seed: int = 0, vocabulary: Vocabulary = OORE, **params: Any) -> tuple[Performer, Dice]:
    bundle, dice = dice_bundle(vocabulary)
    settings = {"answer_shortest_s": 1.0, "idle_start_s": 2.0, **params}
    return Performer(Generator(bundle), Params(mode=mode, **settings), seed), dice


def perform(performer: Performer, human: list[Deed], ahead: int = 0) -> list[MachineNote]:
    """The machine's notes while the human does his deeds, and until it has been released at the end."""
    notes: list[MachineNote] = []
    for deed in human:
        for _ in range(ahead):
            performer.plan_ahead()
        notes += performer.run_until(performer.now + deed.wait)
        if deed.what == "on":
            performer.note_on(deed.value, max(deed.value, 1))
        elif deed.what == "off":
            performer.note_off(deed.value)
        elif deed.what == "pedal":
            performer.pedal(deed.value)
        elif deed.what == "params":
            performer.set_params(performer.params.replace(**knobs[deed.value % len(knobs)]))
        elif deed.what == "turn":
            performer.turn()
        elif deed.what in ("halt", "go on"):
            performer.halt(deed.what == "halt")
        else:
            performer.panic() if deed.what == "panic" else performer.release()
    notes += performer.run_until(performer.now + RATE)
    performer.panic()
    return notes + performer.run_until(performer.now + 2)


def check_stream(events: list[Event], vocabulary: Vocabulary) -> None:
    """The order and the pairing of the whole stream, human and machine together."""
    sounding: set[int] = set()
    struck, velocity_bin, armed = False, 0, False
    for event in events:
        assert not armed or event.type is EventType.NOTE_ON, f"{event} after a VELOCITY"
        armed = False
        if event.type is EventType.TIME_SHIFT:
            struck = False
        elif event.type is EventType.VELOCITY:
            assert event.value != velocity_bin, "a VELOCITY that changes nothing"
            velocity_bin, armed = event.value, True
        elif event.type is EventType.NOTE_OFF:
            assert event.value in sounding, f"orphan {event}"
            assert not struck, f"{event} after a note-on of its step"
            sounding.discard(event.value)
        else:
            assert event.value not in sounding, f"doubled {event}"
            sounding.add(event.value)
            struck = True


def check_notes(notes: list[MachineNote], longest: float) -> None:
    """Every note-on is followed by its note-off within the limit; time does not run backwards."""
    held: dict[int, int] = {}
    assert [note.step for note in notes] == sorted(note.step for note in notes)
    for note in notes:
        if note.velocity:
            assert note.pitch not in held, f"doubled {note}"
            held[note.pitch] = note.step
        else:
            assert 0 < note.step - held.pop(note.pitch) <= longest
    assert not held, f"left hanging: {held}"


@given(st.sampled_from(MODES), deeds, st.integers(0, 9), st.sampled_from([OORE, MAGENTA]))
@settings(max_examples=120, deadline=None)
def test_any_human_in_any_mode_leaves_every_law_in_force(
    mode: str, human: list[Deed], seed: int, vocabulary: Vocabulary
) -> None:
    performer, dice = a_performer(mode, seed, vocabulary)
    notes = perform(performer, human)
    check_notes(notes, performer.generator.vocabulary.steps_per_second * 5.0 * 4)  # at four times the speed
    check_stream(dice.history(performer.plan.committed), vocabulary)
    assert not performer.plan.committed.own


@given(st.sampled_from(MODES), deeds, st.integers(0, 9), st.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_planning_ahead_and_rewinding_equals_never_having_planned(
    mode: str, human: list[Deed], seed: int, ahead: int
) -> None:
    planner, _ = a_performer(mode, seed, plan_s=1.0)
    other, _ = a_performer(mode, seed, plan_s=1.0)
    assert perform(planner, human, ahead) == perform(other, human, 0)
    assert planner.plan.committed == other.plan.committed
    assert planner.session == other.session


@given(st.sampled_from(MODES), deeds, st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_small_steps_of_time_and_large_ones_come_to_the_same(mode: str, human: list[Deed], stride: int) -> None:
    class Strider(Performer):
        def run_until(self, step: int) -> list[MachineNote]:
            notes = []
            while self.now < step:
                notes += super().run_until(min(self.now + stride, step))
            return notes

    large, _ = a_performer(mode)
    small = Strider(a_performer(mode)[0].generator, large.params)
    assert perform(small, human) == perform(large, human)
    assert small.plan.committed == large.plan.committed


def test_the_stream_is_what_encode_makes_of_the_same_notes() -> None:
    rows = [(0.4, 0.8, 60, 80), (0.8, 1.2, 60, 80), (0.8, 2.88, 67, 30), (3.2, 3.36, 72, 127)]
    performer, dice = a_performer("answer", turn_gap_s=5.0)
    moments = sorted(
        [(round(end * RATE), 0, pitch, 0) for _, end, pitch, _ in rows]
        + [(round(start * RATE), 1, pitch, velocity) for start, _, pitch, velocity in rows]
    )
    for step, is_on, pitch, velocity in moments:
        performer.run_until(step - 1)
        performer.note_on(pitch, velocity) if is_on else performer.note_off(pitch)
    performer.run_until(round(3.36 * RATE))
    fed = [OORE.index(event) for event in dice.history(performer.plan.committed)]
    assert fed == encode(notes_array(rows), OORE).tolist()


def last_before(step: int, notes: list[MachineNote]) -> int:
    return max([at for at in onsets(notes) if at < step], default=step)


def play_phrase(performer: Performer, seconds: float = 3.0) -> list[MachineNote]:
    """Repeated notes, one each 0.5 s; the last ends at `seconds` from now."""
    notes, begin = [], performer.now
    for i in range(round(seconds * 2)):
        notes += performer.run_until(begin + round(i * RATE / 2))
        performer.note_on(60 + i, 80)
        notes += performer.run_until(begin + round((i + 0.9) * RATE / 2))
        performer.note_off(60 + i)
    return notes + performer.run_until(performer.now + 1)


def onsets(notes: list[MachineNote]) -> list[int]:
    return [note.step for note in notes if note.velocity]


def test_answer_listens_then_answers_at_once_for_about_as_long() -> None:
    for seed in range(8):
        performer, _ = a_performer("answer", seed, idle_start_s=0.0)
        assert play_phrase(performer) == []
        over = performer.now
        assert performer.run_until(over + round(0.69 * RATE)) == []
        answer = performer.run_until(over + 20 * RATE)
        assert onsets(answer)[0] == over + round(0.7 * RATE)
        assert 2.5 <= (answer[-1].step - answer[0].step) / RATE <= 3.0 + 2.0 + 1.6
        assert performer.session.state is State.WAITING
        check_notes(answer, 5 * RATE)


def test_an_answer_ends_on_a_rest_and_not_within_a_chord() -> None:
    for seed in range(8):
        performer, dice = a_performer("answer", seed, idle_start_s=0.0, answer_longest_s=2.0)
        dice.liveliness = 1.0
        play_phrase(performer)
        begin = performer.now
        answer = performer.run_until(begin + 20 * RATE)
        last = onsets(answer)[-1]
        close = begin + (0.7 + 2.0) * RATE
        assert last <= close + 2.1 * RATE
        assert answer[-1].step > last  # the last chord rings
        assert answer[-1].step <= max(close, last) + 1.6 * RATE  # and ends
        assert not [step for step in onsets(answer) if step > close and step - last_before(step, answer) > 20]


def test_a_key_stops_the_answer_and_its_notes() -> None:
    performer, _ = a_performer("answer", idle_start_s=0.0)
    play_phrase(performer)
    answer = performer.run_until(performer.now + 2 * RATE)
    assert answer and performer.plan.committed.own
    performer.note_on(60, 64)
    key = performer.now + 1
    rest = performer.run_until(performer.now + RATE)
    assert performer.session.state is State.LISTENING
    assert {note.step for note in rest} == {key} and not onsets(rest)
    check_notes(answer + rest, 5 * RATE)


def test_a_held_pedal_keeps_the_phrase_open() -> None:
    performer, _ = a_performer("answer")
    performer.pedal(127)
    performer.note_on(60, 64)
    performer.run_until(50)
    performer.note_off(60)
    assert performer.run_until(10 * RATE) == []
    performer.pedal(0)
    assert onsets(performer.run_until(12 * RATE))[0] == 10 * RATE + 1 + round(0.7 * RATE)


def test_it_starts_by_itself_when_nobody_plays_and_yields_to_the_first_key() -> None:
    performer, _ = a_performer("answer", idle_start_s=8.0)
    notes = performer.run_until(20 * RATE)
    assert onsets(notes)[0] == 8 * RATE and onsets(notes)[-1] > 18 * RATE
    performer.note_on(60, 64)
    assert not onsets(performer.run_until(21 * RATE)) and not performer.plays


def test_it_never_starts_by_itself_when_told_so() -> None:
    performer, _ = a_performer("answer", idle_start_s=0.0)
    assert performer.run_until(600 * RATE) == []


def test_solo_plays_on_and_weaves_in_what_is_played() -> None:
    performer, dice = a_performer("solo")
    before = performer.run_until(10 * RATE)
    assert onsets(before)[0] <= 1
    performer.note_on(100, 64)
    after = performer.run_until(20 * RATE)
    assert onsets(after)[-1] > 18 * RATE
    assert Event(EventType.NOTE_ON, 100) in dice.history(performer.plan.committed)
    assert not [note for note in after if note.pitch == 100 and note.velocity]  # his key is his


def test_solo_never_rests_for_long() -> None:
    performer, dice = a_performer("solo", note_limit_s=0.2, temperature=0.1, polyphony=1)
    steps = onsets(performer.run_until(120 * RATE))
    assert max(b - a for a, b in zip(steps, steps[1:], strict=False)) <= 3.5 * RATE


def test_duet_plays_while_the_human_does_and_rests_after_him() -> None:
    performer, _ = a_performer("duet", duet_rest_s=1.0)
    assert performer.run_until(30 * RATE) == []
    together = play_phrase(performer, 6.0)
    over = performer.now
    assert onsets(together)
    after = performer.run_until(over + 10 * RATE)
    assert not performer.plays and all(step - over < 3.2 * RATE for step in onsets(after))
    assert play_phrase(performer, 6.0)


def test_duet_hears_a_note_before_its_own_next_one() -> None:
    performer, dice = a_performer("duet")
    play_phrase(performer, 4.0)
    performer.note_on(33, 99)
    at = performer.now + 1
    performer.run_until(at)
    history = dice.history(performer.plan.committed)
    heard = max(i for i, event in enumerate(history) if event == Event(EventType.NOTE_ON, 33))
    assert all(event.type is not EventType.TIME_SHIFT for event in history[heard:])


def test_a_mode_change_releases_every_note() -> None:
    performer, _ = a_performer("solo")
    performer.run_until(5 * RATE)
    own = {pitch for pitch, _ in performer.plan.committed.own}
    performer.set_params(performer.params.replace(mode="answer", idle_start_s=0.0))
    assert own and {note.pitch for note in performer.run_until(performer.now + 1)} == own
    assert not performer.plan.committed.own and not performer.plays


def playing(mode: str, **params: Any) -> Performer:
    """One that plays, with notes that sound."""
    performer, _ = a_performer(mode, turn_gap_s=0.2, idle_start_s=1.0, **params)
    while not performer.plan.committed.own:
        if mode == "duet" and not performer.keyboard.keys:
            performer.note_on(60, 80)
        performer.run_until(performer.now + 1)
    return performer


def other(performer: Performer) -> str:
    """A mode in which it begins by itself."""
    return "solo" if performer.params.mode != "solo" else "answer"


def stop_and_continue(performer: Performer) -> None:
    """As a sequencer does."""
    performer.halt(True)
    performer.run_until(performer.now + RATE)
    performer.halt(False)


WAKES: dict[str, Callable[[Performer], object]] = {
    "the turn": Performer.turn,
    "a phrase": lambda performer: play_phrase(performer, 1.0),
    "another mode": lambda performer: performer.set_params(performer.params.replace(mode=other(performer))),
    "Start": Performer.begin,
    "Continue": partial(Performer.halt, halted=False),
    "Stop and Continue": stop_and_continue,
}


@pytest.mark.parametrize(
    ("mode", "wake", "wakes"),
    [
        *(("solo", wake, wake != "a phrase") for wake in WAKES),
        *(("answer", wake, True) for wake in WAKES),
        *(("duet", wake, wake in ("the turn", "a phrase", "another mode")) for wake in WAKES),
    ],
)
def test_a_panic_silences_it_until_somebody_asks_for_music(mode: str, wake: str, wakes: bool) -> None:
    performer = playing(mode)
    own = {pitch for pitch, _ in performer.plan.committed.own}
    performer.panic()
    assert {note.pitch for note in performer.run_until(performer.now + 1) if not note.velocity} == own
    assert performer.run_until(performer.now + 60 * RATE) == []
    performer.note_off(60)  # the key that was down is let go
    assert performer.run_until(performer.now + 60 * RATE) == []
    WAKES[wake](performer)
    assert bool(onsets(performer.run_until(performer.now + 5 * RATE))) == wakes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asked", ["nothing", "turn", "key"])
def test_what_came_in_the_step_of_a_panic_counts_only_after_it(mode: str, asked: str) -> None:
    def ask(performer: Performer) -> None:
        if asked == "turn":
            performer.turn()
        elif asked == "key":
            performer.note_on(64, 80)
            performer.note_off(64)

    before, after = playing(mode), playing(mode)
    ask(before)
    before.panic()
    after.panic()
    ask(after)
    assert not onsets(before.run_until(before.now + 20 * RATE))
    assert bool(onsets(after.run_until(after.now + 5 * RATE))) == (
        asked == "turn" or (asked == "key" and mode != "solo")
    )


def test_a_panic_in_the_step_of_a_new_mode_counts_as_the_later_of_the_two() -> None:
    for panics_last in (False, True):
        performer = playing("duet")
        acts: list[Callable[[], None]] = [performer.panic, partial(performer.set_params, Params(mode="solo"))]
        for act in reversed(acts) if panics_last else acts:
            act()
        assert bool(onsets(performer.run_until(performer.now + 5 * RATE))) != panics_last


def test_a_solo_that_has_come_to_rest_is_not_woken_by_a_panic() -> None:
    performer, _ = a_performer("solo")
    performer.run_until(5 * RATE)
    performer.turn()
    performer.run_until(20 * RATE)
    assert performer.session.state is State.FINISHED
    performer.panic()
    assert performer.run_until(60 * RATE) == []


def test_what_is_played_after_a_panic_is_heard_by_the_network() -> None:
    performer, dice = a_performer("solo")
    performer.run_until(2 * RATE)
    performer.panic()
    performer.run_until(4 * RATE)
    play_phrase(performer, 1.0)
    struck = [event.value for event in dice.history(performer.plan.committed) if event.type is EventType.NOTE_ON]
    assert struck[-2:] == [60, 61]


def test_a_stop_beside_a_panic_is_no_reason_to_begin() -> None:
    """A DAW that stops sends both, in whatever order; and Continue asks for music."""
    for first in (False, True):
        performer = playing("solo")
        performer.halt(True) if first else performer.panic()
        performer.panic() if first else performer.halt(True)
        assert not onsets(performer.run_until(performer.now + 20 * RATE))
        performer.halt(False)
        assert onsets(performer.run_until(performer.now + RATE))


def test_its_notes_are_ended_and_its_turn_goes_on() -> None:
    performer = playing("answer", answer_shortest_s=5.0)
    state, close = performer.session, performer._close
    own = {pitch for pitch, _ in performer.plan.committed.own}
    performer.release()
    ended = performer.run_until(performer.now + 1)
    assert own <= {note.pitch for note in ended if not note.velocity}
    assert (performer.session, performer._close) == (state, close)
    assert onsets(performer.run_until(performer.now + RATE))
    performer.panic()
    performer.run_until(performer.now + 1)
    performer.release()
    assert not onsets(performer.run_until(performer.now + 20 * RATE))


@given(st.sampled_from(MODES), deeds, st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_after_a_panic_there_is_silence_whatever_was_before(mode: str, human: list[Deed], seed: int) -> None:
    performer, _ = a_performer(mode, seed)
    perform(performer, human)  # which ends with a panic
    assert performer.run_until(performer.now + 60 * RATE) == [] and not performer.plan.committed.sounding


def test_a_knob_is_obeyed_by_the_next_note() -> None:
    performer, _ = a_performer("solo")
    performer.run_until(5 * RATE)
    while performer.plan_ahead():
        pass
    performer.set_params(performer.params.replace(lowest_pitch=90, highest_pitch=95))
    notes = performer.run_until(10 * RATE)
    assert onsets(notes) and all(90 <= note.pitch <= 95 for note in notes if note.velocity)


def test_a_long_silence_costs_nothing_and_is_heard_as_a_short_one() -> None:
    performer, dice = a_performer("answer", idle_start_s=0.0)
    performer.run_until(3600 * RATE)
    assert len(dice.history(performer.plan.committed)) <= 5
    performer.note_on(60, 64)
    performer.run_until(performer.now + 1)
    assert performer.plan.committed.step == performer.now


@pytest.mark.parametrize("prime", [[], [(0.0, 1.0, 60, 80), (0.5, 2.0, 64, 30)]])
def test_a_primer_is_heard_and_leaves_nothing_sounding(prime: list[tuple[float, float, int, int]]) -> None:
    performer, dice = a_performer("solo")
    performer.prime(encode(notes_array(prime), OORE))
    assert len(dice.history(performer.plan.committed)) == len(encode(notes_array(prime), OORE))
    notes = performer.run_until(3 * RATE)
    check_stream(dice.history(performer.plan.committed), OORE)
    assert onsets(notes)


def heard(**params: Any) -> list[MachineNote]:
    """Note-ons of ten seconds of solo, once these parameters are in force after two seconds without them."""
    performer, _ = a_performer("solo", note_limit_s=1.0)
    performer.run_until(2 * RATE)
    while performer.plan_ahead():
        pass
    performer.set_params(performer.params.replace(**params))
    return [note for note in performer.run_until(12 * RATE) if note.velocity]


@pytest.mark.parametrize("root", ["C", "F#"])
@pytest.mark.parametrize("transpose", [0, 5, -14])
def test_a_locked_key_is_kept_as_it_is_heard(root: str, transpose: int) -> None:
    notes = heard(scale="pentatonic", root=root, key_lock="on", transpose=transpose)
    assert len(notes) > 20
    assert {note.pitch % 12 for note in notes} <= pitch_classes("pentatonic", root)


def test_a_chord_below_the_split_steers_and_is_no_melody() -> None:
    performer, dice = a_performer("solo", split=48, key_lock="on")
    performer.run_until(2 * RATE)
    fed_before = len(dice.history(performer.plan.committed))
    for pitch in (36, 40, 43):
        performer.note_on(pitch, 90)
    notes = [note for note in performer.run_until(10 * RATE) if note.velocity]
    assert len(notes) > 20 and {note.pitch % 12 for note in notes} <= {0, 4, 7}
    history = dice.history(performer.plan.committed)
    assert len(history) > fed_before
    for pitch in (36, 40, 43):
        performer.note_off(pitch)
    free = [note for note in performer.run_until(20 * RATE) if note.velocity]
    assert {note.pitch % 12 for note in free} - {0, 4, 7}  # hands off: it goes where it likes
    answer, _ = a_performer("answer", split=48, idle_start_s=0.0)
    answer.note_on(47, 90)
    answer.run_until(RATE)
    assert not answer.session.phrase
    answer.note_on(48, 90)
    answer.run_until(2 * RATE)
    assert answer.session.state is State.LISTENING


def test_what_sounds_transposed_is_what_was_meant_moved() -> None:
    plain, moved = heard(lowest_pitch=30, highest_pitch=80), heard(lowest_pitch=37, highest_pitch=87, transpose=7)
    assert [(note.step, note.pitch + 7, note.velocity) for note in plain] == [
        (note.step, note.pitch, note.velocity) for note in moved
    ]
    assert all(37 <= note.pitch <= 87 for note in moved)  # the range is that of what is heard


@pytest.mark.parametrize("first", [0, 7])
def test_a_note_ends_where_it_began_however_it_is_transposed_meanwhile(first: int) -> None:
    performer, _ = a_performer("solo", transpose=first)
    notes = performer.run_until(2 * RATE)
    for transpose in (5, -5, 12, 0, 48, -48, 1):
        performer.set_params(performer.params.replace(transpose=transpose))
        notes += performer.run_until(performer.now + 40)
    performer.release()
    notes += [note for note in performer.run_until(performer.now + 1) if not note.velocity]
    check_notes(notes, 5 * RATE)


@pytest.mark.parametrize(
    ("loudness", "spread", "expected"),
    [(1, 1, lambda v: v), (0.5, 1, lambda v: v / 2), (1, 0, lambda v: 64), (2, 2, lambda v: 2 * (2 * v - 64))],
)
def test_loudness_and_its_spread(loudness: float, spread: float, expected: Any) -> None:
    plain, changed = heard(), heard(loudness=loudness, loudness_spread=spread)
    assert [note.pitch for note in plain] == [note.pitch for note in changed]  # the model is not disturbed
    for before, after in zip(plain, changed, strict=True):
        assert after.velocity == min(max(round(expected(before.velocity)), 1), 127)


def test_speed_changes_what_a_second_is() -> None:
    for speed in (0.25, 4.0):
        performer, _ = a_performer("answer", speed=speed, turn_gap_s=1.0, idle_start_s=0.0, note_limit_s=2.0)
        performer.note_on(60, 80)
        performer.run_until(10)
        performer.note_off(60)
        performer.run_until(11)
        answer = performer.run_until(round(30 * RATE * speed))
        assert onsets(answer)[0] == 11 + round(RATE * speed)
        check_notes(answer, 2 * RATE * speed)
        assert performer.rate == RATE * speed


@pytest.mark.parametrize("speed", [0.25, 4.0])
def test_another_speed_ends_nothing_before_its_time_nor_after_it(speed: float) -> None:
    performer, _ = a_performer("solo", polyphony=128)
    performer.run_until(4 * RATE)
    now, before = performer.now, dict(performer.plan.committed.own)
    for one in (1.7, 0.3, speed):
        performer.set_params(performer.params.replace(speed=one))
        performer.plan_ahead()
    ended = [note for note in performer.run_until(now + 1) if not note.velocity]
    after = {pitch: end for pitch, end in performer.plan.committed.own if pitch in before}
    assert len(after) > 5 and len(ended) < 3  # the model lets go of some
    for pitch, end in after.items():
        assert end - now == pytest.approx((before[pitch] - now) * speed, abs=0.51)


def test_density_and_the_longest_note_are_as_asked_at_a_clocks_tempo_too() -> None:
    performer, _ = a_performer("solo", density=4.0, speed=2.0)
    for tempo, told in ((2.0, 2.0), (1.97, 2.0), (1.0, 1.0), (0.5, 0.5)):
        performer.set_tempo(tempo)
        assert performer.wish.density == 4.0 / 2.0 / told
        assert performer.wish.note_limit == round(5.0 * RATE * 2.0 * told)
        assert performer.rate == RATE * 2.0 * tempo


def test_a_turn_handed_over_by_foot() -> None:
    performer, _ = a_performer("answer", idle_start_s=0.0)
    performer.note_on(60, 80)
    performer.run_until(50)
    performer.turn()  # the key is still down
    assert set(onsets(performer.run_until(51))) == {51}
    performer.run_until(200)
    performer.turn()
    performer.run_until(201)
    assert performer.session.state is State.WAITING and not performer.plan.committed.own
    performer.turn()
    assert set(onsets(performer.run_until(202))) == {202}


def test_where_there_are_beats_it_begins_on_one_whoever_asks() -> None:
    for presses, begins in ((0, 138), (1, 76), (2, 76)):  # of its own accord, or by foot; twice is once
        performer, _ = a_performer("answer", idle_start_s=1.0)
        performer.beats = Beats(first=13.5, length=62.5)
        performer.run_until(20)
        for _ in range(presses):
            performer.turn()
        assert onsets(performer.run_until(300))[0] == begins
    performer.turn()  # to be rid of it does not wait
    assert not onsets(performer.run_until(301)) and not performer.plays


def test_a_turn_that_waits_for_its_beat_is_none_where_it_has_begun_meanwhile() -> None:
    performer, _ = a_performer("duet")
    performer.beats = Beats(first=0.0, length=62.5)
    performer.run_until(10)
    performer.turn()
    performer.run_until(20)
    performer.note_on(60, 80)  # it joins in
    assert onsets(performer.run_until(20 + RATE)) and performer.session.state is State.PLAYING


def test_answers_begin_on_the_beat_and_last_whole_bars() -> None:
    for bars in (1, 2):
        performer, dice = a_performer("answer", idle_start_s=0.0, turn_bars=bars, note_limit_s=0.3)
        dice.liveliness = 1.0
        performer.beats = Beats(first=13.5, length=62.5)
        performer.note_on(60, 80)
        performer.run_until(20)
        performer.note_off(60)
        answer = performer.run_until(30 * RATE)
        begin = onsets(answer)[0]
        assert begin >= 21 + round(0.7 * RATE)
        assert min(abs(begin - (13.5 + 62.5 * beat)) for beat in range(10)) <= 0.5
        bar = 4 * 0.5 * RATE  # at the reference tempo of 120
        assert bar * bars - bar / 4 < onsets(answer)[-1] - begin < bar * bars  # no note in the next bar,
        assert bar * bars < answer[-1].step - begin < bar * bars + bar / 4  # and none that rings there for long


def test_however_often_a_knob_is_turned_between_two_notes_the_last_position_counts() -> None:
    once, _ = a_performer("solo")
    often, _ = a_performer("solo")
    for performer, densities in ((once, [7.0]), (often, [0.5 + i / 100 for i in range(1000)] + [7.0])):
        performer.run_until(3 * RATE)
        for density in densities:
            performer.plan_ahead()
            performer.set_params(performer.params.replace(density=density))
    assert once.run_until(8 * RATE) == often.run_until(8 * RATE)
    assert once.plan.committed == often.plan.committed


def test_what_was_planned_obeys_the_first_event_after_the_knob() -> None:
    """The network is told of the wish with the event before: the very next choice depends on it."""
    performer, _ = a_performer("solo")
    performer.run_until(3 * RATE)
    before = performer.plan.committed
    performer.set_params(performer.params.replace(density=9.0))
    performer.plan_ahead()
    after = performer.plan.committed
    assert after.step == before.step and after.event == before.event
    assert not np.array_equal(after.logits, before.logits)
    performer.set_params(performer.params.replace(density=0.0))
    performer.plan_ahead()
    assert performer.plan.committed == before


def test_a_knob_that_the_network_knows_nothing_of_costs_no_step_of_it() -> None:
    performer, dice = a_performer("solo", density=4.0)
    performer.run_until(3 * RATE)
    before, fed = performer.plan.committed, len(dice._before)
    for asked in ({"temperature": 0.7}, {"highest_pitch": 90, "top_p": 0.8}, {"polyphony": 3}):
        performer.set_params(performer.params.replace(**asked))
        performer._refresh()
        assert performer.plan.committed is before and performer.plan.next_step is None
    assert len(dice._before) == fed
    performer.set_params(performer.params.replace(density=16.0))  # one that it was told of
    performer.set_params(performer.params.replace(temperature=0.5))
    performer._refresh()
    assert len(dice._before) == fed + 1 and not np.array_equal(performer.plan.committed.logits, before.logits)


def test_another_model_plays_on_while_what_sounds_goes_on_sounding() -> None:
    performer, _ = a_performer("solo")
    notes = performer.run_until(5 * RATE)
    own = performer.plan.committed.own
    assert own
    other, other_dice = dice_bundle(liveliness=2.0)
    performer.adopt(Generator(other))
    assert performer.rehearse() and not performer.rehearse()
    assert performer.plan.committed.own == own
    assert [OORE.index(event) for event in other_dice.history(performer.plan.committed)] == list(
        performer.plan.committed.trail
    )
    notes += performer.run_until(10 * RATE)
    check_notes([*notes, *_released(performer)], 5 * RATE)
    assert onsets(notes)[-1] > 8 * RATE
    with pytest.raises(ValueError, match="another vocabulary"):
        performer.adopt(Generator(dice_bundle(MAGENTA)[0]))


def _released(performer: Performer) -> list[MachineNote]:
    performer.release()
    return [note for note in performer.run_until(performer.now + 1) if not note.velocity]


@pytest.mark.parametrize("mode", MODES)
def test_a_song_that_stands_still_silences_it_until_it_goes_on_or_a_key_is_struck(mode: str) -> None:
    performer, _ = a_performer(mode, turn_gap_s=0.2)
    performer.note_on(60, 80)
    performer.run_until(2 * RATE)
    performer.note_off(60)
    performer.halt(True)
    performer.run_until(2 * RATE + 1)
    assert not performer.plan.committed.own
    assert not onsets(performer.run_until(60 * RATE))
    performer.note_on(62, 80)
    performer.run_until(61 * RATE)
    performer.note_off(62)
    played = onsets(performer.run_until(70 * RATE))
    assert bool(played) == (mode != "solo")
    performer.halt(False)
    if mode == "solo":
        assert onsets(performer.run_until(72 * RATE))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("panics", [False, True])
@pytest.mark.parametrize("wake", ["the turn", "another mode", "Continue"])
def test_while_a_song_stands_still_whoever_asks_for_music_has_it(mode: str, wake: str, panics: bool) -> None:
    performer = playing(mode)
    performer.halt(True)
    if panics:
        performer.panic()
    performer.lift()
    assert not onsets(performer.run_until(performer.now + 30 * RATE))
    WAKES[wake](performer)
    wakes = (mode, wake) != ("duet", "Continue")  # which waits for a key
    assert bool(onsets(performer.run_until(performer.now + 5 * RATE))) == wakes
    assert not performer.halted
