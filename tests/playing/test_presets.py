"""Whole settings: in their order, with what they name and nothing else; one that is broken changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from liveperf.events import MAGENTA, OORE
from liveperf.mapping.controls import Action
from liveperf.model import bundle
from liveperf.model.bundle import BundleError
from liveperf.params import Params
from liveperf.playing.presets import Presets
from liveperf.setup.config import Config, ConfigError, find_preset, load, shipped_presets
from tests.dice import dice_bundle


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    """A preset of parameters, one of knobs, one of a model that is not there, one that is broken."""
    texts = {
        "first": "mode: duet\ndensity: 6\n",
        "second": "temperature: 0.5\nknobs: {20: density}\n",
        "missing": "model: nowhere.onnx\n",
        "broken": "mood: blue\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tuple(str(tmp_path / f"{name}.yaml") for name in texts)


def test_they_go_round_in_their_order_either_way(files: tuple[str, ...]) -> None:
    presets = Presets(Config(presets=files[:2]), OORE)
    names = [presets.change(Action("next_preset"))[0] for _ in range(3)]
    assert names == ["first", "second", "first"]
    assert presets.change(Action("previous_preset"))[0] == "second"
    assert presets.change(Action("preset", 0))[0] == "first"
    assert presets.change(Action("preset", 5))[0] == "second"  # programs beyond the last begin anew


def test_a_preset_is_its_own_parameters_and_the_usual_ones(files: tuple[str, ...]) -> None:
    presets = Presets(Config(presets=files[:2], params=Params(polyphony=3)), OORE)
    _, change = presets.change(Action("preset", 0))
    assert change.params == Params(mode="duet", density=6)
    assert change.controls is None and change.generator is None  # those stay
    _, change = presets.change(Action("preset", 1))
    assert change.params == Params(temperature=0.5)
    assert change.controls is not None and change.controls.entries[0].to == "density"


def test_what_is_no_matter_of_presets_stays_as_it_is_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "evening.yaml").write_text("mode: solo\nchannel: 5\nthru: false\ninput: Nord\n")
    setup = Config(channel=3, output=("fluid",))
    presets = Presets(setup, OORE)
    with caplog.at_level("INFO"):
        change = presets.take(str(tmp_path / "evening.yaml"))
    assert change.params == Params(mode="solo") and change.channel is None
    assert presets.setup == replace(setup, params=Params(mode="solo"))
    assert caplog.messages == ["preset evening: its input, channel, thru would count at a start with it only"]


def test_one_that_cannot_be_used_changes_nothing(files: tuple[str, ...]) -> None:
    presets = Presets(Config(presets=files), OORE)
    presets.change(Action("preset", 0))
    with pytest.raises(BundleError, match="nowhere.onnx"):
        presets.change(Action("preset", 2))
    with pytest.raises(ConfigError, match="broken.yaml, line 1: unknown key 'mood'"):
        presets.change(Action("preset", 3))
    assert presets.change(Action("next_preset"))[0] == "second"


def test_it_goes_on_from_the_one_that_it_began_with() -> None:
    names = shipped_presets()
    assert Presets(Config(), OORE, names[0]).change(Action("next_preset"))[0] == names[1]


def test_another_model_is_loaded_and_the_same_is_not() -> None:
    presets = Presets(Config(model="something else"), OORE)
    _, change = presets.change(Action("next_preset"))
    assert change.generator is None


def test_a_model_of_other_events_is_refused_and_everything_stays(
    files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "load", lambda name: dice_bundle(MAGENTA)[0])
    presets = Presets(Config(presets=(files[0], files[2], files[1])), OORE)
    presets.change(Action("next_preset"))
    with pytest.raises(ConfigError, match="nowhere.onnx has other events .100 steps a second. than the one"):
        presets.change(Action("next_preset"))
    assert presets.change(Action("preset", 2))[1].generator is None  # the old model is still the one that plays


def test_one_may_be_asked_for_by_name(files: tuple[str, ...]) -> None:
    presets = Presets(Config(presets=files[:2]), OORE)
    assert presets.take("duet").params is not None  # it ships, and is not in the list
    presets.take(files[0])
    assert presets.change(Action("next_preset"))[0] == "second"


def test_a_presets_file_lies_beside_the_config_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mode: solo\n")
    (tmp_path / "setup.yaml").write_text("presets: [mine.yaml, duet]\n")
    setup = load(tmp_path / "setup.yaml")
    assert setup.presets == (str(tmp_path / "mine.yaml"), "duet")
    _, change = Presets(setup, OORE).change(Action("preset", 0))
    assert change.params == Params(mode="solo")


@pytest.mark.parametrize("name", shipped_presets())
def test_presets_that_ship_are_found_by_name(name: str) -> None:
    assert find_preset(name).is_file()


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no preset 'duets'; did you mean 'duet'?"):
        find_preset("duets")
