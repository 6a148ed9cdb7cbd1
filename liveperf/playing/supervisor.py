"""Notices threads that have died or are stuck, and decides whether to start them again."""

from __future__ import annotations

from collections import deque
from typing import Protocol

LOOK_S = 0.1  # how often to look
STUCK_LOOKS = 4  # looks without a sign of life; counted, not timed, for the whole process may have been held up
DEATHS, WITHIN_S = 3, 60.0  # so many deaths within so long, and starting again is no help


class Watched(Protocol):
    """A thread that gives signs of life."""

    beats: int
    failure: Exception | None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""


class Supervisor:
    """Looks after some threads, by name. Main thread only."""

    def __init__(self) -> None:
        self.deaths = 0  # all that there were
        self._recent: deque[float] = deque()
        self._seen: dict[str, tuple[int, int]] = {}  # name -> (beats, looks since they last went up)

    def look(self, name: str, watched: Watched) -> str | None:
        """What is wrong with a thread, in words; None while it lives. Call it every LOOK_S."""
        beats, looks = self._seen.get(name, (-1, 0))
        looks = 0 if watched.beats != beats else looks + 1
        self._seen[name] = (watched.beats, looks)
        if watched.failure is not None:
            return f"died: {type(watched.failure).__name__}: {watched.failure}"
        if not watched.alive:
            return "ended without a word"
        return "is stuck" if looks >= STUCK_LOOKS else None

    def restarts(self, name: str, now: float) -> bool:
        """Whether a thread that has gone at a time (s) is to be started again: not after too many deaths."""
        self._seen.pop(name, None)
        self.deaths += 1
        self._recent.append(now)
        while self._recent[0] < now - WITHIN_S:
            self._recent.popleft()
        return len(self._recent) < DEATHS
