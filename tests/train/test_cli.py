"""`python -m train`: from MIDI files to a bundle that plays, and one line where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from liveperf.codec import notes_array
from liveperf.midifile import note_messages, write_messages
from liveperf.model import bundle
from train.__main__ import main

Lines = Callable[[], tuple[str, str]]


def write_midi(folder: Path, files: int = 10) -> None:
    """Files of random notes."""
    random = np.random.default_rng(3)
    folder.mkdir()
    for number in range(files):
        start = np.sort(random.uniform(0, 10, 40))
        rows = [(at, at + 0.4, int(random.integers(40, 90)), 64) for at in start.tolist()]
        write_messages(folder / f"{number}.mid", {"piano": note_messages(notes_array(rows))})


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """(stdout, stderr) since the last call."""

    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return read


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A run of a blink."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        f"corpus: {tmp_path / 'corpus'}\nout: {tmp_path / 'run'}\nhours: 0.00005\n"
        "lanes: 2\nchunk: 16\nthreads: 1\nlayers: 2\nhidden: 32\nembedding: 8\n"
    )
    return path


def test_from_files_to_a_bundle(tmp_path: Path, config: Path, lines: Lines) -> None:
    write_midi(tmp_path / "midi")
    corpus, checkpoint, out = tmp_path / "corpus", tmp_path / "run" / "last.pt", tmp_path / "tiny.onnx"
    assert main(["prepare", str(tmp_path / "midi"), str(corpus)]) == 0
    assert "files skipped: 0" in lines()[0]

    assert main(["fit", str(config)]) == 0
    assert checkpoint.is_file()
    assert main(["fit", str(config)]) == 2  # a finished run is not overwritten
    assert "--resume" in lines()[1]
    assert main(["fit", str(config), "--resume"]) == 0
    lines()

    assert main(["evaluate", str(checkpoint), str(corpus), "--minutes", "0", "--json"]) == 0
    scores = tmp_path / "scores.json"
    scores.write_text(lines()[0])
    expected = json.loads(scores.read_text())
    assert expected["nats_per_event"] > 0

    options = ["--licence", "CC0-1.0", "--data", "random notes", "--scores", str(scores)]
    assert main(["export", str(checkpoint), str(out), *options]) == 0
    assert "int8" in lines()[0]
    card = bundle.load(str(out)).card
    assert (card.name, card.licence, card.data) == ("tiny", "CC0-1.0", "random notes")
    assert card.scores == {"test_nats_per_event": expected["nats_per_event"], **expected}
    assert card.training["config"]["corpus"] == "corpus"  # its name, not a path of this machine
    assert str(tmp_path) not in json.dumps(card.training)
    assert card.training["events"] == card.training["last"]["events"] > 0
    assert main(["evaluate", str(out), str(corpus), "--pieces", "1", "--minutes", "0"]) == 0
    assert "note on" in lines()[0]

    assert main(["export", str(checkpoint), str(out), "--fp32", "--name", "other"]) == 0
    assert bundle.load(str(out)).card.name == "other"


def test_int8_that_costs_too_much_is_refused(
    tmp_path: Path, config: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_midi(tmp_path / "midi")
    corpus, checkpoint, out = tmp_path / "corpus", tmp_path / "run" / "best.pt", tmp_path / "tiny.onnx"
    assert main(["prepare", str(tmp_path / "midi"), str(corpus)]) == 0
    assert main(["fit", str(config)]) == 0
    monkeypatch.setattr("train.export.int8_cost", lambda *_: 0.011)
    lines()
    assert main(["export", str(checkpoint), str(out)]) == 1
    assert "int8 costs 0.0110 nats/event, over 0.01; keep --fp32" in lines()[1]
    assert not out.exists()
    assert main(["export", str(checkpoint), str(out), "--fp32"]) == 0
    corpus.rename(tmp_path / "elsewhere")
    assert main(["export", str(checkpoint), str(out)]) == 2
    assert "--corpus" in lines()[1]
    monkeypatch.setattr("train.export.int8_cost", lambda *_: 0.009)
    assert main(["export", str(checkpoint), str(out), "--corpus", str(tmp_path / "elsewhere")]) == 0
    assert not list(tmp_path.glob("tmp*"))


def test_a_piano_roll(tmp_path: Path) -> None:
    write_midi(tmp_path / "midi", files=1)
    assert main(["roll", str(tmp_path / "midi" / "0.mid"), str(tmp_path / "roll.png")]) == 0
    assert (tmp_path / "roll.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("verb", [[], ["prepare"], ["fit"], ["evaluate"], ["export"], ["roll"]])
def test_help_everywhere(verb: list[str], lines: Lines) -> None:
    assert main([*verb, "-h"]) == 0
    assert lines()[0].startswith("Usage: train")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ([], 2, "Missing command"),
        (["sing"], 2, "No such command 'sing'"),
        (["fit", "missing.yaml"], 2, "'missing.yaml' does not exist"),
        (["fit", "unknown.yaml"], 2, "unknown keys ['lane']"),
        (["fit", "type.yaml"], 2, "'many'"),
        (["fit", "list.yaml"], 2, "list.yaml"),
        (["fit", "no-corpus.yaml"], 1, "No such file or directory"),
        (["fit", "no-corpus.yaml", "--resume"], 2, "nothing to resume"),
        (["prepare", "empty", "out"], 1, "no MIDI file"),
        (["prepare", "missing", "out"], 2, "'missing' does not exist"),
        (["prepare", "empty", "out", "--vocabulary", "choral"], 2, "'oore', 'magenta'"),
        (["evaluate", "broken.pt", "empty"], 1, "corpus.json: No such file"),
        (["evaluate", "broken.pt", "empty", "--pieces", "0"], 2, "x>=1"),
        (["roll", "broken.pt", "a.png"], 1, "broken.pt: not a MIDI file"),
        (["export", "broken.pt", "a.onnx"], 1, "broken.pt: not a checkpoint"),
        (["export", "broken.pt", "a.bin"], 2, ".onnx"),
        (["export", "broken.pt", "a.onnx", "--scores", "broken.pt"], 2, "not JSON"),
        (["export", "broken.pt", "a.onnx", "--scores", "list.yaml"], 2, "expected a JSON object, found list"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    code: int,
    expected: str,
    lines: Lines,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in {
        "unknown.yaml": "lane: 2",
        "type.yaml": "lanes: many",
        "list.yaml": "[1, 2]",
        "no-corpus.yaml": "corpus: nowhere",
        "broken.pt": "this is no checkpoint",
    }.items():
        Path(name).write_text(content)
    Path("empty").mkdir()
    assert main(arguments) == code
    out, err = lines()
    assert expected in err
    assert err.count("\n") == 1 and "Traceback" not in out + err
