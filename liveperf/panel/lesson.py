"""A page waits for a knob to be moved; which one it was is found out among all that comes in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import mido

from liveperf.mapping.listener import Heard, Listener, wanted
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF

PATIENCE_S = 30.0  # nobody is held up for longer than this by a page that has been left


class Lesson:
    """Any thread begins one and ends it; `hear` is for the threads that take messages in, and does not block.

    It ends when a knob has been moved, when it is given up, with a panic, and by itself after PATIENCE_S.
    """

    def __init__(
        self,
        tell: Callable[[str, Heard], object],
        now: Callable[[], float],
        panics: Callable[[mido.Message], bool] = lambda message: False,
    ) -> None:
        """tell: told what was moved, and what for; it must not block. now: the time, s. panics: whether a message
        is a knob's that is for panic.
        """
        self._tell, self._now, self._panics = tell, now, panics
        self._lock = threading.Lock()
        self._name: str | None = None
        self._until = now()
        self._listener = Listener(frozenset())

    @property
    def wanted(self) -> str | None:
        """The parameter or action that a knob is waited for."""
        return self._name if self._now() < self._until else None

    @property
    def shown(self) -> dict[str, Any]:
        """It, as a page is shown it: what a knob is waited for, and why what moves is not taken; else None."""
        wanted = self.wanted
        return {"learning": wanted, "hint": (wanted and self._listener.hint) or None}

    def begin(self, name: str | None, encoder: str | None = None) -> None:
        """Wait for a knob for a parameter or an action, instead of for any other; None: for none.

        encoder: how an endless knob codes its ticks; None: it is none. Raises MapError.
        """
        with self._lock:
            if name is not None:
                self._listener = Listener(wanted(name, encoder=encoder), encoder)
            self._name, self._until = name, self._now() + PATIENCE_S

    def hear(self, message: mido.Message) -> bool:
        """Whether a message is for the lesson, and for nothing else: what cannot be the knob never is."""
        if self.wanted is None:
            return False
        if _silences(message) or self._panics(message):
            self.begin(None)
            return False
        with self._lock:
            name, listener = self.wanted, self._listener
            if name is None:
                return False
            heard = listener.hear(message)
            if heard is not None:
                self._name = None
        if heard is not None:
            self._tell(name, heard)
        return listener.waits_for(message)


def _silences(message: mido.Message) -> bool:
    """Whether it is one of MIDI's own messages that all is to be quiet."""
    return message.type == "control_change" and message.control in (ALL_SOUND_OFF, ALL_NOTES_OFF)
