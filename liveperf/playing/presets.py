"""Whole settings, switched while it plays: parameters, knobs and model."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from liveperf.events import Vocabulary
from liveperf.generator import Generator
from liveperf.mapping.controls import Action
from liveperf.model import bundle
from liveperf.params import Params, nearest
from liveperf.playing.items import Change
from liveperf.setup.config import Config, ConfigError, find_preset, load, shipped_presets
from liveperf.system.logs import LOG


class Presets:
    """The presets of a setup, and which of them is in force. A model may take a second.

    Main thread only, but for `find`.
    """

    def __init__(self, setup: Config, vocabulary: Vocabulary, current: str | None = None) -> None:
        """setup: what is in force. vocabulary: of the model that plays. current: the preset that it began with."""
        self.names = setup.presets or tuple(shipped_presets())
        self.setup, self._vocabulary = setup, vocabulary
        self._number = self.names.index(current) if current in self.names else -1
        self.current = None if current is None else Path(current).stem  # in force, be it in the list or not

    def change(self, action: Action) -> tuple[str, Change]:
        """(the preset's name, what the engine is to change) for `preset`, `next_preset` or `previous_preset`.

        Raises ConfigError, BundleError; then everything stays as it was.
        """
        if action.name == "preset":
            number = (action.number or 0) % len(self.names)
        elif action.name == "next_preset":
            number = (self._number + 1) % len(self.names)
        else:
            number = (max(self._number, 0) - 1) % len(self.names)
        change = self.take(self.names[number])
        self._number = number
        return str(self.current), change

    def find(self, name: str, file: bool) -> str:
        """A preset that ships or that the setup names, as `take` wants it; `file`: or a file that is there.

        Raises ConfigError. Any thread.
        """
        known = {one: one for one in shipped_presets()} | {Path(one).stem: one for one in self.names}
        if name not in known and not file:
            remedy = "(`liveperf preset FILE`, on its own machine, takes files)"
            raise ConfigError(f"no preset {name!r}{nearest(name, list(known))} {remedy}")
        path = find_preset(known.get(name, name))
        if not path.is_file():
            raise ConfigError(f"no preset {name!r}: there is no file {path}")
        return known.get(name, name)

    def take(self, name: str) -> Change:
        """What the engine is to change for a preset of a name or file, be it in the list or not.

        Parameters that it does not name are as in a fresh setup; map and model stay. All else that it names stays,
        too: ports and channels are for the start. Raises as `change`.
        """
        asked = load(find_preset(name), replace(self.setup, params=Params()))
        setup = replace(self.setup, params=asked.params, map=asked.map, model=asked.model)
        change = self.turn_to(setup)
        others = [one.name for one in fields(Config) if getattr(asked, one.name) != getattr(setup, one.name)]
        if others:
            LOG.info(f"preset {Path(name).stem}: its {', '.join(others)} would count at a start with it only")
        self._number = self.names.index(name) if name in self.names else self._number
        self.current = Path(name).stem
        return change

    def turn_to(self, setup: Config) -> Change:
        """What the engine is to change for another setup. Raises as `change`."""
        generator = None
        if setup.model != self.setup.model:
            generator = Generator(bundle.load(setup.model))
            if generator.vocabulary != self._vocabulary:
                steps = generator.vocabulary.steps_per_second
                raise ConfigError(
                    f"model {setup.model} has other events ({steps:g} steps a second) than the one that plays "
                    f"({self._vocabulary.steps_per_second:g}): start anew with it"
                )
        controls = setup.map if setup.map != self.setup.map else None
        self.setup = setup
        return Change(setup.params, controls, generator)
