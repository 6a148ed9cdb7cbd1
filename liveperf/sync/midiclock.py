"""An outer MIDI clock, followed: tempo, beat and transport.

The estimate itself, and how good it is, is in pulse.py. Here it becomes continuous, and a song's position.
"""

from __future__ import annotations

import math
from enum import Enum

from liveperf.sync.pulse import TICKS, Pulse
from liveperf.timeline import Timeline

SIXTEENTHS = 4  # a quarter note
LAST_SIXTEENTH = (1 << 14) - 1
LOCK = 12  # ticks until a tempo is told: within about 1 % by then
LOST_S = 0.5  # four ticks at 20 bpm
NEWS = 0.005  # a tempo that differs by this part is announced
SETTLE_S, STRETCH = 0.05, 0.25  # how `beats` flows from one estimate to the next, see Timeline.toward


class ClockEvent(Enum):
    """What the engine is told."""

    FOUND = "there is a clock, and its tempo is known"
    LOST = "no tick for LOST_S; the beats carry on at the last tempo"
    TEMPO = "the tempo has changed by more than NEWS since it was last told"
    STARTED = "the first tick after Start has come, or there is no clock: the song begins now"
    CONTINUED = "the same after Continue: the song goes on now"
    MOVED = "the song is somewhere else from now on: Song Position while it ran"
    STOPPED = "the song stands still; the clock may go on"


class Follower:
    """Follows a MIDI clock; without one, it keeps the tempo it was given.

    The engine thread calls everything; nothing blocks. Times are arrival times (s), not decreasing.

    `beats`: beats (quarter notes) against time, as a Timeline: continuous, never backwards, not touched by the
    transport. `song_start`: the beat of those on which the song's beat 0 falls. `found`: whether there is a clock.
    `running`: whether the song runs; without any transport message it does from the first tick on.
    """

    def __init__(self, now_s: float, bpm: float = 120.0) -> None:
        """bpm: 20 to 300, until a clock says otherwise. Beat 0 is now."""
        if not 20 <= bpm <= 300:
            raise ValueError(f"a tempo is 20 to 300 bpm, not {bpm:g}")
        self.beats = Timeline(now_s, bpm / 60)
        self.found = self.running = False
        self._pulse: Pulse | None = None  # None: there is no clock
        self._last_s = -math.inf  # the last tick
        self._ticks = 0  # since there is a clock
        self._told_bpm = bpm
        self._armed: ClockEvent | None = None  # told at the next tick
        self._untold = True  # no transport message has ever come
        self._cue = 0.0  # the song's beat at the next tick that counts
        self.song_start = 0.0

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
        if not self.running or self._waits:
            return self._cue
        return max(self.beats.position_at(time_s) - self.song_start, self._cue)

    def receive(self, kind: str, at_s: float, sixteenths: int = 0) -> tuple[ClockEvent, ...]:
        """Take in a message by mido's name for it: clock, start, stop, continue, songpos; others are no news."""
        match kind:
            case "clock":
                return self.tick(at_s)
            case "start":
                return self.start(at_s)
            case "continue":
                return self.resume(at_s)
            case "stop":
                return self.stop(at_s)
            case "songpos":
                return self.locate(sixteenths, at_s)
        return ()

    def tick(self, at_s: float) -> tuple[ClockEvent, ...]:
        """A clock tick, the 24th part of a beat."""
        told = self.advance(at_s)
        self._last_s = at_s
        if self._pulse is None:
            # What beat it is nobody knows after a pause: the nearest tick is the best guess.
            index = round(self.beats.position_at(at_s) * TICKS)
            self._pulse, self._ticks = Pulse(at_s, 1 / (TICKS * self.beats.rate), index), 0
        else:
            self._pulse.tick(at_s)
        if self._armed or self._untold:
            self._run(self._pulse)
            told += (self._armed,) if self._armed else ()
            self._armed, self._untold = None, False
        if self._pulse.memory >= 2:
            self.beats = self.beats.toward(self._pulse.line, at_s, SETTLE_S, STRETCH)
        self._ticks += 1
        return told + self._tell()

    def _run(self, pulse: Pulse) -> None:
        pulse.trust()
        self.song_start = pulse.index / TICKS - self._cue
        self.running = True

    def _tell(self) -> tuple[ClockEvent, ...]:
        if self._ticks < LOCK:
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
        lost = (ClockEvent.LOST,) if found else ()
        return lost + self._arm(self._armed, self._cue, now_s) if self._armed else lost

    def start(self, at_s: float) -> tuple[ClockEvent, ...]:
        """Start: the next tick is the song's beat 0. Where there is no clock, the song begins at once."""
        return self._arm(ClockEvent.STARTED, 0.0, at_s)

    def resume(self, at_s: float) -> tuple[ClockEvent, ...]:
        """Continue: at the next tick, or without a clock at once, the song goes on from where it stands."""
        return () if self.running else self._arm(ClockEvent.CONTINUED, self._cue, at_s)

    @property
    def _waits(self) -> bool:
        """Whether the song is about to begin, or to go on, with the next tick."""
        return self._armed is not None and self._pulse is not None

    def _arm(self, event: ClockEvent, cue: float, at_s: float) -> tuple[ClockEvent, ...]:
        self._armed, self._cue, self._untold = event, cue, False
        if self._pulse:
            return ()
        self._armed, self.running = ClockEvent.MOVED, True  # the first tick, if one comes, knows better where
        self.song_start = self.beats.position_at(at_s) - cue
        return (event,)

    def stop(self, at_s: float) -> tuple[ClockEvent, ...]:
        """Stop: the song stands still, a tick after the last one that it has heard."""
        if self.running and not self._waits:
            self._cue = self._next_tick(at_s)
        self.running, self._armed, self._untold = False, None, False
        return (ClockEvent.STOPPED,)  # though it stood still already: somebody else may have begun to play

    def _next_tick(self, at_s: float) -> float:
        """The song's beat of the tick that comes next."""
        if self._pulse:
            return (self._pulse.index + 1) / TICKS - self.song_start
        return math.ceil(self.song_position(at_s) * TICKS) / TICKS

    def locate(self, sixteenths: int, at_s: float) -> tuple[ClockEvent, ...]:
        """Song Position: sixteenths since the song's start, 0 to 16383; ValueError beyond.

        MIDI wants it while the song stands still. A song that runs goes on from there at the next tick.
        """
        if not 0 <= sixteenths <= LAST_SIXTEENTH:
            raise ValueError(f"a song position is 0 to {LAST_SIXTEENTH} sixteenths, not {sixteenths}")
        cue = sixteenths / SIXTEENTHS
        if self.running and not self._waits:
            return self._arm(ClockEvent.MOVED, cue, at_s)
        self._cue = cue
        return ()
