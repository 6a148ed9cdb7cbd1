"""How well a network or a bundle predicts pieces, from the start state, nothing told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from liveperf.codec import Events
from liveperf.conditioning import Conditioning
from liveperf.events import EventType, Vocabulary
from liveperf.model.bundle import Bundle
from train.lanes import IGNORED, start_event
from train.model import PerformanceRNN

Losses = tuple[NDArray[np.floating[Any]], Events]
"""Nats [n], and the event indices [n] that were to be predicted."""


def batch_losses(
    network: PerformanceRNN, pieces: Sequence[Events], vocabulary: Vocabulary, chunk: int = 512
) -> Iterator[Tensor]:
    """Losses [n] in nats, the state carried."""
    for loss, _ in batch_predictions(network, pieces, vocabulary, chunk):
        yield loss


@torch.no_grad()
def batch_predictions(
    network: PerformanceRNN, pieces: Sequence[Events], vocabulary: Vocabulary, chunk: int = 512
) -> Iterator[tuple[Tensor, Tensor]]:
    """As `batch_losses`, each loss [n] with the event index [n], on the CPU, that was to be predicted."""
    device = network.h0.device
    pieces = sorted(pieces, key=len, reverse=True)
    state = network.start(len(pieces))
    off = torch.from_numpy(Conditioning().off).to(device)
    for begin in range(0, len(pieces[0]) if pieces else 0, chunk):
        live = sum(len(piece) > begin for piece in pieces)
        event = torch.full((live, chunk), start_event(vocabulary))
        target = torch.full((live, chunk), IGNORED)
        for row, piece in enumerate(pieces[:live]):
            part = torch.from_numpy(piece[begin : begin + chunk])
            target[row, : len(part)] = part
            known = torch.from_numpy(piece[max(begin - 1, 0) : begin + chunk - 1])[-chunk:]
            shift = 1 if begin == 0 else 0
            event[row, shift : shift + len(known)] = known[: chunk - shift]
        state = (state[0][:, :live].contiguous(), state[1][:, :live].contiguous())
        control = off.expand(live, chunk, -1)
        logits, state = network(event.to(device), control, state)
        loss = functional.cross_entropy(
            logits.float().flatten(0, 1), target.to(device).flatten(), ignore_index=IGNORED, reduction="none"
        )
        counts = target.flatten() != IGNORED
        yield loss[counts.to(device)], target.flatten()[counts]


def bundle_losses(opened: Bundle, pieces: Sequence[Events], chunk: int = 512) -> Iterator[Losses]:
    """Losses of whole pieces, one by one; a thread a processor: ONNX Runtime lets go of the interpreter lock."""

    def of_piece(piece: Events) -> Losses:
        known = np.concatenate(([opened.start_event], piece[:-1]))
        control = np.tile(opened.card.conditioning.off, (chunk, 1))
        losses, state = np.empty(len(piece)), opened.start_state
        for begin in range(0, len(piece), chunk):
            part = slice(begin, begin + chunk)
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


def by_type(
    losses: Iterable[Losses], vocabulary: Vocabulary, advance: Callable[[int], None] = lambda events: None
) -> tuple[dict[EventType, float], dict[EventType, int]]:
    """(nats, events) by the type of the event that was predicted. advance: told how many events are done."""
    kinds = list(vocabulary.first)
    kind_of = np.repeat(np.arange(len(kinds)), [high - low + 1 for _, low, high in vocabulary.ranges])
    nats, events = np.zeros(len(kinds)), np.zeros(len(kinds), np.int64)
    for loss, target in losses:
        kind = kind_of[target]
        nats += np.bincount(kind, loss, len(kinds))
        events += np.bincount(kind, minlength=len(kinds))
        advance(int(events.sum()))
    return dict(zip(kinds, nats.tolist(), strict=True)), dict(zip(kinds, events.tolist(), strict=True))
