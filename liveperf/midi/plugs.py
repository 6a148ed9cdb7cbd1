"""Plugs: a port that may be there or not, and what has to be put right when it goes and comes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Protocol

import mido

from liveperf.midi.ledgers import Held, Ledger, Shown, begins, silencing
from liveperf.midi.links import REMEMBERED, Links, lasting
from liveperf.midi.ports import Callback


class Port(Protocol):
    """Whatever was opened."""

    def close(self) -> None:
        """Close it; may block."""


class Plug:
    """A port of ours. The watching thread inserts and removes it; the lock is held no longer than that takes."""

    title = "MIDI port"
    direction = ""

    def __init__(self, wishes: tuple[str, ...], purpose: str) -> None:
        """wishes: parts of names, the first that is there will do; none: a virtual port. purpose: the client's."""
        self.wishes, self.purpose = wishes, purpose
        self.name: str | None = None  # of the port it is plugged into, or its own if it is virtual
        self.own: str | None = None  # its own, where the system has one
        self.failed = False  # nothing can be sent to it any more
        self.inserted = 0  # how often
        self.trouble: float | None = None  # since when it cannot be opened, s
        self.told = False  # that it is waited for, or cannot be opened
        self.links = Links()  # of a virtual port
        self._lock = threading.Lock()
        self._port: Any = None

    @property
    def open(self) -> bool:
        """Whether there is a port."""
        return self._port is not None

    @property
    def wanted(self) -> str | None:
        """What would do, as one reads it; None for a virtual port."""
        return " or ".join(self.wishes) or None

    def match(self, names: list[str]) -> str | None:
        """The name that it would take."""
        for wish in self.wishes:
            for name in names:
                if wish.lower() in name.lower():
                    return name
        return None

    def insert(self, port: Any, name: str, own: str | None) -> None:
        """The port is there."""
        with self._lock:
            self._port, self.name, self.own, self.failed = port, name, own, False
            self._start(port)
        self.inserted += 1
        self.trouble, self.told = None, False

    def remove(self) -> Port | None:
        """Use the port no more; returns it, to be closed."""
        with self._lock:
            port: Port | None = self._port
            self._unlinked(self.links.made)
            self._port = self.own = None
            self._end()
        self.links = self.links.broken()
        return port

    def confirm(self) -> None:
        """The port is still there. Does not block."""

    def relink(self, links: Links) -> None:
        """It is linked in another way. Does not block."""
        before, self.links = self.links, links
        with self._lock:
            self._unlinked([name for name in before.made if name not in links.made])
            self._linked([name for name in links.made if name not in before.made])

    def _start(self, port: Any) -> None:
        """What is to be done first with a port."""

    def _end(self) -> None:
        """What is to be done when it is gone."""

    def _linked(self, names: Collection[str]) -> None:
        """What is to be done when others are connected to it."""

    def _unlinked(self, names: Collection[str]) -> None:
        """What is to be done when others are connected to it no more."""


class InputPlug(Plug):
    """A keyboard. When it goes, its keys and pedals are let go."""

    title, direction = "MIDI input", "input"

    def __init__(self, wishes: tuple[str, ...], purpose: str, receive: Callback) -> None:
        """receive: gets each message, in the input thread."""
        super().__init__(wishes, purpose)
        self._receive, self._held, self._gone = receive, Held(), False
        self._waiting: deque[mido.Message] = deque()  # to be passed on

    def _end(self) -> None:
        self._gone = True

    def _unlinked(self, names: Collection[str]) -> None:
        self._gone |= bool(names)  # nobody knows which of them held what

    def confirm(self) -> None:
        """What has ended need not be remembered: it cannot be missed here."""
        self._held.confirm()

    def let_go(self) -> None:
        """Let go the keys and pedals that are down, as far as is known, at the next poll."""
        self._gone = True

    def poll(self) -> None:
        """Pass on what has come in. Input thread; does not block."""
        self._pass_on()  # what a thread has left that died of something
        with self._lock:
            if self._gone:
                self._gone = False
                self._waiting.extend(self._held.held())
            if self._port is not None:
                self._waiting.extend(self._port.messages())
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            message = self._waiting.popleft()
            if begins(message):  # then it may have begun, though it does not get to the end of its way
                self._held.sent(message)
            self._receive(message)
            self._held.sent(message)


