"""How the machine's notes are heard: transposed, and as loud as asked."""

from __future__ import annotations

from dataclasses import dataclass

import mido

from liveperf.params import Params

MIDDLE = 64  # the velocity that loudness spreads from


@dataclass(frozen=True, slots=True)
class MachineNote:
    """The machine's note begins (velocity 1 to 127) or ends (velocity 0) at a step; pitch: as it is heard."""

    step: int
    pitch: int
    velocity: int

    def message(self, channel: int) -> mido.Message:
        """The note-on or note-off. channel: 1 to 16."""
        kind = "note_on" if self.velocity else "note_off"
        return mido.Message(kind, channel=channel - 1, note=self.pitch, velocity=self.velocity)


class Touch:
    """What of the machine's notes sounds where: a note ends where it began, whatever was turned meanwhile.

    Not thread-safe: the engine thread owns it.
    """

    def __init__(self) -> None:
        self._heard: dict[int, int] = {}  # sounding pitches, as meant -> as heard

    def begin(self, step: int, pitch: int, velocity: int, params: Params) -> list[MachineNote]:
        """A note begins, as meant; where another is still heard at its pitch, that one ends."""
        heard = pitch + params.transpose
        notes = []
        for meant in [meant for meant, other in self._heard.items() if other == heard]:
            notes += self.end(step, meant)
        self._heard[pitch] = heard
        spread = MIDDLE + params.loudness_spread * (velocity - MIDDLE)
        return [*notes, MachineNote(step, heard, min(max(round(params.loudness * spread), 1), 127))]

    def end(self, step: int, pitch: int) -> list[MachineNote]:
        """A note ends, as meant; nothing, if it is heard no more."""
        heard = self._heard.pop(pitch, None)
        return [] if heard is None else [MachineNote(step, heard, 0)]
