"""Who imports whom, read from the source: the core is pure, and the arrows point one way."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def module(path: Path) -> str:
    """The name under which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


LIVEPERF = {module(path): path for path in (ROOT / "liveperf").rglob("*.py") if module(path) != "liveperf"}
TRAIN = {f"train.{path.stem}": path for path in (ROOT / "train").glob("*.py")}

TOP = {name for name in LIVEPERF if name.count(".") == 1 and LIVEPERF[name].name != "__init__.py"}
NOT_PURE = {"liveperf.__main__", "liveperf.clock", "liveperf.daemon"}  # all else on the ground floor is the core
PURE_ROOMS = ("model", "sync", "mapping")
PURE = (
    TOP - NOT_PURE
    | {name for name in LIVEPERF if name.split(".")[1] in PURE_ROOMS}
    | {"liveperf.setup", "liveperf.setup.settings", "liveperf.playing", "liveperf.playing.items"}
    | {"liveperf.recording", "liveperf.recording.journalfile", "liveperf.recording.pianoroll"}
)
IMPURE = {"time", "threading", "socket", "rtmidi", "queue", "asyncio", "multiprocessing", "random", "secrets"}
ARROWS = ("events", "codec", "generator", "performer", "playing.engine", "daemon", "cli")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = f"{path.parent.name}.{module}".rstrip(".")
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def foreign(path: Path) -> set[str]:
    """The packages that a file imports."""
    return {name.partition(".")[0] for name in imports(path)}


GRAPH = {name: {one for one in imports(path) if one in LIVEPERF} - {name} for name, path in LIVEPERF.items()}


def reach(name: str) -> set[str]:
    """All of liveperf that comes along with a module."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for one in GRAPH[waiting.pop()] - found:
            found.add(one)
            waiting.append(one)
    return found


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_is_pure(name: str) -> None:
    assert not foreign(LIVEPERF[name]) & IMPURE
    assert reach(name) <= PURE


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("time", "clock"),
        ("rtmidi", "midi.ports"),
        ("onnxruntime", "model.network"),
        ("yaml", "setup.config"),
        ("ruamel", "setup.rewrite"),
        ("aiohttp", "remote.door remote.exchange remote.kept remote.site"),
        ("pythonosc", "remote.osc"),
        ("filelock", "system.lock"),
        ("platformdirs", "system.places"),
    ],
)
def test_some_packages_have_their_own_rooms(package: str, rooms: str) -> None:
    found = {name for name, path in LIVEPERF.items() if package in foreign(path)}
    assert found == {f"liveperf.{room}" for room in rooms.split()}


@pytest.mark.parametrize("name", sorted(LIVEPERF))
def test_what_is_for_training_stays_there(name: str) -> None:
    assert not foreign(LIVEPERF[name]) & {"torch", "onnx", "symusic", "matplotlib", "train", "tests"}


@pytest.mark.parametrize("name", sorted(TRAIN))
def test_training_needs_the_core_only(name: str) -> None:
    used = {one for one in imports(TRAIN[name]) if one in LIVEPERF}
    assert used <= PURE
    assert "tests" not in foreign(TRAIN[name])


def test_no_import_goes_in_a_circle() -> None:
    assert set(graphlib.TopologicalSorter(GRAPH).static_order()) == set(LIVEPERF)


@pytest.mark.parametrize(("lower", "upper"), list(zip(ARROWS, ARROWS[1:], strict=False)))
def test_arrows_point_one_way(lower: str, upper: str) -> None:
    assert f"liveperf.{lower}" in reach(f"liveperf.{upper}")
    assert f"liveperf.{upper}" not in reach(f"liveperf.{lower}")


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running some code."""
    program = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_no_more_than_it_needs() -> None:
    modules = loaded("import liveperf.cli; sys.argv = ['liveperf', 'play', '-h']; liveperf.cli.main()")
    assert "liveperf.cli" in modules
    assert not modules & {"torch", "onnxruntime", "rtmidi", "liveperf.daemon"}


def test_the_instrument_never_loads_torch() -> None:
    names = ", ".join(sorted(LIVEPERF.keys() - {"liveperf.__main__"}))
    modules = loaded(f"import {names}")
    assert "onnxruntime" in modules
    assert not modules & {"torch", "onnx", "symusic", "matplotlib", "train"}
