"""Scales as pitch classes."""

from __future__ import annotations

import pytest

from liveperf.scales import ROOTS, SCALES, pitch_classes


@pytest.mark.parametrize(
    ("scale", "root", "expected"),
    [
        ("major", "C", {0, 2, 4, 5, 7, 9, 11}),
        ("minor", "A", {0, 2, 4, 5, 7, 9, 11}),
        ("pentatonic", "F#", {6, 8, 10, 1, 3}),
        ("major triad", "G", {7, 11, 2}),
        ("off", "C", set()),
    ],
)
def test_pitch_classes(scale: str, root: str, expected: set[int]) -> None:
    assert pitch_classes(scale, root) == expected


def test_every_scale_has_its_root_on_every_root() -> None:
    for scale, steps in SCALES.items():
        assert steps[0] == 0
        for number, root in enumerate(ROOTS):
            classes = pitch_classes(scale, root)
            assert number in classes
            assert len(classes) == len(steps)
