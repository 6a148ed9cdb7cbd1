"""Setups: presets load, and what is wrong with a file is one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from liveperf.config import DEFAULT_KNOBS, Config, ConfigError, apply, load
from liveperf.params import Params

PRESETS = sorted((Path(__file__).parents[1] / "configs" / "live").glob("*.yaml"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to write a setup to."""
    return tmp_path / "setup.yaml"


def refusal(file: Path) -> str:
    """What is said of a file, after its name."""
    with pytest.raises(ConfigError) as refused:
        load(file)
    said = str(refused.value)
    assert said.startswith(str(file))
    return said[len(str(file)) :]


def test_presets_ship() -> None:
    assert {"duet", "nocturne", "toccata"} <= {path.stem for path in PRESETS}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_loads_and_says_what_it_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert load(path).params != Params()


def test_an_empty_file_is_the_default(file: Path) -> None:
    file.write_text("# nothing yet\n")
    assert load(file) == Config()
    assert Config().knobs == DEFAULT_KNOBS


def test_all_keys(file: Path) -> None:
    file.write_text(
        "input: LPK25\noutput: Fluid\nbackend: jack\nmodel: rolls\nseed: 7\nchannel: 16\nthru: false\n"
        "mode: duet\ndensity: 4\nknobs: {20: top_p, 0: density}\n"
    )
    params = Params(mode="duet", density=4)
    knobs = {20: "top_p", 0: "density"}
    assert load(file) == Config("LPK25", "Fluid", "jack", "rolls", 7, 16, False, params, knobs)


def test_later_values_win() -> None:
    first = apply(Config(), {"channel": 3, "density": 4})
    second = apply(first, {"density": 8, "seed": 1})
    assert (first.params.density, second.params.density, second.channel, second.seed) == (4, 8, 3, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("temprature: 1", "unknown key 'temprature'; did you mean 'temperature'?"),
        ("chanel: 1", "did you mean 'channel'?"),
        ("params: {density: 1}", "unknown key 'params'"),
        ("1: 2", "unknown key 1; there are answer_length, "),
        ("zzzzz: 2", "there are answer_length, "),
        ("density: 99", "density 99 is outside 0 to 32 notes/s"),
        ("density: lots", "density 'lots' is not a number (0 to 32 notes/s)"),
        ("density:", "density None is not a number (0 to 32 notes/s)"),
        ("polyphony: 2.5", "polyphony 2.5 is not a whole number (1 to 128 notes)"),
        ("mode: jazz", "mode 'jazz' is not one of answer, solo, duet"),
        ("lowest_pitch: 120", "lowest_pitch 120 is above highest_pitch 108"),
        ("channel: 17", "channel 17 is outside 1 to 16"),
        ("channel: one", "channel 'one' is outside 1 to 16"),
        ("channel: true", "channel True is outside 1 to 16"),
        ("thru: 1", "thru 1 is not true or false"),
        ("seed: 1.5", "seed 1.5 is not a whole number"),
        ("seed: true", "seed True is not a whole number"),
        ("input: 3", "input 3 is not a name"),
        ("model:", "model None is not a name"),
        ("knobs: [1]", "knobs [1] is not a table of controller numbers and parameters"),
        ("knobs:", "knobs None is not a table"),
        ("knobs: {120: density}", "knobs: 120 is not a controller from 0 to 119"),
        ("knobs: {64: density}", "other than the pedal, 64"),
        ("knobs: {true: density}", "knobs: True is not a controller"),
        ("knobs: {1: densty}", "knobs: unknown parameter 'densty'; did you mean 'density'?"),
        ("knobs: {1: [density]}", "knobs: unknown parameter"),
        ("- solo", "expected a table of keys and values, found list"),
        ("solo", "expected a table of keys and values, found str"),
        ("mode: [solo", ", line 1: not YAML: "),
        ("mode: solo\n\tdensity: 1", ", line 2: not YAML: "),
        ("mode: !!python/object/apply:os.getcwd []", "not YAML: could not determine a constructor"),
        ("{[1]: 2}: 3", "not YAML: "),
        ("mode: \0", "not YAML: "),
        ("density: 2024-13-45", "not YAML: month must be in 1..12"),
        ("seed: 0x_", "not YAML: "),
        ("channel: " + "9" * 5000, ": "),
        ("[" * 2000, "not YAML: "),
    ],
)
def test_a_wrong_value_is_named(text: str, said: str, file: Path) -> None:
    file.write_text(text)
    assert said in refusal(file)


def test_what_is_no_text_file(tmp_path: Path) -> None:
    (tmp_path / "image.yaml").write_bytes(b"\x89PNG\xff")
    assert refusal(tmp_path / "image.yaml") == ": not a text file"
    assert refusal(tmp_path / "missing.yaml") == ": No such file or directory"
    assert refusal(tmp_path) == ": Is a directory"
