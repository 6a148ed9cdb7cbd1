"""Recognises our own notes when they come back: a DAW that passes what it receives on to the port we listen to."""

from __future__ import annotations

from collections import deque

import mido

WINDOW_S = 0.15  # a message that comes back does so within this


class Echo:
    """What was sent a moment ago. Not thread-safe: `sent` and `is_echo` are called under one lock.

    A note-on is an echo if the very same was sent within the window: same channel, pitch and velocity. A note-off
    is one if its note-on was, so that a note of the human's is never left hanging.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sent: deque[tuple[float, tuple[object, ...]]] = deque()
        self._sounding: set[tuple[int, int]] = set()  # (channel, pitch) of echoed note-ons

    def sent(self, now: float, message: mido.Message) -> None:
        """A message goes out (s)."""
        self._forget(now)
        self._sent.append((now, _key(message)))

    def is_echo(self, now: float, message: mido.Message) -> bool:
        """Whether a message that has just come in (s) is ours; each one sent comes back once."""
        ours = self._is_echo(now, message)
        self.count += ours
        return ours

    def _is_echo(self, now: float, message: mido.Message) -> bool:
        self._forget(now)
        begins = message.type == "note_on" and message.velocity > 0
        if message.type in ("note_on", "note_off") and not begins:
            place = (message.channel, message.note)
            ours = place in self._sounding
            self._sounding.discard(place)
            return ours
        key = _key(message)
        for index, (_, sent) in enumerate(self._sent):
            if sent == key:
                del self._sent[index]
                if begins:
                    self._sounding.add((message.channel, message.note))
                return True
        if begins:
            self._sounding.discard((message.channel, message.note))
        return False

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] < now - WINDOW_S:
            self._sent.popleft()


def _key(message: mido.Message) -> tuple[object, ...]:
    return tuple(message.bytes())
