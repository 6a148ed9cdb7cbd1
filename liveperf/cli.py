"""The command line."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from liveperf import __version__, config
from liveperf.params import Params, Row, table

FAILED, WRONG_USE, NOT_STARTED = 1, 2, 3

F = TypeVar("F", bound=Callable[..., Any])


class _Value(click.ParamType):  # type: ignore[type-arg]
    """A live parameter's value, checked by its row."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.name = row.unit or ("name" if row.choices else row.kind.__name__)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The checked value; a usage error if it cannot be taken."""
        try:
            if isinstance(value, str) and not self.row.choices:
                with contextlib.suppress(ValueError):
                    value = float(value)
            return self.row.check(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Seconds(click.FloatRange):
    """A number of seconds in a range, and `nan` is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The checked value; a usage error if it cannot be taken."""
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


def _live_options(*without: str) -> Callable[[F], F]:
    """An option for each row of the parameter table."""

    def decorate(function: F) -> F:
        for row in reversed(table()):
            if row.name not in without:
                shown = f"{row.help} [{row.bounds}; default {row.default}]"
                option = "--" + row.name.replace("_", "-")
                function = click.option(option, row.name, type=_Value(row), default=None, help=shown)(function)
        return function

    return decorate


def _errors(function: F) -> F:
    """Turn the errors that are ours to explain into one line and the right exit code."""
    from functools import wraps

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from liveperf.bundle import BundleError
        from liveperf.daemon import DaemonError
        from liveperf.midifile import MidiFileError
        from liveperf.ports import PortError
        from liveperf.recorder import RecordError

        try:
            return function(*args, **kwargs)
        except (BundleError, config.ConfigError, MidiFileError, RecordError) as error:
            _end(str(error), WRONG_USE)
        except ValueError as error:
            if type(error).__module__ != "liveperf.params":
                raise
            _end(str(error), WRONG_USE)
        except PortError as error:
            _end(str(error), NOT_STARTED)
        except DaemonError as error:
            _end(str(error), FAILED)

    return wrapped  # type: ignore[return-value]


def _end(message: str, code: int) -> None:
    click.echo(f"liveperf: {' '.join(message.split())}", err=True)
    sys.exit(code)


def main() -> None:
    """Run the command line; wrong use is one line and exit code 2."""
    try:
        sys.exit(commands.main(prog_name="liveperf", standalone_mode=False))
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "liveperf"
        _end(f"{error.format_message()} (`{where} -h` shows how)", WRONG_USE)
    except click.ClickException as error:
        _end(error.format_message(), WRONG_USE)
    except BrokenPipeError:  # nobody reads any more
        sys.stdout = open(os.devnull, "w")  # else the interpreter complains as it ends
        sys.exit(FAILED)
    except click.Abort:
        _end("interrupted", FAILED)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(__version__)
def commands() -> None:
    """A live neural MIDI instrument: it listens, answers and plays along.

    Exit codes: 0 fine, 1 failed while running, 2 wrong use, 3 could not start.
    """


_MODEL = click.option("--model", metavar="NAME|FILE", help="The model: an installed name or an .onnx file.")
_CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="A setup; options win over it.",
)
_PRESET = click.option(
    "--preset", metavar="NAME", help="A setting that ships, or a file; --config and options win over it."
)
_SEED = click.option(
    "--seed", type=int, help="The same seed and the same input play the same. Left out: another each time."
)
_PRIME = click.option(
    "--prime",
    type=click.Path(path_type=Path),
    metavar="FILE.mid",
    help="Music for it to have heard before it begins.",
)
_CHANNEL = click.option(
    "--channel", type=click.IntRange(1, 16), help="The MIDI channel it plays on. [1 to 16; default 1]"
)


@commands.command()
@click.option(
    "--in", "input", metavar="NAME", help="Listen to the port whose name holds NAME. Left out: a virtual port."
)
@click.option(
    "--out", "output", metavar="NAME", help="Play to the port whose name holds NAME. Left out: a virtual port."
)
@click.option(
    "--backend",
    type=click.Choice(config.BACKENDS),
    help="The MIDI system. Left out: the first that works.",
)
@_MODEL
@_PRESET
@_CONFIG
@_SEED
@_PRIME
@click.option(
    "--duration", type=_Seconds(0), metavar="S", help="End after S seconds. Left out: play until stopped."
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE.mid",
    help="Write what you and it played, on two tracks.",
)
@click.option("--no-thru", is_flag=True, help="Do not pass your own notes on to the output.")
@click.option(
    "--thru-channel",
    type=click.IntRange(0, 16),
    help="Pass your notes on on this channel. [0 to 16; default 0: as they come]",
)
@click.option(
    "--input-channel", type=click.IntRange(0, 16), help="Listen to this channel only. [0 to 16; default 0: all]"
)
@_CHANNEL
@_live_options()
@_errors
def play(
    config_file: Path | None,
    preset: str | None,
    seed: int | None,
    prime: Path | None,
    duration: float | None,
    record: Path | None,
    no_thru: bool,
    **options: Any,
) -> None:
    """Play: listen to a keyboard, send notes to a synth or DAW."""
    from liveperf import daemon

    setup = _setup(config_file, preset, options)
    if no_thru:
        setup = config.apply(setup, {"thru": False})
    daemon.play(setup, _seed(seed, setup), click.echo, prime, record, duration, preset)


