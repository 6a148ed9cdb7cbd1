"""What of the plan would be heard, and when."""

from __future__ import annotations

from collections.abc import Iterable

from liveperf.events import EventType, Vocabulary
from liveperf.params import Params
from liveperf.state import GeneratorState
from liveperf.timeline import Timeline
from liveperf.touch import Touch

Planned = tuple[float, int, int, float | None]
"""When a note starts (s), its pitch and velocity (1 to 127), when it ends, or None if that is not planned yet."""


def planned(
    ahead: Iterable[tuple[int, GeneratorState]], vocabulary: Vocabulary, params: Params, timeline: Timeline
) -> list[Planned]:
    """The notes that planned (event, state after it) begin, as they would be heard. Pure; any thread."""
    touch, notes, open_notes = Touch(), list[Planned](), dict[int, int]()
    middle = (vocabulary.velocity_bins + 1) // 2
    for index, state in ahead:
        event = vocabulary.events[index]
        if event.type is EventType.NOTE_ON:
            velocity = vocabulary.velocity_of(state.velocity_bin or middle)
            heard = touch.begin(state.step, event.value, velocity, params)
        elif event.type is EventType.NOTE_OFF:
            heard = touch.end(state.step, event.value)
        else:
            continue
        for one in heard:
            at = timeline.time_of(one.step)
            if one.velocity:
                open_notes[one.pitch] = len(notes)
                notes.append((at, one.pitch, one.velocity, None))
            elif one.pitch in open_notes:
                number = open_notes.pop(one.pitch)
                notes[number] = (*notes[number][:3], at)
    return notes
