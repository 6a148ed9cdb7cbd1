"""Whose turn it is: every transition as a musician would tell it, and the timers between them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.params import MODES, Params
from liveperf.session import TABLES, Action, Session, State, Trigger

RATE = 100  # steps per second

# what a musician tells: (mode, what the machine does, what happens), (what it does then, and on the way)
STORIES = {
    "I begin to play, and it listens": ("answer waiting key", "listening none"),
    "nobody plays for long, so it begins by itself": ("answer waiting idle", "playing start"),
    "my phrase is over, so it answers": ("answer listening gap", "playing answer"),
    "I interrupt its answer, and it falls silent and listens": ("answer playing key", "listening release"),
    "its answer is over, and it waits for me": ("answer playing done", "waiting none"),
    "alone, it begins at once": ("solo waiting begin", "playing start"),
    "asked to come to an end, it finishes for good": ("solo ending done", "finished none"),
    "I begin a duet, and it joins": ("duet waiting key", "playing join"),
    "I rest, so it comes to rest too": ("duet playing rest", "ending end"),
    "I go on before it has come to rest, and it stays with me": ("duet ending key", "playing join"),
    "it has come to rest, and waits for me": ("duet ending done", "waiting none"),
    "my foot gives it the first turn": ("answer waiting turn", "playing start"),
    "my foot ends my phrase, and it answers": ("answer listening turn", "playing answer"),
    "my foot takes the turn back": ("answer playing turn", "waiting release"),
    "my foot ends its solo": ("solo playing turn", "ending end"),
    "my foot lets it begin again": ("solo finished turn", "playing start"),
    "my foot lets it begin the duet": ("duet waiting turn", "playing start"),
    "my foot asks it to rest": ("duet playing turn", "ending end"),
    "my foot asks it to stay": ("duet ending turn", "playing join"),
    "panic, and it no more begins by itself": ("answer waiting panic", "finished none"),
    "panic, and my phrase is not answered": ("answer listening panic", "finished none"),
    "panic, and its answer is over": ("answer playing panic", "finished release"),
    "I begin to play after a panic, and it listens": ("answer finished key", "listening none"),
    "after a panic my foot gives it the turn": ("answer finished turn", "playing start"),
    "panic before its solo has begun": ("solo waiting panic", "finished none"),
    "panic, and its solo is over": ("solo playing panic", "finished release"),
    "panic while it comes to rest": ("solo ending panic", "finished release"),
    "panic, and the duet waits for me": ("duet playing panic", "waiting release"),
    "panic while it comes to rest after me": ("duet ending panic", "waiting release"),
}


def transition(told: tuple[str, str]) -> tuple[str, tuple[State, Trigger], tuple[State, Action]]:
    """A story in the terms of the tables."""
    (mode, state, trigger), (following, action) = told[0].split(), told[1].upper().split()
    return mode, (State[state.upper()], Trigger[trigger.upper()]), (State[following], Action[action])


def session(mode: str, state: State = State.WAITING, **values: Any) -> Session:
    return dataclasses.replace(Session(mode), state=state, **values)


@pytest.mark.parametrize("story", STORIES)
def test_story(story: str) -> None:
    mode, (state, trigger), (following, action) = transition(STORIES[story])
    before = session(mode, state)
    after, done = before.after(trigger, 700)
    assert (after.state, done) == (following, action)
    assert after.changed == 700
    assert before.changed == 0


def test_every_transition_has_its_story_and_every_mode_its_table() -> None:
    told = {(mode, *key) for mode, key, _ in map(transition, STORIES.values())}
    assert told == {(mode, *key) for mode, table in TABLES.items() for key in table}
    assert set(TABLES) == set(MODES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trigger", Trigger)
def test_what_is_not_in_the_table_changes_nothing(mode: str, state: State, trigger: Trigger) -> None:
    before = session(mode, state, changed=5, phrase=3, quiet=4)
    if (state, trigger) not in TABLES[mode]:
        assert before.after(trigger, 700) == (before, Action.NONE)


def test_it_plays_while_it_plays_or_comes_to_rest() -> None:
    assert {state for state in State if session("duet", state).plays} == {State.PLAYING, State.ENDING}


def test_quiet_begins_with_the_last_key_and_ends_with_the_next() -> None:
    playing = session("answer").heard(silent=False, step=10)
    assert playing.quiet is None
    assert playing.heard(silent=False, step=20) == playing
    quiet = playing.heard(silent=True, step=30)
    assert quiet.quiet == 30
    assert quiet.heard(silent=True, step=40) == quiet


@pytest.mark.parametrize(
    ("mode", "state", "values", "expected"),
    [
        ("answer", State.LISTENING, {"quiet": 200}, (270, Trigger.GAP)),
        ("answer", State.LISTENING, {"quiet": None}, None),  # a key is down
        ("answer", State.WAITING, {"quiet": 200, "changed": 100}, (1000, Trigger.IDLE)),
        ("answer", State.WAITING, {"quiet": 200, "changed": 300}, (1100, Trigger.IDLE)),  # it played last
        ("answer", State.WAITING, {"quiet": None}, None),
        ("answer", State.PLAYING, {"quiet": 200}, None),
        ("answer", State.FINISHED, {"quiet": 200}, None),
        ("solo", State.WAITING, {"quiet": 200, "changed": 100}, (100, Trigger.BEGIN)),
        ("solo", State.WAITING, {"quiet": None, "changed": 100}, (100, Trigger.BEGIN)),
        ("solo", State.PLAYING, {"quiet": 200}, None),
        ("solo", State.FINISHED, {"quiet": 200}, None),
        ("duet", State.PLAYING, {"quiet": 200}, (400, Trigger.REST)),
        ("duet", State.PLAYING, {"quiet": 200, "changed": 300}, (500, Trigger.REST)),  # my foot let it begin
        ("duet", State.PLAYING, {"quiet": None}, None),
        ("duet", State.ENDING, {"quiet": 200}, None),
        ("duet", State.WAITING, {"quiet": 200}, None),
    ],
)
def test_timer(mode: str, state: State, values: dict[str, Any], expected: tuple[int, Trigger] | None) -> None:
    params = Params(turn_gap_s=0.7, idle_start_s=8, duet_rest_s=2)
    assert session(mode, state, **values).timer(params, RATE) == expected


def test_it_can_be_told_never_to_begin_by_itself() -> None:
    assert session("answer").timer(Params(idle_start_s=0), RATE) is None


@given(st.sampled_from(MODES), st.lists(st.sampled_from(Trigger)), st.booleans())
def test_after_a_panic_no_timer_runs(mode: str, triggers: list[Trigger], silent: bool) -> None:
    now = session(mode)
    for step, trigger in enumerate([*triggers, Trigger.PANIC]):
        now, _ = now.after(trigger, step)
    assert not now.plays and now.heard(silent, len(triggers)).timer(Params(idle_start_s=1), RATE) is None


@given(st.sampled_from(MODES), st.lists(st.sampled_from(Trigger)), st.booleans())
def test_a_timer_leads_on(mode: str, triggers: list[Trigger], silent: bool) -> None:
    now = session(mode)
    for step, trigger in enumerate(triggers):
        now, _ = now.after(trigger, step)
    now = now.heard(silent, len(triggers))
    timer = now.timer(Params(), RATE)
    if timer is not None:
        assert now.after(timer[1], timer[0])[0] != now


@given(
    st.integers(0, 10_000),
    st.integers(0, 100_000),
    st.floats(0.25, 4),
    st.tuples(st.floats(0.5, 60), st.floats(0.5, 60)).map(sorted),
)
def test_an_answer_is_as_long_as_asked_for(start: int, length: int, ratio: float, bounds: list[float]) -> None:
    shortest, longest = bounds
    params = Params(answer_length=ratio, answer_shortest_s=shortest, answer_longest_s=longest)
    listening, _ = session("answer").after(Trigger.KEY, start)
    listening = listening.heard(False, start).after(Trigger.KEY, start + length // 2)[0]
    over = listening.heard(True, start + length)
    steps = over.after(Trigger.GAP, start + length + 70)[0].answer_steps(params, RATE)
    assert round(shortest * RATE) <= steps <= round(longest * RATE)
    if shortest * RATE < length * ratio < longest * RATE:
        assert steps == pytest.approx(length * ratio, abs=0.5)
