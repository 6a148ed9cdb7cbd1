"""MIDI files of a few messages, well made and not."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import mido

from tests.messages import off, on, pedal

Messages = Sequence[mido.Message | mido.MetaMessage]


def midi_bytes(kind: int, *tracks: Messages, division: int = 480) -> bytes:
    """A file of this type; at the tempo of one that names none, 480 ticks are half a second."""
    file = mido.MidiFile(type=kind, ticks_per_beat=division)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def raw_bytes(events: bytes, division: int = 480, tracks: int = 1) -> bytes:
    """A file of equal tracks, byte by byte; each is ended."""
    events += b"\0\xff\x2f\0"
    head = b"MThd\0\0\0\6\0\1" + tracks.to_bytes(2, "big") + division.to_bytes(2, "big")
    return head + tracks * (b"MTrk" + len(events).to_bytes(4, "big") + events)


def musical(dice: random.Random) -> bytes:
    """A small file with everything in it: tracks, tempo, pedal, running status, SysEx, texts."""
    file = mido.MidiFile(type=1, ticks_per_beat=dice.choice((1, 24, 480, 960)))
    for _ in range(dice.randint(1, 4)):
        messages: list[mido.Message | mido.MetaMessage] = [mido.MetaMessage("track_name", name="piano")]
        for _ in range(dice.randint(1, 12)):
            time, key = dice.randrange(500), dice.randrange(128)
            messages += [
                on(key, dice.randrange(128), time=time, channel=dice.randrange(16)),
                off(key, time=time),
                pedal(dice.randrange(128)),
            ]
        messages.insert(
            dice.randrange(len(messages)), mido.MetaMessage("set_tempo", tempo=dice.randrange(1, 1 << 24))
        )
        messages.insert(dice.randrange(len(messages)), mido.Message("sysex", data=(1, 2, 3)))
        messages.append(mido.MetaMessage("key_signature", key="F#m"))
        file.tracks.append(mido.MidiTrack(messages))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
