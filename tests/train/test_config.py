"""What a run is made of: a file names what differs, and what it cannot be is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.config import FitConfig


def test_a_config_file_names_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("lanes: 4\nmatrix_lr: 5e-4\nhours: 1\n")  # YAML 1.1 takes 5e-4 for text
    config = FitConfig.load(path)
    assert config == FitConfig(lanes=4, matrix_lr=5e-4, hours=1.0)
    assert isinstance(config.hours, float)
    path.write_text("bf16: false\nevents: 4e7\nname: mine\n")
    assert FitConfig.load(path) == FitConfig(bf16=False, events=40_000_000.0, name="mine")
    path.write_text("")
    assert FitConfig.load(path) == FitConfig()


def test_an_unknown_key_of_a_config_file_raises(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("lanes: 4\nlane: 3\nspeed: 9\n")
    with pytest.raises(ValueError, match=r"run.yaml: unknown keys \['lane', 'speed'\]"):
        FitConfig.load(tmp_path / "run.yaml")


def test_published_configs_load() -> None:
    for path in sorted((Path(__file__).parents[2] / "configs/train").glob("*.yaml")):
        FitConfig.load(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("lanes: 0", "lanes 0: expected 1 or more"),
        ("lanes: 2.5", "lanes 2.5: expected a whole number"),
        ("lanes: true", "lanes True: expected a whole number"),
        ("hours: long", "hours 'long': expected a number"),
        ("hours: .nan", "hours nan: expected a number"),
        ("hours: 0", "a run needs an end"),
        ("dropout: 1", "dropout 1.0: expected from 0 to below 1"),
        ("conditioned: 1.5", "conditioned 1.5: expected from 0 to 1"),
        ("matrix_lr: -1", "matrix_lr -1.0: expected above 0"),
        ("bf16: 1", "bf16 1: expected true or false"),
        ("corpus: 7", "corpus 7: expected text"),
        ("transpose: -1", "transpose -1: expected 0 or more"),
        ("- lanes", "expected a table of keys and values, found list"),
    ],
)
def test_what_a_run_cannot_be_is_said(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ValueError, match="run.yaml: ") as caught:
        FitConfig.load(tmp_path / "run.yaml")
    assert reason in str(caught.value)
