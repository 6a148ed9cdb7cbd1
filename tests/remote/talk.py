"""The talk over a WebSocket, without the socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from liveperf.remote.live import Caller
from tests.desks import FakeDesk
from tests.fakes import FakeClock


class Talk:
    """A caller with its desk and a loop whose next turn is ours to take."""

    def __init__(self) -> None:
        self.desk, self.clock = FakeDesk(), FakeClock()
        self.answers: list[str] = []
        self.pongs: list[dict[str, Any]] = []
        self.numbers: list[dict[str, Any]] = []  # what became of messages that go by one
        self.turns: list[Callable[[], None]] = []
        self.caller = Caller(self.desk, self.clock.now, self.turns.append)
        self.caller.answer = self._hear

    def _hear(self, said: dict[str, Any]) -> None:
        if "pong" in said:
            self.pongs.append(said)
        if "error" in said:
            self.answers.append(said.pop("error"))
        if said.keys() & {"done", "refused"}:
            self.numbers.append(said)

    def say(self, *messages: object) -> bool:
        taken = [self.caller.take(one if isinstance(one, str) else json.dumps(one)) for one in messages]
        turns, self.turns[:] = list(self.turns), []
        for turn in turns:
            turn()
        return all(taken)
