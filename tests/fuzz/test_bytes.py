"""A damaged byte stream comes in: the instrument plays on, and every note that begins also ends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from liveperf.events import OORE
from liveperf.generator import Generator
from liveperf.mapping.controls import DEFAULT, ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.midi.ports import Source
from liveperf.model.bundle import Bundle
from liveperf.model.network import NetworkState
from liveperf.params import Params
from liveperf.performer import Performer
from liveperf.playing.engine import Engine
from liveperf.playing.items import Received
from liveperf.playing.output import Output, Release, Thru
from liveperf.voices import ALL_SOUND_OFF, Owner
from tests.dice import dice_bundle
from tests.fakes import FakeClock, FakePort
from tests.fuzz.tools import counts, times
from tests.messages import control, on

MEGABYTE = 1_000_000


class Wire:
    """An instrument but for its threads and ports: bytes in, through the input port's own door."""

    def __init__(self, bundle: Bundle, controls: ControlMap = DEFAULT, mode: str = "duet") -> None:
        self.clock = FakeClock()
        self.port = FakePort(self.clock)
        self.output = Output(self.port.send, self.clock)
        params = Params(mode=mode, turn_gap_s=0.2, duet_rest_s=0.3, idle_start_s=0.5)
        self.engine = Engine(Performer(Generator(bundle), params, 0), self.output, self.clock, 1, controls)
        self.source = Source.__new__(Source)  # without a port of the system's
        self.source._port = self
        self.waiting: list[list[int]] = []
        self.heard = 0

    def get_message(self) -> tuple[list[int], float] | None:
        """As RtMidi's: bytes and the time since the last."""
        return (self.waiting.pop(), 0.0) if self.waiting else None

    def receive(self, data: list[int]) -> None:
        """Bytes come in: through the port's own door."""
        self.waiting.append(data)
        for message in self.source.messages():
            self.heard += 1
            self._hear(message)

    def _hear(self, message: mido.Message) -> None:
        """As the daemon does: the human's notes pass through, and the engine gets everything."""
        if hasattr(message, "channel") and self.engine.controls.find(message) is None:
            self.output.put(Thru(message))
        self.engine.put(Received(self.clock.now(), message))

    def run(self, seconds: float) -> None:
        """Let time pass, as the threads would."""
        end = self.clock.now() + seconds
        while True:
            while not self.engine.inbox.empty():
                self.engine.take(self.engine.inbox.get())
            until = self.engine.work()
            while not self.output.inbox.empty():
                self.output.work(self.output.inbox.get())
            self.output.work(None)
            if self.clock.now() >= end and until > end:
                return
            self.clock.time = max(self.clock.time, min(until, self.output.next_deadline, end))

    def end(self) -> None:
        """The player leaves, and so do his notes; then the machine's."""
        for channel in range(16):
            self.receive(control(ALL_SOUND_OFF, 0, channel=channel).bytes())
        self.run(0.1)
        for owner in Owner:
            self.output.put(Release(owner))
        self.run(0.0)


def pieces(data: bytes, dice: random.Random) -> Iterator[list[int]]:
    """A stream cut at random places, mostly short ones."""
    at = 0
    while at < len(data):
        length = dice.choice((1, 2, 3, 3, 3, 4)) if dice.random() < 0.99 else 200
        yield list(data[at : at + length])
        at += length


def noise(number: int, dice: random.Random) -> bytes:
    """Random bytes, a third of which begin a message, so that a good part of it makes sense."""
    data = np.frombuffer(dice.randbytes(number), np.uint8)
    other = np.frombuffer(dice.randbytes(number), np.uint8)
    return np.where(other < 85, data | 0x80, data & 0x7F).astype(np.uint8).tobytes()


KNOBS = ControlMap(
    (
        Entry("cc", 1, "density"),
        Entry("cc14", 2, "temperature", pick_up=True),
        Entry("cc", 3, "loudness", encoder="twos_complement"),
        Entry("pitch_bend", None, "speed"),
        Entry("pressure", None, "lowest_pitch", channel=2),
        Entry("note", 20, "panic"),
        Entry("note", 21, "turn"),
        Entry("note", 22, "mode", button="toggle", values=("solo", "answer")),
        Entry("program_change", None, "preset"),
    )
)


