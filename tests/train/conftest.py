"""Music that a small network can learn, and a network that has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from liveperf.codec import Notes, notes_array
from liveperf.events import OORE
from liveperf.midifile import note_messages, write_messages
from train.config import FitConfig
from train.fit import Fit
from train.prepare import prepare

EVENTS = 50_000  # of a small run: about 240 updates
PATTERNS = [[0, 2, 4, 5, 7, 9, 11, 12], [0, 4, 7, 12], [0, 3, 7, 12, 15]]


def melody(number: int, length: int = 60) -> Notes:
    """A scale or an arpeggio, up and down, legato, over and over."""
    pattern = PATTERNS[number % len(PATTERNS)]
    cycle = pattern + pattern[-2:0:-1]
    root, beat = 55 + number % 5, 0.1 + 0.02 * (number % 4)
    pitches = [root + cycle[i % len(cycle)] for i in range(length)]
    return notes_array([(i * beat, (i + 1) * beat, pitch, 70) for i, pitch in enumerate(pitches)])


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared corpus: 20 train, 2 validation and 2 test pieces."""
    midi, out = tmp_path_factory.mktemp("midi"), tmp_path_factory.mktemp("corpus")
    for number in range(24):
        write_messages(midi / f"{number:02}.mid", {"piano": note_messages(melody(number, 40 + number))})
    prepare(midi, out, OORE)
    return out


@pytest.fixture(scope="session")
def small(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FitConfig]:
    """A maker of configurations of a small run, each with a folder of its own."""

    def make(**fields: object) -> FitConfig:
        values: dict[str, object] = {
            "corpus": str(corpus),
            "out": str(tmp_path_factory.mktemp("run")),
            "lanes": 8,
            "chunk": 32,
            "layers": 2,
            "hidden": 48,
            "embedding": 24,
            "threads": 1,
            "matrix_lr": 2e-2,
            "rest_lr": 2e-2,
            "hours": 0.0,
            "events": EVENTS,
            "average": 0.9,
        }
        return FitConfig(**{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def trained(small: Callable[..., FitConfig]) -> Fit:
    """A run that has learned the corpus, saved and exported."""
    fit = Fit(small())
    fit.run()
    return fit
