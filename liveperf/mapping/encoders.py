"""Endless knobs: they send how far they were turned, in ticks, and not where they stand.

MIDI 1.0 has no message of its own for this: makers code the ticks, one at a time for a slow turn and more for a
fast one, into the 7 bits of a controller. There are three usual ways:

| here              | up        | down      | Ableton Live | Ardour | Bitwig        |
|-------------------|-----------|-----------|--------------|--------|---------------|
| `twos_complement` | 1 to 64   | 127 to 65 | 2's Comp.    | enc-2  | 2s complement |
| `binary_offset`   | 65 to 127 | 63 to 0   | Bin Offset   | enc-b  | bin offset    |
| `sign_magnitude`  | 1 to 63   | 65 to 127 | Signed Bit   | enc-l  | signed bit    |

The first is "Relative" of Native Instruments' knobs. The second is their "Relative (Offset)", "Relative #1" of
Arturia's BeatStep, and what a MIDI Fighter Twister sends. The third is the Mackie Control's, and so that of an
X-Touch Mini in MC mode; its name is Logic Pro's. "Signed Bit 2" of Ableton, enc-r of Ardour and "Relative Signed
Bit" of Steinberg are the third the other way round.

Sources: Ableton's manual, "Mapping to Relative MIDI Controllers"; Ardour's manual, "Generic MIDI and Encoders" (in
both, and so here, 64 of two's complement goes up); Bitwig's controller API, `MidiIn`; Steinberg's help, "MIDI
Remote"; Native Instruments, Komplete Kontrol's manual, "Assignments for Knobs".
"""

from __future__ import annotations

from collections.abc import Callable

# A controller's value (0 to 127) -> ticks, above 0 upwards.
CODINGS: dict[str, Callable[[int], int]] = {
    "twos_complement": lambda value: value if value <= 64 else value - 128,
    "binary_offset": lambda value: value - 64,
    "sign_magnitude": lambda value: value if value < 64 else 64 - value,
}
TICK = 0.01  # of a knob's travel, for one tick: four turns of a knob with 24 detents go all the way
FINEST = 0.001  # the least of it that one can ask for
