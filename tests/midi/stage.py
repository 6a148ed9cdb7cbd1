"""A rack in virtual time."""

from __future__ import annotations

from typing import Literal

import mido

from liveperf.midi.rack import LOOK_S, Rack
from tests.fakes import FakeClock
from tests.world import World


class Stage:
    """A rack in a world, and what it has said and received."""

    def __init__(
        self,
        world: World,
        inputs: tuple[str, ...] = (),
        outputs: tuple[str, ...] = (),
        feedback: str | None = None,
        several: Literal["all", "first"] = "all",
    ) -> None:
        self.world, self.clock = world, FakeClock()
        self.said: list[str] = []
        self.received: list[mido.Message] = []
        self.rack = Rack(
            world, inputs, outputs, feedback, self.received.append, self.said.append, self.clock, several
        )

    def open(self, wait: bool = False) -> Stage:
        self.world.looking = True
        self.rack.open(wait)
        self.world.looking = False
        return self

    def look(self, seconds: float = LOOK_S) -> None:
        for _ in range(round(seconds / LOOK_S)):
            self.clock.advance(LOOK_S)
            self.world.looking = True
            self.rack.look()
            self.world.looking = False
            self.rack.poll()

    def play(self, name: str, *messages: mido.Message) -> None:
        self.world.play(name, *messages)
        self.rack.poll()

    def send(self, *messages: mido.Message) -> None:
        for message in messages:
            self.rack.send(message)

    @property
    def open_ports(self) -> list[str | None]:
        return [port.name for port in self.rack.status() if port.open]
