"""The rack: all MIDI ports of the instrument, kept open through thick and thin."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import mido

from liveperf.clock import Clock
from liveperf.midi.plugs import FeedbackPlug, InputPlug, OutputPlug, Plug
from liveperf.midi.ports import NAME, POLL_S, PRIORITY, Callback, PortError, Seen
from liveperf.midi.system import Backend
from liveperf.system.loop import Loop

LOOK_S = 0.25  # how often to look at what is plugged in
TRY_S = 0.5  # how often to look for a server that has gone
STALL_S = 0.4  # a server that has stood still for so long takes nothing
STILL_S = 0.6  # so long a server may stand still for a client that has died in its cycle
STUCK_S = 0.2  # an input thread that has not ended by then is stuck
TOLD_S = 0.2  # a port that was opened is in the list by then
PATIENCE_S = 1.5  # JACK may refuse a client whose namesake has just left: no reason to complain sooner


@dataclass(frozen=True)
class PortStatus:
    """A port: "input", "output" or "feedback"; what was asked for (None: a virtual port), and what there is.

    name: of the port it is connected to, or its own if it is virtual; the last one while it is not open.
    """

    direction: str
    wanted: str | None
    name: str | None
    open: bool


class Rack:
    """Keeps the ports open: waits for those that are absent, lets go of those that vanish, opens what comes back.

    Three threads meet here. `look` alone opens and closes ports (the watching thread); `poll` passes on what comes
    in (the input thread); `send` and `show` are the output thread's, never block and never raise.
    """

    def __init__(
        self,
        backend: Backend,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        feedback: str | None,
        receive: Callback,
        say: Callable[[str], None],
        clock: Clock,
        several: Literal["all", "first"] = "all",
        name: str = NAME,
    ) -> None:
        """inputs, outputs, feedback: parts of names; none: a virtual port, or no feedback. name: of the program.

        several: whether several names mean as many ports, or one that takes the first that is there. receive: gets
        each message, in the input thread. say: told what comes and goes, mostly in the watching thread.
        """
        self.reconnects = 0
        self._name, self._receive, self._say, self._clock = name, receive, say, clock
        self._bay = backend.patchbay(name)
        of = "" if backend.name == "none" else f"{backend.name} "
        self._system = "JACK server" if backend.name == "jack" else f"{of}MIDI system"
        ins, outs = _wishes(inputs, several), _wishes(outputs, several)
        self._inputs = tuple(InputPlug(one, _purpose("in", i), receive) for i, one in enumerate(ins))
        self._outputs = tuple(OutputPlug(one, _purpose("out", i)) for i, one in enumerate(outs))
        self._lamps = (FeedbackPlug((feedback,), "feedback"),) if feedback is not None else ()
        self._sinks: tuple[OutputPlug, ...] = (*self._outputs, *self._lamps)
        self._plugs: tuple[Plug, ...] = (*self._sinks, *self._inputs)
        self._served, self._missed = False, False
        self._sources: tuple[str, ...] = ()  # ports that can be listened to, at the last look
        self._try_at = float("-inf")
        self._frame: int | None = None
        self._moved_at, self._moves, self._paused = 0.0, False, False
        self.ear = Loop("liveperf-input", self.poll, POLL_S, PRIORITY)
        self.eye = Loop("liveperf-ports", self.look, LOOK_S)

    def mend(self) -> None:
        """Each output ends first what may sound there from before. Main thread, before `open`."""
        for plug in self._outputs:
            plug.mend()

    def open(self, wait: bool = False) -> None:
        """Open what is there. Main thread, before `start`; blocks for a second or two at most.

        wait: for the MIDI system, too. Raises PortError if that is not there, or if virtual ports cannot be made.
        """
        if not self._bay.virtual and not all(plug.wishes for plug in self._plugs):
            remedy = "install loopMIDI, then name its ports with --in and --out"
            raise PortError(f"the {self._system} has no virtual ports: {remedy}")
        until = self._clock.now() + PATIENCE_S
        self.look()
        while self._clock.now() < until and (self._lacking if self._served else not wait):
            self._clock.wait(queue.SimpleQueue(), self._clock.now() + LOOK_S)
            self.look()
        if wait and not self._served:
            self._missed = True
            self._say(f"waiting for the {self._system}")
        elif not self._served or self._lacking:
            self.close()
            what = (
                f"cannot open MIDI ports named {self._name}"
                if self._served
                else f"the {self._system} is not there"
            )
            raise PortError(f"{what}; start it again, or choose another with --backend")

    @property
    def _lacking(self) -> bool:
        return any(not plug.open and not plug.wishes for plug in self._plugs)

    @property
    def there(self) -> bool:
        """Whether the MIDI system was there at the last look. Any thread."""
        return self._served

    @property
    def paused(self) -> bool:
        """Whether the MIDI system stood still at the last look: to open or close a port would block."""
        return self._paused

    def start(self) -> None:
        """Start to listen and to watch, each in a thread. Main thread."""
        self.ear.start()
        self.eye.start()

    def listen_again(self) -> None:
        """Listen in another thread, whatever has become of the one before: keys are let go, the rest is heard.

        Main thread.
        """
        for plug in self._inputs:
            plug.let_go()
        self.ear.start()

    def poll(self) -> None:
        """Pass on what has come in. Input thread; does not block."""
        for plug in self._inputs:
            plug.poll()

    def send(self, message: mido.Message) -> None:
        """Send to every output that is there. Output thread; does not block or raise."""
        for plug in self._outputs:
            plug.send(message)

    def show(self, message: mido.Message) -> None:
        """Send to the controller's own port. Output thread; does not block or raise."""
        for plug in self._lamps:
            plug.send(message)

    def status(self) -> tuple[PortStatus, ...]:
        """Every port. Any thread."""
        return tuple(PortStatus(plug.direction, plug.wanted, plug.name, plug.open) for plug in self._plugs)

    def look(self) -> None:
        """See what has vanished or come; close and open. One thread. Blocks for a second a port when JACK dies."""
        now = self._clock.now()
        if not self._served and now < self._try_at:
            return
        seen = self._bay.look()
        if seen is None:
            self._try_at = now + TRY_S
            if self._served:
                self._served, self._missed = False, True
                self._say(f"the {self._system} is gone; waiting for it")
            self._close_all()
            return
        new = not self._served
        if new:
            self._served, self._frame, self._moves, self._paused = True, None, False, False
            if self._missed:
                self._say(
                    f"the {self._system} is {'back' if any(plug.inserted for plug in self._plugs) else 'there'}"
                )
        if not self._moves_on(now):
            return  # to open or close a port now would block
        self._let_go(seen)
        for plug in self._plugs:
            if plug.open and not self._is_there(plug, seen):
                self._lose(plug)
            elif plug.open:
                self._see_links(plug, seen)
                plug.confirm()
        for plug in self._plugs:
            if not plug.open:
                self._find(plug, quiet=new)

    def _moves_on(self, now: float) -> bool:
        """Whether the server works; what is sent to one that does not would come out late, all at once."""
        frame = self._bay.frame()
        if frame is None or frame != self._frame:
            self._moves = self._frame is not None
            self._frame, self._moved_at = frame, now
            self._pause(False)
            return True
        if now - self._moved_at >= STALL_S and self._moves:
            self._pause(True)
        return not self._moves

    def _pause(self, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            self._say(f"the {self._system} {'stands still; waiting for it' if paused else 'goes on'}")
            for plug in self._sinks:
                plug.pause(paused)

    def _let_go(self, seen: Seen) -> None:
        """Where nobody can know what a virtual port is connected to, any keyboard that goes may have been its."""
        gone = [name for name in self._sources if name not in seen.inputs]
        self._sources = seen.inputs
        if gone and self._bay.frame() is None:
            for plug in self._inputs:
                if not plug.wishes:
                    plug.let_go()

    def _is_there(self, plug: Plug, seen: Seen) -> bool:
        names = (*seen.inputs, *seen.outputs)
        if plug.failed or (plug.own is not None and plug.own not in names):
            return False
        if not plug.wishes:
            return True
        return plug.name in names and (plug.own is None or self._bay.linked(plug.own, str(plug.name)))

    def _lose(self, plug: Plug) -> None:
        _close(plug.remove())
        self._say(f"{plug.title} {plug.name} is gone; waiting for it")

    def _find(self, plug: Plug, quiet: bool) -> None:
        """Open a port if it is there."""
        seen = self._bay.look()
        if seen is None:
            return  # it has just died: for the next look
        ours = {other.own for other in self._plugs}
        names = [name for name in (seen.inputs if plug.direction == "input" else seen.outputs) if name not in ours]
        taken = {other.name for other in self._plugs if other.open and other.direction == plug.direction}
        name = plug.match([name for name in names if name not in taken])
        if plug.wishes and name is None:
            if not plug.told and not plug.inserted:
                self._say(f"waiting for the {plug.title} {_either(plug.wishes)} ({_there(names)})")
                plug.told = True
            return
        try:
            opens = self._bay.open_input if plug.direction == "input" else self._bay.open_output
            port = opens(name, plug.purpose)
        except PortError as error:
            self._fail(plug, error)
            return
        own, after = self._own(plug, seen)
        self.reconnects += bool(plug.inserted)
        plug.insert(port, name or own or port.name, own)
        self._see_links(plug, after)
        if name is not None and not quiet:
            self._say(f"{plug.title} {name} is there")

    def _own(self, plug: Plug, before: Seen) -> tuple[str | None, Seen]:
        """What the system calls a port that was just opened, None if it does not; and what is there now.

        jackd has it at once, PipeWire tells others of it a little later.
        """
        until = self._clock.now() + TOLD_S
        while (seen := self._bay.look()) is not None:
            ours, known = (
                (seen.outputs, before.outputs) if plug.direction == "input" else (seen.inputs, before.inputs)
            )
            mine = [one for one in ours if one not in known and one.startswith(self._name)]
            if mine or self._bay.frame() is None or self._clock.now() >= until:
                return (mine[0] if mine else None), seen
            self._clock.wait(queue.SimpleQueue(), self._clock.now() + TOLD_S / 20)
        return None, before

    def _see_links(self, plug: Plug, seen: Seen) -> None:
        """Remember what people have connected a virtual port to; connect again what was lost and is back."""
        if plug.wishes or plug.own is None:
            return
        listens = plug.direction == "input"
        there = seen.inputs if listens else seen.outputs
        links = plug.links.seen(self._bay.links(plug.own), there, self._bay.owner)
        again = []
        for other in links.back:
            ends = (other, plug.own) if listens else (plug.own, other)
            if self._bay.connect(*ends):  # else it is tried again: a port is there a little before it can be used
                links = links.ask(other, self._bay.owner(other))
                again.append(other)
        plug.relink(links)
        if again:
            self._say(f"{plug.title} {plug.name} is connected to {', '.join(again)} again")

    def _fail(self, plug: Plug, error: PortError) -> None:
        now = self._clock.now()
        plug.trouble = now if plug.trouble is None else plug.trouble
        if now - plug.trouble >= PATIENCE_S and not plug.told:
            plug.told = True
            self._say(f"{error}; trying again")

    def _close_all(self) -> None:
        ports = [
            plug.remove() for plug in reversed(self._plugs)
        ]  # first none is used any more; outputs block: last
        self._bay.close()
        for port in ports:
            _close(port)

    def stop_inputs(self) -> None:
        """Listen no more; nothing is received afterwards. Takes a millisecond or so, STUCK_S if it is stuck."""
        self.ear.stop(STUCK_S)

    def stands_still(self) -> bool:
        """Whether the server does, so that to close a port would block, and the interpreter with it.

        Main thread, at the end: nothing is watched any more. Blocks for STILL_S at most.
        """
        self.eye.stop()
        if self._paused:
            return True
        before, until = self._bay.frame() if self._served else None, self._clock.now() + STILL_S
        while before is not None and self._bay.frame() == before:
            if self._clock.now() >= until:
                return True
            self._clock.wait(queue.SimpleQueue(), self._clock.now() + POLL_S)
        return False

    def unheard(self) -> bool:
        """Whether a synth may not have heard the end of its notes: its port has gone, and nobody has noticed yet.

        Main thread, at the end: nothing is watched any more.
        """
        seen = self._bay.look() if self._served else None
        gone = [plug for plug in self._outputs if not (plug.open and seen and self._is_there(plug, seen))]
        return any(plug.owes for plug in gone)

    def close(self) -> None:
        """End the notes that sound, and close everything. May block for seconds."""
        self.stop_inputs()
        self.eye.stop()
        for plug in self._outputs:
            plug.silence()
        self._close_all()


def _wishes(names: tuple[str, ...], several: str) -> list[tuple[str, ...]]:
    """What each plug would take."""
    return [names] if several == "first" or not names else [(name,) for name in names]


def _purpose(direction: str, index: int) -> str:
    return direction if index == 0 else f"{direction}-{index + 1}"


def _either(wishes: tuple[str, ...]) -> str:
    return " or ".join(map(repr, wishes))


def _there(names: list[str]) -> str:
    if not names:
        return "there is none"
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(map(repr, names))}"


def _close(port: Any) -> None:
    if port is not None:
        with contextlib.suppress(Exception):  # what is gone may complain of it
            port.close()
