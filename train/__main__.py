"""`bin/train`: prepare a corpus, fit a network, average runs, evaluate, export a bundle; draw a piano roll."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml
from rich.console import Console
from rich.progress import Progress, TaskID

from liveperf.events import MAGENTA, OORE, Vocabulary
from liveperf.midifile import MidiFileError
from liveperf.model import bundle
from train.prepare import SPLITS

# torch takes seconds to import: only the verbs that need it do.

VOCABULARIES = {"oore": OORE, "magenta": MAGENTA}
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
def cli() -> None:
    """Prepare a corpus, fit a network to it, evaluate it, export a bundle to play with; draw a piano roll."""


@cli.command("prepare")
@click.argument("corpus", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--vocabulary",
    type=click.Choice(list(VOCABULARIES)),
    default="oore",
    show_default=True,
    help="The events: oore has 413, steps of 8 ms; magenta 388, steps of 10 ms.",
)
@click.option("--seed", default=0, show_default=True, help="Which pieces fall into which split.")
def prepare_verb(corpus: Path, out: Path, vocabulary: str, seed: int) -> None:
    """Encode the MIDI files of the folder CORPUS into OUT, on all cores.

    Splits are those of a MAESTRO-style CSV in CORPUS, or else 80/10/10 by piece. A run that was interrupted goes
    on where it was when it is started again. Files that cannot be read are named in OUT/skipped.txt.
    """
    from train.prepare import prepare

    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task("preparing", total=None)
        done = prepare(
            *(corpus, out, VOCABULARIES[vocabulary], seed),
            advance=lambda files, total: progress.update(task, completed=files, total=total),
        )
    for name, counts in (("pieces", done.pieces), ("events", done.events)):
        click.echo(f"{name}: " + ", ".join(f"{split} {count:,}" for split, count in counts.items()))
    reasons = f" (reasons in {out / 'skipped.txt'})" if done.skipped else ""
    click.echo(f"files skipped: {done.skipped:,}{reasons}")


@cli.command("fit")
@click.argument("config", type=FILE)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the config's `out`.")
def fit_verb(config: Path, resume: bool) -> None:
    """Fit a network as the YAML file CONFIG says; Ctrl-C saves and ends.

    Writes last.pt, best.pt, best.onnx (to play with at any time) and sample.mid into the config's `out`, and
    TensorBoard's files. `torchrun --nproc-per-node N -m train fit CONFIG` trains in N processes.
    """
    from rich.logging import RichHandler

    from train.config import FitConfig
    from train.fit import Fit, FitError
    from train.group import joined

    try:
        settings = FitConfig.load(config)
    except (ValueError, yaml.YAMLError) as error:
        raise click.UsageError(_one_line(error)) from error
    checkpoint = Path(settings.out) / "last.pt"
    if resume and not checkpoint.is_file():
        raise click.UsageError(f"nothing to resume: no {checkpoint}")
    if checkpoint.is_file() and not resume:
        raise click.UsageError(f"{checkpoint} is there already: --resume, or another `out`, or move it away")
    with joined() as group:
        handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False)
        level = logging.INFO if group.leads else logging.ERROR
        logging.basicConfig(level=level, format="%(message)s", handlers=[handler])
        fit = Fit(settings, group)
        if resume:
            fit.resume()

        def stop(number: int, _: object) -> None:
            fit.stop()
            signal.signal(number, signal.SIG_DFL)  # asked twice: at once

        for number in (signal.SIGINT, signal.SIGTERM):  # in the background, too, where a shell has SIGINT ignored
            signal.signal(number, stop)
        try:
            fit.run()
        except FitError as error:
            raise click.ClickException(str(error)) from error


@cli.command("evaluate")
@click.argument("path", type=FILE)
@click.argument("corpus", type=FOLDER)
@click.option(
    "--split", type=click.Choice(SPLITS), default="test", show_default=True, help="The split to predict."
)
@click.option("--pieces", type=click.IntRange(1), help="Only the first N pieces of it (from 1; default: all).")
@click.option(
    "--minutes",
    type=click.FloatRange(0, 10_000),
    default=100.0,
    show_default=True,
    help="Have it play so long, 5 minutes at a time, then to order; 0: score it only.",
)
@click.option("--plots", type=click.Path(dir_okay=False, path_type=Path), help="Draw a page (.png or .pdf).")
@click.option("--jobs", type=click.IntRange(1), help="Processes that play (from 1; default: one a processor).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def evaluate_verb(
    path: Path,
    corpus: Path,
    split: str,
    pieces: int | None,
    minutes: float,
    plots: Path | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Score the checkpoint (.pt) or bundle (.onnx) PATH on the prepared CORPUS, and listen to what it plays.

    A checkpoint is scored as it is (fp32) and as `export` would write it (int8), which then plays. What is played
    is compared with the split: distances with real music's own as the ceiling, repetition, drift; and how well the
    model obeys. A Jensen-Shannon distance of 0 is the same, 1 has nothing in common.
    """
    from train.report import report
    from train.tables import table

    if plots and (plots.suffix not in (".png", ".pdf") or not plots.parent.is_dir()):
        raise click.UsageError(f"{plots}: a page is a .png or a .pdf, in a folder that is there")
    if plots and not minutes:
        raise click.UsageError("--plots draws what was played, and --minutes 0 plays nothing")
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def advance(stage: str, done: float) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=1.0)
            progress.update(tasks[stage], completed=done)

        found = report(path, corpus, split, pieces, minutes, jobs, advance)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1, allow_nan=False))
    else:
        Console().print(table(found))
    if plots:
        from train.plots import draw

        draw(found, plots)


