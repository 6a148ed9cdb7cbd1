"""What can be seen of an instrument that plays, read from its parts by threads that none of them waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liveperf import __version__
from liveperf.clock import Clock
from liveperf.feed import Ring
from liveperf.mapping.controls import ControlMap
from liveperf.mapping.encoders import CODINGS
from liveperf.mapping.knobs import ACTIONS
from liveperf.playing.desk import Played, Said
from liveperf.playing.engine import Engine
from liveperf.preview import Planned, planned
from liveperf.scales import ROOTS, SCALES
from liveperf.session import State, Trigger


class View:
    """A `desk.View`. What it reads is replaced whole by its owners, or copied at once: no lock is taken."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        due: Callable[[], float],
        clock: Clock,
        name: str,
        played: Ring[Played],
        log: Ring[Said],
        lesson: Callable[[], dict[str, Any]],
        kept: Callable[[], int],
        take: Callable[[], float | None],
    ) -> None:
        """engine: the one in force. due: when the next note is due, s. The rest: as `desk.View` has it."""
        self._engine, self._due, self._clock, self._name = engine, due, clock, name
        self.played, self.log = played, log
        self.lesson, self.kept, self.take = lesson, kept, take

    def now(self) -> float:
        """The instrument's own time, s."""
        return self._clock.now()

    def lull(self) -> float:
        """How long it is until the next note is to be sent, s; negative if it is on its way."""
        return self._due() - self.now()

    def hello(self) -> dict[str, Any]:
        """What does not change while it plays, and the time."""
        return {
            "version": __version__,
            "now": round(self.now(), 6),
            "steps_per_second": self._engine().performer.generator.vocabulary.steps_per_second,
            "name": self._name,
            "roots": list(ROOTS),
            "scales": {name: list(steps) for name, steps in SCALES.items()},
            "actions": dict(ACTIONS),
            "encoders": list(CODINGS),
        }

    def state(self) -> dict[str, Any]:
        """Whose turn it is, what the session does, when the gap ends (s) that runs down."""
        session = self._engine().performer.session
        listening = session.state is State.LISTENING
        ends = self._gap_end()
        return {
            "turn": "machine" if session.plays else "human" if listening else "nobody",
            "state": session.state.name.lower(),
            "gap_ends": ends and round(ends, 3),
        }

    def gap(self) -> list[float] | None:
        """How much of the gap before the answer has passed, and how long it is, s; None where none runs down."""
        ends, whole = self._gap_end(), self._engine().performer.params.turn_gap_s
        return None if ends is None else [round(min(max(whole - (ends - self.now()), 0.0), whole), 2), whole]

    def _gap_end(self) -> float | None:
        engine = self._engine()
        performer = engine.performer
        timer = performer.session.timer(performer.params, performer.rate)
        if timer is None or timer[1] is not Trigger.GAP:
            return None
        return engine.timeline.time_of(performer.beats.next(timer[0]))

    def beat(self) -> dict[str, Any] | None:
        """The last beat of the MIDI clock that is followed: number, 0 for the first, time (s), tempo (bpm)."""
        engine = self._engine()
        timeline, beats, bpm = engine.timeline, engine.performer.beats, engine.bpm
        if not (engine.running and bpm and beats.length > 0):
            return None
        number = beats.number(timeline.position_at(self.now()))
        at_s = timeline.time_of(beats.first + number * beats.length)
        return {"number": number, "at": round(at_s, 4), "bpm": round(bpm, 2)}

    def plan_mark(self) -> object:
        """Equal to what it was as long as the plan is."""
        plan = self._engine().performer.plan
        return plan, plan.version

    def plan(self) -> list[Planned]:
        """The machine's notes after now, as far as they are planned."""
        engine = self._engine()
        performer = engine.performer
        notes = planned(performer.plan.ahead, performer.generator.vocabulary, performer.params, engine.timeline)
        return [(round(start, 4), pitch, velocity, end and round(end, 4)) for start, pitch, velocity, end in notes]

    @property
    def map(self) -> ControlMap:
        """The knobs in force: replaced whole."""
        return self._engine().controls
