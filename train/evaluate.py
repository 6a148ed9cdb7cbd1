"""How well a checkpoint or a bundle predicts a corpus; the state is carried over whole pieces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from liveperf.codec import Events
from liveperf.conditioning import event_steps
from liveperf.events import EventType, Vocabulary
from liveperf.model import bundle
from train.checkpoint import load_network
from train.predict import Losses, batch_predictions, bundle_losses, by_type
from train.prepare import Corpus

LANES = 64  # pieces side by side, in torch
CHUNK = 512  # events a call, in ONNX Runtime


@dataclass(frozen=True)
class Evaluation:
    """Losses of a model on a split, summed by type of event."""

    model: str
    split: str
    pieces: int
    seconds: float  # of music
    events: dict[EventType, int]
    nats: dict[EventType, float]
    precision: str = "fp32"  # of the weights: fp32 or int8

    @property
    def nats_per_event(self) -> float:
        """Mean cross-entropy."""
        return sum(self.nats.values()) / sum(self.events.values())

    @property
    def perplexity(self) -> float:
        """Between how many equally likely events the model was left to choose."""
        return math.exp(self.nats_per_event)

    @property
    def nats_per_note(self) -> float:
        """All nats, a NOTE_ON; comparable between vocabularies."""
        return sum(self.nats.values()) / self.events[EventType.NOTE_ON]

    @property
    def bits_per_second(self) -> float:
        """All bits, a second of music; comparable between vocabularies."""
        return sum(self.nats.values()) / math.log(2) / self.seconds

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `scores` in a bundle's card."""
        return {
            "model": self.model,
            "precision": self.precision,
            "split": self.split,
            "pieces": self.pieces,
            "seconds": round(self.seconds, 1),
            "events": sum(self.events.values()),
            "nats_per_event": round(self.nats_per_event, 5),
            "perplexity": round(self.perplexity, 4),
            "nats_per_note": round(self.nats_per_note, 4),
            "bits_per_second": round(self.bits_per_second, 3),
            "by_type": {
                kind.value: {"events": count, "nats_per_event": round(self.nats[kind] / count, 5)}
                for kind, count in self.events.items()
                if count
            },
        }


def evaluate(
    path: Path,
    corpus: Path,
    split: str = "test",
    pieces: int | None = None,
    advance: Callable[[float], None] = lambda done: None,
) -> Evaluation:
    """Score a checkpoint (.pt, as the fp32 it is) or a bundle (.onnx, int8 or fp32), conditioning off.

    pieces: only the first so many of the split. advance: told the part done, 0 to 1. Raises ValueError,
    OSError or BundleError, whose message says what is wrong.
    """
    prepared = Corpus(corpus)
    chosen = [piece.astype(np.int64) for piece in prepared.pieces(split)[:pieces]]
    if not chosen:
        raise ValueError(f"{corpus}: no pieces in its split {split!r}")
    if path.suffix == ".onnx":
        opened = bundle.load(str(path))
        vocabulary, losses = opened.card.vocabulary, bundle_losses(opened, chosen, CHUNK)
        precision = bundle_precision(path)
    else:
        vocabulary, losses = _checkpoint_losses(path, chosen)
        precision = "fp32"
    if vocabulary != prepared.vocabulary:
        raise ValueError(f"{path} has {vocabulary}, {corpus} was prepared for {prepared.vocabulary}")
    steps = sum(int(event_steps(piece, vocabulary)[-1]) for piece in chosen)
    total = sum(len(piece) for piece in chosen)
    nats, events = by_type(losses, vocabulary, lambda done: advance(done / total))
    seconds = steps / vocabulary.steps_per_second
    return Evaluation(path.name, split, len(chosen), seconds, events, nats, precision)


def bundle_precision(path: Path) -> str:
    """int8 or fp32: how a bundle's matrices are stored."""
    weights = onnx.load(path).graph.initializer
    return "int8" if any(weight.data_type == onnx.TensorProto.INT8 for weight in weights) else "fp32"


def _checkpoint_losses(path: Path, pieces: list[Events]) -> tuple[Vocabulary, Iterator[Losses]]:
    network, checkpoint = load_network(path)
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    vocabulary = Vocabulary(**checkpoint["vocabulary"])
    pieces = sorted(pieces, key=len, reverse=True)

    def losses() -> Iterator[Losses]:
        for begin in range(0, len(pieces), LANES):
            for loss, target in batch_predictions(network, pieces[begin : begin + LANES], vocabulary):
                yield loss.cpu().numpy(), target.numpy()

    return vocabulary, losses()
