"""All parts of an instrument that plays, tied together: ports, engine, output, journal, presets; and its desk."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import mido

from liveperf import __version__
from liveperf.clock import Clock
from liveperf.mapping.controls import Action
from liveperf.midi import ports
from liveperf.midi.nothing import Nothing
from liveperf.midi.ports import PortError
from liveperf.midi.rack import Rack
from liveperf.model.bundle import BundleError
from liveperf.params import ParamError, Params
from liveperf.performer import Performer
from liveperf.playing import items
from liveperf.playing.desk import RefusedError
from liveperf.playing.engine import Engine
from liveperf.playing.items import Do, Received, Set
from liveperf.playing.lateness import Histogram
from liveperf.playing.output import Output, Play, Release, Show, Thru
from liveperf.playing.presets import Presets
from liveperf.playing.supervisor import Charge, Supervisor
from liveperf.playing.traffic import Traffic
from liveperf.recording.journal import Journal
from liveperf.setup.config import Config, ConfigError
from liveperf.system.logs import LOG
from liveperf.system.memory import resident_mb
from liveperf.voices import PEDAL, Owner

PORTS = {"input", "output", "several", "feedback"}  # what the rack is made of
HUMAN = {"thru", "thru_channel", "input_channel"}  # where what the human plays goes
LATER = {"backend", "name", "seed", "keep_mb", "port", "host", "token", "osc", "panel"}  # in force to the end

STUCK_S = 0.3  # an engine that has not ended by then is stuck
WATCH_LOOKS = DISK_LOOKS = 50  # closing the port of a dead server takes a second; nor is a disk quick
HELD_UP = "the MIDI system holds it up; what is plugged in or out meanwhile is seen when it goes on"
NO_ANSWER = "the disk does not answer; it plays on, and what is played waits to be written"


@dataclass(frozen=True, slots=True)
class Ask:
    """Something for the main thread to do: `stop`, `reload`, or `preset` with its name."""

    what: str
    name: str = ""


Errand = Callable[[], None]
News = int | Ask | Errand | items.News
"""A signal, what was asked from outside, something to do for another thread, or what the engine has to say."""


class Instrument:
    """Ports, threads and state of an instrument; a `desk.Desk` for those who steer it from outside.

    `inbox` holds what the main thread is to see to.
    """

    def __init__(
        self,
        setup: Config,
        performer: Performer,
        backend: ports.Backend | Nothing,
        clock: Clock,
        journal: Journal | None,
        inbox: queue.SimpleQueue[News],
        preset: str | None = None,
    ) -> None:
        """inbox: for the main thread. preset: the name of the one that it begins with."""
        self.setup, self.inbox = setup, inbox
        self._steps = Histogram()  # of the last minute
        self.presets = Presets(setup, performer.generator.vocabulary, preset)
        self.journal, self.supervisor = journal, Supervisor(clock, LOG.error)
        self._clock, self._backend, self._began = clock, backend, clock.now()
        self._in, self._out, self._underruns = 0, 0, 0  # as of the last minute
        self._noted: Params | None = None
        self.traffic = Traffic(setup, clock, journal, self._hear, self.put, self._mapped)
        self.rack = self._rack_of(setup)
        self.output = Output(self._send, clock, self.traffic.sent, self._show)
        self.engine = Engine(performer, self, clock, setup.channel, setup.map, self.inbox.put)
        self._look_after()

    def _rack_of(self, setup: Config) -> Rack:
        ports = setup.input, setup.output, setup.feedback
        say = LOG.info
        return Rack(self._backend, *ports, self.traffic.receive, say, self._clock, setup.several, setup.name)

    def _send(self, message: mido.Message) -> None:
        self.rack.send(message)

    def _show(self, message: mido.Message) -> None:
        self.rack.show(message)

    def put(self, item: Play | Release | Show | Thru) -> None:
        """Hand something to the output, whichever is in force. Any thread."""
        self.output.put(item)

    def _hear(self, received: Received) -> None:
        self.engine.put(received)

    def _mapped(self, message: mido.Message) -> bool:
        return self.engine.controls.find(message) is not None

    # Life.

    def begin(self) -> None:
        """Open the ports and play."""
        if self.journal:
            self.journal.start()
        self.output.start()
        self.engine.start()
        self.rack.start()

    def end(self) -> bool:
        """Take nothing in any more, end every note, and the threads; whether that went well. Ports stay open."""
        self.rack.stop_inputs()
        released = self.output.stop()  # first: an engine that is stuck would take the time that the notes have
        self.engine.stop(STUCK_S)
        return released

    def look(self) -> bool:
        """See to threads that have died or are stuck, every LOOK_S; False when that is no help any more."""
        well = self.supervisor.look()
        self._note(self._clock.now())
        return well

    def _look_after(self) -> None:
        """Threads that end with an exception, or give no sign of life, are followed by others."""
        for charge in (
            Charge("engine", lambda: self.engine, self._restart_engine),
            Charge("output", lambda: self.output, self._restart_output),
            Charge("input", lambda: self.rack.ear, lambda: self.rack.listen_again()),
            Charge("ports", lambda: self.rack.eye, lambda: self.rack.eye.start(), WATCH_LOOKS, HELD_UP),
        ):
            self.supervisor.watch(charge)
        if (journal := self.journal) is not None:
            again = journal.resume
            self.supervisor.watch(Charge("recording", lambda: journal, again, DISK_LOOKS, NO_ANSWER, vital=False))

    def _restart_engine(self) -> None:
        old = self.engine
        legacy = old.retire()
        self.put(Release(Owner.MACHINE))
        performer = Performer(old.performer.generator, old.performer.params)
        performer.resume(old.performer)
        self.engine = Engine(performer, self, self._clock, old.channel, old.controls, self.inbox.put, legacy)
        self.engine.start()

    def _restart_output(self) -> None:
        self.output = Output(self._send, self._clock, self.traffic.sent, self._show, before=self.output)
        self.output.start()

    def _note(self, now: float) -> None:
        """Keep what parameters have become."""
        params = self.params
        if self.journal and params is not self._noted:
            before = self._noted
            values = {one.name: getattr(params, one.name) for one in fields(params)}
            changed = {name: value for name, value in values.items() if getattr(before, name, None) != value}
            self.journal.set(now, changed)
        self._noted = params

    def minute(self) -> str:
        """What the last minute was like, in a line. Main thread, once a minute."""
        counts, late = self.engine.counts, self.output.lateness.turn().summary()
        self._steps, self.engine.steps = self.engine.steps, Histogram()
        line = f"{counts.notes_in - self._in} notes in, {counts.notes_out - self._out} out"
        if late:
            line += ", lateness " + ", ".join(f"{name} {value * 1e3:.2f} ms" for name, value in late.items())
        line += f", {counts.delays - self._underruns} underruns, {self.rack.reconnects} reconnects so far"
        self._in, self._out, self._underruns = counts.notes_in, counts.notes_out, counts.delays
        return line

    def step_s(self) -> dict[str, float] | None:
        """p50, p99 and max of what it took to plan an event, in the last minute or two; None for none."""
        return (self._steps + self.engine.steps).summary()

    # The desk.

    @property
    def params(self) -> Params:
        """What is in force."""
        return self.engine.performer.params

    def set(self, values: dict[str, Any]) -> None:
        """Give parameters other values, all or none. Raises ParamError. Any thread."""
        self.params.replace(**values)
        self.engine.put(Set(values))

    def act(self, name: str) -> None:
        """Do what `knobs.ACTIONS` names. Any thread."""
        action = Action(name)
        if name in ("panic", "turn"):
            self.engine.put(Do(action))
        else:
            self.inbox.put(action)

    def preset(self, name: str, file: bool = False) -> None:
        """Switch to a preset that ships or that the setup names; `file`: or to a file. Raises RefusedError.

        Any thread.
        """
        try:
            self.inbox.put(Ask("preset", self.presets.find(name, file)))
        except ConfigError as error:
            raise RefusedError(str(error)) from error

    def reload(self) -> None:
        """Read the config again. Any thread."""
        self.inbox.put(Ask("reload"))

    def stop(self) -> None:
        """End, as a signal would. Any thread."""
        self.inbox.put(Ask("stop"))

    def status(self) -> dict[str, Any]:
        """How it is; any thread."""
        engine, counts, late = self.engine, self.engine.counts, self.output.lateness.summary()
        performer, journal = engine.performer, self.journal
        recorded = journal.current if journal else None  # without asking the disk: an event loop waits
        return {
            "name": self.setup.name,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(self._clock.now() - self._began, 1),
            "model": performer.generator.bundle.card.name,
            "preset": self.presets.current,
            "preset_changed": performer.params != self.presets.setup.params,
            "mode": performer.params.mode,
            "state": performer.session.state.name.lower(),
            "params": {one.name: getattr(performer.params, one.name) for one in fields(Params)},
            "ports": [
                {"direction": one.direction, "wanted": one.wanted, "name": one.name, "open": one.open}
                for one in self.rack.status()
            ],
            "notes_in": counts.notes_in,
            "notes_out": counts.notes_out,
            "lateness_ms": late and {name: round(value * 1e3, 3) for name, value in late.items()},
            "underruns": counts.delays,
            "reconnects": self.rack.reconnects,
            "restarts": self.supervisor.deaths,
            "clock": {"bpm": engine.bpm and round(engine.bpm, 1), "running": engine.running},
            "recording": str(recorded) if recorded else None,
            "unrecorded": journal.lost if journal else 0,
            "memory_mb": resident_mb(),
        }

    # What the main thread sees to.

    def turn_to(self, action: Action | Ask) -> None:
        """Switch to another preset; what comes of it is said."""
        try:
            if isinstance(action, Ask):
                name, change = Path(action.name).stem, self.presets.take(action.name)
            else:
                name, change = self.presets.change(action)
        except (ConfigError, BundleError) as error:
            LOG.info(f"{error}; everything stays as it was")
            return
        self.engine.put(change)
        LOG.info(f"preset {name}")

    def configure(self, setup: Config) -> None:
        """Take on another setup: what differs from the one before. What does not, stays as the knobs have left it.

        Raises ConfigError, BundleError, PortError; then everything stays as it was. Main thread.
        """
        later = sorted(_difference(self.setup, setup).keys() & LATER)
        setup = replace(setup, **{name: getattr(self.setup, name) for name in LATER})
        changed, values = _difference(self.setup, setup), _difference(self.setup.params, setup.params)
        try:
            self.params.replace(**values)
        except ParamError as error:  # with what the knobs have made of the others
            raise ConfigError(str(error)) from error
        before = self.presets.setup
        change = self.presets.turn_to(replace(before, **changed))
        if changed.keys() & PORTS:
            try:
                self._plug(setup)
            except PortError:
                self.presets.setup = before
                raise
            change = replace(change, controls=change.controls or self.engine.controls)  # new lamps are dark
        if "presets" in changed:
            self._choose_from(setup.presets)
        self.setup = self.traffic.setup = setup
        self.engine.put(replace(change, params=None, channel=setup.channel))
        if values:
            self.engine.put(Set(values))
        if changed.keys() & HUMAN:  # the end of what sounds might not be heard, or go elsewhere
            self.put(Release(Owner.HUMAN))
            self.engine.put(Received(self._clock.now(), mido.Message("control_change", control=PEDAL, value=0)))
        LOG.info("the setup was read again" + (f"; from the next start: {', '.join(later)}" if later else ""))

    def _plug(self, setup: Config) -> None:
        """Take other ports, once the keys of those before are let go. PortError: it has those before."""
        if self.rack.paused:
            raise PortError("the MIDI system stands still: other ports can be had when it goes on")
        self.rack.close()
        self.rack.poll()
        reconnects = self.rack.reconnects
        self.rack = self._rack_of(setup)
        try:
            self.rack.open(wait=True)
        except PortError:
            self.rack = self._rack_of(self.setup)
            raise
        finally:
            self.rack.reconnects += reconnects
            self.rack.start()

    def _choose_from(self, presets: tuple[str, ...]) -> None:
        """Other presets can be chosen; the one in force stays what it is."""
        current = self.presets.current
        current = next((one for one in presets if Path(one).stem == current), current)
        setup = replace(self.presets.setup, presets=presets)
        self.presets = Presets(setup, self.engine.performer.generator.vocabulary, current)


def _difference(before: Any, after: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ, as they are after; parameters are looked at for themselves."""
    names = [one.name for one in fields(after) if one.name != "params"]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}
