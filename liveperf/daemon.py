"""The instrument in the world: ports, threads, signals, life and death."""

from __future__ import annotations

import contextlib
import gc
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import mido

from liveperf import bundle, ports
from liveperf.clock import SystemClock, sleep
from liveperf.codec import encode
from liveperf.config import Config
from liveperf.engine import Engine, Received
from liveperf.generator import Generator
from liveperf.midifile import from_start, read_notes
from liveperf.output import Output, Thru
from liveperf.performer import Performer
from liveperf.recorder import Recorder, RecordError
from liveperf.voices import Owner

SWITCH_S = 0.0002  # how long a thread may keep the interpreter from the output's; Python's own is 5 ms
DRAIN_S = 0.1  # what was sent last has reached the synth within this, on a busy machine too


class DaemonError(Exception):
    """The instrument failed as it played; the message says how."""


def make_performer(config: Config, seed: int, prime: Path | None) -> Performer:
    """A performer with its model, and what it has heard. Raises BundleError, MidiFileError."""
    primer = from_start(read_notes(prime)) if prime else None
    generator = Generator(bundle.load(config.model))
    performer = Performer(generator, config.params, seed)
    if primer is not None:
        performer.prime(encode(primer, generator.vocabulary))
    return performer


def play(
    config: Config,
    seed: int,
    say: Callable[[str], None],
    prime: Path | None = None,
    record: Path | None = None,
    duration_s: float | None = None,
) -> None:
    """Play until a signal or the end of the duration; every note has been released when it returns.

    say: told what to connect where, and at the end what was played. Raises BundleError, MidiFileError,
    PortError and RecordError before it starts, DaemonError when a thread has died or the recording
    cannot be kept. Main thread only.
    """
    recorder = Recorder(record) if record else None
    performer = make_performer(config, seed, prime)
    backend = ports.choose(config.backend)
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        ended = stack.enter_context(_signals())  # until all is closed: a second Ctrl-C interrupts nothing
        port = backend.open_output(config.output)
        stack.callback(port.close)
        output = Output(port.send, clock, recorder.add if recorder else None)
        engine = Engine(performer, output, clock, config.channel, config.knobs)

        def receive(message: mido.Message) -> None:  # in the input's thread: stamp, enqueue, return
            now = clock.now()
            if config.thru and _passes(message, config):
                output.put(Thru(message))
            engine.put(Received(now, message))
            if recorder:
                recorder.add(now, Owner.HUMAN, message)

        keyboard = backend.open_input(config.input, receive)
        stack.callback(keyboard.close)
        for line in greeting(config, backend, keyboard.name, port.name):
            say(line)
        start_s = clock.now()
        output.start()
        engine.start()
        sys.setswitchinterval(SWITCH_S)
        gc.freeze()  # what start-up made is never garbage: later collections are short
        try:
            _wait(clock, ended, engine, output, duration_s)
        finally:
            keyboard.stop()  # nothing more comes in; what may block waits until the notes are released
            engine.stop()
            released = output.stop()
            sleep(DRAIN_S)
        if recorder:
            _save(recorder, start_s)
        say(report(engine, output))
    _check(engine, output, released)


def _save(recorder: Recorder, start_s: float) -> None:
    try:
        recorder.save(start_s)
    except RecordError as error:
        raise DaemonError(str(error)) from error


def _passes(message: mido.Message, config: Config) -> bool:
    """Whether the human's message goes on to the output: notes and controllers, but no knobs of ours."""
    if message.type == "control_change":
        return message.control not in config.knobs
    return hasattr(message, "channel")


def greeting(config: Config, backend: ports.Backend, keyboard: str, output: str) -> Iterator[str]:
    """What to connect where, in three lines."""
    model = Path(config.model).stem
    yield f"liveperf plays {model} over {backend.name}, mode {config.params.mode}. Ctrl-C ends it."
    yield f"  your keyboard -> {keyboard}" if config.input is None else f"  listening to {keyboard}"
    yield f"  {output} -> your synth or DAW" if config.output is None else f"  playing to {output}"


@contextlib.contextmanager
def _signals() -> Iterator[queue.SimpleQueue[int]]:
    """A queue that gets the signals that end a program, as often as they come."""
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()

    def end(number: int, _: FrameType | None) -> None:
        ended.put(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    # a terminal that is closed, on Linux and macOS; how Windows ends a console program
    numbers += [getattr(signal, name) for name in ("SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(
    clock: SystemClock, ended: queue.SimpleQueue[int], engine: Engine, output: Output, duration_s: float | None
) -> None:
    """Until a signal, the end of the duration, or the death of a thread."""
    end = clock.now() + (duration_s if duration_s is not None else float("inf"))
    while clock.now() < end and engine.alive and output.failure is None:
        if clock.wait(ended, min(end, clock.now() + 0.25)) is not None:
            return


def _check(engine: Engine, output: Output, released: bool) -> None:
    for name, failure in (("engine", engine.failure), ("output", output.failure)):
        if failure is not None:
            raise DaemonError(f"the {name} thread died: {type(failure).__name__}: {failure}") from failure
    if not released:
        raise DaemonError("the output thread did not end; notes may hang (send CC 123 to the synth)")


def report(engine: Engine, output: Output) -> str:
    """One line: what went in and out, and how late."""
    late = sorted(output.lateness.recent)
    shown = f"{late[len(late) // 2] * 1e3:.2f} ms median lateness, {late[-1] * 1e3:.2f} most" if late else "silent"
    return f"{engine.counts.notes_in} notes in, {engine.counts.notes_out} out, {shown}"