@pytest.mark.parametrize("controls", [DEFAULT, KNOBS], ids=["few knobs", "many knobs"])
@pytest.mark.parametrize("cut", ["at random", "as messages"])
def test_a_million_random_bytes(cut: str, controls: ControlMap) -> None:
    """In pieces as RtMidi would never hand them over, and as messages whose data bytes are anything."""
    dice = random.Random(5)
    wire = Wire(dice_bundle()[0], controls)
    data = noise(times(MEGABYTE), dice)
    parts = pieces(data, dice) if cut == "at random" else _messages(data)
    for number, part in enumerate(parts):
        wire.receive(part)
        if number % 500 == 0:
            wire.run(0.02)
    assert wire.heard > len(data) / 100
    wire.end()
    assert not wire.port.sounding
    assert wire.engine.performer.now > 0
    counts["random bytes played in"] += len(data)
    counts["messages among them"] += wire.heard


def _messages(data: bytes) -> Iterator[list[int]]:
    """The bytes cut before each status byte."""
    part: list[int] = []
    for byte in data:
        if byte & 0x80 and part:
            yield part
            part = []
        part.append(byte)
    yield part


NASTY: dict[str, list[list[int]]] = {
    "running status": [[0x90, 60, 64], [62, 64], [64, 0], [0x90, 60, 64, 62, 64]],
    "a SysEx of a megabyte": [[0xF0, *[1] * MEGABYTE, 0xF7]],
    "a SysEx that does not end": [[0xF0, *[1] * 1000], [1] * 1000, [0x90, 60, 64]],
    "a SysEx with a note within": [[0xF0, 1, 0x90, 60, 64, 0xF7]],
    "the end of a SysEx alone": [[0xF7]],
    "active sensing": [[0xFE]] * 1000,
    "truncated messages": [[], [0x90], [0x90, 60], [0xB0, 64], [0xE0], [0xC0], [0xF2, 1], [0xF3]],
    "too much": [[0x80, 1, 2, 3], [0xC0, 1, 2], [0xF8, 0xF8], [0xFE, 0x90, 60, 64]],
    "data that is status": [[0x90, 200, 64], [0x90, 60, 200], [0xB0, 255, 255], [0xE0, 128, 0]],
    "undefined status": [[0xF4], [0xF5], [0xF9], [0xFD, 1], [0x00], [0x7F, 0x7F]],
    "reset": [[0xFF]] * 3,
    "songs": [[0xF2, 127, 127], [0xFA], [0xF8], [0xF2, 0, 0], [0xFB], [0xFC], [0xFC], [0xF3, 127]],
    "each of 128 keys twice": [[0x90, key, 1] for key in (*range(128), *range(128))],
    "note-offs of nothing": [[0x80 | channel, key, 0] for channel in range(16) for key in range(128)],
}


@pytest.mark.parametrize("mode", ["answer", "duet"])
@pytest.mark.parametrize("stream", list(NASTY.values()), ids=list(NASTY))
def test_what_devices_do_send(stream: list[list[int]], mode: str) -> None:
    wire = Wire(dice_bundle()[0], mode=mode)
    for part in stream:
        wire.receive(part)
        wire.run(0.001)
    wire.receive([0x90, 61, 64])
    wire.run(0.5)
    assert on(61) in [message for _, message in wire.port.sent]
    wire.end()
    assert not wire.port.sounding


class Mad:
    """A network that gives infinite numbers, or none, after a few steps."""

    def __init__(self, value: float) -> None:
        self.value, self.steps = value, 0

    def step(self, event: int, control: Any, state: NetworkState) -> tuple[Any, NetworkState]:
        """As `Network.step`."""
        self.steps += 1
        logits = np.zeros(OORE.size, np.float32)
        if self.steps > 20:
            logits[self.steps % 3 :: 1 + self.steps % 2] = self.value
        return logits, state

    def run(self, events: Any, controls: Any, state: NetworkState) -> tuple[Any, NetworkState]:
        """As `Network.run`."""
        logits = [self.step(int(event), None, state)[0] for event in events]
        return np.array(logits), state


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 3e38])
@pytest.mark.parametrize("top_p", [0.5, 1.0])
def test_a_network_gone_mad_does_not_end_the_music(value: float, top_p: float) -> None:
    good, dice = dice_bundle()
    start = dice.start()
    mad = Bundle(Path("mad"), good.card, Mad(value), good.start_event, start)  # type: ignore[arg-type]
    wire = Wire(mad, mode="solo")
    wire.engine._set(wire.engine.performer.params.replace(top_p=top_p))
    wire.run(10.0)
    assert wire.engine.performer.now > 9 * OORE.steps_per_second
    wire.end()
    assert not wire.port.sounding
