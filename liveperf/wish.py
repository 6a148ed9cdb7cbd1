"""What the generator is asked for, in the model's own terms: before transposition, at the model's own speed."""

from __future__ import annotations

from dataclasses import dataclass

from liveperf.events import PITCHES
from liveperf.params import Params
from liveperf.scales import pitch_classes


@dataclass(frozen=True, slots=True)
class Wish:
    """The live parameters as the generator sees them; a value, made by `wish`.

    density: notes/s of the model's time, 0 = as it likes. classes: pitch classes to lean to, or (`locked`) to keep
    to; empty = all. lowest, highest: pitches, none where they cross. note_limit: the longest note, steps.
    transpose: semitones between what the model plays and what is heard. repeat_guard: 0 to 1.
    """

    density: float = 0.0
    classes: frozenset[int] = frozenset()
    locked: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    lowest: int = 0
    highest: int = PITCHES - 1
    polyphony: int = PITCHES
    note_limit: int = 1
    transpose: int = 0
    repeat_guard: float = 0.0


def wish(params: Params, steps_per_second: float, pace: float = 1.0, chord: frozenset[int] = frozenset()) -> Wish:
    """The wish of parameters. steps_per_second: of the vocabulary. pace: how much faster the music runs than that.

    chord: pitch classes that a hand holds to steer the harmony; they win over the scale.
    """
    classes = chord or pitch_classes(params.scale, params.root)
    return Wish(
        density=params.density / pace,
        classes=frozenset((one - params.transpose) % 12 for one in classes),
        locked=params.key_lock == "on",
        temperature=params.temperature,
        top_p=params.top_p,
        lowest=max(0, params.lowest_pitch - params.transpose),
        highest=min(PITCHES - 1, params.highest_pitch - params.transpose),
        polyphony=params.polyphony,
        note_limit=max(1, round(params.note_limit_s * steps_per_second * pace)),
        transpose=params.transpose,
        repeat_guard=params.repeat_guard,
    )
