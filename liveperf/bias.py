"""Nats added to the logits: what is asked of a model that cannot be told, and against saying the same again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from liveperf.events import PITCHES, EventType, Vocabulary
from liveperf.sampling import pitches_of
from liveperf.state import GeneratorState
from liveperf.wish import Wish

RECENT = 64  # onsets remembered
PASSAGE = 3  # notes that make a passage: what followed it before is avoided
AGAINST_REPEATS = 5.0  # nats, at a guard of 1, for each time that it followed
LEANING = 2.5  # nats for a pitch inside the scale, in a model that cannot be told
WINDOW_S = 4.0  # over which density is counted
PRIOR = 3.0  # notes
LONGER = 2.0  # nats that an octave more of time shift gains, for each octave by which it plays too much
HELP = 0.12  # of both, for a model that is told
HASTE, CALM = 0.2, 0.1  # more of it for such a model, too sparse or too dense
TRUSTED = 0.5  # by over half an octave: a knob was turned
CALM_S = 1.0  # it is calmed by what it does now: by what it did, it would rest for long, and then burst out
OFTENER = 8.0  # nats that time's passing at all gains for each
MEMORY_S = 20.0  # so long it is remembered that too much was played, or too little: a model has its moods
MAKES_UP = 1.0  # octaves by which it then makes up for it, for each part of what was asked in that time,
MOST = 0.25  # up to this part


class Bias:
    """Makes biases [V] for one vocabulary. Thread-safe: what it gives is a function of state and wish."""

    def __init__(self, vocabulary: Vocabulary, steers: bool) -> None:
        """steers: whether density and scale are to be had by sampling, the model being deaf to them.

        One that is told its density is helped a little, for it plays somewhat more than it is asked for, and is
        hurried or calmed when it has far to go: by itself it takes four seconds from 2 notes/s to 16, and from 16
        to 4 it may take twenty.
        """
        self._gain = 1.0 if steers else HELP
        self._steers, self._size, self._rate = steers, vocabulary.size, vocabulary.steps_per_second
        first = vocabulary.first[EventType.TIME_SHIFT]
        self._shifts = slice(first, first + vocabulary.max_shift)
        shifts_s = np.arange(1, vocabulary.max_shift + 1) / vocabulary.steps_per_second
        self._octaves = np.log2(shifts_s).astype(np.float32)

    def of(self, state: GeneratorState, wish: Wish) -> NDArray[np.float32] | None:
        """The bias [V] in nats; None for none."""
        avoided = repeated(state.recent) if wish.repeat_guard else ()
        if not (avoided or wish.density or (self._steers and wish.classes)):
            return None
        bias = np.zeros(self._size, np.float32)
        for pitch in avoided:
            bias[pitch] -= wish.repeat_guard * AGAINST_REPEATS
        if self._steers and wish.classes:
            bias[:PITCHES][pitches_of(wish.classes)] += LEANING
        if wish.density:
            slow = self._slow(state, wish.density, WINDOW_S)
            turned = 0.0 if self._steers else self._turned(state, wish.density, slow)
            lasting = surplus(state, wish) / (wish.density * MEMORY_S)
            slow = self._gain * max(slow, -1.0) + turned + MAKES_UP * min(max(lasting, -MOST), MOST)
            longer, logits = LONGER * slow * self._octaves, state.logits[self._shifts]
            bias[self._shifts] += longer + _log_sum(logits) - _log_sum(logits + longer) + OFTENER * max(slow, 0.0)
        return bias

    def _turned(self, state: GeneratorState, density: float, slow: float) -> float:
        """By how many octaves such a model is to be slowed down beyond its usual help, or hurried (below 0)."""
        at_once = min(slow, self._slow(state, density, CALM_S))
        return HASTE * min(slow + TRUSTED, 0.0) + CALM * max(at_once - TRUSTED, 0.0)

    def _slow(self, state: GeneratorState, density: float, window_s: float) -> float:
        """By how many octaves the last `window_s` were too dense (2 at most), or too sparse (-2.5 at most)."""
        window = window_s * self._rate
        since = max(state.turn, state.step - window)
        played = sum(step >= since for step, _ in state.recent)
        if played == len(state.recent) == RECENT:  # more were played than are remembered
            since = state.recent[0][0]
        # As if some more had been played, and expected: a turn that has just begun is neither
        ratio = (played + PRIOR) / (density * (state.step - since) / self._rate + PRIOR)
        return min(max(math.log2(ratio), -2.5), 2.0)


def surplus(state: GeneratorState, wish: Wish) -> float:
    """Notes that were played beyond what is asked for, since it is: before a knob was turned they were none."""
    return state.surplus if state.asked == wish.density else 0.0


def _log_sum(logits: NDArray[np.float32]) -> float:
    highest = logits.max()
    return float(highest + np.log(np.exp(logits - highest).sum()))


def repeated(recent: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    """The pitches that followed earlier on what has just been played, once for each time."""
    pitches = [pitch for _, pitch in recent]
    last = pitches[-PASSAGE:]
    if len(last) < PASSAGE:
        return ()
    ends = range(PASSAGE, len(pitches))
    return tuple(pitches[end] for end in ends if pitches[end - PASSAGE : end] == last)
