"""What a bundle plays, beside what people play: distances, repetition, drift.

The real split is divided anew in each of several draws. As many pieces as there are generated performances (half
of the split at most) are held out, and a random excerpt as long as a generated performance is taken of each: of a
shorter piece the whole, if there are not enough longer ones. The other pieces are the reference. Against it are
measured the generated performances and, as the ceiling of what can be reached, the excerpts. Means are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.listen import MEASURES, Floats, Measure, Performance, divergence, polyphony, repeated

DRAWS = 10
UNTIL_S = (30.0, 60.0, 300.0)  # where the windows of drift end
WINDOW_S = 30.0  # how long they are
LOOP = 0.5  # of a window's notes repeated: a loop


@dataclass(frozen=True, eq=False)
class Likeness:
    """One measure. Divergences in bits, 0 to 1; medians in the measure's unit.

    generated: from the reference. ceiling: of the real excerpts, draw by draw; () where nothing can be held out.
    generated_bins [bins], real_bins [bins], excerpt_bins [draws, bins]: the shares, for a plot.
    """

    measure: Measure
    generated: float
    ceiling: tuple[float, ...]
    generated_median: float | None
    real_median: float | None
    generated_bins: Floats
    real_bins: Floats
    excerpt_bins: Floats

    @property
    def mean_ceiling(self) -> float | None:
        """Of all draws."""
        return mean(self.ceiling)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        values: dict[str, Any] = {
            "generated": rounded(self.generated),
            "ceiling": rounded(self.mean_ceiling),
            "ceiling_worst": rounded(max(self.ceiling, default=None)),
        }
        if self.measure.has_median:
            medians = {"generated_median": self.generated_median, "real_median": self.real_median}
            values |= {key: rounded(value) for key, value in medians.items()}
        return values


@dataclass(frozen=True)
class Window:
    """A stretch of every performance, all together; None for what silence, or nothing at all, does not have."""

    performances: float  # that last so long
    notes_per_second: float | None = None
    velocity: float | None = None  # mean, 1 to 127
    polyphony: float | None = None  # mean over time, notes
    repetition: float | None = None  # the part of the notes that end a passage heard earlier in the performance
    silent: float | None = None  # the part of the performances without a note here
    looping: float | None = None  # the part of the performances that repeat over `LOOP` of their notes here
    distance: float | None = None  # mean over the measures, from the reference

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {field.name: rounded(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Generated performances beside a split of real ones."""

    generated: int  # performances
    generated_s: float  # seconds, of each
    excerpts: int  # real ones, in each draw
    excerpts_s: float  # seconds, of each, mean
    likenesses: tuple[Likeness, ...]
    repetition: tuple[float | None, float | None]  # generated, real
    drift: dict[float, tuple[Window, Window]]  # generated, real, by the second in which the window ends

    @property
    def distance(self) -> float:
        """The mean divergence over the measures."""
        return float(np.mean([likeness.generated for likeness in self.likenesses]))

    @property
    def ceiling(self) -> float | None:
        """The same of the real excerpts."""
        return mean(likeness.mean_ceiling for likeness in self.likenesses)

    def as_json(self) -> dict[str, Any]:
        """Plain values, rounded; what does not exist is None."""
        windows = {
            f"{until:g}": {"generated": generated.as_json(), "real": real.as_json()}
            for until, (generated, real) in self.drift.items()
        }
        return {
            "performances": self.generated,
            "performance_s": rounded(self.generated_s),
            "excerpts": self.excerpts,
            "excerpt_s": rounded(self.excerpts_s),
            "distance": {
                "all": {"generated": rounded(self.distance), "ceiling": rounded(self.ceiling)},
                **{likeness.measure.name: likeness.as_json() for likeness in self.likenesses},
            },
            "repetition": dict(zip(("generated", "real"), map(rounded, self.repetition), strict=True)),
            "drift_s": windows,
        }


@dataclass(frozen=True, eq=False)
class _Draw:
    """Real excerpts, what is `repeated` in each, their histograms, and those of the pieces they are not from."""

    excerpts: list[Performance]
    flags: list[NDArray[np.bool_]]
    bins: list[Floats]
    reference: list[Floats]


