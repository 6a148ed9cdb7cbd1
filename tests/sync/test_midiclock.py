"""The follower of a MIDI clock, in virtual time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from liveperf.sync.midiclock import LAST_SIXTEENTH, LOST_S, ClockEvent, Follower
from liveperf.timeline import Tie, Timeline, steps_per_beat
from tests.clockwork import Faults, Tempo, steady

ZERO = 987_654.25  # when the clocks begin: far from zero, as FakeClock does
JITTER = Faults(jitter_s=0.002)
seeds = st.integers(0, 2**32)
tempos = st.floats(20, 300)
RAMP = steady(60, (5, 180, 8))
FALL = steady(180, (5, 60, 8))


@dataclass(frozen=True)
class Moment:
    """What was found when a tick had been taken in."""

    at: float  # s since the first tick
    tempo: float  # too fast by this part
    ahead_s: float  # the song, of the true one
    steps_ahead_s: float  # the music, of the true one
    events: tuple[ClockEvent, ...]


def follow(clock: Tempo, seconds: float, faults: Faults = JITTER, seed: int = 0, bpm: float = 120) -> list[Moment]:
    """Follow a clock, with music tied to it, and hold all of it against the truth.

    What must hold at any time is asserted on the way: nothing jumps, nothing goes back, everything is bounded.
    """
    follower = Follower(ZERO - 1, bpm)
    timeline = Timeline(ZERO - 1, 125 * bpm / 120)
    tie = Tie(0, 0.0, steps_per_beat(125, 120))
    moments: list[Moment] = []
    for at, _ in faults.apply(clock.times(seconds), seed):
        now = ZERO + at
        beats, song, running = follower.beats, follower.song_position(now), follower.running
        events = follower.tick(now)
        assert follower.beats.position_at(now) == pytest.approx(beats.position_at(now), abs=1e-6)
        assert not running or follower.song_position(now) == pytest.approx(song, abs=1e-6)
        assert 17.9 < follower.bpm < 330.1
        if not running:
            tie = tie.whole(follower.song_start)
        timeline = moved(timeline, tie.steps(follower.beats), now)
        true, bpm = clock.beats_at(max(at, 0.0)), clock.bpm_at(max(at, 0.0))
        steps = tie.beat_of(timeline.position_at(now)) - follower.song_start
        ahead = follower.song_position(now) - true
        moments.append(Moment(at, follower.bpm / bpm - 1, ahead * 60 / bpm, (steps - true) * 60 / bpm, events))
    return moments


def moved(timeline: Timeline, target: Timeline, now: float) -> Timeline:
    """What the engine does when the clock has news."""
    closed = timeline.step_at(now + 0.005)
    new = timeline.toward(target, timeline.time_of(closed))
    assert new.time_of(closed) == pytest.approx(timeline.time_of(closed), abs=1e-6)  # no jump
    assert new.time_of(closed + 1) > timeline.time_of(closed)  # and no step back
    assert abs(new.time_of(closed + 1) - timeline.time_of(closed + 1)) < 0.1
    slowest = min(target.rate, target.settle_rate or target.rate)
    fastest = max(target.rate, target.settle_rate)
    assert 0.899 * slowest < new.settle_rate < 1.101 * fastest
    return new


def worst(moments: Iterable[Moment], begin: float = 0.0, end: float = 1e9) -> tuple[float, float, float]:
    """The largest errors in a span: tempo (%), song (ms), music (ms)."""
    inside = [one for one in moments if begin <= one.at < end]
    assert inside
    return (
        max(abs(one.tempo) for one in inside) * 100,
        max(abs(one.ahead_s) for one in inside) * 1000,
        max(abs(one.steps_ahead_s) for one in inside) * 1000,
    )


def beats_until_settled(moments: list[Moment], bpm: float, tempo: float, ms: float) -> float:
    """How many beats it takes until the tempo stays within so many %, and song and music within so many ms."""
    wrong = [
        one.at
        for one in moments
        if abs(one.tempo) * 100 > tempo or max(abs(one.ahead_s), abs(one.steps_ahead_s)) * 1000 > ms
    ]
    return max(wrong, default=0.0) * bpm / 60


def told(moments: list[Moment], *, but: ClockEvent = ClockEvent.TEMPO) -> list[ClockEvent]:
    """The events, one kind excepted."""
    return [event for one in moments for event in one.events if event is not but]


@settings(max_examples=40, deadline=None)
@given(tempos, seeds)
@example(20.0, 1)
@example(300.0, 1)
def test_it_locks_within_three_beats_and_then_keeps_to_the_clock(bpm: float, seed: int) -> None:
    moments = follow(steady(bpm), 2 + 24 * 60 / bpm, seed=seed)
    assert beats_until_settled(moments, bpm, 1, 3) < 1.5
    assert beats_until_settled(moments, bpm, 0.3, 3) < 3
    tempo, song, music = worst(moments, max(3 * 60 / bpm, 1))
    assert tempo < 0.3 and song < 2 and music < 2
    assert told(moments) == [ClockEvent.FOUND]


@pytest.mark.parametrize("bpm", [20, 60, 120, 300])
def test_a_steady_clock_is_followed_closely(bpm: float) -> None:
    tempo, song, music = worst(follow(steady(bpm), 60), 2 + 2.5 * 60 / bpm)
    assert tempo < 0.2 and song < 1.5 and music < 1.5


@pytest.mark.parametrize("bpm", [20, 60, 120, 300])
def test_without_jitter_it_is_exact(bpm: float) -> None:
    tempo, song, music = worst(follow(steady(bpm), 20, Faults()), 2 * 60 / bpm + 1)
    assert tempo < 1e-3 and song < 1e-2 and music < 1e-2


@pytest.mark.parametrize("bpm", [20, 60, 120, 300])
@pytest.mark.parametrize(
    "faults",
    [
        Faults(0.002, lost=0.02),
        Faults(0.002, twice=0.02),
        Faults(0.002, stalls=((12, 0.1), (14, 0.1))),
        Faults(0.002, gaps=((12, 0.2),)),
    ],
    ids=["lost", "twice", "stall", "gap"],
)
def test_a_damaged_clock_is_followed_as_closely(bpm: float, faults: Faults) -> None:
    moments = follow(steady(bpm), 40, faults, seed=2)
    tempo, song, music = worst(moments, 2 + 2.5 * 60 / bpm)
    assert tempo < 0.2 and song < 1.6 and music < 1.6
    assert told(moments) == [ClockEvent.FOUND]


@pytest.mark.parametrize("bpm", [60, 120, 240, 300])
def test_a_sender_that_falls_asleep_does_not_shake_it(bpm: float) -> None:
    for seed in range(5):
        moments = follow(steady(bpm), 30, Faults(0.002, asleep=0.004), seed)
        tempo, song, music = worst(moments, 2 + 2.5 * 60 / bpm)
        assert tempo < 0.8 and song < 3 and music < 3


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([RAMP, FALL]), seeds)
def test_a_ramp_is_followed_with_a_small_lag(ramp: Tempo, seed: int) -> None:
    moments = follow(ramp, 20, seed=seed)
    tempo, song, music = worst(moments, 5, 14)
    assert tempo < 10 and song < 20 and music < 20
    tempo, song, music = worst(moments, 15)
    assert tempo < 0.3 and song < 2 and music < 2


@pytest.mark.parametrize("ramp", [RAMP, FALL])
def test_a_ramp_is_mostly_followed_closely(ramp: Tempo) -> None:
    runs = [worst(follow(ramp, 15, seed=seed), 5, 14) for seed in range(10)]
    tempo, song, music = (sorted(kind)[-2] for kind in zip(*runs, strict=True))
    assert tempo < 6 and song < 9 and music < 10


@pytest.mark.parametrize("ramp", [RAMP, FALL])
def test_without_jitter_the_lag_is_smaller(ramp: Tempo) -> None:
    tempo, song, music = worst(follow(ramp, 20, Faults()), 5, 14)
    assert tempo < 4 and song < 4.5 and music < 6.5


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [(120, 123, 0.6), (120, 132, 0.6), (120, 180, 0.6), (60, 180, 0.6), (60, 120, 0.8), (120, 240, 0.6)]
    + [(60, 66, 0.8), (120, 60, 1.5), (60, 30, 2.5), (180, 60, 2.5), (120, 110, 0.8), (20, 300, 0.8)],
)
def test_a_jump_is_found_and_worked_off(before: float, after: float, seconds: float) -> None:
    for seed in range(3):
        moments = follow(steady(before, (5, after, 0)), 12, seed=seed, bpm=before)
        assert worst(moments, 5.8)[0] < 0.5
        _, song, music = worst(moments, 5 + seconds)
        assert song < 3 and music < 3
        assert ClockEvent.TEMPO in told([one for one in moments if one.at > 5], but=ClockEvent.FOUND)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1, 20), st.floats(20, 300), st.sampled_from([0.0, 0.5, 4.0])), max_size=4),
    st.builds(
        Faults,
        jitter_s=st.floats(0, 0.005),
        lost=st.floats(0, 0.3),
        twice=st.floats(0, 0.3),
        gaps=st.lists(st.tuples(st.floats(0, 20), st.floats(0, 3)), max_size=2).map(tuple),
        stalls=st.lists(st.tuples(st.floats(0, 20), st.floats(0, 1)), max_size=2).map(tuple),
        asleep=st.floats(0, 0.1),
    ),
    seeds,
)
def test_whatever_comes_nothing_jumps(ramps: list[tuple[float, float, float]], faults: Faults, seed: int) -> None:
    spaced, until = [], 0.0
    for at, bpm, over in sorted(ramps):
        begin = max(at, until)
        until = begin + over
        spaced.append((begin, bpm, over))
    follow(steady(100, *spaced), 20, faults, seed)


def test_a_clock_that_ends_is_lost_and_the_beats_carry_on() -> None:
    follower = Follower(ZERO, 120)
    for at, _ in JITTER.apply(steady(90).times(10), 0):
        follower.tick(ZERO + at)
    last = ZERO + 10 - 60 / 90 / 24
    assert follower.found and follower.lost_at == pytest.approx(last + LOST_S, abs=0.003)
    assert follower.advance(follower.lost_at - 1e-6) == ()
    assert follower.advance(follower.lost_at) == (ClockEvent.LOST,)
    assert follower.advance(ZERO + 100) == ()
    assert not follower.found and follower.lost_at == float("inf")
    assert follower.running and follower.bpm == pytest.approx(90, rel=0.002)
    assert follower.song_position(ZERO + 30) == pytest.approx(45, abs=0.1)


def test_a_clock_that_comes_back_is_found_again_in_time() -> None:
    gap = Faults(0.002, gaps=((10, 5),))
    moments = follow(steady(120), 30, gap, seed=3)
    assert told(moments) == [ClockEvent.FOUND, ClockEvent.LOST, ClockEvent.FOUND]
    tempo, song, music = worst(moments, 16)
    assert tempo < 0.5 and song < 3 and music < 3


def test_a_clock_that_comes_back_at_another_tempo_is_believed() -> None:
    moments = follow(steady(120, (11, 70, 0)), 30, Faults(0.002, gaps=((10, 5),)))
    assert told(moments) == [ClockEvent.FOUND, ClockEvent.LOST, ClockEvent.FOUND]
    assert worst(moments, 17)[0] < 0.3


def ticks(follower: Follower, begin: float, count: int, bpm: float = 120) -> tuple[float, list[ClockEvent]]:
    """Send even ticks; returns when the next would come, and the events without FOUND and TEMPO."""
    events: list[ClockEvent] = []
    for number in range(count):
        events += follower.receive("clock", begin + number * 2.5 / bpm)
    unheard = (ClockEvent.FOUND, ClockEvent.TEMPO)
    return begin + count * 2.5 / bpm, [event for event in events if event not in unheard]


def test_the_song_starts_on_the_first_tick_after_start() -> None:
    follower = Follower(ZERO)
    now, _ = ticks(follower, ZERO, 53)
    assert follower.running and follower.song_position(now) == pytest.approx(53 / 24)
    assert follower.receive("start", now - 0.001) == ()
    assert follower.song_position(now - 0.0005) == 0.0
    assert follower.receive("clock", now) == (ClockEvent.STARTED,)
    assert follower.song_position(now) == pytest.approx(0, abs=1e-6)
    now, events = ticks(follower, now + 2.5 / 120, 47)
    assert events == [] and follower.song_position(now) == pytest.approx(2, abs=1e-6)


def test_a_song_that_was_stopped_goes_on_with_the_next_tick() -> None:
    follower = Follower(ZERO)
    assert follower.receive("start", ZERO) == (ClockEvent.STARTED,)
    now, events = ticks(follower, ZERO, 48)
    assert events == [ClockEvent.MOVED] and follower.song_position(now) == pytest.approx(2, abs=1e-6)
    for _ in range(2):
        assert follower.receive("stop", now - 0.01) == (ClockEvent.STOPPED,)
    now, events = ticks(follower, now, 30)
    assert not follower.running and events == [] and follower.song_position(now) == 2.0
    assert follower.found
    follower.receive("continue", now)
    now, events = ticks(follower, now, 1)
    assert events == [ClockEvent.CONTINUED]
    now, _ = ticks(follower, now, 23)
    assert follower.song_position(now) == pytest.approx(3.0, abs=1e-6)


def test_the_song_goes_on_from_a_song_position() -> None:
    follower = Follower(ZERO)
    assert follower.receive("songpos", ZERO, 18) == ()
    assert follower.song_position(ZERO) == 4.5
    assert follower.receive("continue", ZERO) == (ClockEvent.CONTINUED,)
    now, events = ticks(follower, ZERO, 24)
    assert events == [ClockEvent.MOVED]
    assert follower.song_position(now) == pytest.approx(5.5, abs=1e-6)


def test_a_song_position_in_a_song_that_runs_counts_from_the_next_tick() -> None:
    follower = Follower(ZERO)
    follower.start(ZERO)
    now, _ = ticks(follower, ZERO, 48)
    follower.locate(64, now)
    now, events = ticks(follower, now, 12)
    assert events == [ClockEvent.MOVED] and follower.song_position(now) == pytest.approx(16.5, abs=1e-6)
    follower.start(now)
    assert follower.running and follower.song_position(now) == 0.0
    assert follower.stop(now) == (ClockEvent.STOPPED,)


def test_a_start_that_is_taken_back_is_not_told() -> None:
    follower = Follower(ZERO)
    follower.stop(ZERO)
    ticks(follower, ZERO, 30)
    follower.start(ZERO + 0.62)
    assert follower.stop(ZERO + 0.63) == (ClockEvent.STOPPED,)
    assert ticks(follower, ZERO + 0.64, 10)[1] == [] and not follower.running


def test_a_start_after_silence_begins_at_zero() -> None:
    follower = Follower(ZERO)
    ticks(follower, ZERO, 100)
    follower.stop(ZERO + 3)
    assert follower.advance(ZERO + 10) == (ClockEvent.LOST,)
    assert follower.start(ZERO + 20.003) == (ClockEvent.STARTED,)
    now, events = ticks(follower, ZERO + 20.0031, 1, 96)
    assert events == [ClockEvent.MOVED] and 0 <= follower.song_position(now - 2.5 / 96) < 0.5 / 24
    now, _ = ticks(follower, now, 47, 96)
    assert follower.song_position(now) == pytest.approx(2, abs=0.002)


def test_transport_without_a_clock_is_obeyed_at_once() -> None:
    follower = Follower(ZERO, 90)
    assert follower.stop(ZERO) == (ClockEvent.STOPPED,) and not follower.running
    assert follower.start(ZERO + 1) == (ClockEvent.STARTED,)
    assert follower.song_position(ZERO + 5) == pytest.approx(6)
    assert follower.locate(64, ZERO + 5) == (ClockEvent.MOVED,)
    assert follower.stop(ZERO + 7) == (ClockEvent.STOPPED,)
    assert follower.song_position(ZERO + 9) == pytest.approx(19, abs=1 / 24)
    assert follower.resume(ZERO + 9) == (ClockEvent.CONTINUED,) and follower.running


def test_a_start_whose_clock_has_just_ended_is_not_waited_with_for_ever() -> None:
    follower = Follower(ZERO)
    now, _ = ticks(follower, ZERO, 48)
    follower.stop(now)
    assert follower.start(now + 0.1) == ()
    assert follower.advance(follower.lost_at) == (ClockEvent.LOST, ClockEvent.STARTED)
    assert follower.running and follower.advance(now + 100) == ()


@pytest.mark.parametrize("sixteenths", [-1, LAST_SIXTEENTH + 1])
def test_a_song_position_has_fourteen_bits(sixteenths: int) -> None:
    with pytest.raises(ValueError, match="0 to 16383"):
        Follower(ZERO).locate(sixteenths, ZERO)


@pytest.mark.parametrize("bpm", [19, 301, float("nan")])
def test_a_tempo_has_bounds(bpm: float) -> None:
    with pytest.raises(ValueError, match="20 to 300"):
        Follower(ZERO, bpm)


def test_without_a_clock_it_keeps_its_tempo() -> None:
    follower = Follower(ZERO, 90)
    assert follower.receive("note_on", ZERO) == () and follower.advance(ZERO + 100) == ()
    assert not follower.running and not follower.found and follower.bpm == pytest.approx(90)
    assert follower.beats.position_at(ZERO + 60) == pytest.approx(90)


def test_a_tick_is_told_as_new_tempo_only_when_the_tempo_is_another() -> None:
    moments = follow(RAMP, 20)
    told_at = [one.at for one in moments if ClockEvent.TEMPO in one.events]
    assert 50 < len(told_at) < 400 and not [at for at in told_at if 1.5 < at < 5 or at > 14.5]


@given(
    st.lists(
        st.tuples(st.floats(0, 9), st.floats(20, 300), st.one_of(st.just(0.0), st.floats(0.01, 5))), max_size=1
    ),
    tempos,
)
def test_the_clock_of_the_tests_is_right(ramps: list[tuple[float, float, float]], bpm: float) -> None:
    clock = steady(bpm, *ramps)
    for number, at in enumerate(clock.times(10)):
        assert clock.beats_at(at) == pytest.approx(number / 24, abs=1e-6)
