"""What `evaluate --plots` draws: one page of all that a `Report` holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from liveperf.scales import ROOTS
from train.compare import Comparison, Likeness, Window
from train.obedience import Obedience
from train.report import Plays, Report

_PLAYED, _REAL, _OTHER = "#d55e00", "#0072b2", "#999999"  # told apart by the colour-blind (Okabe and Ito 2008)
_TIME_TICKS = {0.0028: "0", 0.01: "10 ms", 0.1: "0.1 s", 1.0: "1 s", 10.0: "10 s"}
_DRIFT = {
    "notes_per_second": "drift: notes/s",
    "velocity": "drift: velocity, mean",
    "polyphony": "drift: polyphony, mean",
    "repetition": "drift: notes of passages heard before",
    "distance": "drift: mean distance from real",
}


def draw(report: Report, out: Path) -> None:
    """Write the page to a PNG or PDF. Raises ValueError if the report has nothing played, OSError."""
    if report.plays is None:
        raise ValueError("nothing was played, so there is nothing to draw")
    figure = page(report, report.plays)
    figure.savefig(out, dpi=100)


def page(report: Report, plays: Plays) -> Figure:
    """Distributions, distances, drift, obedience, nats."""
    comparison = plays.comparison
    figure = Figure(figsize=(17, 15))
    figure.subplots_adjust(left=0.045, right=0.985, bottom=0.03, top=0.915, wspace=0.27, hspace=0.36)
    FigureCanvasAgg(figure)
    panels: list[Callable[[Axes], None]] = [
        *(lambda axis, one=one: _distribution(axis, one) for one in comparison.likenesses),
        lambda axis: _distances(axis, comparison),
        *(lambda axis, field=field: _drift(axis, comparison, field) for field in _DRIFT),
        lambda axis: _density(axis, plays.obedience),
        lambda axis: _scales(axis, plays.obedience),
        lambda axis: _nats(axis, report),
    ]
    for axis, panel in zip(figure.subplots(4, 4).flat, panels, strict=True):
        panel(axis)
        axis.spines[["top", "right"]].set_visible(False)
        axis.title.set_fontsize(11)
        axis.tick_params(labelsize=9)
    first = report.scores[0]
    figure.suptitle(
        f"{first.model}: {plays.minutes:g} minutes of it, and {first.pieces} pieces of the {first.split} split",
        fontsize=15,
        y=0.985,
    )
    figure.legend(
        handles=[
            Line2D([], [], color=_PLAYED, linewidth=2, marker="o", label="played by the model"),
            Line2D([], [], color=_REAL, linewidth=2, marker="o", label="real pieces"),
            Patch(color=_REAL, alpha=0.25, label="as many real excerpts: range of the draws (the ceiling)"),
            Line2D([], [], color="black", linestyle="--", label="what was asked for"),
        ],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.972),
        ncols=4,
        frameon=False,
    )
    return figure


def _distribution(axis: Axes, one: Likeness) -> None:
    measure, edges = one.measure, one.measure.edges.copy()
    if measure.unit == "s":
        edges[0] = 0.002  # it is 0, which a logarithmic axis does not have
        axis.set_xscale("log")
        axis.set_xticks(list(_TIME_TICKS), labels=list(_TIME_TICKS.values()))
        axis.minorticks_off()
    elif measure.name == "pitch classes":
        axis.set_xticks(range(len(ROOTS)), labels=ROOTS)
    if len(one.excerpt_bins) and one.ceiling:
        low, high = one.excerpt_bins.min(axis=0), one.excerpt_bins.max(axis=0)
        axis.stairs(high, edges, baseline=low, fill=True, color=_REAL, alpha=0.25, linewidth=0)
    axis.stairs(one.real_bins, edges, color=_REAL, linewidth=1.6)
    axis.stairs(one.generated_bins, edges, color=_PLAYED, linewidth=1.8)
    axis.set_xlim(edges[0], edges[-1])
    axis.set_ylim(bottom=0)
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.set_ylabel(f"share of {measure.counted}", fontsize=9)
    unit = f", {measure.unit}" if measure.unit not in ("", "s") else ""
    ceiling = "" if one.mean_ceiling is None else f", ceiling {one.mean_ceiling:.3f}"
    axis.set_title(f"{measure.name}{unit}\ndistance {one.generated:.3f}{ceiling}")


def _distances(axis: Axes, comparison: Comparison) -> None:
    place = np.arange(len(comparison.likenesses))[::-1]
    played = [one.generated for one in comparison.likenesses]
    axis.barh(place + 0.2, played, 0.38, color=_PLAYED)
    if comparison.ceiling is not None:
        axis.barh(
            place - 0.2, [one.mean_ceiling or 0 for one in comparison.likenesses], 0.38, color=_REAL, alpha=0.6
        )
        for at, one in zip(place, comparison.likenesses, strict=True):
            axis.plot([min(one.ceiling), max(one.ceiling)], [at - 0.2] * 2, color=_REAL, linewidth=1.5)
    axis.set_yticks(place, labels=[one.measure.name.replace(" ", "\n", 1) for one in comparison.likenesses])
    axis.set_xlim(left=0)
    ceiling = "" if comparison.ceiling is None else f", ceiling {comparison.ceiling:.3f}"
    axis.set_title(f"distances from real, 0 to 1\nmean {comparison.distance:.3f}{ceiling}")


def _drift(axis: Axes, comparison: Comparison, field: str) -> None:
    until = list(comparison.drift)

    def values(windows: Sequence[Window]) -> list[float]:
        found = (getattr(window, field) for window in windows)
        return [np.nan if value is None else value for value in found]

    own, real = zip(*comparison.drift.values(), strict=True)
    axis.plot(until, values(real), "o-", color=_REAL, linewidth=1.8)
    axis.plot(until, values(own), "o-", color=_PLAYED, linewidth=1.8)
    axis.set_xscale("log")
    axis.set_xticks(until, labels=[f"{second:g} s" for second in until])
    axis.minorticks_off()
    axis.set_xlim(until[0] * 0.85, until[-1] * 1.15)
    top = max((value for value in values(own) + values(real) if np.isfinite(value)), default=0.0)
    axis.set_ylim(0, 1.15 * top or 1.0)
    if field == "repetition":
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        shares = ("-" if share is None else f"{share:.1%}" for share in comparison.repetition)
        axis.set_title("{}\nin all: played {}, real {}".format(_DRIFT[field], *shares))
    else:
        axis.set_title(f"{_DRIFT[field]}\nin the 30 s until")


def _density(axis: Axes, obedience: Obedience) -> None:
    asked = [one.asked for one in obedience.densities]
    axis.plot(asked, asked, "--", color="black", linewidth=1)
    axis.plot(asked, [one.mean for one in obedience.densities], "-", color=_PLAYED, linewidth=1.8)
    for one in obedience.densities:
        axis.plot([one.asked] * len(one.played), one.played, "o", color=_PLAYED, markersize=4)
    axis.set_xscale("log", base=2)
    axis.set_yscale("symlog", base=2, linthresh=1)
    ticks = [0.0, 1.0, *asked, 2 * asked[-1]]
    axis.set_xticks(asked, labels=[f"{one:g}" for one in asked])
    axis.set_yticks(ticks, labels=[f"{one:g}" for one in ticks])
    axis.minorticks_off()
    axis.set_ylim(bottom=0)
    ratios = ", ".join(f"{one.ratio:.2f}" for one in obedience.densities)
    axis.set_title(f"density asked and played, notes/s\nplayed : asked = {ratios}")


def _scales(axis: Axes, obedience: Obedience) -> None:
    place = np.arange(len(obedience.scales))[::-1]
    for at, one in zip(place, obedience.scales, strict=True):
        axis.barh(at + 0.2, one.played or 0, 0.38, color=_PLAYED)
        axis.barh(at - 0.2, one.chance or 0, 0.38, color=_OTHER)
        seeds = [share for share in one.seeds if share is not None]
        axis.plot(seeds, [at + 0.2] * len(seeds), "o", color="black", markersize=3)
        for share, height, word in ((one.played, 0.2, "asked"), (one.chance, -0.2, "not asked")):
            text = "no notes" if share is None else f"{word}, {share:.0%}"
            axis.text(0.02, at + height, text, va="center", fontsize=9, color="black")
    axis.axvline(1, ymin=0.02, color="black", linestyle="--", linewidth=1)
    axis.set_yticks(place, labels=[one.name.replace(" ", "\n", 1) for one in obedience.scales])
    axis.set_xlim(0, 1.02)
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.set_title("pitch classes asked\ntime of the notes inside them")


def _nats(axis: Axes, report: Report) -> None:
    kinds = [kind for kind, count in report.scores[0].events.items() if count]
    labels = [*(kind.value for kind in kinds), "all"]
    width = 0.8 / len(report.scores)
    for i, one in enumerate(report.scores):
        nats = [*(one.nats[kind] / one.events[kind] for kind in kinds), one.nats_per_event]
        place = np.arange(len(labels)) + (i - (len(report.scores) - 1) / 2) * width
        bars = axis.bar(place, nats, 0.92 * width, color="#333333" if i == 0 else _OTHER, label=one.precision)
        axis.bar_label(bars, fmt="%.2f", fontsize=7, padding=1)
    axis.set_xticks(np.arange(len(labels)), labels=[label.replace(" ", "\n") for label in labels])
    axis.margins(y=0.16)
    axis.legend(frameon=False, fontsize=9, ncols=2, loc="upper left")
    axis.set_title(
        f"nats an event of the {report.scores[0].split} split\nperplexity {report.scores[0].perplexity:.2f}"
    )