@commands.command()
@click.option(
    "--out", "out", required=True, type=click.Path(path_type=Path), metavar="FILE.mid", help="The file to write."
)
@click.option("--seconds", type=_Seconds(1, 86_400), default=60.0, help="How long. [1 to 86400 s; default 60]")
@_MODEL
@_PRESET
@_CONFIG
@_SEED
@_PRIME
@_CHANNEL
@_live_options("mode")
@_errors
def generate(
    out: Path,
    seconds: float,
    config_file: Path | None,
    preset: str | None,
    seed: int | None,
    prime: Path | None,
    **options: Any,
) -> None:
    """Write a performance to a MIDI file, faster than it sounds. The same seed gives the same bytes."""
    from rich.console import Console
    from rich.progress import Progress

    from liveperf import daemon, offline
    from liveperf.recorder import Recorder

    setup = _setup(config_file, preset, {**options, "mode": "solo"})
    Recorder(out)  # finds out whether the file can be written
    performer = daemon.make_performer(setup, _seed(seed, setup), prime)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("performing", total=seconds)
        notes = offline.perform(performer, seconds, lambda done: progress.update(task, completed=done))
    try:
        offline.write(out, notes, performer.rate, setup.channel)
    except OSError as error:
        _end(f"cannot write {out}: {error.strerror or error}", FAILED)
    click.echo(f"{out}: {seconds:g} s, {sum(note.velocity > 0 for note in notes)} notes")


@commands.command()
@click.argument("parameter", required=False)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE.yaml",
    help="The setup to write it into; made if it is not there.",
)
@click.option("--in", "input", metavar="NAME", help="Listen to the port whose name holds NAME.")
@click.option("--backend", type=click.Choice(config.BACKENDS), help="The MIDI system.")
@click.option("--note", is_flag=True, help="A key may be the switch, too; it is no melody then.")
@_errors
def learn(parameter: str | None, config_file: Path, input: str | None, backend: str | None, note: bool) -> None:
    """Teach it a knob: name PARAMETER (or an action such as turn), move the knob, done.

    Without PARAMETER it shows what there is. The setup's comments stay.
    """
    from liveperf import learn as learning

    name = (parameter or learning.ask()).replace("-", "_")
    learning.learn(config_file, name, click.echo, input, backend, note)


@commands.command()
@_errors
def ports() -> None:
    """List the MIDI ports that there are, for each backend."""
    from liveperf import ports as midi

    works = False
    for name, backend in midi.available().items():
        if isinstance(backend, str):
            click.echo(f"{name}: {backend}")
            continue
        works = True
        click.echo(f"{name}:")
        for direction, names in (("in", backend.inputs()), ("out", backend.outputs())):
            for port in names:
                click.echo(f"  --{direction:<4} {port!r}")
            if not names:
                click.echo(f"  --{direction:<4} none but the virtual one")
    if not works:
        sys.exit(NOT_STARTED)


@commands.command()
@click.option("--markdown", is_flag=True, help="As the README shows it.")
def params(markdown: bool) -> None:
    """List everything that can be set, live or before: by option, in a config file, or with a knob."""
    from rich.console import Console

    from liveperf import catalogue

    if markdown:
        click.echo(catalogue.parameters_markdown())
    else:
        Console().print(catalogue.parameters())


@commands.command()
@click.argument("name", required=False)
@click.option("--markdown", is_flag=True, help="A table of what is installed, as the README shows it.")
@_errors
def models(name: str | None, markdown: bool) -> None:
    """List the models that there are; with NAME (or a file), the whole card of one."""
    from rich.console import Console

    from liveperf import bundle, catalogue

    if name is not None:
        click.echo(catalogue.card(bundle.find(name)))
    elif markdown:
        click.echo(catalogue.markdown())
    else:
        Console().print(catalogue.listing())


@commands.command()
@click.option("--backend", type=click.Choice(config.BACKENDS), help="Look at this MIDI system.")
@click.option("--model", default="maestro", metavar="NAME|FILE", help="Look at this model. [default maestro]")
def doctor(backend: str | None, model: str) -> None:
    """Find out what would keep it from playing well here, and what to do about it."""
    from liveperf.doctor import examine

    healthy = True
    for finding in examine(backend, model):
        healthy = healthy and finding.fine
        click.echo(f"{'ok ' if finding.fine else '!! '} {finding.what}: {finding.found}")
        if finding.remedy:
            click.echo(f"     {finding.remedy}")
    sys.exit(0 if healthy else FAILED)


def _setup(config_file: Path | None, preset: str | None, options: dict[str, Any]) -> config.Config:
    """The preset, the config file on top of it, and the options that were given on top of both."""
    base = config.load(config.find_preset(preset)) if preset else config.Config(params=Params())
    if config_file:
        base = config.load(config_file, base)
    return config.apply(base, {key: value for key, value in options.items() if value is not None})


def _seed(option: int | None, setup: config.Config) -> int:
    if option is not None:
        return option
    return setup.seed if setup.seed is not None else secrets.randbits(32)
