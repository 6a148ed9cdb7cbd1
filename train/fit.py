"""Fit a network to a prepared corpus. The state is carried over whole pieces; no piece is cut short."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from liveperf.codec import transpose
from liveperf.conditioning import Conditioning
from liveperf.events import PITCHES, EventType, Vocabulary
from train.model import PerformanceRNN, State
from train.prepare import Corpus

log = logging.getLogger(__name__)
IGNORED = -100  # a target that does not count: the padding after a piece's last event


@dataclass(frozen=True)
class FitConfig:
    """What a run is made of; a YAML file names what differs from these defaults."""

    corpus: str = "corpus"
    out: str = "runs/maestro"
    init: str = ""  # a checkpoint whose weights to begin with, of this vocabulary or another
    hours: float = 2.0  # of this machine's time; the learning rate falls to zero over it (cosine)
    lanes: int = 32  # pieces side by side
    chunk: int = 64  # events between two updates
    matrix_lr: float = 5e-3  # Muon, on the LSTM matrices
    rest_lr: float = 2e-3  # AdamW, on everything else
    warmup: float = 0.005  # part of the run
    clip: float = 1.0  # gradient norm
    layers: int = 3
    hidden: int = 512  # units in each
    embedding: int = 256
    transpose: int = 0  # semitones, at most, up or down
    conditioned: float = 0.4  # how often density, and how often pitch classes, are told
    seed: int = 0
    threads: int = 2
    checkpoint_minutes: float = 10.0

    @classmethod
    def load(cls, path: Path) -> FitConfig:
        """Read YAML; an unknown key raises ValueError."""
        values = yaml.safe_load(path.read_text()) or {}
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"{path}: unknown keys {sorted(unknown)}")
        # YAML 1.1 reads 5e-3 as text
        return cls(**{key: type(getattr(cls, key))(value) for key, value in values.items()})


def start_event(vocabulary: Vocabulary) -> int:
    """The index fed before a performance: the longest silence."""
    return vocabulary.first[EventType.TIME_SHIFT] + vocabulary.max_shift - 1


@dataclass
class _Lane:
    piece: int = -1
    semitones: int = 0
    position: int = 0
    density_on: bool = False
    histogram_on: bool = False


class Lanes:
    """Pieces side by side, a chunk at a time; where a piece ends, its lane takes up the next.

    `next_batch` gives event, target [lanes, chunk] int64, control [lanes, chunk, C] float32, and fresh
    [lanes] bool: the lanes that begin a piece. `position` and `restore` make a resumed run exact.
    """

    def __init__(self, pieces: list[NDArray[np.uint16]], vocabulary: Vocabulary, config: FitConfig) -> None:
        self.pieces, self.vocabulary, self.config = pieces, vocabulary, config
        self.conditioning = Conditioning()
        self._random = np.random.default_rng(config.seed)
        self._queue: list[int] = []
        self._lanes = [_Lane() for _ in range(config.lanes)]
        self._loaded: list[Any] = [None] * config.lanes

    def next_batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The next chunk of every lane."""
        shape = (self.config.lanes, self.config.chunk)
        event = np.zeros(shape, np.int64)
        target = np.full(shape, IGNORED, np.int64)
        control = np.zeros((*shape, self.conditioning.size), np.float32)
        fresh = np.zeros(self.config.lanes, bool)
        for i, lane in enumerate(self._lanes):
            if self._loaded[i] is None or lane.position >= len(self._loaded[i][1]):
                self._begin(i)
                fresh[i] = True
            if fresh[i] or self._random.random() < 0.1:
                told = self._random.random(2) < self.config.conditioned
                lane.density_on, lane.histogram_on = map(bool, told)
            inputs, targets, density, histogram = self._loaded[i]
            part = slice(lane.position, lane.position + self.config.chunk)
            count = len(targets[part])
            event[i, :count], target[i, :count] = inputs[part], targets[part]
            control[i, :count] = self.conditioning.vectors(
                count, density[part] if lane.density_on else None, histogram[part] if lane.histogram_on else None
            )
            lane.position += self.config.chunk
        return tuple(torch.from_numpy(x) for x in (event, target, control, fresh))  # type: ignore[return-value]

    def _begin(self, i: int) -> None:
        if not self._queue:
            self._queue = self._random.permutation(len(self.pieces)).tolist()
        lane = self._lanes[i]
        lane.piece, lane.position = self._queue.pop(), 0
        pitch = self.pieces[lane.piece]
        pitch = pitch[pitch < 2 * PITCHES] % PITCHES
        reach = self.config.transpose
        lane.semitones = int(
            self._random.integers(max(-reach, -int(pitch.min())), min(reach, 127 - int(pitch.max())) + 1)
        )
        self._load(i)

    def _load(self, i: int) -> None:
        lane = self._lanes[i]
        events = transpose(self.pieces[lane.piece].astype(np.int64), lane.semitones)
        density, histogram = self.conditioning.measure(events, self.vocabulary)
        before = np.maximum(np.arange(len(events)) - 1, 0)  # the event that each is predicted after
        inputs = np.concatenate(([start_event(self.vocabulary)], events[:-1]))
        self._loaded[i] = (inputs, events, density[before], histogram[before])

    def position(self) -> dict[str, Any]:
        """Where the lanes are, in plain values."""
        return {
            "random": self._random.bit_generator.state,
            "queue": self._queue,
            "lanes": [asdict(lane) for lane in self._lanes],
        }

    def restore(self, position: dict[str, Any]) -> None:
        """Go on from `position()`."""
        self._random.bit_generator.state = position["random"]
        self._queue = list(position["queue"])
        self._lanes = [_Lane(**lane) for lane in position["lanes"]]
        for i, lane in enumerate(self._lanes):
            self._loaded[i] = None
            if lane.piece >= 0:  # it had begun
                self._load(i)


