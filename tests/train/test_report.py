"""All of `evaluate`: what it reports of a checkpoint and of a bundle, as a table, as JSON and as a page."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from liveperf.codec import NOTE
from liveperf.events import MAGENTA, OORE, Vocabulary
from liveperf.model.bundle import BundleError
from tests.train.tiny import SIZES, tiny_network, write_bundle, write_checkpoint, write_corpus
from train import report as reports
from train.__main__ import main
from train.evaluate import evaluate
from train.export import export
from train.listen import MEASURES, Performance
from train.plots import draw
from train.report import Report, report
from train.tables import table

MINUTES = 0.05


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a checkpoint of it and a bundle."""
    folder = tmp_path_factory.mktemp("report")
    write_corpus(folder / "corpus")
    write_checkpoint(folder / "a.pt", tiny_network())
    write_bundle(folder / "a.onnx", tiny_network(), int8=True)
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> Report:
    """The report of a checkpoint."""
    return report(folder / "a.pt", folder / "corpus", minutes=MINUTES, jobs=1)


def printed(shown: Report, width: int = 80) -> str:
    """The table as a terminal shows it."""
    console = Console(file=io.StringIO(), width=width)
    console.print(table(shown))
    output: str = console.file.getvalue()  # type: ignore[attr-defined]
    return output


def strict(shown: Report) -> dict[str, Any]:
    """Its JSON, which has no NaN."""
    values: dict[str, Any] = json.loads(json.dumps(shown.as_json(), allow_nan=False))
    return values


def test_a_checkpoint_is_scored_both_ways(folder: Path, found: Report) -> None:
    values = strict(found)
    full = evaluate(folder / "a.pt", folder / "corpus").as_json()
    small = evaluate(folder / "a.onnx", folder / "corpus").as_json()
    assert values["fp32"]["nats_per_event"] == full["nats_per_event"]
    assert values["int8"]["nats_per_event"] == pytest.approx(small["nats_per_event"], abs=1e-4)
    assert (values["model"], values["precision"], values["split"]) == ("a.pt", "int8", "test")
    assert values["nats_per_event"] == values["int8"]["nats_per_event"] != values["fp32"]["nats_per_event"]
    assert values["test_nats_per_event"] == {key: values[key]["nats_per_event"] for key in ("int8", "fp32")}
    assert set(values["fp32"]["by_type"]) == set(values["by_type"])


@pytest.mark.parametrize("int8", [True, False])
def test_a_bundle_is_scored_as_it_is(folder: Path, tmp_path: Path, int8: bool) -> None:
    path = write_bundle(tmp_path / "b.onnx", tiny_network(), int8=int8)
    values = strict(report(path, folder / "corpus", minutes=0))
    kind, other = ("int8", "fp32") if int8 else ("fp32", "int8")
    assert values["precision"] == kind and kind in values and other not in values and "plays" not in values


def test_the_export_knows_how_the_network_was_trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards: list[dict[str, Any]] = []

    def spy(network: Any, card: dict[str, Any], out: Path, int8: bool) -> None:
        cards.append(card)
        export(network, card, out, int8)

    monkeypatch.setattr(reports, "export", spy)
    report(folder / "a.pt", folder / "corpus", pieces=1, minutes=0)
    assert [card["training"]["config"] for card in cards] == [SIZES]


def test_nothing_is_left_of_the_export(folder: Path, found: Report) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["a.onnx", "a.pt", "corpus"]


def test_what_is_played_is_reported(found: Report) -> None:
    plays = strict(found)["plays"]
    assert plays["minutes"] == MINUTES and plays["performances"] == 1
    assert plays["params"]["mode"] == "solo" and plays["params"]["top_p"] == 0.98
    assert set(plays["distance"]) == {"all", *(measure.name for measure in MEASURES)}
    assert all(0 <= row["generated"] <= 1 and 0 <= row["ceiling"] <= 1 for row in plays["distance"].values())
    assert set(plays["drift_s"]) == {"30", "60", "300"}
    assert [row["asked"] for row in plays["obedience"]["density"]] == [2, 4, 8, 16]
    assert plays["obedience"]["pitch_classes"][1]["asked"] == "F# pentatonic"
    assert len(json.dumps(strict(found))) < 8000  # it goes into the bundle's card


