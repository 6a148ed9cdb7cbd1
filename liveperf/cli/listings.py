"""`ports`, `params`, `models` and `doctor`: what there is, and how it is."""

from __future__ import annotations

import sys

import click

from liveperf.cli.options import explained, importing
from liveperf.errors import FAILED, NOT_STARTED
from liveperf.setup import config


@click.command()
@explained
def ports() -> None:
    """List the MIDI ports that there are, for each backend."""
    from liveperf.midi import ports as midi

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


@click.command()
@click.option("--markdown", is_flag=True, help="As the README shows it.")
def params(markdown: bool) -> None:
    """List everything that can be set, live or before: by option, in a config file, or with a knob."""
    from rich.console import Console

    from liveperf.model import catalogue

    if markdown:
        click.echo(catalogue.parameters_markdown())
    else:
        Console().print(catalogue.parameters())


@click.command()
@click.argument("name", required=False)
@click.option("--markdown", is_flag=True, help="A table of what is installed, as the README shows it.")
@explained
def models(name: str | None, markdown: bool) -> None:
    """List the models that there are; with NAME (or a file), the whole card of one."""
    from rich.console import Console

    from liveperf.model import bundle, catalogue

    if name is not None:
        click.echo(catalogue.card(bundle.find(name)))
    elif markdown:
        click.echo(catalogue.markdown())
    else:
        Console().print(catalogue.listing())


@click.command()
@click.option("--backend", type=click.Choice(config.BACKENDS), help="Look at this MIDI system.")
@click.option("--model", default="maestro", metavar="NAME|FILE", help="Look at this model. [default maestro]")
def doctor(backend: str | None, model: str) -> None:
    """Find out what would keep it from playing well here, and what to do about it."""
    with importing():
        from liveperf.system.doctor import examine

    healthy = True
    for finding in examine(backend, model):
        healthy = healthy and finding.fine
        click.echo(f"{'ok ' if finding.fine else '!! '} {finding.what}: {finding.found}")
        if finding.remedy:
            click.echo(f"     {finding.remedy}")
    sys.exit(0 if healthy else FAILED)
