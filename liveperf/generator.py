"""The generator: an immutable state, `feed` and `generate`.

The state is a pure function of the events fed so far; nothing in it is ever changed in place, so that a state
kept is a state one can go back to.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveperf.bias import MEMORY_S, RECENT, Bias, surplus
from liveperf.conditioning import PITCH_CLASSES
from liveperf.events import PITCHES, EventType
from liveperf.model.bundle import Bundle
from liveperf.sampling import Limits, Sampler
from liveperf.state import FAR, GeneratorState
from liveperf.wish import Wish

SILENCE_S = 4.0
TRAIL = 256  # events that another model hears when it takes over: about ten seconds of dense music


class Generator:
    """Feeds and generates with one bundle. Holds no state of a performance; thread-safe."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.vocabulary = bundle.card.vocabulary
        self._first = self.vocabulary.first
        self._sampler = Sampler(self.vocabulary)
        self._control: tuple[Wish | None, NDArray[np.float32]] = (None, bundle.card.conditioning.off)
        self._bias = Bias(self.vocabulary, steers=not bundle.card.conditioning.told)

    def start(self, seed: int) -> GeneratorState:
        """The state before the first event. seed: any integer."""
        event, before = self.bundle.start_event, self.bundle.start_state
        logits, network = self.bundle.network.step(event, self.bundle.card.conditioning.off, before)
        return GeneratorState(network, logits, 0, seed & _MASK, event, before)

    def control(self, wish: Wish) -> NDArray[np.float32]:
        """The control vector [C] that a wish asks for; of a model that was never told anything: off."""
        known, vector = self._control  # read and replaced whole
        if known is not wish:
            conditioning = self.bundle.card.conditioning
            vector = conditioning.off
            if conditioning.told:
                weights = tuple(float(pitch_class in wish.classes) for pitch_class in range(PITCH_CLASSES))
                vector = conditioning.vector(wish.density, weights)
            self._control = (wish, vector)
        return vector

    def tells_apart(self, one: Wish, other: Wish) -> bool:
        """Whether the network is told of what differs between two wishes; the rest is up to the sampler."""
        return not np.array_equal(self.control(one), self.control(other))

    def retold(self, state: GeneratorState, wish: Wish) -> GeneratorState:
        """The state had the last event been fed under this wish: what comes next obeys it."""
        logits, network = self.bundle.network.step(state.event, self.control(wish), state.before)
        return replace(state, network=network, logits=logits)

    def feed(
        self, state: GeneratorState, event: int, wish: Wish, own: bool, seed: int | None = None
    ) -> GeneratorState:
        """The state after an event (index) of the machine's own, or of the human's. seed: the next one, if any."""
        logits, network = self.bundle.network.step(event, self.control(wish), state.network)
        kind, value = self.vocabulary.events[event].type, self.vocabulary.events[event].value
        changes: dict[str, Any]
        if kind is EventType.TIME_SHIFT:
            changes = {"step": state.step + value, "struck": False, "armed": False}
            if own:
                time_s = value / self.vocabulary.steps_per_second
                changes["surplus"] = surplus(state, wish) * math.exp(-time_s / MEMORY_S) - wish.density * time_s
        elif kind is EventType.VELOCITY:
            changes = {"velocity_bin": value, "armed": True}
        elif kind is EventType.NOTE_OFF:
            notes = tuple(note for note in state.own if note[0] != value)
            changes = {"own": notes, "others": state.others - {value}, "last_note": state.step}
        elif own:
            notes = (*state.own, (value, state.step + wish.note_limit))
            recent = (*state.recent[1 - RECENT :], (state.step, value))
            changes = {"own": notes, "eager": False, "last_onset": state.step, "recent": recent}
            changes["surplus"] = surplus(state, wish) + bool(wish.density)
        else:
            changes = {"others": state.others | {value}}
        if kind is EventType.NOTE_ON:
            changes |= {"struck": True, "armed": False, "last_note": state.step}
        if own:
            changes["asked"] = wish.density
        seed = state.seed if seed is None else seed
        changes |= {"trail": (*state.trail[1 - TRAIL :], event), "count": state.count + 1}
        return replace(
            state, network=network, logits=logits, seed=seed, event=event, before=state.network, **changes
        )

    def pass_time(self, state: GeneratorState, step: int, wish: Wish) -> GeneratorState:
        """The state when the time has come to `step` and nothing happened.

        A silence of over SILENCE_S is heard as that long: an hour of rest is not music to go on from.
        """
        longest = self.vocabulary.max_shift
        while state.step < step:
            if self.deaf(state):
                return replace(state, step=step, struck=False)
            shift = min(longest, step - state.step)
            state = self.feed(state, self._first[EventType.TIME_SHIFT] + shift - 1, wish, own=False)
        return state

    def deaf(self, state: GeneratorState) -> bool:
        """Whether the silence has become so long that more of it is not heard."""
        silent = not state.own and not state.others
        return silent and state.step - state.last_note >= SILENCE_S * self.vocabulary.steps_per_second

    def prime(self, state: GeneratorState, events: NDArray[np.int64], wish: Wish) -> GeneratorState:
        """The state after a whole performance [n] was heard, its sounding notes ended, at step 0 again."""
        if not len(events):
            return state
        network, control = state.network, self.control(wish)
        most = events[:-1]
        for chunk in np.split(most, range(_CHUNK, len(most), _CHUNK)):  # all at once would take 20 KB an event
            if len(chunk):
                _, network = self.bundle.network.run(chunk, np.tile(control, (len(chunk), 1)), network)
        event, before = int(events[-1]), network
        logits, network = self.bundle.network.step(event, control, before)
        first = self._first[EventType.VELOCITY]
        bins = events[events >= first] - first + 1
        velocity_bin = int(bins[-1]) if len(bins) else state.velocity_bin
        trail = tuple((*state.trail, *events[-TRAIL:].tolist())[-TRAIL:])
        return replace(
            state,
            network=network,
            logits=logits,
            event=event,
            before=before,
            velocity_bin=velocity_bin,
            trail=trail,
            count=state.count + len(events),
        )

    def expired(self, state: GeneratorState, ring_end: int) -> tuple[int, ...]:
        """The machine's pitches that have reached their latest end."""
        return tuple(sorted(pitch for pitch, end in state.own if state.step >= min(end, ring_end)))

    def generate(
        self, state: GeneratorState, wish: Wish, floor: int, close: int, sharp: bool = False
    ) -> tuple[int, GeneratorState] | None:
        """The next event (index) and the state after it; None when the turn is over.

        floor: the earliest step for something to happen (time has passed since the last event).
        close: the step from which the turn is to end at the next rest; `sharp`: at which it ends.
        """
        limits = self._limits(state, wish, floor, close, sharp)
        if limits is None:
            return None
        if limits.forced >= 0:
            event, seed = limits.forced, state.seed
        else:
            late = max(floor - state.step, 0)  # planned anew each step it rolls anew, or it would put off for ever
            seed, chance = _uniform(state.seed + late)
            bias = self._bias.of(state, wish)
            event = self._sampler.sample(state.logits, wish.temperature, wish.top_p, chance, limits, bias)
        return event, self.feed(state, event, wish, own=True, seed=seed)

    def _limits(self, state: GeneratorState, wish: Wish, floor: int, close: int, sharp: bool) -> Limits | None:
        vocabulary = self.vocabulary
        longest = vocabulary.max_shift
        may_play, ring_end = self._ending(state, close, sharp)
        off = self._first[EventType.NOTE_OFF]
        shift = self._first[EventType.TIME_SHIFT]
        behind = floor - state.step
        if behind > longest:
            return Limits(forced=shift + longest - 1)
        if behind <= 0 and not state.struck:
            expired = self.expired(state, ring_end)
            if expired:
                return Limits(forced=off + expired[0])
        if not may_play and not state.own:
            return None

        latest = min([ring_end, *(end for _, end in state.own)]) if state.own else FAR
        shortest_shift = max(behind, 1)
        longest_shift = max(shortest_shift, min(longest, latest - state.step))
        if behind > 0:  # nothing may land in the past: move on first
            return Limits(shifts=(shortest_shift, longest_shift))
        notes_on = None
        if may_play and len(state.own) < wish.polyphony and wish.lowest <= wish.highest:
            notes_on = (wish.lowest, wish.highest)
        return Limits(
            notes_on=notes_on,
            taken=_taken(state, wish.transpose),
            classes=wish.classes if wish.locked and wish.classes else None,
            notes_off=() if state.struck else tuple(pitch for pitch, _ in state.own),
            velocity=state.velocity_bin if notes_on and not state.armed else None,
            only_notes_on=state.armed,
            shifts=None if notes_on and self._must_play(state) else (shortest_shift, longest_shift),
        )

    def _must_play(self, state: GeneratorState) -> bool:
        """A turn begins with a note, and a player does not stop for over REST_LIMIT_S when nobody else plays."""
        if state.eager:
            return True
        idle = not state.own and not state.others
        return idle and state.step - state.last_note >= _REST_LIMIT_S * self.vocabulary.steps_per_second

    def _ending(self, state: GeneratorState, close: int, sharp: bool) -> tuple[bool, int]:
        """(whether a note may still start, the step by which all have ended) in a turn that is to close.

        After `close` the turn ends at the first rest: no onset for REST_S. Where none comes within GRACE_S, at the
        end of the chord. What still sounds rings on for RING_S at most. A sharp one has no onset from `close` on,
        and rings on for SHORT_RING_S.
        """
        if state.step < close:
            return True, FAR
        if sharp:
            return False, close + round(_SHORT_RING_S * self.vocabulary.steps_per_second)
        rate = self.vocabulary.steps_per_second
        since = state.step - state.last_onset
        rest = _REST_S if state.step < close + round(_GRACE_S * rate) else _CHORD_S
        if since <= max(1, round(rest * rate)):
            return True, FAR
        return False, max(close, state.last_onset) + round(_RING_S * rate)


