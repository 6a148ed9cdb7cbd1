"""Scales and chords as sets of pitch classes."""

from __future__ import annotations

ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

SCALES: dict[str, tuple[int, ...]] = {  # semitones above the root
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "major triad": (0, 4, 7),
    "minor triad": (0, 3, 7),
    "fifth": (0, 7),
}


def pitch_classes(scale: str, root: str) -> frozenset[int]:
    """The pitch classes (0 = C to 11 = B) of a scale; of one that is not in `SCALES`: none."""
    return frozenset((ROOTS.index(root) + step) % 12 for step in SCALES.get(scale, ()))
