"""Training: what a batch holds, that a run learns, and that a resumed one is the same run."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from liveperf.codec import encode, notes_array, transpose
from liveperf.conditioning import Conditioning, event_steps
from liveperf.events import OORE, Event, EventType
from train.fit import IGNORED, Fit, FitConfig, Lanes, batch_losses, read_checkpoint, start_event
from train.model import PerformanceRNN

MakeConfig = Callable[..., FitConfig]
Pieces = list[NDArray[np.uint16]]
CHUNK = 8


def pieces_of(*counts: int) -> Pieces:
    """Pieces of so many notes; from 2 to 5 events a note and the first VELOCITY."""
    made = []
    for number, count in enumerate(counts):
        notes = [(i * 0.5, i * 0.5 + 0.4, 40 + number + i % 12, 64 + i % 20) for i in range(count)]
        made.append(encode(notes_array(notes), OORE).astype(np.uint16))
    return made


def lanes_of(pieces: Pieces, lanes: int = 3, **fields: float) -> Lanes:
    return Lanes(pieces, OORE, FitConfig(lanes=lanes, chunk=CHUNK, **fields))  # type: ignore[arg-type]


class Played:
    """A piece as it came out of a lane, chunk after chunk."""

    def __init__(self, lane: dict[str, int]) -> None:
        self.piece, self.semitones = lane["piece"], lane["semitones"]
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
            assert (now[i].piece, now[i].semitones) == (lane["piece"], lane["semitones"])
            real = target[i] != IGNORED
            assert not real[real.sum() :].any()  # padding comes last
            now[i].inputs = np.concatenate((now[i].inputs, event[i, real]))
            now[i].targets = np.concatenate((now[i].targets, target[i, real]))
            now[i].controls = np.concatenate((now[i].controls, control[i, real]))
    unfinished = [now[i] for i, lane in enumerate(lanes._lanes) if lane.position < len(lanes._loaded[i][1])]
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
        expected = transpose(pieces[one.piece].astype(np.int64), one.semitones)
        np.testing.assert_array_equal(one.targets, expected)
    assert {one.semitones for one in played if one.piece == 0} == set(range(-3, 4))
    assert {one.semitones for one in played if one.piece == 2} == {-1, 0}


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
    lanes, restored = (lanes_of(pieces, conditioned=0.5, transpose=2) for _ in range(2))
    for _ in range(batches):
        lanes.next_batch()
    restored.next_batch()
    restored.restore(copy.deepcopy(lanes.position()))
    for _ in range(10):
        for there, here in zip(lanes.next_batch(), restored.next_batch(), strict=True):
            assert torch.equal(there, here)


def test_the_start_event_is_the_longest_silence() -> None:
    assert OORE.event(start_event(OORE)) == Event(EventType.TIME_SHIFT, 125)


def test_a_run_learns_what_counting_events_cannot(trained: Fit) -> None:
    counts = np.bincount(np.concatenate(trained.corpus.pieces("train")))
    part = counts[counts > 0] / counts.sum()
    unigram = float(-(part * np.log(part)).sum())
    assert trained._validate() < unigram / 2


def test_a_run_is_the_same_interrupted_or_not(small: MakeConfig) -> None:
    whole, first = Fit(small(transpose=2)), Fit(config := small(transpose=2))
    losses = [whole._update(0.1 + i / 20) for i in range(12)]
    again = [first._update(0.1 + i / 20) for i in range(5)]
    first.save()
    second = Fit(config)
    second.resume()
    again += [second._update(0.1 + i / 20) for i in range(5, 12)]
    assert again == losses
    assert second.events == whole.events
    ours, theirs = second.network.state_dict(), whole.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert all(torch.equal(a, b) for a, b in zip(second.state, whole.state, strict=True))
    assert not list(second.out.glob("*.part"))


def test_a_fresh_lane_starts_from_the_learned_state(small: MakeConfig) -> None:
    fit = Fit(small())
    fit._update(0.5)
    before = fit.network.h0.detach().clone()
    fit.state = tuple(torch.full_like(s, torch.nan) for s in fit.state)  # type: ignore[assignment]
    fit.lanes = Lanes(fit.corpus.pieces("train"), fit.vocabulary, fit.config)
    assert np.isfinite(fit._update(0.5))  # all lanes are fresh: what was carried does not count
    assert not torch.equal(fit.network.h0, before)


def test_a_run_of_no_time_is_saved_too(small: MakeConfig) -> None:
    fit = Fit(small(hours=0.0))
    fit.run()
    checkpoint = read_checkpoint(fit.out / "last.pt", torch.device("cpu"))
    assert checkpoint["events"] == 0
    assert checkpoint["history"][0]["validation"] > 0


def test_an_interrupt_saves(small: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = Fit(small(hours=1.0))
    updates = iter([3.0, 2.0])

    def update(_progress: float) -> float:
        try:
            return next(updates)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(fit, "_update", update)
    fit.run()
    assert read_checkpoint(fit.out / "last.pt", torch.device("cpu"))["history"][0]["train"] == 2.5


def test_checkpoints_with_numpy_booleans_are_read(small: MakeConfig) -> None:
    fit = Fit(small())
    fit._update(0.5)
    for lane in fit.lanes._lanes:
        lane.density_on = np.True_  # type: ignore[assignment]
    fit.save()
    Fit(fit.config).resume()


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"config": Path("/")}, tmp_path / "last.pt")
    with pytest.raises(Exception, match="Weights only load failed"):
        read_checkpoint(tmp_path / "last.pt", torch.device("cpu"))


@pytest.fixture(scope="module")
def network() -> PerformanceRNN:
    torch.manual_seed(0)
    network = PerformanceRNN(OORE.size, Conditioning().size, layers=2, hidden=16, embedding=8)
    torch.nn.init.normal_(network.h0)
    torch.nn.init.normal_(network.c0)
    return network


def test_losses_in_chunks_are_those_of_one_pass(network: PerformanceRNN) -> None:
    piece = pieces_of(20)[0].astype(np.int64)
    event = torch.from_numpy(np.concatenate(([start_event(OORE)], piece[:-1])))[None]
    control = torch.from_numpy(Conditioning().off).expand(1, len(piece), -1)
    with torch.no_grad():
        logits, _ = network(event, control, network.start(1))
    expected = functional.cross_entropy(logits[0], torch.from_numpy(piece), reduction="none")
    for chunk in (1, 7, len(piece) - 1, len(piece), 512):
        losses = torch.cat(list(batch_losses(network, [piece], OORE, chunk)))
        torch.testing.assert_close(losses, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("chunk", [1, 8, 512])
def test_losses_side_by_side_are_those_of_each_alone(network: PerformanceRNN, chunk: int) -> None:
    pieces = [piece.astype(np.int64) for piece in pieces_of(2, 20, 5, 1)]
    pieces.append(pieces[1][:16])
    alone = torch.cat([torch.cat(list(batch_losses(network, [piece], OORE))) for piece in pieces])
    together = torch.cat(list(batch_losses(network, pieces, OORE, chunk)))
    torch.testing.assert_close(together.sort().values, alone.sort().values, atol=1e-4, rtol=1e-4)


def test_no_pieces_have_no_losses(network: PerformanceRNN) -> None:
    assert list(batch_losses(network, [], OORE)) == []


def test_a_config_file_names_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("lanes: 4\nmatrix_lr: 5e-4\nhours: 1\n")  # YAML 1.1 takes 5e-4 for text
    config = FitConfig.load(path)
    assert config == FitConfig(lanes=4, matrix_lr=5e-4, hours=1.0)
    assert isinstance(config.hours, float)
    path.write_text("")
    assert FitConfig.load(path) == FitConfig()


def test_an_unknown_key_of_a_config_file_raises(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("lanes: 4\nlane: 3\nspeed: 9\n")
    with pytest.raises(ValueError, match=r"run.yaml: unknown keys \['lane', 'speed'\]"):
        FitConfig.load(tmp_path / "run.yaml")


def test_published_configs_load() -> None:
    for path in sorted((Path(__file__).parents[2] / "configs/train").glob("*.yaml")):
        FitConfig.load(path)
