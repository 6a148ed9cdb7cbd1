"""What there is, to be read: the installed models, as they describe themselves, and the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from liveperf import params
from liveperf.model import bundle


def card(path: Path) -> str:
    """All that a bundle's card says. Raises BundleError."""
    found = bundle.load(str(path)).card
    vocabulary = found.vocabulary
    lines = [
        f"{found.name} ({path.stat().st_size / 1e6:.1f} MB, {path})",
        f"licence: {found.licence}",
        f"data: {found.data}",
        f"vocabulary: {vocabulary.size} events, {1000 / vocabulary.steps_per_second:g} ms a step",
    ]
    for title, values in (("training", found.training), ("scores", found.scores)):
        lines += [f"{title}:", *_lines(values, 2)]
    return "\n".join(lines)


def _lines(values: dict[str, Any], indent: int) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict) and any(isinstance(one, (dict, list)) for one in value.values()):
            yield f"{' ' * indent}{key}:"
            yield from _lines(value, indent + 2)
        else:
            said = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
            yield f"{' ' * indent}{key}: {said}"


def listing() -> Table:
    """The installed bundles, a line each. Raises BundleError."""
    shown = Table("model", "MB", "events", "data", "licence", "nats/event", box=None, pad_edge=False)
    for path in bundle.installed():
        found = bundle.load(str(path)).card
        size = f"{path.stat().st_size / 1e6:.1f}"
        nats = _score(found.scores, "test_nats_per_event")
        shown.add_row(found.name, size, str(found.vocabulary.size), found.data, found.licence, nats)
    return shown


# What the README shows of each: heading, and how to find it in the scores of `train evaluate --json`.
_COLUMNS = (
    ("nats/event", "nats_per_event", 3),
    ("nats/note", "nats_per_note", 2),
    ("bits/s of music", "bits_per_second", 1),
    ("perplexity", "perplexity", 2),
)


def markdown() -> str:
    """The installed bundles and their scores as a Markdown table. Raises BundleError."""
    headings = ["model", "trained on", "hours", "M events", "MB", *(heading for heading, _, _ in _COLUMNS)]
    lines = ["| " + " | ".join(headings) + " |", "|---|---|" + "---|" * (len(headings) - 2)]
    for path in bundle.installed():
        found = bundle.load(str(path)).card
        runs = [found.training]
        while "began_with" in runs[-1]:
            runs.append(runs[-1]["began_with"])
        runs += found.training.get("averaged_with", [])
        hours, events = (sum(float(run.get(key, 0)) for run in runs) for key in ("hours", "events"))
        for precision in ("fp32", "int8"):
            scores = found.scores.get(precision)
            if not isinstance(scores, dict):
                continue
            size = f"{path.stat().st_size / 1e6:.1f}" if precision == "int8" else ""
            told = [f"`{found.name}`, {precision}", found.data, f"{hours:.1f}", f"{events / 1e6:.1f}", size]
            told += [f"{scores[key]:.{digits}f}" if key in scores else "" for _, key, digits in _COLUMNS]
            lines.append("| " + " | ".join(told) + " |")
    return "\n".join(lines)


def _score(scores: dict[str, Any], key: str) -> str:
    found = scores.get(key, "?")
    return str(found.get("int8", "?") if isinstance(found, dict) else found)


def parameters() -> Table:
    """The live parameters, a line each."""
    shown = Table("parameter", "range", "default", "", box=None, pad_edge=False)
    for row in _rows():
        shown.add_row(*row)
    return shown


def parameters_markdown() -> str:
    """The live parameters as a Markdown table."""
    lines = ["| parameter | range | default | |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {bounds} | {default} | {help} |" for name, bounds, default, help in _rows()]
    return "\n".join(lines)


def _rows() -> list[tuple[str, str, str, str]]:
    return [
        (
            row.name,
            ", ".join(row.choices) if row.choices else row.bounds,
            row.default if row.choices else f"{row.default:g}",
            row.help,
        )
        for row in params.table()
    ]
