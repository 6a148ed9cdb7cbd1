"""Whether a bundle does as it is asked: density and pitch classes, set as a musician sets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liveperf.scales import pitch_classes
from train.compare import rounded
from train.listen import Performance, share_inside
from train.play import SOLO, Asked

DENSITIES = (2.0, 4.0, 8.0, 16.0)  # notes/s
SCALES = (("C", "major"), ("F#", "pentatonic"), ("Eb", "major triad"))  # root, scale
SEEDS = 3
SECONDS = 60.0


@dataclass(frozen=True)
class DensityObeyed:
    """Notes/s asked for, and played by each seed; silence counts, that at the start, too."""

    asked: float
    played: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Notes/s played, of all seeds."""
        return sum(self.played) / len(self.played)

    @property
    def ratio(self) -> float:
        """Of played to asked: 1 is full obedience."""
        return self.mean / self.asked

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "asked": self.asked,
            "played": rounded(self.mean),
            "ratio": rounded(self.ratio),
            "seeds": [rounded(one) for one in self.played],
        }


@dataclass(frozen=True)
class ScaleObeyed:
    """The part (0 to 1) of the notes' duration inside a scale or chord that was asked for; None without notes.

    played: by all seeds. chance: by the same bundle when nothing is asked.
    """

    root: str
    scale: str
    played: float | None
    chance: float | None
    seeds: tuple[float | None, ...]

    @property
    def name(self) -> str:
        """As a musician says it."""
        return f"{self.root} {self.scale}"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "asked": self.name,
            "played": rounded(self.played),
            "chance": rounded(self.chance),
            "seeds": [rounded(one) for one in self.seeds],
        }


@dataclass(frozen=True)
class Obedience:
    """What was asked for, and what came of it."""

    seconds: float  # of each performance
    densities: tuple[DensityObeyed, ...]
    scales: tuple[ScaleObeyed, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "performance_s": rounded(self.seconds),
            "density": [one.as_json() for one in self.densities],
            "pitch_classes": [one.as_json() for one in self.scales],
        }


def questions(seconds: float = SECONDS, seeds: int = SEEDS) -> list[Asked]:
    """What to play for `obedience`: each density, then each scale, with each seed."""
    params = [SOLO.replace(density=density) for density in DENSITIES]
    params += [SOLO.replace(scale=scale, root=root) for root, scale in SCALES]
    return [Asked(seed, seconds, one) for one in params for seed in range(seeds)]


def obedience(answers: Sequence[Performance], free: Sequence[Performance]) -> Obedience:
    """Measure the answers to `questions`. free: performances of the same bundle with nothing asked."""
    seeds = len(answers) // (len(DENSITIES) + len(SCALES))
    groups = [answers[begin : begin + seeds] for begin in range(0, len(answers), seeds)]
    densities = tuple(
        DensityObeyed(density, tuple(len(one.struck) / one.seconds for one in group))
        for density, group in zip(DENSITIES, groups, strict=False)
    )
    scales = []
    for (root, scale), group in zip(SCALES, groups[len(DENSITIES) :], strict=True):
        inside = pitch_classes(scale, root)
        own = tuple(share_inside([one], inside) for one in group)
        scales.append(ScaleObeyed(root, scale, share_inside(group, inside), share_inside(free, inside), own))
    return Obedience(answers[0].seconds, densities, tuple(scales))
