"""What can be measured of a performance, on arrays of notes: pure functions.

A measure is a distribution, taken as a histogram with fixed bins; two collections of performances are compared by
the Jensen-Shannon divergence of their pooled histograms. Features one by one, and real music against real music as
the yardstick, are the field's practice (Yang and Lerch, "On the evaluation of generative models in music", Neural
Computing and Applications 32, 2020; they take Kullback-Leibler divergences, which have no bound).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveperf.codec import Notes
from liveperf.conditioning import PITCH_CLASSES

Floats = NDArray[np.float64]
Sample = tuple[Floats, Floats]
"""Values [n] and their weights [n]."""

WINDOW_S = 5.0  # of notes per second and pitch-class entropy
CHORD_S = 0.03  # onsets this close to each other are one chord
ORDER = 8  # pitches that make a passage


@dataclass(frozen=True, eq=False)
class Performance:
    """Notes, heard from `begin` to `end` (seconds). Silence counts; a note belongs where it begins."""

    notes: Notes
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is listened to."""
        return self.end - self.begin

    @cached_property
    def struck(self) -> Notes:
        """The notes that begin in it, in order."""
        start = self.notes["start"]
        return self.notes[(start >= self.begin) & (start < self.end)]

    def between(self, begin: float, end: float) -> Performance:
        """The part from `begin` to `end`, in seconds of the performance's own time."""
        return Performance(self.notes, begin, end)


def whole(notes: Notes) -> Performance:
    """A piece from its beginning to its last note's end."""
    return Performance(notes, 0.0, float(notes["end"].max()) if len(notes) else 0.0)


def onset_intervals(performance: Performance) -> Sample:
    """Seconds from each onset to the next; 0 within a chord that is struck at once."""
    return _even(np.diff(performance.struck["start"]))


def durations(performance: Performance) -> Sample:
    """Seconds that each note sounds, the sustain pedal's included where the notes have it."""
    return _even(performance.struck["end"] - performance.struck["start"])


def velocities(performance: Performance) -> Sample:
    """MIDI velocity (1 to 127) of each note."""
    return _even(performance.struck["velocity"])


def polyphony(performance: Performance) -> Sample:
    """Numbers of notes that sound at once, weighted by the seconds for which so many do."""
    notes, begin, end = performance.notes, performance.begin, performance.end
    notes = notes[(notes["end"] > begin) & (notes["start"] < end)]
    start, stop = (np.clip(notes[key], begin, end) for key in ("start", "end"))
    time = np.concatenate(([begin, end], start, stop))
    change = np.concatenate(([0, 0], np.ones(len(start), np.int64), -np.ones(len(stop), np.int64)))
    order = np.argsort(time, kind="stable")  # starts before ends at one time, so that it never falls below 0
    seconds: Floats = np.bincount(np.cumsum(change[order])[:-1], np.diff(time[order])).astype(float)
    return np.arange(len(seconds), dtype=float), seconds


def note_rates(performance: Performance) -> Sample:
    """Notes that start, a second, in windows of `WINDOW_S` end to end (what is left over is not counted)."""
    edges = _windows(performance)
    return _even(np.diff(np.searchsorted(performance.struck["start"], edges)) / np.diff(edges))


def pitch_classes(performance: Performance) -> Sample:
    """Pitch classes (0 = C to 11 = B) of the notes, weighted by their duration in seconds."""
    struck = performance.struck
    return (struck["pitch"] % PITCH_CLASSES).astype(float), struck["end"] - struck["start"]


def pitch_class_entropy(performance: Performance) -> Sample:
    """Bits (0 to 3.58) of the pitch classes in windows of `WINDOW_S`, silent ones left out: 0 is one pitch class.

    Pooled over pieces in all keys pitch classes look alike; this tells tonal music from notes at random. After
    Wu and Yang, "The Jazz Transformer on the front line", ISMIR 2020, who take bars; every note counts once.
    """
    struck = performance.struck
    edges = _windows(performance)
    window = np.searchsorted(edges, struck["start"], side="right") - 1
    inside = window < len(edges) - 1
    counts = np.zeros((len(edges) - 1, PITCH_CLASSES))
    np.add.at(counts, (window[inside], struck["pitch"][inside] % PITCH_CLASSES), 1)
    share = counts[counts.any(axis=1)]
    share /= share.sum(axis=1, keepdims=True)
    bits = np.log2(share, out=np.zeros_like(share), where=share > 0)
    return _even(np.abs((share * bits).sum(axis=1)))


