"""Which knob was moved: messages in, and as soon as it is clear, what sends them."""

from __future__ import annotations

from dataclasses import dataclass, field

import mido

from liveperf.knobs import ACTIONS, FINE, SOURCES, MapError, two_states
from liveperf.params import row_named
from liveperf.voices import PEDAL

PRESSED = 64  # a button gives at least this, and then 0
VALUES = 3  # a knob has gone through so many values at least, for a touch makes it flicker between two,
TRAVEL = 16 / 128  # and over so much of its way
FINE_TRAVEL = 64 / 128  # what could be the fine half of a pair, further: such a half runs round and round
PAIR = 3  # so many messages of the fine half make a pair
STUCK = 24  # so many messages with less than VALUES values are those of an endless knob
_TOPS = {"control_change": 127, "pitchwheel": 16383, "aftertouch": 127}


@dataclass(frozen=True, slots=True)
class Heard:
    """What was moved. source, number: as in `knobs.Entry`. channel: 1 to 16. pressed: it was a button."""

    source: str
    number: int | None
    channel: int
    pressed: bool = False


@dataclass
class _Track:
    """What has come from one place so far. quiet: nothing came from elsewhere since the last message."""

    values: list[int] = field(default_factory=list)
    quiet: bool = False

    def goes(self, travel: float, top: int) -> bool:
        """Whether it has been moved over a part of its way, and not in one step."""
        seen = set(self.values)
        return len(seen) >= VALUES and max(seen) - min(seen) >= travel * top

    @property
    def is_press(self) -> bool:
        """Whether it was pressed and let go, with nothing else in between."""
        return self.quiet and len(set(self.values)) == 2 and self.values[-1] == 0 and self.values[-2] >= PRESSED


def wanted(name: str, notes: bool = False) -> frozenset[str]:
    """The kinds of source that can turn a parameter or press an action; MapError if there is none.

    notes: whether a note is one, for a parameter of two values or an action.
    """
    if name == "preset":
        return frozenset({"program_change"})
    switch = name in ACTIONS or bool(two_states(row_named(name)))
    if notes and not switch:
        raise MapError(
            f"{name} has more than two values: learn it without --note, or write `note` and `value` by hand"
        )
    if not switch:
        return frozenset(source.name for source in SOURCES.values() if source.turns)
    return frozenset({"cc", "program_change", *(["note"] if notes else [])})


class Listener:
    """Decides what was moved: a knob clearly, a button or key all the way down and up, a program change at once.

    Clock, active sensing and the like are no knobs; neither are notes where they are not wanted, nor the pedal.
    """

    def __init__(self, sources: frozenset[str]) -> None:
        """sources: the kinds that will do, as `wanted` has them."""
        self._sources = sources
        self._tracks: dict[tuple[str, int, int], _Track] = {}
        self._last: _Track | None = None
        self.hint = ""  # why what moves is not taken

    def hear(self, message: mido.Message) -> Heard | None:
        """Take a message in; what was moved, once that is clear."""
        heard = self._hear(message)
        if heard is None or heard.source in self._sources:
            return heard
        self.hint = f"{SOURCES[heard.source].words} will not do for this"
        return None

    def _hear(self, message: mido.Message) -> Heard | None:
        if message.type == "program_change":
            return Heard("program_change", message.program, message.channel + 1, pressed=True)
        if message.type in ("note_on", "note_off"):
            velocity = message.velocity if message.type == "note_on" else 0
            track = self._follow("note", message.note, message.channel, velocity)
            if "note" in self._sources and velocity == 0 and any(track.values[-2:-1]):  # down, and up again
                return Heard("note", message.note, message.channel + 1, pressed=True)
            return None
        if message.type == "control_change":
            return self._control(message.control, message.channel, message.value)
        for kind, source in (("pitchwheel", "pitch_bend"), ("aftertouch", "pressure")):
            if message.type == kind:
                value = message.pitch if kind == "pitchwheel" else message.value
                track = self._follow(kind, 0, message.channel, value)
                if track.goes(TRAVEL, _TOPS[kind]):
                    return Heard(source, None, message.channel + 1)
        return None

    def _control(self, number: int, channel: int, value: int) -> Heard | None:
        if number == PEDAL:
            self.hint = f"CC {PEDAL} is the sustain pedal and stays it"
        if number not in SOURCES["cc"].numbers:
            return None
        track = self._follow("control_change", number, channel, value)
        if track.is_press:
            return Heard("cc", number, channel + 1, pressed=True)
        if len(track.values) >= STUCK and len(set(track.values)) < VALUES:
            self.hint = f"CC {number} repeats itself: set an endless knob to absolute values in its editor"
        coarse, fine = (self._tracks.get(("control_change", number + away, channel)) for away in (-FINE, FINE))
        if FINE <= number < 2 * FINE:  # it may be the fine half of a pair: then the coarse one tells
            return Heard("cc", number, channel + 1) if coarse is None and track.goes(FINE_TRAVEL, 127) else None
        if not track.goes(TRAVEL, 127):
            return None
        pair = number < FINE and fine is not None and len(fine.values) >= PAIR and "cc14" in self._sources
        return Heard("cc14" if pair else "cc", number, channel + 1)

    def _follow(self, kind: str, number: int, channel: int, value: int) -> _Track:
        track = self._tracks.setdefault((kind, number, channel), _Track())
        track.values.append(value)
        track.quiet = track is self._last
        self._last = track
        return track