class Fit:
    """A run: network, optimisers, lanes and carried state, saved and resumed as one."""

    def __init__(self, config: FitConfig) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config = config
        self.corpus = Corpus(Path(config.corpus))
        self.vocabulary = self.corpus.vocabulary
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.lanes = Lanes(self.corpus.pieces("train"), self.vocabulary, config)
        self.validation = self.corpus.pieces("validation")
        self.network = PerformanceRNN(
            self.vocabulary.size, Conditioning().size, config.layers, config.hidden, config.embedding
        ).to(self.device)
        if config.init:
            self._begin_with(Path(config.init))
        matrices = [p for p in self.network.layers.parameters() if p.ndim == 2]
        known = {id(p) for p in matrices}
        rest = [p for p in self.network.parameters() if id(p) not in known]
        self.optimisers: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw"), config.matrix_lr),
            (torch.optim.AdamW(rest, weight_decay=0.0, betas=(0.9, 0.98)), config.rest_lr),
        ]
        self.state: State = tuple(s.detach() for s in self.network.start(config.lanes))  # type: ignore[assignment]
        self.elapsed_s = 0.0
        self.events = 0
        self.history: list[dict[str, float]] = []
        self.out = Path(config.out)

    def _begin_with(self, path: Path) -> None:
        """Weights of another run; the rows of events in another vocabulary are those of the nearest meaning."""
        checkpoint = read_checkpoint(path, self.device)
        weights = checkpoint["network"]
        rows = torch.from_numpy(nearest_events(self.vocabulary, Vocabulary(**checkpoint["vocabulary"])))
        for name in ("event.weight", "output.weight", "output.bias"):
            weights[name] = weights[name][rows.to(self.device)]
        self.network.load_state_dict(weights)

    def run(self) -> None:
        """Train until the hours are over; SIGINT saves and ends."""
        self.out.mkdir(parents=True, exist_ok=True)
        budget_s = self.config.hours * 3600
        last, saved = time.monotonic(), self.elapsed_s
        losses: list[float] = []
        try:
            while self.elapsed_s < budget_s:
                losses.append(self._update(self.elapsed_s / budget_s))
                now = time.monotonic()
                self.elapsed_s, last = self.elapsed_s + now - last, now
                if self.elapsed_s - saved >= self.config.checkpoint_minutes * 60:
                    self._report(losses)
                    saved = self.elapsed_s
        except KeyboardInterrupt:
            log.info("interrupted; saved, go on with --resume")
        self._report(losses)

    def _update(self, progress: float) -> float:
        event, target, control, fresh = (x.to(self.device) for x in self.lanes.next_batch())
        start = self.network.start(self.config.lanes)
        state = tuple(
            torch.where(fresh[None, :, None], new, old) for new, old in zip(start, self.state, strict=True)
        )
        with torch.autocast(self.device.type, torch.bfloat16):
            logits, state = self.network(event, control, state)
        loss = functional.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=IGNORED)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        factor = min(progress / self.config.warmup, 1) * (1 + math.cos(math.pi * min(progress, 1))) / 2
        for optimiser, peak in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = peak * factor
            optimiser.step()
            optimiser.zero_grad()
        self.state = tuple(s.detach() for s in state)
        self.events += int((target != IGNORED).sum())
        return loss.item()

    def _report(self, losses: list[float]) -> None:
        row = {
            "hours": self.elapsed_s / 3600,
            "events": self.events,
            "events_per_s": self.events / self.elapsed_s if self.elapsed_s else 0.0,
            "train": float(np.mean(losses)) if losses else math.nan,
            "validation": self._validate(),
        }
        losses.clear()
        self.history.append(row)
        log.info(json.dumps({key: round(value, 4) for key, value in row.items()}))
        self.save()

    def _validate(self, pieces: int = 32, events: int = 2048) -> float:
        """Nats per event over the first events of some validation pieces, nothing told."""
        chosen = [piece[:events].astype(np.int64) for piece in self.validation[:pieces]]
        total, count = 0.0, 0
        for loss in batch_losses(self.network, chosen, self.vocabulary):
            total, count = total + float(loss.sum()), count + loss.numel()
        return total / count if count else math.nan

    def save(self) -> None:
        """Write `OUT/last.pt`, atomically."""
        checkpoint = {
            "config": asdict(self.config),
            "vocabulary": asdict(self.vocabulary),
            "network": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser, _ in self.optimisers],
            "state": self.state,
            "lanes": self.lanes.position(),
            "torch_random": torch.get_rng_state(),
            "elapsed_s": self.elapsed_s,
            "events": self.events,
            "history": self.history,
            "commit": _commit(),
        }
        part = self.out / "last.pt.part"
        torch.save(checkpoint, part)
        os.replace(part, self.out / "last.pt")

    def resume(self) -> None:
        """Go on from `OUT/last.pt`."""
        checkpoint = read_checkpoint(self.out / "last.pt", self.device)
        self.network.load_state_dict(checkpoint["network"])
        for (optimiser, _), state in zip(self.optimisers, checkpoint["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.state = tuple(checkpoint["state"])
        self.lanes.restore(checkpoint["lanes"])
        torch.set_rng_state(checkpoint["torch_random"].cpu())
        self.elapsed_s, self.events = checkpoint["elapsed_s"], checkpoint["events"]
        self.history = checkpoint["history"]


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """What `Fit.save` wrote; no code in it is run."""
    booleans: list[Any] = [type(np.dtype(bool)), np.dtype, np.True_.__reduce__()[0]]  # older runs saved numpy's
    with torch.serialization.safe_globals(booleans):
        checkpoint: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return checkpoint


def batch_losses(
    network: PerformanceRNN, pieces: list[NDArray[np.int64]], vocabulary: Vocabulary, chunk: int = 512
) -> Iterator[Tensor]:
    """Losses [n] in nats of pieces run side by side from the start state, unconditioned, state carried."""
    for loss, _ in batch_predictions(network, pieces, vocabulary, chunk):
        yield loss


@torch.no_grad()
def batch_predictions(
    network: PerformanceRNN, pieces: list[NDArray[np.int64]], vocabulary: Vocabulary, chunk: int = 512
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
        yield loss[counts], target.flatten()[counts]


def nearest_events(vocabulary: Vocabulary, other: Vocabulary) -> NDArray[np.int64]:
    """The index in `other` [size] of what each event of `vocabulary` means there, or nearly."""
    scale = {
        EventType.TIME_SHIFT: other.steps_per_second / vocabulary.steps_per_second,
        EventType.VELOCITY: other.velocity_bins / vocabulary.velocity_bins,
    }
    indices = []
    for index in range(vocabulary.size):
        event = vocabulary.event(index)
        value = round(event.value * scale.get(event.type, 1))
        low, high = next((low, high) for kind, low, high in other.ranges if kind is event.type)
        indices.append(other.first[event.type] + min(max(value, low), high) - low)
    return np.array(indices)


def _commit() -> str:
    try:
        result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
