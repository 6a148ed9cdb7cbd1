"""Damaged bundles: each is refused in one line, or it plays. The process survives them all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from liveperf.conditioning import Conditioning
from liveperf.events import Vocabulary
from tests.fuzz.tools import counts, times

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Bundles of a few kilobytes, fp32 and int8, so that damage mostly hits what is not a weight."""
    torch = pytest.importorskip("torch")
    from train.export import export
    from train.model import PerformanceRNN

    torch.manual_seed(0)
    sizes = {"steps_per_second": 10, "max_shift": 3, "velocity_bins": 2}
    network = PerformanceRNN(Vocabulary(**sizes), Conditioning().size, 2, 4, 4)
    card = {"name": "small", "vocabulary": sizes, "licence": "", "data": "", "training": {}, "scores": {}}
    folder = tmp_path_factory.mktemp("bundles")
    paths = [folder / "fp32.onnx", folder / "int8.onnx"]
    for path in paths:
        export(network, card, path, int8=path.stem == "int8")
    return paths


@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_bundle_is_refused_or_plays(seed: int, small: list[Path]) -> None:
    number = times(1000)
    command = [sys.executable, "-m", "tests.fuzz.bundles", str(seed), str(number), *map(str, small)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60 + number / 10)
    assert done.returncode == 0, (done.stdout[-200:], done.stderr[-3000:])
    found = re.search(r"(\d+) refused, (\d+) played", done.stdout)
    assert found is not None
    refused, played = map(int, found.groups())
    assert refused + played == number
    assert refused and played
    counts["damaged bundles"] += number
    counts["of them refused"] += refused
