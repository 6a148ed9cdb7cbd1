"""Notices threads that have died or are stuck, and starts others in their place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from liveperf.clock import Clock

LOOK_S = 0.1  # how often to look
STUCK_LOOKS = 4  # looks without a sign of life; counted, not timed, for the whole process may have been held up
DEATHS, WITHIN_S = 3, 60.0  # so many deaths within so long, and starting again is no help
SAY_LOOKS = 600  # how often it is said again that one is stuck


class Watched(Protocol):
    """A thread that gives signs of life."""

    @property
    def beats(self) -> int:
        """Goes up as long as the thread is not stuck."""

    @property
    def failure(self) -> Exception | None:
        """What it has died of."""

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""


@dataclass(frozen=True)
class Charge:
    """A thread that is looked after.

    thread: whichever is in force. again: starts another in its place. looks: so many without a sign of life, and
    it is stuck. helpless: what that means, where another would be stuck as well; None: another is started. vital:
    without it there is no music.
    """

    name: str
    thread: Callable[[], Watched]
    again: Callable[[], object]
    looks: int = STUCK_LOOKS
    helpless: str | None = None
    vital: bool = True


_STUCK = "is stuck"


@dataclass(eq=False)
class _Case:
    charge: Charge
    deaths: deque[float]  # when, of late; those that are vital have one together
    beats: int = -1
    looks: int = 0  # since they last went up
    stuck: bool = False  # it was said so
    seen: Watched | None = None

    def trouble(self) -> str | None:
        """What is wrong, in words; None while it lives."""
        watched = self.charge.thread()
        if watched is not self.seen or watched.beats != self.beats:
            self.seen, self.beats, self.looks = watched, watched.beats, 0
        else:
            self.looks += 1
        if watched.failure is not None:
            return f"died: {type(watched.failure).__name__}: {watched.failure}"
        if not watched.alive:
            return "ended without a word"
        return _STUCK if self.looks >= self.charge.looks else None


class Supervisor:
    """Looks after some threads. Main thread only."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        """say: told what was wrong, and what came of it."""
        self.deaths = 0  # all that there were
        self._clock, self._say = clock, say
        self._recent: deque[float] = deque()
        self._cases: list[_Case] = []

    def watch(self, charge: Charge) -> None:
        """Look after this one, too, from when it runs."""
        self._cases.append(_Case(charge, self._recent if charge.vital else deque()))

    def look(self) -> bool:
        """See to all of them, every LOOK_S; False when that is no help any more."""
        return all(self._see_to(case) for case in list(self._cases))

    def _see_to(self, case: _Case) -> bool:
        charge, trouble = case.charge, case.trouble()
        if trouble is None:
            if case.stuck:
                self._say(f"the {charge.name} thread goes on")
            case.stuck = False
            return True
        what = f"the {charge.name} thread {trouble}"
        if trouble is _STUCK and charge.helpless is not None:
            if (case.looks - charge.looks) % SAY_LOOKS == 0:
                self._say(f"{what}: {charge.helpless}")
            case.stuck = True
            return True
        return self._replace(case, what)

    def _replace(self, case: _Case, what: str) -> bool:
        charge, now = case.charge, self._clock.now()
        case.seen, case.stuck = None, False
        self.deaths += 1
        case.deaths.append(now)
        while case.deaths[0] < now - WITHIN_S:
            case.deaths.popleft()
        if len(case.deaths) >= DEATHS:
            rest = "" if charge.vital else "; the music goes on without it"
            self._say(f"{what}; starting it again is no help any more{rest}")
            self._cases.remove(case)
            return not charge.vital
        try:
            charge.again()
        except Exception as error:  # whatever it was: the notes come first
            self._say(f"{what}, and cannot be started again: {error}")
            return not charge.vital
        self._say(f"{what}; it is started again")
        return True
