"""What the generator goes on from: an immutable value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liveperf.model.network import NetworkState

FAR = 1 << 60  # a step that never comes


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorState:
    """Everything that the next event depends on, besides the parameters.

    step: where the performance is. logits [V]: of the next event. own: the machine's sounding pitches and the step
    by which each ends; others: those that the human holds. seed: of the random choice to come. event, before: the
    last event fed and the network's state before it, so that it can be fed again when something else is asked for.
    """

    network: NetworkState
    logits: NDArray[np.float32]
    step: int
    seed: int
    event: int
    before: NetworkState
    own: tuple[tuple[int, int], ...] = ()
    others: frozenset[int] = frozenset()
    struck: bool = False  # a NOTE_ON at this step
    armed: bool = False  # a VELOCITY waits for its NOTE_ON
    eager: bool = False  # a turn has begun: no TIME_SHIFT before the machine's first NOTE_ON
    velocity_bin: int = 0  # in force; 0 = none yet
    last_onset: int = -FAR  # the machine's
    last_note: int = 0  # the step of the last note event, whosever
    turn: int = 0  # the step at which the machine began to play
    recent: tuple[tuple[int, int], ...] = ()  # (step, pitch) of the machine's last onsets
    asked: float = 0.0  # the density of the wish under which it last played on
    surplus: float = 0.0  # notes that it has played beyond that, those of long ago forgotten
    trail: tuple[int, ...] = ()  # the last events, for another model to hear,
    count: int = 0  # of so many

    @property
    def sounding(self) -> frozenset[int]:
        """Pitches that sound, whoever holds them."""
        return self.others | {pitch for pitch, _ in self.own}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GeneratorState):
            return NotImplemented
        return (
            self._plain() == other._plain()
            and np.array_equal(self.logits, other.logits)
            and np.array_equal(self.network.h, other.network.h)
            and np.array_equal(self.network.c, other.network.c)
        )

    def _plain(self) -> tuple[object, ...]:
        return (
            self.step,
            self.seed,
            self.own,
            self.others,
            self.struck,
            self.armed,
            self.eager,
            self.velocity_bin,
            self.last_onset,
            self.last_note,
            self.turn,
            self.recent,
            self.asked,
            self.surplus,
            self.event,
            self.trail,
        )
