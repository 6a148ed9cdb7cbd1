"""The bundles that ship: they know music, and what they play is not a drone, a loop or silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liveperf import offline
from liveperf.codec import Notes, encode, notes_array
from liveperf.generator import Generator
from liveperf.midifile import from_start, read_notes
from liveperf.model import bundle
from liveperf.params import Params
from liveperf.performer import MachineNote, Performer
from liveperf.scales import pitch_classes
from tests.corpora import DATA, first_files

NAMES = [path.stem for path in bundle.installed()]


def minute(name: str, seed: int, **params: Any) -> list[MachineNote]:
    performer = Performer(Generator(bundle.load(name)), Params(mode="solo", **params), seed)
    return offline.perform(performer, 60, lambda done: None)


def nats_per_event(model: bundle.Bundle, notes: Notes) -> float:
    events = encode(from_start(notes), model.card.vocabulary)
    inputs = np.concatenate(([model.start_event], events[:-1]))
    controls = np.tile(model.card.conditioning.off, (len(inputs), 1))
    logits, _ = model.network.run(inputs, controls, model.start_state)
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(events)), events]
    return float(losses.mean())


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    card = bundle.load(name).card
    assert card.name == name and card.licence and card.data
    assert card.training["events"] > 1_000_000 and card.scores["test_nats_per_event"]["int8"] < 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_minute_of_it_has_the_shape_of_music(name: str, seed: int) -> None:
    notes = [note for note in minute(name, seed) if note.velocity]
    steps = np.array([note.step for note in notes])
    pitches = [note.pitch for note in notes]
    assert 1 <= len(notes) / 60 <= 40
    assert np.diff(steps).max() <= 4 * 125  # it does not fall silent
    assert len(set(pitches)) >= 15 and len({note.velocity for note in notes}) >= 4
    pairs = list(zip(pitches, pitches[1:], strict=False))
    assert max(pairs.count(pair) for pair in set(pairs)) <= len(pairs) / 5  # nor into a loop of two


@pytest.mark.parametrize("name", NAMES)
def test_it_is_as_dense_as_it_is_asked_to_be_within_a_second_or_two(name: str) -> None:
    played = []
    for seed in range(3):
        performer = Performer(Generator(bundle.load(name)), Params(mode="solo", density=2), seed)
        performer.run_until(10 * 125)
        performer.set_params(performer.params.replace(density=16))
        notes = performer.run_until(13 * 125)
        played.append(sum(note.velocity > 0 and note.step > 11 * 125 for note in notes) / 2)
    assert sum(played) / 3 > 10  # it was 7.8 as long as only the model was told


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("before", "density"), [(16, 2), (16, 4), (0, 4), (0, 8)])
def test_a_density_that_was_turned_is_obeyed_after_a_few_seconds_and_for_the_whole_minute(
    name: str, before: float, density: float
) -> None:
    performer = Performer(Generator(bundle.load(name)), Params(mode="solo", density=before), seed=1)
    performer.run_until(30 * 125)
    performer.set_params(performer.params.replace(density=density))
    performer.run_until(34 * 125)
    notes = sum(note.velocity > 0 for note in performer.run_until(94 * 125))
    assert notes / 60 == pytest.approx(density, rel=0.25)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("density", [2, 4, 8, 16])
@pytest.mark.parametrize("seed", [1, 2, 6])
def test_each_minute_has_as_many_notes_as_it_is_asked_for(name: str, density: float, seed: int) -> None:
    notes = sum(note.velocity > 0 for note in minute(name, seed, density=density))
    assert notes / 60 == pytest.approx(density, rel=0.25)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("scale", "root"), [("major", "C"), ("pentatonic", "F#"), ("major triad", "Eb")])
def test_it_leans_to_a_scale_and_keeps_to_a_locked_one(name: str, scale: str, root: str) -> None:
    inside = pitch_classes(scale, root)

    def share(**params: Any) -> float:
        pitches = [note.pitch for note in minute(name, 1, **params) if note.velocity]
        return sum(pitch % 12 in inside for pitch in pitches) / len(pitches)

    assert share(scale=scale, root=root) > max(0.6, share() + 0.1)
    assert share(scale=scale, root=root, key_lock="on") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_scale_is_likelier_than_the_same_notes_in_no_order(name: str) -> None:
    model = bundle.load(name)
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 77, 76, 74, 72, 71, 69, 67, 65, 64, 62, 60]
    odd = [60, 85, 43, 66, 101, 34, 71, 98, 49, 90, 55, 39, 77, 22, 74, 96, 61, 83, 47, 65, 104, 42, 60]
    rows = [[(i * 0.2, i * 0.2 + 0.18, pitch, 70) for i, pitch in enumerate(line)] for line in (scale, odd)]
    assert nats_per_event(model, notes_array(rows[0])) < nats_per_event(model, notes_array(rows[1])) - 0.3


def test_real_performances_are_as_likely_to_it_as_its_card_says(tmp_path: Path) -> None:
    model = bundle.load(bundle.DEFAULT)
    files = first_files(DATA / "maestro-v3.0.0-midi.tar.xz", tmp_path)
    found = np.mean([nats_per_event(model, read_notes(file)) for file in files])
    assert abs(found - model.card.scores["test_nats_per_event"]["int8"]) < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_a_knob_that_never_rests_does_not_hold_the_music_up(name: str) -> None:
    """Each turn of it plans anew: what comes next is chosen again, and must not be put off again."""

    def count(turned: bool) -> int:
        notes: list[MachineNote] = []
        for seed in (1, 2):
            performer = Performer(Generator(bundle.load(name)), Params(mode="solo", density=16), seed)
            for step in range(1, 15 * 125):
                if turned:
                    performer.set_params(performer.params.replace(temperature=1 + step % 2 / 1000))
                notes += performer.run_until(step)
        return sum(note.velocity > 0 for note in notes)

    assert count(turned=True) > 0.5 * count(turned=False)
