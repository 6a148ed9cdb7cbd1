"""The core, tied together, in virtual time: no thread, no port, no clock.

Time is counted in steps. A step is *closed* by `run_until`: what the human did until then is in it, the machine's
notes of it are committed, in this order: note-offs, the human's note-ons, the machine's own events.
"""

from __future__ import annotations

from dataclasses import replace

from liveperf.codec import Events, LiveEncoder
from liveperf.events import EventType
from liveperf.generator import TRAIL, Generator, Successor
from liveperf.params import Params
from liveperf.plan import Plan
from liveperf.session import Action, Session, State, Trigger
from liveperf.state import FAR, GeneratorState
from liveperf.sync.beats import Beats
from liveperf.timeline import BEATS_PER_BAR, steps_per_beat
from liveperf.touch import MachineNote, Touch
from liveperf.wish import wish

__all__ = ["MachineNote", "Performer"]

TEMPO_NEWS = 0.02  # a clock's tempo that differs by this part is planned for


class Performer:
    """An instrument with a keyboard and knobs, that plays.

    Not thread-safe: the engine thread calls everything. Nothing blocks; `run_until` costs a network step for every
    event that is not yet planned.
    """

    def __init__(self, generator: Generator, params: Params, seed: int = 0) -> None:
        self.generator = generator
        self.params = params
        self.plan = Plan(generator.start(seed))
        self._successor: Successor | None = None
        self.keyboard = LiveEncoder()
        self.session = Session(params.mode)
        self.now = 0  # the last closed step
        self.beats = Beats()
        self._tempo = self._told = 1.0  # of a MIDI clock, in units of the reference; as far as the wish knows
        self._paced = params.speed  # the pace by which the ends of what sounds were reckoned
        self._chord: dict[int, None] = {}  # keys held below the split, in order
        self.wish = wish(params, generator.vocabulary.steps_per_second, params.speed)
        self._stale = False  # the committed state was told of another wish
        self._touch = Touch()
        self._close, self._sharp = FAR, False  # when its turn ends, and whether not a note later
        self._struck = False  # a key, since the last step
        self._releasing = self._beginning = self._panicking = False  # at the next step
        self._turn_at = FAR
        self.halted = False  # the song stands still, and nobody has asked for music since
        self._sent: list[MachineNote] = []

    # What comes in; it counts from the next step on.

    def note_on(self, pitch: int, velocity: int) -> None:
        """The human strikes a key (velocity 1 to 127)."""
        if pitch < self.params.split:
            self._chord[pitch] = None
            self._steer()
        else:
            self.keyboard.note_on(pitch, velocity)
            self._struck = True

    def note_off(self, pitch: int) -> None:
        """The human lets a key go."""
        if pitch in self._chord:
            del self._chord[pitch]
            self._steer()
        else:
            self.keyboard.note_off(pitch)

    def pedal(self, value: int) -> None:
        """The human's sustain pedal (0 to 127)."""
        self.keyboard.control_pedal(value)

    def lift(self) -> None:
        """The human's hands and feet are off (all notes off, a lost port)."""
        self.keyboard.release()
        if self._chord:
            self._chord.clear()
            self._steer()

    def turn(self) -> None:
        """The turn is handed over (a footswitch): to the machine on the next beat, where there are any."""
        soonest = self.now + 1
        self._turn_at = min(self._turn_at, soonest if self.plays else self.beats.next(soonest))

    def set_params(self, params: Params) -> None:
        """From the next step on, play like this. What was planned otherwise is forgotten."""
        if params == self.params:
            return
        if params.mode != self.params.mode:
            self.halted = False
            self.begin()
        self.params = params
        self._steer()

    def halt(self, halted: bool) -> None:
        """The song stands still: end every note; silence until it goes on, or somebody asks for music: session.py.

        Where it goes on the mode begins anew, also if it was not the song's end but a panic that had silenced it.
        """
        silenced = self._panicking or self.session.state is State.FINISHED
        if halted != self.halted or (silenced and not halted):
            self.halted = halted
            self.begin()

    def set_tempo(self, ratio: float) -> None:
        """The tempo of a MIDI clock, in units of the reference."""
        self._tempo = ratio
        if abs(ratio / self._told - 1) > TEMPO_NEWS:
            self._told = ratio
            self._steer()

    @property
    def pace(self) -> float:
        """How much faster the music runs than the model means it."""
        return self.params.speed * self._tempo

    @property
    def _known_pace(self) -> float:
        return self.params.speed * self._told

    def _steer(self) -> None:
        chord = frozenset(pitch % 12 for pitch in self._chord)
        asked = wish(self.params, self.generator.vocabulary.steps_per_second, self._known_pace, chord)
        if asked == self.wish:
            return
        self._stale = self._stale or self.generator.tells_apart(self.wish, asked)
        self.wish = asked
        self.plan.rewind()

    def _refresh(self) -> None:
        """Let the committed state obey the wish; however often that has changed, once."""
        if self._stale:
            self._stale = False
            self.plan.rewind(self.generator.retold(self.plan.committed, self.wish))

    def _repace(self) -> None:
        """What sounds is to end when it was to, by the clock on the wall, however fast the steps come now."""
        ratio, self._paced = self._known_pace / self._paced, self._known_pace
        state, now = self.plan.committed, self.now
        own = tuple((pitch, now + round((end - now) * ratio)) for pitch, end in state.own)
        self.plan.rewind(replace(state, own=own))

    def adopt(self, generator: Generator) -> None:
        """Play on with another model, what sounds sounding on, as soon as it has been let to `rehearse`.

        ValueError for another vocabulary.
        """
        if generator.vocabulary != self.generator.vocabulary:
            raise ValueError("a model of another vocabulary cannot take over")
        self._successor = Successor(generator)

    def rehearse(self, events: int = TRAIL) -> bool:
        """Let the model that is to take over hear so many of the last events; whether there was one that did."""
        successor = self._successor
        if successor is None:
            return False
        state = successor.hear(self.plan.committed, self.wish, events)
        if state is not None:
            self.generator, self._successor, self._stale = successor.generator, None, False
            self.plan.rewind(state)
        return True

    def prime(self, events: Events) -> None:
        """Have heard a performance before the first step."""
        self.plan.rewind(self.generator.prime(self.plan.committed, events, self.wish))

    def resume(self, before: Performer) -> None:
        """Take another's place, who may be stuck in the middle of a step: what he played is over, in silence.

        The keys and the pedal that are down stay down, for the human's hands and feet know nothing of it.
        """
        self._chord = dict(before._chord)
        self._tempo, self._told = before._tempo, before._told
        self._steer()
        self._paced = self._known_pace
        self._stale = True
        state, keyboard = before.plan.committed, before.keyboard
        self.keyboard = LiveEncoder(set(keyboard.keys), set(keyboard.sustained), keyboard.pedal)
        held = self.keyboard.keys | self.keyboard.sustained
        for pitch in sorted({pitch for pitch, _ in state.own} | (state.others - held)):
            event = self.generator.vocabulary.first[EventType.NOTE_OFF] + pitch
            state = self.generator.feed(state, event, self.wish, own=False)
        self.plan.rewind(replace(state, eager=False))
        self.now = max(before.now, state.step)
        self.beats, self.halted = before.beats, before.halted
        self._turn_at, self._panicking = before._turn_at, before._panicking
        session, _ = before.session.after(Trigger.DONE, self.now)
        if session.plays or session.mode != self.params.mode:
            session = Session(self.params.mode, changed=self.now)
        quiet = self.now if session.quiet is None else session.quiet
        self.session = replace(session, quiet=None if held else quiet)
        if before._successor is not None:
            self.adopt(before._successor.generator)

    def release(self) -> None:
        """End every note of the machine at the next step; whoever's turn it is, it stays his."""
        self._releasing = True

    def begin(self) -> None:
        """End every note of the machine at the next step and begin the mode anew."""
        self._beginning, self._panicking = True, False

    def panic(self) -> None:
        """End every note at the next step, the human's too; silence until somebody asks for music: see session.py.

        What came before it in the same step begins nothing any more.
        """
        self.lift()
        self._panicking, self._turn_at, self._struck = True, FAR, False

    def end(self) -> None:
        """Let the machine come to rest at the next opportunity (solo: for good)."""
        self.plan.rewind()
        self.session = replace(self.session, state=State.ENDING)
        self._close, self._sharp = self.now + 1, False

    # Time.

    @property
    def plays(self) -> bool:
        """Whether it is the machine's turn."""
        return self.session.plays

    @property
    def next_due(self) -> int:
        """The next step at which there is something to do; FAR for never."""
        if self._called:
            return self.now + 1
        due, timer = self._turn_at, self._timer()
        if timer is not None:
            due = min(due, timer[0])
        committed = self.plan.committed
        if self.plays:
            due = min(due, self.plan.next_step or 0)
        elif not self.generator.deaf(committed):
            due = min(due, committed.step + self.generator.vocabulary.max_shift)
        return max(due, self.now + 1)

    def run_until(self, step: int) -> list[MachineNote]:
        """Close all steps up to `step`; returns the machine's notes in them, in order."""
        while (due := self.next_due) <= step:
            self._run(due)
        self.now = max(self.now, step)
        sent, self._sent = self._sent, []
        return sent

    def plan_ahead(self) -> bool:
        """Plan one event more, if the plan is shorter than asked for; whether it did."""
        horizon = self.now + round(self.params.plan_s * self.rate)
        if not self.plays or self.plan.complete or self._called:
            return False
        self._refresh()
        if self.plan.head.step > max(horizon, self.now):
            return False
        self._plan_event(self.now + 1)
        return True

    @property
    def rate(self) -> float:
        """Steps in a second, as the clock on the wall counts it."""
        return self.generator.vocabulary.steps_per_second * self.pace

    @property
    def _called(self) -> bool:
        """Whether something has come in that the next step has to see to."""
        told = self._releasing or self._beginning or self._panicking or self._turn_at <= self.now + 1
        return told or self.keyboard.pending or self._paced != self._known_pace

    def _timer(self) -> tuple[int, Trigger] | None:
        if self.halted:
            return None
        timer = self.session.timer(self.params, self.rate)
        if timer is not None and timer[1] in (Trigger.GAP, Trigger.IDLE):
            return self.beats.next(timer[0]), timer[1]
        return timer

    # One step.

    def _run(self, step: int) -> None:
        if self._paced != self._known_pace:
            self._repace()
        self._refresh()
        if self._releasing:
            self._releasing = False
            self._release(step)
        if self._beginning:
            self._beginning, self._close = False, FAR
            self._release(step)
            self.session = replace(Session(self.params.mode), changed=step, quiet=self.session.quiet)
        if self._panicking:
            self._panicking = False
            self._trigger(Trigger.PANIC, step)
        if self.keyboard.pending:
            self._listen(step)
        if self._turn_at <= step:
            self._turn_at, self.halted = FAR, False
            self._trigger(Trigger.TURN, step)
        timer = self._timer()
        if timer is not None and timer[0] <= step:
            self._trigger(timer[1], step)
        if self.plays:
            self._play(step)
        else:
            self._pass_silence(step)
        self.now = step

    def _listen(self, step: int) -> None:
        """Take in what the human did."""
        if self._struck:
            self._struck = False
            self.halted = self.halted and self.params.mode == "solo"  # who plays, wants to play
            self._trigger(Trigger.KEY, step)
        state = self.generator.pass_time(self.plan.committed, step, self.wish)
        ended, started = self.keyboard.close(state.sounding)
        ended = sorted({*ended, *self.generator.expired(state, FAR)})
        vocabulary = self.generator.vocabulary
        first = vocabulary.first
        state = self._end_notes(state, ended)
        for pitch, velocity in started:
            velocity_bin = vocabulary.bin_of(velocity)
            if velocity_bin != state.velocity_bin:
                event = first[EventType.VELOCITY] + velocity_bin - 1
                state = self.generator.feed(state, event, self.wish, own=False)
            state = self.generator.feed(state, first[EventType.NOTE_ON] + pitch, self.wish, own=False)
        self.plan.rewind(state)
        self.session = self.session.heard(self.keyboard.silent, step)

    def _end_notes(self, state: GeneratorState, pitches: list[int]) -> GeneratorState:
        own = {pitch for pitch, _ in state.own}
        for pitch in pitches:
            if pitch in own:
                self._sent += self._touch.end(state.step, pitch)
            event = self.generator.vocabulary.first[EventType.NOTE_OFF] + pitch
            state = self.generator.feed(state, event, self.wish, own=False)
        return state

    def _release(self, step: int) -> None:
        state = self.generator.pass_time(self.plan.committed, step, self.wish)
        state = self._end_notes(state, sorted(pitch for pitch, _ in state.own))
        self.plan.rewind(replace(state, eager=False))

    def _trigger(self, trigger: Trigger, step: int) -> None:
        if self.halted and trigger is not Trigger.PANIC:
            return
        self.session, action = self.session.after(trigger, step)
        if action is Action.NONE:
            return
        self._close = FAR
        if action is Action.RELEASE:
            self._release(step)
            return
        state = self.plan.committed
        if action is Action.ANSWER:
            self._close, self._sharp = step + self._answer_steps(), bool(self.params.turn_bars)
        elif action is Action.END:
            self._close, self._sharp = step, False
        if action in (Action.ANSWER, Action.START, Action.JOIN):
            self._turn_at = FAR  # it has the turn: who was to hand it over on the next beat need not
        if action in (Action.ANSWER, Action.START):
            state = replace(self.generator.pass_time(state, step, self.wish), eager=True, turn=step)
        elif action is Action.JOIN:
            state = replace(state, turn=step)
        self.plan.rewind(state)

    def _play(self, step: int) -> None:
        while not self.plan.complete and self.plan.head.step <= step:
            self._plan_event(step)
        vocabulary = self.generator.vocabulary
        for index, state in self.plan.commit_until(step):
            event = vocabulary.events[index]
            if event.type is EventType.NOTE_ON:
                middle = (vocabulary.velocity_bins + 1) // 2  # as `decode` reads a note before any VELOCITY
                velocity = vocabulary.velocity_of(state.velocity_bin or middle)
                self._sent += self._touch.begin(state.step, event.value, velocity, self.params)
            elif event.type is EventType.NOTE_OFF:
                self._sent += self._touch.end(state.step, event.value)
        if self.plan.complete and not len(self.plan):
            self.plan.rewind()
            self._trigger(Trigger.DONE, step)

    def _answer_steps(self) -> int:
        if not self.params.turn_bars:
            return self.session.answer_steps(self.params, self.rate)
        rate, params = self.generator.vocabulary.steps_per_second, self.params  # bars, whatever the clock's tempo
        beats = params.turn_bars * BEATS_PER_BAR
        return round(beats * steps_per_beat(rate, params.reference_bpm, params.speed))

    def _plan_event(self, floor: int) -> None:
        planned = self.generator.generate(self.plan.head, self.wish, floor, self._close, self._sharp)
        if planned is None:
            self.plan.complete = True
        else:
            self.plan.append(*planned)

    def _pass_silence(self, step: int) -> None:
        committed = self.plan.committed
        if step - committed.step >= self.generator.vocabulary.max_shift and not self.generator.deaf(committed):
            longest = committed.step + self.generator.vocabulary.max_shift
            self.plan.rewind(self.generator.pass_time(committed, longest, self.wish))
