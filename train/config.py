"""What a training run is made of: YAML -> FitConfig."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class FitConfig:
    """One run; a YAML file names what differs from these defaults."""

    corpus: str = "corpus"  # a prepared one
    out: str = "runs/mine"
    init: str = ""  # a checkpoint with whose weights to begin, of this vocabulary or another
    name: str = ""  # of the bundle; left out: that of `out`
    licence: str = "not stated"  # of the weights
    data: str = "not stated"  # what it was trained on, in words

    hours: float = 2.0  # the run's length on the clock, 0 for no limit; the learning rates fall to zero over it
    events: float = 0.0  # its length in events, 0 for no limit; where both are given, what comes first
    lanes: int = 32  # pieces side by side, in each process
    chunk: int = 64  # events between two updates
    muon: bool = True  # on the LSTM matrices; false: AdamW there, too, at `matrix_lr`
    matrix_lr: float = 5e-3
    rest_lr: float = 2e-3  # of everything else, AdamW
    warmup: float = 0.005  # part of the run
    clip: float = 1.0  # gradient norm
    average: float = 0.998  # the weights that are scored and exported: how much of it stays at each update

    layers: int = 3
    hidden: int = 512  # units in each
    embedding: int = 256
    dropout: float = 0.0  # part of what goes into each layer, and of what comes out of the last

    transpose: int = 0  # semitones, at most, up or down, as far as the pitches allow
    tempo: float = 0.0  # at most so much faster or slower: 0.05 is 5 %
    loudness: int = 0  # velocity bins, at most, up or down
    conditioned: float = 0.4  # how often density, and how often pitch classes, are told

    seed: int = 0
    threads: int = 0  # of each process; 0: what torch thinks best
    bf16: bool = True  # false for processors that do not have it
    checkpoint_minutes: float = 10.0

    def __post_init__(self) -> None:
        if self.hours <= 0 and self.events <= 0:
            raise ValueError("a run needs an end: `hours` or `events` above 0")
        for name in ("lanes", "chunk", "layers", "hidden", "embedding"):
            self._check(name, getattr(self, name) >= 1, "1 or more")
        for name in ("hours", "events", "threads", "transpose", "loudness", "seed"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        for name in ("matrix_lr", "rest_lr", "clip", "checkpoint_minutes"):
            self._check(name, getattr(self, name) > 0, "above 0")
        for name in ("average", "dropout", "tempo", "warmup"):
            self._check(name, 0 <= getattr(self, name) < 1, "from 0 to below 1")
        self._check("conditioned", 0 <= self.conditioned <= 1, "from 0 to 1")

    def _check(self, name: str, fine: bool, expected: str) -> None:
        if not fine:
            raise ValueError(f"{name} {getattr(self, name)!r}: expected {expected}")

    @classmethod
    def load(cls, path: Path) -> FitConfig:
        """Read YAML; ValueError names an unknown key, or a value that does not fit."""
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise ValueError(f"{path}: expected a table of keys and values, found {type(values).__name__}")
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"{path}: unknown keys {sorted(map(str, unknown))}")
        try:
            return cls(**{key: _converted(key, value, type(getattr(cls, key))) for key, value in values.items()})
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _converted(key: str, value: Any, kind: type) -> Any:
    """YAML 1.1 reads 5e-3 as text, and 2 where 2.0 is meant."""
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{key} {value!r}: expected true or false")
        return value
    if kind is str:
        if not isinstance(value, str):
            raise ValueError(f"{key} {value!r}: expected text")
        return value
    try:
        number = float(value)
        if isinstance(value, bool) or number != kind(number):  # 3.5 lanes, or not a number at all
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        expected = "a whole number" if kind is int else "a number"
        raise ValueError(f"{key} {value!r}: expected {expected}") from None
    return kind(number)
