"""YAML -> what an instrument is set up with, frozen."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from liveperf.mapping.controls import ControlMap
from liveperf.mapping.knobs import Entry, MapError, entry
from liveperf.params import ParamError, Params, nearest, row_named, table
from liveperf.setup.settings import BACKENDS, Config, ConfigError

__all__ = ["BACKENDS", "Config", "ConfigError"]

_HERE = Path(__file__).parents[1]
# In a wheel the packages liveperf.maps and liveperf.presets; in a checkout the folders that they are made of.
MAPS = _HERE / "maps" if (_HERE / "maps").is_dir() else _HERE.parent / "configs" / "maps"
PRESETS = _HERE / "presets" if (_HERE / "presets").is_dir() else _HERE.parent / "configs" / "live"

LARGEST, MOST, DEEPEST, LONGEST = 1 << 17, 10_000, 20, 1000  # characters, values, levels; characters of a value


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

    folder: where the path of a map or a preset begins.
    """
    own = [f.name for f in fields(Config) if f.name not in ("params", "map")]
    parameters = [row.name for row in table()]
    for key in values:
        if key not in (*own, "map", "knobs", *parameters):
            raise ConfigError(
                f"unknown key {key!r}{nearest(str(key), [*own, 'map', 'knobs', *parameters])}", (key,)
            )
    changed = {key: value for key, value in values.items() if key in own}
    if isinstance(values.get("presets"), list):
        changed["presets"] = [_in_folder(one, folder) for one in values["presets"]]
    if "map" in values or "knobs" in values:
        changed["map"] = _control_map(values, folder)
    params = _params(config.params, {key: value for key, value in values.items() if key in parameters})
    return replace(config, params=params, **changed)


def _in_folder(preset: object, folder: Path) -> object:
    """A preset's file where it lies; a name stays a name."""
    if isinstance(preset, str) and (Path(preset).suffix or Path(preset).name != preset):
        return str(_path(preset, folder))
    return preset


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
        return _path(name, folder)
    if name not in shipped_maps():
        raise ConfigError(f"no map named {name!r}{nearest(name, shipped_maps())} (a file's name ends in .yaml)")
    return MAPS / f"{name}.yaml"


def _path(name: str, folder: Path) -> Path:
    try:
        return folder / Path(name).expanduser()
    except RuntimeError as error:  # ~somebody/map.yaml
        raise ConfigError(f"{name!r} begins in the home of a user who is not there") from error


def shipped_maps() -> list[str]:
    """The names of the maps that ship."""
    return sorted(path.stem for path in MAPS.glob("*.yaml"))


def find_preset(name: str, folder: Path = Path()) -> Path:
    """The file of a preset that ships, by its name, or of a path; ConfigError names the nearest."""
    if Path(name).suffix or Path(name).name != name:
        return _path(name, folder)
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
        with path.open(encoding="utf-8") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or a name that no file can have
        raise ConfigError(f"{path}: not a text file") from error


def _values(text: str, path: Path) -> tuple[Any, yaml.Node | None]:
    """What a text says, and the nodes that know the lines."""
    if len(text) > LARGEST:
        raise ConfigError(f"{path}: over {LARGEST >> 10} KiB, which is no setup or map")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, None
            _measure(node, {})
            return loader.construct_document(node), node
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{path}{where}: not YAML: {_short(problem)}") from error
    except Exception as error:  # YAML in form, but 2024-13-45 is no date; PyYAML raises what it trips over
        raise ConfigError(f"{path}: not YAML: {_short(error)}") from error


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]], depth: int = 0) -> tuple[int, int]:
    """How many things a node holds, those that it repeats (`*name`) counted each time, and how deeply.

    YAMLError if it is too much: a few lines that repeat each other can stand for billions.
    """
    if id(node) in known:
        return known[id(node)]
    size, height, problem = 1, 0, None
    if isinstance(node, yaml.ScalarNode):
        if len(node.value) > LONGEST:
            problem = f"a value of {len(node.value)} characters; up to {LONGEST} are read"
    elif depth <= DEEPEST:
        for child in itertools.chain(*node.value) if isinstance(node, yaml.MappingNode) else node.value:
            more, high = _measure(child, known, depth + 1)
            size, height = size + more, max(height, high + 1)
            if size > MOST:
                problem = f"over {MOST} values, repeated ones counted each time"
                break
    if max(depth, height) > DEEPEST:
        problem = f"nested more than {DEEPEST} deep"
    if problem:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    known[id(node)] = size, height
    return size, height


def _short(said: object) -> str:
    """One line of what may be a long text."""
    line = " ".join(str(said).split("\n"))
    return line if len(line) <= 500 else f"{line[:497]}..."


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
    return ConfigError(f"{path}{'' if line is None else f', line {line}'}: {_short(error)}")
