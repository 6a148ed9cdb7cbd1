"""The engine thread: keeps the performer in step with the clock and hands its notes to the output."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass

import mido

from liveperf.clock import Clock, prefer_this_thread
from liveperf.output import Output, Play, Release
from liveperf.params import Params, row_named
from liveperf.performer import Performer
from liveperf.timeline import Timeline
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, PEDAL, Owner

PRIORITY = 1  # before ordinary programs: the output thread needs the interpreter lock that this one holds
LEAD_S = 0.005  # a step is closed, and its notes handed over, this long before its time
TOLERANCE_S = 0.050  # later than this, the timeline moves instead of bunching notes up
LEDGER_S = 1.0  # the ledger ends a note this long after the performer should have


@dataclass(frozen=True, slots=True)
class Received:
    """A message of the human, and when it arrived (s)."""

    at: float
    message: mido.Message


@dataclass(frozen=True, slots=True)
class Stop:
    """End the thread."""


@dataclass
class Counts:
    """What has happened so far. Read from any thread, written by the engine's."""

    notes_in: int = 0
    notes_out: int = 0
    delays: int = 0  # times that the timeline had to move


class Engine:
    """Runs a performer in real time.

    `put` is thread-safe and does not block. `work` and `take` are what the thread does: tests call them in virtual
    time.
    """

    def __init__(
        self,
        performer: Performer,
        output: Output,
        clock: Clock,
        channel: int = 1,
        knobs: dict[int, str] | None = None,
    ) -> None:
        """channel: 1 to 16, of the machine's notes. knobs: controller number -> parameter."""
        self.inbox: queue.SimpleQueue[Received | Params | Stop] = queue.SimpleQueue()
        self.performer, self.counts = performer, Counts()
        self.failure: Exception | None = None
        self._output, self._clock = output, clock
        self._channel, self._knobs = channel, knobs or {}
        self._rate = performer.generator.vocabulary.steps_per_second
        self.timeline = Timeline(clock.now(), self._rate)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="liveperf-engine", daemon=True)

    def put(self, item: Received | Params | Stop) -> None:
        """Hand something over, from any thread."""
        self.inbox.put(item)

    def start(self) -> None:
        """Start the thread; the performance begins now."""
        self.timeline = Timeline(self._clock.now(), self._rate)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it takes a millisecond or so."""
        self.put(Stop())
        self._thread.join(1.0)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        prefer_this_thread(PRIORITY)
        try:
            while not self._stopping:
                self.take(self._clock.wait(self.inbox, self.work()))
        except Exception as error:  # whatever it was, no note may hang
            self.failure = error
            self._output.put(Release(Owner.MACHINE))

    def work(self) -> float:
        """Close the steps whose time has come, or plan ahead; returns until when to wait (s)."""
        self._catch_up(self._clock.now())
        if self.performer.plan_ahead():
            return self._clock.now()
        return self.timeline.time_of(self.performer.next_due) - LEAD_S

    def take(self, item: Received | Params | Stop | None) -> None:
        """Take one thing in."""
        if isinstance(item, Received):
            self._catch_up(item.at)
            self._receive(item.message)
        elif isinstance(item, Params):
            self._catch_up(self._clock.now())
            self.performer.set_params(item)
        elif isinstance(item, Stop):
            self._stopping = True

    def _catch_up(self, now: float) -> None:
        late = now - self.timeline.time_of(self.performer.next_due)
        if late > TOLERANCE_S:
            self.timeline = self.timeline.delayed(late)
            self.counts.delays += 1
        step = self.timeline.step_at(now + LEAD_S)
        if step <= self.performer.now:
            return
        limit_s = self.performer.params.note_limit_s + LEDGER_S
        for note in self.performer.run_until(step):
            at = self.timeline.time_of(note.step)
            self._output.put(Play(at, note.message(self._channel), at + limit_s))
            self.counts.notes_out += bool(note.velocity)

    def _receive(self, message: mido.Message) -> None:
        performer = self.performer
        if message.type == "note_on" and message.velocity > 0:
            performer.note_on(message.note, message.velocity)
            self.counts.notes_in += 1
        elif message.type in ("note_on", "note_off"):
            performer.note_off(message.note)
        elif message.type == "control_change":
            self._control(message.control, message.value)

    def _control(self, number: int, value: int) -> None:
        performer = self.performer
        if number == PEDAL:
            performer.pedal(value)
        elif number in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            performer.lift()
            performer.release()
        elif number in self._knobs:
            name = self._knobs[number]
            performer.set_params(turn_knob(performer.params, name, value))


def turn_knob(params: Params, name: str, position: int) -> Params:
    """The parameters after a knob was turned to 0 to 127; one that does not fit the rest stays put."""
    try:
        return params.replace(**{name: row_named(name).from_knob(position)})
    except ValueError:
        return params
