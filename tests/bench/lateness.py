"""How late its notes are, with the generator saturated."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import mido

from liveperf.clock import SystemClock
from liveperf.generator import Generator
from liveperf.midi import ports
from liveperf.model import bundle
from liveperf.params import Params
from liveperf.performer import Performer
from liveperf.playing.engine import Engine
from liveperf.playing.output import Output, Play, Release, Show, Thru
from liveperf.state import FAR
from liveperf.wish import wish
from tests.bench.other import another
from tests.bench.play import MACHINE, Ear
from tests.bench.row import Aim, Row, Size
from tests.bench.speed import MODEL

PERIOD_MS = 64 / 48

SENT_FIRST = Row("note sent after its time, real-time priority", "ms", Aim("p99", most=0.5))
SENT = Row("note sent after its time, normal priority", "ms", Aim("p99", most=0.5))
IDLE = Row("note received after its time, idle", "ms")
RECEIVED = Row("note received after its time, less idle", "ms", Aim("p99", most=0.5))
LATENESS = (SENT_FIRST, SENT, IDLE, RECEIVED)


@dataclass(frozen=True)
class _Lateness:
    """Of each note (on and off), ms: sent, and received by another program. priority: of the output thread."""

    priority: str
    sent: list[float]
    received: list[float]
    delays: int = 0  # how often the timeline had to move

    @property
    def lost(self) -> str:
        """What JACK has lost, in words."""
        lost = len(self.sent) - len(self.received)
        return f", {lost} lost by JACK" if lost else ""


class _Watched(Output):
    """An output that remembers what it was told to play."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.plays: list[Play] = []

    def put(self, item: Play | Thru | Show | Release) -> None:
        """Hand something over."""
        if isinstance(item, Play):
            self.plays.append(item)
        super().put(item)


def lateness(size: Size, no_jack: str) -> list[Row]:
    """Playing alone while another generator never rests, first before other threads and then as one of them."""
    first = _play(size.lateness_s, not no_jack, saturated=True, prefer=True)
    normal = _play(size.lateness_s, not no_jack, saturated=True, prefer=False)
    port = f"no port: {no_jack}" if no_jack else "into a JACK port"
    rows = [
        SENT_FIRST.measured(first.sent, f"{first.priority}, {_circumstances(first)}, {port}"),
        SENT.measured(normal.sent, f"{_circumstances(normal)}, {port}"),
    ]
    if first.priority == "normal":
        rows[0] = SENT_FIRST.missing("the system grants none; `liveperf doctor` says how to get it")
    if no_jack:
        return [*rows, IDLE.missing(no_jack), RECEIVED.missing(no_jack)]
    idle = _play(size.lateness_s, True, saturated=False, prefer=True)
    period = f"by another program, {len(idle.received)} notes; JACK's period is {PERIOD_MS:.2f} ms"
    received = RECEIVED.measured(first.received, f"priority {first.priority}, {_circumstances(first)}{first.lost}")
    idle_row = IDLE.measured(idle.received, f"priority {idle.priority}, {period}{idle.lost}")
    if received.p99 is not None:
        received = replace(received, note=f"{received.note}; p99 {received.p99:.2f} with JACK")
    received = received.less(idle_row)
    if (received.p99 or 0) < -PERIOD_MS:
        received = received.missing("the idle ones came later: other programs are at work")
    return [*rows, idle_row, received]


def _circumstances(found: _Lateness) -> str:
    moved = f", timeline moved {found.delays} times" if found.delays else ""
    return f"two generators at work, {len(found.sent)} notes{moved}"


def _play(seconds: float, over_jack: bool, saturated: bool, prefer: bool) -> _Lateness:
    """The engine and output threads as in `play`; not saturated: the output thread, with notes made beforehand."""
    with contextlib.ExitStack() as stack:
        if not prefer:
            for module in ("engine", "output"):
                stack.enter_context(
                    mock.patch(f"liveperf.playing.{module}.prefer_this_thread", lambda _: "normal")
                )
        clock, delays = SystemClock(), 0
        if over_jack:
            port = ports.choose("jack").open_output(None)
            stack.callback(port.close)
            heard = stack.enter_context(_listener())
            output = _Watched(port.send, clock)
        else:
            output = _Watched(lambda message: None, clock)
        output.start()
        stack.callback(output.stop)
        gc.freeze()  # as `play` does
        if saturated:
            delays = _saturate(seconds, output, clock)
        else:
            _tick(seconds, output, clock)
        output.stop()
        time.sleep(0.1)
        sent = [late * 1e3 for late in output.lateness.recent]
        received = _received(output.plays, heard()) if over_jack else []
        return _Lateness(output.priority, sent, received, delays)


def _saturate(seconds: float, output: Output, clock: SystemClock) -> int:
    """Play alone, densely, beside a generator that never rests; returns how often the timeline moved."""
    generator = Generator(bundle.load(MODEL))
    params = Params(mode="solo", density=32)
    asked = wish(params, generator.vocabulary.steps_per_second)
    ended = threading.Event()

    def never_rest() -> None:
        state = generator.start(1)
        while not ended.is_set():
            planned = generator.generate(state, asked, state.step, FAR)
            state = planned[1] if planned else generator.start(1)

    thread = threading.Thread(target=never_rest, daemon=True)
    engine = Engine(Performer(generator, params), output, clock, MACHINE)
    thread.start()
    engine.start()
    time.sleep(seconds)
    engine.stop()
    ended.set()
    thread.join()
    return engine.counts.delays


def _tick(seconds: float, output: Output, clock: SystemClock) -> None:
    """A note every 20 ms or so, at all phases of JACK's period."""
    start = clock.now() + 0.1
    count = int(seconds / 0.0407) * 2
    for index in range(count):
        kind = "note_off" if index % 2 else "note_on"
        message = mido.Message(kind, channel=MACHINE - 1, note=index // 2 % 128)
        output.put(Play(start + index * 0.02035, message))
    time.sleep(start + count * 0.02035 - clock.now() + 0.1)


@contextlib.contextmanager
def _listener() -> Iterator[Any]:
    """Another program that listens to our output; yields what gives, once, all that it has heard."""
    with another("from tests.bench.lateness import listen; listen()") as program:
        yield lambda: json.loads(program.communicate("\n", timeout=10)[0])


def listen() -> None:
    """The listening program: hear the instrument's output until a line comes in, then print it all."""
    gc.disable()
    ear = Ear()
    print("ready", flush=True)
    sys.stdin.readline()
    ear.close()
    print(json.dumps(ear.heard))


def _received(plays: list[Play], heard: list[tuple[float, bool, int]]) -> list[float]:
    """How late each note came, ms. A JACK server that is starved loses some: they are passed over."""
    late, due = [], sorted(plays, key=lambda one: one.at)
    for at, begins, pitch in heard:
        for index, play in enumerate(due):
            if play.at > at:
                break
            if (play.message.type == "note_on", play.message.note) == (begins, pitch):
                late.append((at - play.at) * 1e3)
                del due[: index + 1]
                break
    return late
