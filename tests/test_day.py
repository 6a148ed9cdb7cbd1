"""A day of music in virtual time: every mode, humans of every kind, no note left hanging, no memory that grows.

LIVEPERF_DAYS: how many days (1, as long as it is not set; about a minute of one processor each).
A third of each is of each mode, and two hours of that without a human.
"""

from __future__ import annotations

import gc
import os
import queue
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from math import inf
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from liveperf.conditioning import Conditioning
from liveperf.events import OORE, Event, EventType
from liveperf.generator import Generator
from liveperf.mapping.controls import ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.model.bundle import Bundle, Card
from liveperf.model.network import NetworkState
from liveperf.params import MODES, Params
from liveperf.performer import Performer
from liveperf.playing.engine import LEDGER_S, Engine
from liveperf.playing.instrument import Instrument
from liveperf.playing.items import Change
from liveperf.playing.output import Output, _Stop
from liveperf.playing.supervisor import WITHIN_S
from liveperf.playing.traffic import PLAYED
from liveperf.setup.settings import Config
from liveperf.voices import ALL_NOTES_OFF, ALL_SOUND_OFF, PEDAL, Owner
from tests.bands import KEYS, PORTS, SYNTH, by_hand
from tests.fakes import FakeClock
from tests.messages import bend, control, on, pressure, program
from tests.world import Device, World

pytestmark = pytest.mark.slow
_by_hand = pytest.fixture(autouse=True)(by_hand)

HOURS = 8 * float(os.environ.get("LIVEPERF_DAYS", "1"))  # of each mode
LONGEST_S = 6.0  # the longest note that a knob below asks for
HELD_UP_S = 0.5  # and the longest that the machine is busy with something else
HANGING_S = LONGEST_S + LEDGER_S + HELD_UP_S
STATES = 251
ENTRIES, BLOCKS = 60, 2000  # by which a container and the process differ from one moment to another


class Hurdy:
    """Stands in for `Network`: goes round through a few states, each with its own logits; it remembers nothing."""

    def __init__(self, seed: int) -> None:
        draw, first = np.random.default_rng(seed), OORE.first
        logits = draw.normal(0, 1.5, (STATES, OORE.size)).astype(np.float32)
        shifts = slice(first[EventType.TIME_SHIFT], first[EventType.TIME_SHIFT] + OORE.max_shift)
        logits[:, shifts] += 3 * np.linspace(0, 1, OORE.max_shift, dtype=np.float32) - 0.5  # a calm player
        logits[:, : first[EventType.NOTE_OFF]] -= 1.5
        logits[:, first[EventType.VELOCITY] :] -= 2.5
        logits[:, first[EventType.NOTE_OFF] : first[EventType.NOTE_OFF] + 128] += 3
        self.logits = list(logits)
        zeros = np.zeros(1, np.float32)
        self.states = [NetworkState(zeros, np.array([i], np.float32)) for i in range(STATES)]
        self.number = {id(state): i for i, state in enumerate(self.states)}

    def step(self, event: int, control: Any, state: NetworkState) -> tuple[Any, NetworkState]:
        """As `Network.step`."""
        following = (self.number[id(state)] * 7 + event + 1) % STATES
        return self.logits[following], self.states[following]

    def run(self, events: Any, controls: Any, state: NetworkState) -> tuple[Any, NetworkState]:
        """As `Network.run`."""
        rows = []
        for event, told in zip(events.tolist(), controls, strict=True):
            logits, state = self.step(event, told, state)
            rows.append(logits)
        return np.array(rows), state


def hurdy(seed: int, told: bool) -> Generator:
    """A generator that costs next to nothing."""
    network = Hurdy(seed)
    card = Card("hurdy", OORE, Conditioning(told=told), "", "", {}, {})
    start = OORE.index(Event(EventType.TIME_SHIFT, OORE.max_shift))
    return Generator(Bundle(Path("hurdy"), card, network, start, network.states[0]))  # type: ignore[arg-type]


