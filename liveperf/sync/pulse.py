"""The even ticks behind the jittered ones of a MIDI clock: the estimator of tempo and beat.

It fits a straight line, time against tick, to the last ticks by least squares, in recursive form: a g-h
(alpha-beta) filter with the gains of the expanding-memory filter (Brookner, Tracking and Kalman Filtering Made
Easy, 1998, 1.2.10 and 6), its memory being limited. It is the delay-locked loop that followers of MIDI clocks have
(Adriaensen, Using a DLL to filter time, 2005), with a bandwidth that starts wide and narrows. Three more rules:

- Memory: ticks that are early or late on average mean that the tempo moves; the memory is halved, and grows again.
- Outliers: a tick counts for the nearest tick of the grid. What is not the next one (a tick was lost, sent twice,
  or held up), or too far from it, is not measured. When several are like that, and regular among themselves, the
  tempo has jumped: they are fitted anew, and it is believed that none was lost.
- Jitter: measured, from second differences, which neither tempo nor ramp touches; the two rules above go by it.

Measured with uniform jitter of +-2 ms, 150 runs each (tests/sync/test_midiclock.py holds it to them):

| clock | tempo off by | beats off by |
|---|---|---|
| steady, 20 to 300 bpm, also with 1 in 50 lost or doubled, or held up for 100 ms | 0.16 % | 1.6 ms |
| the same, its sender asleep for 3 to 30 ms at 1 in 250 ticks | 0.6 % | 3.2 ms |
| 60 to 180 bpm in 8 s, and 180 to 60: half of the runs, at worst | 5 % (0.2 s behind) | 6.5 ms |
| 99 of 100 runs | 8 % | 16 ms |
| the same without jitter | 4 % | 4.5 ms |
| the first ticks: after 1.2 beats, and after 2.6 | 1 %, 0.3 % | 3 ms |
| a jump, after 0.8 s | 0.5 % | see below |

After a jump the beats are within 3 ms after 0.6 s, and when it slows down much after as long as the follower ran
ahead in the meantime: 1 s (120 to 60 bpm), 2 s (60 to 30). More jitter is borne while it stays below a fifth of a
tick's length; beyond, ticks are miscounted, as is one that is lost among the first six.
"""

from __future__ import annotations

from collections import deque

from liveperf.timeline import Timeline

TICKS = 24  # a quarter note
SLOWEST_BPM, FASTEST_BPM = 18.0, 330.0  # promised: 20 to 300

MEMORY_S, MEMORY_TICKS = 1.2, 24  # the line is fitted to so many seconds, but to so many ticks at least
LEAST = 6  # ticks: what a line is fitted to at the least
BIAS_TICKS = 6  # lateness is averaged over so many
BIAS = 0.65  # of the roughness: an average lateness beyond is no chance (4 sigma for uniform jitter)
BIAS_S = 0.0003  # and nothing below this matters
ROUGH_TICKS = 96
ROUGH_S, SMOOTH_S = 0.0023, 0.0002  # mean |second difference| of +-2 ms jitter: believed at first; and the least
GATE, GATE_S = 4.0, 0.006  # a tick further off than so many roughnesses, and than this, is an outlier
EVEN = 0.15  # ticks are regular when their distances differ by less than this part
DOUBTS, CERTAINTY = 4, 0.25  # so many odd ticks are a new tempo; a good tick takes this away from them
TWICE_S = 0.002  # of the first ticks, one that comes sooner is none: at 300 bpm and +-2 ms 4.3 ms are between two


class Pulse:
    """The even ticks behind jittered ones.

    `time_s`: when the last tick should have come. `index`: its number. `period_s`: from tick to tick. `memory`:
    the ticks that the estimate rests on. Not thread-safe. A tick costs about 10 us.
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
        self._doubt, self._sure, self._since, self._missing = 0.0, self.index, 0, 0

    @property
    def line(self) -> Timeline:
        """Beats against time, as estimated."""
        return Timeline(self.time_s, 1 / (TICKS * self.period_s), self.index / TICKS)

    def tick(self, at_s: float) -> None:
        """Take in a tick."""
        since_s = at_s - self._recent[-1]
        if self.memory < LEAST:
            if since_s > TWICE_S:
                self._recent.append(at_s)
                self._measure(at_s)
                self.trust()
            return
        self._recent.append(at_s)
        self._since += 1
        ticks = self._which(at_s, since_s / self.period_s)
        error_s = at_s - self.time_s - ticks * self.period_s
        gate_s = min(max(GATE * self._rough_s, GATE_S), self.period_s / 2)
        if ticks == 1 and abs(error_s) < gate_s:
            self._measure(at_s)
            self._listen()
            self._doubt = max(self._doubt - CERTAINTY, 0.0)
            if not self._doubt:
                self.trust()
            return
        self.time_s += ticks * self.period_s
        self.index += ticks
        self._missing += max(ticks - 1, 0)
        self._even = 0
        self._doubt += 1
        if self._doubt >= DOUBTS and self._regular():
            self._fit_anew()

    def _which(self, at_s: float, spacing: float) -> int:
        """Which tick has come: 1 is the next of the grid, 0 is none. spacing: periods since the one before."""
        ticks = round((at_s - self.time_s) / self.period_s)
        if ticks > 1:
            return ticks if spacing > 1.5 else 1  # else the grid is too fast for it
        if ticks < 1 and self._missing:
            self._missing -= 1
            return 0
        return 1 if ticks == 1 or spacing > 0.5 else 0  # 1 although it is not due: the grid is too slow for it

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
        most_s = max(2 * self._rough_s, EVEN * mean_s)
        return all(abs(b - a - mean_s) < most_s for a, b in zip(times, times[1:], strict=False))

    def _fit_anew(self) -> None:
        times = list(self._recent)
        self.restart(times[0], self._sure + self._since - len(times) + 1)
        for at_s in times[1:]:
            self.tick(at_s)


def _period_s(bpm: float) -> float:
    return 60 / (TICKS * bpm)
