"""What `learn` takes for a knob that was moved, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.mapping.knobs import MapError
from liveperf.mapping.listener import LEANT, TURNS, Heard, Listener, wanted
from liveperf.mapping.sources import SOURCES
from tests.maps import MESSAGES
from tests.messages import bend, control, off, on, pressure, program

ALL = frozenset(SOURCES)
KNOBS = wanted("density")


def after(messages: Iterable[mido.Message], sources: frozenset[str] = KNOBS) -> Heard | None:
    """What was heard first."""
    listener = Listener(sources)
    return next((heard for message in messages if (heard := listener.hear(message))), None)


def leant(to: int = 120) -> list[mido.Message]:
    """Keys that are down are pressed harder, and less again."""
    values = [*range(0, to, 7), *range(to, 0, -7), 0]
    return [pressure(value) for value in values]


def fader(number: int, values: Iterable[int], fine_first: bool = False) -> list[mido.Message]:
    """A fader of 14 bits."""
    halves = [[control(number, value >> 7), control(number + 32, value & 127)] for value in values]
    return [message for pair in halves for message in (reversed(pair) if fine_first else pair)]


@pytest.mark.parametrize(
    ("messages", "heard"),
    [
        ([control(20, value, channel=2) for value in range(40, 70)], Heard("cc", 20, 3)),
        ([control(1, 0), control(1, 30), control(1, 60)], Heard("cc", 1, 1)),
        ([control(20, 127), control(20, 0)], Heard("cc", 20, 1, pressed=True)),
        ([control(119, 100), control(119, 0)], Heard("cc", 119, 1, pressed=True)),
        ([control(48, value) for value in range(0, 128, 4)], Heard("cc", 48, 1)),
        (
            [*(control(5, value) for value in (64, 65, 64)), *(control(9, value) for value in range(0, 50, 5))],
            Heard("cc", 9, 1),
        ),
        (fader(2, range(3000, 9000, 100)), Heard("cc14", 2, 1)),
        (fader(2, range(9000, 3000, -37)), Heard("cc14", 2, 1)),
        (fader(2, range(3000, 9000, 37), fine_first=True), Heard("cc14", 2, 1)),
        (fader(0, range(0, 16384, 128)), Heard("cc14", 0, 1)),  # seven bits on fourteen
        ([bend(value) for value in range(0, 8000, 500)], Heard("pitch_bend", None, 1)),
        (leant() * 2, Heard("pressure", None, 1)),
        ([on(60), *leant() * 2], Heard("pressure", None, 1)),
    ],
)
def test_a_knob_that_was_moved(messages: list[mido.Message], heard: Heard) -> None:
    assert after(messages) == heard


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [mido.Message("clock"), mido.Message("active_sensing"), mido.Message("start")] * 50,
        [on(60, 80), on(64, 80), on(60, 0), on(64, 0)] * 20,
        [control(64, 127), control(64, 0)] * 5,  # the pedal
        [control(123, 127), control(123, 0)] * 5,
        [control(20, 64), control(20, 65)] * 50,  # a knob that flickers
        [control(20, 127)],  # a button that was not let go
        [control(20, 20), control(20, 0)],
        [control(20, value) for value in range(10)],
        [bend(value) for value in (0, 100, 0, -100)],
        [pressure(value) for value in range(0, 127, 5)],
        [on(60), *leant(), off(60), on(62), *leant(), off(62)] * 5,  # keys that are played
        [on(60), *leant(), on(64), *leant(90), off(60), *leant(), off(64), *leant(60)],
        [on(60), *map(pressure, [20, 90, 30, 100, 40, 80]), off(60)],  # a key that is never let go
        [*leant(LEANT - 1) * 9],
        [control(20, 65)] * 50,  # an endless knob that tells steps
        fader(2, range(3000, 3120)),  # hardly moved
        [program(3)],  # no value of a knob's
    ],
)
def test_what_is_no_knob(messages: list[mido.Message]) -> None:
    assert after(messages) is None


@pytest.mark.parametrize(
    ("name", "notes", "messages", "heard"),
    [
        ("turn", False, [control(66, 127), control(66, 0)], Heard("cc", 66, 1, pressed=True)),
        ("turn", True, [on(36, 90, channel=9), on(36, 0, channel=9)], Heard("note", 36, 10, pressed=True)),
        ("turn", False, [on(36, 90, channel=9), on(36, 0, channel=9)], None),
        ("turn", True, [on(36, 0), on(36, 0), on(36, 90)], None),  # a key that was down before
        ("key_lock", True, [on(36, 9), off(36)], Heard("note", 36, 1, pressed=True)),
        ("panic", False, [program(5, channel=1)], Heard("program_change", 5, 2, pressed=True)),
        (
            "preset",
            False,
            [control(66, 127), control(66, 0), program(5)],
            Heard("program_change", 5, 1, pressed=True),
        ),
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


@pytest.mark.parametrize("message", [on(60), off(60), bend(20), pressure(99), program(9), control(64, 127)])
def test_a_button_is_heard_whatever_the_other_hand_plays(message: mido.Message) -> None:
    assert after([control(66, 127), message, control(66, 0)], frozenset({"cc"})) == Heard(
        "cc", 66, 1, pressed=True
    )


@settings(deadline=None)
@given(MESSAGES, st.sampled_from(["density", "key_lock", "turn", "preset"]), st.booleans())
def test_what_it_takes_is_what_it_waits_for(message: mido.Message, name: str, notes: bool) -> None:
    sources = wanted(name, notes and name in ("key_lock", "turn"))
    listener = Listener(sources)
    heard = listener.hear(message)
    assert heard is None or listener.waits_for(message)
    other = message.type in ("clock", "active_sensing", "start", "sysex", "songpos", "polytouch")
    assert not (other and listener.waits_for(message))


@pytest.mark.parametrize(
    ("messages", "hint"),
    [
        ([control(64, 127)], "CC 64 is the sustain pedal and stays it"),
        (
            [control(20, 1), control(20, 127)] * 12,
            "CC 20 repeats itself, as an endless knob does: learn it as one (--encoder)",
        ),
        ([program(3)], "program change will not do for this"),
        ([on(60), *leant()], "channel pressure comes with every key: lean in twice if it is meant"),
        ([on(60), *leant(LEANT - 1)], ""),
        ([on(3, 3), control(1, 1)], ""),
    ],
)
def test_it_says_why_it_waits(messages: list[mido.Message], hint: str) -> None:
    listener = Listener(KNOBS)
    assert not any(listener.hear(message) for message in messages)
    assert listener.hint == hint


@pytest.mark.parametrize(
    ("encoder", "values", "heard"),
    [
        ("twos_complement", [1, 2, 3] * 3, True),
        ("twos_complement", [127] * TURNS, True),
        ("binary_offset", [63, 65] * TURNS, True),
        ("sign_magnitude", [65, 1] * TURNS, True),
        ("binary_offset", [65] * (TURNS - 1), False),
        ("binary_offset", [64] * 50, False),  # no tick
        ("twos_complement", [0] * 50, False),
    ],
)
def test_an_endless_knob_is_heard_by_its_ticks(encoder: str, values: list[int], heard: bool) -> None:
    listener = Listener(wanted("density", encoder=encoder), encoder)
    found = [listener.hear(control(20, value, channel=2)) for value in values]
    assert (Heard("cc", 20, 3, encoder=encoder) in found) == heard
    assert not any(listener.hear(control(64, value)) for value in [1, 127] * TURNS)  # the pedal


@pytest.mark.parametrize(
    ("name", "notes", "encoder", "said"),
    [
        ("panic", False, "binary_offset", "encoder has no use here, for panic is simply pressed"),
        ("density", False, "relative", "encoder 'relative' is not one of twos_complement"),
        ("key_lock", True, "binary_offset", "a key is no endless knob: leave --note or --encoder out"),
    ],
)
def test_what_no_endless_knob_can_be_for(name: str, notes: bool, encoder: str, said: str) -> None:
    with pytest.raises(MapError, match=said):
        wanted(name, notes, encoder)


@settings(deadline=None)
@given(st.lists(MESSAGES, max_size=200), st.sampled_from(["density", "key_lock", "turn", "preset"]))
def test_it_hears_only_what_will_do(messages: list[mido.Message], name: str) -> None:
    heard = after(messages, wanted(name))
    assert heard is None or (heard.source in wanted(name) and 1 <= heard.channel <= 16)
    assert heard is None or (heard.source, heard.number) != ("cc", 64)
