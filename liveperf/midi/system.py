"""What the rack needs of a MIDI system: `ports` has those that there are, `nothing` one that is not there."""

from __future__ import annotations

from typing import Any, Protocol

from liveperf.midi.ports import Seen


class Patchbay(Protocol):
    """What the rack needs of a MIDI system: ports.Patchbay, or a fake."""

    virtual: bool

    def look(self) -> Seen | None:
        """The ports, or None when there is no server or not the one there was."""

    def frame(self) -> int | None:
        """Stands still when the server does."""

    def linked(self, one: str, other: str) -> bool:
        """Whether two ports are connected."""

    def links(self, name: str) -> tuple[str, ...]:
        """What a port is connected to; nothing where that cannot be known."""

    def owner(self, name: str) -> str:
        """Who a port belongs to: somebody else, each time that its program is started."""

    def connect(self, source: str, target: str) -> bool:
        """Connect two ports; whether they are connected."""

    def open_input(self, name: str | None, purpose: str) -> Any:
        """A port with messages() and close(). Raises PortError."""

    def open_output(self, name: str | None, purpose: str) -> Any:
        """A port with send(message) and close(). Raises PortError."""

    def close(self) -> None:
        """Close what looks; the next look begins anew."""


class Backend(Protocol):
    """A MIDI system: ports.Backend, or a fake."""

    @property
    def name(self) -> str:
        """What it is called."""

    def patchbay(self, name: str) -> Patchbay:
        """A lasting look at its ports."""
