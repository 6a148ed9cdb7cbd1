"""What there is on a controller: knobs, wheels, pads and buttons, by the messages that they send."""

from __future__ import annotations

from dataclasses import dataclass

from liveperf.voices import PEDAL

FINE = 32  # MIDI 1.0: the fine half of a 14-bit controller's value has a number this much higher than the coarse
Address = tuple[str, int, int]  # mido's type of message, number (0 if it has none), channel (0 to 15)


@dataclass(frozen=True)
class Source:
    """A kind of thing on a controller, named by a key of an entry.

    numbers: those it may have; none: the key's value is `true`. every: `true` stands for all numbers. top: the
    position of its far end; the near end is 0. turns: it has positions in between. presses: it can be a button.
    """

    name: str
    words: str
    help: str
    message: str
    numbers: tuple[int, ...] = ()
    every: bool = False
    top: int = 127
    turns: bool = True
    presses: bool = False


# 64 is the sustain pedal; 120 to 127 are MIDI's channel mode messages, such as all notes off. Programs count from
# 0, as they are sent; the displays of many devices count them from 1.
SOURCES = {
    source.name: source
    for source in (
        Source(
            "cc",
            "CC",
            "a controller from 0 to 119 other than the pedal, 64",
            "control_change",
            tuple(number for number in range(120) if number != PEDAL),
            presses=True,
        ),
        Source(
            "cc14",
            "14-bit CC",
            "a controller from 0 to 31, whose fine half is 32 higher",
            "control_change",
            tuple(range(FINE)),
            top=16383,
        ),
        Source("pitch_bend", "pitch bend", "true", "pitchwheel", top=16383),
        Source("pressure", "channel pressure", "true", "aftertouch"),
        Source("note", "note", "a note from 0 to 127", "note_on", tuple(range(128)), turns=False, presses=True),
        Source(
            "program_change",
            "program change",
            "true or a program from 0 to 127",
            "program_change",
            tuple(range(128)),
            every=True,
            turns=False,
            presses=True,
        ),
    )
}
