"""An instrument in virtual time, between a keyboard and a synth, whose threads are driven by hand."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mido
import pytest

from liveperf.generator import Generator
from liveperf.mapping.controls import ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.performer import Performer
from liveperf.playing import engine as engines
from liveperf.playing.instrument import Instrument, News
from liveperf.playing.supervisor import LOOK_S, STUCK_LOOKS
from liveperf.setup.settings import Config
from liveperf.voices import Owner
from tests.dice import dice_bundle
from tests.fakes import FakeClock
from tests.world import Device, World

KEYS, SYNTH = "Nord keys", "Big synth"
PORTS: dict[str, Any] = {"input": ("keys",), "output": ("synth",)}


class Thread:
    """A thread that only runs when a test calls `target`."""

    def __init__(self, target: Callable[..., None], name: str, daemon: bool, args: tuple[Any, ...] = ()) -> None:
        self.target, self.alive = partial(target, *args), False

    def start(self) -> None:
        self.alive = True

    def is_alive(self) -> bool:
        return self.alive

    def join(self, timeout: float | None = None) -> None:
        """It has nothing to do."""


class Notebook:
    """A journal that only remembers."""

    def __init__(self) -> None:
        self.messages: list[tuple[Owner, mido.Message]] = []
        self.values: list[dict[str, Any]] = []
        self.current: Path | None = None
        self.lost = 0
        self.beats, self.failure, self.alive = 0, None, True

    def start(self) -> None:
        """Nothing to do."""

    def resume(self) -> None:
        """Nothing to do."""

    def add(self, time_s: float, owner: Owner, message: mido.Message) -> None:
        self.messages.append((owner, message))

    def set(self, time_s: float, values: dict[str, Any]) -> None:
        self.values.append(values)


class Band:
    """An instrument between a keyboard and a synth, whose threads are driven by hand."""

    def __init__(self, seed: int = 1, **setup: Any) -> None:
        self.clock, self.world, self.book = FakeClock(), World(), Notebook()
        self.synth: Device = self.world.plug(SYNTH)
        self.world.plug(KEYS)
        self.setup = Config(**{**PORTS, **setup})
        performer = Performer(Generator(dice_bundle()[0]), self.setup.params, seed)
        self.inbox: queue.SimpleQueue[News] = queue.SimpleQueue()
        world: Any = self.world
        book: Any = self.book
        self.instrument = Instrument(self.setup, performer, world, self.clock, book, self.inbox)
        self.world.looking = True
        self.instrument.rack.open()
        self.instrument.begin()
        self.world.looking = False

    @property
    def performer(self) -> Performer:
        return self.instrument.engine.performer

    def play(self, *messages: mido.Message) -> None:
        self.world.play(KEYS, *messages)
        self.run(0.01)

    def run(self, seconds: float) -> None:
        """Let time pass, as the threads do."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.instrument.rack.poll()
            self.work()
            self.send()
            self.clock.advance(0.002)

    def work(self) -> None:
        """What the engine thread does."""
        engine = self.instrument.engine
        engine.beats += 1
        while not engine.inbox.empty():
            engine.take(engine.inbox.get())
        engine.work()

    def send(self) -> None:
        """What the output thread does."""
        output = self.instrument.output
        output.beats += 1
        while not output.inbox.empty():
            output.work(output.inbox.get())
        output.work(None)

    def until(self, true: Callable[[], object], seconds: float = 20.0) -> None:
        """Let time pass until something is true."""
        end = self.clock.now() + seconds
        while not true():
            assert self.clock.now() < end, "it never comes"
            self.run(0.01)

    def look(self, *stuck: str, looks: int = STUCK_LOOKS + 1) -> bool:
        """So many looks, while some threads give no sign of life and the others do."""
        for _ in range(looks):
            for name, thread in self.threads().items():
                thread.beats += name not in stuck
            self.clock.advance(LOOK_S)
            if not self.instrument.look():
                return False
        return True

    def threads(self) -> dict[str, Any]:
        instrument = self.instrument
        loops = {"input": instrument.rack.ear, "ports": instrument.rack.eye}
        return {"engine": instrument.engine, "output": instrument.output, **loops, "recording": self.book}

    def machine(self) -> set[int]:
        """What the machine's notes would be to the engine: pitches that sound."""
        return {pitch for pitch, _ in self.performer.plan.committed.own}


def by_hand(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Threads run only where a test runs them; the log is kept."""
    monkeypatch.setattr(threading, "Thread", Thread)
    monkeypatch.setattr(engines, "prefer_this_thread", lambda priority: "normal")
    caplog.set_level(logging.INFO, "liveperf")


def mapped(*entries: Entry) -> ControlMap:
    return ControlMap(entries)
