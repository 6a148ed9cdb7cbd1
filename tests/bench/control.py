"""How soon a knob is heard, beside a plan that is not rewound, and whether sweeping one makes notes late."""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from unittest import mock

import mido

from liveperf import daemon
from liveperf.cli import main
from liveperf.clock import SystemClock
from liveperf.generator import Generator
from liveperf.mapping.controls import ControlMap
from liveperf.mapping.knobs import Entry
from liveperf.midi import ports
from liveperf.model import bundle
from liveperf.params import Params
from liveperf.performer import Performer
from liveperf.plan import Plan
from liveperf.playing import parts
from liveperf.playing.engine import Engine
from liveperf.playing.items import Received
from liveperf.playing.output import Output
from liveperf.scales import pitch_classes
from tests.bench.other import another, beside, obeying, pass_by
from tests.bench.play import MACHINE, Ear, Keyboard, playing
from tests.bench.row import Aim, Row, Size
from tests.bench.speed import MODEL

KNOB = Row("CC sent -> first obeying note-on received", "ms")
KNOB_AHEAD = Row("the same with a 200 ms plan that is not rewound", "ms")
STILL = Row("note sent after its time, no knob turned", "ms")
SWEPT = Row("note sent after its time, a knob swept at 1,000/s", "ms")
RATIO = Row("p99 of that / p99 with no knob turned", "times", Aim("median", most=1.5))
SWEEP = (STILL, SWEPT, RATIO)

CC, RATE = 20, 1000
SCALE, ROOTS = "pentatonic", ("C", "F#")  # which have no pitch in common: a note tells which one it obeys
AHEAD_S = 0.2
CHORD_S = 0.004  # what comes closer together, began at one step
PLAYING = ("--mode", "solo", "--density", "16", "--scale", SCALE, "--key-lock", "on", "--seed", "1")
TURNS = 8  # still and swept by turns, so that whatever else the machine does, it does to both


class Unbending(Performer):
    """A performer that plays its plan to the end: a knob counts for what is planned after it."""

    def _steer(self) -> None:
        plan, self.plan = self.plan, Plan(self.plan.committed)
        super()._steer()
        self.plan, self._stale = plan, False


def unbending() -> None:
    """The command line with such a performer."""
    with mock.patch.object(parts, "Performer", Unbending):
        main()


def knob(size: Size, no_jack: str) -> list[Row]:
    """`liveperf play`, alone, and a knob that gives it another key; as it is, and as if it did not rewind."""
    if no_jack:
        return [KNOB.missing(no_jack), KNOB_AHEAD.missing(no_jack)]
    usual = "from liveperf.cli import main; main()"
    rewound, apart = _turns(size.knob_turns, usual)
    code = f"from {__name__} import unbending; unbending()"
    ahead, ahead_apart = _turns(size.knob_turns, code, "--plan-s", str(AHEAD_S))
    note = "over JACK there and back, {} of {} turns; a note or chord each {:.0f} ms"
    return [
        KNOB.measured(rewound, note.format(len(rewound), size.knob_turns, apart)),
        KNOB_AHEAD.measured(ahead, note.format(len(ahead), size.knob_turns, ahead_apart)),
    ]


def _turns(count: int, code: str, *options: str) -> tuple[list[float], float]:
    """(from each turn of the knob to the first note-on that obeys, ms; between notes on average, ms)."""
    taken: list[float] = []
    dice = random.Random(1)
    with contextlib.ExitStack() as stack:
        setup = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "knob.yaml"
        setup.write_text(f"map: [{{cc: {CC}, to: root, values: [C, 'F#']}}]\n", encoding="utf-8")
        jack = ("--backend", "jack", "--channel", str(MACHINE), "--config", str(setup))
        stack.enter_context(playing(*jack, *PLAYING, *options, code=code))
        keyboard = stack.enter_context(contextlib.closing(Keyboard()))
        ear = stack.enter_context(contextlib.closing(Ear()))
        for index in range(count + 1):  # the first to get warm
            time.sleep(AHEAD_S + 0.1 * dice.random())  # the plan is as long as it gets
            taken += _turn(keyboard, ear, (index + 1) % 2)[: index > 0]
        onsets = [at for at, begins, _ in ear.heard if begins]
    chords = sum(after - before > CHORD_S for before, after in pairwise(onsets))
    return taken, (onsets[-1] - onsets[0]) / max(chords, 1) * 1e3 if onsets else 0.0


def _turn(keyboard: Keyboard, ear: Ear, root: int) -> list[float]:
    """Turn the knob to the other key; when the first note of it comes, ms. Nothing if none does in two seconds."""
    classes, heard = pitch_classes(SCALE, ROOTS[root]), len(ear.heard)
    turned = keyboard.turn(CC, 127 * root)
    return obeying(ear, classes, heard, turned)


def sweep(size: Size, no_jack: str) -> list[Row]:
    """The engine and output threads as in `play`, and by turns a knob that another program sweeps over JACK."""
    if no_jack:
        return [row.missing(no_jack) for row in SWEEP]
    with contextlib.ExitStack() as stack:
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(daemon.SWITCH_S)
        clock, backend = SystemClock(), ports.choose("jack")
        port = backend.open_output(None)
        stack.callback(port.close)
        output = Output(port.send, clock)
        performer = Performer(Generator(bundle.load(MODEL)), Params(mode="solo", density=16))
        engine = Engine(performer, output, clock, MACHINE, ControlMap((Entry("cc", CC, "temperature"),)))
        received = 0

        def receive(message: mido.Message) -> None:
            nonlocal received
            received += 1
            engine.put(Received(clock.now(), message))

        stack.callback(backend.open_input(None, receive).close)
        sweeper = stack.enter_context(another(f"from {__name__} import sweeps; sweeps()"))
        gc.freeze()  # as `play` does
        output.start()
        stack.callback(output.stop)
        engine.start()
        stack.callback(engine.stop)
        time.sleep(0.5)
        late: tuple[list[float], list[float]] = ([], [])
        for index in range(TURNS):
            before = output.lateness.count
            pass_by(sweeper, size.sweep_s / TURNS * 2, index % 2 > 0)
            new = output.lateness.count - before
            late[index % 2].extend(one * 1e3 for one in list(output.lateness.recent)[-new:] if new)
    rows = [
        STILL.measured(late[0], f"priority {output.priority}, {len(late[0])} notes"),
        SWEPT.measured(late[1], f"the same run by turns, {len(late[1])} notes, {received} CCs"),
    ]
    return [*rows, beside(RATIO, *late)]


def sweeps() -> None:
    """The sweeping program: for each line, so many seconds."""
    with contextlib.closing(Keyboard()) as keyboard:
        print("ready", flush=True)
        for line in sys.stdin:
            begun = time.perf_counter()
            for number in range(round(float(line) * RATE)):
                time.sleep(max(begun + number / RATE - time.perf_counter(), 0))
                keyboard.turn(CC, 48 + abs(number % 64 - 32))
            print("swept", flush=True)
