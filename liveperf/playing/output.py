"""The output thread: waits for a deadline, sends, and knows what sounds."""

from __future__ import annotations

import contextlib
import copy
import heapq
import itertools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import mido

from liveperf.clock import Clock, prefer_this_thread
from liveperf.playing.lateness import Lateness
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, Owner, Voices

STOP_S = 1.0
BEAT_S = 0.1  # a sign of life at least this often
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


class Output:
    """Sends what it is given, in order of deadline, and releases every note at its end.

    `put` is thread-safe and does not block. `work` is what the thread does: tests call it in virtual time.
    """

    def __init__(
        self,
        send: Send,
        clock: Clock,
        sent: Sent | None = None,
        show: Send | None = None,
        before: Output | None = None,
    ) -> None:
        """send: writes to the port. sent: told of each (time, owner, message) of the machine; must not block.

        show: writes to the controller's own port. before: another one, whose place this takes, and whose notes it
        ends; whatever has become of that one's thread, it is of no more consequence.
        """
        self.inbox: queue.SimpleQueue[Play | Thru | Show | Release | _Stop]
        self.inbox = queue.SimpleQueue() if before is None else before.inbox
        self.lateness = Lateness()
        self.priority = "normal"
        self.failure: Exception | None = None
        self._send, self._clock, self._sent, self._show = send, clock, sent, show
        self.beats = 0  # goes up as long as the thread lives and is not stuck
        self._stopping = False
        self._voices = Voices()
        self._begun: set[tuple[int, int]] = set()  # notes of the machine that were told and have not ended
        self._sending: list[mido.Message] = []  # what may not have got to the port yet
        self._since = float("-inf")  # what was to begin before that does not begin any more
        self._takes_over = before is not None
        if before is not None:
            self._voices, self._sending = before.retire()
            self.lateness, self._begun, self._since = before.lateness, set(before._begun), clock.now()
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
        if self.alive:
            self._thread.join(STOP_S)
        if self.alive:
            return False
        with contextlib.suppress(Exception):  # the port is gone
            self.work(_Stop())  # if the thread has died there is something left to do
        return True

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def retire(self) -> tuple[Voices, list[mido.Message]]:
        """Send nothing more; who holds which note, and messages that may not have been sent yet. Any thread."""
        self._stopping = True
        self._send = self._show = lambda message: None
        self._sent = None
        return copy.deepcopy(self._voices), list(self._sending)

    def _run(self) -> None:
        self.priority = prefer_this_thread(PRIORITY)
        try:
            going = True
            while going and not self._stopping:
                self.beats += 1
                until = min(self.next_deadline, self._clock.now() + BEAT_S)
                going = self.work(self._clock.wait(self.inbox, until))
        except Exception as error:  # the port is gone: nothing more can be sent
            self.failure = error

    @property
    def next_deadline(self) -> float:
        """When there is something to do, s."""
        if self._takes_over:
            return self._since
        first = self._waiting[0][0] if self._waiting else float("inf")
        return min(first, self._voices.next_end)

    @property
    def next_play(self) -> float:
        """When the next of the machine's notes is due, s. Any thread."""
        try:
            return self._waiting[0][0]
        except IndexError:  # none waits, or the last has just been taken
            return float("inf")

    def work(self, item: Play | Thru | Show | Release | _Stop | None) -> bool:
        """Take an item in, send what is due; False when it was told to stop."""
        if self._takes_over:
            self._takes_over = False
            self._send_all([message for message in self._sending if message.type != "note_on"])
            for owner in Owner:
                self._release(owner)
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
        if play.message.type == "note_on" and play.at < self._since:
            return
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
        if message.type != "control_change":
            return [message]
        if message.control in (ALL_SOUND_OFF, ALL_NOTES_OFF):  # first the notes: not every synth obeys
            for owner in Owner:
                self._release(owner)
        return self._voices.control(message)

    def _send_all(self, messages: list[mido.Message]) -> None:
        self._sending = messages
        for message in messages:
            send = self._send
            send(message)
            if self._stopping and message.type == "note_on":  # retired meanwhile: nobody else will end it
                send(mido.Message("note_off", channel=message.channel, note=message.note, velocity=0))
        self._sending = []

    def _tell(self, message: mido.Message) -> None:
        """A note of the machine's begins, or ends, once."""
        key = (message.channel, message.note)
        if message.type != "note_on" and key not in self._begun:
            return
        (self._begun.add if message.type == "note_on" else self._begun.discard)(key)
        sent = self._sent
        if sent is not None:
            sent(self._clock.now(), Owner.MACHINE, message)
