"""What an instrument is put together from, as its setup wants it: performer, MIDI system, journal, servers."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from liveperf.clock import SystemClock
from liveperf.codec import encode
from liveperf.errors import LiveperfError
from liveperf.generator import Generator
from liveperf.midi import ports
from liveperf.midi.nothing import Nothing
from liveperf.midifile import from_start, read_notes
from liveperf.model import bundle
from liveperf.panel import pages
from liveperf.performer import Performer
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import RecordError
from liveperf.setup.config import Config
from liveperf.setup.settings import NO_BACKEND, USUAL_PORT
from liveperf.system import places
from liveperf.system.logs import LOG

if TYPE_CHECKING:
    from liveperf.panel.stage import Stage
    from liveperf.playing.instrument import Instrument
    from liveperf.remote.osc import Server as OscServer
    from liveperf.remote.server import Server


class OptionError(LiveperfError):
    """Something is asked for that is not installed; the message says how to get it."""


def performer(setup: Config, seed: int, prime: Path | None) -> Performer:
    """A performer with its model, and what it has heard. Raises BundleError, MidiFileError."""
    primer = from_start(read_notes(prime)) if prime else None
    generator = Generator(bundle.load(setup.model))
    made = Performer(generator, setup.params, seed)
    if primer is not None:
        made.prime(encode(primer, generator.vocabulary))
    return made


def backend(setup: Config, wait: bool, clock: SystemClock) -> ports.Backend | Nothing:
    """The MIDI system; where there is none, the page will do. Raises PortError.

    wait: go on looking for one, as a service does.
    """
    if setup.backend == NO_BACKEND:
        if not setup.panel:
            raise ports.PortError("backend none and no panel: there is no way to play; leave one of the two out")
        return Nothing(clock)
    try:
        found = ports.choose(setup.backend)
    except ports.PortError as error:
        if wait and not isinstance(error, ports.BuildError):
            return Nothing(clock, str(error), lambda: ports.choose(setup.backend))
        if setup.backend is not None or not setup.panel:
            raise
        return Nothing(clock, str(error))
    if not found.virtual and setup.panel and not (setup.input or setup.output or wait):
        why = f"{found.name} has no virtual ports: install loopMIDI, or name ports with --in and --out"
        return Nothing(clock, why)
    return found


def journal(stack: contextlib.ExitStack, setup: Config, record: Path | None, clock: SystemClock) -> Journal | None:
    """What keeps the performance, with the others; or only for a file that is wanted. Raises RecordError.

    stack: ends with the program. record: the file.
    """
    model = Path(setup.model).stem
    if setup.keep_mb:
        kept = places.recordings()
        return Journal(kept, clock, LOG.warning, model, setup.keep_mb, instrument=setup.name)
    if record is None:
        return None
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="liveperf-"))
    except OSError as error:
        raise RecordError(f"cannot keep what is for {record}: {error.strerror or error}; see to TMPDIR") from error
    return Journal(Path(folder), clock, LOG.warning, model)


def server(setup: Config, stage: Stage) -> Server:
    """Where it is controlled from, started: the usual port, or any if that is taken. Raises WebError."""
    from liveperf.remote.server import PortError, Server

    found = pages.read() if setup.panel else {}

    def serve(port: int) -> Server:
        made = Server(stage, setup.host, port, setup.token, LOG.error, pages=found)
        made.start()
        return made

    if setup.port is not None:
        return serve(setup.port)
    try:
        return serve(USUAL_PORT)
    except PortError:
        return serve(0)


def osc(setup: Config, instrument: Instrument) -> OscServer:
    """What listens to OSC, not started. Raises OptionError."""
    try:
        from liveperf.remote.osc import Server
    except ImportError as error:
        raise OptionError(f"OSC needs python-osc: {sys.executable} -m pip install python-osc") from error
    return Server(instrument, setup.osc, say=LOG.error)
