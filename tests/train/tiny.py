"""A tiny network that has learned nothing, as a checkpoint and as a bundle, and a corpus to test it on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from liveperf.codec import encode, notes_array
from liveperf.conditioning import Conditioning
from liveperf.events import OORE, Vocabulary
from train.corpus import EVENT, Piece, digest, shard_name, write_index
from train.export import export
from train.model import PerformanceRNN

SIZES = {"layers": 2, "hidden": 16, "embedding": 8}


def write_corpus(folder: Path, vocabulary: Vocabulary = OORE) -> list[int]:
    """A prepared corpus of three random pieces to test on; returns their lengths in events."""
    random = np.random.default_rng(1)
    pieces = []
    for count in (30, 200, 400):  # the last two need more than one chunk
        start = np.sort(random.uniform(0, count / 5, count))
        rows = zip(
            start,
            start + random.uniform(0.05, 2, count),
            random.integers(20, 100, count),
            random.integers(1, 128, count),
            strict=True,
        )
        pieces.append(encode(notes_array(list(rows)), vocabulary))
    ends = np.cumsum([len(piece) for piece in pieces]).tolist()
    folder.mkdir()
    (folder / shard_name(0)).write_bytes(np.concatenate(pieces).astype(EVENT).tobytes())
    placed = [
        Piece(f"{end}.mid", "test", 0, end - len(piece), len(piece))
        for end, piece in zip(ends, pieces, strict=True)
    ]
    write_index(folder, vocabulary, 0, placed, [digest(piece.astype(np.uint16)) for piece in pieces])
    return [len(piece) for piece in pieces]


def tiny_network(uniform: bool = False, vocabulary: Vocabulary = OORE) -> PerformanceRNN:
    """A network with weights large enough to have opinions, or with none at all."""
    torch.manual_seed(2)
    network = PerformanceRNN(vocabulary, Conditioning().size, **SIZES).eval()
    with torch.no_grad():
        for parameter in (network.h0, network.c0):
            parameter.normal_()
        network.output.weight.normal_(std=0.0 if uniform else 2.0)
        network.output.bias.zero_()
        network.shared_out.zero_()
    return network


def write_checkpoint(path: Path, network: PerformanceRNN, vocabulary: Vocabulary = OORE) -> Path:
    """What evaluation reads of a checkpoint."""
    weights = network.state_dict()
    torch.save({"network": weights, "vocabulary": asdict(vocabulary), "config": SIZES, "events": 0}, path)
    return path


def write_bundle(path: Path, network: PerformanceRNN, int8: bool, vocabulary: Vocabulary = OORE) -> Path:
    """A bundle with an empty card."""
    card = {
        "name": "tiny",
        "vocabulary": asdict(vocabulary),
        "licence": "",
        "data": "",
        "training": {},
        "scores": {},
    }
    export(network, card, path, int8=int8)
    return path
