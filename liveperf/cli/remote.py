"""The commands that ask an instrument that plays: status, set, mode, panic, turn, preset, stop."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from liveperf.cli.options import HELP, explained
from liveperf.params import MODES, Params, row_named

if TYPE_CHECKING:
    from liveperf.remote.client import Remote

_NAME = click.option(
    "--name", default="liveperf", metavar="NAME", help="The instrument of that name. [default liveperf]"
)


@click.command(context_settings=HELP)
@_NAME
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@explained
def status(name: str, as_json: bool) -> None:
    """Show how the instrument that plays is."""
    found = _instrument(name).status()
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines(found)))


@click.command(context_settings={**HELP, "ignore_unknown_options": True})  # else -12 is one
@_NAME
@click.argument("said", nargs=-1, required=True, metavar="NAME VALUE | NAME=VALUE...")
@explained
def set(name: str, said: tuple[str, ...]) -> None:
    """Set parameters of the instrument that plays; `liveperf params` lists them.

    liveperf set density 4, or several that belong together: liveperf set lowest_pitch=90 highest_pitch=100
    """
    pairs = [tuple(one.split("=", 1)) for one in said if "=" in one]
    if not pairs and len(said) == 2:
        pairs = [said]
    elif len(pairs) != len(said):
        raise click.UsageError("expected NAME VALUE, or NAME=VALUE as often as you like")
    _instrument(name).set(dict(_checked(*pair) for pair in pairs))


@click.command(context_settings=HELP)
@_NAME
@click.argument("mode", type=click.Choice(MODES))
@explained
def mode(name: str, mode: str) -> None:
    """Switch the mode: answer, solo or duet."""
    _instrument(name).set({"mode": mode})


@click.command(context_settings=HELP)
@_NAME
@explained
def panic(name: str) -> None:
    """End every note at once."""
    _instrument(name).act("panic")


@click.command(context_settings=HELP)
@_NAME
@explained
def turn(name: str) -> None:
    """Hand over the turn."""
    _instrument(name).act("turn")


@click.command(context_settings=HELP)
@_NAME
@click.argument("preset", metavar="PRESET|FILE")
@explained
def preset(name: str, preset: str) -> None:
    """Switch to a preset that ships, or to a file."""
    if Path(preset).suffix or Path(preset).name != preset:
        preset = str(Path(preset).expanduser().absolute())  # the instrument may play in another folder
    _instrument(name).preset(preset)


@click.command(context_settings=HELP)
@_NAME
@explained
def stop(name: str) -> None:
    """End the instrument that plays, and wait until it has ended."""
    _instrument(name).stop()


COMMANDS = (status, set, mode, panic, turn, preset, stop)


def _instrument(name: str) -> Remote:
    """The instrument that plays. Raises RemoteError, PlaceError."""
    from liveperf.remote.client import Remote
    from liveperf.system import places

    return Remote(places.runtime(), name)


def _checked(name: str, text: str) -> tuple[str, Any]:
    """A parameter and its value, in its row's own type. Raises ParamError."""
    row = row_named(name.replace("-", "_"))
    value: Any = text
    if not row.choices:
        with contextlib.suppress(ValueError):
            value = float(text)  # 4.0 is a whole number, too
    return row.name, row.check(value)


def lines(status: dict[str, Any]) -> Iterator[str]:
    """A status for people, a line each; what it does not hold is left out."""
    for title, text in _said(status):
        if text:
            yield f"{title:<10}{text}"


def _said(status: dict[str, Any]) -> Iterator[tuple[str, str]]:
    get = status.get
    yield (
        "name",
        f"{get('name')} (liveperf {get('version')}, process {get('pid')}), for {_span(get('uptime_s') or 0)}",
    )
    yield "model", f"{get('model')}" + (f", preset {get('preset')}" if get("preset") else "")
    yield "mode", f"{get('mode')}, {get('state')}"
    absent = [port for port in get("ports") or () if not port["open"] and not (port["wanted"] or port["name"])]
    for port in get("ports") or ():
        if port["open"]:
            yield port["direction"], str(port["name"])
        elif port not in absent:
            yield port["direction"], f"not connected; looking for {port['wanted'] or port['name']!r}"
    yield "ports", "no MIDI system" if absent else ""
    yield "notes", f"{get('notes_in')} in, {get('notes_out')} out"
    late = get("lateness_ms")
    yield (
        "lateness",
        "{p50:.2f} ms median, {p99:.2f} p99, {max:.2f} most".format(**late) if late else "nothing was sent yet",
    )
    troubles = ("underruns", "reconnects", "restarts")
    yield "troubles", ", ".join(f"{get(key)} {key}" for key in troubles if get(key)) or "none"
    clock = get("clock") or {}
    if clock.get("bpm") is not None:
        yield "clock", f"{clock['bpm']:.1f} bpm, {'running' if clock.get('running') else 'stopped'}"
    lost = f", without {get('unrecorded')} messages" if get("unrecorded") else ""
    yield "recording", f"{get('recording') or 'none'}{lost}"
    yield "memory", "" if get("memory_mb") is None else f"{get('memory_mb'):.0f} MB"
    yield "set", ", ".join(_differences(get("params") or {})) or "as usual"


def _differences(params: dict[str, Any]) -> Iterator[str]:
    """The parameters that are not as usual; the mode is said elsewhere."""
    for name, value in params.items():
        if name != "mode" and value != getattr(Params, name, None):
            unit = f" {row_named(name).unit}".rstrip() if hasattr(Params, name) else ""
            yield f"{name} {value if isinstance(value, str) else f'{value:g}'}{unit}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
