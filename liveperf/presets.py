"""Whole settings, switched while it plays: parameters, knobs and model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from liveperf import bundle
from liveperf.config import Config, find_preset, load, shipped_presets
from liveperf.controls import Action
from liveperf.engine import Change
from liveperf.generator import Generator
from liveperf.params import Params


class Presets:
    """The presets of a setup, and which of them is in force. Main thread only; a model may take a second."""

    def __init__(self, setup: Config, current: str | None = None) -> None:
        """current: the name of the one that it began with."""
        self.names = setup.presets or tuple(shipped_presets())
        self._setup = setup
        self._number = self.names.index(current) if current in self.names else -1

    def change(self, action: Action) -> tuple[str, Change]:
        """(the preset's name, what the engine is to change) for `preset`, `next_preset` or `previous_preset`.

        What a preset does not name is as in a fresh setup, but for ports, map and model, which stay. Raises
        ConfigError, BundleError; then everything stays as it was.
        """
        if action.name == "preset":
            number = (action.number or 0) % len(self.names)
        elif action.name == "next_preset":
            number = (self._number + 1) % len(self.names)
        else:
            number = (max(self._number, 0) - 1) % len(self.names)
        name = self.names[number]
        setup = load(find_preset(name), replace(self._setup, params=Params()))
        generator = None
        if setup.model != self._setup.model:
            generator = Generator(bundle.load(setup.model))
        controls = setup.map if setup.map != self._setup.map else None
        self._setup, self._number = setup, number
        return Path(name).stem, Change(setup.params, controls, generator)
