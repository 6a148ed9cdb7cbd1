"""Recognises our own notes when they come back: a DAW that passes what it receives on to the port we listen to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import mido

WINDOW_S = 0.15  # a message that comes back does so within this
PROOF = 2  # notes that have come back, of the last 8: there is a loop
REMEMBERED = 8


Key = tuple[object, ...]


@dataclass
class _Sent:
    at: float
    key: Key
    own: bool
    returned: bool = False


class Echo:
    """What was sent a moment ago, and whether it comes back. Not thread-safe: called under one lock.

    Nobody but a loop plays the machine's own note-on again, at its pitch and velocity, within the window: it is
    taken for an echo, and a few of them prove that there is a loop. The human's notes, passed on, may well be
    played again at once by himself: they are echoes where a loop is proven, or where they change nothing, for
    nobody strikes a key that is down already. A note-off is one if its note-on was and a note-off went out, so
    that no note of the human's is left hanging.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sent: deque[_Sent] = deque()
        self._waiting: dict[tuple[bool, Key], deque[_Sent]] = {}  # by whether it is the machine's: not returned
        self._returned: deque[bool] = deque(maxlen=REMEMBERED)  # of the last note-ons
        self._stands: dict[Key, Key] = {}  # what the human's keys and controllers were last seen to do
        self._sounding: set[Key] = set()  # note-offs that would be echoes

    @property
    def loops(self) -> bool:
        """Whether what is sent comes back."""
        return sum(self._returned) >= PROOF

    def sent(self, now: float, message: mido.Message, own: bool) -> None:
        """A message goes out (s): the machine's own, or one of the human's that is passed on."""
        self._forget(now)
        sent = _Sent(now, _key(message), own)
        self._sent.append(sent)
        self._waiting.setdefault((own, sent.key), deque()).append(sent)
        if not own:
            self._stands[_thing(message)] = _key(message)

    def is_echo(self, now: float, message: mido.Message) -> bool:
        """Whether a message that has just come in (s) is ours; each one sent comes back once."""
        self._forget(now)
        key = _key(message)
        if key[0] == "off":
            ours = key in self._sounding and self._returns(key, proven=True)
            if ours:
                self._sounding.discard(key)
        else:
            ours = self._returns(key, self.loops or self._stands.get(_thing(message)) == key)
            if key[0] == "on":
                (self._sounding.add if ours else self._sounding.discard)(_off(message))
        self.count += ours
        return ours

    def _returns(self, key: Key, proven: bool) -> bool:
        for own in (True, False) if proven else (True,):
            waiting = self._waiting.get((own, key))
            if waiting:
                waiting.popleft().returned = True
                if not waiting:
                    del self._waiting[own, key]
                return True
        return False

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0].at < now - WINDOW_S:
            old = self._sent.popleft()
            if not old.returned:
                waiting = self._waiting[old.own, old.key]
                waiting.popleft()
                if not waiting:
                    del self._waiting[old.own, old.key]
                if old.key[0] == "off":  # it does not come back any more
                    self._sounding.discard(old.key)
            if old.key[0] == "on" and (old.own or old.returned):
                self._returned.append(old.returned)


def _key(message: mido.Message) -> Key:
    if message.type == "note_on" and message.velocity > 0:
        return ("on", message.channel, message.note, message.velocity)
    if message.type in ("note_on", "note_off"):
        return _off(message)
    return (message.type, *message.bytes())


def _thing(message: mido.Message) -> Key:
    """The key, controller or wheel that a message is of."""
    kind = "note" if message.type in ("note_on", "note_off") else message.type
    return (kind, message.channel, getattr(message, "note", None), getattr(message, "control", None))


def _off(message: mido.Message) -> Key:
    return ("off", message.channel, message.note)
