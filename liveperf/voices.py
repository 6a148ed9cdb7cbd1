"""Who holds which note, and until when at the latest: the ledger between what is meant and what is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

import mido

PEDAL, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123  # controller numbers


class Owner(Enum):
    """Whose note it is."""

    HUMAN = "human"
    MACHINE = "machine"


@dataclass
class Voices:
    """Every sounding note has its owners, and a pitch that two hold ends with the last of them.

    Each method returns the messages to send. What is sent is always in pairs: a note-on of a sounding pitch is
    preceded by its note-off. Not thread-safe: the output thread owns it.
    """

    _held: dict[tuple[int, int], dict[Owner, float]] = field(default_factory=dict)
    _pedals: set[int] = field(default_factory=set)

    @property
    def sounding(self) -> list[tuple[int, int]]:
        """(channel, pitch) of what sounds."""
        return list(self._held)

    def note_on(self, owner: Owner, message: mido.Message, until: float) -> list[mido.Message]:
        """A note begins, and ends at the time `until` (s) at the latest."""
        key = (message.channel, message.note)
        messages = [_off(key)] if key in self._held else []
        self._held.setdefault(key, {})[owner] = until
        return [*messages, message]

    def note_off(self, owner: Owner, message: mido.Message) -> list[mido.Message]:
        """An owner lets a note go; nothing is sent for one he does not hold, or that another holds too."""
        return self._let_go(owner, [(message.channel, message.note)])

    def control(self, message: mido.Message) -> list[mido.Message]:
        """The human's controller passes through; a pedal that is down is remembered."""
        if message.control == PEDAL:
            (self._pedals.add if message.value else self._pedals.discard)(message.channel)
        return [message]

    def release(self, owner: Owner) -> list[mido.Message]:
        """End all notes of an owner; the human's pedals come up with his notes."""
        messages = self._let_go(owner, [key for key, owners in self._held.items() if owner in owners])
        if owner is Owner.HUMAN:
            messages += [
                mido.Message("control_change", channel=channel, control=PEDAL, value=0)
                for channel in sorted(self._pedals)
            ]
            self._pedals.clear()
        return messages

    def expired(self, now: float) -> list[mido.Message]:
        """End the notes whose latest end has come."""
        messages: list[mido.Message] = []
        for key, owners in list(self._held.items()):
            for owner, until in list(owners.items()):
                if until <= now:
                    messages += self._let_go(owner, [key])
        return messages

    @property
    def next_end(self) -> float:
        """The earliest latest end, s; infinite for none."""
        return min((until for owners in self._held.values() for until in owners.values()), default=float("inf"))

    def _let_go(self, owner: Owner, keys: Iterable[tuple[int, int]]) -> list[mido.Message]:
        messages = []
        for key in keys:
            owners = self._held.get(key, {})
            if owners.pop(owner, None) is not None and not owners:
                del self._held[key]
                messages.append(_off(key))
        return messages


def _off(key: tuple[int, int]) -> mido.Message:
    return mido.Message("note_off", channel=key[0], note=key[1], velocity=0)
