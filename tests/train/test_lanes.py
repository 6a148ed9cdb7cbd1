"""What a batch holds: every event of every piece, transposed and told as asked, and again after a restore."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch

from liveperf.codec import encode, notes_array
from liveperf.conditioning import Conditioning, event_steps
from liveperf.events import OORE, Event, EventType
from tests.train.pieces import Pieces, pieces_of
from train.augment import augment
from train.config import FitConfig
from train.lanes import IGNORED, Lanes, start_event

CHUNK = 8


def lanes_of(pieces: Pieces, lanes: int = 3, **fields: float) -> Lanes:
    return Lanes(pieces, OORE, FitConfig(lanes=lanes, chunk=CHUNK, **fields))  # type: ignore[arg-type]


class Played:
    """A piece as it came out of a lane, chunk after chunk."""

    def __init__(self, lane: dict[str, float]) -> None:
        self.piece = int(lane["piece"])
        self.change = (int(lane["semitones"]), float(lane["stretch"]), int(lane["louder"]))
        self.inputs, self.targets, self.controls = np.empty(0, int), np.empty(0, int), np.empty((0, 22))


def play(lanes: Lanes, batches: int) -> list[Played]:
    """The pieces in the order in which they began; those that still go on are left out."""
    begun: list[Played] = []
    now: dict[int, Played] = {}
    for _ in range(batches):
        event, target, control, fresh = (x.numpy() for x in lanes.next_batch())
        for i, lane in enumerate(lanes.position()["lanes"]):
            if fresh[i]:
                now[i] = Played(lane)
                begun.append(now[i])
            assert now[i].piece == lane["piece"]
            real = target[i] != IGNORED
            assert not real[real.sum() :].any()  # padding comes last
            now[i].inputs = np.concatenate((now[i].inputs, event[i, real]))
            now[i].targets = np.concatenate((now[i].targets, target[i, real]))
            now[i].controls = np.concatenate((now[i].controls, control[i, real]))
    loaded = [one.targets for one in lanes._loaded if one is not None]
    unfinished = [now[i] for i, lane in enumerate(lanes._lanes) if lane.position < len(loaded[i])]
    return [played for played in begun if played not in unfinished]


def test_every_event_of_every_piece_appears_once_an_epoch() -> None:
    pieces = pieces_of(1, 3, 20, 7, 2, 11, 1)
    pieces.append(pieces[2][: 2 * CHUNK])  # ends with a chunk
    played = play(lanes_of(pieces), 100)
    assert len(played) > 4 * len(pieces)
    for one in played:
        np.testing.assert_array_equal(one.targets, pieces[one.piece])
        np.testing.assert_array_equal(one.inputs, [start_event(OORE), *pieces[one.piece][:-1]])
    for epoch in range(3):
        numbers = [one.piece for one in played[epoch * len(pieces) : (epoch + 1) * len(pieces)]]
        assert sorted(numbers) == list(range(len(pieces)))


def test_more_lanes_than_pieces_play_them_side_by_side() -> None:
    pieces = pieces_of(3, 3)
    played = play(lanes_of(pieces, lanes=6), 20)
    counts = Counter(one.piece for one in played)
    assert abs(counts[0] - counts[1]) <= 6
    for one in played:
        np.testing.assert_array_equal(one.targets, pieces[one.piece])


def test_pieces_are_transposed_whole_and_never_beyond_the_keyboard() -> None:
    low_and_high = encode(notes_array([(0, 1, 1, 64), (0, 1, 127, 64)]), OORE).astype(np.uint16)
    pieces = [*pieces_of(6, 9), low_and_high]
    played = play(lanes_of(pieces, transpose=3), 150)
    for one in played:
        np.testing.assert_array_equal(
            one.targets, augment(pieces[one.piece].astype(np.int64), OORE, one.change[0])
        )
    assert {one.change[0] for one in played if one.piece == 0} == set(range(-3, 4))
    assert {one.change[0] for one in played if one.piece == 2} == {-1, 0}


def test_tempo_and_loudness_vary_as_far_as_asked() -> None:
    pieces = pieces_of(6, 9)
    played = play(lanes_of(pieces, tempo=0.05, loudness=2), 150)
    for one in played:
        np.testing.assert_array_equal(one.targets, augment(pieces[one.piece].astype(np.int64), OORE, *one.change))
    stretches = [one.change[1] for one in played]
    assert 0.95 <= min(stretches) < 0.96 and 1.04 < max(stretches) <= 1.05
    assert {one.change[2] for one in played} == set(range(-2, 3))


def test_lanes_without_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="no pieces"):
        lanes_of([])


def test_streams_differ() -> None:
    pieces = pieces_of(6, 20, 9, 3)
    config = FitConfig(lanes=3, chunk=CHUNK)
    first, second = (Lanes(pieces, OORE, config, stream).next_batch()[1] for stream in (0, 1))
    assert not torch.equal(first, second)


def test_a_position_of_other_lanes_is_refused() -> None:
    pieces = pieces_of(6, 20)
    with pytest.raises(ValueError, match="2 lanes cannot go on with 3"):
        lanes_of(pieces, lanes=3).restore(lanes_of(pieces, lanes=2).position())


def test_nothing_is_told_where_conditioning_is_off() -> None:
    for one in play(lanes_of(pieces_of(6, 9), conditioned=0), 20):
        np.testing.assert_array_equal(one.controls, np.tile(Conditioning().off, (len(one.targets), 1)))


def test_the_control_tells_of_the_seconds_after_the_event_before() -> None:
    pieces = pieces_of(6, 40, 17)
    conditioning = Conditioning()
    for one in play(lanes_of(pieces, conditioned=1, transpose=2), 60):
        steps, is_on = event_steps(one.targets, OORE), one.targets < 128
        onsets = steps[is_on]
        for i, control in enumerate(one.controls):
            now = steps[max(i - 1, 0)]
            density = np.sum((now <= onsets) & (onsets < now + 375)) / 3
            assert control[9] == 0
            np.testing.assert_allclose(control[:9], conditioning.vector(max(density, 0.1))[:9], rtol=1e-5)
        _, histogram = conditioning.measure(one.targets, OORE)
        np.testing.assert_allclose(one.controls[1:, 10:], histogram[:-1])
        np.testing.assert_allclose(one.controls[0, 10:], histogram[0])


def test_density_and_pitch_classes_are_told_apart_from_each_other() -> None:
    played = play(lanes_of(pieces_of(6, 9), conditioned=0.5), 100)
    told = np.concatenate([one.controls for one in played])
    off = {(bool(density), bool(histogram)) for density, histogram in told[:, [0, 9]]}
    assert off == {(True, True), (True, False), (False, True), (False, False)}
    assert np.all((told[:, 10:].sum(axis=1) > 0.99) == (told[:, 9] == 0))


@pytest.mark.parametrize("batches", [0, 1, 7])
def test_restored_lanes_go_on_as_they_would_have(batches: int) -> None:
    pieces = pieces_of(6, 20, 9, 3)
    lanes, restored = (lanes_of(pieces, conditioned=0.5, transpose=2, tempo=0.05, loudness=1) for _ in range(2))
    for _ in range(batches):
        lanes.next_batch()
    restored.next_batch()
    restored.restore(copy.deepcopy(lanes.position()))
    for _ in range(10):
        for there, here in zip(lanes.next_batch(), restored.next_batch(), strict=True):
            assert torch.equal(there, here)


def test_the_start_event_is_the_longest_silence() -> None:
    assert OORE.event(start_event(OORE)) == Event(EventType.TIME_SHIFT, 125)
