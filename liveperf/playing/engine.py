"""The engine thread: keeps the performer in step with the clock and hands its notes to the output."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from liveperf.clock import Clock, prefer_this_thread
from liveperf.generator import TRAIL
from liveperf.mapping.controls import DEFAULT, Action, ControlMap, Mapper, feedback
from liveperf.mapping.knobs import Entry
from liveperf.params import ParamError, Params
from liveperf.performer import Performer
from liveperf.playing.items import Change, Counts, Do, Item, News, Prime, Received, Set, Stop
from liveperf.playing.lateness import Histogram
from liveperf.playing.output import Play, Release, Show
from liveperf.sync.metronome import MESSAGES, Metronome
from liveperf.sync.midiclock import ClockEvent
from liveperf.timeline import Timeline
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, PEDAL, Owner

PRIORITY = 1  # before ordinary programs: the output thread needs the interpreter lock that this one holds
LEAD_S = 0.005  # a step is closed, and its notes handed over, this long before its time,
MOST_LEAD_S = 0.016  # or up to this, where that takes longer, as it does while a knob is swept on a slow machine:
CALM = 0.998  # for each step that is closed it comes down to this part
TOLERANCE_S = 0.050  # later than this, the timeline moves instead of bunching notes up
SETTLE_S = 0.010  # while a knob is swept, no more often than this is anything planned that is not yet due
BEAT_S = 0.1  # a sign of life at least this often
STANDING = "silent, as it was stopped, until Start, the turn or another mode"
REHEARSED = 8  # events at a time that a model hears before it takes over: a millisecond
LEDGER_S = 1.0  # the ledger ends a note this long after the performer should have


@dataclass(frozen=True)
class Legacy:
    """What an engine leaves to the one that takes its place; hand: what it was about to take in."""

    inbox: queue.SimpleQueue[Item]
    hand: Item | None
    counts: Counts
    steps: Histogram
    metronome: Metronome


class _Nowhere:
    def put(self, item: Play | Release | Show) -> None:
        """It is nobody's business any more."""


class Outlet(Protocol):
    """Where the engine's notes go."""

    def put(self, item: Play | Release | Show) -> None:
        """Hand something over. Engine thread; does not block."""


