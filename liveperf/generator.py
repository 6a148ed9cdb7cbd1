"""The generator: an immutable state, `feed` and `generate`.

The state is a pure function of the events fed so far; nothing in it is ever changed in place, so that a state
kept is a state one can go back to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveperf.bundle import Bundle
from liveperf.conditioning import PITCH_CLASSES
from liveperf.events import EventType
from liveperf.network import NetworkState
from liveperf.params import Params
from liveperf.sampling import Limits, Sampler
from liveperf.scales import pitch_classes

FAR = 1 << 60  # a step that never comes
SILENCE_S = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorState:
    """Everything that the next event depends on, besides the parameters.

    step: where the performance is. logits [V]: of the next event. own: the machine's sounding pitches and the step
    of their onset; others: those that the human holds. seed: of the random choice to come.
    """

    network: NetworkState
    logits: NDArray[np.float32]
    step: int
    seed: int
    own: tuple[tuple[int, int], ...] = ()
    others: frozenset[int] = frozenset()
    struck: bool = False  # a NOTE_ON at this step
    armed: bool = False  # a VELOCITY waits for its NOTE_ON
    eager: bool = False  # a turn has begun: no TIME_SHIFT before the machine's first NOTE_ON
    velocity_bin: int = 0  # in force; 0 = none yet
    last_onset: int = -FAR  # the machine's
    last_note: int = 0  # the step of the last note event, whosever

    @property
    def sounding(self) -> frozenset[int]:
        """Pitches that sound, whoever holds them."""
        return self.others | {pitch for pitch, _ in self.own}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GeneratorState):
            return NotImplemented
        return (
            self._plain() == other._plain()
            and np.array_equal(self.logits, other.logits)
            and np.array_equal(self.network.h, other.network.h)
            and np.array_equal(self.network.c, other.network.c)
        )

    def _plain(self) -> tuple[object, ...]:
        return (
            self.step,
            self.seed,
            self.own,
            self.others,
            self.struck,
            self.armed,
            self.eager,
            self.velocity_bin,
            self.last_onset,
            self.last_note,
        )


class Generator:
    """Feeds and generates with one bundle. Holds no state of a performance; thread-safe."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.vocabulary = bundle.card.vocabulary
        self._first = self.vocabulary.first
        self._sampler = Sampler(self.vocabulary)
        self._control: tuple[Params | None, NDArray[np.float32]] = (None, bundle.card.conditioning.off)

    def start(self, seed: int) -> GeneratorState:
        """The state before the first event. seed: any integer."""
        logits, network = self.bundle.network.step(
            self.bundle.start_event, self.bundle.card.conditioning.off, self.bundle.start_state
        )
        return GeneratorState(network, logits, 0, seed & _MASK)

    def control(self, params: Params) -> NDArray[np.float32]:
        """The control vector [C] that the parameters ask for."""
        known, vector = self._control  # read and replaced whole
        if known is not params:
            classes = pitch_classes(params.scale, params.root)
            weights = tuple(float(pitch_class in classes) for pitch_class in range(PITCH_CLASSES))
            vector = self.bundle.card.conditioning.vector(params.density, weights)
            self._control = (params, vector)
        return vector

    def feed(
        self, state: GeneratorState, event: int, params: Params, own: bool, seed: int | None = None
    ) -> GeneratorState:
        """The state after an event (index) of the machine's own, or of the human's. seed: the next one, if any."""
        logits, network = self.bundle.network.step(event, self.control(params), state.network)
        kind, value = self.vocabulary.events[event].type, self.vocabulary.events[event].value
        changes: dict[str, Any]
        if kind is EventType.TIME_SHIFT:
            changes = {"step": state.step + value, "struck": False, "armed": False}
        elif kind is EventType.VELOCITY:
            changes = {"velocity_bin": value, "armed": True}
        elif kind is EventType.NOTE_OFF:
            notes = tuple(note for note in state.own if note[0] != value)
            changes = {"own": notes, "others": state.others - {value}, "last_note": state.step}
        elif own:
            notes = (*state.own, (value, state.step))
            changes = {"own": notes, "eager": False, "last_onset": state.step}
        else:
            changes = {"others": state.others | {value}}
        if kind is EventType.NOTE_ON:
            changes |= {"struck": True, "armed": False, "last_note": state.step}
        seed = state.seed if seed is None else seed
        return replace(state, network=network, logits=logits, seed=seed, **changes)

    def pass_time(self, state: GeneratorState, step: int, params: Params) -> GeneratorState:
        """The state when the time has come to `step` and nothing happened.

        A silence of over SILENCE_S is heard as that long: an hour of rest is not music to go on from.
        """
        longest = self.vocabulary.max_shift
        while state.step < step:
            if self.deaf(state):
                return replace(state, step=step, struck=False)
            shift = min(longest, step - state.step)
            state = self.feed(state, self._first[EventType.TIME_SHIFT] + shift - 1, params, own=False)
        return state

    def deaf(self, state: GeneratorState) -> bool:
        """Whether the silence has become so long that more of it is not heard."""
        silent = not state.own and not state.others
        return silent and state.step - state.last_note >= SILENCE_S * self.vocabulary.steps_per_second

    def prime(self, state: GeneratorState, events: NDArray[np.int64], params: Params) -> GeneratorState:
        """The state after a whole performance [n] was heard, its sounding notes ended, at step 0 again."""
        if not len(events):
            return state
        network, control = state.network, self.control(params)
        for chunk in np.split(events, range(_CHUNK, len(events), _CHUNK)):  # all at once would take 20 KB an event
            logits, network = self.bundle.network.run(chunk, np.tile(control, (len(chunk), 1)), network)
        first = self._first[EventType.VELOCITY]
        bins = events[events >= first] - first + 1
        velocity_bin = int(bins[-1]) if len(bins) else state.velocity_bin
        return replace(state, network=network, logits=logits[-1], velocity_bin=velocity_bin)

    def note_limit(self, params: Params) -> int:
        """The longest note of the machine, steps."""
        return max(1, self.vocabulary.steps(params.note_limit_s))

    def expired(self, state: GeneratorState, limit: int, ring_end: int) -> tuple[int, ...]:
        """The machine's pitches that have reached their latest end. limit: the longest note, steps."""
        if state.step >= ring_end:
            return tuple(sorted(pitch for pitch, _ in state.own))
        return tuple(sorted(pitch for pitch, onset in state.own if state.step - onset >= limit))

    def generate(
        self, state: GeneratorState, params: Params, floor: int, close: int
    ) -> tuple[int, GeneratorState] | None:
        """The next event (index) and the state after it; None when the turn is over.

        floor: the earliest step for something to happen (time has passed since the last event).
        close: the step from which the turn is to end at the next rest.
        """
        limits = self._limits(state, params, floor, close)
        if limits is None:
            return None
        if limits.forced >= 0:
            event, seed = limits.forced, state.seed
        else:
            seed, chance = _uniform(state.seed)
            event = self._sampler.sample(state.logits, params.temperature, params.top_p, chance, limits)
        return event, self.feed(state, event, params, own=True, seed=seed)

    def _limits(self, state: GeneratorState, params: Params, floor: int, close: int) -> Limits | None:
        vocabulary = self.vocabulary
        longest = vocabulary.max_shift
        note_limit = self.note_limit(params)
        may_play, ring_end = self._ending(state, close)
        off = self._first[EventType.NOTE_OFF]
        shift = self._first[EventType.TIME_SHIFT]
        behind = floor - state.step
        if behind > longest:
            return Limits(forced=shift + longest - 1)
        if behind <= 0 and not state.struck:
            expired = self.expired(state, note_limit, ring_end)
            if expired:
                return Limits(forced=off + expired[0])
        if not may_play and not state.own:
            return None

        latest = min([ring_end, *(onset + note_limit for _, onset in state.own)]) if state.own else FAR
        shortest_shift = max(behind, 1)
        longest_shift = max(shortest_shift, min(longest, latest - state.step))
        if behind > 0:  # nothing may land in the past: move on first
            return Limits(shifts=(shortest_shift, longest_shift))
        notes_on = None
        if may_play and len(state.own) < params.polyphony:
            notes_on = (params.lowest_pitch, params.highest_pitch)
        return Limits(
            notes_on=notes_on,
            taken=tuple(state.sounding),
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

    def _ending(self, state: GeneratorState, close: int) -> tuple[bool, int]:
        """(whether a note may still start, the step by which all have ended) in a turn that is to close.

        After `close` the turn ends at the first rest: no onset for REST_S. Where none comes within GRACE_S, at the
        end of the chord. What still sounds rings on for RING_S at most.
        """
        if state.step < close:
            return True, FAR
        rate = self.vocabulary.steps_per_second
        since = state.step - state.last_onset
        rest = _REST_S if state.step < close + round(_GRACE_S * rate) else _CHORD_S
        if since <= max(1, round(rest * rate)):
            return True, FAR
        return False, max(close, state.last_onset) + round(_RING_S * rate)


_REST_S, _CHORD_S, _GRACE_S, _RING_S = 0.15, 0.03, 2.0, 1.5
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
