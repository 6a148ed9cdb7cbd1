"""Positions <-> seconds, positions being steps or beats. A new speed, a delay, another tempo is a new Timeline.

Steps follow an outer clock in two moves, made whenever the clock has news and at no cost in between:

    target = tie.steps(follower.beats)                       where the steps ought to lie
    timeline = timeline.toward(target, timeline.time_of(n))  from the last closed step n on: no jump, no step back
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

SETTLE_S = 0.1  # a phase error is worked off over this time,
STRETCH = 0.1  # or over as long as it takes at a pace that differs by this part: 50 ms in half a second
BEATS_PER_BAR = 4
TOLERANCE = 1e-6  # of a step or beat: rounding, not lateness


@dataclass(frozen=True, slots=True)
class Timeline:
    """Position `origin` lies at `origin_s` of a clock; `rate` positions make a second.

    Unless `settle_s` is 0, `settle_rate` counts for so long from there on: a straight line with one bend.
    Thread-safe: a value. Rates are above 0, so that positions never go back; ValueError otherwise.
    """

    origin_s: float
    rate: float
    origin: float = 0.0
    settle_s: float = 0.0
    settle_rate: float = 0.0

    def __post_init__(self) -> None:
        if not (self.rate > 0 and (not self.settle_s or (self.settle_s > 0 and self.settle_rate > 0))):
            raise ValueError(f"a timeline runs forward: {self}")

    def time_of(self, position: float) -> float:
        """The clock's time (s) of a step or beat."""
        distance, bend = position - self.origin, self.settle_s * self.settle_rate
        if bend and distance < bend:
            return self.origin_s + distance / self.settle_rate
        return self.origin_s + self.settle_s + (distance - bend) / self.rate

    def position_at(self, time_s: float) -> float:
        """The position, fractions included, at a time."""
        passed = time_s - self.origin_s
        if self.settle_s and passed < self.settle_s:
            return self.origin + passed * self.settle_rate
        return self.origin + self.settle_s * self.settle_rate + (passed - self.settle_s) * self.rate

    def step_at(self, time_s: float) -> int:
        """The last whole position that is not after a time."""
        return math.floor(self.position_at(time_s) + TOLERANCE)

    def delayed(self, seconds: float) -> Timeline:
        """The same, every position that much later."""
        return replace(self, origin_s=self.origin_s + seconds)

    def at_rate(self, rate: float, position: float) -> Timeline:
        """From a position on, at another rate."""
        return Timeline(self.time_of(position), rate, position)

    def late_s(self, target: Timeline, time_s: float) -> float:
        """How far (s) this is behind a target at a time: the phase error; negative if it is ahead."""
        return (target.position_at(time_s) - self.position_at(time_s)) / target.rate

    def toward(
        self, target: Timeline, time_s: float, settle_s: float = SETTLE_S, stretch: float = STRETCH
    ) -> Timeline:
        """From a time on, gradually into a target: it begins where this one is then, and ends as the target.

        A phase error of x seconds takes max(settle_s, x / stretch) seconds. Meanwhile the rate is that of the
        target (its mean, where it has a bend of its own) within +-stretch, which is a part below 1.
        """
        here = self.position_at(time_s)
        apart = abs(target.position_at(time_s) - here)
        slowest = min(target.rate, target.settle_rate or target.rate)
        over_s = max(settle_s, apart / (stretch * slowest), target.origin_s + target.settle_s - time_s)
        aim = target.position_at(time_s + over_s)
        return Timeline(time_s, target.rate, here, over_s, (aim - here) / over_s)


@dataclass(frozen=True, slots=True)
class Tie:
    """Which step falls on which beat: `step` on `beat`, and `steps_per_beat` from one beat to the next.

    Thread-safe: a value.
    """

    step: float
    beat: float
    steps_per_beat: float

    def step_of(self, beat: float) -> float:
        """The step, fractions included, that falls on a beat."""
        return self.step + (beat - self.beat) * self.steps_per_beat

    def beat_of(self, step: float) -> float:
        """The beat on which a step falls."""
        return self.beat + (step - self.step) / self.steps_per_beat

    def steps(self, beats: Timeline) -> Timeline:
        """Where the steps lie in time when the beats lie like this."""
        ratio = self.steps_per_beat
        return Timeline(
            beats.origin_s,
            beats.rate * ratio,
            self.step_of(beats.origin),
            beats.settle_s,
            beats.settle_rate * ratio,
        )

    def whole(self, beat: float) -> Tie:
        """The same within half a step, so that a whole step falls on a beat: what begins there begins on time."""
        return Tie(round(self.step_of(beat)), beat, self.steps_per_beat)

    def at_ratio(self, steps_per_beat: float, step: float) -> Tie:
        """From a step on, at another speed."""
        return Tie(step, self.beat_of(step), steps_per_beat)

    def nearest(self, timeline: Timeline, beats: Timeline, time_s: float, every: float = BEATS_PER_BAR) -> Tie:
        """The same, moved by whole multiples of `every` beats to where the timeline is at most half of that off.

        After a long interruption the music goes on in the nearest bar, rather than hurry for minutes.
        """
        off = beats.position_at(time_s) - self.beat_of(timeline.position_at(time_s))
        return replace(self, beat=self.beat + round(off / every) * every)


def steps_per_beat(steps_per_second: float, reference_bpm: float, speed: float = 1.0) -> float:
    """Steps from one beat of the clock to the next.

    At `reference_bpm` the music runs at its own speed (times `speed`), at twice that tempo twice as fast: the rate
    is steps_per_second * speed * tempo / reference_bpm.
    """
    return steps_per_second * speed * 60 / reference_bpm
