"""State in, state out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from liveperf import generator as module
from liveperf.codec import encode, notes_array
from liveperf.events import OORE, Event, EventType
from liveperf.generator import Generator
from liveperf.params import Params
from liveperf.plan import Plan
from liveperf.state import FAR, GeneratorState
from liveperf.wish import Wish, wish
from tests.dice import dice_bundle


def asked(**params: Any) -> Wish:
    return wish(Params(**params), OORE.steps_per_second)


ON, OFF, SHIFT = EventType.NOTE_ON, EventType.NOTE_OFF, EventType.TIME_SHIFT


@pytest.fixture
def generator() -> Generator:
    return Generator(dice_bundle()[0])


def fed(generator: Generator, *events: Event, own: bool = True) -> GeneratorState:
    state = generator.start(0)
    for event in events:
        state = generator.feed(state, OORE.index(event), asked(), own)
    return state


def test_feeding_changes_nothing_in_place(generator: Generator) -> None:
    before = generator.start(0)
    kept = replace(before, logits=before.logits.copy())
    generator.feed(before, OORE.index(Event(ON, 60)), asked(), own=True)
    assert before == kept


def test_the_state_knows_whose_notes_sound_and_when_they_began(generator: Generator) -> None:
    state = fed(generator, Event(SHIFT, 10), Event(ON, 60), Event(ON, 64), Event(SHIFT, 5), Event(OFF, 60))
    assert state.own == ((64, 10 + asked().note_limit),) and state.others == frozenset() and state.step == 15
    state = generator.feed(state, OORE.index(Event(ON, 72)), asked(), own=False)
    assert state.others == {72} and state.sounding == {64, 72} and state.struck


def test_a_note_ends_at_its_limit_before_anything_else_happens(generator: Generator) -> None:
    short = asked(note_limit_s=0.4, polyphony=1)
    state = generator.feed(generator.start(0), OORE.index(Event(ON, 60)), short, own=True)
    for _ in range(200):
        planned = generator.generate(state, short, 0, FAR)
        assert planned is not None
        state = planned[1]
        assert all(state.step <= end <= state.step + 50 for _, end in state.own)


def test_after_time_has_passed_nothing_lands_before_now(generator: Generator) -> None:
    for seed in range(50):
        planned = generator.generate(replace(generator.start(seed), last_note=0), asked(), 40, FAR)
        assert planned is not None
        assert OORE.event(planned[0]).type is SHIFT and planned[1].step >= 40


def test_a_gap_beyond_the_longest_shift_is_passed_in_longest_shifts(generator: Generator) -> None:
    planned = generator.generate(generator.start(0), asked(), 300, FAR)
    assert planned is not None and OORE.event(planned[0]) == Event(SHIFT, 125)


def test_the_same_seed_chooses_the_same_and_another_otherwise(generator: Generator) -> None:
    def play(seed: int) -> list[int]:
        state, events = generator.start(seed), []
        for _ in range(30):
            planned = generator.generate(state, asked(), state.step, FAR)
            assert planned is not None
            events.append(planned[0])
            state = planned[1]
        return events

    assert play(1) == play(1) != play(2)


def test_a_primer_in_chunks_is_heard_as_a_whole(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    events = encode(notes_array([(i * 0.3, i * 0.3 + 0.2, 40 + i, 50 + i) for i in range(40)]), OORE)
    whole = generator.prime(generator.start(0), events, asked())
    monkeypatch.setattr(module, "_CHUNK", 7)
    assert generator.prime(generator.start(0), events, asked()) == whole


def test_density_is_told_to_the_network(generator: Generator) -> None:
    assert generator.control(asked())[0] == 1
    assert np.flatnonzero(generator.control(asked(density=4))).tolist() == [4, 9]
    assert generator.control(asked())[0] == 1


def test_a_scale_is_told_to_the_network(generator: Generator) -> None:
    told = generator.control(asked(scale="major triad", root="D"))
    assert told[0] == 1 and told[9] == 0
    assert np.flatnonzero(told[10:] > 0.3).tolist() == [2, 6, 9]


def test_a_plan_is_committed_as_its_time_comes_and_forgotten_by_a_rewind(generator: Generator) -> None:
    start = generator.start(0)
    plan = Plan(start)
    states = [replace(start, step=step) for step in (3, 3, 9)]
    for number, state in enumerate(states):
        plan.append(number, state)
    assert plan.next_step == 3 and plan.head is states[2]
    assert plan.commit_until(2) == []
    assert [event for event, _ in plan.commit_until(3)] == [0, 1]
    assert plan.committed is states[1] and len(plan) == 1
    plan.rewind()
    assert len(plan) == 0 and plan.head is plan.committed is states[1] and plan.next_step is None