class Judge:
    """A synth that forgets, but not what sounds: no note comes twice, none ends twice, none hangs."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.notes = clock, 0
        self.begun: dict[tuple[int, int], float] = {}  # (channel, pitch) -> when (s), in that order
        self.fingers: dict[tuple[int, int], float] = {}  # until when (s) the human holds it: inf, he still does

    def send(self, message: mido.Message) -> None:
        """As a port's."""
        self.look()
        if message.type not in ("note_on", "note_off"):
            return
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity > 0:
            assert key not in self.begun, f"doubled {message}"
            self.begun[key] = self.clock.now()
            self.notes += 1
        else:
            assert key in self.begun, f"orphan {message}"
            del self.begun[key]

    def look(self) -> None:
        """Does a note hang now?"""
        now = self.clock.now()
        for key, at in self.begun.items():
            if now - at <= HANGING_S:
                return
            assert self.fingers.get(key, 0) >= now, f"{key} hangs since {now - at:.2f} s"

    @property
    def held(self) -> list[tuple[int, int]]:
        """(channel, pitch) of the keys that are down."""
        return [key for key, until in self.fingers.items() if until == inf]


KNOBS = (
    ("density", (0.0, 3.0)),
    ("temperature", None),
    ("top_p", None),
    ("speed", (0.5, 2.0)),
    ("transpose", None),
    ("polyphony", (1, 20)),
    ("note_limit_s", (0.3, LONGEST_S)),
    ("lowest_pitch", None),
    ("highest_pitch", None),
    ("scale", None),
    ("key_lock", None),
    ("split", None),
    ("loudness", None),
    ("repeat_guard", None),
    ("turn_gap_s", None),
    ("turn_bars", (0, 4)),
    ("idle_start_s", (0.0, 30.0)),
    ("duet_rest_s", None),
    ("reference_bpm", (60.0, 240.0)),
    ("plan_s", (0.0, 0.3)),
    ("mode", None),
)
FIRST_KNOB, PANIC, TURN = 20, 90, 91
MAP = ControlMap(
    (
        *(Entry("cc", FIRST_KNOB + i, name, span=span) for i, (name, span) in enumerate(KNOBS)),
        Entry("cc", PANIC, "panic"),
        Entry("cc", TURN, "turn"),
    )
)


class Judged(Instrument):
    """An instrument that a judge hears: what it sends, before a port's own book could mend it."""

    judge: Judge
    copy: Callable[[mido.Message], None]

    def _send(self, message: mido.Message) -> None:
        self.judge.send(message)
        self.copy(message)
        super()._send(message)


class Stage:
    """The instrument, its threads driven by hand, and a human before it."""

    def __init__(self, mode: str, seed: int) -> None:
        self.clock, self.world = FakeClock(), World()
        self.start = self.clock.now()
        self.judge = Judge(self.clock)
        self.home = Params(mode=mode, note_limit_s=5.0)
        self.models = [hurdy(1, told=True), hurdy(2, told=False)]
        forgetful: Any = deque(maxlen=0)
        self.world.devices[SYNTH] = Device(forgetful)
        for name in (KEYS, SYNTH):
            self.world.plug(name)
        performer = Performer(self.models[0], self.home, seed)
        world: Any = self.world
        self.instrument = Judged(
            Config(**PORTS, map=MAP, params=self.home), performer, world, self.clock, None, queue.SimpleQueue()
        )
        self.instrument.judge, self.instrument.copy = self.judge, self._copy
        self.instrument.rack.open()
        self.instrument.begin()
        self._fill()
        self.draw = random.Random(seed)
        self.channel = 0
        self.loop: deque[tuple[float, mido.Message]] = deque()
        self.loops = False  # whether a DAW sends everything back

    def _fill(self) -> None:
        """What remembers a fixed number of things is full from the start, so as to show no growth."""
        for late in range(10_000):
            self.output.lateness.add(late * 1e-9)
        traffic, before = self.instrument.traffic, self.start - 1
        for _ in range(PLAYED):
            traffic.played.add((before, Owner.HUMAN.value, mido.Message("note_off")))
        for channel in range(16):
            for number in range(128):
                self.judge.fingers[channel, number] = before - number  # a number of its own
                for message in (
                    mido.Message("note_off", note=number, channel=channel),
                    mido.Message("control_change", control=number, channel=channel),
                ):
                    traffic._echo.sent(before, message, own=False)
            for kind in ("pitchwheel", "aftertouch", "program_change"):
                traffic._echo.sent(before, mido.Message(kind, channel=channel), own=False)

    @property
    def engine(self) -> Engine:
        """Whichever is in force."""
        return self.instrument.engine

    @property
    def output(self) -> Output:
        """Whichever is in force."""
        return self.instrument.output

    @property
    def hours(self) -> float:
        """How long it has been going."""
        return (self.clock.now() - self.start) / 3600

    def _copy(self, message: mido.Message) -> None:
        if self.loops:
            self.loop.append((self.clock.now() + 0.02, message))

    def hear(self, message: mido.Message) -> None:
        """A message comes in."""
        self.world.play(KEYS, message)
        self.instrument.rack.poll()

    def threads(self) -> dict[str, Any]:
        """Those without which there is no music."""
        rack = self.instrument.rack
        return {"engine": self.engine, "output": self.output, "input": rack.ear, "ports": rack.eye}

    def look(self) -> None:
        """As the main thread does, while all threads live that have not failed."""
        for thread in self.threads().values():
            thread.beats += 1
        assert self.instrument.look()
        self.instrument.rack.look()

    def run(self, seconds: float) -> None:
        """Let time pass, as the threads do."""
        engine, output, clock = self.engine, self.output, self.clock
        end = clock.time + seconds
        while True:
            while not engine.inbox.empty():
                engine.take(engine.inbox.get())
            until = engine.work()
            while not output.inbox.empty():
                output.work(output.inbox.get())
            if output.next_deadline <= clock.time:
                output.work(None)
            while self.loop and self.loop[0][0] <= clock.time:
                self.hear(self.loop.popleft()[1])
            if not engine.inbox.empty():
                continue
            soonest = min(until, output.next_deadline, self.loop[0][0] if self.loop else inf)
            if soonest > end:
                break
            clock.time = max(clock.time, soonest)
        clock.time = end
        self.judge.look()

    # The human's hands.

    def strike(self, pitch: int, velocity: int | None = None) -> None:
        """A key goes down."""
        self.judge.fingers[self.channel, pitch] = inf
        velocity = velocity or self.draw.randint(1, 127)
        self.hear(on(pitch, velocity, channel=self.channel))

    def lift(self, pitch: int, channel: int | None = None) -> None:
        """A key comes up."""
        channel = self.channel if channel is None else channel
        self.judge.fingers[channel, pitch] = self.clock.now()
        kind = self.draw.choice(("note_on", "note_off"))
        self.hear(mido.Message(kind, note=pitch, velocity=0, channel=channel))

    def lift_all(self) -> None:
        """Hands in the lap."""
        for channel, pitch in self.judge.held:
            self.lift(pitch, channel)

    def turn(self, number: int, value: int) -> None:
        """A controller."""
        self.hear(control(number, value, channel=self.channel))


