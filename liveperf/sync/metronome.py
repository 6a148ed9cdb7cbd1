"""Where the steps lie in time: at the speed that is asked for, on the beats of a MIDI clock if there is one."""

from __future__ import annotations

from liveperf.params import Params
from liveperf.sync.beats import Beats
from liveperf.sync.midiclock import ClockEvent, Follower
from liveperf.timeline import Tie, Timeline, steps_per_beat

MESSAGES = frozenset({"clock", "start", "stop", "continue", "songpos"})


class Metronome:
    """Keeps the `timeline` of the steps. It is swapped whole, and never jumps.

    `step`: the last closed step, from which on time may run differently. Not thread-safe: the engine thread's.
    """

    def __init__(self, now_s: float, steps_per_second: float, params: Params, step: int = 0) -> None:
        """This step is now."""
        self._rate, self._params = steps_per_second, params
        self._tie: Tie | None = None  # which step falls on which beat; None: no clock has been heard yet
        self._follower = Follower(now_s, params.reference_bpm)
        self.timeline = Timeline(now_s, steps_per_second * params.speed, step)

    @property
    def follows(self) -> bool:
        """Whether a clock has been heard."""
        return self._tie is not None

    @property
    def bpm(self) -> float:
        """The clock's tempo."""
        return self._follower.bpm

    @property
    def running(self) -> bool:
        """Whether the song runs; a clock that ends after a Stop is not missed."""
        return self._follower.running

    @property
    def tempo(self) -> float:
        """The clock's tempo in units of the reference; 1 as long as there was none."""
        return self._follower.bpm / self._params.reference_bpm if self._tie else 1.0

    @property
    def lost_at(self) -> float:
        """When to call `advance` at the latest (s)."""
        return self._follower.lost_at

    @property
    def beats(self) -> Beats:
        """The song's beats, in steps."""
        if self._tie is None:
            return Beats()
        return Beats(self._tie.step_of(self._follower.song_start), self._tie.steps_per_beat)

    def set_params(self, params: Params, step: int) -> None:
        """Take on another speed or reference from a step on."""
        before, self._params = self._params, params
        if (before.speed, before.reference_bpm) == (params.speed, params.reference_bpm):
            return
        if self._tie is None:
            self.timeline = self.timeline.at_rate(self._rate * params.speed, step)
        else:
            self._tie = self._tie.at_ratio(self._steps_per_beat, step)
            self._approach(step)

    def receive(self, kind: str, at_s: float, step: int, sixteenths: int = 0) -> tuple[ClockEvent, ...]:
        """Take in one of MESSAGES (mido's names) that has arrived at a time."""
        return self._heard(self._follower.receive(kind, at_s, sixteenths), at_s, step)

    def advance(self, now_s: float, step: int) -> tuple[ClockEvent, ...]:
        """Time has passed: is the clock lost?"""
        return self._heard(self._follower.advance(now_s), now_s, step)

    def delay(self, late_s: float, now_s: float) -> None:
        """The music was held up: it goes on where it was, in the nearest bar if there are any."""
        self.timeline = self.timeline.delayed(late_s)
        if self._tie is not None:
            self._tie = self._tie.nearest(self.timeline, self._follower.beats, now_s)

    @property
    def _steps_per_beat(self) -> float:
        return steps_per_beat(self._rate, self._params.reference_bpm, self._params.speed)

    def _heard(self, events: tuple[ClockEvent, ...], at_s: float, step: int) -> tuple[ClockEvent, ...]:
        beats = self._follower.beats
        if ClockEvent.FOUND in events:  # wherever the music is, there it joins in
            self._tie = Tie(self.timeline.position_at(at_s), beats.position_at(at_s), self._steps_per_beat)
            self._tie = self._tie.whole(self._follower.song_start)
        elif self._tie and {ClockEvent.STARTED, ClockEvent.CONTINUED, ClockEvent.MOVED} & set(events):
            self._tie = self._tie.whole(self._follower.song_start)
        if self._follower.found or events:
            self._approach(step)
        return events

    def _approach(self, step: int) -> None:
        if self._tie is not None:
            target = self._tie.steps(self._follower.beats)
            self.timeline = self.timeline.toward(target, self.timeline.time_of(step))
