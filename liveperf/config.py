"""YAML -> what an instrument is set up with, frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from liveperf.controls import DEFAULT, ControlMap
from liveperf.knobs import Entry, MapError, entry
from liveperf.params import ParamError, Params, nearest, row_named, table

BACKENDS = ("alsa", "jack", "coremidi", "winmm")
_HERE = Path(__file__).parent
# In a wheel the packages liveperf.maps and liveperf.presets; in a checkout the folders that they are made of.
MAPS = _HERE / "maps" if (_HERE / "maps").is_dir() else _HERE.parent / "configs" / "maps"
PRESETS = _HERE / "presets" if (_HERE / "presets").is_dir() else _HERE.parent / "configs" / "live"


class ConfigError(Exception):
    """A config that cannot be used; the message names file, line, value, what was expected.

    where: the keys and indices that lead to what is wrong, for the line.
    """

    def __init__(self, message: str, where: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.where = where


@dataclass(frozen=True)
class Config:
    """A setup. `input` and `output` are parts of port names (None: virtual ports).

    channel: the machine's, 1 to 16. feedback: part of the name of the controller's own port, which is sent the
    parameters' values; None: none is. input_channel: the only one that is listened to, 0 for all. thru_channel:
    where the human's own notes go, 0 for the channel they come on. presets: names or files, in order of program.
    """

    input: str | None = None
    output: str | None = None
    backend: str | None = None
    model: str = "maestro"
    seed: int | None = None
    channel: int = 1
    thru: bool = True
    params: Params = Params()
    map: ControlMap = DEFAULT
    feedback: str | None = None
    input_channel: int = 0
    thru_channel: int = 0
    presets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key, lowest in (("channel", 1), ("input_channel", 0), ("thru_channel", 0)):
            value = getattr(self, key)
            if not (_is_whole(value) and lowest <= value <= 16):
                raise ConfigError(f"{key} {value!r} is outside {lowest} to 16", (key,))
        if isinstance(self.presets, list):
            object.__setattr__(self, "presets", tuple(self.presets))
        if not (isinstance(self.presets, tuple) and all(isinstance(one, str) for one in self.presets)):
            raise ConfigError(f"presets {self.presets!r} is not a list of names or files", ("presets",))
        if not isinstance(self.thru, bool):
            raise ConfigError(f"thru {self.thru!r} is not true or false", ("thru",))
        if self.seed is not None and not _is_whole(self.seed):
            raise ConfigError(f"seed {self.seed!r} is not a whole number", ("seed",))
        for key in ("input", "output", "backend", "model", "feedback"):
            value = getattr(self, key)
            if not isinstance(value, str) and (value is not None or key == "model"):
                raise ConfigError(f"{key} {value!r} is not a name", (key,))
        if self.backend is not None and self.backend not in BACKENDS:
            raise ConfigError(f"backend {self.backend!r} is not one of {', '.join(BACKENDS)}", ("backend",))

    @property
    def knobs(self) -> dict[int, str]:
        """The plain controllers of the map: number -> parameter."""
        plain = [one for one in self.map.entries if one.source == "cc" and one.is_knob]
        return {one.number: one.to for one in plain if one.number is not None}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def load(path: Path, base: Config | None = None) -> Config:
    """Read a config file, on top of `base`; ConfigError says what is wrong with it."""
    return parse(_text(path), path, base)


def parse(text: str, path: Path, base: Config | None = None) -> Config:
    """The config that a text makes; `path` is for messages, and its folder for the maps named in the text."""
    values, node = _values(text, path)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a table of keys and values, found {type(values).__name__}")
    try:
        return apply(base or Config(), values, path.parent)
    except ConfigError as error:
        raise _in_file(error, path, node) from error


def apply(config: Config, values: dict[str, Any], folder: Path = Path()) -> Config:
    """The config with other values: its own keys, `knobs` and names of parameters, all at the top level.

    folder: where the path of a map begins.
    """
    own = [f.name for f in fields(Config) if f.name not in ("params", "map")]
    parameters = [row.name for row in table()]
    for key in values:
        if key not in (*own, "map", "knobs", *parameters):
            raise ConfigError(
                f"unknown key {key!r}{nearest(str(key), [*own, 'map', 'knobs', *parameters])}", (key,)
            )
    changed = {key: value for key, value in values.items() if key in own}
    if "map" in values or "knobs" in values:
        changed["map"] = _control_map(values, folder)
    params = _params(config.params, {key: value for key, value in values.items() if key in parameters})
    return replace(config, params=params, **changed)


def _params(params: Params, values: dict[str, Any]) -> Params:
    for key, value in values.items():
        try:
            row_named(key).check(value)
        except ParamError as error:
            raise ConfigError(str(error), (key,)) from error
    try:
        return params.replace(**values)
    except ParamError as error:  # two that do not fit together; either's line will do
        raise ConfigError(str(error), tuple(key for key in values if key in str(error))[:1]) from error


def _control_map(values: dict[str, Any], folder: Path) -> ControlMap:
    """What `map` and `knobs` make together."""
    said, knobs = values.get("map", []), values.get("knobs", {})
    if not isinstance(said, (str, list)):
        raise ConfigError(f"map {said!r} is neither a list of entries nor a map's name or file", ("map",))
    if not isinstance(knobs, dict):
        raise ConfigError(f"knobs {knobs!r} is not a table of controller numbers and parameters", ("knobs",))
    if isinstance(said, str):
        try:
            entries = list(read_map(said, folder).entries)
        except ConfigError as error:
            raise ConfigError(str(error), ("map",)) from error
    else:
        entries = _entries(said, ("map",))
    places: list[tuple[Any, ...]] = [("map", index) for index in range(len(entries))]
    for number, name in knobs.items():
        places.append(("knobs", number))
        try:
            entries.append(Entry("cc", number, str(name)))
        except MapError as error:
            raise ConfigError(f"knobs: {error}", places[-1]) from error
    return _joined(entries, places)


def read_map(name: str, folder: Path = Path()) -> ControlMap:
    """A map that ships, by its name, or one of a file; ConfigError says what is wrong with it.

    A name with a slash or an ending is a path, which begins in `folder`.
    """
    path = find_map(name, folder)
    values, node = _values(_text(path), path)
    if not isinstance(values, list):
        kind = type(values).__name__
        raise ConfigError(f"{path}: expected a list of entries, such as `- {{cc: 1, to: density}}`, found {kind}")
    try:
        return _joined(_entries(values, ()), [(index,) for index in range(len(values))])
    except ConfigError as error:
        raise _in_file(error, path, node) from error


def find_map(name: str, folder: Path = Path()) -> Path:
    """The file of a map; ConfigError names the nearest of those that ship if there is none of that name."""
    if Path(name).suffix or Path(name).name != name:
        return folder / Path(name).expanduser()
    if name not in shipped_maps():
        raise ConfigError(f"no map named {name!r}{nearest(name, shipped_maps())} (a file's name ends in .yaml)")
    return MAPS / f"{name}.yaml"


def shipped_maps() -> list[str]:
    """The names of the maps that ship."""
    return sorted(path.stem for path in MAPS.glob("*.yaml"))


def find_preset(name: str, folder: Path = Path()) -> Path:
    """The file of a preset that ships, by its name, or of a path; ConfigError names the nearest."""
    if Path(name).suffix or Path(name).name != name:
        return folder / Path(name).expanduser()
    if name not in shipped_presets():
        raise ConfigError(f"no preset {name!r}{nearest(name, shipped_presets())} (a file's name ends in .yaml)")
    return PRESETS / f"{name}.yaml"


def shipped_presets() -> list[str]:
    """The names of the presets that ship."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def _entries(said: list[Any], place: tuple[Any, ...]) -> list[Entry]:
    entries = []
    for index, one in enumerate(said):
        try:
            entries.append(entry(one))
        except MapError as error:
            raise ConfigError(str(error), (*place, index, error.key)) from error
    return entries


def _joined(entries: list[Entry], places: list[tuple[Any, ...]]) -> ControlMap:
    try:
        return ControlMap(tuple(entries))
    except MapError as error:
        raise ConfigError(str(error), places[error.entry or 0]) from error


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of true and false, for `scale: off` names a value; and no key comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                name = self.construct_object(key)
                if name in seen:
                    problem = f"the key {name!r} comes twice; take one out"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(name)
        return super().construct_mapping(node, deep)


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file") from error


def _values(text: str, path: Path) -> tuple[Any, yaml.Node | None]:
    """What a text says, and the nodes that know the lines."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return (None if node is None else loader.construct_document(node)), node
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not YAML: {getattr(error, 'problem', None) or error}") from error
    except (ValueError, RecursionError) as error:  # YAML in form, but 2024-13-45 is no date
        raise ConfigError(f"{path}: not YAML: {error}") from error


def _in_file(error: ConfigError, path: Path, node: yaml.Node | None) -> ConfigError:
    """The error with its file and line: that of the last key on the way to it that is there."""
    line = None
    for step in error.where:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(step)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
    return ConfigError(f"{path}{'' if line is None else f', line {line}'}: {error}")
