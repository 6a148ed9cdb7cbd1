"""Logits, the rules of the music and two knobs -> an event."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from liveperf.events import PITCHES, EventType, Vocabulary


@dataclass(frozen=True, slots=True)
class Limits:
    """Which events may come next.

    notes_on: lowest and highest pitch that may start, None for none; `taken` ones may not, nor those outside the
    pitch classes `classes` (None: all). notes_off: pitches that may end. velocity: the bin in force, which may
    change; None if it may not.
    shifts: shortest and longest TIME_SHIFT, None for none. only_notes_on: nothing else may come.
    forced: the index of the only event there is, -1 for a free choice.
    """

    notes_on: tuple[int, int] | None = None
    taken: tuple[int, ...] = ()
    classes: frozenset[int] | None = None
    notes_off: tuple[int, ...] = ()
    velocity: int | None = None
    shifts: tuple[int, int] | None = None
    only_notes_on: bool = False
    forced: int = -1


@lru_cache(maxsize=256)
def pitches_of(classes: frozenset[int]) -> NDArray[np.bool_]:
    """Which of the 128 pitches are of these classes. Not to be changed."""
    return np.isin(np.arange(PITCHES) % 12, list(classes))


class Sampler:
    """Chooses events of one vocabulary. Thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        first = vocabulary.first
        self.size = vocabulary.size
        self._off = first[EventType.NOTE_OFF]
        self._shift = first[EventType.TIME_SHIFT]
        self._velocity = first[EventType.VELOCITY]

    def allowed(self, limits: Limits) -> NDArray[np.int64]:
        """The indices [n], ascending, that the limits allow; never none."""
        mask = np.zeros(self.size, bool)
        starts = False
        if limits.notes_on is not None:
            low, high = limits.notes_on
            mask[low : high + 1] = True
            for pitch in limits.taken:
                mask[pitch] = False
            if limits.classes is not None:
                mask[:PITCHES] &= pitches_of(limits.classes)
            starts = bool(mask.any())
        if not (limits.only_notes_on and starts):
            for pitch in limits.notes_off:
                mask[self._off + pitch] = True
            if limits.shifts is not None or not starts:
                shortest, longest = limits.shifts or (1, 1)
                mask[self._shift + shortest - 1 : self._shift + longest] = True
            if limits.velocity is not None and starts:
                mask[self._velocity :] = True
                if limits.velocity:
                    mask[self._velocity + limits.velocity - 1] = False
        return mask.nonzero()[0]

    def sample(
        self,
        logits: NDArray[np.float32],
        temperature: float,
        top_p: float,
        chance: float,
        limits: Limits,
        bias: NDArray[np.float32] | None = None,
    ) -> int:
        """An index among the allowed. logits [V]; top_p: the probability mass kept; chance: in [0, 1).

        bias [V]: nats added to the logits at their own temperature of 1.
        """
        choices = self.allowed(limits)
        weights = logits[choices].astype(np.float64)
        if bias is not None:
            weights += temperature * bias[choices]
        weights -= weights.max()
        weights /= temperature
        np.exp(weights, out=weights)
        if top_p < 1:
            order = (-weights).argsort(kind="stable")
            sums = weights[order].cumsum()
            kept = int(sums.searchsorted(top_p * sums[-1])) + 1
            choices, sums = choices[order[:kept]], sums[:kept]
        else:
            sums = weights.cumsum()
        position = int(sums.searchsorted(chance * sums[-1], side="right"))
        return int(choices[min(position, len(choices) - 1)])
