"""MIDI messages in one word. Channels count from 0, as in mido and in MIDI's bytes: a musician's channel 1 is 0.

`time` is only for the tracks of files: how many ticks after the message before.
"""

from __future__ import annotations

import mido

from liveperf.voices import PEDAL


def on(pitch: int, velocity: int = 64, *, channel: int = 0, time: int = 0) -> mido.Message:
    """A note begins."""
    return mido.Message("note_on", note=pitch, velocity=velocity, channel=channel, time=time)


def off(pitch: int, *, channel: int = 0, time: int = 0) -> mido.Message:
    """A note ends."""
    return mido.Message("note_off", note=pitch, velocity=0, channel=channel, time=time)


def control(number: int, value: int, *, channel: int = 0, time: int = 0) -> mido.Message:
    """A knob, a button or a pedal moves: a control change."""
    return mido.Message("control_change", control=number, value=value, channel=channel, time=time)


def pedal(value: int, *, channel: int = 0, time: int = 0) -> mido.Message:
    """The sustain pedal moves."""
    return control(PEDAL, value, channel=channel, time=time)


def program(number: int, *, channel: int = 0) -> mido.Message:
    """A program is chosen, from 0 on."""
    return mido.Message("program_change", program=number, channel=channel)


def bend(pitch: int, *, channel: int = 0) -> mido.Message:
    """The pitch wheel moves, from -8192 to 8191."""
    return mido.Message("pitchwheel", pitch=pitch, channel=channel)


def pressure(value: int, *, channel: int = 0) -> mido.Message:
    """The keys that are down are pressed harder or less."""
    return mido.Message("aftertouch", value=value, channel=channel)
