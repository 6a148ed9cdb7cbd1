"""Recordings that somebody has made up or damaged: they stop neither the list, nor the start, nor recording."""

from __future__ import annotations

import json
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from liveperf.panel.shelf import Shelf
from liveperf.recording import recordings
from liveperf.recording.journal import Journal
from liveperf.recording.journalfile import SUFFIX, RecordError, read
from liveperf.voices import Owner
from tests.fakes import FakeClock
from tests.fuzz.tools import counts, damaged, times
from tests.messages import on
from tests.recordings import DUET, record

KINDS = ("start", "params", "human", "machine", "end", "later", "")
KEYS = ("format", "start", "begin_s", "model", "version", "instrument", "human", "machine", "lost", "density", "")
MOMENT = "2026-03-01T12:00:00+00:00"
WORDS = ("", "liveperf", "903c40", "903c", "f07df7", MOMENT, "0001-01-01T00:00+14:00", "\ud800")
NUMBERS = (0, 1, -1, 0.25, 1e-6, 1e8, 1e300, -1e300, 10**30, 10**400, float("nan"), float("inf"), True)
NESTED = b"[" * 3000 + b"]" * 3000


def anything(dice: random.Random, depth: int = 0) -> Any:
    """Any JSON, mostly such as there could be in a recording."""
    kind = dice.randrange(6 if depth < 3 else 4)
    if kind == 4:
        return [anything(dice, depth + 1) for _ in range(dice.randrange(4))]
    if kind == 5:
        return {dice.choice(KEYS): anything(dice, depth + 1) for _ in range(dice.randrange(6))}
    return None if kind == 0 else dice.choice(NUMBERS) if kind == 1 else dice.choice(WORDS)


def row(dice: random.Random) -> bytes:
    """A line with a sound checksum."""
    said = {"format": 1, "start": MOMENT, "begin_s": 0.0, "model": "m", "version": "1"}
    data = dice.choice((anything(dice), {**said, dice.choice(KEYS): anything(dice)}, dice.choice(WORDS)))
    fields = [dice.choice(NUMBERS), dice.choice(KINDS), data]
    if dice.random() < 0.2:
        fields = [anything(dice) for _ in range(dice.randrange(5))]
    body = json.dumps(fields)[:-1].encode()
    if dice.random() < 0.1:
        body = b'[0,"%b",%b' % (dice.choice(KINDS).encode(), NESTED)
    return b'%b,"%08x"]\n' % (body, zlib.crc32(body))


def crafted(dice: random.Random, sound: bytes) -> bytes:
    """The bytes of a recording."""
    kind = dice.randrange(4)
    if kind == 0:
        return dice.randbytes(dice.randrange(300))
    if kind == 1:
        return damaged(sound, dice)
    rows = [row(dice) for _ in range(dice.randrange(8))]
    lines = sound.splitlines(keepends=True)
    return b"".join(rows if kind == 2 else dice.sample(lines, dice.randrange(len(lines))) + rows)


def used(path: Path, shelf: Shelf) -> None:
    """All that can be made of a recording; RecordError is the only excuse, in one line."""
    for use in (recordings.inspect, shelf.midi, shelf.notes, lambda path: shelf.picture(path, True)):
        try:
            use(path)
        except RecordError as error:
            assert "\n" not in str(error) and len(str(error)) < 500
            counts["times a recording was refused"] += 1


@pytest.mark.parametrize("seed", [1, 2])
def test_crafted_recordings_stop_nothing(seed: int, tmp_path: Path) -> None:
    dice, number = random.Random(seed), times(500)
    (model,) = record(tmp_path / "sound", DUET)
    folder = tmp_path / "recordings"
    folder.mkdir()
    shelf = Shelf(folder)
    for index in range(number):
        path = folder / f"2025-01-01T00-00-00Z.{index:06}{SUFFIX}"
        path.write_bytes(crafted(dice, model.read_bytes()))
        used(path, shelf)
    json.dumps(shelf.listed())
    recordings.cut_off(folder, "liveperf")
    clock, said = FakeClock(), list[str]()
    journal = Journal(folder, clock, said.append, "maestro", limit_mb=0.04)  # so that they have to make room
    for _ in range(300):
        journal.add(clock.now(), Owner.HUMAN, on(60))
        clock.advance(0.25)
        journal.work()
    journal.end()
    kept = [row for path in journal.files for row in read(path) if row.kind == "human"]
    assert len(kept) == 300 and journal.lost == 0 and said == []
    counts["crafted recordings"] += number
