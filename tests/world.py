"""A MIDI system that is not there: a server, what is plugged into it, and the cables."""

from __future__ import annotations

from dataclasses import dataclass, field

import mido

from liveperf.midi.ports import PortError, Seen


@dataclass
class Device:
    """A keyboard or a synth. It lives on while its cable is out."""

    heard: list[mido.Message] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    orphans: int = 0  # ends of notes that it did not hold, those aside that put it right
    doubled: int = 0

    def hear(self, message: mido.Message, strictly: bool) -> None:
        self.heard.append(message)
        if message.type == "note_on":
            self.doubled += message.note in self.held
            self.held.add(message.note)
        elif message.type == "note_off":
            self.orphans += strictly and message.note not in self.held
            self.held.discard(message.note)


class Opened:
    """A port of ours."""

    def __init__(self, world: World, own: str, device: str | None) -> None:
        self.world, self.own, self.device, self.cable = world, own, device, world.cables.get(device or "", 0)
        self.name = device or own
        self.inbox: list[mido.Message] = []
        self.closed = False
        self.generation = world.generation
        world.opened.append(self)

    @property
    def linked(self) -> bool:
        """Whether what is sent gets there."""
        world = self.world
        alive = world.up and self.generation == world.generation and not self.closed
        plugged = (
            self.device is None or world.cables.get(self.device, 0) == self.cable and self.device in world.plugged
        )
        return alive and plugged

    def messages(self) -> list[mido.Message]:
        assert not self.closed
        taken, self.inbox = self.inbox, []
        return taken

    def send(self, message: mido.Message) -> None:
        assert not self.closed, "sent to a port that is closed"
        if self.world.broken:
            raise OSError("the MIDI system is in a bad mood")
        if not self.linked:
            return
        for name in self.world.links(self.own) if self.device is None else [self.device]:
            self.world.devices.setdefault(name, Device()).hear(message, not self.world.looking)

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True
        self.world.opened.remove(self)
        self.world.wires = {wire for wire in self.world.wires if wire[0] != self.own}


class World:
    """A MIDI system with a server, and what is plugged into it. It is backend and patchbay in one."""

    def __init__(self, name: str = "jack") -> None:
        self.name, self.virtual = name, True
        self.up, self.generation, self.seen = True, 0, -1
        self.frozen, self.broken, self.looking = False, False, False
        self.count = 0  # of cycles
        self.refuses = 0  # so many ports cannot be opened
        self.plugged: set[str] = set()
        self.cables: dict[str, int] = {}  # how often each was plugged in
        self.devices: dict[str, Device] = {}
        self.wires: set[tuple[str, str]] = set()  # from a virtual port of ours to a device
        self.connects = True  # what it is asked to
        self.opened: list[Opened] = []
        self.looks = 0

    def plug(self, name: str) -> Device:
        if name not in self.plugged:
            self.plugged.add(name)
            self.cables[name] = self.cables.get(name, 0) + 1
        return self.devices.setdefault(name, Device())

    def unplug(self, name: str) -> None:
        self.plugged.discard(name)
        self.wires = {wire for wire in self.wires if wire[1] != name}

    def wire(self, own: str, name: str) -> None:
        """Somebody connects a virtual port of ours with a device."""
        assert name in self.plugged
        self.wires.add((own, name))

    def cut(self, own: str, name: str) -> None:
        """Somebody cuts it off."""
        self.wires.remove((own, name))

    def kill(self) -> None:
        self.up, self.frozen = False, False
        self.wires.clear()

    def start(self) -> None:
        self.generation += not self.up
        self.up = True

    def play(self, name: str, *messages: mido.Message) -> None:
        """On a keyboard."""
        for port in self.opened:
            wired = port.device == name or (port.own, name) in self.wires
            if wired and port.own.startswith("liveperf-in") and port.linked:
                port.inbox += messages

    def patchbay(self, name: str) -> World:
        return self

    def look(self) -> Seen | None:
        self.looks += 1
        if self.seen < 0 and self.up:
            self.seen = self.generation
        if not self.up or self.seen != self.generation:
            return None
        ours = [port.own for port in self.opened if port.generation == self.generation]
        return Seen(
            (*sorted(name for name in self.plugged if "synth" not in name), *(n for n in ours if "-in" not in n)),
            (*sorted(name for name in self.plugged if "keys" not in name), *(n for n in ours if "-in" in n)),
        )

    def frame(self) -> int:
        self.count += not self.frozen
        return self.count

    def linked(self, one: str, other: str) -> bool:
        return any(port.own == one and port.device == other and port.linked for port in self.opened)

    def links(self, name: str) -> tuple[str, ...]:
        return tuple(sorted(device for own, device in self.wires if own == name))

    def owner(self, name: str) -> str:
        return f"{self.generation} {self.cables[name]}"

    def connect(self, source: str, target: str) -> bool:
        own, name = (source, target) if source.startswith("liveperf-") else (target, source)
        assert name in self.plugged and any(port.own == own for port in self.opened)
        if self.connects:
            self.wires.add((own, name))
        return self.connects

    def open_input(self, name: str | None, purpose: str) -> Opened:
        return self._open(name, purpose)

    def open_output(self, name: str | None, purpose: str) -> Opened:
        return self._open(name, purpose)

    def _open(self, name: str | None, purpose: str) -> Opened:
        assert all(port.generation == self.generation for port in self.opened), "opened before all were closed"
        if self.refuses:
            self.refuses -= 1
            raise PortError("cannot open it: its namesake has just left")
        return Opened(self, f"liveperf-{purpose}:liveperf", name)

    def close(self) -> None:
        self.seen = -1
