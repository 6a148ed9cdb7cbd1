"""What the engine is handed, what it says, and what it has counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mido

from liveperf.generator import Generator
from liveperf.mapping.controls import Action, ControlMap
from liveperf.params import Params
from liveperf.state import GeneratorState


@dataclass(frozen=True, slots=True)
class Received:
    """A message of the human, and when it arrived (s)."""

    at: float
    message: mido.Message


@dataclass(frozen=True, slots=True)
class Change:
    """Another setting: of parameters, knobs, model, channel; None leaves what is."""

    params: Params | None = None
    controls: ControlMap | None = None
    generator: Generator | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """Other values for some parameters, which stay as they are if the values do not fit."""

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Do:
    """One of `knobs.ACTIONS`."""

    action: Action


@dataclass(frozen=True, slots=True)
class Prime:
    """What a model has heard of a performance: it counts as the last that was played, if that model is in use."""

    generator: Generator
    heard: GeneratorState


@dataclass(frozen=True, slots=True)
class Stop:
    """End the thread."""


Item = Received | Change | Set | Do | Prime | Stop
News = str | Action
"""What the engine has to say: something for the musician to read, or a preset that is asked for."""


@dataclass
class Counts:
    """What has happened so far. Read from any thread, written by the engine's."""

    notes_in: int = 0
    notes_out: int = 0
    delays: int = 0  # times that the timeline had to move
