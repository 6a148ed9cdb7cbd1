"""Notes <-> events: whole performances at once, and live input as it arrives."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from liveperf.events import PITCHES, EventType, Vocabulary

NOTE = np.dtype([("start", "f8"), ("end", "f8"), ("pitch", "i8"), ("velocity", "i8")])
"""A note: start and end in seconds, pitch 0 to 127, velocity 1 to 127."""

Notes = NDArray[np.void]
Events = NDArray[np.int64]

PEDAL_DOWN = 64  # CC64 from here on is down, in the training data and live


def notes_array(rows: ArrayLike | list[tuple[float, float, int, int]]) -> Notes:
    """Notes from (start, end, pitch, velocity) rows, in order of start, then pitch."""
    notes = np.array(rows, dtype=NOTE)
    return notes[np.lexsort((notes["pitch"], notes["start"]))]


def apply_sustain(notes: Notes, times: ArrayLike, values: ArrayLike) -> Notes:
    """Lengthen notes that end under a held sustain pedal, to its release or the pitch's next onset.

    times: seconds, ascending, of CC64 messages; values: 0 to 127.
    """
    times, values = np.asarray(times, float), np.asarray(values)
    down = values >= PEDAL_DOWN
    if not len(notes) or not down.any():
        return notes.copy()
    changes = np.flatnonzero(down != np.concatenate(([False], down[:-1])))
    presses, releases = times[changes[0::2]], times[changes[1::2]]
    if len(releases) < len(presses):  # held to the end of the performance
        releases = np.append(releases, max(notes["end"].max(), times[-1]))
    sustained = notes[np.lexsort((notes["start"], notes["pitch"]))]
    end = sustained["end"]
    press = np.searchsorted(presses, end, side="right") - 1
    held = (press >= 0) & (end < releases[press])
    until = np.where(held, releases[press], end)
    following = np.full(len(sustained), np.inf)
    same = sustained["pitch"][1:] == sustained["pitch"][:-1]
    following[:-1][same] = sustained["start"][1:][same]
    sustained["end"] = np.where(held, np.maximum(end, np.minimum(until, following)), end)
    return notes_array(sustained)


def encode(notes: Notes, vocabulary: Vocabulary) -> Events:
    """Event indices [n] of notes, times to the nearest step.

    At one step note-offs (ascending) come before note-ons (in order of their start); VELOCITY comes just
    before the NOTE_ON that it changes. A note lasts a step at least, and to the pitch's next onset at most;
    of two onsets of a pitch in one step the later counts.
    """
    rate = vocabulary.steps_per_second
    start = np.floor(notes["start"] * rate + 0.5).astype(np.int64)
    end = np.maximum(np.floor(notes["end"] * rate + 0.5).astype(np.int64), start + 1)
    order = np.lexsort((notes["start"], start, notes["pitch"]))
    pitch, exact = notes["pitch"][order], notes["start"][order]
    velocity, start, end = notes["velocity"][order], start[order], end[order]
    again = np.zeros(len(order), bool)
    again[:-1] = (pitch[1:] == pitch[:-1]) & (start[1:] == start[:-1])
    pitch, exact, velocity, start, end = (x[~again] for x in (pitch, exact, velocity, start, end))
    same = pitch[1:] == pitch[:-1]
    end[:-1][same] = np.minimum(end[:-1], start[1:])[same]

    count = len(pitch)
    step = np.concatenate((end, start))
    is_on = np.repeat((False, True), count)
    tie = np.concatenate((np.zeros(count), exact))
    order = np.lexsort((np.tile(pitch, 2), tie, is_on, step))
    step, is_on = step[order], is_on[order]
    first = vocabulary.first
    index = np.concatenate((pitch + first[EventType.NOTE_OFF], pitch + first[EventType.NOTE_ON]))[order]
    velocity_bin = ((np.tile(velocity, 2) - 1) // vocabulary.bin_width + 1)[order]

    louder = np.zeros(2 * count, bool)
    bins = velocity_bin[is_on]
    louder[is_on] = bins != np.concatenate(([0], bins[:-1]))
    gap = np.diff(step, prepend=0)
    shifts = -(-gap // vocabulary.max_shift)
    last = np.cumsum(shifts + louder + 1) - 1
    longest = first[EventType.TIME_SHIFT] + vocabulary.max_shift - 1
    events = np.full(last[-1] + 1 if count else 0, longest, np.int64)
    events[last] = index
    events[last[louder] - 1] = first[EventType.VELOCITY] + velocity_bin[louder] - 1
    moved = shifts > 0
    rest = (gap - (shifts - 1) * vocabulary.max_shift)[moved]
    events[(last - louder - 1)[moved]] = first[EventType.TIME_SHIFT] + rest - 1
    return events


def decode(events: ArrayLike, vocabulary: Vocabulary) -> Notes:
    """Notes of event indices; a note that is never ended lasts to the end of the performance.

    An orphan NOTE_OFF is passed over, a NOTE_ON of a sounding pitch starts it anew.
    """
    step, velocity = 0, vocabulary.velocity_of((vocabulary.velocity_bins + 1) // 2)
    sounding: dict[int, tuple[int, int]] = {}
    rows: list[tuple[float, float, int, int]] = []
    rate = vocabulary.steps_per_second

    def finish(pitch: int) -> None:
        onset, loudness = sounding.pop(pitch)
        if step > onset:
            rows.append((onset / rate, step / rate, pitch, loudness))

    for index in np.asarray(events).tolist():
        event = vocabulary.events[index]
        if event.type is EventType.TIME_SHIFT:
            step += event.value
        elif event.type is EventType.VELOCITY:
            velocity = vocabulary.velocity_of(event.value)
        else:
            if event.value in sounding:
                finish(event.value)
            if event.type is EventType.NOTE_ON:
                sounding[event.value] = (step, velocity)
    step = max([step, *(onset + 1 for onset, _ in sounding.values())])
    for pitch in list(sounding):
        finish(pitch)
    return notes_array(rows)


def transpose(events: Events, semitones: int) -> Events:
    """Event indices with their pitches moved; ValueError if one would leave 0 to 127."""
    is_note = events < 2 * PITCHES
    pitch = events[is_note] % PITCHES + semitones
    if len(pitch) and not 0 <= pitch.min() <= pitch.max() < PITCHES:
        raise ValueError(f"transposed by {semitones}, pitches leave 0 to 127")
    moved = events.copy()
    moved[is_note] += semitones
    return moved


@dataclass
class LiveEncoder:
    """A keyboard and its pedal, turned into note-ons and note-offs a step at a time.

    Messages are collected as they arrive; `close` gives what they come to at one step, so that live input
    has the order of `encode`: note-offs first, one onset of a pitch a step, a note of a step at least.
    Not thread-safe: the engine thread calls it.
    """

    keys: set[int] = field(default_factory=set)  # held by fingers
    sustained: set[int] = field(default_factory=set)  # let go under the pedal
    pedal: bool = False
    _struck: dict[int, int] = field(default_factory=dict)  # pitch -> velocity, this step
    _ended: set[int] = field(default_factory=set)  # to be released at the next step that may

    @property
    def pending(self) -> bool:
        """Whether `close` has something to say."""
        return bool(self._struck or self._ended)

    @property
    def struck(self) -> bool:
        """Whether a key went down in this step."""
        return bool(self._struck)

    @property
    def silent(self) -> bool:
        """No key down, nothing under the pedal, nothing to come."""
        return not (self.keys or self.sustained or self.pending)

    def note_on(self, pitch: int, velocity: int) -> None:
        """A key goes down (velocity 1 to 127)."""
        self.keys.add(pitch)
        self.sustained.discard(pitch)
        self._ended.discard(pitch)
        self._struck.pop(pitch, None)  # of two strikes in one step the later counts, and its place
        self._struck[pitch] = velocity

    def note_off(self, pitch: int) -> None:
        """A key comes up; one that was not down is passed over."""
        if pitch not in self.keys:
            return
        self.keys.discard(pitch)
        (self.sustained if self.pedal else self._ended).add(pitch)

    def control_pedal(self, value: int) -> None:
        """CC64 (0 to 127)."""
        self.pedal = value >= PEDAL_DOWN
        if not self.pedal:
            self._ended |= self.sustained
            self.sustained.clear()

    def release(self) -> None:
        """All keys and the pedal come up (all notes off, a lost port)."""
        self.control_pedal(0)
        self._ended |= self.keys
        self.keys.clear()

    def close(self, sounding: Set[int]) -> tuple[list[int], list[tuple[int, int]]]:
        """The step's (pitches ended, (pitch, velocity) started), given the pitches that already sound.

        A pitch that sounds and is struck is in both. One that was struck and let go within the step ends
        at the next.
        """
        ended = sorted((self._ended | set(self._struck)) & sounding)
        started = list(self._struck.items())
        self._ended &= set(self._struck)
        self._struck.clear()
        return ended, started
