"""A standard MIDI file's messages one by one, tracks merged; nothing is held but the file's own bytes.

mido makes an object of each message and holds three lists of them: 300 bytes and 5 us for each byte of the file,
and while music plays the garbage collector looks through them all.

The format: RP-001, Standard MIDI Files 1.0.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import itemgetter

Event = tuple[int, int, int, int]
"""Tick, status, and two data bytes, 0 where there are none. Of a tempo, the second is us a beat."""

NOTE_OFF, NOTE_ON, CONTROL = 0x80, 0x90, 0xB0  # with a channel in the lower half
_META, _SET_TEMPO, _SYSEX, _ESCAPE = 0xFF, 0x51, 0xF0, 0xF7
_USUAL_TEMPO = 500_000  # us a beat, as long as nothing else is said
_LARGEST = (1 << 28) - 1  # of the numbers that take as many bytes as they need
_SIZES = {status: 1 if 0xC0 <= status < 0xE0 else 2 for status in range(0x80, 0xF0)}
_SIZES |= {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}  # found in some files


class SmfError(ValueError):
    """No standard MIDI file, or one that cannot be read; the message says why."""


def messages(data: bytes) -> Iterator[tuple[float, int, int, int]]:
    """(seconds, status, data, data) of a file, ascending in time; the data are 0 where there are none.

    Those of system messages and what is not of music are not told. Raises SmfError, as it comes to it.
    """
    ticks_per_beat, tracks = _opened(data)
    seconds, before, second_of_tick = 0.0, 0, _USUAL_TEMPO * 1e-6 / ticks_per_beat
    for tick, status, one, two in heapq.merge(*tracks, key=itemgetter(0)):
        seconds += (tick - before) * second_of_tick
        before = tick
        if status == _META and one == _SET_TEMPO:
            second_of_tick = two * 1e-6 / ticks_per_beat
        yield seconds, status, one, two


def _opened(data: bytes) -> tuple[int, list[Iterator[Event]]]:
    """Ticks a beat, and the tracks. Raises SmfError."""
    if len(data) < 8:
        raise SmfError("not a MIDI file, or cut short")
    if data[:4] != b"MThd":
        raise SmfError("not a MIDI file (it does not begin with MThd)")
    at = 8 + int.from_bytes(data[4:8], "big")
    if at < 14 or at > len(data):
        raise SmfError("not a MIDI file, or cut short")
    kind, count, division = (int.from_bytes(data[here : here + 2], "big") for here in (8, 10, 12))
    tracks: list[Iterator[Event]] = []
    while len(tracks) < count:
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if at + 8 + size > len(data):
            raise SmfError("not a MIDI file, or cut short")
        if data[at : at + 4] == b"MTrk":  # what else there is is passed over
            tracks.append(_track(data[at + 8 : at + 8 + size]))
        at += 8 + size
    if kind > 1:
        raise SmfError(f"a type {kind} file (separate patterns); save it as type 0 or 1")
    if not 0 < division < 0x8000:
        raise SmfError("its time is not in ticks a beat (SMPTE); save it with beats")
    return division, tracks


def _track(track: bytes) -> Iterator[Event]:
    try:
        yield from _events(track)
    except IndexError:
        raise SmfError("not a MIDI file, or cut short") from None


def _events(track: bytes) -> Iterator[Event]:
    """What is in a track. Raises SmfError, and IndexError where it ends too soon."""
    at, tick, running = 0, 0, 0
    while at < len(track):
        delta, at = _number(track, at)
        tick += delta
        status = track[at]
        if status >= 0x80:
            at += 1
        elif running:
            status = running
        else:
            raise SmfError("a damaged MIDI file (data before any status)")
        if status in (_META, _SYSEX, _ESCAPE):
            one, two = 0, 0
            if status == _META:
                one = track[at]
                at += 1
            size, at = _number(track, at)
            if one == _SET_TEMPO:
                two = int.from_bytes(track[at : at + 3], "big")
                if size < 3:
                    raise SmfError(f"a damaged MIDI file (a tempo of {size} bytes)")
        else:
            if status not in _SIZES:
                raise SmfError(f"a damaged MIDI file (status {status:#x})")
            size = _SIZES[status]
            running = status if status < _SYSEX else 0
            one = min(track[at], 127) if size else 0  # a few programs write more
            two = min(track[at + 1], 127) if size == 2 else 0
        at += size
        if at > len(track):
            raise IndexError
        yield tick, status, one, two


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number, seven bits to a byte, and where it ends. Raises SmfError, IndexError."""
    number = 0
    while True:
        byte = data[at]
        at += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at
        if number > _LARGEST:
            raise SmfError("a damaged MIDI file (a number that does not end)")