def compare(
    generated: Sequence[Performance], real: Sequence[Performance], draws: int = DRAWS, seed: int = 0
) -> Comparison:
    """Compare performances of one length with whole real pieces (one of each at least; they start at 0 s).

    Of a single piece nothing can be held out: it is the reference, there is no ceiling.
    """
    random = np.random.default_rng(seed)
    seconds, alone = generated[0].seconds, len(real) == 1
    own = [histograms([piece]) for piece in real]
    total = [np.sum(bins, axis=0) for bins in zip(*own, strict=True)]
    drawn = []
    for _ in range(draws):
        held = draw(real, min(len(generated), max(1, len(real) // 2)), seconds, random)
        out = [own[piece] for piece, _ in held]
        rest = total if alone else [every - sum(bins[i] for bins in out) for i, every in enumerate(total)]
        excerpts = [excerpt for _, excerpt in held]
        drawn.append(_Draw(excerpts, [repeated(one) for one in excerpts], histograms(excerpts), rest))

    bins = histograms(generated)
    likenesses = tuple(
        Likeness(
            measure,
            float(np.mean([divergence(bins[i], one.reference[i]) for one in drawn])),
            () if alone else tuple(divergence(one.bins[i], one.reference[i]) for one in drawn),
            measure.median(generated),
            measure.median(real),
            _normalised(bins[i]),
            _normalised(total[i]),
            np.array([_normalised(one.bins[i]) for one in drawn]),
        )
        for i, measure in enumerate(MEASURES)
    )
    flags = [repeated(performance) for performance in generated]
    drift = {}
    for until in UNTIL_S:
        span = (until - WINDOW_S, until)
        ours = [window(generated, flags, *span, one.reference) for one in drawn]
        theirs = [window(one.excerpts, one.flags, *span, None if alone else one.reference) for one in drawn]
        drift[until] = (_mean_window(ours), _mean_window(theirs))
    return Comparison(
        len(generated),
        seconds,
        len(drawn[0].excerpts),
        float(np.mean([excerpt.seconds for one in drawn for excerpt in one.excerpts])),
        likenesses,
        (_share(flags), mean(_share(one.flags) for one in drawn)),
        drift,
    )


def histograms(performances: Sequence[Performance]) -> list[Floats]:
    """That of each measure, in the order of `MEASURES`."""
    return [measure.histogram(performances) for measure in MEASURES]


def draw(
    real: Sequence[Performance], count: int, seconds: float, random: np.random.Generator
) -> list[tuple[int, Performance]]:
    """(piece, a random excerpt of it) of some pieces, those that are long enough first."""
    order = random.permutation(len(real)).tolist()
    order.sort(key=lambda piece: real[piece].seconds < seconds)
    chosen = []
    for piece in order[:count]:
        spare = real[piece].seconds - seconds
        begin = random.uniform(0, spare) if spare > 0 else 0.0
        chosen.append((piece, real[piece].between(begin, begin + min(seconds, real[piece].seconds))))
    return chosen


def window(
    performances: Sequence[Performance],
    history: Sequence[NDArray[np.bool_]],
    begin: float,
    end: float,
    reference: Sequence[Floats] | None,
) -> Window:
    """The stretch from `begin` to `end` (seconds since each performance's own begin) of those that last so long.

    history: `repeated` of each. reference: a histogram for each measure, None for no distance.
    """
    parts, flags = [], []
    for performance, known in zip(performances, history, strict=True):
        if performance.seconds >= end - 1e-6:
            parts.append(performance.between(performance.begin + begin, performance.begin + end))
            start = performance.struck["start"] - performance.begin
            flags.append(known[(start >= begin) & (start < end)])
    if not parts:
        return Window(0)
    notes = [len(part.struck) for part in parts]
    sounded = [float(np.dot(*polyphony(part))) for part in parts]
    distance = None
    if reference is not None:
        distance = mean(divergence(one, other) for one, other in zip(histograms(parts), reference, strict=True))
    return Window(
        performances=len(parts),
        notes_per_second=sum(notes) / ((end - begin) * len(parts)),
        velocity=sum(float(part.struck["velocity"].sum()) for part in parts) / sum(notes) if any(notes) else None,
        polyphony=sum(sounded) / ((end - begin) * len(parts)),
        repetition=_share(flags),
        silent=notes.count(0) / len(parts),
        looping=sum(len(known) > 0 and bool(known.mean() > LOOP) for known in flags) / len(parts),
        distance=distance,
    )


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that there are; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def rounded(value: float | None) -> float | None:
    """To four significant digits; None for what JSON has no number for."""
    return float(f"{value:.4g}") if value is not None and np.isfinite(value) else None


def _share(flags: Sequence[NDArray[np.bool_]]) -> float | None:
    count = sum(len(one) for one in flags)
    return sum(int(one.sum()) for one in flags) / count if count else None


def _normalised(bins: Floats) -> Floats:
    return bins / bins.sum() if bins.sum() > 0 else bins


def _mean_window(windows: Sequence[Window]) -> Window:
    values = {field.name: mean(getattr(one, field.name) for one in windows) for field in fields(Window)}
    return Window(**values)  # type: ignore[arg-type]