class Engine:
    """Runs a performer in real time.

    `put` is thread-safe and does not block. `work` and `take` are what the thread does: tests call them in virtual
    time. `controls` may be read by any thread: it is replaced whole.
    """

    def __init__(
        self,
        performer: Performer,
        output: Outlet,
        clock: Clock,
        channel: int = 1,
        controls: ControlMap = DEFAULT,
        tell: Callable[[News], None] = lambda news: None,
        legacy: Legacy | None = None,
    ) -> None:
        """channel: 1 to 16, of the machine's notes. tell: must not block. legacy: of another, to go on with."""
        self.inbox: queue.SimpleQueue[Item] = legacy.inbox if legacy else queue.SimpleQueue()
        self.performer, self.counts = performer, legacy.counts if legacy else Counts()
        self.failure: Exception | None = None
        self.beats = 0  # goes up as long as the thread lives and is not stuck
        self.steps = legacy.steps if legacy else Histogram()  # how long (s) it takes to plan an event
        self.channel = channel
        self._output, self._clock, self._tell = output, clock, tell
        self._mapper = Mapper(controls)
        self._turned: tuple[Entry, Params] | None = (
            None  # the knob that was turned last, and what is not in force yet
        )
        self._rate = performer.generator.vocabulary.steps_per_second
        self._metronome = legacy.metronome if legacy else self._begin()
        self._legacy, self._hand = legacy, legacy.hand if legacy else None
        self._keys: set[tuple[int, int]] = set()  # (channel, pitch) of keys that were no knobs as they were struck
        self._planned = self._plan_at = 0.0  # when it last planned ahead, and may again
        self._lead = LEAD_S
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="liveperf-engine", daemon=True)

    @property
    def timeline(self) -> Timeline:
        """Where the steps lie in time."""
        return self._metronome.timeline

    @property
    def bpm(self) -> float | None:
        """The tempo of the MIDI clock; None as long as there was none. Any thread."""
        return self._metronome.bpm if self._metronome.follows else None

    @property
    def running(self) -> bool:
        """Whether the song of a MIDI clock runs. Any thread."""
        return self._metronome.follows and self._metronome.running

    @property
    def controls(self) -> ControlMap:
        """The knobs that are followed."""
        return self._mapper.map

    def put(self, item: Item) -> None:
        """Hand something over, from any thread."""
        self.inbox.put(item)

    def _begin(self) -> Metronome:
        return Metronome(self._clock.now(), self._rate, self.performer.params, self.performer.now)

    def start(self) -> None:
        """Start the thread; the performance begins, or goes on, now."""
        if self._legacy is None:
            self._metronome = self._begin()
        self._show(None)
        self._thread.start()

    def stop(self, patience_s: float = 1.0) -> None:
        """End the thread; it takes a millisecond or so, or, if it is stuck, the patience."""
        self.put(Stop())
        if self.alive:
            self._thread.join(patience_s)

    def retire(self) -> Legacy:
        """Be of no more consequence, whatever has become of the thread; what another is to go on with.

        `put` still takes things in, for the other.
        """
        self._stopping, self._output, self._tell = True, _Nowhere(), lambda news: None
        legacy = Legacy(self.inbox, self._hand, self.counts, self.steps, self._metronome)
        self.counts, self.steps, self._metronome = Counts(), Histogram(), self._begin()
        return legacy

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        prefer_this_thread(PRIORITY)
        try:
            self.take(self._hand)
            while not self._stopping:
                self.beats += 1
                until = min(self.work(), self._clock.now() + BEAT_S)
                if not self._stopping:  # retired while it was stuck: the inbox is another's
                    self.take(self._clock.wait(self.inbox, until))
                while not (self._stopping or self.inbox.empty()):  # a swept knob is followed to where it is by now
                    self.beats += 1
                    self.take(self.inbox.get_nowait())
        except Exception as error:  # whatever it was, no note may hang
            self.failure = error
            self._output.put(Release(Owner.MACHINE))

    def work(self) -> float:
        """Close the steps whose time has come, or plan ahead; returns until when to wait (s)."""
        self._obey()
        now = self._clock.now()
        self._catch_up(now)
        if now >= self._metronome.lost_at:
            self._follow(self._metronome.advance(now, self.performer.now))
        if self.performer.rehearse(REHEARSED):
            return now
        begun = self._clock.now()
        if now >= self._plan_at and self.performer.plan_ahead():
            self.steps.add(self._clock.now() - begun)
            self._planned = now
            return now
        due = min(self.timeline.time_of(self.performer.next_due) - self._lead, self._metronome.lost_at)
        return min(due, self._plan_at) if now < self._plan_at else due

    def take(self, item: Item | None) -> None:
        """Take one thing in."""
        if isinstance(item, Stop):
            self._stopping = True
        elif item is not None:
            self._hand = item  # for another, if this fails
            self._catch_up(item.at if isinstance(item, Received) else self._clock.now())
            self._hand = None
            self._take(item)

    def _take(self, item: Item) -> None:
        if isinstance(item, Received):
            self._receive(item)
            return
        self._obey()
        if isinstance(item, Change):
            self._change(item)
        elif isinstance(item, Set):
            with contextlib.suppress(ParamError):
                self._set(self.performer.params.replace(**item.values))
        elif isinstance(item, Do):
            self._act(item.action)
        elif isinstance(item, Prime):
            self._prime(item)

    def _catch_up(self, now: float) -> None:
        late = now - self.timeline.time_of(self.performer.next_due)
        if late > TOLERANCE_S:
            self._metronome.delay(late, now)
            self._keep_time()
            self.counts.delays += 1
        step = self.timeline.step_at(now + self._lead)
        if step <= self.performer.now:
            return
        self._obey()
        limit_s = self.performer.params.note_limit_s + LEDGER_S
        begun = self._clock.now()
        for note in self.performer.run_until(step):
            at = self.timeline.time_of(note.step)
            self._output.put(Play(at, note.message(self.channel), at + limit_s))
            self.counts.notes_out += bool(note.velocity)
        took = self._clock.now() - begun
        self._lead = min(max(took, self._lead * CALM, LEAD_S), MOST_LEAD_S)

    def _receive(self, received: Received) -> None:
        performer, message = self.performer, received.message
        outcome = self._mapper.receive(message, self._turned[1] if self._turned else performer.params)
        if outcome.values and outcome.entry is not None:
            self._turn(outcome.entry, outcome.values)
        else:
            self._obey()
        key = (message.channel, message.note) if message.type in ("note_on", "note_off") else None
        if key in self._keys and (message.type == "note_off" or not message.velocity):
            self._keys.discard(key)  # whatever it is a knob for by now
            performer.note_off(message.note)
        elif outcome.consumed:
            for action in outcome.actions:
                self._act(action)
        elif key is not None and message.type == "note_on" and message.velocity > 0:
            self._keys.add(key)
            performer.note_on(message.note, message.velocity)
            self.counts.notes_in += 1
        elif message.type in ("note_on", "note_off"):
            performer.note_off(message.note)
        elif message.type == "control_change":
            self._control(message.control, message.value)
        elif message.type in MESSAGES:
            sixteenths = message.pos if message.type == "songpos" else 0
            self._follow(self._metronome.receive(message.type, received.at, performer.now, sixteenths))

    def _turn(self, entry: Entry, values: dict[str, Any]) -> None:
        """A knob asks for other values: they count from the next step on, or before anything else comes in."""
        if self._turned and self._turned[0] is not entry:
            self._obey()
        self._turned = entry, (self._turned[1] if self._turned else self.performer.params).replace(**values)

    def _obey(self) -> None:
        """Follow a knob to where it is by now: however often it was turned, once."""
        if self._turned:
            (entry, params), self._turned = self._turned, None
            self._set(params, entry)

    def _control(self, number: int, value: int) -> None:
        if number == PEDAL:
            self.performer.pedal(value)
        elif number in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            self._panic()

    def _panic(self) -> None:
        self._output.put(Release(Owner.MACHINE))  # now: the next step may be a while off
        self.performer.panic()

    def _act(self, action: Action) -> None:
        if action.name == "panic":
            self._panic()
            self._output.put(Release(Owner.HUMAN))
        elif action.name == "turn":
            self.performer.turn()
        else:
            self._tell(action)

    def _prime(self, primed: Prime) -> None:
        """From the next step on, play as if that had just been heard; what sounds sounds on."""
        plan, heard = self.performer.plan, primed.heard
        if primed.generator is self.performer.generator:
            memory = {name: getattr(heard, name) for name in ("network", "logits", "event", "before", "trail")}
            count = plan.committed.count + TRAIL + 1  # a model that is about to take over is to hear it, too: anew
            plan.rewind(replace(plan.committed, count=count, **memory))

    def _change(self, change: Change) -> None:
        if change.channel not in (None, self.channel):
            self._output.put(Release(Owner.MACHINE))  # else they would be ended on a channel where they are not
            self.performer.release()
            self.channel = change.channel or self.channel
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
        self._plan_at = self._planned + SETTLE_S
        self._metronome.set_params(params, self.performer.now)
        self._keep_time()
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
                    self.performer.begin()
            elif event is ClockEvent.LOST:
                carries_on = f"carrying on at {metronome.bpm:.1f} bpm"
                self._tell(f"the MIDI clock is lost; {STANDING if self.performer.halted else carries_on}")
            elif event is ClockEvent.FOUND:
                self._tell(f"following a MIDI clock at {metronome.bpm:.1f} bpm")
        if events:
            self._keep_time()

    def _keep_time(self) -> None:
        """The performer goes by the metronome."""
        self.performer.set_tempo(self._metronome.tempo)
        self.performer.beats = self._metronome.beats
