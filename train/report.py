"""All that `evaluate` finds out: how well a model predicts a corpus, what it plays, whether it obeys."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from liveperf.codec import decode
from train.checkpoint import load_network
from train.compare import Comparison, compare, rounded
from train.evaluate import Evaluation, evaluate
from train.export import export
from train.listen import Performance, whole
from train.obedience import SECONDS, Obedience, obedience, questions
from train.play import SOLO, Asked, play_all
from train.prepare import Corpus

PERFORMANCE_S = 300.0
MINUTES = 100.0

Advance = Callable[[str, float], None]
"""Told what is being done, and the part of it done, 0 to 1."""


@dataclass(frozen=True, eq=False)
class Plays:
    """What a bundle plays: `minutes` by itself, then what it is asked for."""

    minutes: float
    comparison: Comparison
    obedience: Obedience

    def as_json(self) -> dict[str, Any]:
        """Plain values; `params`: those of the instrument that everything was played with."""
        params = {key: value for key, value in asdict(SOLO).items() if key in _HEARD}
        return {
            "minutes": rounded(self.minutes),
            "params": params,
            **self.comparison.as_json(),
            "obedience": self.obedience.as_json(),
        }


_HEARD = ("mode", "temperature", "top_p", "lowest_pitch", "highest_pitch", "polyphony", "note_limit_s")


@dataclass(frozen=True, eq=False)
class Report:
    """Scores, that of the precision that plays first; and what it plays, if it was listened to."""

    scores: tuple[Evaluation, ...]
    plays: Plays | None

    def as_json(self) -> dict[str, Any]:
        """Plain values, strictly JSON: no NaN. The first scores, then all by precision, then `plays`."""
        first = self.scores[0]
        values = {
            **first.as_json(),
            f"{first.split}_nats_per_event": {one.precision: round(one.nats_per_event, 5) for one in self.scores},
            **{one.precision: _brief(one) for one in self.scores},
        }
        if self.plays:
            values["plays"] = self.plays.as_json()
        strict: dict[str, Any] = _strict(values)
        return strict


def report(
    path: Path,
    corpus: Path,
    split: str = "test",
    pieces: int | None = None,
    minutes: float = MINUTES,
    jobs: int | None = None,
    advance: Advance = lambda stage, done: None,
) -> Report:
    """Score a checkpoint (.pt: fp32, and int8 as `export` writes it) or a bundle (.onnx: as it is); listen to it.

    pieces: only the first so many of the split. minutes: generated, in performances of 5 minutes, rounded up to
    whole ones (under 5: one that short); 0 = none. jobs: processes that play, default: one a processor. Errors as
    `evaluate`.
    """
    if path.suffix == ".onnx":
        return _of_bundle(path, (), corpus, split, pieces, minutes, jobs, advance)
    full = evaluate(path, corpus, split, pieces, lambda done: advance("predicting, fp32", done))
    with tempfile.TemporaryDirectory() as folder:
        shipped = Path(folder) / f"{path.stem}.onnx"
        network, values = load_network(path)
        card = {
            "name": path.stem,
            "vocabulary": values["vocabulary"],
            "licence": "",
            "data": "",
            "training": {"config": values["config"]},  # what it was told in training matters to how it is asked
            "scores": {},
        }
        export(network, card, shipped, int8=True)
        found = _of_bundle(shipped, (full,), corpus, split, pieces, minutes, jobs, advance)
    return replace(found, scores=tuple(replace(one, model=path.name) for one in found.scores))


def _of_bundle(
    path: Path,
    others: Sequence[Evaluation],
    corpus: Path,
    split: str,
    pieces: int | None,
    minutes: float,
    jobs: int | None,
    advance: Advance,
) -> Report:
    kind = "predicting, int8" if others else "predicting"
    scores = evaluate(path, corpus, split, pieces, lambda done: advance(kind, done))
    plays = None
    if minutes > 0:
        plays = listen(path, real_performances(corpus, split, pieces), minutes, jobs, advance)
    return Report((scores, *others), plays)


def real_performances(corpus: Path, split: str, pieces: int | None = None) -> list[Performance]:
    """The first so many pieces of a split, as the network is told them: in whole steps, velocities in bins."""
    prepared = Corpus(corpus)
    chosen = prepared.pieces(split)[:pieces]
    return [whole(decode(piece.astype(np.int64), prepared.vocabulary)) for piece in chosen]


def listen(
    path: Path,
    real: Sequence[Performance],
    minutes: float = MINUTES,
    jobs: int | None = None,
    advance: Advance = lambda stage, done: None,
) -> Plays:
    """Have a bundle play; compare it with real performances. minutes: above 0. Performance i has the seed i."""
    count = math.ceil(minutes * 60 / PERFORMANCE_S)
    seconds = min(PERFORMANCE_S, minutes * 60)
    free = [Asked(seed, seconds) for seed in range(count)]
    asked = questions(min(SECONDS, seconds))
    played = play_all(path, [*free, *asked], jobs, lambda done: advance("playing", done))
    comparison = compare(played[:count], real)
    return Plays(count * seconds / 60, comparison, obedience(played[count:], played[:count]))


def _brief(scores: Evaluation) -> dict[str, Any]:
    values = scores.as_json()
    kept = {key: values[key] for key in ("nats_per_event", "perplexity", "nats_per_note", "bits_per_second")}
    by_type = {kind: row["nats_per_event"] for kind, row in values["by_type"].items()}
    return {**kept, "by_type": by_type}


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_strict(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
