"""Checkpoints of `fit`: written whole or not at all, read without running what is in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from liveperf.conditioning import Conditioning
from liveperf.events import EventType, Vocabulary
from train.model import PerformanceRNN

_DESCRIBED = {
    *("config", "vocabulary", "processes", "elapsed_s", "events", "updates", "history", "began_with", "commit"),
    "data_hash",
}
_SIZES = {"layers": 3, "hidden": 512, "embedding": 256}  # the first runs named none


def write(path: Path, checkpoint: dict[str, Any]) -> None:
    """Replace a file atomically. Raises OSError."""
    part = path.with_name(path.name + ".part")
    torch.save(checkpoint, part)
    os.replace(part, path)


def read(path: Path, device: torch.device | None = None) -> dict[str, Any]:
    """What `fit` wrote; no code in it is run. Raises OSError, or ValueError if it is none."""
    booleans: list[Any] = [type(np.dtype(bool)), np.dtype, np.True_.__reduce__()[0]]  # older runs saved numpy's
    try:
        with torch.serialization.safe_globals(booleans):
            checkpoint: dict[str, Any] = torch.load(path, map_location=device or "cpu", weights_only=True)
        if not {"config", "vocabulary", "network", "events"} <= set(checkpoint):
            raise ValueError("parts are missing")
    except OSError:
        raise
    except Exception as error:  # torch's unpickler raises what it trips over
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"{path}: not a checkpoint of `fit` ({type(error).__name__}: {reason})") from error
    return checkpoint


def weights(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The network's parameters by name: averaged ones where there are any."""
    found: dict[str, Any] = checkpoint.get("average") or checkpoint["network"]
    return found


def load_network(path: Path) -> tuple[PerformanceRNN, dict[str, Any]]:
    """The network of a checkpoint, on the CPU, and the checkpoint itself. Raises as `read`."""
    checkpoint = read(path)
    sizes = {key: int(checkpoint["config"].get(key, value)) for key, value in _SIZES.items()}
    network = PerformanceRNN(Vocabulary(**checkpoint["vocabulary"]), Conditioning().size, **sizes)
    load_weights(network, weights(checkpoint))
    return network.eval(), checkpoint


def load_weights(network: PerformanceRNN, parameters: dict[str, Any]) -> None:
    """Take over a network's parameters; older ones that share no features have none."""
    shared = {name: torch.zeros_like(getattr(network, name)) for name in ("shared_in", "shared_out")}
    network.load_state_dict({**shared, **parameters})


def begin_with(network: PerformanceRNN, vocabulary: Vocabulary, checkpoint: dict[str, Any]) -> None:
    """Take over the parameters of a run of any vocabulary: an event's are those of the nearest in meaning."""
    parameters = dict(weights(checkpoint))
    rows = torch.from_numpy(nearest_events(vocabulary, Vocabulary(**checkpoint["vocabulary"])))
    for name in ("event.weight", "output.weight", "output.bias"):
        parameters[name] = parameters[name][rows.to(parameters[name].device)]
    load_weights(network, parameters)


def nearest_events(vocabulary: Vocabulary, other: Vocabulary) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The index in `other` [V] of what each event of `vocabulary` means there, or nearly."""
    scale = {
        EventType.TIME_SHIFT: other.steps_per_second / vocabulary.steps_per_second,
        EventType.VELOCITY: other.velocity_bins / vocabulary.velocity_bins,
    }
    ranges = {kind: (low, high) for kind, low, high in other.ranges}
    indices = []
    for event in vocabulary.events:
        low, high = ranges[event.type]
        value = round(event.value * scale.get(event.type, 1))
        indices.append(other.first[event.type] + min(max(value, low), high) - low)
    return np.array(indices)


def average(paths: Sequence[Path]) -> dict[str, Any]:
    """The mean of the networks of several runs that began with the same weights; it describes itself as the first.

    ValueError where they are of different kinds. After Wortsman et al. 2022, "Model soups".
    """
    networks, checkpoints = zip(*(load_network(path) for path in paths), strict=True)
    kinds = {(str(one["vocabulary"]), *(one["config"].get(key) for key in _SIZES)) for one in checkpoints}
    if len(kinds) > 1:
        raise ValueError(f"networks of different kinds have no mean: {', '.join(map(str, paths))}")
    parameters = [network.state_dict() for network in networks]
    mean = {name: torch.stack([one[name] for one in parameters]).mean(0) for name in parameters[0]}
    described = {key: value for key, value in checkpoints[0].items() if key in _DESCRIBED}
    return {**described, "network": mean, "averaged_with": [training(one) for one in checkpoints[1:]]}


def training(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The `training` entry of a bundle's card; of the config's paths only the corpus' name."""
    config = {key: value for key, value in checkpoint["config"].items() if key not in ("out", "init")}
    config["corpus"] = Path(config["corpus"]).name
    entry = {
        "config": config,
        "events": checkpoint["events"],
        "hours": round(checkpoint["elapsed_s"] / 3600, 3),
        "processes": checkpoint.get("processes", 1),
        "commit": checkpoint["commit"],
        "data_hash": checkpoint.get("data_hash", "unknown"),
        "last": checkpoint["history"][-1] if checkpoint["history"] else {},
    }
    for key in ("began_with", "averaged_with"):
        if checkpoint.get(key):
            entry[key] = checkpoint[key]
    return entry


def commit() -> str:
    """The commit of the checkout, with a + if it was changed; `unknown` outside one."""
    root = Path(__file__).parents[1]
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
