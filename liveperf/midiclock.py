"""An outer MIDI clock, followed: tempo, beat and transport out of jittered ticks.

The estimator (`Pulse`) fits a straight line, time against tick, to the last ticks by least squares, in recursive form:
a g-h (alpha-beta) filter with the gains of the expanding-memory filter (Brookner, Tracking and Kalman Filtering Made
Easy, 1998, 1.2.10 and 6), the memory being limited. It is the delay-locked loop that MIDI clock followers have
(Adriaensen, Using a DLL to filter time, 2005), with a bandwidth that starts wide and narrows. Three rules are added:

- Memory: ticks that are early or late on average mean that the tempo moves; the memory is halved, and grows again.
- Outliers: a tick counts for the nearest tick of the grid. What is not the next one (a tick was lost, sent twice, or
  held up) or too far from it is not measured. When several in a row are like that, and regular among themselves, the
  tempo has jumped: they are fitted anew, and it is believed that none was lost.
- Jitter: measured, from second differences, which neither tempo nor ramp touches; the two rules above go by it.
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum

from liveperf.timeline import Timeline

TICKS = 24  # a quarter note
SIXTEENTHS = 4
LAST_SIXTEENTH = (1 << 14) - 1
SLOWEST_BPM, FASTEST_BPM = 18.0, 330.0  # promised: 20 to 300
LOST_S = 0.5  # four ticks at 20 bpm
NEWS = 0.005  # a tempo that differs by this part is announced

MEMORY_S, MEMORY_TICKS = 1.2, 24  # the line is fitted to the ticks of so many seconds, but to so many ticks at least
LEAST = 6  # ticks: what a line is fitted to at the least
LOCK = 12  # ticks until a tempo is believed
BIAS_TICKS = 6  # lateness is averaged over so many
BIAS = 0.55  # of the roughness: an average lateness beyond is no chance (3.5 sigma for uniform jitter)
BIAS_S = 0.0003  # and nothing below this matters
ROUGH_TICKS = 32
ROUGH_S, SMOOTH_S = 0.0023, 0.0002  # mean |second difference| of +-2 ms jitter: believed at first; and the least
GATE, GATE_PERIODS = 4.0, 0.15  # a tick further off than so many roughnesses and so much of a period is an outlier
DOUBTS, CERTAINTY = 4, 0.25  # so many odd ticks are a new tempo; a good tick takes this away from them

SETTLE_S, STRETCH = 0.05, 0.25  # how `beats` flows from one estimate to the next, see Timeline.toward


class ClockEvent(Enum):
    """What the engine is told."""

    FOUND = "there is a clock, and its tempo is known"
    LOST = "no tick for LOST_S; the beats carry on at the last tempo"
    TEMPO = "the tempo has changed by more than NEWS since it was last told"
    STARTED = "the first tick after Start has come: the song begins now"
    CONTINUED = "the first tick after Continue has come: the song goes on now"
    MOVED = "the song is somewhere else from now on: Song Position while it ran"
    STOPPED = "the song stands still; the clock may go on"


class Pulse:
    """The even ticks behind jittered ones.

    `time_s`: when the last tick should have come. `period_s`: between ticks. `index`: its number. `memory`: the ticks
    that the estimate rests on. Not thread-safe. A tick costs a few microseconds.
    """

    def __init__(self, time_s: float, period_s: float, index: int) -> None:
        self.period_s = period_s
        self._rough_s = ROUGH_S
        self.restart(time_s, index)

    def restart(self, time_s: float, index: int) -> None:
        """Begin again at a tick; the period is no more than a first guess."""
        self.time_s, self.index, self.memory = time_s, index, 1.0
        self._recent: deque[float] = deque([time_s], LEAST)
        self._bias_s = 0.0
        self._even = 0  # good ticks in a row
        self.trust()

    def trust(self) -> None:
        """Take the present index for right, whatever came before."""
        self._doubt, self._sure, self._since = 0.0, self.index, 0

    @property
    def line(self) -> Timeline:
        """Beats against time, as estimated."""
        return Timeline(self.time_s, 1 / (TICKS * self.period_s), self.index / TICKS)

    def tick(self, at_s: float) -> None:
        """Take in a tick."""
        since_s = at_s - self._recent[-1]
        if since_s < _period_s(FASTEST_BPM) / 2:
            return  # sent twice, or held up: then the first one stood for all
        self._recent.append(at_s)
        self._since += 1
        if self.memory < LEAST:
            self._measure(at_s)
            self.trust()
            return
        ticks = round((at_s - self.time_s) / self.period_s)
        if (ticks > 1 and since_s < 1.5 * self.period_s) or (ticks < 1 and since_s > 0.5 * self.period_s):
            ticks = 1  # neither lost nor sent twice, but the grid is wrong
        error_s = at_s - self.time_s - ticks * self.period_s
        gate_s = max(GATE * self._rough_s, GATE_PERIODS * self.period_s)
        if ticks == 1 and abs(error_s) < gate_s:
            self._measure(at_s)
            self._listen()
            self._doubt = max(self._doubt - CERTAINTY, 0.0)
            if not self._doubt:
                self.trust()
            return
        if ticks > 0:
            self.time_s += ticks * self.period_s
            self.index += ticks
        self._even = 0
        self._doubt += 1
        if self._doubt >= DOUBTS and self._regular():
            self._fit_anew()

    def _measure(self, at_s: float) -> None:
        """One step of the filter: the next tick has come."""
        self.index += 1
        self.time_s += self.period_s
        error_s = at_s - self.time_s
        self._bias_s += (error_s - self._bias_s) / BIAS_TICKS
        self.memory = min(self.memory + 1, max(MEMORY_S / self.period_s, MEMORY_TICKS))
        if self.memory > LEAST + 2 and abs(self._bias_s) > max(BIAS * self._rough_s, BIAS_S):
            self.memory = max(self.memory / 2, LEAST)
        n = self.memory
        self.time_s += 2 * (2 * n - 1) / (n * (n + 1)) * error_s
        period_s = self.period_s + 6 / (n * (n + 1)) * error_s
        self.period_s = min(max(period_s, _period_s(FASTEST_BPM)), _period_s(SLOWEST_BPM))

    def _listen(self) -> None:
        """Measure the jitter of three good ticks."""
        self._even += 1
        if self._even >= 3:
            bend_s = abs(self._recent[-1] - 2 * self._recent[-2] + self._recent[-3])
            bend_s = min(bend_s, 4 * self._rough_s)  # a jump of the tempo is not jitter
            self._rough_s = max(self._rough_s + (bend_s - self._rough_s) / ROUGH_TICKS, SMOOTH_S)

    def _regular(self) -> bool:
        """Whether the last ticks are a clock."""
        times = list(self._recent)
        mean_s = (times[-1] - times[0]) / (len(times) - 1)
        if not _period_s(FASTEST_BPM) <= mean_s <= _period_s(SLOWEST_BPM):
            return False
        most_s = max(2 * self._rough_s, GATE_PERIODS * mean_s)
        return all(abs(b - a - mean_s) < most_s for a, b in zip(times, times[1:], strict=False))

    def _fit_anew(self) -> None:
        times = list(self._recent)
        self.restart(times[0], self._sure + self._since - len(times) + 1)
        for at_s in times[1:]:
            self.tick(at_s)


class Follower:
    """Follows a MIDI clock; without one, it keeps the tempo it was given.

    The engine thread calls everything; nothing blocks. Times are arrival times (s), not decreasing.

    `beats`: beats (quarter notes) against time, as a Timeline: continuous, never backwards, not touched by the
    transport. `found`: whether there is a clock. `running`: whether the song runs; a clock that was never started by
    a message counts as running from its first tick on.
    """

    def __init__(self, now_s: float, bpm: float = 120.0) -> None:
        """bpm: 20 to 300, until a clock says otherwise. Beat 0 is now."""
        if not 20 <= bpm <= 300:
            raise ValueError(f"a tempo is 20 to 300 bpm, not {bpm:g}")
        self.beats = Timeline(now_s, bpm / 60)
        self.found = self.running = False
        self._pulse: Pulse | None = None  # None: there is no clock
        self._last_s = -math.inf  # the last tick
        self._told_bpm = bpm
        self._armed: ClockEvent | None = None  # told at the next tick
        self._untold = True  # no transport message has ever come
        self._cue = 0.0  # the song's beat at the next tick that counts
        self._song_start = 0.0  # the beat of `beats` on which the song's beat 0 falls

    @property
    def bpm(self) -> float:
        """The tempo, quarter notes a minute; the last one while the clock is lost."""
        return self.beats.rate * 60

    @property
    def lost_at(self) -> float:
        """When the clock will be lost if no tick comes (s): call `advance` then; infinity without a clock."""
        return self._last_s + LOST_S if self._pulse else math.inf

    def song_position(self, time_s: float) -> float:
        """The song's position in beats at a time; while it stands still, that from which it will go on.

        Continuous and never backwards while it runs, until a Start, Continue or Song Position.
        """
        if not self.running:
            return self._cue
        return max(self.beats.position_at(time_s) - self._song_start, self._cue)

    def song_time(self, position: float) -> float:
        """When (s) the song gets to a beat if it runs on at this tempo: the inverse of `song_position`."""
        return self.beats.time_of(position + self._song_start)

    def next_beat(self, time_s: float, every: float = 1.0) -> float:
        """When (s) the song's first beat not before a time comes; every=4: the first bar line of 4/4.

        While it stands still it is counted as if it ran.
        """
        return self.beats.time_of(self.beats.next_multiple(time_s, every, self._song_start))

    def receive(self, kind: str, at_s: float, sixteenths: int = 0) -> tuple[ClockEvent, ...]:
        """Take in a message by mido's name for it: clock, start, stop, continue, songpos; others are no news."""
        if kind == "clock":
            return self.tick(at_s)
        if kind == "start":
            return self.start(at_s)
        if kind == "continue":
            return self.resume(at_s)
        if kind == "stop":
            return self.stop(at_s)
        if kind == "songpos":
            return self.locate(sixteenths, at_s)
        return ()

    def tick(self, at_s: float) -> tuple[ClockEvent, ...]:
        """A clock tick, the 24th part of a beat."""
        told = self.advance(at_s)
        self._last_s = at_s
        if self._pulse is None:
            # What beat it is nobody knows after a pause: the nearest tick is the best guess.
            index = round(self.beats.position_at(at_s) * TICKS)
            self._pulse = Pulse(at_s, 1 / (TICKS * self.beats.rate), index)
        else:
            self._pulse.tick(at_s)
        if self._armed or self._untold:
            self._run(self._pulse)
            told += (self._armed,) if self._armed else ()
            self._armed, self._untold = None, False
        if self._pulse.memory >= 2:
            self.beats = self.beats.toward(self._pulse.line, at_s, SETTLE_S, STRETCH)
        return told + self._tell(self._pulse.memory)

    def _run(self, pulse: Pulse) -> None:
        pulse.trust()
        self._song_start = pulse.index / TICKS - self._cue
        self.running = True

    def _tell(self, memory: float) -> tuple[ClockEvent, ...]:
        if not self.found and memory < LOCK:
            return ()
        if self.found and abs(self.bpm - self._told_bpm) < NEWS * self._told_bpm:
            return ()
        event = ClockEvent.TEMPO if self.found else ClockEvent.FOUND
        self.found, self._told_bpm = True, self.bpm
        return (event,)

    def advance(self, now_s: float) -> tuple[ClockEvent, ...]:
        """Time has passed: is the clock lost?"""
        if now_s < self.lost_at:
            return ()
        found, self.found, self._pulse = self.found, False, None
        return (ClockEvent.LOST,) if found else ()

    def start(self, at_s: float) -> tuple[ClockEvent, ...]:
        """Start: the next tick is the song's beat 0."""
        return self._arm(ClockEvent.STARTED, 0.0)

    def resume(self, at_s: float) -> tuple[ClockEvent, ...]:
        """Continue: at the next tick the song goes on from where it stands."""
        return () if self.running else self._arm(ClockEvent.CONTINUED, self._cue)

    def _arm(self, event: ClockEvent, cue: float) -> tuple[ClockEvent, ...]:
        self._armed, self._cue, self.running, self._untold = event, cue, False, False
        return ()

    def stop(self, at_s: float) -> tuple[ClockEvent, ...]:
        """Stop: the song stands still, a tick after the last one that it has heard."""
        self._untold, self._armed = False, None
        if not self.running:
            return ()
        self._cue = self._next_tick(at_s)
        self.running = False
        return (ClockEvent.STOPPED,)

    def _next_tick(self, at_s: float) -> float:
        """The song's beat of the tick that comes next."""
        if self._pulse:
            return (self._pulse.index + 1) / TICKS - self._song_start
        return math.ceil(self.song_position(at_s) * TICKS) / TICKS

    def locate(self, sixteenths: int, at_s: float) -> tuple[ClockEvent, ...]:
        """Song Position: sixteenths since the song's start, 0 to 16383; ValueError beyond.

        MIDI wants it while the song stands still. A song that runs goes on from there at the next tick.
        """
        if not 0 <= sixteenths <= LAST_SIXTEENTH:
            raise ValueError(f"a song position is 0 to {LAST_SIXTEENTH} sixteenths, not {sixteenths}")
        cue = sixteenths / SIXTEENTHS
        if self.running:
            return self._arm(ClockEvent.MOVED, cue)
        self._cue = cue
        return ()


def _period_s(bpm: float) -> float:
    return 60 / (TICKS * bpm)