class Successor:
    """Another model of the same vocabulary hears what was played last, a little at a time, before it takes over.

    Not thread-safe: the engine thread owns it.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self._state = generator.start(0)
        self._heard = -FAR  # how many of the events, from the first one on

    def hear(self, state: GeneratorState, wish: Wish, most: int) -> GeneratorState | None:
        """Hear up to so many of the events that led to a state; that state as its own, once it has heard all."""
        missing = state.count - self._heard
        if not 0 <= missing <= len(state.trail):
            missing, self._state = len(state.trail), self.generator.start(0)
        left = max(missing - most, 0)
        events = state.trail[len(state.trail) - missing : len(state.trail) - left]
        self._state = ours = self.generator.prime(self._state, np.array(events, np.int64), wish)
        self._heard = state.count - left
        if left:
            return None
        return replace(state, network=ours.network, logits=ours.logits, event=ours.event, before=ours.before)


def _taken(state: GeneratorState, transpose: int) -> tuple[int, ...]:
    """Pitches that sound already, as the model means them or, transposed, as they would be heard."""
    sounding = state.sounding
    if not transpose or not state.others:
        return tuple(sounding)
    heard = {pitch - transpose for pitch in state.others}
    return tuple(sounding | {pitch for pitch in heard if 0 <= pitch < PITCHES})


_REST_S, _CHORD_S, _GRACE_S, _RING_S, _SHORT_RING_S = 0.15, 0.03, 2.0, 1.5, 0.4
_REST_LIMIT_S = 2.0

_CHUNK = 512

_MASK = (1 << 64) - 1


def _uniform(seed: int) -> tuple[int, float]:
    """(the next seed, a number in [0, 1)): SplitMix64 (Steele, Lea and Flood 2014)."""
    seed = (seed + 0x9E3779B97F4A7C15) & _MASK
    mixed = seed
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return seed, ((mixed ^ (mixed >> 31)) >> 11) * 2.0**-53