@dataclass(frozen=True, eq=False)
class Measure:
    """A row of `MEASURES`. edges [bins + 1]: of the bins; what lies beyond counts to the outermost."""

    name: str
    unit: str
    counted: str  # what a histogram shares out
    sample: Callable[[Performance], Sample]
    edges: Floats
    has_median: bool = True

    def histogram(self, performances: Iterable[Performance]) -> Floats:
        """The weights [bins] in all performances together."""
        total = np.zeros(len(self.edges) - 1)
        for performance in performances:
            values, weights = self.sample(performance)
            total += np.bincount(np.digitize(values, self.edges[1:-1]), weights, len(total))
        return total

    def median(self, performances: Iterable[Performance]) -> float | None:
        """The weighted (lower) median of all performances together; None where there is none."""
        samples = [self.sample(performance) for performance in performances]
        if not self.has_median or not samples:
            return None
        values, weights = (np.concatenate(parts) for parts in zip(*samples, strict=True))
        order = np.argsort(values)
        reached = np.cumsum(weights[order])
        if not len(reached) or reached[-1] <= 0:
            return None
        return float(values[order][np.searchsorted(reached, reached[-1] / 2)])


# Edges lie where no value does: no whole number of steps of 8 or 10 ms, of notes in a window. Two bins an octave.
_TIMES = np.array([0, 0.004, *(0.0123 * 2.0 ** np.arange(0, 10.5, 0.5))])

MEASURES = (
    Measure("onset intervals", "s", "intervals", onset_intervals, _TIMES),
    Measure("durations", "s", "notes", durations, _TIMES),
    Measure("velocities", "", "notes", velocities, np.arange(0.5, 129, 4)),
    Measure("polyphony", "notes", "time", polyphony, np.arange(-0.5, 25)),
    Measure("notes per second", "", "windows of 5 s", note_rates, np.arange(-0.1, 41, 2)),
    Measure("pitch classes", "", "sounding time", pitch_classes, np.arange(-0.5, 12), has_median=False),
    Measure("pitch-class entropy", "bits", "windows of 5 s", pitch_class_entropy, np.linspace(0, np.log2(12), 19)),
)


def divergence(one: Floats, other: Floats) -> float:
    """The Jensen-Shannon divergence (Lin 1991) of two histograms [bins], bits: 0 the same, 1 nothing in common.

    A histogram of nothing has nothing in common with one of something, and is the same as another of nothing.
    """
    if not one.sum() > 0 or not other.sum() > 0:
        return float((one.sum() > 0) != (other.sum() > 0))
    one, other = one / one.sum(), other / other.sum()
    middle = (one + other) / 2
    parts = [(share[share > 0] * np.log2(share[share > 0] / middle[share > 0])).sum() for share in (one, other)]
    return float(np.clip(sum(parts) / 2, 0, 1))


def repeated(performance: Performance) -> NDArray[np.bool_]:
    """For each note struck [n]: whether it ends a passage (`ORDER` pitches) that was heard earlier in it.

    The notes of a chord (`CHORD_S` from one to the next, at most) are taken in order of pitch, as hands are never
    quite together. The mean is seq-rep-8 of Welleck et al. ("Neural text generation with unlikelihood training",
    ICLR 2020), but for the first seven notes.
    """
    struck = performance.struck
    chord = np.cumsum(np.diff(struck["start"], prepend=0.0) > CHORD_S)
    order = np.lexsort((struck["pitch"], chord))
    pitches = struck["pitch"][order].astype(np.uint8).tobytes()
    known: set[bytes] = set()
    flags = np.zeros(len(struck), bool)
    for last in range(ORDER, len(pitches) + 1):
        passage = pitches[last - ORDER : last]
        flags[order[last - 1]] = passage in known
        known.add(passage)
    return flags


def share_inside(performances: Iterable[Performance], classes: Set[int]) -> float | None:
    """The part (0 to 1) of the notes' duration that lies in some pitch classes; None where there is no note."""
    total = inside = 0.0
    for performance in performances:
        values, weights = pitch_classes(performance)
        total += weights.sum()
        inside += weights[np.isin(values, sorted(classes))].sum()
    return inside / total if total > 0 else None


def _even(values: NDArray[Any]) -> Sample:
    return values.astype(float), np.ones(len(values))


def _windows(performance: Performance) -> Floats:
    """Edges of the windows end to end; of a shorter performance: its own."""
    width = min(WINDOW_S, performance.seconds)
    count = int(performance.seconds / width + 1e-6) if width > 0 else 0
    edges: Floats = performance.begin + width * np.arange(count + 1, dtype=float)
    return edges