# Humans.


def phrase(stage: Stage) -> None:
    """A melody, legato or not, the last note long."""
    draw, pitch = stage.draw, stage.draw.randint(40, 90)
    for _ in range(draw.randint(1, 15)):
        before, pitch = pitch, min(max(pitch + draw.randint(-5, 5), 21), 108)
        stage.strike(pitch)
        stage.run(draw.choice((0.0, 0.01, 0.05)))
        if pitch != before:
            stage.lift(before)
        stage.run(draw.uniform(0.05, 0.5))
    stage.run(draw.uniform(0, 3))
    stage.lift_all()


def mash(stage: Stage) -> None:
    """Both hands on many keys at once, again and again."""
    draw = stage.draw
    for _ in range(draw.randint(2, 8)):
        chord = draw.sample(range(21, 109), draw.randint(5, 20))
        for pitch in chord:
            stage.strike(pitch)
        stage.run(draw.choice((0.0, 0.004, 0.2)))
        for pitch in draw.sample(chord, len(chord)):
            stage.lift(pitch)
        stage.run(draw.choice((0.0, 0.1)))


def cat(stage: Stage) -> None:
    """Keys struck that are down, let go that are up."""
    draw = stage.draw
    for _ in range(draw.randint(10, 60)):
        pitch = draw.randint(58, 66)
        (stage.strike if draw.random() < 0.6 else stage.lift)(pitch)
        stage.run(draw.choice((0.0, 0.003, 0.05, 0.3)))
    stage.run(draw.uniform(0, 20))  # it sits down
    stage.lift_all()


def pedal(stage: Stage) -> None:
    """A foot that comes down and up whenever it likes."""
    draw = stage.draw
    for _ in range(draw.randint(1, 4)):
        stage.turn(PEDAL, draw.randint(0, 127))
        phrase(stage)
        stage.turn(PEDAL, draw.choice((0, 63, 64, 127)))
        stage.run(draw.uniform(0, 2))
    stage.turn(PEDAL, 0)


def knobs(stage: Stage) -> None:
    """A knob is swept, or many are, while keys are down or not."""
    draw = stage.draw
    if draw.random() < 0.5:
        stage.strike(draw.randint(21, 108))
    for number in draw.sample(range(len(KNOBS)), draw.randint(1, 4)):
        value = draw.randint(0, 127)
        for _ in range(draw.randint(1, 60)):
            value = min(max(value + draw.randint(-9, 12), 0), 127)
            stage.turn(FIRST_KNOB + number, value)
            stage.run(draw.choice((0.0, 0.002, 0.02)))
    stage.lift_all()
    stage.run(draw.uniform(0, 10))


