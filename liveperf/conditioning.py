"""Note density and pitch-class histogram: measured from events, and as the network's control vector.

Definitions after Magenta, performance_controls.py: density is the notes that start in the next 3 s, a second; the
histogram is weighted by duration over the next 5 s, with a prior of 0.01, normalised. Each has one bit that
switches it off. Values change only after a TIME_SHIFT. Magenta's density lies in one-hot bins, where 2 notes/s is
heard as "2 to 4"; here it is shared between the two knots around it, linearly in its logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveperf.codec import Events
from liveperf.events import PITCHES, EventType, Vocabulary

PITCH_CLASSES = 12
PRIOR = 0.01


@dataclass(frozen=True)
class Conditioning:
    """The layout of the control vector: [density off, density knots..., histogram off, 12 pitch classes]."""

    density_knots: tuple[float, ...] = (0.5, 1, 2, 4, 8, 16, 32, 64)  # notes/s, rising; beyond the ends: the ends
    density_window_s: float = 3.0
    histogram_window_s: float = 5.0
    told: bool = True  # whether the network was told anything in training; else only the off vector is known to it

    def __post_init__(self) -> None:
        knots = self.density_knots
        if len(knots) < 2 or not all(0 < a < b for a, b in zip(knots, knots[1:], strict=False)):
            raise ValueError(f"density knots rise from above 0: {knots}")

    @property
    def size(self) -> int:
        """How long the control vector is."""
        return self._split + 1 + PITCH_CLASSES

    @property
    def _split(self) -> int:
        """Where the histogram's half begins, with its bit for off."""
        return 1 + len(self.density_knots)

    @property
    def off(self) -> NDArray[np.float32]:
        """The vector [size] that leaves everything to the network."""
        return self.vector()

    def vector(self, density: float = 0.0, weights: tuple[float, ...] = ()) -> NDArray[np.float32]:
        """The control vector [size] for a density (notes/s; 0 = off) and 12 pitch-class weights (() = off)."""
        if len(weights) not in (0, PITCH_CLASSES):
            raise ValueError(f"{PITCH_CLASSES} pitch-class weights or none, not {len(weights)}")
        histogram = _normalised(np.array([weights], np.float32)) if sum(weights) > 0 else None
        vector: NDArray[np.float32] = self.vectors(
            1, np.array([density], np.float32) if density > 0 else None, histogram
        )[0]
        return vector

    def vectors(
        self, count: int, density: NDArray[np.float32] | None, histogram: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Control vectors [count, size] for densities [count] and histograms [count, 12]; None = off."""
        vectors = np.zeros((count, self.size), np.float32)
        vectors[:, 0], vectors[:, self._split] = density is None, histogram is None
        if density is not None:
            knots = np.log2(self.density_knots)
            place = np.interp(np.log2(np.maximum(density, self.density_knots[0])), knots, np.arange(len(knots)))
            below = np.minimum(place.astype(np.int64), len(knots) - 2)
            rows = np.arange(count)
            vectors[rows, 2 + below] = place - below
            vectors[rows, 1 + below] = 1 - (place - below)
        if histogram is not None:
            vectors[:, self._split + 1 :] = histogram
        return vectors

    def measure(self, events: Events, vocabulary: Vocabulary) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(density [n] in notes/s, histogram [n, 12]) of the coming seconds, at each of n events."""
        rate = vocabulary.steps_per_second
        steps = event_steps(events, vocabulary)
        is_on = events < PITCHES
        onsets = steps[is_on]
        window = round(self.density_window_s * rate)
        notes = np.searchsorted(onsets, steps + window) - np.searchsorted(onsets, steps)
        density = (notes / self.density_window_s).astype(np.float32)

        window = round(self.histogram_window_s * rate)
        is_off = (events >= PITCHES) & (events < 2 * PITCHES)
        change = np.zeros((int(steps[-1]) + window + 2, PITCH_CLASSES), np.float32)
        np.add.at(change, (onsets, events[is_on] % PITCHES % PITCH_CLASSES), 1)
        np.add.at(change, (steps[is_off], events[is_off] % PITCHES % PITCH_CLASSES), -1)
        sounded = np.cumsum(np.cumsum(change, axis=0, dtype=np.float64), axis=0)  # note-steps up to and with
        before = np.concatenate((np.zeros((1, PITCH_CLASSES)), sounded))
        weights = (before[steps + window] - before[steps]) / rate
        return density, _normalised(weights.astype(np.float32))

    def as_metadata(self) -> dict[str, Any]:
        """The `control` entry of a bundle's metadata."""
        return {
            "size": self.size,
            "off": [float(x) for x in self.off],
            "told": self.told,
            "density_knots": list(self.density_knots),
            "density_window_s": self.density_window_s,
            "histogram_window_s": self.histogram_window_s,
        }


def event_steps(events: Events, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """The step [n] at which each event lies (a TIME_SHIFT: where it leads)."""
    first = vocabulary.first[EventType.TIME_SHIFT]
    is_shift = (events >= first) & (events < first + vocabulary.max_shift)
    return np.cumsum(np.where(is_shift, events - first + 1, 0))


def _normalised(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    weights = weights + PRIOR
    normalised: NDArray[np.float32] = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
    return normalised
