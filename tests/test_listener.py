"""What `learn` takes for a knob that was moved, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.knobs import SOURCES, MapError
from liveperf.listener import Heard, Listener, wanted
from tests.maps import MESSAGES
from tests.test_controls import bend, cc, note, pressure, program

ALL = frozenset(SOURCES)
KNOBS = wanted("density")


def after(messages: Iterable[mido.Message], sources: frozenset[str] = KNOBS) -> Heard | None:
    """What was heard first."""
    listener = Listener(sources)
    return next((heard for message in messages if (heard := listener.hear(message))), None)


def fader(number: int, values: Iterable[int], fine_first: bool = False) -> list[mido.Message]:
    """A fader of 14 bits."""
    halves = [[cc(number, value >> 7), cc(number + 32, value & 127)] for value in values]
    return [message for pair in halves for message in (reversed(pair) if fine_first else pair)]


@pytest.mark.parametrize(
    ("messages", "heard"),
    [
        ([cc(20, value, 3) for value in range(40, 70)], Heard("cc", 20, 3)),
        ([cc(1, 0), cc(1, 30), cc(1, 60)], Heard("cc", 1, 1)),
        ([cc(20, 127), cc(20, 0)], Heard("cc", 20, 1, pressed=True)),
        ([cc(119, 100), cc(119, 0)], Heard("cc", 119, 1, pressed=True)),
        ([cc(48, value) for value in range(0, 128, 4)], Heard("cc", 48, 1)),
        ([cc(5, 64), cc(5, 65), cc(5, 64), *(cc(9, value) for value in range(0, 50, 5))], Heard("cc", 9, 1)),
        (fader(2, range(3000, 9000, 100)), Heard("cc14", 2, 1)),
        (fader(2, range(9000, 3000, -37)), Heard("cc14", 2, 1)),
        (fader(2, range(3000, 9000, 37), fine_first=True), Heard("cc14", 2, 1)),
        (fader(0, range(0, 16384, 128)), Heard("cc14", 0, 1)),  # seven bits on fourteen
        ([bend(value) for value in range(0, 8000, 500)], Heard("pitch_bend", None, 1)),
        ([pressure(value) for value in range(0, 127, 5)], Heard("pressure", None, 1)),
    ],
)
def test_a_knob_that_was_moved(messages: list[mido.Message], heard: Heard) -> None:
    assert after(messages) == heard


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [mido.Message("clock"), mido.Message("active_sensing"), mido.Message("start")] * 50,
        [note(60, 80), note(64, 80), note(60, 0), note(64, 0)] * 20,
        [cc(64, 127), cc(64, 0)] * 5,  # the pedal
        [cc(123, 127), cc(123, 0)] * 5,
        [cc(20, 64), cc(20, 65)] * 50,  # a knob that flickers
        [cc(20, 127)],  # a button that was not let go
        [cc(20, 20), cc(20, 0)],
        [cc(20, value) for value in range(10)],
        [bend(value) for value in (0, 100, 0, -100)],
        [pressure(value) for value in range(10)],
        [cc(20, 65)] * 50,  # an endless knob that tells steps
        fader(2, range(3000, 3120)),  # hardly moved
        [program(3)],  # no value of a knob's
    ],
)
def test_what_is_no_knob(messages: list[mido.Message]) -> None:
    assert after(messages) is None


@pytest.mark.parametrize(
    ("name", "notes", "messages", "heard"),
    [
        ("turn", False, [cc(66, 127), cc(66, 0)], Heard("cc", 66, 1, pressed=True)),
        ("turn", True, [note(36, 90, 10), note(36, 0, 10)], Heard("note", 36, 10, pressed=True)),
        ("turn", False, [note(36, 90, 10), note(36, 0, 10)], None),
        ("turn", True, [note(36, 0), note(36, 0), note(36, 90)], None),  # a key that was down before
        ("key_lock", True, [note(36, 9), mido.Message("note_off", note=36)], Heard("note", 36, 1, pressed=True)),
        ("panic", False, [program(5, 2)], Heard("program_change", 5, 2, pressed=True)),
        ("preset", False, [cc(66, 127), cc(66, 0), program(5)], Heard("program_change", 5, 1, pressed=True)),
        ("panic", False, [bend(value) for value in range(0, 8000, 500)], None),
        ("panic", False, fader(2, range(0, 9000, 50)), Heard("cc", 2, 1)),
    ],
)
def test_what_fits_what_it_is_for(
    name: str, notes: bool, messages: list[mido.Message], heard: Heard | None
) -> None:
    assert after(messages, wanted(name, notes)) == heard


def test_a_note_is_no_knob() -> None:
    with pytest.raises(MapError, match="density has more than two values: learn it without --note"):
        wanted("density", notes=True)
    assert wanted("key_lock", notes=True) == {"cc", "note", "program_change"}


@pytest.mark.parametrize(
    ("messages", "hint"),
    [
        ([cc(64, 127)], "CC 64 is the sustain pedal and stays it"),
        (
            [cc(20, 1), cc(20, 127)] * 12,
            "CC 20 repeats itself: set an endless knob to absolute values in its editor",
        ),
        ([program(3)], "program change will not do for this"),
        ([note(3, 3), cc(1, 1)], ""),
    ],
)
def test_it_says_why_it_waits(messages: list[mido.Message], hint: str) -> None:
    listener = Listener(KNOBS)
    assert not any(listener.hear(message) for message in messages)
    assert listener.hint == hint


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=200), st.sampled_from(["density", "key_lock", "turn", "preset"]))
def test_it_hears_only_what_will_do(messages: list[mido.Message], name: str) -> None:
    heard = after(messages, wanted(name))
    assert heard is None or (heard.source in wanted(name) and 1 <= heard.channel <= 16)
    assert heard is None or (heard.source, heard.number) != ("cc", 64)
