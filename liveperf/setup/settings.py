"""What an instrument is set up with: frozen, and checked at birth."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

from liveperf.errors import LiveperfError
from liveperf.mapping.controls import DEFAULT, ControlMap
from liveperf.params import Params

BACKENDS = ("alsa", "jack", "coremidi", "winmm")
NO_BACKEND = "none"  # the page is keyboard and synth
SEVERAL = ("all", "first")
LOOPBACK = "127.0.0.1"
USUAL_PORT = 8765  # for control
NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")  # of an instrument: it names ports and files
TOKEN = re.compile(r"[A-Za-z0-9_.~-]{16,256}")  # neither a header nor a cookie nor an address has to quote these


class ConfigError(LiveperfError):
    """A config that cannot be used; the message names file, line, value, what was expected.

    where: the keys and indices that lead to what is wrong, for the line.
    """

    def __init__(self, message: str, where: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.where = where


@dataclass(frozen=True)
class Config:
    """A setup.

    input, output: parts of port names, one or a list; none: virtual ports. several: with more than one name,
    `all` of those ports, or the `first` that is there. feedback: part of the name of the controller's own port,
    which is sent the parameters' values; None: none is. channel: the machine's, 1 to 16. input_channel: the only
    one that is listened to, 0 for all. thru_channel: where the human's own notes go, 0 for the channel they come
    on. presets: names or files, in order of program. name: of its ports, and of its place among other
    instruments. keep_mb: how much disk its recordings may take, 0 for none. port, host, token: where it can be
    controlled from (port None: the usual one, or else any that is free), and what a caller from elsewhere has to
    know. osc: its UDP port, 0 for none. panel: whether a page is served there. backend: a MIDI system, or `none`.
    """

    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    several: Literal["all", "first"] = "all"
    backend: str | None = None
    model: str = "maestro"
    seed: int | None = None
    channel: int = 1
    thru: bool = True
    params: Params = Params()
    map: ControlMap = DEFAULT
    feedback: str | None = None
    input_channel: int = 0
    thru_channel: int = 0
    presets: tuple[str, ...] = ()
    name: str = "liveperf"
    keep_mb: int = 1024
    port: int | None = None
    host: str = LOOPBACK
    token: str | None = None
    osc: int = 0
    panel: bool = True

    def __post_init__(self) -> None:
        for key in ("input", "output", "presets"):
            value = getattr(self, key)
            listed = (value,) if isinstance(value, str) and key != "presets" else value
            object.__setattr__(self, key, () if listed is None else listed)
            if isinstance(listed, list):
                object.__setattr__(self, key, tuple(listed))
        for field in fields(self):
            if field.name in _CHECKS:
                check, expected = _CHECKS[field.name]
                value = getattr(self, field.name)
                if not check(value):
                    raise ConfigError(f"{field.name} {value!r} is {expected}", (field.name,))

    @property
    def knobs(self) -> dict[int, str]:
        """The plain controllers of the map: number -> parameter."""
        plain = [one for one in self.map.entries if one.source == "cc" and one.is_knob]
        return {one.number: one.to for one in plain if one.number is not None}


Check = tuple[Callable[[Any], bool], str]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(low: int, high: int) -> Check:
    return lambda value: _is_whole(value) and low <= value <= high, f"outside {low} to {high}"


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check[0](value), check[1]


def _one_of(*names: str) -> Check:
    return lambda value: value in names, f"not one of {', '.join(names)}"


def _is_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, str) for one in value)


def _is_token(value: object) -> bool:
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


_NAME: Check = (lambda value: isinstance(value, str), "not a name")
_CHECKS: dict[str, Check] = {
    "input": (_is_names, "not a name or a list of names"),
    "output": (_is_names, "not a name or a list of names"),
    "several": _one_of(*SEVERAL),
    "backend": _or_none(_one_of(*BACKENDS, NO_BACKEND)),
    "panel": (lambda value: isinstance(value, bool), "not true or false"),
    "model": _NAME,
    "seed": _or_none((_is_whole, "not a whole number")),
    "channel": _within(1, 16),
    "thru": (lambda value: isinstance(value, bool), "not true or false"),
    "feedback": _or_none(_NAME),
    "input_channel": _within(0, 16),
    "thru_channel": _within(0, 16),
    "presets": (_is_names, "not a list of names or files"),
    "name": (
        lambda value: isinstance(value, str) and NAME.fullmatch(value) is not None,
        "not a name of up to 32 letters, digits, - and _",
    ),
    "keep_mb": _within(0, 10**7),
    "port": _or_none(_within(0, 65535)),
    "host": _NAME,
    "token": _or_none((_is_token, "not a word of 16 to 256 letters, digits, . _ ~ and -")),
    "osc": _within(0, 65535),
}
