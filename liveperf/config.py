"""YAML -> what an instrument is set up with, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from liveperf.params import Params, nearest, row_named, table
from liveperf.voices import PEDAL

BACKENDS = ("alsa", "jack", "coremidi", "winmm")
DEFAULT_KNOBS = {1: "density", 74: "temperature"}


class ConfigError(Exception):
    """A config that cannot be used; the message names file, key, value, what was expected."""


@dataclass(frozen=True)
class Config:
    """A setup. `input` and `output` are parts of port names (None: virtual ports); channel is 1 to 16."""

    input: str | None = None
    output: str | None = None
    backend: str | None = None
    model: str = "maestro"
    seed: int | None = None
    channel: int = 1
    thru: bool = True
    params: Params = Params()
    knobs: dict[int, str] = field(default_factory=lambda: dict(DEFAULT_KNOBS))

    def __post_init__(self) -> None:
        if not (_is_whole(self.channel) and 1 <= self.channel <= 16):
            raise ConfigError(f"channel {self.channel!r} is outside 1 to 16")
        if not isinstance(self.thru, bool):
            raise ConfigError(f"thru {self.thru!r} is not true or false")
        if self.seed is not None and not _is_whole(self.seed):
            raise ConfigError(f"seed {self.seed!r} is not a whole number")
        for key in ("input", "output", "backend", "model"):
            value = getattr(self, key)
            if not isinstance(value, str) and (value is not None or key == "model"):
                raise ConfigError(f"{key} {value!r} is not a name")
        if self.backend is not None and self.backend not in BACKENDS:
            raise ConfigError(f"backend {self.backend!r} is not one of {', '.join(BACKENDS)}")
        if not isinstance(self.knobs, dict):
            raise ConfigError(f"knobs {self.knobs!r} is not a table of controller numbers and parameters")
        for number, name in self.knobs.items():
            if not (_is_whole(number) and 0 <= number <= 119) or number == PEDAL:
                raise ConfigError(f"knobs: {number!r} is not a controller from 0 to 119 other than the pedal, 64")
            try:
                row_named(str(name))
            except ValueError as error:
                raise ConfigError(f"knobs: {error}") from error


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def load(path: Path) -> Config:
    """Read a config file; ConfigError says what is wrong with it."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not YAML: {getattr(error, 'problem', None) or error}") from error
    except (ValueError, RecursionError) as error:  # YAML in form, but 2024-13-45 is no date
        raise ConfigError(f"{path}: not YAML: {error}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a table of keys and values, found {type(values).__name__}")
    try:
        return apply(Config(), values)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error


def apply(config: Config, values: dict[str, Any]) -> Config:
    """The config with other values: its own keys and names of parameters, all at the top level."""
    own = [f.name for f in fields(Config) if f.name != "params"]
    parameters = [row.name for row in table()]
    for key in values:
        if key not in own and key not in parameters:
            raise ConfigError(f"unknown key {key!r}{nearest(str(key), own + parameters)}")
    params = config.params.replace(**{key: value for key, value in values.items() if key in parameters})
    return replace(config, params=params, **{key: value for key, value in values.items() if key in own})
