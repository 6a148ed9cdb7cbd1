"""An instrument that only remembers what it was asked."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import mido

from liveperf.feed import Ring
from liveperf.mapping.controls import DEFAULT, ControlMap
from liveperf.panel.shelf import Shelf
from liveperf.params import Params
from liveperf.playing.desk import Played, RefusedError, Said
from liveperf.preview import Planned
from tests.fakes import FakeClock


class FakeView:
    """A view of nothing but what a test has put there."""

    def __init__(self) -> None:
        self.clock = FakeClock(1000.5)
        self.played: Ring[Played] = Ring(64)
        self.log: Ring[Said] = Ring(64)
        self.notes: list[Planned] = []
        self.turn: dict[str, Any] = {"turn": "nobody", "state": "waiting", "gap_ends": None}
        self.map: ControlMap = DEFAULT
        self.taught: dict[str, Any] = {"learning": None}
        self.files = 0
        self.taking: float | None = None
        self.last_beat: dict[str, Any] | None = None
        self.until = float("inf")

    def now(self) -> float:
        """The time."""
        return self.clock.now()

    def lull(self) -> float:
        """As it was put there."""
        return self.until

    def hello(self) -> dict[str, Any]:
        """With all its keys."""
        said = {"version": "1.2.3", "now": self.now(), "steps_per_second": 125, "name": "liveperf"}
        said |= {"roots": ["C", "C#"], "scales": {"fifth": [0, 7]}}
        return {**said, "actions": {"panic": "end every note"}, "encoders": ["binary_offset"]}

    def state(self) -> dict[str, Any]:
        """As it was put there."""
        return self.turn

    def beat(self) -> dict[str, Any] | None:
        """As it was put there."""
        return self.last_beat

    def plan_mark(self) -> object:
        """Another one for another list."""
        return tuple(self.notes)

    def plan(self) -> list[Planned]:
        """As it was put there."""
        return self.notes

    def lesson(self) -> dict[str, Any]:
        """As it was put there."""
        return self.taught

    def kept(self) -> int:
        """As it was put there."""
        return self.files

    def take(self) -> float | None:
        """As it was put there."""
        return self.taking


class FakeDesk:
    """A desk whose parameters change at once. `breaks`: what it raises whatever it is asked."""

    def __init__(self) -> None:
        self.params = Params()
        self.sets: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.stopped = threading.Event()
        self.padding = ""
        self.view = FakeView()
        self.shelf = Shelf(Path(tempfile.gettempdir()) / "liveperf-no-such-folder")
        self.keys: list[mido.Message] = []
        self.breaks: Exception | None = None

    def status(self) -> dict[str, Any]:
        """A status with all its keys."""
        ports = [
            {"direction": "in", "wanted": "LPK25", "name": None, "open": False},
            {"direction": "out", "wanted": None, "name": "liveperf:out", "open": True},
        ]
        return {
            "name": "liveperf",
            "version": "1.2.3",
            "pid": 4321,
            "uptime_s": 3725.5,
            "model": "maestro",
            "preset": None,
            "preset_changed": False,
            "mode": self.params.mode,
            "state": "listening",
            "params": vars(self.params),
            "ports": ports,
            "notes_in": 12,
            "notes_out": 34,
            "lateness_ms": {"p50": 0.1, "p99": 0.25, "max": 2.0},
            "underruns": 1,
            "reconnects": 0,
            "restarts": 0,
            "clock": {"bpm": None, "running": False},
            "recording": None,
            "unrecorded": 0,
            "memory_mb": 181.5,
            **({"padding": self.padding} if self.padding else {}),
        }

    def set(self, values: dict[str, Any]) -> None:
        """Give parameters other values."""
        self._break()
        self.params = self.params.replace(**values)
        self.sets.append(values)

    def act(self, name: str) -> None:
        """Remember it."""
        self._break()
        self.asked.append(name)

    def preset(self, name: str, file: bool = False) -> None:
        """Know the preset `duet`, and files that end in .yaml."""
        self._break()
        if name != "duet" and not (file and name.endswith(".yaml")):
            raise RefusedError(f"no preset {name!r}")
        self.asked.append(f"preset {name}")

    def reload(self) -> None:
        """Remember it."""
        self.asked.append("reload")

    def stop(self) -> None:
        """Remember it."""
        self.asked.append("stop")
        self.stopped.set()

    def play(self, message: mido.Message) -> None:
        """Remember it."""
        self._break()
        self.keys.append(message)

    def learn(self, name: str | None, encoder: str | None = None) -> None:
        """Remember it."""
        self._break()
        self.asked.append(f"learn {name}" + (f" {encoder}" if encoder else ""))

    def unlearn(self, name: str) -> None:
        """Know `CC 1` and nothing else."""
        if name != "CC 1":
            raise RefusedError(f"no knob {name!r}")
        self.asked.append(f"unlearn {name}")

    def prime(self, data: bytes) -> tuple[int, float]:
        """Take whatever begins as a MIDI file does."""
        self._break()
        if not data.startswith(b"MThd"):
            raise RefusedError("not a MIDI file")
        self.asked.append(f"prime {len(data)}")
        return 3, 1.5

    def take(self) -> str:
        """The only name there is."""
        self._break()
        self.asked.append("take")
        return "a-take"

    def end_take(self) -> None:
        """Remember it."""
        self._break()
        self.asked.append("end take")

    def _break(self) -> None:
        if self.breaks is not None:
            raise self.breaks