class OutputPlug(Plug):
    """A synth, or what a controller shows. When it comes back, it is first put right."""

    title, direction = "MIDI output", "output"

    def __init__(self, wishes: tuple[str, ...], purpose: str, ledger: Callable[[], Ledger] = Held) -> None:
        super().__init__(wishes, purpose)
        self._make = ledger
        self._ledgers: dict[str, Ledger] = {}  # by the port's name: another synth holds other notes
        self._ledger = ledger()
        self._owed: dict[str, list[mido.Message]] = {}  # to those who were linked: what may still sound there
        self._paused = False
        self._unknown = False  # what sounds there from before

    def mend(self) -> None:
        """Before anything else, end what may sound there. Main thread, before it is open."""
        self._unknown = True

    def send(self, message: mido.Message) -> None:
        """Send now, or never. Output thread; does not block or raise."""
        with self._lock:
            if self._port is None or self.failed or self._paused:
                self._ledger.missed(message)
            elif self._ledger.allows(message):
                self._send(self._port, message)

    def _send(self, port: Any, message: mido.Message) -> None:
        try:
            port.send(message)
        except Exception:  # whatever the MIDI system makes of it: the port is of no use
            self.failed = True
            self._ledger.missed(message)
        else:
            self._ledger.sent(message)

    def _start(self, port: Any) -> None:
        self._paused = False
        self._ledger = self._ledger_of(lasting(self.name or ""))
        self._send_all(port, self._ledger.amends())
        if self.wishes:  # else nobody hears it yet
            self._mend(port)

    def _mend(self, port: Any) -> None:
        if self._unknown:
            self._unknown = False
            self._send_all(port, silencing())

    def _ledger_of(self, name: str) -> Ledger:
        return self._ledgers.setdefault(name, self._make())

    def _end(self) -> None:
        self._ledgers = {name: ledger for name, ledger in self._ledgers.items() if ledger.amends()}

    def _unlinked(self, names: Collection[str]) -> None:
        for name in names:
            self._owed[lasting(name)] = self._ledger.amends()
        for name in [*self._owed][:-REMEMBERED]:
            del self._owed[name]

    def _linked(self, names: Collection[str]) -> None:
        for name in names:  # what is held now is ended in its time, for all who are linked
            owed, held = self._owed.pop(lasting(name), []), self._ledger.held()
            self._send_all(self._port, [message for message in owed if message not in held])
            self._mend(self._port)

    def _send_all(self, port: Any, messages: list[mido.Message]) -> None:
        for message in messages:
            if not self.failed:
                self._send(port, message)

    @property
    def owes(self) -> bool:
        """Whether something may sound there, or at another port that it had: its end may not have arrived."""
        with self._lock:
            return any(ledger.amends() for ledger in (self._ledger, *self._ledgers.values()))

    def confirm(self) -> None:
        """What was sent before the last such moment has arrived."""
        with self._lock:
            self._ledger.confirm()

    def pause(self, paused: bool) -> None:
        """Send nothing for a while; afterwards, end what sounded before. Does not block."""
        with self._lock:
            resumed, self._paused = self._paused and not paused, paused
            if resumed and self._port is not None:
                self._send_all(self._port, self._ledger.held())

    def silence(self) -> None:
        """End what sounds there. Does not block."""
        with self._lock:
            if self._port is not None and not self._paused:
                self._send_all(self._port, self._ledger.held())


class FeedbackPlug(OutputPlug):
    """A controller's own lamps and motors."""

    title, direction = "MIDI output for feedback", "feedback"

    def __init__(self, wishes: tuple[str, ...], purpose: str) -> None:
        super().__init__(wishes, purpose, Shown)

    def _ledger_of(self, name: str) -> Ledger:
        return self._ledger  # what it should have shown from the beginning
