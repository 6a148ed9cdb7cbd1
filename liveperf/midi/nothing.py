"""No MIDI system: the instrument is played and heard on its page, until one appears."""

from __future__ import annotations

from collections.abc import Callable

from liveperf.clock import Clock
from liveperf.midi.ports import Backend, Patchbay, PortError, RtMidiOutput, Seen, Source

LOOK_S = 2.0


class Nothing:
    """A MIDI system that is not there: a backend for `rack.Rack`."""

    name = "none"

    def __init__(self, clock: Clock, why: str = "", find: Callable[[], Backend] | None = None) -> None:
        """why: there is none. find: gives the one that has appeared, or raises PortError; None: none is wanted."""
        self.clock, self.why, self._find = clock, why, find
        self.found: Backend | None = None

    def patchbay(self, name: str) -> Absent:
        """A lasting look at what is not there."""
        return Absent(self, name)

    @property
    def waits(self) -> bool:
        """Whether one is looked for."""
        return self._find is not None

    def look(self) -> Backend | None:
        """The MIDI system, once there is one."""
        if self.found is None and self._find is not None:
            try:
                self.found = self._find()
            except PortError:
                return None
        return self.found


class Absent:
    """A patchbay without ports; that of a MIDI system once it is there. One thread, as `ports.Patchbay`."""

    virtual = True

    def __init__(self, nothing: Nothing, name: str) -> None:
        self._nothing, self._name = nothing, name
        self._bay: Patchbay | None = None
        self._look_at = float("-inf")

    def look(self) -> Seen | None:
        """None as long as there is nothing."""
        now = self._nothing.clock.now()
        if self._bay is None and now >= self._look_at:
            self._look_at = now + LOOK_S
            found = self._nothing.look()
            self._bay = found.patchbay(self._name) if found is not None else None
        return None if self._bay is None else self._bay.look()

    def frame(self) -> int | None:
        """As `ports.Patchbay`."""
        return None if self._bay is None else self._bay.frame()

    def linked(self, one: str, other: str) -> bool:
        """As `ports.Patchbay`."""
        return self._bay is None or self._bay.linked(one, other)

    def links(self, name: str) -> tuple[str, ...]:
        """As `ports.Patchbay`."""
        return () if self._bay is None else self._bay.links(name)

    def owner(self, name: str) -> str:
        """As `ports.Patchbay`."""
        return "" if self._bay is None else self._bay.owner(name)

    def connect(self, source: str, target: str) -> bool:
        """As `ports.Patchbay`."""
        return self._bay is not None and self._bay.connect(source, target)

    def open_input(self, name: str | None, purpose: str) -> Source:
        """As `ports.Patchbay`. Raises PortError."""
        return self._there().open_input(name, purpose)

    def open_output(self, name: str | None, purpose: str) -> RtMidiOutput:
        """As `ports.Patchbay`. Raises PortError."""
        return self._there().open_output(name, purpose)

    def close(self) -> None:
        """Close what looks; `look` begins anew."""
        if self._bay is not None:
            self._bay.close()

    def _there(self) -> Patchbay:
        if self._bay is None:
            raise PortError("no MIDI system works here")
        return self._bay
