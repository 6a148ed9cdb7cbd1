"""The instrument in the world: its place, signals, life and death."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from liveperf.clock import Clock, SystemClock, sleep
from liveperf.errors import FAILED, LiveperfError
from liveperf.mapping.controls import Action
from liveperf.midi.nothing import Nothing
from liveperf.panel.stage import Stage
from liveperf.playing import parts
from liveperf.playing.agenda import Agenda, is_stop
from liveperf.playing.instrument import Ask, Errand, Instrument, News
from liveperf.playing.supervisor import LOOK_S, Charge
from liveperf.recording import recordings
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import RecordError
from liveperf.setup.config import Config
from liveperf.setup.settings import NO_BACKEND
from liveperf.system import places
from liveperf.system.lock import Lock
from liveperf.system.logs import LOG, Lately, told
from liveperf.system.notify import Notifier

SWITCH_S = 0.0002  # how long a thread may keep the interpreter from the output's; Python's own is 5 ms
DRAIN_S = 0.1  # what was sent last has reached the synth within this, on a busy machine too
CLOSE_S = 2.0  # ports that have not been closed by then are left to the system: each takes JACK three cycles
MINUTE_S = 60.0
SERVER_LOOKS = 10  # without a sign of life, and a server is stuck: it has no note to end


class DaemonError(LiveperfError):
    """The instrument failed as it played; the message says how."""

    exit_code = FAILED


@dataclass(frozen=True)
class Life:
    """How an instrument is to live.

    setup: what it begins with. again: reads it anew; raises ConfigError. preset: the name of the one in it.
    service: it was started by the system and not by a musician at a terminal. record: a file for what is played.
    file: of the setup, that knobs are written into which are learned.
    """

    setup: Config
    again: Callable[[], Config]
    seed: int
    prime: Path | None = None
    record: Path | None = None
    duration_s: float | None = None
    preset: str | None = None
    service: bool = False
    file: Path | None = None


def play(life: Life) -> None:
    """Play until a signal or the end of the duration; every note has been released when it returns.

    The program is then about to end: signals that would end it are ignored from then on. Raises a LiveperfError
    before it starts, and DaemonError when it has failed. Main thread only.
    """
    setup = life.setup
    clock = SystemClock()
    with contextlib.ExitStack() as last, contextlib.ExitStack() as stack:
        stack.enter_context(told(life.service))
        stack.enter_context(_one_line())
        lately = Lately(clock.now)
        LOG.addHandler(lately)
        stack.callback(LOG.removeHandler, lately)
        if life.record:
            recordings.check(life.record)
        lock = Lock(places.runtime(), setup.name)
        lock.acquire()
        last.callback(lock.release)  # when the ports are closed: the next one wants their names
        performer = parts.performer(setup, life.seed, life.prime)
        inbox = last.enter_context(_signals(life.service))
        backend = parts.backend(setup, life.service, clock)
        absent = backend if isinstance(backend, Nothing) else None
        journal = parts.journal(stack, setup, life.record, clock)
        instrument = Instrument(setup, performer, backend, clock, journal, inbox, life.preset)
        if lock.left or (setup.keep_mb and recordings.cut_off(places.recordings(), setup.name)):
            LOG.info("it did not get to its end the last time: what may still sound is ended where it plays")
            instrument.rack.mend()
        if absent is None or absent.waits:
            instrument.rack.open(wait=life.service)
        last.push(partial(_close, instrument, lock))
        stage = Stage(instrument, clock, lately.ring, life.file)
        server = parts.server(setup, stage)
        stack.callback(server.stop)
        instrument.supervisor.watch(Charge("control", lambda: server, server.restart, SERVER_LOOKS, vital=False))
        lock.announce(server.url, setup.token)
        if setup.osc:
            osc = parts.osc(setup, instrument)
            osc.start()
            stack.callback(osc.stop)
            instrument.supervisor.watch(Charge("OSC", lambda: osc.loop, osc.loop.start, SERVER_LOOKS, vital=False))
        for line in greeting(instrument, backend.name, server.url, absent.why if absent else ""):
            LOG.info(line)
        sys.setswitchinterval(SWITCH_S)
        gc.freeze()  # what start-up made is never garbage: later collections are short
        well = _live(life, instrument, clock)
        LOG.info(report(instrument))
        if journal:
            _keep(journal, life.record, only=not setup.keep_mb)
    if not well:
        raise DaemonError("it had to give up; what it said before tells why")


def _live(life: Life, instrument: Instrument, clock: SystemClock) -> bool:
    """From the first note to the last; whether it went well."""
    notifier = Notifier()
    duration_s = float("inf") if life.duration_s is None else life.duration_s
    well = True
    try:
        instrument.begin()
        notifier.ready()
        well = _attend(life, instrument, clock, notifier, clock.now() + duration_s)
    except Exception as error:  # ours to put right, and no traceback is of use to a musician
        LOG.error(f"{_named(error)}; this is a fault in liveperf: please report it")
        well = False
    finally:
        notifier.stopping()
        released = instrument.end()
        sleep(DRAIN_S)
        notifier.close()
    if not released:
        LOG.error("the output thread did not end; notes may hang (send CC 123 to the synth)")
    return well and released


def _attend(life: Life, instrument: Instrument, clock: Clock, notifier: Notifier, end: float) -> bool:
    """See to what comes up, until it is to end; whether it went well."""
    look_at, minute_at, beats = clock.now(), clock.now() + MINUTE_S, -1
    agenda = Agenda(instrument.inbox, clock)
    while (now := clock.now()) < end:
        if now >= look_at:
            look_at = now + LOOK_S
            if not instrument.look():
                return False
            if instrument.output.beats != beats:  # while the output thread lives
                beats = instrument.output.beats
                notifier.watchdog()
        if now >= minute_at:
            minute_at = now + MINUTE_S
            line = instrument.minute()
            notifier.status(line)
            if life.service:
                LOG.info(line)
        news = agenda.next(min(end, look_at, minute_at))
        if is_stop(news):
            return True
        if isinstance(news, str):
            LOG.info(news)
        elif news == Ask("reload"):
            notifier.reloading(clock.now())
            _reload(life, instrument)
            notifier.ready()
        elif callable(news):
            _do(news)
        elif isinstance(news, Action | Ask):
            _do(partial(instrument.turn_to, news))
    return True


def _do(errand: Errand) -> None:
    try:
        errand()
    except Exception as error:  # whatever it was: the music goes on
        LOG.error(_named(error))


def _reload(life: Life, instrument: Instrument) -> None:
    try:
        instrument.configure(life.again())
    except Exception as error:  # whatever it was: the music goes on
        LOG.error(f"{_named(error)}; everything stays as it was")


def _named(error: Exception) -> str:
    """What went wrong; where, if it should not have been possible."""
    if isinstance(error, LiveperfError):
        return str(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(at.filename).name}, line {at.lineno})"


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """A thread that dies of an exception is a line, too; whoever looks after it does the rest."""

    def say(died: threading.ExceptHookArgs) -> None:
        if isinstance(died.exc_value, Exception):
            LOG.error(f"the thread {died.thread.name if died.thread else '?'} died: {_named(died.exc_value)}")

    before, threading.excepthook = threading.excepthook, say
    try:
        yield
    finally:
        threading.excepthook = before


def _close(instrument: Instrument, lock: Lock, _: object, error: BaseException | None, __: object) -> None:
    """Close the ports, when all else is done. error: what the program ends with.

    A JACK server that stands still would hold up the whole interpreter: then the process ends as it is. Where the
    end of notes may not have been heard, the next one is to know.
    """
    with open(os.devnull, "w") as nowhere:
        try:
            faulthandler.dump_traceback_later(CLOSE_S, exit=True, file=nowhere)
            if instrument.rack.stands_still():
                _leave(error)
            if instrument.rack.unheard():
                lock.doubt()
            instrument.rack.close()
        finally:
            faulthandler.cancel_dump_traceback_later()


def _leave(error: BaseException | None) -> None:
    """End the process without its ports being closed."""
    why = "the MIDI system stands still: its ports are left open, and what sounded there may hang"
    for line in (why, error):
        if line is not None:
            print(f"liveperf: {line}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody reads any more
            stream.flush()
    os._exit(0 if error is None else getattr(error, "exit_code", FAILED))


def _keep(journal: Journal, out: Path | None, only: bool) -> None:
    """End the journal and write the file that is wanted. only: nothing else would keep it. Raises DaemonError."""
    if not journal.stop():
        LOG.error(f"the end of the recording in {journal.folder} could not be written: the disk does not answer")
    if out is None:
        return
    try:
        recordings.export(journal.files, out, whole=True)
    except RecordError as error:
        kept = journal.folder
        if only:
            kept = kept.rename(kept.with_name(f"{kept.name}-kept"))  # else it would go with what is temporary
        raise DaemonError(f"{error}; what was played is in {kept}") from error


def greeting(instrument: Instrument, backend: str, url: str, why: str = "") -> Iterator[str]:
    """What to connect where, in a few lines. why: there is no MIDI system."""
    setup = instrument.setup
    model, mode = Path(setup.model).stem, setup.params.mode
    over = "without MIDI" if backend == NO_BACKEND else f"over {backend}"
    what = "panel" if setup.panel else "control"
    yield f"liveperf plays {model} {over}, mode {mode}; its {what} is at {url} ; Ctrl-C ends it."
    if backend == NO_BACKEND:
        how = "the page is keyboard and synth" if setup.panel else "it waits for a MIDI system; there is no page"
        yield f"  {how}{f' ({why})' if why else ''}"
        return
    for port in instrument.rack.status():
        if port.direction == "input":
            yield f"  {'your keyboard ->' if port.wanted is None else 'listening to'} {port.name or port.wanted}"
        elif port.direction == "output" and port.wanted is None:
            yield f"  {port.name} -> your synth or DAW"
        elif port.direction == "output":
            yield f"  playing to {port.name or port.wanted}"


@contextlib.contextmanager
def _signals(service: bool) -> Iterator[queue.SimpleQueue[News]]:
    """A queue that gets the signals that end a program, as often as they come; afterwards they are ignored.

    For nothing is left to do then, and the interpreter, as it ends, is not to be interrupted by a second Ctrl-C.
    service: a hang-up is a request to read the setup again; else it is a terminal that was closed.
    """
    inbox: queue.SimpleQueue[News] = queue.SimpleQueue()

    def end(number: int, _: FrameType | None) -> None:
        inbox.put(number)

    def reload(number: int, _: FrameType | None) -> None:
        inbox.put(Ask("reload"))

    handlers = {signal.SIGINT: end, signal.SIGTERM: end}
    if hasattr(signal, "SIGHUP") and (service or signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN):  # nohup
        handlers[signal.SIGHUP] = reload if service else end
    if hasattr(signal, "SIGBREAK"):  # how Windows ends a console program
        handlers[signal.SIGBREAK] = end
    for number, handler in handlers.items():
        signal.signal(number, handler)
    try:
        yield inbox
    finally:
        for number in handlers:
            signal.signal(number, signal.SIG_IGN)


def report(instrument: Instrument) -> str:
    """One line: what went in and out, and how late."""
    counts = instrument.engine.counts
    late = sorted(instrument.output.lateness.recent)
    shown = f"{late[len(late) // 2] * 1e3:.2f} ms median lateness, {late[-1] * 1e3:.2f} most" if late else "silent"
    return f"{counts.notes_in} notes in, {counts.notes_out} out, {shown}"
