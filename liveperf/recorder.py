"""What was played and answered, as a MIDI file of two tracks: human and machine."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import mido

from liveperf.midifile import part_of, write_messages
from liveperf.voices import Owner


class RecordError(Exception):
    """A recording that cannot be written; the message names the file and says why."""


class Recorder:
    """Collects messages in memory and writes them when the performance is over.

    `add` is thread-safe and does not block: the input callback and the output thread call it.
    """

    def __init__(self, path: Path) -> None:
        """Find out now whether the file can be written; RecordError if not."""
        self.path = path
        self._messages: deque[tuple[float, Owner, mido.Message]] = deque()
        try:
            if path.is_dir():
                raise IsADirectoryError(21, "it is a folder")
            part = part_of(path)
            part.touch()
            part.unlink()
        except OSError as error:
            raise RecordError(f"cannot record to {path}: {error.strerror or error}") from error

    def add(self, time_s: float, owner: Owner, message: mido.Message) -> None:
        """A message was received from the human, or sent for the machine."""
        if hasattr(message, "channel"):  # a file has no place for a sequencer's start and stop
            self._messages.append((time_s, owner, message))

    def save(self, start_s: float) -> None:
        """Write the file, times counted from `start_s`; RecordError if that fails."""
        rows = sorted(self._messages, key=lambda row: row[0])
        tracks = {
            owner.value: [(max(time - start_s, 0.0), message) for time, whose, message in rows if whose is owner]
            for owner in Owner
        }
        try:
            write_messages(self.path, tracks)
        except OSError as error:
            raise RecordError(f"cannot record to {self.path}: {error.strerror or error}") from error
