"""Fakes: a clock that one sets, a port that remembers."""

from __future__ import annotations

import queue
from typing import Any

import mido


class FakeClock:
    """Time that passes only when told to. It starts far from zero, so that a stray real clock fails loudly."""

    def __init__(self, start: float = 987_654.25) -> None:
        self.time = start

    def now(self) -> float:
        """The time, s."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds

    def wait(self, inbox: queue.SimpleQueue[Any], until: float) -> Any:
        """The queue's next item; None, and the time is `until`, if there is none."""
        try:
            return inbox.get_nowait()
        except queue.Empty:
            self.time = max(self.time, until)
            return None


class FakePort:
    """A port that keeps what it was sent, and when, and where nothing comes in."""

    name = "fake"

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.sent: list[tuple[float, mido.Message]] = []
        self.closed = False

    def send(self, message: mido.Message) -> None:
        """Keep a message."""
        self.sent.append((self.clock.now(), message))

    def stop(self) -> None:
        """Nothing comes in anyway."""

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    @property
    def sounding(self) -> set[tuple[int, int]]:
        """(channel, pitch) of notes begun and not ended; AssertionError for an orphan or a doubled note."""
        held: set[tuple[int, int]] = set()
        for _, message in self.sent:
            if message.type == "note_on" and message.velocity > 0:
                assert (message.channel, message.note) not in held, f"doubled {message}"
                held.add((message.channel, message.note))
            elif message.type in ("note_on", "note_off"):
                assert (message.channel, message.note) in held, f"orphan {message}"
                held.discard((message.channel, message.note))
        return held
