"""What is asked from outside, checked before it reaches the instrument: whatever JSON or OSC can say."""

from __future__ import annotations

from typing import Any

import mido

from liveperf.mapping.encoders import CODINGS
from liveperf.mapping.knobs import ACTIONS
from liveperf.params import ORDERED, ParamError, Params, nearest, row_named, table
from liveperf.playing.desk import RefusedError
from liveperf.sync.metronome import MESSAGES

ACTS = tuple(name for name in ACTIONS if name != "preset")  # which needs a name
MOST_MIDI = 64  # messages at once
_LARGEST = 1 << 53  # what JSON's numbers hold
_LONG = 100  # what is longer is no name of ours, and not looked for


def values(said: Any) -> dict[str, Any]:
    """Parameters and their values, each in its row's own type. Raises ParamError."""
    if not isinstance(said, dict) or not said:
        raise ParamError(f'expected parameters and values, such as {{"density": 4}}, not {short(said)}')
    return {name: value(name, one) for name, one in said.items()}


def value(name: str, said: Any) -> Any:
    """A parameter's value, in its row's own type. Raises ParamError."""
    row = row_named(name[:_LONG])
    if not isinstance(said, (str, int, float)):
        raise ParamError(f"{name} {short(said)} is not a value ({row.bounds})")
    return row.check(said)


def action(said: Any) -> str:
    """The name of an action. Raises RefusedError."""
    if not isinstance(said, str) or said not in ACTS:
        raise RefusedError(f"no action {short(said)}{nearest(str(said)[:_LONG], list(ACTS))}")
    return said


def preset(said: Any) -> str:
    """What may be the name or the file of a preset. Raises RefusedError."""
    if not isinstance(said, str) or not said or len(said) > 1000 or not said.isprintable():
        raise RefusedError(f"preset {short(said)} is not the name of a preset or a file")
    return said


def midi(said: Any) -> list[mido.Message]:
    """Messages of a keyboard, each as [status, data, data]. Raises RefusedError, then none of them counts."""
    if not isinstance(said, list) or len(said) > MOST_MIDI:
        raise RefusedError(f"midi {short(said)} is not a list of up to {MOST_MIDI} messages [status, data, data]")
    return [_message(one) for one in said]


def _message(said: Any) -> mido.Message:
    if not isinstance(said, list) or not said or not all(type(one) is int for one in said[:3]):
        raise RefusedError(f"midi {short(said)} is not a message, such as [144, 60, 80]")
    size = 1 if said[0] > 0xF2 else 2 if 0xC0 <= said[0] < 0xE0 else 3
    try:
        message = mido.Message.from_bytes(said[:size])
    except (ValueError, LookupError):
        raise RefusedError(f"midi {said[:3]} is not a message, such as [144, 60, 80]") from None
    if not hasattr(message, "channel") and message.type not in MESSAGES:
        raise RefusedError(f"midi {message.type} is nothing that can be played")
    return message


def lesson(said: Any) -> tuple[str | None, str | None]:
    """What the next knob is to be for, None for nothing, and how an endless one codes its ticks, None for others.

    said: a name, or both as in an entry of a map: {"to": name, "encoder": coding}. Raises RefusedError.
    """
    coding = None
    if isinstance(said, dict):
        if not said.keys() <= {"to", "encoder"}:
            raise RefusedError('expected {"to": name, "encoder": coding}, not other keys')
        said, coding = said.get("to"), said.get("encoder")
        if coding not in [None, *CODINGS]:
            raise RefusedError(f"encoder {short(coding)} is not one of {', '.join(CODINGS)}")
    known = [*(row.name for row in table()), *ACTIONS]
    if said is not None and (not isinstance(said, str) or said not in known):
        raise RefusedError(f"no parameter or action {short(said)}{nearest(str(said)[:_LONG], known)}")
    return said, coding


def knob(said: Any) -> str:
    """What may be the name of a knob. Raises RefusedError."""
    if not isinstance(said, str):
        raise RefusedError(f"{short(said)} is not the name of a knob, such as 'CC 20'")
    return said[:_LONG]


def number(said: Any) -> float:
    """A number as it is. Raises RefusedError."""
    if isinstance(said, bool) or not isinstance(said, (int, float)) or not abs(said) < _LARGEST:
        raise RefusedError(f"{short(said)} is not a number")
    return said


def rows(params: Params) -> list[dict[str, Any]]:
    """The table of parameters with the values in force, as JSON can say it; a choice has no range.

    at_least, at_most: the parameter that one may not go below, or above; None for most.
    """
    at_most = dict(ORDERED)
    at_least = {high: low for low, high in ORDERED}
    return [
        {
            "name": row.name,
            "kind": "choice" if row.choices else row.kind.__name__,
            "range": None if row.choices else [row.low, row.high],
            "unit": row.unit,
            "default": row.default,
            "choices": list(row.choices),
            "curve": row.curve,
            "help": row.help,
            "at_least": at_least.get(row.name),
            "at_most": at_most.get(row.name),
            "value": getattr(params, row.name),
        }
        for row in table()
    ]


def short(said: Any) -> str:
    """What was said, for a message: lists and objects by their kind, and nothing at length."""
    if isinstance(said, (dict, list)):
        return "an object" if isinstance(said, dict) else "a list"
    text = repr(said)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
