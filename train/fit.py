"""Fit a network to a prepared corpus. The state is carried over whole pieces; no piece is cut short."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from liveperf.codec import Events
from liveperf.conditioning import Conditioning
from liveperf.events import EventType
from train import checkpoint as checkpoints
from train.config import FitConfig
from train.export import LARGEST_COST, export, int8_cost
from train.group import Group
from train.lanes import IGNORED, Lanes
from train.model import PerformanceRNN, State
from train.predict import batch_predictions, by_type
from train.prepare import Corpus
from train.watch import Watch

log = logging.getLogger(__name__)
SHOWN_EVERY = 20  # updates
VALIDATION_PIECES, VALIDATION_EVENTS = 32, 2048  # of each the beginning
MAY_CHANGE = {"out", "hours", "events", "checkpoint_minutes", "threads", "name", "licence", "data", "init"}


class FitError(Exception):
    """A run that cannot go on; the message says why and what to do."""


class _Loss(nn.Module):
    """The network with its loss, as one module: that is what DistributedDataParallel wraps."""

    def __init__(self, network: PerformanceRNN, bf16: bool) -> None:
        super().__init__()
        self.network, self._bf16 = network, bf16

    def forward(
        self, event: Tensor, target: Tensor, control: Tensor, fresh: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """Mean nats of a batch, and the state after it; lanes that are fresh begin with the learned state."""
        h, c = (
            torch.where(fresh[None, :, None], new, old)
            for new, old in zip(self.network.start(len(event)), state, strict=True)
        )
        with torch.autocast(event.device.type, torch.bfloat16, enabled=self._bf16):
            logits, state = self.network(event, control, (h, c))
        loss = functional.cross_entropy(
            logits.float().flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return loss / (target != IGNORED).sum().clamp(min=1), state


class Fit:
    """A run: network, optimisers, lanes and carried state, saved and resumed as one.

    Under `torchrun` each process has its own lanes; gradients are averaged, so that all have the same network.
    """

    def __init__(self, config: FitConfig, group: Group | None = None) -> None:
        """Raises ValueError or OSError where the corpus or the checkpoint to begin with cannot be used."""
        self.config, self.group = config, group or Group()
        if config.threads:
            torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.corpus = Corpus(Path(config.corpus))
        self.vocabulary = self.corpus.vocabulary
        pieces = self.corpus.pieces("train")[self.group.rank :: self.group.size]
        self.lanes = Lanes(pieces, self.vocabulary, config, self.group.rank)
        self.validation: Sequence[Events] = [
            piece[:VALIDATION_EVENTS].astype("int64")
            for piece in self.corpus.pieces("validation")[:VALIDATION_PIECES]
        ]
        self.network = PerformanceRNN(
            self.vocabulary,
            Conditioning().size,
            *(config.layers, config.hidden, config.embedding, config.dropout),
        ).to(self.group.device)
        self.began_with: dict[str, Any] = {}
        if config.init:
            before = checkpoints.read(Path(config.init), self.group.device)
            checkpoints.begin_with(self.network, self.vocabulary, before)
            self.began_with = checkpoints.training(before)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._loss: nn.Module = _Loss(self.network, config.bf16)
        if self.group.size > 1:
            self._loss = nn.parallel.DistributedDataParallel(self._loss)
        torch.manual_seed(config.seed + self.group.rank)  # what is dropped out differs between processes
        matrices = [p for p in self.network.layers.parameters() if p.ndim == 2]
        known = {id(p) for p in matrices}
        rest = [p for p in self.network.parameters() if id(p) not in known]
        adamw = partial(torch.optim.AdamW, weight_decay=0.0, betas=(0.9, 0.98))
        muon = partial(torch.optim.Muon, adjust_lr_fn="match_rms_adamw") if config.muon else adamw
        self.optimisers: list[tuple[torch.optim.Optimizer, float]] = [
            (muon(matrices), config.matrix_lr),
            (adamw(rest), config.rest_lr),
        ]
        self.state: State = tuple(s.detach() for s in self.network.start(config.lanes))  # type: ignore[assignment]
        self.elapsed_s, self.events, self.updates = 0.0, 0, 0
        self.history: list[dict[str, float]] = []
        self.out = Path(config.out)
        self._commit = checkpoints.commit()  # of what runs, whatever is committed meanwhile
        self._stopping = False

    def stop(self) -> None:
        """Save and end after the update that is being made. From any thread or signal handler."""
        self._stopping = True

    @property
    def progress(self) -> float:
        """How much of the run is done, 0 to 1, or a little more."""
        done = 0.0
        if self.config.hours:
            done = self.elapsed_s / (self.config.hours * 3600)
        if self.config.events:
            done = max(done, self.events / self.config.events)
        return done

    def run(self) -> None:
        """Train until the run's end, or `stop`. Raises FitError where it leads nowhere; OSError."""
        self.out.mkdir(parents=True, exist_ok=True)
        if not self.group.leads:
            self._train(None)
            return
        with Watch(self.out) as watch:
            self._train(watch)

    def _train(self, watch: Watch | None) -> None:
        recent = _Recent(self)
        saved_s, stopping = self.elapsed_s, False
        while self.progress < 1 and not stopping:
            began = time.monotonic()
            loss, norm, count = self.update()
            recent.add(loss, norm)
            spent = time.monotonic() - began
            counted, spent, asked = self.group.sums(count, spent, float(self._stopping))
            self.events += round(counted)
            self.elapsed_s += spent / self.group.size
            stopping = asked > 0
            if self.updates % SHOWN_EVERY == 0:
                recent.show(watch)
            if self.elapsed_s - saved_s >= self.config.checkpoint_minutes * 60:
                began = time.monotonic()
                self._checkpoint(watch, recent.taken())
                self.elapsed_s += self.group.sums(time.monotonic() - began)[0] / self.group.size
                saved_s = self.elapsed_s
        self._checkpoint(watch, recent.taken())
        if self._stopping:
            log.info("interrupted; saved, go on with --resume")

    def update(self) -> tuple[Tensor, Tensor, int]:
        """Take one batch and one step: nats/event, gradient norm (before clipping), events."""
        batch = self.lanes.next_batch()
        count = int((batch[1] != IGNORED).sum())
        event, target, control, fresh = (x.to(self.group.device, non_blocking=True) for x in batch)
        loss, state = self._loss(event, target, control, fresh, self.state)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        progress = min(self.progress, 1.0)
        warm = min(progress / self.config.warmup, 1.0) if self.config.warmup else 1.0
        factor = warm * (1 + math.cos(math.pi * progress)) / 2
        for optimiser, peak in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = peak * factor
            optimiser.step()
            optimiser.zero_grad()
        self.updates += 1
        keep = min(self.config.average, self.updates / (10 + self.updates))  # the first ones soon forgotten
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - keep)
        self.state = tuple(s.detach().float() for s in state)
        return loss.detach(), norm.detach(), count

    def validate(self) -> tuple[float, dict[EventType, float]]:
        """Nats/event of the averaged weights over the beginnings of some validation pieces, and by type."""
        predictions = batch_predictions(self.average, self.validation, self.vocabulary)
        losses = ((loss.cpu().numpy(), target.numpy()) for loss, target in predictions)
        nats, events = by_type(losses, self.vocabulary)
        if not any(events.values()):
            return math.nan, {}
        mean = sum(nats.values()) / sum(events.values())
        return mean, {kind: nats[kind] / count for kind, count in events.items() if count}

    def _checkpoint(self, watch: Watch | None, train: float) -> None:
        """Score and save; export what is better than all before. Collective."""
        local = {"state": self.state, "lanes": self.lanes.position(), "torch_random": torch.get_rng_state()}
        ranks = self.group.gathered(local)
        if not watch:
            return
        validation, types = self.validate()
        best = min((row["validation"] for row in self.history), default=math.inf)
        row = {
            "hours": self.elapsed_s / 3600,
            "events": self.events,
            "events_per_s": self.events / self.elapsed_s if self.elapsed_s else 0.0,
            "train": train,
            "validation": validation,
        }
        self.history.append(row)
        watch.scored(row, types)
        checkpoints.write(self.out / "last.pt", self.checkpoint(ranks))
        if not validation >= best:  # the first one, too, where there is nothing to validate with
            self._export()
            watch.exported(self.out / "best.onnx", self.events)

    def checkpoint(self, ranks: list[Any]) -> dict[str, Any]:
        """All that `resume` needs. ranks: of each process, its own part."""
        return {
            **self._described(),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser, _ in self.optimisers],
            "ranks": ranks,
        }

    def _described(self) -> dict[str, Any]:
        return {
            "config": asdict(self.config),
            "vocabulary": asdict(self.vocabulary),
            "processes": self.group.size,
            "elapsed_s": self.elapsed_s,
            "events": self.events,
            "updates": self.updates,
            "history": self.history,
            "began_with": self.began_with,
            "commit": self._commit,
            "data_hash": self.corpus.hash,
        }

    def _export(self) -> None:
        """Write `best.pt`, and `best.onnx` to play with; int8 unless that costs too much."""
        described = self._described()
        checkpoints.write(self.out / "best.pt", {**described, "network": self.average.state_dict()})
        card = {
            "name": self.config.name or self.out.name,
            "vocabulary": described["vocabulary"],
            "licence": self.config.licence,
            "data": self.config.data,
            "training": checkpoints.training(described),
            "scores": {"validation_nats_per_event": round(self.history[-1]["validation"], 4)},
        }
        out = self.out / "best.onnx"
        network = copy.deepcopy(self.average).cpu()
        export(network, card, out)
        cost = int8_cost(network, out, self.validation[:8], self.vocabulary)
        if cost > LARGEST_COST:
            log.warning("int8 would cost %.4f nats/event: best.onnx is fp32 for now", cost)
            export(network, card, out, int8=False)

    def resume(self) -> None:
        """Go on from `OUT/last.pt`. ValueError if that is not this run's, or a damaged file; OSError."""
        checkpoint = checkpoints.read(self.out / "last.pt", self.group.device)
        if "ranks" not in checkpoint:
            raise ValueError(f"{self.out / 'last.pt'} is of an older `fit` or a bundle's: begin with it (`init`)")
        ours, theirs = asdict(self.config), checkpoint["config"]
        changed = [key for key in ours if key not in MAY_CHANGE and theirs.get(key) != ours[key]]
        if changed:
            raise ValueError(f"the run to resume had another {', '.join(changed)}; `init` begins with its weights")
        if checkpoint["data_hash"] != self.corpus.hash:
            raise ValueError(f"the run to resume had another corpus than {self.config.corpus} is now")
        if len(checkpoint["ranks"]) != self.group.size:
            raise ValueError(f"the run to resume had {len(checkpoint['ranks'])} processes, not {self.group.size}")
        self.network.load_state_dict(checkpoint["network"])
        self.average.load_state_dict(checkpoint["average"])
        for (optimiser, _), state in zip(self.optimisers, checkpoint["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        local = checkpoint["ranks"][self.group.rank]
        self.state = tuple(s.to(self.group.device) for s in local["state"])
        self.lanes.restore(local["lanes"])
        torch.set_rng_state(local["torch_random"].cpu())
        self.elapsed_s, self.events = checkpoint["elapsed_s"], checkpoint["events"]
        self.updates, self.history = checkpoint["updates"], checkpoint["history"]
        self.began_with = checkpoint["began_with"]


class _Recent:
    """Loss, norm and speed since they were last shown or taken; read from the device only then."""

    def __init__(self, fit: Fit) -> None:
        self._fit = fit
        self._losses: list[Tensor] = []
        self._shown = 0
        self._norm: Tensor | None = None
        self._events, self._elapsed_s = fit.events, fit.elapsed_s

    def add(self, loss: Tensor, norm: Tensor) -> None:
        self._losses.append(loss)
        self._norm = norm

    def show(self, watch: Watch | None) -> None:
        """Every process looks at the norm, which is the same in all: they end together."""
        fit = self._fit
        norm = float(self._norm) if self._norm is not None else 0.0
        if not math.isfinite(norm):
            raise FitError(f"no longer finite after {fit.events:,} events; lower matrix_lr and rest_lr")
        if not watch:
            return
        loss = float(torch.stack(self._losses[self._shown :]).mean())
        spent = fit.elapsed_s - self._elapsed_s
        speed = (fit.events - self._events) / spent if spent else 0.0
        left_s = fit.elapsed_s * (1 / fit.progress - 1) if fit.progress else math.inf
        values = {"events": float(fit.events), "loss/train": loss, "gradient/norm": norm}
        watch.updated(fit.progress, left_s, {**values, "speed/events_per_s": speed})
        self._shown, self._events, self._elapsed_s = len(self._losses), fit.events, fit.elapsed_s

    def taken(self) -> float:
        """The mean loss since the last time; NaN if there was no update."""
        mean = float(torch.stack(self._losses).mean()) if self._losses else math.nan
        self._losses, self._shown = [], 0
        return mean
