"""`play`, `generate` and `learn`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from liveperf.cli.options import (
    CHANNEL,
    CONFIG,
    MODEL,
    PRESET,
    PRIME,
    SEED,
    Seconds,
    end,
    explained,
    importing,
    live_options,
    seed_of,
    setup_of,
)
from liveperf.errors import FAILED
from liveperf.mapping.encoders import CODINGS
from liveperf.setup import config
from liveperf.setup.settings import NO_BACKEND, SEVERAL, USUAL_PORT


@click.command()
@click.option(
    "--in",
    "input",
    multiple=True,
    metavar="NAME",
    help="Listen to the port whose name holds NAME, once it is there; may come again. Left out: a virtual port.",
)
@click.option(
    "--out",
    "output",
    multiple=True,
    metavar="NAME",
    help="Play to the port whose name holds NAME, once it is there; may come again. Left out: a virtual port.",
)
@click.option(
    "--several",
    type=click.Choice(SEVERAL),
    help="With more than one --in or --out: use all of them, or the first that is there. [default all]",
)
@click.option(
    "--backend",
    type=click.Choice((*config.BACKENDS, NO_BACKEND)),
    help="The MIDI system. [none: the page is keyboard and synth; default: the first that works]",
)
@MODEL
@PRESET
@CONFIG
@SEED
@PRIME
@click.option(
    "--duration", type=Seconds(0), metavar="S", help="End after S seconds. Left out: play until stopped."
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE.mid",
    help="Write what you and it played, on two tracks. (`liveperf recordings` has it in any case.)",
)
@click.option(
    "--keep-mb",
    type=click.IntRange(0, 10**7),
    metavar="MB",
    help="How much disk its recordings may take, the oldest going first. [0: none are made; default 1024]",
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
@CHANNEL
@click.option(
    "--daemon",
    "service",
    is_flag=True,
    help="For a service: wait for MIDI and ports, log with levels, read the setup again on SIGHUP.",
)
@click.option("--name", help="Of its ports, and its place beside other instruments. [default liveperf]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Where it can be controlled from. [0: any that is free; default {USUAL_PORT}, or any]",
)
@click.option("--host", help="The address for that; other than 127.0.0.1 it takes a --token.")
@click.option("--token", help="What a caller has to know. [16 letters or more]")
@click.option("--no-panel", is_flag=True, help="Serve no page there.")
@click.option("--osc", type=click.IntRange(0, 65535), metavar="PORT", help="Listen to OSC here, too. [0: no]")
@live_options()
@explained
def play(
    config_file: Path | None,
    preset: str | None,
    seed: int | None,
    prime: Path | None,
    duration: float | None,
    record: Path | None,
    no_thru: bool,
    no_panel: bool,
    service: bool,
    **options: Any,
) -> None:
    """Play: listen to a keyboard, send notes to a synth or DAW."""
    with importing():
        from liveperf import daemon

    def read() -> config.Config:
        found = setup_of(config_file, preset, options)
        off = {"thru": False} if no_thru else {}
        return config.apply(found, off | ({"panel": False} if no_panel else {}))

    setup = read()
    seed = seed_of(seed, setup)
    daemon.play(daemon.Life(setup, read, seed, prime, record, duration, preset, service, config_file))


@click.command()
@click.option(
    "--out", "out", required=True, type=click.Path(path_type=Path), metavar="FILE.mid", help="The file to write."
)
@click.option("--seconds", type=Seconds(1, 86_400), default=60.0, help="How long. [1 to 86400 s; default 60]")
@MODEL
@PRESET
@CONFIG
@SEED
@PRIME
@CHANNEL
@live_options("mode")
@explained
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
    with importing():
        from rich.console import Console
        from rich.progress import Progress

        from liveperf import offline
        from liveperf.playing import parts
        from liveperf.recording import recordings

    setup = setup_of(config_file, preset, {**options, "mode": "solo"})
    recordings.check(out)
    performer = parts.performer(setup, seed_of(seed, setup), prime)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("performing", total=seconds)
        notes = offline.perform(performer, seconds, lambda done: progress.update(task, completed=done))
    try:
        offline.write(out, notes, performer.rate, setup.channel)
    except OSError as error:
        end(f"cannot write {out}: {error.strerror or error}", FAILED)
    click.echo(f"{out}: {seconds:g} s, {sum(note.velocity > 0 for note in notes)} notes")


@click.command()
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
@click.option("--encoder", type=click.Choice(list(CODINGS)), help="The knob is endless, and codes its steps so.")
@explained
def learn(
    parameter: str | None,
    config_file: Path,
    input: str | None,
    backend: str | None,
    note: bool,
    encoder: str | None,
) -> None:
    """Teach it a knob: name PARAMETER (or an action such as turn), move the knob, done.

    Without PARAMETER it shows what there is. The setup's comments stay.
    """
    from liveperf.setup import learn as learning

    name = (parameter or learning.ask()).replace("-", "_")
    learning.learn(config_file, name, click.echo, input, backend, note, encoder)
