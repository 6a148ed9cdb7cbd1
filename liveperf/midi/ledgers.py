"""Ledgers: what a port was sent, so that it can be put right when it has been gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import mido

from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, PEDAL

PEDALS = (64, 66, 67, 69)  # sustain, sostenuto, soft, hold 2
RESET_CONTROLLERS = 121
_ENDS = {ALL_SOUND_OFF: "note", ALL_NOTES_OFF: "note", RESET_CONTROLLERS: "pedal"}  # what a controller ends


class Ledger(Protocol):
    """What a port was sent, as far as it matters when the port comes back."""

    def allows(self, message: mido.Message) -> bool:
        """Whether a message makes sense there."""

    def sent(self, message: mido.Message) -> None:
        """It was sent there."""

    def missed(self, message: mido.Message) -> None:
        """It could not be sent."""

    def confirm(self) -> None:
        """The port is still there: what was sent before the last such moment has arrived."""

    def held(self) -> list[mido.Message]:
        """What ends all that it holds; `sent` is told of each."""

    def amends(self) -> list[mido.Message]:
        """What the port is sent first when it comes back; `sent` is told of each."""


def silencing() -> list[mido.Message]:
    """What ends all that may sound on a synth of which nothing is known."""
    return [
        mido.Message("control_change", channel=channel, control=control, value=0)
        for channel in range(16)
        for control in (PEDAL, ALL_NOTES_OFF, ALL_SOUND_OFF)
    ]


Key = tuple[str, int, int]
"""Of a note ("note", channel, pitch) or a pedal ("pedal", channel, controller)."""


@dataclass
class Held:
    """The notes that sound and the pedals that are down.

    A port is known to be there only now and then; the end of a note may have gone to one that was there no more.
    """

    _down: dict[Key, None] = field(default_factory=dict)  # in order
    _ended: dict[Key, None] = field(default_factory=dict)  # since the port was last known to be there
    _ended_before: dict[Key, None] = field(default_factory=dict)  # and since the time before that

    def allows(self, message: mido.Message) -> bool:
        """All but the end of a note that does not sound."""
        key = _key(message)
        return key is None or key[0] != "note" or begins(message) or key in self._down

    def sent(self, message: mido.Message) -> None:
        """A note begins or ends, a pedal goes down or up."""
        key = _key(message)
        if key is not None and begins(message):
            self._down[key] = None
        elif key is not None:
            self._end([key])
        elif message.type == "control_change":
            what = _ENDS.get(message.control)
            self._end([one for one in self._down if one[:2] == (what, message.channel)])

    def _end(self, keys: list[Key]) -> None:
        for key in keys:
            if key in self._down:
                del self._down[key]
                self._ended[key] = None

    def missed(self, message: mido.Message) -> None:
        """What was not sent does not sound, and what was not ended still does."""

    def confirm(self) -> None:
        """What ended before the last such moment has ended."""
        self._ended, self._ended_before = {}, self._ended

    def held(self) -> list[mido.Message]:
        """The ends of all that is held."""
        return [_end_of(key) for key in self._down]

    def amends(self) -> list[mido.Message]:
        """The ends of all that is or may be held."""
        return [_end_of(key) for key in {**self._ended_before, **self._ended, **self._down}]


def _key(message: mido.Message) -> Key | None:
    if message.type in ("note_on", "note_off"):
        return ("note", message.channel, message.note)
    if message.type == "control_change" and message.control in PEDALS:
        return ("pedal", message.channel, message.control)
    return None


def begins(message: mido.Message) -> bool:
    """Whether a note begins or a pedal goes down, if it is either."""
    value = {"note_on": "velocity", "control_change": "value"}.get(message.type)
    return value is not None and getattr(message, value) > 0


def _end_of(key: Key) -> mido.Message:
    what, channel, number = key
    if what == "note":
        return mido.Message("note_off", channel=channel, note=number, velocity=0)
    return mido.Message("control_change", channel=channel, control=number, value=0)


@dataclass
class Shown:
    """What a controller's rings, faders and lamps show; those of one that comes back are dark."""

    _last: dict[tuple[int, str, int], mido.Message] = field(default_factory=dict)

    def allows(self, message: mido.Message) -> bool:
        """Anything may be shown."""
        return True

    def sent(self, message: mido.Message) -> None:
        """It shows this now."""
        if message.type == "control_change":
            self._last[message.channel, "control", message.control] = message
        elif message.type in ("note_on", "note_off"):
            self._last[message.channel, "note", message.note] = message

    def missed(self, message: mido.Message) -> None:
        """It should show this."""
        self.sent(message)

    def confirm(self) -> None:
        """It shows what it was last sent, or will be sent it again."""

    def held(self) -> list[mido.Message]:
        """Nothing: lamps stay as they are."""
        return []

    def amends(self) -> list[mido.Message]:
        """All of it."""
        return list(self._last.values())
