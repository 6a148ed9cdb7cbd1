"""Recordings of performances that are written down here."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import mido

from liveperf.recording.journal import Journal
from liveperf.voices import Owner
from tests.fakes import FakeClock
from tests.messages import off, on

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
Played = list[tuple[float, Owner, mido.Message]]


def record(
    folder: Path, played: Played, begin_s: float = 0.0, hours: int = 0, limit_mb: float = 1024, ended: bool = True
) -> list[Path]:
    """A journal's files of a performance that began so many hours after noon; times since its start, s."""
    clock = FakeClock()
    start = clock.now()
    journal = Journal(
        folder,
        clock,
        print,
        "maestro",
        limit_mb,
        wall=lambda: NOON + timedelta(hours=hours, seconds=clock.now() - start),
    )
    journal.set(start, {"mode": "duet", "density": 2.0})
    clock.advance(begin_s)
    for time, owner, message in played:
        clock.time = max(clock.time, start + time)
        journal.add(start + time, owner, message)
        journal.work()
    if ended:
        journal.end()
    return journal.files


DUET: Played = [
    (1.0, Owner.HUMAN, on(60)),
    (1.5, Owner.HUMAN, off(60)),
    (2.0, Owner.MACHINE, on(72, 100)),
    (2.25, Owner.MACHINE, off(72)),
    (3.0, Owner.MACHINE, on(74, 100)),
    (4.0, Owner.MACHINE, off(74)),
]
