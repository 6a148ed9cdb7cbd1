"""Which knob was moved: messages in, and as soon as it is clear, what sends them."""

from __future__ import annotations

from dataclasses import dataclass, field

import mido

from liveperf.mapping.encoders import CODINGS
from liveperf.mapping.knobs import ACTIONS, Entry, MapError, two_states
from liveperf.mapping.sources import FINE, SOURCES
from liveperf.params import row_named
from liveperf.voices import PEDAL

PRESSED = 64  # a button gives at least this, and then 0
VALUES = 3  # a knob has gone through so many values at least, for a touch makes it flicker between two,
TRAVEL = 16 / 128  # and over so much of its way
FINE_TRAVEL = 64 / 128  # what could be the fine half of a pair, further: such a half runs round and round
PAIR = 3  # so many messages of the fine half make a pair
STUCK = 24  # so many messages with less than VALUES values are those of an endless knob
LEANT, LET_GO = 48, 16  # pressure comes with every key that is struck: whoever means it leans in and lets go,
LEANS = 2  # and leans in again, with no key struck or let go in between
TURNS = 8  # one that is said to be endless has sent so many messages that move something
WHEEL = 16383  # from one end of the pitch wheel to the other


@dataclass(frozen=True, slots=True)
class Heard:
    """What was moved. source, number, encoder: as in `knobs.Entry`. channel: 1 to 16. pressed: it was a button."""

    source: str
    number: int | None
    channel: int
    pressed: bool = False
    encoder: str | None = None


@dataclass
class _Track:
    """What has come from one place so far. quiet: no other controller has moved since the last message."""

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

    @property
    def leans(self) -> int:
        """How often it was leant into, and let go in between."""
        count, free = 0, True
        for value in self.values:
            count += free and value >= LEANT
            free = value <= LET_GO or (free and value < LEANT)
        return count


def wanted(name: str, notes: bool = False, encoder: str | None = None) -> frozenset[str]:
    """The kinds of source that can turn a parameter or press an action; MapError if there is none.

    notes: whether a note is one, for a parameter of two values or an action. encoder: how the ticks of an
    endless knob are coded, where only such a knob will do.
    """
    if encoder is not None:
        if notes:
            raise MapError("a key is no endless knob: leave --note or --encoder out")
        return frozenset({Entry("cc", 0, name, encoder=encoder).source})
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

    Clock, active sensing and the like are no knobs; neither are notes where they are not wanted, the pedal, and
    the pressure of keys that are simply played.
    """

    def __init__(self, sources: frozenset[str], encoder: str | None = None) -> None:
        """sources: the kinds that will do, and encoder, as `wanted` has them."""
        self._sources, self._encoder = sources, encoder
        self._tracks: dict[tuple[str, int, int], _Track] = {}
        self._last: _Track | None = None
        self.hint = ""  # why what moves is not taken

    def waits_for(self, message: mido.Message) -> bool:
        """Whether a message comes from something that will do, be it clear already or not."""
        kind = "note_on" if message.type == "note_off" else message.type
        number = message.control if kind == "control_change" else 0
        sources = (SOURCES[name] for name in self._sources)
        return any(source.message == kind and (not number or number in source.numbers) for source in sources)

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
            self._tracks.pop(("aftertouch", 0, message.channel), None)
            velocity = message.velocity if message.type == "note_on" else 0
            return self._note(message.note, message.channel, velocity) if "note" in self._sources else None
        if message.type == "control_change":
            return self._control(message.control, message.channel, message.value)
        if message.type == "pitchwheel":
            track = self._follow("pitchwheel", 0, message.channel, message.pitch)
            return Heard("pitch_bend", None, message.channel + 1) if track.goes(TRAVEL, WHEEL) else None
        if message.type == "aftertouch":
            return self._pressure(message.channel, message.value)
        return None

    def _note(self, number: int, channel: int, velocity: int) -> Heard | None:
        track = self._follow("note", number, channel, velocity)
        released = velocity == 0 and any(track.values[-2:-1])  # down, and up again
        return Heard("note", number, channel + 1, pressed=True) if released else None

    def _pressure(self, channel: int, value: int) -> Heard | None:
        track = self._follow("aftertouch", 0, channel, value)
        if track.leans >= LEANS:
            return Heard("pressure", None, channel + 1)
        if track.leans and "pressure" in self._sources:
            self.hint = "channel pressure comes with every key: lean in twice if it is meant"
        return None

    def _control(self, number: int, channel: int, value: int) -> Heard | None:
        if number == PEDAL:
            self.hint = f"CC {PEDAL} is the sustain pedal and stays it"
        if number not in SOURCES["cc"].numbers:
            return None
        track = self._follow("control_change", number, channel, value)
        if self._encoder is not None:
            ticks = CODINGS[self._encoder]
            turned = sum(ticks(value) != 0 for value in track.values) >= TURNS
            return Heard("cc", number, channel + 1, encoder=self._encoder) if turned else None
        if track.is_press:
            return Heard("cc", number, channel + 1, pressed=True)
        if len(track.values) >= STUCK and len(set(track.values)) < VALUES:
            self.hint = f"CC {number} repeats itself, as an endless knob does: learn it as one (--encoder)"
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
        if kind == "control_change":
            track.quiet = track is self._last
            self._last = track
        return track
