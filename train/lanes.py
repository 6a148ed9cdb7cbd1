"""What a run is fed: pieces side by side, a chunk at a time, the state carried over whole pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liveperf.codec import Events
from liveperf.conditioning import Conditioning
from liveperf.events import EventType, Vocabulary
from train.augment import augment, reach
from train.config import FitConfig

IGNORED = -100  # a target that does not count: the padding after a piece's last event
SWITCHED = 0.1  # how often, a chunk, density and pitch classes are told or no longer told


def start_event(vocabulary: Vocabulary) -> int:
    """The index fed before a performance: the longest silence."""
    return vocabulary.first[EventType.TIME_SHIFT] + vocabulary.max_shift - 1


@dataclass
class _Lane:
    piece: int = -1  # none yet
    semitones: int = 0
    stretch: float = 1.0
    louder: int = 0
    position: int = 0
    density_on: bool = False
    histogram_on: bool = False


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A piece as a lane plays it, by event: what is fed, what is to be predicted, what is told."""

    inputs: Events
    targets: Events
    density: NDArray[np.float32]
    histogram: NDArray[np.float32]


class Lanes:
    """Pieces side by side; where a piece ends, its lane takes up the next of the epoch.

    `next_batch` gives event, target [lanes, chunk] int64, control [lanes, chunk, C] float32, and fresh
    [lanes] bool: the lanes that begin a piece. `position` and `restore` make a resumed run exact.
    """

    def __init__(
        self, pieces: Sequence[NDArray[np.uint16]], vocabulary: Vocabulary, config: FitConfig, stream: int = 0
    ) -> None:
        """stream: of the random numbers; another for each process of a run."""
        if not pieces:
            raise ValueError("no pieces to train on")
        self.pieces, self.vocabulary, self.config = pieces, vocabulary, config
        self.conditioning = Conditioning()
        self._random = np.random.default_rng([config.seed, stream] if stream else config.seed)
        self._queue: list[int] = []
        self._lanes = [_Lane() for _ in range(config.lanes)]
        self._loaded: list[_Loaded | None] = [None] * config.lanes

    def next_batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The next chunk of every lane."""
        shape = (self.config.lanes, self.config.chunk)
        event = np.zeros(shape, np.int64)
        target = np.full(shape, IGNORED, np.int64)
        control = np.zeros((*shape, self.conditioning.size), np.float32)
        fresh = np.zeros(self.config.lanes, bool)
        for i, loaded in enumerate(self._loaded):
            if loaded is None or self._lanes[i].position >= len(loaded.targets):
                loaded = self._begin(i)
                fresh[i] = True
            lane = self._lanes[i]
            if fresh[i] or self._random.random() < SWITCHED:
                told = self._random.random(2) < self.config.conditioned
                lane.density_on, lane.histogram_on = map(bool, told)
            part = slice(lane.position, lane.position + self.config.chunk)
            count = len(loaded.targets[part])
            event[i, :count], target[i, :count] = loaded.inputs[part], loaded.targets[part]
            control[i, :count] = self.conditioning.vectors(
                count,
                loaded.density[part] if lane.density_on else None,
                loaded.histogram[part] if lane.histogram_on else None,
            )
            lane.position += self.config.chunk
        return (
            torch.from_numpy(event),
            torch.from_numpy(target),
            torch.from_numpy(control),
            torch.from_numpy(fresh),
        )

    def _begin(self, i: int) -> _Loaded:
        if not self._queue:
            self._queue = self._random.permutation(len(self.pieces)).tolist()
        piece = self._queue.pop()
        down, up = reach(self.pieces[piece].astype(np.int64), self.config.transpose)
        tempo, loudness = self.config.tempo, self.config.loudness
        self._lanes[i] = _Lane(
            piece,
            semitones=int(self._random.integers(down, up + 1)),
            stretch=float(self._random.uniform(1 - tempo, 1 + tempo)) if tempo else 1.0,
            louder=int(self._random.integers(-loudness, loudness + 1)),
        )
        return self._load(i)

    def _load(self, i: int) -> _Loaded:
        lane = self._lanes[i]
        whole = self.pieces[lane.piece].astype(np.int64)
        events = augment(whole, self.vocabulary, lane.semitones, lane.stretch, lane.louder)
        density, histogram = self.conditioning.measure(events, self.vocabulary)
        before = np.maximum(np.arange(len(events)) - 1, 0)  # the event that each is predicted after
        inputs = np.concatenate(([start_event(self.vocabulary)], events[:-1]))
        loaded = self._loaded[i] = _Loaded(inputs, events, density[before], histogram[before])
        return loaded

    def position(self) -> dict[str, Any]:
        """Where the lanes are, in plain values."""
        return {
            "random": self._random.bit_generator.state,
            "queue": list(self._queue),
            "lanes": [asdict(lane) for lane in self._lanes],
        }

    def restore(self, position: dict[str, Any]) -> None:
        """Go on from `position()`; ValueError if it is that of other lanes."""
        if len(position["lanes"]) != len(self._lanes):
            raise ValueError(f"a run of {len(position['lanes'])} lanes cannot go on with {len(self._lanes)}")
        self._random.bit_generator.state = position["random"]
        self._queue = list(position["queue"])
        self._lanes = [_Lane(**lane) for lane in position["lanes"]]
        for i, lane in enumerate(self._lanes):
            self._loaded[i] = None
            if lane.piece >= 0:  # it had begun
                self._load(i)
