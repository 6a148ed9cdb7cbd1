"""What is seen of an instrument, as pages are told it: values that JSON can say. Times in s, the instrument's."""

from __future__ import annotations

from typing import Any

from liveperf.mapping.controls import ControlMap
from liveperf.playing.desk import Played, Said
from liveperf.voices import PEDAL

PAST_S, PAST = 30.0, 1000  # of what was played before somebody came: as much as a roll shows, and rows at most


def heard(played: list[Played], controls: ControlMap) -> dict[str, Any]:
    """Notes and the human's pedal, without what knobs have sent; neither key where there is nothing of it.

    A note is (time, who, channel from 1, pitch, velocity), 0: it ends; a move of the pedal is (time, 0 to 127).
    """
    notes: list[Any] = []
    pedal: list[Any] = []
    for at, who, message in played:
        if message.type in ("note_on", "note_off"):
            velocity = message.velocity if message.type == "note_on" else 0
            if who == "machine" or controls.find(message) is None:
                notes.append((round(at, 4), who, message.channel + 1, message.note, velocity))
        elif message.type == "control_change" and message.control == PEDAL and who == "human":
            pedal.append((round(at, 4), message.value))
    return {key: found for key, found in (("notes", notes), ("pedal", pedal)) if found}


def past(played: list[Played], controls: ControlMap, now: float) -> dict[str, Any]:
    """What was played of late, for somebody who comes now: all notes since a time, and where the pedal is.

    Before them are the beginnings of those that sounded at that time.
    """
    found = heard(played, controls)
    notes = found.get("notes", [])
    since = now - PAST_S
    if len(notes) > PAST:
        since = max(since, notes[-PAST][0])
    sounding: dict[tuple[str, int, int], Any] = {}
    for row in notes:
        at, who, channel, pitch, velocity = row
        if at >= since:
            break
        sounding.pop((who, channel, pitch), None)
        if velocity:
            sounding[who, channel, pitch] = row
    recent = [row for row in notes if row[0] >= since]
    pedal = found["pedal"][-1][1] if "pedal" in found else 0
    return {"since": round(since, 4), "notes": [*sounding.values(), *recent], "pedal": pedal}


def knobs(controls: ControlMap) -> list[dict[str, Any]]:
    """A map's knobs, with the ranges in force."""
    ranges = [{"range": [one.row.low, one.row.high]} if one.is_knob else {} for one in controls.entries]
    entries = zip(controls.entries, ranges, strict=True)
    return [{"name": one.name, **reach, **one.settings()} for one, reach in entries]


def logged(lines: list[Said]) -> list[Said]:
    """Lines of the log."""
    return [(round(at, 3), level, text) for at, level, text in lines]
