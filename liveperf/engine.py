"""The engine thread: keeps the performer in step with the clock and hands its notes to the output."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import mido

from liveperf.clock import Clock, prefer_this_thread
from liveperf.controls import DEFAULT, Action, ControlMap, Mapper, feedback
from liveperf.generator import Generator
from liveperf.knobs import Entry
from liveperf.metronome import MESSAGES, Metronome
from liveperf.midiclock import ClockEvent
from liveperf.output import Output, Play, Release, Show
from liveperf.params import Params
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
class Change:
    """Another setting: of parameters, knobs, model; None leaves what is."""

    params: Params | None = None
    controls: ControlMap | None = None
    generator: Generator | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """End the thread."""


Item = Received | Change | Stop
News = str | Action
"""What the engine has to say: something for the musician to read, or a preset that is asked for."""


@dataclass
class Counts:
    """What has happened so far. Read from any thread, written by the engine's."""

    notes_in: int = 0
    notes_out: int = 0
    delays: int = 0  # times that the timeline had to move


class Engine:
    """Runs a performer in real time.

    `put` is thread-safe and does not block. `work` and `take` are what the thread does: tests call them in virtual
    time. `controls` may be read by any thread: it is replaced whole.
    """

    def __init__(
        self,
        performer: Performer,
        output: Output,
        clock: Clock,
        channel: int = 1,
        controls: ControlMap = DEFAULT,
        tell: Callable[[News], None] = lambda news: None,
    ) -> None:
        """channel: 1 to 16, of the machine's notes. tell: must not block."""
        self.inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.performer, self.counts = performer, Counts()
        self.failure: Exception | None = None
        self._output, self._clock, self._tell = output, clock, tell
        self._channel, self._mapper = channel, Mapper(controls)
        self._rate = performer.generator.vocabulary.steps_per_second
        self._metronome = Metronome(clock.now(), self._rate, performer.params)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="liveperf-engine", daemon=True)

    @property
    def timeline(self) -> Timeline:
        """Where the steps lie in time."""
        return self._metronome.timeline

    @property
    def controls(self) -> ControlMap:
        """The knobs that are followed."""
        return self._mapper.map

    def put(self, item: Item) -> None:
        """Hand something over, from any thread."""
        self.inbox.put(item)

    def start(self) -> None:
        """Start the thread; the performance begins now."""
        self._metronome = Metronome(self._clock.now(), self._rate, self.performer.params)
        self._show(None)
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
                while not self.inbox.empty():  # a knob that is swept is followed to where it is by now
                    self.take(self.inbox.get_nowait())
        except Exception as error:  # whatever it was, no note may hang
            self.failure = error
            self._output.put(Release(Owner.MACHINE))

    def work(self) -> float:
        """Close the steps whose time has come, or plan ahead; returns until when to wait (s)."""
        now = self._clock.now()
        self._catch_up(now)
        if now >= self._metronome.lost_at:
            self._follow(self._metronome.advance(now, self.performer.now))
        if self.performer.plan_ahead():
            return now
        return min(self.timeline.time_of(self.performer.next_due) - LEAD_S, self._metronome.lost_at)

    def take(self, item: Item | None) -> None:
        """Take one thing in."""
        if isinstance(item, Received):
            self._catch_up(item.at)
            self._receive(item)
        elif isinstance(item, Change):
            self._catch_up(self._clock.now())
            self._change(item)
        elif isinstance(item, Stop):
            self._stopping = True

    def _catch_up(self, now: float) -> None:
        late = now - self.timeline.time_of(self.performer.next_due)
        if late > TOLERANCE_S:
            self._metronome.delay(late, now)
            self.counts.delays += 1
        step = self.timeline.step_at(now + LEAD_S)
        if step <= self.performer.now:
            return
        limit_s = self.performer.params.note_limit_s + LEDGER_S
        for note in self.performer.run_until(step):
            at = self.timeline.time_of(note.step)
            self._output.put(Play(at, note.message(self._channel), at + limit_s))
            self.counts.notes_out += bool(note.velocity)

    def _receive(self, received: Received) -> None:
        performer, message = self.performer, received.message
        outcome = self._mapper.receive(message, performer.params)
        if outcome.consumed:
            self._set(performer.params.replace(**outcome.values), outcome.entry)
            for action in outcome.actions:
                self._act(action)
        elif message.type == "note_on" and message.velocity > 0:
            performer.note_on(message.note, message.velocity)
            self.counts.notes_in += 1
        elif message.type in ("note_on", "note_off"):
            performer.note_off(message.note)
        elif message.type == "control_change":
            self._control(message.control, message.value)
        elif message.type in MESSAGES:
            sixteenths = message.pos if message.type == "songpos" else 0
            self._follow(self._metronome.receive(message.type, received.at, performer.now, sixteenths))

    def _control(self, number: int, value: int) -> None:
        if number == PEDAL:
            self.performer.pedal(value)
        elif number in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            self._panic()

    def _panic(self) -> None:
        self.performer.lift()
        self.performer.release()

    def _act(self, action: Action) -> None:
        if action.name == "panic":
            self._panic()
            self._output.put(Release(Owner.HUMAN))
        elif action.name == "turn":
            self.performer.turn()
        else:
            self._tell(action)

    def _change(self, change: Change) -> None:
        if change.generator is not None:
            self.performer.adopt(change.generator)
        if change.controls is not None:
            self._mapper = Mapper(change.controls)
        if change.params is not None:
            self._set(change.params)
        if change.controls is not None:
            self._show(None)

    def _set(self, params: Params, moved: Entry | None = None) -> None:
        before = self.performer.params
        if params == before:
            return
        self.performer.set_params(params)
        self._metronome.set_params(params, self.performer.now)
        self.performer.set_tempo(self._metronome.tempo)
        self._show(before, moved)

    def _show(self, before: Params | None, moved: Entry | None = None) -> None:
        """Let the controller's rings, faders and lamps show the parameters."""
        for message in feedback(self.controls, before, self.performer.params, moved):
            self._output.put(Show(message))

    def _follow(self, events: tuple[ClockEvent, ...]) -> None:
        """What the MIDI clock does, the performer does too."""
        metronome = self._metronome
        for event in events:
            if event is ClockEvent.STOPPED:
                self.performer.halt(True)
            elif event in (ClockEvent.STARTED, ClockEvent.CONTINUED):
                self.performer.halt(False)
                if event is ClockEvent.STARTED:
                    self.performer.release()
            elif event is ClockEvent.LOST and metronome.running:
                self._tell(f"the MIDI clock is lost; carrying on at {metronome.bpm:.1f} bpm")
            elif event is ClockEvent.FOUND:
                self._tell(f"following a MIDI clock at {metronome.bpm:.1f} bpm")
        if events:
            self.performer.set_tempo(metronome.tempo)
            self.performer.beats = metronome.beats
