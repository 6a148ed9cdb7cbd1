"""Note density and pitch-class histogram: measured from events, and as the network's control vector.

Definitions after Magenta, performance_controls.py: density is the notes that start in the next 3 s, a second,
in bins at 1, 2, 4, ... 64, one-hot; the histogram is weighted by duration over the next 5 s, with a prior of
0.01, normalised. Each has one bit that switches it off. Values change only after a TIME_SHIFT.
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
    """The layout of the control vector: [density off, density bins..., histogram off, 12 pitch classes]."""

    density_bins: tuple[float, ...] = (1, 2, 4, 8, 16, 32, 64)
    density_window_s: float = 3.0
    histogram_window_s: float = 5.0

    @property
    def size(self) -> int:
        """How long the control vector is."""
        return 1 + len(self.density_bins) + 1 + 1 + PITCH_CLASSES

    @property
    def off(self) -> NDArray[np.float32]:
        """The vector [size] that leaves everything to the network."""
        return self.vector()

    def vector(self, density: float = 0.0, weights: tuple[float, ...] = ()) -> NDArray[np.float32]:
        """The control vector [size] for a density (notes/s; 0 = off) and 12 pitch-class weights (() = off)."""
        vector = np.zeros(self.size, np.float32)
        split = 2 + len(self.density_bins)
        if density > 0:
            vector[1 + int(np.searchsorted(self.density_bins, density, side="right"))] = 1
        else:
            vector[0] = 1
        if len(weights) and sum(weights) > 0:
            vector[split + 1 :] = _normalised(np.asarray(weights, np.float32)[None])[0]
        else:
            vector[split] = 1
        return vector

    def measure(self, events: Events, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(density bin [n], histogram [n, 12]) of the coming seconds, at each of n events."""
        rate = vocabulary.steps_per_second
        steps = event_steps(events, vocabulary)
        is_on = events < PITCHES
        onsets = steps[is_on]
        window = round(self.density_window_s * rate)
        notes = np.searchsorted(onsets, steps + window) - np.searchsorted(onsets, steps)
        density = np.searchsorted(self.density_bins, notes / self.density_window_s, side="right")

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
            "density_bins": list(self.density_bins),
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
