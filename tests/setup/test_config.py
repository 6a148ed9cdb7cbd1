"""Setups: presets load, and what is wrong with a file is one line that names it."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from liveperf.mapping.controls import DEFAULT, ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.params import Params
from liveperf.setup.config import MAPS, Config, ConfigError, apply, load, read_map, shipped_maps

PRESETS = sorted((Path(__file__).parents[2] / "configs" / "live").glob("*.yaml"))


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
    assert Config().map == DEFAULT
    assert Config().knobs == {1: "density", 74: "temperature", 7: "loudness"}


def test_many_keys(file: Path) -> None:
    file.write_text(
        "input: LPK25\noutput: [Fluid, Nord]\nbackend: jack\nmodel: rolls\nseed: 7\nchannel: 16\nthru: false\n"
        "mode: duet\ndensity: 4\nknobs: {20: top_p, 0: density}\nfeedback: nanoKONTROL2\n"
    )
    params = Params(mode="duet", density=4)
    knobs = ControlMap((Entry("cc", 20, "top_p"), Entry("cc", 0, "density")))
    ports: dict[str, Any] = {"input": ("LPK25",), "output": ("Fluid", "Nord"), "feedback": "nanoKONTROL2"}
    rest: dict[str, Any] = {"backend": "jack", "model": "rolls", "seed": 7, "channel": 16, "thru": False}
    expected = Config(**ports, **rest, params=params, map=knobs)
    assert load(file) == expected
    assert expected.knobs == {20: "top_p", 0: "density"}


def test_later_values_win() -> None:
    first = apply(Config(), {"channel": 3, "density": 4})
    second = apply(first, {"density": 8, "seed": 1})
    assert (first.params.density, second.params.density, second.channel, second.seed) == (4, 8, 3, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("temprature: 1", ", line 1: unknown key 'temprature'; did you mean 'temperature'?"),
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
        ("knobs: {120: density}", "knobs: cc 120 is not a controller from 0 to 119"),
        ("knobs: {64: density}", "other than the pedal, 64"),
        ("knobs: {true: density}", "knobs: cc True is not a controller"),
        ("knobs: {1: densty}", "knobs: unknown parameter or action 'densty'; did you mean 'density'?"),
        ("knobs: {1: [density]}", "knobs: unknown parameter"),
        (
            "mode: solo\n\nmap:\n  - {cc: 1, to: density}\n  - {cc: 200, to: top_p}",
            ", line 5: cc 200 is not a controller",
        ),
        (
            "map:\n  - cc: 1\n    to: densty",
            ", line 3: unknown parameter or action 'densty'; did you mean 'density'?",
        ),
        ("map:\n  - {cc: 1, to: density}\n  - {cc: 1, to: top_p}", ", line 3: CC 1 is already for density"),
        (
            "map:\n  - cc: 5\n    to: speed\n    range:\n      [4, 1]",
            ", line 4: range [4, 1] of speed does not go",
        ),
        ("map:\n  - {cc: 1, to: speed, rnage: [1, 2]}", ", line 2: unknown key 'rnage'; did you mean 'range'?"),
        (
            "map:\n  - {cc: 1, to: mode, button: toggle}",
            ", line 2: button toggle of mode (answer | solo | duet) needs",
        ),
        (
            "map:\n  - cc: 1\n    to: speed\n    encoder: relative",
            ", line 4: encoder 'relative' is not one of twos_complement, binary_offset, sign_magnitude",
        ),
        (
            "map:\n  - cc: 1\n    to: speed\n    encoder: binary_offset\n    pick_up: true",
            ", line 5: pick_up has no use here, for an endless knob goes on from whatever value is in force",
        ),
        (
            "map:\n  - {cc: 1, to: speed, tick: 0.1}",
            ", line 2: tick is for an endless knob: add `encoder`",
        ),
        ("map:\n  - density", ", line 2: 'density' is not an entry, such as {cc: 1, to: density}"),
        ("map: [{cc: 1, to: density}]\nknobs: {2: top_p, 1: speed}", ", line 2: CC 1 is already for density"),
        ("knobs:\n  2: top_p\n  64: speed", ", line 3: knobs: cc 64 is not a controller"),
        ("knobs: {1: density, 1: top_p}", ", line 1: not YAML: the key 1 comes twice; take one out"),
        ("density: 1\ndensity: 2", ", line 2: not YAML: the key 'density' comes twice"),
        ("mode: solo\nmap:", ", line 2: map None is neither a list of entries nor a map's name or file"),
        ("map: {cc: 1}", "neither a list of entries nor a map's name or file"),
        ("map: nanokontrol2", ", line 1: no map named 'nanokontrol2'; did you mean 'korg-nanokontrol2'?"),
        ("map: mine.yaml", ", line 1: "),
        ("feedback: [1]", ", line 1: feedback [1] is not a name"),
        ("mode: solo\nlowest_pitch: 120", ", line 2: lowest_pitch 120 is above highest_pitch 108"),
        ("mode: solo\n\nchannel: 17", ", line 3: channel 17 is outside"),
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


def test_on_and_off_are_values(file: Path) -> None:
    file.write_text("scale: off\nkey_lock: on\nmap: [{cc: 1, to: key_lock, button: toggle, values: [on, off]}]\n")
    setup = load(file)
    assert (setup.params.scale, setup.params.key_lock) == ("off", "on")
    assert setup.map.entries[0].values == ("on", "off")


# maps


def test_a_map_and_knobs_are_one(file: Path) -> None:
    file.write_text("map:\n  - {cc: 1, to: density}\n  - {note: 36, channel: 10, to: turn}\nknobs: {20: top_p}\n")
    setup = load(file)
    assert setup.map == ControlMap(
        (Entry("cc", 1, "density"), Entry("note", 36, "turn", 10), Entry("cc", 20, "top_p"))
    )
    assert setup.knobs == {1: "density", 20: "top_p"}
    file.write_text("map: []\n")
    assert load(file).map == ControlMap()


def test_a_map_by_name_and_by_file(file: Path) -> None:
    file.write_text("map: korg-nanokontrol2\nknobs: {100: density}\n")
    assert load(file).map.entries == (*read_map("korg-nanokontrol2").entries, Entry("cc", 100, "density"))
    folder = file.parent / "maps"
    folder.mkdir()
    (folder / "mine.yaml").write_text("- {cc: 3, to: speed}\n")
    file.write_text("map: maps/mine.yaml\n")
    assert load(file).map == ControlMap((Entry("cc", 3, "speed"),))
    assert apply(Config(), {"map": "mine.yaml"}, folder).map == ControlMap((Entry("cc", 3, "speed"),))
    (folder / "mine.yaml").write_text("- {cc: 3, to: speed}\n- {cc: 4, to: sped}\n")
    assert (
        refusal(file)
        == f", line 1: {folder / 'mine.yaml'}, line 2: unknown parameter or action 'sped'; did you mean 'speed'?"
    )
    (folder / "mine.yaml").write_text("mode: solo\n")
    assert "mine.yaml: expected a list of entries, such as `- {cc: 1, to: density}`, found dict" in refusal(file)


def test_maps_ship() -> None:
    assert {"generic-8-knobs", "wheel-and-pedal", "akai-mpk-mini-mk3", "korg-nanokontrol2"} <= set(shipped_maps())


@pytest.mark.parametrize("name", shipped_maps())
def test_a_map_loads_and_says_what_it_is_and_where_from(name: str) -> None:
    control_map = read_map(name)
    text = (MAPS / f"{name}.yaml").read_text(encoding="utf-8")
    comment = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert text.startswith("# ")
    assert re.search(r"MIDI 1\.0 table|https://|share/midi_maps/|examples/", comment)
    assert any(one.to == "density" for one in control_map.entries)
    assert all(len(line) <= 115 for line in text.splitlines())


def test_a_wheel_holds_every_room() -> None:
    root = PRESETS[0].parents[2]
    setup = ConfigParser()
    setup.read(root / "setup.cfg")
    rooms = {".".join(path.parent.relative_to(root).parts) for path in (root / "liveperf").rglob("__init__.py")}
    assert set(setup["options"]["packages"].split()) == rooms | {"liveperf.maps", "liveperf.presets"}


@pytest.mark.parametrize(
    ("package", "folder"), [("liveperf.maps", "configs/maps"), ("liveperf.presets", "configs/live")]
)
def test_a_wheel_holds_the_files(package: str, folder: str) -> None:
    setup = ConfigParser()
    setup.read(PRESETS[0].parents[2] / "setup.cfg")
    assert package in setup["options"]["packages"].split()
    assert f"{package} = {folder}" in setup["options"]["package_dir"]
    assert setup["options.package_data"][package] == "*.yaml"
