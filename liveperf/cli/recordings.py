"""`liveperf recordings`: what was played, found again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from liveperf.cli.options import HELP, explained

if TYPE_CHECKING:
    from rich.table import Table

    from liveperf.recording.recordings import Recording

_NAME = click.argument("name")


@click.group(context_settings=HELP, invoke_without_command=True)
@click.pass_context
@explained
def recordings(context: click.Context) -> None:
    """List, export, draw and remove what was played: every session is recorded as it happens.

    NAME is a recording's name, the beginning of one, or `last`: the one begun last, whichever instrument played.
    """
    if context.invoked_subcommand is None:
        _list()


def _list() -> None:
    from rich.console import Console

    from liveperf.recording import recordings as room
    from liveperf.recording.journalfile import RecordError
    from liveperf.system import places

    folder = places.recordings()
    found: list[Recording] = []
    unread: list[str] = []
    for path in room.paths(folder):
        try:
            found.append(room.inspect(path))
        except RecordError as error:  # it keeps none of the others from being listed
            unread.append(str(error))
    if found:
        Console().print(_table(found))
    for text in unread:
        click.echo(text)
    if not found and not unread:
        click.echo(f"there are no recordings in {folder} yet; they are made as you play")


def _table(found: list[Recording]) -> Table:
    """A row for each; which instrument played is said where it was not only the usual one. Fits 80 columns."""
    from rich.table import Column, Table

    from liveperf.recording import pianoroll
    from liveperf.recording.journalfile import NAME

    usual = all(one.instrument == NAME for one in found)
    columns = [Column(title, no_wrap=True) for title in ("name", "when")]  # the date is in the name
    titles = ("length", "your\nnotes", "its\nnotes")
    columns += [Column(title, justify="right", no_wrap=True) for title in titles]
    columns += [] if usual else [Column("instru-\nment")]
    columns += [Column("model"), Column("MB", justify="right", no_wrap=True), Column("", max_width=6)]
    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2 if usual else 1, 0, 0))
    for one in found:
        mb, remark = one.size / 1e6, "" if one.finished else "not ended"
        if one.lost:
            remark = ", ".join(filter(None, [remark, f"{one.lost} lost"]))
        table.add_row(
            one.name,
            f"{one.start.astimezone():%a %H:%M}",
            pianoroll.duration(one.seconds),
            str(one.human),
            str(one.machine),
            *([] if usual else [one.instrument]),
            one.model,
            f"{mb:.2f}" if mb < 10 else f"{mb:.1f}",
            remark,
        )
    return table


@recordings.command()
@_NAME
@click.argument("file", metavar="FILE.mid", type=click.Path(path_type=Path))
@explained
def export(name: str, file: Path) -> None:
    """Write a recording as a MIDI file: you and it on two tracks, the parameters as text events."""
    from liveperf.recording import recordings as room
    from liveperf.system import places

    path = room.find(places.recordings(), name)
    room.export([path], file)
    click.echo(f"{file}: {path.stem}")


@recordings.command()
@_NAME
@click.argument("file", metavar="FILE.svg", type=click.Path(path_type=Path))
@click.option("--thumbnail", is_flag=True, help="A small one, without axes.")
@explained
def draw(name: str, file: Path, thumbnail: bool) -> None:
    """Draw a recording's piano roll: pitch over time, you and it in two colours; stronger is louder."""
    from liveperf.recording import recordings as room
    from liveperf.system import places

    path = room.find(places.recordings(), name)
    room.draw(path, file, thumbnail)
    click.echo(f"{file}: {path.stem}")


@recordings.command()
@_NAME
@explained
def remove(name: str) -> None:
    """Remove a recording for good."""
    from liveperf.recording import recordings as room
    from liveperf.system import places

    path = room.find(places.recordings(), name)
    room.remove(path)
    click.echo(f"{path.stem} is removed")
