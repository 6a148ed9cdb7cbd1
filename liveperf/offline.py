"""A performance in virtual time: the performer as fast as it can, into a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from liveperf.midifile import write_messages
from liveperf.performer import MachineNote, Performer

CLOSING_S = 2.0  # it is asked to come to rest this long before the end


def perform(performer: Performer, seconds: float, progress: Callable[[float], None]) -> list[MachineNote]:
    """What it plays by itself in that time, the last note ended. progress: told the seconds done so far."""
    rate = performer.rate
    end = round(seconds * rate)
    closing = max(end - round(CLOSING_S * rate), 1)
    notes: list[MachineNote] = []
    while performer.now < closing:
        notes += performer.run_until(min(performer.now + max(round(rate), 1), closing))
        progress(performer.now / rate)
    performer.end()
    notes += performer.run_until(end - 1)
    performer.panic()
    notes += performer.run_until(end)
    progress(seconds)
    return notes


def write(path: Path, notes: list[MachineNote], steps_per_second: float, channel: int = 1) -> None:
    """Write notes to a MIDI file. channel: 1 to 16. Raises OSError."""
    messages = [(note.step / steps_per_second, note.message(channel)) for note in notes]
    write_messages(path, {"machine": messages})
