"""The instrument as a page has it: seen, played, taught, primed and recorded."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido

from liveperf.clock import Clock
from liveperf.codec import encode
from liveperf.errors import LiveperfError
from liveperf.feed import Ring
from liveperf.mapping.controls import ControlMap
from liveperf.mapping.knobs import Entry, MapError
from liveperf.mapping.listener import Heard
from liveperf.midifile import MidiFileError, from_start, notes_in
from liveperf.panel.lesson import Lesson
from liveperf.panel.shelf import Shelf
from liveperf.params import Params
from liveperf.playing.desk import RefusedError, Said
from liveperf.playing.instrument import Instrument
from liveperf.playing.items import Change, Prime
from liveperf.playing.view import View
from liveperf.recording.journalfile import RecordError
from liveperf.setup.config import load
from liveperf.system import places
from liveperf.system.logs import LOG

MOST_PRIMED = 20_000  # events that the model hears, the last of a file: half an hour of music or more


class Stage:
    """A `desk.Panel`: an instrument with what pages need beside it. Any thread calls it."""

    def __init__(
        self,
        instrument: Instrument,
        clock: Clock,
        log: Ring[Said],
        setup: Path | None = None,
    ) -> None:
        """log: what has been logged. setup: the file that knobs go into."""
        self._instrument, self._setup = instrument, setup
        journal = instrument.journal
        folder = journal.folder if journal else places.recordings()
        self.shelf = Shelf(folder, lambda: [journal.current] if journal and journal.current else [])
        self._clock = clock
        self._taking: float | None = None  # since when a take runs, s
        self._take_lock = threading.Lock()
        self._lesson = Lesson(self._tell, clock.now, self._panics)
        instrument.traffic.lesson = self._lesson.hear
        self._learned: dict[str, Any] = {}
        self.view = View(
            lambda: instrument.engine,
            lambda: instrument.output.next_play,
            clock,
            instrument.setup.name,
            instrument.traffic.played,
            log,
            lambda: self._lesson.shown | self._learned,
            lambda: self.shelf.changes + (journal.begun if journal else 0),
            lambda: self._taking,
        )

    # The desk.

    @property
    def params(self) -> Params:
        """What is in force."""
        return self._instrument.params

    def status(self) -> dict[str, Any]:
        """How it is."""
        view = self.view
        steps = self._instrument.step_s()
        step_ms = steps and {name: round(steps[name] * 1e3, 3) for name in ("p50", "p99")}
        shown = {
            "turn": view.state()["turn"],
            "gap": view.gap(),
            "step_ms": step_ms,
            "midi": self._instrument.rack.there,
        }
        return {**self._instrument.status(), **shown}

    def set(self, values: dict[str, Any]) -> None:
        """Give parameters other values, all or none. Raises ParamError."""
        self._instrument.set(values)

    def act(self, name: str) -> None:
        """Do what `knobs.ACTIONS` names. A panic ends a lesson, too."""
        if name == "panic":
            self._lesson.begin(None)
        self._instrument.act(name)

    def preset(self, name: str, file: bool = False) -> None:
        """Switch to a preset; `file`: or to a file. Raises RefusedError."""
        self._instrument.preset(name, file)

    def reload(self) -> None:
        """Read the config again."""
        self._instrument.reload()

    def stop(self) -> None:
        """End, as a signal would."""
        self._instrument.stop()

    # Played on a page.

    def play(self, message: mido.Message) -> None:
        """The human plays this, on a page's keyboard: on the channel that is listened to. Does not block."""
        only = self._instrument.setup.input_channel
        if only and hasattr(message, "channel"):
            message = message.copy(channel=only - 1)
        self._instrument.traffic.receive(message)

    # Taught.

    def learn(self, name: str | None, encoder: str | None = None) -> None:
        """The next knob that moves is for this parameter or action; None: give up. Raises RefusedError.

        encoder: how the ticks of an endless knob are coded, where only such a knob will do.
        """
        try:
            self._lesson.begin(name, encoder)
        except MapError as error:
            raise RefusedError(str(error)) from error
        self._learned = {}  # the last lesson is no news any more

    def _panics(self, message: mido.Message) -> bool:
        """Whether a message is a knob's that is for panic. Any thread."""
        controls = self._instrument.engine.controls
        index = controls.find(message)
        return index is not None and controls.entries[index].to == "panic"

    def _tell(self, name: str, heard: Heard) -> None:
        """A knob was moved. Input thread: what comes of it is the main thread's."""
        self._instrument.inbox.put(lambda: self._teach(name, heard))

    def _teach(self, name: str, heard: Heard) -> None:
        """Take a knob into the map in force, and write it into the setup. Main thread."""
        from liveperf.setup.learn import decide

        controls = self._instrument.engine.controls
        entry, replaced = decide(replace(self._instrument.setup, map=controls), name, heard)
        self._follow((*(one for one in controls.entries if one not in replaced), entry))
        written = None
        if self._setup is not None:
            try:
                written = self._write(name, heard)
            except LiveperfError as error:
                LOG.warning(f"{error}; {entry.name} is for {name} until it ends")
        self._learned = {"learned": {"name": entry.name, "to": name}, "written": written}
        LOG.info(f"{entry.name} is for {name} now" + (f", and in {written}" if written else ""))

    def _write(self, name: str, heard: Heard) -> str:
        from liveperf.setup import learn
        from liveperf.setup.rewrite import rewritten

        path = self._setup
        assert path is not None
        entry, replaced = learn.decide(load(path), name, heard)
        learn.write(path, rewritten(path.read_bytes().decode("utf-8"), path, entry, replaced))
        return path.name

    def unlearn(self, name: str) -> None:
        """Take the knob of a name, such as `CC 20`, out of the map and the setup. Raises RefusedError."""
        entries = self._instrument.engine.controls.entries
        if not any(one.name == name for one in entries):
            there = ", ".join(one.name for one in entries) or "none"
            raise RefusedError(f"no knob {name!r} in the map; there is {there}")
        self._instrument.inbox.put(lambda: self._forget(name))

    def _forget(self, name: str) -> None:
        """Take a knob out of the map in force, and out of the setup, if that has it. Main thread."""
        entries = self._instrument.engine.controls.entries
        gone = next((one for one in entries if one.name == name), None)
        if gone is None:
            return
        self._follow(tuple(one for one in entries if one is not gone))
        written = None
        if self._setup is not None:
            try:
                written = self._erase(gone)
            except LiveperfError as error:
                LOG.warning(f"{error}; {name} is back at the next start")
        self._learned = {"unlearned": {"name": name, "to": gone.to}, "written": written}
        LOG.info(f"{name} is for nothing now" + (f", nor in {written}" if written else ""))

    def _erase(self, entry: Entry) -> str | None:
        """The setup's name, if there was such an entry in it."""
        from liveperf.setup import learn
        from liveperf.setup.rewrite import removed

        path = self._setup
        assert path is not None
        if entry not in load(path).map.entries:  # of a preset
            return None
        learn.write(path, removed(path.read_bytes().decode("utf-8"), path, entry))
        return path.name

    def _follow(self, entries: tuple[Entry, ...]) -> None:
        self._instrument.engine.put(Change(controls=ControlMap(entries)))

    # Primed and recorded.

    def prime(self, data: bytes) -> tuple[int, float]:
        """Let the model hear a MIDI file from the next step on: its notes and length (s). Raises RefusedError.

        May take seconds: a worker thread's.
        """
        try:
            notes = from_start(notes_in(data))
        except MidiFileError as error:
            raise RefusedError(f"not to be heard: {error}") from error
        performer = self._instrument.engine.performer
        generator = performer.generator
        events = encode(notes[-MOST_PRIMED:], generator.vocabulary)[-MOST_PRIMED:]
        heard = generator.prime(generator.start(0), events, performer.wish)
        self._instrument.engine.put(Prime(generator, heard))
        seconds = float(notes["end"].max())
        LOG.info(f"it has heard {len(notes)} notes, {seconds:.0f} s")
        return len(notes), seconds

    def take(self) -> str:
        """Begin a take: what is played from now on is a recording of its own; its name. Raises RefusedError."""
        with self._take_lock:
            now = self._clock.now()
            if self._taking is not None:
                raise RefusedError(f"a take runs already, for {now - self._taking:.0f} s; end it first")
            name = self._cut()
            self._taking = now
        return name

    def end_take(self) -> None:
        """End the take: what is played from now on is another recording. Raises RefusedError."""
        with self._take_lock:
            if self._taking is None:
                raise RefusedError("no take runs that could be ended")
            self._cut()
            self._taking = None

    def _cut(self) -> str:
        """Begin another recording now; its name. May take half a second."""
        journal = self._instrument.journal
        if journal is None:
            raise RefusedError("nothing is recorded: start without --keep-mb 0")
        try:
            return journal.take().stem
        except RecordError as error:
            raise RefusedError(str(error)) from error
