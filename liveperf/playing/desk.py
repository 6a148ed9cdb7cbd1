"""What an instrument that plays can be asked and told, by whatever means: HTTP, OSC, a signal, the terminal."""

from __future__ import annotations

from typing import Any, Protocol

import mido

from liveperf.errors import LiveperfError
from liveperf.feed import Ring
from liveperf.mapping.controls import ControlMap
from liveperf.panel.shelf import Shelf
from liveperf.params import Params
from liveperf.preview import Planned

Played = tuple[float, str, mido.Message]
"""When (s), who ("human" or "machine"), what."""
Said = tuple[float, str, str]
"""When (s), how grave ("info", "warning" or "error"), the text."""


class RefusedError(LiveperfError):
    """What was asked cannot be done, and everything stays as it was; the message says why."""


class Desk(Protocol):
    """The instrument, seen from outside. Any thread may call; nothing blocks for longer than a millisecond."""

    @property
    def params(self) -> Params:
        """What is in force: replaced whole, so that another object means that something has changed."""

    def status(self) -> dict[str, Any]:
        """How it is, as JSON can say it; the keys are those of `Instrument.status`."""

    def set(self, values: dict[str, Any]) -> None:
        """Give parameters other values, all or none. Raises ParamError."""

    def act(self, name: str) -> None:
        """Do what `knobs.ACTIONS` names: panic, turn, next_preset, previous_preset. Raises RefusedError."""

    def preset(self, name: str, file: bool = False) -> None:
        """Switch to a preset that ships or that the setup names; `file`: or to a file, for who may have it read.

        Raises RefusedError.
        """

    def reload(self) -> None:
        """Read the config again. What comes of it is logged."""

    def stop(self) -> None:
        """End, as a signal would."""


class View(Protocol):
    """What one sees who looks on. Any thread may ask; nothing is computed unless somebody does."""

    played: Ring[Played]
    log: Ring[Said]

    def now(self) -> float:
        """The instrument's own time, s."""

    def lull(self) -> float:
        """How long it is until the next note is to be sent, s; negative if it is on its way."""

    def hello(self) -> dict[str, Any]:
        """What does not change while it plays: version, name, steps a second, what can be chosen; and the time."""

    def state(self) -> dict[str, Any]:
        """Whose turn it is, what the session does, when the gap ends (s) that runs down."""

    def beat(self) -> dict[str, Any] | None:
        """The last beat of the MIDI clock that is followed: number, 0 for the song's first, time (s), tempo (bpm).

        None as long as no song runs.
        """

    def plan_mark(self) -> object:
        """Equal to what it was as long as the plan is."""

    def plan(self) -> list[Planned]:
        """The machine's notes after now, as far as they are planned."""

    @property
    def map(self) -> ControlMap:
        """The knobs in force: replaced whole."""

    def lesson(self) -> dict[str, Any]:
        """What a knob is waited for, what was learned or unlearned last, and the name of the file that has it."""

    def kept(self) -> int:
        """Goes up when the list of recordings has changed."""

    def take(self) -> float | None:
        """Since when a take runs, s by `now`; None if none does."""


class Panel(Desk, Protocol):
    """An instrument with a page to it, which shows it, plays on it, and keeps what was played."""

    @property
    def view(self) -> View:
        """What can be seen."""

    @property
    def shelf(self) -> Shelf:
        """The recordings."""

    def play(self, message: mido.Message) -> None:
        """The human plays this, on a page's keyboard. Any thread; does not block."""

    def learn(self, name: str | None, encoder: str | None = None) -> None:
        """The next knob that moves is for this parameter or action; None: give up. Raises RefusedError.

        encoder: how the ticks of an endless knob are coded, where only such a knob will do.
        """

    def unlearn(self, name: str) -> None:
        """Take the knob of a name, such as `CC 20`, out of the map and the setup. Raises RefusedError."""

    def prime(self, data: bytes) -> tuple[int, float]:
        """Let the model hear a MIDI file: its notes and length (s). Raises RefusedError. May take seconds."""

    def take(self) -> str:
        """Begin a take: what is played from now on is a recording of its own; its name. May take half a second.

        Raises RefusedError, where one runs already as well.
        """

    def end_take(self) -> None:
        """End the take. Raises RefusedError, where none runs as well. May take half a second."""