@pytest.mark.parametrize(("minutes", "count", "seconds"), [(100, 20, 300), (5, 1, 300), (7, 2, 300), (0.5, 1, 30)])
def test_minutes_are_performances(
    minutes: float, count: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def play_all(path: Path, questions: list[Any], *_: object) -> list[Performance]:
        asked.extend(questions)
        return [Performance(np.zeros(0, NOTE), 0.0, one.seconds) for one in questions]

    monkeypatch.setattr(reports, "play_all", play_all)
    real = [Performance(np.array([(0, 400, 60, 64)], NOTE), 0.0, 400.0)]
    plays = reports.listen(Path("a.onnx"), real, minutes)
    assert len(asked) == count + 21 and plays.minutes == pytest.approx(count * seconds / 60)
    assert {one.seconds for one in asked[:count]} == {seconds}
    assert [one.seed for one in asked[:count]] == list(range(count))
    assert {one.seconds for one in asked[count:]} == {min(seconds, 60)}


def test_the_table_fits_a_terminal(found: Report) -> None:
    lines = printed(found).splitlines()
    for text in ("int8", "fp32", "note on", "perplexity", "onset intervals", "drifts", "F# pentatonic", "density"):
        assert any(text in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("pitch-class entropy, bits ") for line in lines)  # no name is broken in two
    assert "nan" not in printed(found)
    assert len(printed(replace(found, plays=None)).splitlines()) < 15


def test_the_page_is_a_picture(found: Report, tmp_path: Path) -> None:
    draw(found, tmp_path / "page.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "page.png").shape
    assert 1000 <= height <= 3000 and 1000 <= width <= 3000
    assert (tmp_path / "page.png").stat().st_size > 50_000
    with pytest.raises(ValueError, match="nothing was played"):
        draw(replace(found, plays=None), tmp_path / "none.png")


def test_silence_is_reported_and_drawn(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def play_all(path: Path, asked: list[Any], *_: object) -> list[Performance]:
        return [Performance(np.zeros(0, NOTE), 0.0, one.seconds) for one in asked]

    monkeypatch.setattr(reports, "play_all", play_all)
    silent = report(folder / "a.onnx", folder / "corpus", pieces=1, minutes=5)
    plays = strict(silent)["plays"]
    assert plays["distance"]["all"]["ceiling"] is None and plays["distance"]["durations"]["generated"] == 1
    assert plays["drift_s"]["300"]["generated"]["silent"] == 1
    assert plays["obedience"]["density"][0]["ratio"] == 0
    assert plays["obedience"]["pitch_classes"][0]["played"] is None
    assert "nan" not in printed(silent)
    draw(silent, tmp_path / "silent.png")


def test_other_vocabularies(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", MAGENTA)
    path = write_checkpoint(tmp_path / "m.pt", tiny_network(vocabulary=MAGENTA), MAGENTA)
    values = strict(report(path, tmp_path / "corpus", minutes=MINUTES, jobs=1))
    assert values["plays"]["obedience"]["density"][0]["played"] is not None
    with pytest.raises(ValueError, match="was prepared for"):
        other = write_bundle(tmp_path / "o.onnx", tiny_network(vocabulary=OORE), int8=False)
        report(other, tmp_path / "corpus", minutes=MINUTES)


def test_a_network_of_no_numbers_is_refused(folder: Path, tmp_path: Path) -> None:
    network = tiny_network()
    network.output.bias.data.fill_(float("nan"))
    path = write_bundle(tmp_path / "n.onnx", network, int8=False)
    with pytest.raises(BundleError, match="its first step gives infinite numbers, or none"):
        report(path, folder / "corpus", minutes=0)


def test_every_stage_tells_its_progress(folder: Path) -> None:
    told: dict[str, list[float]] = {}

    def advance(stage: str, done: float) -> None:
        told.setdefault(stage, []).append(done)

    report(folder / "a.pt", folder / "corpus", minutes=MINUTES, jobs=1, advance=advance)
    assert list(told) == ["predicting, fp32", "predicting, int8", "playing"]
    for stages in told.values():
        assert stages == sorted(stages) and stages[-1] == pytest.approx(1)


def test_the_verb(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["evaluate", str(folder / "a.onnx"), str(folder / "corpus"), "--minutes", str(MINUTES), "--jobs", "1"]
    assert main([*common, "--json", "--plots", str(tmp_path / "page.pdf")]) == 0
    values = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert values["precision"] == "int8" and values["plays"]["minutes"] == MINUTES
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert main([*common, "--pieces", "1"]) == 0
    assert "obeys" in capsys.readouterr().out


def refuse(constant: str) -> None:
    """NaN and Infinity are not JSON."""
    raise AssertionError(constant)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--plots", "page.jpg"], "a .png or a .pdf"),
        (["--plots", "nowhere/page.png"], "in a folder that is there"),
        (["--plots", "page.png", "--minutes", "0"], "plays nothing"),
        (["--minutes", "-1"], "0<=x"),
        (["--jobs", "0"], "x>=1"),
    ],
)
def test_wrong_use_is_told_at_once(
    folder: Path, options: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(folder / "a.onnx"), str(folder / "corpus"), *options]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("vocabulary", [OORE, MAGENTA], ids=["oore", "magenta"])
def test_real_performances_are_the_pieces(tmp_path: Path, vocabulary: Vocabulary) -> None:
    write_corpus(tmp_path / "corpus", vocabulary)
    pieces = reports.real_performances(tmp_path / "corpus", "test", 2)
    assert len(pieces) == 2
    assert all(piece.seconds == piece.notes["end"].max() and len(piece.struck) > 20 for piece in pieces)
