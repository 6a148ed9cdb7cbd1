"""The output thread: waits for a deadline, sends, and knows what sounds."""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import mido

from liveperf.clock import Clock, prefer_this_thread
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, Owner, Voices

STOP_S = 1.0
PRIORITY = 20  # it only ever works briefly
Send = Callable[[mido.Message], None]
Sent = Callable[[float, Owner, mido.Message], None]


@dataclass(frozen=True, slots=True)
class Play:
    """The machine's note-on or note-off, to be sent at `at` (s); a note ends by `until` at the latest."""

    at: float
    message: mido.Message
    until: float = float("inf")


@dataclass(frozen=True, slots=True)
class Thru:
    """A message of the human, to be sent now."""

    message: mido.Message


@dataclass(frozen=True, slots=True)
class Show:
    """A message for the controller's own lamps and motors, to be sent there now."""

    message: mido.Message


@dataclass(frozen=True, slots=True)
class Release:
    """End all notes of an owner now, and send none of his that wait."""

    owner: Owner


class _Stop:
    pass


@dataclass
class Lateness:
    """How late the machine's notes were sent, s: the last 10,000, and how many in all."""

    recent: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))
    count: int = 0

    def add(self, seconds: float) -> None:
        """One more."""
        self.recent.append(seconds)
        self.count += 1


class Output:
    """Sends what it is given, in order of deadline, and releases every note at its end.

    `put` is thread-safe and does not block. `work` is what the thread does: tests call it in virtual time.
    """

    def __init__(self, send: Send, clock: Clock, sent: Sent | None = None, show: Send | None = None) -> None:
        """send: writes to the port. sent: told of each (time, owner, message) of the machine; must not block.

        show: writes to the controller's own port.
        """
        self.inbox: queue.SimpleQueue[Play | Thru | Show | Release | _Stop] = queue.SimpleQueue()
        self.lateness = Lateness()
        self.priority = "normal"
        self.failure: Exception | None = None
        self._send, self._clock, self._sent, self._show = send, clock, sent, show
        self._voices = Voices()
        self._waiting: list[tuple[float, int, Play]] = []
        self._order = itertools.count()
        self._thread = threading.Thread(target=self._run, name="liveperf-output", daemon=True)

    def put(self, item: Play | Thru | Show | Release) -> None:
        """Hand something over, from any thread."""
        self.inbox.put(item)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> bool:
        """Release every note and end the thread; whether it ended in time."""
        self.inbox.put(_Stop())
        self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self.priority = prefer_this_thread(PRIORITY)
        try:
            while self.work(self._clock.wait(self.inbox, self.next_deadline)):
                pass
        except Exception as error:  # the port is gone: nothing more can be sent
            self.failure = error

    @property
    def next_deadline(self) -> float:
        """When there is something to do, s."""
        first = self._waiting[0][0] if self._waiting else float("inf")
        return min(first, self._voices.next_end)

    def work(self, item: Play | Thru | Show | Release | _Stop | None) -> bool:
        """Take an item in, send what is due; False when it was told to stop."""
        if isinstance(item, Play):
            heapq.heappush(self._waiting, (item.at, next(self._order), item))
        elif isinstance(item, Thru):
            self._send_all(self._thru(item.message))
        elif isinstance(item, Show):
            if self._show is not None:
                self._show(item.message)
        elif isinstance(item, Release):
            if item.owner is Owner.MACHINE:
                self._waiting.clear()
            self._release(item.owner)
        elif isinstance(item, _Stop):
            self._waiting.clear()
            for owner in Owner:
                self._release(owner)
            return False
        while self._waiting and self._waiting[0][0] <= self._clock.now():
            at, _, play = heapq.heappop(self._waiting)
            self._play(play)
            self.lateness.add(self._clock.now() - at)
        if self._voices.next_end <= self._clock.now():
            self._end(self._voices.expired(self._clock.now()))
        return True

    def _play(self, play: Play) -> None:
        if play.message.type == "note_on":
            messages = self._voices.note_on(Owner.MACHINE, play.message, play.until)
        else:
            messages = self._voices.note_off(Owner.MACHINE, play.message)
        self._tell(play.message)  # before it can come back
        self._send_all(messages)

    def _release(self, owner: Owner) -> None:
        messages = self._voices.release(owner)
        if owner is Owner.MACHINE:
            self._end(messages)
        else:
            self._send_all(messages)

    def _end(self, messages: list[mido.Message]) -> None:
        self._send_all(messages)
        for message in messages:
            self._tell(message)

    def _thru(self, message: mido.Message) -> list[mido.Message]:
        if message.type == "note_on" and message.velocity > 0:
            return self._voices.note_on(Owner.HUMAN, message, float("inf"))
        if message.type in ("note_on", "note_off"):
            return self._voices.note_off(Owner.HUMAN, message)
        if message.type == "control_change":
            ended = self._voices.release(Owner.HUMAN) if message.control in (ALL_SOUND_OFF, ALL_NOTES_OFF) else []
            return [*ended, *self._voices.control(message)]
        return [message]

    def _send_all(self, messages: list[mido.Message]) -> None:
        for message in messages:
            self._send(message)

    def _tell(self, message: mido.Message) -> None:
        if self._sent is not None:
            self._sent(self._clock.now(), Owner.MACHINE, message)
