"""`liveperf service`: the instrument starts by itself, and again when it has failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from liveperf.cli.options import HELP, explained

if TYPE_CHECKING:
    from liveperf.system.service import Service

_NAME = click.option("--name", default="", metavar="NAME", help="Which one, where there are several instruments.")


@click.group(context_settings=HELP)
def service() -> None:
    """Let it start with the computer, as a service of yours (systemd, launchd)."""


@service.command()
@_NAME
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENTS...]")
@click.pass_context
@explained
def install(ctx: click.Context, name: str, arguments: tuple[str, ...]) -> None:
    """Start it now and whenever you log in; one that is there already is replaced.

    ARGUMENTS are those of `liveperf play`, as in: liveperf service install -- --config evening.yaml --in LPK25.
    A small computer without a screen starts it at boot after `loginctl enable-linger`.
    """
    from liveperf.system.service import manager

    _check_arguments(ctx, arguments)
    manager().install(_service(name, arguments), click.echo)


@service.command()
@_NAME
@explained
def remove(name: str) -> None:
    """End it, and start it no more."""
    from liveperf.system.service import manager

    manager().remove(_service(name, ()), click.echo)


@service.command()
@_NAME
@explained
def show(name: str) -> None:
    """Show what the system knows of it, and how it is."""
    from liveperf.system.service import manager

    manager().show(_service(name, ()), click.echo)


def _service(name: str, arguments: tuple[str, ...]) -> Service:
    from liveperf.system.service import Service, ServiceError, program

    try:
        folder = Path.cwd()
    except OSError as error:
        raise ServiceError(f"this folder is gone ({error.strerror}); start from another one") from error
    return Service(name, arguments, program(), folder)


def _check_arguments(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """A usage error now, for one that the service would fail of each time."""
    commands = ctx.find_root().command
    play = commands.get_command(ctx, "play") if isinstance(commands, click.Group) else None
    if play is not None:
        play.make_context("liveperf play", ["--daemon", *arguments])
