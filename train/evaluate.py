"""How well a checkpoint or a bundle predicts a corpus; the state is carried over whole pieces."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from liveperf import bundle
from liveperf.codec import Events
from liveperf.conditioning import event_steps
from liveperf.events import EventType, Vocabulary
from train.export import load_checkpoint
from train.fit import batch_predictions
from train.model import PerformanceRNN
from train.prepare import Corpus

LANES = 64  # pieces side by side, in torch
CHUNK = 512  # events a call, in ONNX Runtime

Losses = tuple[NDArray[np.floating[Any]], Events]
"""Nats [n], and the event indices [n] that were to be predicted."""


@dataclass(frozen=True)
class Evaluation:
    """Losses of a model on a split, summed by type of event."""

    model: str
    split: str
    pieces: int
    seconds: float  # of music
    events: dict[EventType, int]
    nats: dict[EventType, float]

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
    """Score a checkpoint (.pt, fp32) or a bundle (.onnx), conditioning off.

    pieces: only the first so many of the split. advance: told the part done, 0 to 1. Raises ValueError,
    OSError or BundleError, whose message says what is wrong.
    """
    prepared = Corpus(corpus)
    chosen = [piece.astype(np.int64) for piece in prepared.pieces(split)[:pieces]]
    if not chosen:
        raise ValueError(f"{corpus}: no pieces in its split {split!r}")
    if path.suffix == ".onnx":
        opened = bundle.load(str(path))
        vocabulary, losses = opened.card.vocabulary, _bundle_losses(opened, chosen)
    else:
        vocabulary, losses = _checkpoint_losses(path, chosen)
    if vocabulary != prepared.vocabulary:
        raise ValueError(f"{path} has {vocabulary}, {corpus} was prepared for {prepared.vocabulary}")
    steps = sum(int(event_steps(piece, vocabulary)[-1]) for piece in chosen)
    total = sum(len(piece) for piece in chosen)
    nats, events = _by_type(losses, vocabulary, lambda done: advance(done / total))
    return Evaluation(path.name, split, len(chosen), steps / vocabulary.steps_per_second, events, nats)


def open_checkpoint(path: Path) -> tuple[PerformanceRNN, dict[str, Any]]:
    """As `load_checkpoint`; ValueError if the file is none."""
    try:
        return load_checkpoint(path)
    except OSError:
        raise
    except Exception as error:  # torch's unpickler raises what it trips over
        raise ValueError(f"{path}: not a checkpoint of `fit` ({type(error).__name__})") from error


def _by_type(
    losses: Iterable[Losses], vocabulary: Vocabulary, advance: Callable[[int], None]
) -> tuple[dict[EventType, float], dict[EventType, int]]:
    kinds = list(vocabulary.first)
    kind_of = np.repeat(np.arange(len(kinds)), [high - low + 1 for _, low, high in vocabulary.ranges])
    nats, events = np.zeros(len(kinds)), np.zeros(len(kinds), np.int64)
    for loss, target in losses:
        kind = kind_of[target]
        nats += np.bincount(kind, loss, len(kinds))
        events += np.bincount(kind, minlength=len(kinds))
        advance(int(events.sum()))
    return dict(zip(kinds, nats.tolist(), strict=True)), dict(zip(kinds, events.tolist(), strict=True))


def _checkpoint_losses(path: Path, pieces: list[Events]) -> tuple[Vocabulary, Iterator[Losses]]:
    network, checkpoint = open_checkpoint(path)
    vocabulary = Vocabulary(**checkpoint["vocabulary"])
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    pieces = sorted(pieces, key=len, reverse=True)

    def losses() -> Iterator[Losses]:
        for begin in range(0, len(pieces), LANES):
            for loss, target in batch_predictions(network, pieces[begin : begin + LANES], vocabulary):
                yield loss.cpu().numpy(), target.numpy()

    return vocabulary, losses()


def _bundle_losses(opened: bundle.Bundle, pieces: list[Events]) -> Iterator[Losses]:
    """A thread a processor; ONNX Runtime lets go of the interpreter lock while it computes."""

    def of_piece(piece: Events) -> Losses:
        known = np.concatenate(([opened.start_event], piece[:-1]))
        control = np.tile(opened.card.conditioning.off, (CHUNK, 1))
        losses, state = np.empty(len(piece)), opened.start_state
        for begin in range(0, len(piece), CHUNK):
            part = slice(begin, begin + CHUNK)
            logits, state = opened.network.run(known[part], control[: len(known[part])], state)
            losses[part] = _cross_entropy(logits, piece[part])
        return losses, piece

    executor = ThreadPoolExecutor(os.cpu_count())
    try:
        yield from executor.map(of_piece, pieces)
    finally:
        executor.shutdown(cancel_futures=True)


def _cross_entropy(logits: NDArray[np.float32], target: Events) -> NDArray[np.float64]:
    """Nats [n] of targets [n] under logits [n, V]."""
    logits = logits - logits.max(axis=1, keepdims=True)
    normaliser: NDArray[np.float64] = np.log(np.exp(logits).sum(axis=1, dtype=np.float64))
    return normaliser - logits[np.arange(len(target)), target]