@cli.command("export")
@click.argument("checkpoint", type=FILE)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--fp32", is_flag=True, help="Keep 32-bit weights (default: int8, a quarter of the size).")
@click.option("--name", help="The bundle's name (default: that of OUT).")
@click.option("--licence", help="The licence of the weights (default: what the run's config says).")
@click.option("--data", help="What it was trained on (default: what the run's config says).")
@click.option("--corpus", type=FOLDER, help="A prepared corpus to measure int8 on (default: the run's own).")
@click.option("--scores", type=FILE, help="A JSON object for the card, such as `evaluate --json` prints.")
def export_verb(
    checkpoint: Path,
    out: Path,
    fp32: bool,
    name: str | None,
    licence: str | None,
    data: str | None,
    corpus: Path | None,
    scores: Path | None,
) -> None:
    """Write the checkpoint CHECKPOINT as the bundle OUT (.onnx); refuses int8 that costs over 0.01 nats/event."""
    from train.checkpoint import load_network, training
    from train.export import LARGEST_COST, export, int8_cost
    from train.prepare import Corpus

    if out.suffix != ".onnx":
        raise click.UsageError(f"{out}: a bundle's name ends in .onnx")
    measured = _read_scores(scores) if scores else {}
    network, values = load_network(checkpoint)
    card = {
        "name": name or values["config"].get("name") or out.stem,
        "vocabulary": values["vocabulary"],
        "licence": licence or values["config"].get("licence", "not stated"),
        "data": data or values["config"].get("data", "not stated"),
        "training": training(values),
        "scores": measured,
    }
    if fp32:
        export(network, card, out, int8=False)
    else:
        folder = corpus or Path(values["config"]["corpus"])
        prepared = Corpus(folder) if folder.is_dir() else None
        if prepared is None or prepared.vocabulary != Vocabulary(**values["vocabulary"]):
            raise click.UsageError(
                f"what int8 costs is measured on a prepared corpus, and {folder} is none for this checkpoint: "
                "name one with --corpus, or keep --fp32"
            )
        pieces = prepared.pieces("validation") or prepared.pieces("train")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
            draft = Path(scratch) / out.name
            export(network, card, draft)
            cost = int8_cost(
                network, draft, [piece.astype(np.int64) for piece in pieces[:16]], prepared.vocabulary
            )
            if cost > LARGEST_COST:
                raise ValueError(f"int8 costs {cost:.4f} nats/event, over {LARGEST_COST}; keep --fp32")
            os.replace(draft, out)
        click.echo(f"int8 costs {cost:.4f} nats/event")
    bundle.load(str(out))
    click.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {'fp32' if fp32 else 'int8'}")


@cli.command("average")
@click.argument("checkpoints", type=FILE, nargs=-1, required=True)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def average_verb(checkpoints: tuple[Path, ...], out: Path) -> None:
    """Write the mean of the networks of several CHECKPOINTS, of runs that began with the same weights, to OUT."""
    from train.checkpoint import average, write

    write(out, average(checkpoints))
    click.echo(f"{out}: the mean of {len(checkpoints)} networks")


@cli.command("roll")
@click.argument("midi", type=FILE)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seconds", type=click.FloatRange(1), help="Only so much of it (s, from 1; default: all).")
def roll_verb(midi: Path, out: Path, seconds: float | None) -> None:
    """Draw the MIDI file MIDI as a piano roll, the picture OUT (.png)."""
    from train.pianoroll import draw

    draw(midi, out, seconds)


def _read_scores(path: Path) -> dict[str, Any]:
    """A JSON object; what `evaluate --json` wrote gets the key that `liveperf models` shows."""
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.UsageError(f"{path}: not JSON: {_one_line(error)}") from error
    if not isinstance(scores, dict):
        raise click.UsageError(f"{path}: expected a JSON object, found {type(scores).__name__}")
    if {"split", "nats_per_event"} <= set(scores):
        return {f"{scores['split']}_nats_per_event": scores["nats_per_event"], **scores}
    return scores


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    """Run a verb; returns the exit code: 0 fine, 1 failed, 2 wrong use."""
    try:
        return int(cli.main(arguments, prog_name="train", standalone_mode=False) or 0)
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "train"
        message = " ".join(error.format_message().split())
        click.echo(f"{where}: {message} (`{where} -h` shows how)", err=True)
        return error.exit_code
    except (bundle.BundleError, MidiFileError, ValueError, OSError) as error:
        click.echo(f"train: {_one_line(error)}", err=True)
    except click.Abort:
        click.echo("train: interrupted", err=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
