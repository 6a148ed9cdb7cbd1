"""The same performance in another key, at another tempo, louder or softer; on event indices, without decoding."""

from __future__ import annotations

import numpy as np

from liveperf.codec import Events, transpose
from liveperf.conditioning import event_steps
from liveperf.events import PITCHES, EventType, Vocabulary


def augment(
    events: Events, vocabulary: Vocabulary, semitones: int = 0, stretch: float = 1.0, louder: int = 0
) -> Events:
    """Event indices [n] -> [m]. semitones: ValueError beyond the keyboard. louder: velocity bins.

    stretch: what time is multiplied by. Steps that were apart stay apart, so that no note vanishes.
    """
    if semitones:
        events = transpose(events, semitones)
    if louder:
        events = _louder(events, vocabulary, louder)
    if stretch != 1.0:
        events = _stretched(events, vocabulary, stretch)
    return events


def reach(events: Events, semitones: int) -> tuple[int, int]:
    """How far (down, up) the pitches can be transposed: at most by `semitones`, and not beyond 0 to 127."""
    pitch = events[events < 2 * PITCHES] % PITCHES
    if not len(pitch):
        return 0, 0
    return -min(semitones, int(pitch.min())), min(semitones, PITCHES - 1 - int(pitch.max()))


def _louder(events: Events, vocabulary: Vocabulary, louder: int) -> Events:
    """Bins that meet at an end of the range become one, and a VELOCITY that changes nothing is left out."""
    first, last = vocabulary.first[EventType.VELOCITY], vocabulary.size - 1
    is_velocity = events >= first
    velocity = np.clip(events[is_velocity] + louder, first, last)
    changed = events.copy()
    changed[is_velocity] = velocity
    kept = np.ones(len(events), bool)
    kept[is_velocity] = np.diff(velocity, prepend=-1) != 0
    return changed[kept]


def _stretched(events: Events, vocabulary: Vocabulary, stretch: float) -> Events:
    first, longest = vocabulary.first[EventType.TIME_SHIFT], vocabulary.max_shift
    is_shift = (events >= first) & (events < first + longest)
    step = event_steps(events, vocabulary)
    others = np.flatnonzero(~is_shift)
    if not len(others):
        return events.copy()
    before = np.diff(step[others], prepend=0)  # what lay before each event that is no shift
    moved = np.floor(step[others] * stretch + 0.5).astype(np.int64)
    gap = np.where(before > 0, np.maximum(np.diff(moved, prepend=0), 1), 0)
    shifts = -(-gap // longest)
    place = np.cumsum(shifts + 1) - 1
    stretched = np.full(place[-1] + 1, first + longest - 1, np.int64)
    stretched[place] = events[others]
    rest = gap - (shifts - 1) * longest
    stretched[place[gap > 0] - 1] = first + rest[gap > 0] - 1
    return stretched
