"""A run learns; interrupted, killed or in two processes, it is the same run."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from liveperf.events import MAGENTA, OORE, EventType
from liveperf.model import bundle
from train import checkpoint as checkpoints
from train.checkpoint import load_network, nearest_events
from train.config import FitConfig
from train.fit import Fit, FitError
from train.lanes import Lanes
from train.predict import batch_losses

MakeConfig = Callable[..., FitConfig]
ROOT = Path(__file__).parents[2]


def parameters(fit: Fit) -> dict[str, torch.Tensor]:
    return {**fit.network.state_dict(), **{f"average.{k}": v for k, v in fit.average.state_dict().items()}}


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_a_run_learns_what_counting_events_cannot(trained: Fit) -> None:
    counts = np.bincount(np.concatenate(trained.corpus.pieces("train")))
    part = counts[counts > 0] / counts.sum()
    unigram = float(-(part * np.log(part)).sum())
    nats, by_type = trained.validate()
    assert nats < unigram / 2
    assert set(by_type) == set(EventType)
    assert trained.progress >= 1


def test_a_run_leaves_checkpoints_a_bundle_music_and_curves(trained: Fit) -> None:
    network, checkpoint = load_network(trained.out / "best.pt")
    assert checkpoint["events"] == trained.events
    loss = float(torch.cat(list(batch_losses(network, trained.validation, OORE))).mean())
    assert loss == pytest.approx(checkpoint["history"][-1]["validation"], abs=1e-4)
    opened = bundle.load(str(trained.out / "best.onnx"))
    assert opened.card.training["data_hash"] == trained.corpus.hash
    assert opened.card.training["events"] == trained.events
    assert (trained.out / "sample.mid").read_bytes().startswith(b"MThd")
    assert list((trained.out / "tensorboard").glob("events.out.tfevents.*"))
    assert not list(trained.out.glob("**/*.part"))


def test_tensorboard_shows_losses_by_type_speed_norm_and_a_piano_roll(trained: Fit) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(trained.out / "tensorboard"))
    board.Reload()
    assert {
        *("loss/train", "gradient/norm", "speed/events_per_s", "validation/all"),
        *(f"validation/{kind.value}" for kind in EventType),
    } <= set(board.Tags()["scalars"])
    assert all(math.isfinite(point.value) for point in board.Scalars("loss/train"))
    assert board.Scalars("loss/train")[0].value > board.Scalars("loss/train")[-1].value
    assert board.Tags()["images"] == ["sample"]


@pytest.mark.parametrize("stop", [1, 5])
def test_a_run_is_the_same_interrupted_or_not(small: MakeConfig, stop: int) -> None:
    fields = {"transpose": 2, "tempo": 0.05, "loudness": 1, "dropout": 0.1, "events": 2000}
    whole, config = Fit(small(**fields)), small(**fields)
    whole_losses = []
    while whole.progress < 1:
        loss, _, count = whole.update()
        whole.events += count
        whole_losses.append(float(loss))
    first = Fit(config)
    losses = []

    def update(fit: Fit = first) -> tuple[torch.Tensor, torch.Tensor, int]:
        result = Fit.update(fit)
        losses.append(float(result[0]))
        if len(losses) == stop:
            fit.stop()
        return result

    first.update = update  # type: ignore[method-assign]
    first.run()
    assert len(losses) == stop
    second = Fit(config)
    second.resume()
    second.update = lambda: update(second)  # type: ignore[method-assign]
    second.run()
    assert losses == whole_losses
    assert second.events == whole.events
    assert_same(parameters(second), parameters(whole))
    assert all(torch.equal(a, b) for a, b in zip(second.state, whole.state, strict=True))


def test_a_run_without_muon_learns_too(small: MakeConfig) -> None:
    fit = Fit(small(muon=False, matrix_lr=5e-3, events=10_000))
    before = fit.validate()[0]
    fit.run()
    assert fit.validate()[0] < before - 1
    assert {type(optimiser) for optimiser, _ in fit.optimisers} == {torch.optim.AdamW}


def write_config(config: FitConfig, folder: Path) -> Path:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(asdict(config)))
    return path


def start(*arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    return err


def test_a_killed_run_goes_on_where_it_was_last_saved(small: MakeConfig, tmp_path: Path) -> None:
    config = small(events=40_000, checkpoint_minutes=0.01)
    path = write_config(config, tmp_path)
    last = Path(config.out) / "last.pt"
    process = start("-m", "train", "fit", path)
    while not last.exists():  # it is written as a whole
        assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 0 < checkpoints.read(last)["events"] < 40_000
    finished(start("-m", "train", "fit", path, "--resume"))
    whole = Fit(replace(config, out=str(tmp_path / "whole"), checkpoint_minutes=60.0))
    whole.run()
    assert_same(checkpoints.read(last)["network"], dict(whole.network.state_dict()))


def test_an_interrupt_saves_and_ends(small: MakeConfig, tmp_path: Path) -> None:
    config = small(events=1e9, checkpoint_minutes=0.01)
    path = write_config(config, tmp_path)
    process = start("-m", "train", "fit", path)
    while not (Path(config.out) / "best.onnx").exists():
        assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGINT)
    err = finished(process)
    assert "--resume" in err and "Traceback" not in err
    assert 0 < checkpoints.read(Path(config.out) / "last.pt")["events"] < 1e9
    bundle.load(str(Path(config.out) / "best.onnx"))


def test_two_processes_have_one_network(small: MakeConfig, tmp_path: Path) -> None:
    config = small(events=4000, lanes=4)
    path = write_config(config, tmp_path)
    report = tmp_path / "report"
    run = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", ROOT / "tests/train/two.py")
    finished(start(*run, path, report))
    first, second = (json.loads((tmp_path / f"report{rank}").read_text()) for rank in (0, 1))
    assert first["parameters"] == second["parameters"]  # to the last bit
    assert first["pieces"] != second["pieces"]
    assert first["events"] == second["events"] >= 4000
    checkpoint = checkpoints.read(Path(config.out) / "last.pt")
    assert (checkpoint["processes"], len(checkpoint["ranks"])) == (2, 2)
    with pytest.raises(ValueError, match="had 2 processes, not 1"):
        Fit(config).resume()
    config = replace(config, events=6000.0)
    finished(start(*run, write_config(config, tmp_path), report, "--resume"))
    first, second = (json.loads((tmp_path / f"report{rank}").read_text()) for rank in (0, 1))
    assert first["parameters"] == second["parameters"]
    assert first["events"] >= 6000


def test_a_fresh_lane_starts_from_the_learned_state(small: MakeConfig) -> None:
    fit = Fit(small(warmup=0))
    fit.update()
    before = fit.network.h0.detach().clone()
    fit.state = tuple(torch.full_like(s, torch.nan) for s in fit.state)  # type: ignore[assignment]
    fit.lanes = Lanes(fit.corpus.pieces("train"), fit.vocabulary, fit.config)
    assert np.isfinite(float(fit.update()[0]))  # all lanes are fresh: what was carried does not count
    assert not torch.equal(fit.network.h0, before)


def test_a_run_that_is_over_is_saved_too(small: MakeConfig) -> None:
    fit = Fit(small())
    fit.stop()
    fit.events = 10**6
    fit.run()
    checkpoint = checkpoints.read(fit.out / "last.pt")
    assert checkpoint["updates"] == 0
    assert checkpoint["history"][0]["validation"] > 0


def test_a_run_that_explodes_says_so(small: MakeConfig) -> None:
    fit = Fit(small())
    with torch.no_grad():
        fit.network.output.bias.fill_(math.inf)
    with pytest.raises(FitError, match="no longer finite.*lower matrix_lr"):
        fit.run()


def test_the_rate_rises_and_falls_over_the_run(small: MakeConfig) -> None:
    fit = Fit(small(warmup=0.1, events=1000))
    rates = []
    for done in (0, 50, 100, 550, 1000):
        fit.events = done
        fit.update()
        rates.append(fit.optimisers[0][0].param_groups[0]["lr"] / fit.config.matrix_lr)
    assert rates == pytest.approx([0, 0.5 * 0.99384, 0.97553, 0.42178, 0], abs=1e-4)


def test_the_average_follows_the_network(small: MakeConfig) -> None:
    fit = Fit(small(warmup=0, average=0.5))
    average = fit.network.output.weight.detach().clone()
    for number in range(1, 5):
        fit.update()
        keep = min(0.5, number / (10 + number))  # the first ones are soon forgotten
        average = keep * average + (1 - keep) * fit.network.output.weight.detach()
    torch.testing.assert_close(fit.average.output.weight, average)
    assert not any(parameter.requires_grad for parameter in fit.average.parameters())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"lanes": 4}, "another lanes"), ({"seed": 1, "hidden": 16}, "another hidden, seed")],
)
def test_another_run_is_not_resumed(trained: Fit, fields: dict[str, int], reason: str, small: MakeConfig) -> None:
    config = replace(trained.config, **fields)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=reason):
        Fit(config).resume()


def test_a_run_begins_with_the_weights_of_another(trained: Fit, small: MakeConfig) -> None:
    fit = Fit(small(init=str(trained.out / "best.pt")))
    assert_same(dict(fit.network.state_dict()), dict(trained.average.state_dict()))
    assert fit.validate()[0] == pytest.approx(trained.validate()[0], abs=1e-6)
    assert fit.began_with["events"] == trained.events
    assert "best.pt" not in str(fit.began_with)
    with pytest.raises(ValueError, match="older `fit` or a bundle's"):
        (fit.out / "last.pt").write_bytes((trained.out / "best.pt").read_bytes())
        fit.resume()


def test_the_mean_of_two_runs(trained: Fit, small: MakeConfig, tmp_path: Path) -> None:
    other = Fit(small(init=str(trained.out / "best.pt"), events=2000))
    other.run()
    paths = [trained.out / "best.pt", other.out / "best.pt"]
    checkpoints.write(tmp_path / "mean.pt", checkpoints.average(paths))
    network, checkpoint = load_network(tmp_path / "mean.pt")
    parts = [load_network(path)[0].output_weight for path in paths]
    torch.testing.assert_close(network.output_weight, (parts[0] + parts[1]) / 2)
    entry = checkpoints.training(checkpoint)
    assert entry["events"] == trained.events and entry["averaged_with"][0]["events"] == other.events
    third = Fit(small(hidden=16, events=300))
    third.run()
    with pytest.raises(ValueError, match="different kinds"):
        checkpoints.average([paths[0], third.out / "best.pt"])


def test_events_of_another_vocabulary_are_the_nearest_in_meaning() -> None:
    np.testing.assert_array_equal(nearest_events(OORE, OORE), np.arange(413))
    nearest = nearest_events(MAGENTA, OORE)
    assert len(nearest) == 388
    for event, index in zip(MAGENTA.events, nearest, strict=True):
        other = OORE.event(int(index))
        assert other.type is event.type
        if event.type is EventType.TIME_SHIFT:
            assert abs(other.value / 125 - event.value / 100) <= 0.0041
        else:
            assert other.value == event.value


def test_checkpoints_with_numpy_booleans_are_read(tmp_path: Path, trained: Fit) -> None:
    checkpoint = checkpoints.read(trained.out / "last.pt")
    checkpoint["ranks"][0]["lanes"]["lanes"][0]["density_on"] = np.True_
    checkpoints.write(tmp_path / "last.pt", checkpoint)
    assert checkpoints.read(tmp_path / "last.pt")["ranks"][0]["lanes"]["lanes"][0]["density_on"]


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"config": Path("/")}, tmp_path / "last.pt")
    with pytest.raises(ValueError, match="not a checkpoint.*Weights only load failed"):
        checkpoints.read(tmp_path / "last.pt")


@pytest.mark.parametrize("content", [b"", b"PK", b"{}", os.urandom(100)])
def test_what_is_no_checkpoint_is_said(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(ValueError, match="last.pt: not a checkpoint"):
        checkpoints.read(tmp_path / "last.pt")
