"""What `evaluate` prints: one table of all that a `Report` holds."""

from __future__ import annotations

from rich import box
from rich.table import Table

from train.compare import Comparison, Likeness
from train.listen import ORDER
from train.obedience import Obedience
from train.report import Plays, Report

_DRIFT = {
    "notes_per_second": ("notes per second", "{:.1f}"),
    "velocity": ("velocity, mean", "{:.0f}"),
    "polyphony": ("polyphony, mean", "{:.1f}"),
    "repetition": ("notes repeated", "{:.0%}"),
    "silent": ("performances silent", "{:.0%}"),
    "looping": ("over half repeated", "{:.0%}"),
    "distance": ("distance, mean", "{:.2f}"),
}


def table(report: Report) -> Table:
    """A section for each question, each with a heading of its own over the columns."""
    first = report.scores[0]
    title = f"{first.model}: {first.pieces} pieces of the {first.split} split"
    drawn = Table(
        title=title, show_header=False, box=box.SIMPLE, show_edge=False, pad_edge=False, collapse_padding=True
    )
    drawn.add_column(no_wrap=True)
    for _ in range(4):
        drawn.add_column(justify="right")
    _predicts(drawn, report)
    if report.plays:
        _plays(drawn, report.plays)
        _drifts(drawn, report.plays.comparison)
        _obeys(drawn, report.plays.obedience)
    return drawn


def _head(drawn: Table, *cells: str) -> None:
    drawn.add_section()
    drawn.add_row(*cells, style="bold")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _predicts(drawn: Table, report: Report) -> None:
    scores = report.scores
    first = scores[0]
    total = sum(first.nats.values())
    _head(drawn, "predicts: nats/event", "events", *(one.precision for one in scores), "of all nats")
    for kind, count in first.events.items():
        if count:
            nats = [f"{one.nats[kind] / count:.4f}" for one in scores]
            drawn.add_row(kind.value, f"{count:,}", *nats, f"{first.nats[kind] / total:.1%}")
    drawn.add_row(
        "all", f"{sum(first.events.values()):,}", *(f"{one.nats_per_event:.4f}" for one in scores), "100%"
    )
    drawn.add_row("perplexity", "", *(f"{one.perplexity:.2f}" for one in scores))
    drawn.add_row("nats a note", "", *(f"{one.nats_per_note:.3f}" for one in scores))
    drawn.add_row("bits a second of music", "", *(f"{one.bits_per_second:.1f}" for one in scores))


def _plays(drawn: Table, plays: Plays) -> None:
    comparison = plays.comparison
    _head(drawn, f"plays {plays.minutes:.3g} min: distance", "played", "ceiling", "its median", "real median")
    for one in comparison.likenesses:
        unit = {"s": ", ms", "": ""}.get(one.measure.unit, f", {one.measure.unit}")
        ceiling = _number(one.mean_ceiling, "{:.3f}")
        medians = (_median(one, one.generated_median), _median(one, one.real_median))
        drawn.add_row(one.measure.name + unit, f"{one.generated:.3f}", ceiling, *medians)
    drawn.add_row("mean", f"{comparison.distance:.3f}", _number(comparison.ceiling, "{:.3f}"))
    _head(drawn, "repeats", "played", "real")
    drawn.add_row(f"{ORDER} pitches heard before", *(_number(share, "{:.1%}") for share in comparison.repetition))


def _median(one: Likeness, value: float | None) -> str:
    if not one.measure.has_median:
        return ""
    return _number(value if value is None or one.measure.unit != "s" else 1000 * value, "{:.3g}")


def _drifts(drawn: Table, comparison: Comparison) -> None:
    _head(drawn, "drifts: played / real", *(f"until {until:g} s" for until in comparison.drift))
    for field, (name, form) in _DRIFT.items():
        pairs = ((getattr(own, field), getattr(real, field)) for own, real in comparison.drift.values())
        drawn.add_row(name, *(f"{_number(own, form)} / {_number(real, form)}" for own, real in pairs))


def _obeys(drawn: Table, obedience: Obedience) -> None:
    _head(drawn, "obeys: notes per second", "asked", "played", "ratio", "by seed")
    for density in obedience.densities:
        seeds = f"{min(density.played):.1f}–{max(density.played):.1f}"
        drawn.add_row("density", f"{density.asked:g}", f"{density.mean:.1f}", f"{density.ratio:.2f}", seeds)
    _head(drawn, "obeys: time in the scale", "asked", "not asked")
    for scale in obedience.scales:
        drawn.add_row(scale.name, _number(scale.played, "{:.1%}"), _number(scale.chance, "{:.1%}"))