def modes(stage: Stage) -> None:
    """Another mode, in the middle of things; or the turn is handed over."""
    draw = stage.draw
    for _ in range(draw.randint(1, 6)):
        stage.strike(pitch := draw.randint(21, 108))
        stage.run(draw.choice((0.0, 0.1)))
        if draw.random() < 0.5:
            stage.engine.put(Change(stage.engine.performer.params.replace(mode=draw.choice(MODES))))
        else:
            stage.turn(TURN, 127)
            stage.turn(TURN, 0)
        stage.run(draw.choice((0.0, 0.1, 3.0)))
        stage.lift(pitch)


def panics(stage: Stage) -> None:
    """All is to be quiet, whatever the fingers do."""
    draw = stage.draw
    for _ in range(draw.randint(1, 4)):
        for _ in range(draw.randint(0, 4)):
            stage.strike(draw.randint(21, 108))
        stage.turn(PEDAL, draw.choice((0, 127)))
        stage.run(draw.choice((0.0, 0.2, 1.0)))
        number = draw.choice((ALL_NOTES_OFF, ALL_SOUND_OFF, PANIC))
        stage.turn(number, 127)
        stage.turn(number, 0)
        stage.run(0.2)  # a step, as slow as it may be here
        assert not stage.judge.begun
        stage.run(draw.choice((0.0, 1.0, 20.0)))
        assert not stage.judge.begun
        stage.lift_all()
    stage.turn(TURN, 127)  # or solo would be silent to the end of its day
    stage.turn(TURN, 0)


def channels(stage: Stage) -> None:
    """Another channel while keys are down, and everything else that a keyboard sends."""
    draw = stage.draw
    stage.strike(draw.randint(21, 108))
    stage.channel = draw.randrange(16)
    for _ in range(draw.randint(1, 5)):
        stage.hear(bend(draw.randint(-8192, 8191), channel=stage.channel))
        stage.hear(pressure(draw.randint(0, 127), channel=stage.channel))
        stage.hear(program(draw.randint(0, 127), channel=stage.channel))
        stage.hear(mido.Message("active_sensing"))
        stage.strike(draw.randint(21, 108))
        stage.run(draw.uniform(0, 0.5))
    stage.lift_all()
    stage.channel = draw.choice((0, stage.channel))


def clock(stage: Stage) -> None:
    """A sequencer starts, runs at its tempo, jumps, stops, or is lost."""
    draw, bpm = stage.draw, stage.draw.uniform(40, 200)
    for _ in range(draw.randint(1, 3)):
        kind = draw.choice(("start", "continue", "songpos", "clock"))
        stage.hear(mido.Message(kind, pos=draw.randrange(16384)) if kind == "songpos" else mido.Message(kind))
        bpm = min(max(bpm * draw.uniform(0.7, 1.4), 30), 300)
        for _ in range(24 * draw.randint(1, 16)):
            stage.hear(mido.Message("clock"))
            stage.run(60 / 24 / bpm + draw.uniform(-0.001, 0.001))
        if draw.random() < 0.6:
            stage.hear(mido.Message("stop"))
            stage.run(draw.uniform(0, 5))
    stage.run(draw.choice((0.0, 0.6, 20.0)))
    if draw.random() < 0.5:  # it quits, and never comes back: the turn brings solo back
        stage.hear(mido.Message("stop"))
        stage.run(draw.choice((0.0, 1.0, 20.0)))
        stage.turn(TURN, 127)
        stage.turn(TURN, 0)


def feedback_loop(stage: Stage) -> None:
    """A DAW sends back whatever it is sent."""
    stage.loops = True
    phrase(stage)
    stage.run(stage.draw.uniform(1, 20))
    phrase(stage)
    stage.loops = False
    stage.run(0.1)


def model(stage: Stage) -> None:
    """Another model takes over, and other knobs."""
    stage.strike(60)
    stage.engine.put(Change(controls=MAP, generator=stage.draw.choice(stage.models)))
    stage.run(stage.draw.uniform(0, 3))
    stage.lift(60)


def hold_up(stage: Stage) -> None:
    """The machine was busy with something else, for a moment or for longer."""
    stage.run(0.0)
    stage.clock.advance(stage.draw.choice((0.01, 0.04, 0.2, HELD_UP_S)))
    stage.run(1.0)


