"""`bin/bench`: how fast the instrument is and how well it keeps time, measured on this machine, in one table."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tests.bench import control as control
from tests.bench import daemon as daemon
from tests.bench import lateness as late
from tests.bench import pages as pages
from tests.bench import panel as panel
from tests.bench import play as play
from tests.bench import speed as speed
from tests.bench import window as window
from tests.bench.row import QUICK, Row, Size

Measure = Callable[[Size], list[Row]]


def measure(size: Size, tell: Callable[[str], None]) -> list[Row]:
    """All rows. tell: what is being measured."""
    with play.jack_server() as no_jack:
        groups: tuple[tuple[str, Measure, tuple[Row, ...]], ...] = (
            ("a step", speed.steps, speed.STEPS),
            ("lateness", lambda size: late.lateness(size, no_jack), late.LATENESS),
            ("an answer", speed.answers, (speed.COMPUTED,)),
            ("from key to answer", lambda size: play.keys(size, no_jack), (play.ANSWER, play.YIELD)),
            ("a knob", lambda size: control.knob(size, no_jack), (control.KNOB, control.KNOB_AHEAD)),
            ("a sweep", lambda size: control.sweep(size, no_jack), control.SWEEP),
            ("a post", lambda size: panel.posts(size, no_jack), (panel.POSTED,)),
            ("a panel", lambda size: panel.looked_at(size, no_jack), panel.LOOKED_AT),
            ("open pages", pages.open_pages, pages.PAGES_OPEN),
            ("the program", lambda size: play.program(size, no_jack), (play.START, play.MEMORY, play.OWN)),
            ("a JACK server", lambda size: daemon.restarts(size, no_jack), (daemon.RESTARTED,)),
            ("a keyboard", lambda size: daemon.keyboards(size, no_jack), daemon.KEYBOARD),
            ("a fault", lambda size: daemon.broken(size, no_jack), daemon.FAULTS),
            ("the end", lambda size: daemon.ends(size, no_jack), daemon.ENDS),
            ("a file", speed.files, (speed.GENERATE,)),
            ("a window", lambda size: window.window(size, no_jack), window.WINDOW),
        )
        rows = []
        for name, group, heads in groups:
            tell(name)
            rows += with_gaps(group, size, heads)
        return rows


def with_gaps(group: Measure, size: Size, heads: tuple[Row, ...]) -> list[Row]:
    """A group's rows; where it fails, its heads and why, so that no row is lost."""
    try:
        return group(size)
    except BaseException as error:  # the failures of pytest, whose JACK parts it uses, are not Exceptions
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return [head.missing(why) for head in heads]


def machine() -> dict[str, Any]:
    """What it was measured on. load: of the last minute, before the measuring began; None where there is none."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "commit": _commit(),
    }


def versions() -> dict[str, str]:
    """The versions of what it was measured with."""
    found = {"python": platform.python_version()}
    for name in ("onnxruntime", "torch", "numpy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _commit() -> str:
    """The commit of the checkout, with a + where files have changed since."""
    try:
        git = ["git", "-C", str(speed.ROOT)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def header(machine: dict[str, Any], versions: dict[str, str]) -> str:
    """The line above the table."""
    load = "" if machine["load"] is None else f", load {machine['load']}"
    parts = [f"{machine['processor']}, {machine['cores']} cores{load}", machine["system"]]
    parts += [f"{name} {version}" for name, version in versions.items()]
    return "; ".join([*parts, f"commit {machine['commit']}"])


def table(rows: list[Row]) -> Table:
    """The rows to look at."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("row", overflow="fold", ratio=3)
    shown.add_column("unit")
    for figure in ("median", "p99", "max"):
        shown.add_column(figure, justify="right", no_wrap=True)
    shown.add_column("aim", overflow="fold")
    shown.add_column("note", overflow="fold", ratio=4)
    for row in rows:
        figures = [_number(value) for value in (row.median, row.p99, row.max)]
        shown.add_row(row.name, row.unit, *figures, _aim(row), row.note)
    return shown


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _aim(row: Row) -> str:
    if row.aim is None:
        return ""
    mark = {True: "[green]reached[/]", False: "[red]missed[/]", None: "-"}[row.reached]
    return f"{row.aim} {mark}"


def markdown(rows: list[Row], heading: str) -> str:
    """The rows as a table for README.md."""
    lines = [heading, "", "| | unit | median | p99 | max | aim |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = " | ".join(_number(value) for value in (row.median, row.p99, row.max))
        reached = {True: ": reached", False: ": missed", None: ""}[row.reached]
        aim = f"{row.aim}{reached}" if row.aim else ""
        lines.append(f"| {row.name} | {row.unit} | {figures} | {aim} |")
    return "\n".join(lines) + "\n"


def put_between(marks: str, text: str, file: Path) -> None:
    """Replace what stands in a file between `<!-- marks -->` and `<!-- /marks -->`."""
    begin, end = f"<!-- {marks} -->\n", f"<!-- /{marks} -->"
    before, _, rest = file.read_text(encoding="utf-8").partition(begin)
    file.write_text(before + begin + text + end + rest.partition(end)[2], encoding="utf-8")


def as_json(rows: list[Row], machine: dict[str, Any], versions: dict[str, str]) -> str:
    """The same for other programs."""
    shown = [
        {**dataclasses.asdict(row), "aim": str(row.aim) if row.aim else None, "reached": row.reached}
        for row in rows
    ]
    return json.dumps({"machine": machine, "versions": versions, "rows": shown}, indent=2) + "\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Write the rows, the machine and the versions to FILE, too.",
)
@click.option("--readme", is_flag=True, help="Put the table into README.md, too.")
@click.option("--quick", is_flag=True, help="Measure less of everything: two minutes instead of ten.")
def main(json_file: Path | None, readme: bool, quick: bool) -> None:
    """Measure the instrument on this machine: one table."""
    found, used = machine(), versions()
    with Console(stderr=True).status("") as status:
        rows = measure(QUICK if quick else Size(), lambda what: status.update(f"measuring {what}"))
    console = Console(width=None if sys.stdout.isatty() else 180)  # a file's lines may be long
    console.print(header(found, used), style="bold", highlight=False)
    console.print(table(rows))
    if readme:
        put_between("bench", markdown(rows, header(found, used)), speed.ROOT / "README.md")
    if json_file is not None:
        json_file.write_text(as_json(rows, found, used), encoding="utf-8")


if __name__ == "__main__":
    main()
