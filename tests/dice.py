"""A network of dice: random but repeatable logits, and a memory of every event that led to a state."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveperf.conditioning import Conditioning
from liveperf.events import OORE, Event, EventType, Vocabulary
from liveperf.model.bundle import Bundle, Card
from liveperf.model.network import NetworkState
from liveperf.state import GeneratorState

Array = NDArray[np.float32]


class Dice:
    """Stands in for `Network`: logits are drawn by lot from a hash of all events and controls so far."""

    def __init__(self, vocabulary: Vocabulary, liveliness: float = 3.0) -> None:
        self.vocabulary, self.liveliness = vocabulary, liveliness
        self._before: dict[int, tuple[int, int]] = {}

    def start(self) -> NetworkState:
        """The state before the first event."""
        return NetworkState(np.zeros(1, np.float64), np.array([1], np.int64))

    def step(self, event: int, control: Array, state: NetworkState) -> tuple[Array, NetworkState]:
        """As `Network.step`."""
        key = int(state.c[0])
        seen = key.to_bytes(8, "big") + event.to_bytes(2, "big") + control.tobytes()
        following = int.from_bytes(hashlib.blake2b(seen, digest_size=7).digest(), "big")
        self._before[following] = (key, event)
        logits = np.random.default_rng(following).normal(0, self.liveliness, self.vocabulary.size)
        return logits.astype(np.float32), NetworkState(state.h, np.array([following], np.int64))

    def run(self, events: Any, controls: Any, state: NetworkState) -> tuple[Array, NetworkState]:
        """As `Network.run`."""
        rows = []
        for event, control in zip(events.tolist(), controls, strict=True):
            logits, state = self.step(event, control, state)
            rows.append(logits)
        return np.array(rows), state

    def history(self, state: GeneratorState) -> list[Event]:
        """Every event that was fed to come to a state, without the start event."""
        events, key = [], int(state.network.c[0])
        while key in self._before:
            key, event = self._before[key]
            events.append(self.vocabulary.event(event))
        return events[::-1][1:]


def dice_bundle(vocabulary: Vocabulary = OORE, liveliness: float = 3.0) -> tuple[Bundle, Dice]:
    """A bundle that plays dice, and the dice."""
    dice = Dice(vocabulary, liveliness)
    card = Card("dice", vocabulary, Conditioning(), "", "", {}, {})
    start = vocabulary.index(Event(EventType.TIME_SHIFT, vocabulary.max_shift))
    return Bundle(Path("dice"), card, dice, start, dice.start()), dice  # type: ignore[arg-type]
