"""Real ports: what nobody would play, and a cat would. It survives, and every note that begins also ends."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import mido
import pytest

from tests.jack import Instrument, Keyboard, Synth, until
from tests.messages import on

pytestmark = pytest.mark.jack

Play: TypeAlias = Callable[..., tuple[Instrument, Keyboard, Synth]]

ALL_KEYS = range(128)
MESSAGES, AT_ONCE = 3_000, 500


def cat(dice: random.Random) -> Iterator[list[int]]:
    """Random valid messages of every kind and channel, half of them notes."""
    data: dict[str, Callable[[], dict[str, object]]] = {
        "note_on": lambda: {"note": dice.randrange(128), "velocity": dice.randrange(128)},
        "note_off": lambda: {"note": dice.randrange(128), "velocity": dice.randrange(128)},
        "polytouch": lambda: {"note": dice.randrange(128), "value": dice.randrange(128)},
        "control_change": lambda: {"control": dice.randrange(128), "value": dice.randrange(128)},
        "program_change": lambda: {"program": dice.randrange(128)},
        "aftertouch": lambda: {"value": dice.randrange(128)},
        "pitchwheel": lambda: {"pitch": dice.randrange(-8192, 8192)},
    }
    system: list[mido.Message] = [
        mido.Message(kind) for kind in ("clock", "start", "continue", "stop", "active_sensing", "reset")
    ]
    system += [
        mido.Message("tune_request"),
        mido.Message("songpos", pos=1234),
        mido.Message("song_select", song=3),
        mido.Message("quarter_frame", frame_type=1, frame_value=2),
        mido.Message("sysex", data=range(100)),
    ]
    while True:
        kind = dice.choice(["note_on", "note_off", *data])
        if dice.random() < 0.05:
            yield dice.choice(system).bytes()
        else:
            yield mido.Message(kind, channel=dice.randrange(16), **data[kind]()).bytes()


def garbage(dice: random.Random) -> Iterator[list[int]]:
    """Random bytes, one to three at a time, most with a status byte first.

    But none begins a SysEx: RtMidi takes everything up to the next 0xF7 for its rest.
    """
    while True:
        data = [dice.randrange(256) for _ in range(dice.randint(1, 3))]
        if dice.random() < 0.8:
            data[0] |= 0x80
        if data[0] != 0xF0:
            yield data


def still_plays(instrument: Instrument, keyboard: Keyboard, synth: Synth) -> None:
    """It passes on what is played in, and it plays; it ends well, and nothing sounds."""
    keyboard.press(60, velocity=99)
    struck = on(60, 99)
    until(lambda: struck in [message for _, message in synth.heard], 5, "a key is passed on")
    keyboard.lift(60)
    before = len(synth.onsets())
    until(lambda: len(synth.onsets()) > before, 20, "it plays")
    assert instrument.stop() == 0
    assert instrument.err == ""
    assert synth.silent
    assert not synth.garbage


@pytest.mark.parametrize("mode", ["answer", "solo", "duet"])
def test_hands_on_all_keys(play: Play, mode: str) -> None:
    instrument, keyboard, synth = play("--mode", mode, "--turn-gap-s", "0.3", early=True)
    for _ in range(4):
        keyboard.press(*ALL_KEYS)
        time.sleep(0.03)
        keyboard.lift(*ALL_KEYS)
    until(lambda: len(synth.onsets(1)) == 4 * len(ALL_KEYS), 5, "all are heard")
    if mode == "duet":
        keyboard.press(40)
    still_plays(instrument, keyboard, synth)


@pytest.mark.parametrize("make", [cat, garbage])
def test_thousands_of_messages_at_once(play: Play, make: Callable[[random.Random], Iterator[list[int]]]) -> None:
    instrument, keyboard, synth = play("--mode", "solo", early=True)
    until(synth.sounding, 5, "it plays")
    messages = make(random.Random(3))
    for _ in range(MESSAGES // AT_ONCE):
        for _ in range(AT_ONCE):
            keyboard.raw(next(messages))
        time.sleep(0.002)  # a period of JACK's holds 2,700 or so
    for control in (120, 64):  # whatever keys are down now, they come up
        for channel in range(16):
            keyboard.send("control_change", channel=channel, control=control, value=0)
    for byte in (0xFA, 0xF8):  # that was a panic, and a Stop may have been among them: the song begins
        keyboard.raw([byte])
    still_plays(instrument, keyboard, synth)
