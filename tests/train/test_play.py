"""The instrument, asked to play for an evaluation: whole performances, the same from one process or several."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from liveperf.conditioning import Conditioning
from liveperf.events import MAGENTA, OORE, Event, EventType, Vocabulary
from liveperf.generator import Generator
from liveperf.model.bundle import Bundle, BundleError, Card
from liveperf.model.network import NetworkState
from liveperf.performer import MachineNote
from tests.dice import Array, dice_bundle
from tests.train.tiny import tiny_network, write_bundle
from train import play
from train.listen import Performance
from train.obedience import DENSITIES, SCALES, obedience, questions
from train.play import SOLO, Asked, paired, play_all

FEW = [Asked(seed, 2.0) for seed in range(3)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that plays at random."""
    return write_bundle(tmp_path_factory.mktemp("tiny") / "tiny.onnx", tiny_network(), int8=True)


@pytest.mark.parametrize("vocabulary", [OORE, MAGENTA], ids=["oore", "magenta"])
def test_a_performance_is_as_long_as_asked_for(vocabulary: Vocabulary) -> None:
    generator = Generator(dice_bundle(vocabulary)[0])
    short, long = (play.play(generator, Asked(4, seconds)) for seconds in (5.0, 8.0))
    assert (short.begin, short.end, long.end) == (0, 5, 8)
    assert len(short.struck) and (short.notes["end"] > short.notes["start"]).all()
    # It comes to rest after the end only: a longer one has begun the same.
    assert np.array_equal(short.struck[["start", "pitch"]], long.between(0, 5).struck[["start", "pitch"]])


def test_notes_are_paired() -> None:
    messages = [
        MachineNote(0, 60, 80),
        MachineNote(125, 62, 70),
        MachineNote(250, 60, 0),
        MachineNote(250, 60, 90),
    ]
    ends = [MachineNote(375, 60, 0), MachineNote(500, 62, 0)]
    assert paired(messages + ends, 125).tolist() == [(0, 2, 60, 80), (1, 4, 62, 70), (2, 3, 60, 90)]
    assert len(paired([], 125)) == 0


def test_processes_play_as_one_does(tiny: Path) -> None:
    done: list[float] = []
    apart = play_all(tiny, FEW, jobs=2, advance=done.append)
    assert done == sorted(done) and done[-1] == pytest.approx(1)
    together = play_all(tiny, FEW, jobs=1)
    assert len(apart) == 3
    for one, other in zip(apart, together, strict=True):
        assert np.array_equal(one.notes, other.notes) and one.end == other.end == 2.0
    assert not np.array_equal(apart[0].notes, apart[1].notes)


def test_what_is_no_bundle_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not a bundle")
    with pytest.raises(BundleError, match="a.onnx"):
        play_all(tmp_path / "a.onnx", FEW, jobs=1)


def test_a_process_that_dies_is_told(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "_open", sys.exit)  # a process that cannot begin
    with pytest.raises(OSError, match="--jobs 1"):
        play_all(tiny, FEW, jobs=2)


class Metronome:
    """Stands in for `Network`: note after note, as dense and in the classes that it is asked for, or not."""

    def __init__(self, obeys: bool, vocabulary: Vocabulary = OORE) -> None:
        self.vocabulary, self.obeys = vocabulary, obeys

    def step(self, event: int, control: Array, state: NetworkState) -> tuple[Array, NetworkState]:
        """As `Network.step`; the state: how many notes there were, and the pitch that sounds (-1: none)."""
        knots = Conditioning().density_knots
        told, histogram = control[1 : 1 + len(knots)], control[-12:]
        density = 2.0 ** float(np.log2(knots) @ told) if self.obeys and told.any() else 5.0
        classes = np.flatnonzero(histogram > 0.05) if self.obeys and histogram.any() else np.arange(12)
        (notes, sounding), fed = (int(x) for x in state.c), self.vocabulary.event(event)
        if fed.type is EventType.NOTE_ON:
            notes, sounding = notes + 1, fed.value
            following = Event(EventType.TIME_SHIFT, round(self.vocabulary.steps_per_second / density))
        elif fed.type is EventType.TIME_SHIFT and sounding >= 0:
            following = Event(EventType.NOTE_OFF, sounding)
        else:
            sounding = -1
            following = Event(EventType.NOTE_ON, 48 + int(classes[notes % len(classes)]))
        logits = np.full(self.vocabulary.size, -20, np.float32)
        logits[self.vocabulary.index(following)] = 20
        return logits, NetworkState(state.h, np.array([notes, sounding], np.float32))


def metronome(obeys: bool) -> Callable[[Asked], Performance]:
    """What asks it to play."""
    network = Metronome(obeys)
    start = NetworkState(np.zeros(1, np.float32), np.array([0, -1], np.float32))
    card = Card("metronome", OORE, Conditioning(), "", "", {}, {})
    index = OORE.index(Event(EventType.TIME_SHIFT, 1))
    generator = Generator(Bundle(Path("metronome"), card, network, index, start))  # type: ignore[arg-type]
    return lambda asked: play.play(generator, asked)


def test_who_obeys_and_who_does_not() -> None:
    found = {}
    for obeys in (True, False):
        machine = metronome(obeys)
        free = [machine(Asked(0, 20.0))]
        found[obeys] = obedience([machine(asked) for asked in questions(20.0, seeds=2)], free)
        assert found[obeys].seconds == 20
    for density in found[True].densities:
        assert density.ratio == pytest.approx(1, abs=0.1) and len(density.played) == 2
    assert [density.asked for density in found[False].densities] == list(DENSITIES)
    assert [density.mean for density in found[False].densities] == pytest.approx([5] * 4, abs=0.1)
    for scale, classes in zip(found[True].scales, (7, 5, 3), strict=True):
        assert scale.played == pytest.approx(1, abs=1e-6)
        assert scale.chance == pytest.approx(classes / 12, abs=0.05)
    for scale in found[False].scales:
        assert scale.played == pytest.approx(scale.chance, abs=0.05)
    assert [scale.name for scale in found[True].scales] == [f"{root} {scale}" for root, scale in SCALES]


def test_silence_counts_against_density() -> None:
    machine = metronome(True)
    answers = [machine(asked) for asked in questions(10.0, seeds=1)]
    late = [Performance(one.notes[one.notes["start"] >= 5], 0.0, 10.0) for one in answers]
    for density in obedience(late, answers).densities:
        assert density.ratio == pytest.approx(0.5, abs=0.1)
    silent = [Performance(one.notes[:0], 0.0, 10.0) for one in answers]
    nothing = obedience(silent, silent)
    assert [density.ratio for density in nothing.densities] == [0] * 4
    assert all(scale.played is None and scale.chance is None for scale in nothing.scales)


def test_questions_are_asked_as_a_musician_asks_them() -> None:
    asked = questions(60.0, seeds=3)
    assert len(asked) == 21 and {one.seed for one in asked} == {0, 1, 2}
    assert asked[0].params == SOLO.replace(density=2.0)
    assert asked[-1].params == SOLO.replace(scale="major triad", root="Eb")
