"""Scores: by hand on a uniform network, and the same from torch and from ONNX Runtime."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from liveperf.events import MAGENTA, EventType
from liveperf.model.bundle import BundleError
from tests.train.tiny import tiny_network, write_bundle, write_checkpoint, write_corpus
from train.evaluate import Evaluation, evaluate


def test_uniform_network_scores_the_logarithm_of_the_vocabulary(tmp_path: Path) -> None:
    lengths = write_corpus(tmp_path / "corpus")
    result = evaluate(write_checkpoint(tmp_path / "a.pt", tiny_network(uniform=True)), tmp_path / "corpus")
    assert result.nats_per_event == pytest.approx(math.log(413), abs=1e-5)
    assert result.perplexity == pytest.approx(413, rel=1e-4)
    assert (result.pieces, sum(result.events.values())) == (3, sum(lengths))
    for kind, count in result.events.items():
        assert result.nats[kind] == pytest.approx(count * math.log(413), rel=1e-5)
    notes = result.events[EventType.NOTE_ON]
    assert notes == result.events[EventType.NOTE_OFF]
    assert result.nats_per_note == pytest.approx(sum(lengths) * math.log(413) / notes, rel=1e-5)


@pytest.mark.parametrize(("int8", "tolerance"), [(False, 1e-5), (True, 0.05)])
def test_torch_and_onnx_agree(tmp_path: Path, int8: bool, tolerance: float) -> None:
    write_corpus(tmp_path / "corpus")
    network = tiny_network()
    torch_scores = evaluate(write_checkpoint(tmp_path / "a.pt", network), tmp_path / "corpus")
    bundle_scores = evaluate(write_bundle(tmp_path / "a.onnx", network, int8), tmp_path / "corpus")
    assert torch_scores.nats_per_event > 1.1 * math.log(413)  # it has opinions, wrong ones
    assert (torch_scores.precision, bundle_scores.precision) == ("fp32", "int8" if int8 else "fp32")
    assert bundle_scores.nats_per_event == pytest.approx(torch_scores.nats_per_event, abs=tolerance)
    assert bundle_scores.events == torch_scores.events
    assert bundle_scores.seconds == torch_scores.seconds
    for kind, count in torch_scores.events.items():
        assert bundle_scores.nats[kind] / count == pytest.approx(
            torch_scores.nats[kind] / count, abs=3 * tolerance
        )


def test_losses_by_type_add_up(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    done: list[float] = []
    path = write_checkpoint(tmp_path / "a.pt", tiny_network())
    result = evaluate(path, tmp_path / "corpus", advance=done.append)
    scores = result.as_json()
    by_type = scores["by_type"].values()
    assert sum(row["events"] for row in by_type) == scores["events"]
    total = sum(row["events"] * row["nats_per_event"] for row in by_type)
    assert total / scores["events"] == pytest.approx(scores["nats_per_event"], abs=1e-4)
    assert done == sorted(done) and done[-1] == 1.0
    bits = scores["nats_per_event"] * scores["events"] / math.log(2)
    assert scores["bits_per_second"] == pytest.approx(bits / scores["seconds"], rel=1e-3)


def test_pieces_takes_the_first_of_the_split(tmp_path: Path) -> None:
    lengths = write_corpus(tmp_path / "corpus")
    network = tiny_network()
    for path in (
        write_checkpoint(tmp_path / "a.pt", network),
        write_bundle(tmp_path / "a.onnx", network, int8=False),
    ):
        result = evaluate(path, tmp_path / "corpus", pieces=2)
        assert (result.pieces, sum(result.events.values())) == (2, sum(lengths[:2]))


def test_a_chunk_border_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path / "corpus")
    path = write_bundle(tmp_path / "a.onnx", tiny_network(), int8=False)
    whole = evaluate(path, tmp_path / "corpus")
    monkeypatch.setattr("train.evaluate.CHUNK", 7)
    assert evaluate(path, tmp_path / "corpus").nats_per_event == pytest.approx(whole.nats_per_event, abs=1e-6)


def test_more_pieces_than_lanes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path / "corpus")
    path = write_checkpoint(tmp_path / "a.pt", tiny_network())
    together = evaluate(path, tmp_path / "corpus")
    monkeypatch.setattr("train.evaluate.LANES", 1)
    alone = evaluate(path, tmp_path / "corpus")
    assert alone.nats_per_event == pytest.approx(together.nats_per_event, abs=1e-6)


def test_errors_name_what_is_wrong(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    write_corpus(tmp_path / "other", MAGENTA)
    checkpoint = write_checkpoint(tmp_path / "a.pt", tiny_network())
    with pytest.raises(ValueError, match="no pieces in its split 'validation'"):
        evaluate(checkpoint, tmp_path / "corpus", "validation")
    with pytest.raises(ValueError, match="was prepared for"):
        evaluate(checkpoint, tmp_path / "other")
    for content in (b"", b"not a checkpoint"):
        (tmp_path / "b.pt").write_bytes(content)
        with pytest.raises(ValueError, match="b.pt: not a checkpoint"):
            evaluate(tmp_path / "b.pt", tmp_path / "corpus")
    torch.save({"some": "thing"}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="c.pt: not a checkpoint"):
        evaluate(tmp_path / "c.pt", tmp_path / "corpus")
    (tmp_path / "b.onnx").write_bytes(b"not a bundle")
    with pytest.raises(BundleError, match="b.onnx"):
        evaluate(tmp_path / "b.onnx", tmp_path / "corpus")


def test_an_evaluation_is_a_value() -> None:
    events = {kind: 10 for kind in EventType}
    nats = {kind: 10 * math.log(2) for kind in EventType}
    result = Evaluation("a.pt", "test", 1, 4.0, events, nats)
    assert result.nats_per_event == pytest.approx(math.log(2))
    assert result.perplexity == pytest.approx(2)
    assert result.nats_per_note == pytest.approx(4 * math.log(2))
    assert result.bits_per_second == pytest.approx(10)