def deaths(stage: Stage) -> None:
    """A thread dies in the middle of things, and another takes its place."""
    name, pitch = stage.draw.choice(("engine", "output", "input", "ports")), stage.draw.randint(21, 108)
    phrase(stage)
    stage.strike(pitch)
    stage.run(stage.draw.choice((0.0, 0.1, 2.0)))
    stage.threads()[name].failure = RuntimeError("a broken string")
    stage.look()
    stage.run(stage.draw.choice((0.0, 0.1)))
    stage.lift(pitch)
    stage.run(WITHIN_S / 2)  # two a minute: a third would be the last


def silence(stage: Stage) -> None:
    """Nobody is there."""
    stage.run(min(stage.draw.expovariate(1 / 60), 900))


HUMANS: dict[Callable[[Stage], None], int] = {
    phrase: 20,
    mash: 3,
    cat: 3,
    pedal: 5,
    knobs: 5,
    modes: 3,
    panics: 3,
    channels: 3,
    clock: 1,
    feedback_loop: 2,
    model: 2,
    hold_up: 2,
    deaths: 1,
    silence: 12,
}


def containers(name: str, thing: Any, seen: set[int]) -> Iterator[tuple[str, int]]:
    """(where, how many are in it) of everything that can hold something, from an object of ours on downwards."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    inside: list[tuple[str, Any]] = []
    if isinstance(thing, dict | list | set | frozenset | tuple | deque):
        yield name, len(thing)
        inside = [(f"{name}[]", one) for one in (thing.values() if isinstance(thing, dict) else thing)]
    elif type(thing).__module__.startswith("liveperf") and not isinstance(thing, type):
        names = [field.name for field in fields(thing)] if is_dataclass(thing) else []
        names += list(getattr(thing, "__dict__", ()))
        inside = [(f"{name}.{one}", getattr(thing, one)) for one in dict.fromkeys(names)]
    for below, one in inside:
        yield from containers(below, one, seen)


def sizes(stage: Stage) -> dict[str, int]:
    """How much there is of what, below the instrument."""
    found: dict[str, int] = {}
    for where, count in containers("instrument", vars(stage.instrument), set()):
        found[where] = found.get(where, 0) + count
    return found


def blocks() -> int:
    """All memory that Python holds, in blocks."""
    gc.collect()
    return sys.getallocatedblocks()


def rest(stage: Stage) -> None:
    """The instrument as it was at the beginning, silent, with a phrase in its memory."""
    stage.engine.put(Change(stage.home, generator=stage.models[0]))
    for play in (phrase, lambda _: None):
        stage.turn(PANIC, 127)
        stage.turn(PANIC, 0)
        play(stage)
        stage.run(1.0)
    for _ in range(2):  # then what has ended is known to have ended
        stage.look()


@pytest.mark.parametrize("mode", MODES)
def test_a_day(mode: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    stage, began = Stage(mode, seed=MODES.index(mode)), time.perf_counter()
    humans, weights = list(HUMANS), list(HUMANS.values())
    first: tuple[dict[str, int], int] | None = None  # what there was after an hour, or half the time
    while stage.hours < HOURS:
        stage.draw.choices(humans, weights)[0](stage)
        assert not stage.judge.held
        if stage.draw.random() < 0.6:
            stage.engine.put(Change(stage.home))
        if first is None and stage.hours >= min(1.0, HOURS / 2):
            rest(stage)
            caplog.clear()
            first = sizes(stage), blocks()
            stage.run(HOURS / 4 * 3600)  # silence for hours
    assert first is not None
    rest(stage)
    caplog.clear()
    last = sizes(stage), blocks()
    stage.output.work(_Stop())
    assert not stage.judge.begun and not stage.instrument.rack._outputs[0]._ledger.held()
    took, counts, more = time.perf_counter() - began, stage.engine.counts, last[1] - first[1]
    with capsys.disabled():
        print(
            f"\n{mode}: {stage.hours:.2f} h, {counts.notes_in} notes in, {counts.notes_out} out, {took:.1f} s "
            f"({stage.hours * 3600 / took:.0f} times as fast as it sounds), {more:+} blocks of memory"
        )
    assert counts.notes_in > 800 * HOURS and counts.notes_out > 500 * HOURS
    grown = {where: (first[0].get(where, 0), count) for where, count in last[0].items()}
    grown = {where: (before, after) for where, (before, after) in grown.items() if after > before}
    assert sum(after - before for before, after in grown.values()) < ENTRIES, grown
    assert more < BLOCKS
