"""The command line."""

from __future__ import annotations

import os
import signal
import sys

import click

from liveperf import __version__
from liveperf.cli import listings, playing, recordings, remote, service
from liveperf.cli.options import HELP, end
from liveperf.errors import FAILED, NOT_STARTED, WRONG_USE

__all__ = ["FAILED", "NOT_STARTED", "WRONG_USE", "commands", "main"]


def main() -> None:
    """Run the command line; wrong use is one line and exit code 2."""
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as `__main__` has it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.exit(commands.main(prog_name="liveperf", standalone_mode=False))
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "liveperf"
        end(f"{error.format_message()} (`{where} -h` shows how)", WRONG_USE)
    except click.ClickException as error:
        end(error.format_message(), WRONG_USE)
    except BrokenPipeError:  # nobody reads any more
        sys.stdout = open(os.devnull, "w")  # else the interpreter complains as it ends
        sys.exit(FAILED)
    except (click.Abort, KeyboardInterrupt):
        end("interrupted", FAILED)


@click.group(context_settings=HELP, no_args_is_help=False)
@click.version_option(__version__)
def commands() -> None:
    """A live neural MIDI instrument: it listens, answers and plays along.

    Exit codes: 0 fine, 1 failed while running, 2 wrong use, 3 could not start.
    """


for command in (
    *(playing.play, playing.generate, playing.learn),
    *(listings.ports, listings.params, listings.models, listings.doctor),
    *remote.COMMANDS,
    recordings.recordings,
    service.service,
):
    commands.add_command(command)
