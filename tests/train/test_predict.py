"""Losses of pieces: in chunks, side by side, and from a bundle, they are the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from liveperf.conditioning import Conditioning
from liveperf.events import OORE
from tests.train.pieces import pieces_of
from train.lanes import start_event
from train.model import PerformanceRNN
from train.predict import batch_losses


@pytest.fixture(scope="module")
def network() -> PerformanceRNN:
    torch.manual_seed(0)
    network = PerformanceRNN(OORE, Conditioning().size, layers=2, hidden=16, embedding=8)
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
