"""A performance in virtual time: as long as asked for, and whole."""

from __future__ import annotations

import pytest

from liveperf import offline
from liveperf.generator import Generator
from liveperf.params import Params
from liveperf.performer import Performer
from tests.dice import dice_bundle


@pytest.mark.parametrize("seconds", [1, 1.5, 4, 20])
@pytest.mark.parametrize("seed", range(4))
def test_every_note_ends_by_the_end(seed: int, seconds: float) -> None:
    bundle, _ = dice_bundle()
    performer = Performer(Generator(bundle), Params(mode="solo"), seed)
    told: list[float] = []
    notes = offline.perform(performer, seconds, told.append)
    assert told == sorted(told) and told[-1] == seconds
    assert [note.step for note in notes] == sorted(note.step for note in notes)
    end = round(seconds * bundle.card.vocabulary.steps_per_second)
    sounding: set[int] = set()
    for note in notes:
        assert 0 <= note.step <= end
        if note.velocity:
            assert note.pitch not in sounding and note.step < end
            sounding.add(note.pitch)
        else:
            sounding.remove(note.pitch)
    assert notes and not sounding
