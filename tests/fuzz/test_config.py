"""Damaged setups and maps: each gives a setup, or one line that says why not, in bounded time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveperf.params import table
from liveperf.setup.config import MAPS, PRESETS, Config, ConfigError, parse, read_map
from tests.fuzz.tools import counts, damaged, times

ALL = settings(max_examples=times(500), deadline=None, suppress_health_check=list(HealthCheck))
SEEDS = [
    *(
        path.read_text(encoding="utf-8")
        for path in (*sorted(PRESETS.glob("*.yaml")), *sorted(MAPS.glob("*.yaml")))
    ),
    "map:\n  - {cc: 20, to: speed, encoder: binary_offset, tick: 0.02}\n",
]
KEYS = [
    *Config.__dataclass_fields__,
    "knobs",
    *(row.name for row in table()),
    "cc",
    "note",
    "to",
    "range",
    "values",
    "encoder",
    "tick",
]
WORDS = [
    *(
        "null",
        "true",
        "-1",
        "1e999",
        ".nan",
        ".inf",
        "9" * 5000,
        "0x" + "f" * 5000,
        "1:" * 500 + "1",
        "2024-13-45",
    ),
    *("!!python/object:os.system x", "!!binary =", "!!set {a}", "!!timestamp x", "? [a, b]", "<<: *a", "&a [*a]"),
    *(
        "[" * 50,
        "{a: " * 50,
        "- " * 50,
        "\t",
        "\0",
        "\ufeff",
        "%YAML 9.9\n---",
        "---\n---",
        "''",
        "0o7",
        "1_0",
        "=",
    ),
]
FILE = Path("setup.yaml")


def read(text: str) -> bool:
    """Whether it is a setup; anything but that and ConfigError fails."""
    counts["setups and maps"] += 1
    try:
        found = parse(text, FILE)
    except ConfigError as error:
        assert str(error).startswith("setup.yaml") and "\n" not in str(error)
        assert len(str(error)) < 3000, "not a line that one reads"
        return False
    assert isinstance(found, Config)
    return True


def read_as_map(text: str, folder: Path) -> None:
    """As a map's own file."""
    counts["setups and maps"] += 1
    path = folder / "some.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_map(str(path))
    except ConfigError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        assert len(str(error)) < 3000 + len(str(path)), "not a line that one reads"


@ALL
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    read(text)


yaml_like = st.recursive(
    st.sampled_from(WORDS[:10]) | st.integers().map(str) | st.floats().map(str) | st.sampled_from(KEYS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda all_: f"[{', '.join(all_)}]")
        | st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=3).map(
            lambda all_: "{" + ", ".join(f"{key}: {value}" for key, value in all_) + "}"
        )
    ),
    max_leaves=8,
)


@ALL
@given(st.lists(st.tuples(st.sampled_from(KEYS), yaml_like), max_size=5))
def test_any_value_of_any_key(drawn: list[tuple[str, str]]) -> None:
    read("\n".join(f"{key}: {value}" for key, value in drawn))


def test_damaged_setups_and_maps(tmp_path: Path) -> None:
    dice = random.Random(3)
    good = 0
    for _ in range(times(800)):
        text = dice.choice(SEEDS)
        if dice.random() < 0.5:
            words = text.split(" ")
            words[dice.randrange(len(words))] = dice.choice(WORDS + KEYS)
            text = " ".join(words)
        else:
            text = damaged(text.encode(), dice).decode("utf-8", "replace")
        good += read(text)
        read_as_map(text, tmp_path)
    assert good


BOMBS = {
    "a billion laughs": "a0: &a0 [ha, ha]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    + "map: *a11\n",
    "a billion merged keys": "k0: &k0 {a: 1}\n"
    + "".join(f"k{i}: &k{i} {{<<: [{', '.join([f'*k{i - 1}'] * 10)}]}}\n" for i in range(1, 9)),
    "as a parameter": "density: &a [1]\nmap: &b [*a, *a]\nknobs: {1: *b}\n",
    "a list within itself": "map: &a [*a]\n",
    "a table within itself": "knobs: &a {1: *a}\n",
    "a key within itself": "&a ? [*a] : 1\n",
    "ten thousand brackets": "map: " + "[" * 10_000,
    "ten thousand brackets, closed": "map: " + "[" * 10_000 + "]" * 10_000,
    "ten thousand tables": "knobs: " + "{a: " * 10_000,
    "a number of a million digits": "seed: " + "9" * 1_000_000,
    "a hexadecimal number of a million digits": "seed: 0x" + "f" * 1_000_000,
    "a sexagesimal number of ten thousand parts": "seed: 1" + ":59" * 10_000,
    "a sexagesimal float": "density: 1" + ":59" * 10_000 + ".5",
    "a name of a megabyte": "model: " + "x" * 1_000_000,
    "an unknown key of a megabyte": "x" * 1_000_000 + ": 1",
    "a wrong mode of a megabyte": "mode: " + "x" * 1_000_000,
    "a megabyte of binary": "thru: !!binary " + "QUJD" * 250_000,
    "a number as a key": "0x" + "f" * 5000 + ": 1",
    "a number in a list": "map: [0x" + "f" * 5000 + "]",
    "names on names": "a0: &a0 [x]\n"
    + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))
    + "map: *a1999",
    "twenty thousand keys": "\n".join(f"k{i}: 1" for i in range(20_000)),
    "a map that no file can be": 'map: "a\\0.yaml"',
    "a map of nobody": "map: ~nobody-of-that-name/map.yaml",
    "presets of nobody": "presets: [~nobody-of-that-name/one.yaml]",
    "three thousand entries": "map:\n" + "- {cc: 1, to: density}\n" * 3000,
}


@pytest.mark.parametrize("text", list(BOMBS.values()), ids=list(BOMBS))
def test_bombs(text: str, tmp_path: Path) -> None:
    read(text)
    read_as_map(text, tmp_path)
