"""The instrument in the world: ports, threads, signals, life and death."""

from __future__ import annotations

import contextlib
import gc
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import mido

from liveperf import bundle, ports
from liveperf import engine as engines
from liveperf.clock import SystemClock, sleep
from liveperf.codec import encode
from liveperf.config import Config, ConfigError
from liveperf.echo import Echo
from liveperf.engine import Engine, Received
from liveperf.generator import Generator
from liveperf.midifile import from_start, read_notes
from liveperf.output import Output, Thru
from liveperf.performer import Performer
from liveperf.presets import Presets
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
    preset: str | None = None,
) -> None:
    """Play until a signal or the end of the duration; every note has been released when it returns.

    say: told what to connect where, what happens, and at the end what was played. preset: the name of the one that
    `config` was made from. Raises BundleError, MidiFileError, PortError and RecordError before it starts,
    DaemonError when a thread has died or the recording cannot be kept. Main thread only.
    """
    recorder = Recorder(record) if record else None
    performer = make_performer(config, seed, prime)
    presets = Presets(config, preset)
    backend = ports.choose(config.backend)
    clock = SystemClock()
    with contextlib.ExitStack() as stack:
        news = stack.enter_context(_signals())  # until all is closed: a second Ctrl-C interrupts nothing
        port = backend.open_output(config.output)
        stack.callback(port.close)
        show = None
        if config.feedback is not None:
            controller = backend.open_output(config.feedback, "feedback")
            stack.callback(controller.close)
            show = controller.send
        loop = Loop(recorder)
        output = Output(port.send, clock, loop.sent, show)
        engine = Engine(performer, output, clock, config.channel, config.map, news.put)

        def receive(message: mido.Message) -> None:  # in the input's thread: stamp, enqueue, return
            now = clock.now()
            if not _is_heard(message, config) or loop.returns(now, message):
                return
            if config.thru and _passes(message) and engine.controls.find(message) is None:
                passed = _readdressed(message, config)
                loop.passed(now, passed)
                output.put(Thru(passed))
            engine.put(Received(now, message))
            if recorder and _passes(message):
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
            _attend(clock, news, engine, output, presets, say, duration_s)
        finally:
            keyboard.stop()  # nothing more comes in; what may block waits until the notes are released
            engine.stop()
            released = output.stop()
            sleep(DRAIN_S)
        if recorder:
            _save(recorder, start_s)
        say(report(engine, output))
    _check(engine, output, released)


class Loop:
    """Knows what went out a moment ago, should it come back; what the machine plays is recorded. Thread-safe."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self._echo, self._lock = Echo(), threading.Lock()

    def sent(self, now: float, owner: Owner, message: mido.Message) -> None:
        """The machine's message goes out. Output thread."""
        with self._lock:
            self._echo.sent(now, message, own=True)
        if self._recorder:
            self._recorder.add(now, owner, message)

    def passed(self, now: float, message: mido.Message) -> None:
        """The human's message goes out. Input thread."""
        with self._lock:
            self._echo.sent(now, message, own=False)

    def returns(self, now: float, message: mido.Message) -> bool:
        """Whether a message that has come in is one of ours. Input thread."""
        with self._lock:
            return _passes(message) and self._echo.is_echo(now, message)


def _is_heard(message: mido.Message, config: Config) -> bool:
    channel = getattr(message, "channel", None)
    return channel is None or not config.input_channel or channel == config.input_channel - 1


def _passes(message: mido.Message) -> bool:
    """Whether the human's message is one for a synth: of a channel, not of the clock or the system."""
    return hasattr(message, "channel")


def _readdressed(message: mido.Message, config: Config) -> mido.Message:
    return message.copy(channel=config.thru_channel - 1) if config.thru_channel else message


def _save(recorder: Recorder, start_s: float) -> None:
    try:
        recorder.save(start_s)
    except RecordError as error:
        raise DaemonError(str(error)) from error


def greeting(config: Config, backend: ports.Backend, keyboard: str, output: str) -> Iterator[str]:
    """What to connect where, in three lines."""
    model = Path(config.model).stem
    yield f"liveperf plays {model} over {backend.name}, mode {config.params.mode}. Ctrl-C ends it."
    yield f"  your keyboard -> {keyboard}" if config.input is None else f"  listening to {keyboard}"
    yield f"  {output} -> your synth or DAW" if config.output is None else f"  playing to {output}"


News = int | engines.News
"""A signal, or what the engine has to say."""


@contextlib.contextmanager
def _signals() -> Iterator[queue.SimpleQueue[News]]:
    """A queue that gets the signals that end a program, as often as they come."""
    news: queue.SimpleQueue[News] = queue.SimpleQueue()

    def end(number: int, _: FrameType | None) -> None:
        news.put(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    # a terminal that is closed, on Linux and macOS; how Windows ends a console program
    numbers += [getattr(signal, name) for name in ("SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield news
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _attend(
    clock: SystemClock,
    inbox: queue.SimpleQueue[News],
    engine: Engine,
    output: Output,
    presets: Presets,
    say: Callable[[str], None],
    duration_s: float | None,
) -> None:
    """Until a signal, the end of the duration, or the death of a thread; meanwhile see to presets."""
    end = clock.now() + (duration_s if duration_s is not None else float("inf"))
    while clock.now() < end and engine.alive and output.failure is None:
        news = clock.wait(inbox, min(end, clock.now() + 0.25))
        if isinstance(news, int):
            return
        if isinstance(news, str):
            say(news)
        elif news is not None:
            try:
                name, change = presets.change(news)
            except (ConfigError, bundle.BundleError) as error:
                say(f"{error}; everything stays as it was")
                continue
            vocabulary = change.generator.vocabulary if change.generator else None
            if vocabulary and vocabulary != engine.performer.generator.vocabulary:
                say(f"preset {name}: its model has other steps than the one that plays; start anew with it")
                continue
            engine.put(change)
            say(f"preset {name}")


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
