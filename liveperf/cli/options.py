"""What several commands share: their options, and how errors are told."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from liveperf.errors import FAILED, LiveperfError
from liveperf.params import Params, Row, table
from liveperf.setup import config

HELP = {"help_option_names": ["-h", "--help"]}  # for a command that may be run by itself

F = TypeVar("F", bound=Callable[..., Any])


class Value(click.ParamType):  # type: ignore[type-arg]
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


class Seconds(click.FloatRange):
    """A number of seconds in a range, and `nan` is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The checked value; a usage error if it cannot be taken."""
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


def live_options(*without: str) -> Callable[[F], F]:
    """An option for each row of the parameter table."""

    def decorate(function: F) -> F:
        for row in reversed(table()):
            if row.name not in without:
                shown = f"{row.help} [{row.bounds}; default {row.default}]"
                option = "--" + row.name.replace("_", "-")
                function = click.option(option, row.name, type=Value(row), default=None, help=shown)(function)
        return function

    return decorate


def explained(function: F) -> F:
    """Turn the errors that are ours to explain into one line and the right exit code."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except LiveperfError as error:
            end(str(error), error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if "LIVEPERF_DEBUG" in os.environ:
                raise
            fault = f"{type(error).__name__}: {error}"
            end(f"a fault of liveperf's own, which should not be: {fault} (LIVEPERF_DEBUG=1 shows where)", FAILED)

    return wrapped  # type: ignore[return-value]


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Meanwhile Ctrl-C ends the program without a word: a module that is interrupted would make a fault of it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def end(message: str, code: int) -> None:
    click.echo(f"liveperf: {' '.join(message.split())}", err=True)
    sys.exit(code)


MODEL = click.option("--model", metavar="NAME|FILE", help="The model: an installed name or an .onnx file.")
CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE.yaml",
    help="A setup; options win over it.",
)
PRESET = click.option(
    "--preset", metavar="NAME", help="A setting that ships, or a file; --config and options win over it."
)
SEED = click.option(
    "--seed", type=int, help="The same seed and the same input play the same. Left out: another each time."
)
PRIME = click.option(
    "--prime",
    type=click.Path(path_type=Path),
    metavar="FILE.mid",
    help="Music for it to have heard before it begins.",
)
CHANNEL = click.option(
    "--channel", type=click.IntRange(1, 16), help="The MIDI channel it plays on. [1 to 16; default 1]"
)


def setup_of(config_file: Path | None, preset: str | None, options: dict[str, Any]) -> config.Config:
    """The preset, the config file on top of it, and the options that were given on top of both."""
    base = config.load(config.find_preset(preset)) if preset else config.Config(params=Params())
    if config_file:
        base = config.load(config_file, base)
    return config.apply(base, {key: value for key, value in options.items() if value not in (None, ())})


def seed_of(option: int | None, setup: config.Config) -> int:
    if option is not None:
        return option
    return setup.seed if setup.seed is not None else secrets.randbits(32)
