"""Disks that are really full or gone, under the real daemon: it plays on, says so, and records again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import mido
import pytest

from liveperf.recording import recordings
from tests.jack import MACHINE, Instrument, Keyboard, Synth, is_onset, liveperf, until

pytestmark = pytest.mark.jack

BYTES = 20_000  # that are left, or that a file may have
BENDS = 1_500  # messages that need more than that
TRIED_S = 4.0  # so long it tries in vain, each second
MINUTE_S = 60.0
SAID, AGAIN = "cannot record to", "recording again, to"


@dataclass(frozen=True)
class Disk:
    """Where the user's state lies, and what can happen to it."""

    spoil: Callable[[Instrument], None]
    heal: Callable[[Instrument], None]
    why: str  # what the system says
    new: bool = False  # what was recorded before is not there any more


def no_disk(why: str) -> NoReturn:
    """Skip the test for want of a disk of its own; in CI there is no such excuse."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


@pytest.fixture
def full(places: Path) -> Iterator[Disk]:
    """A file system of 1 MB that is filled up."""
    folder = places / "state"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except OSError as error:
        no_disk(f"there is no mount: {error}")
    if done.returncode:
        no_disk(f"a file system cannot be mounted here: {done.stderr.decode().strip()}")
    ballast = folder / "ballast"

    def fill(instrument: Instrument) -> None:
        ballast.write_bytes(b"x" * (os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - BYTES))

    try:
        yield Disk(fill, lambda _: ballast.unlink(), "No space left on device")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def limited(places: Path) -> Disk:
    """A system that lets no file grow further."""
    if sys.platform != "linux":
        pytest.skip("only Linux sets limits to another process")
    import resource

    def limit(bytes: int) -> Callable[[Instrument], None]:
        def set(instrument: Instrument) -> None:
            _, hard = resource.prlimit(instrument.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(instrument.process.pid, resource.RLIMIT_FSIZE, (bytes, hard))

        return set

    return Disk(limit(BYTES), limit(resource.RLIM_INFINITY), "File too large")


@pytest.fixture
def gone(places: Path) -> Disk:
    """A folder that is taken away, so that it cannot be made again."""
    folder, away = places / "state" / "liveperf", places / "away"

    def take(instrument: Instrument) -> None:
        folder.rename(away)
        folder.touch()

    def bring(instrument: Instrument) -> None:
        folder.unlink()
        away.rename(folder)

    return Disk(take, bring, "Not a directory", new=True)


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Disk:
    """One of those above."""
    found: Disk = request.getfixturevalue(request.param)
    return found


@dataclass
class Stage:
    """The instrument, who plays it and who hears it. bends: how many messages the human has sent."""

    instrument: Instrument
    keyboard: Keyboard
    synth: Synth
    bends: int = 0

    def bend(self, count: int) -> None:
        """The human sends messages that tell the order they came in."""
        for _ in range(count):
            self.keyboard.send("pitchwheel", pitch=self.bends - 8192)
            self.bends += 1
            time.sleep(0.0005)

    def plays(self) -> None:
        """Wait until it has played something more."""
        before = len(self.synth.onsets())
        until(lambda: len(self.synth.onsets()) > before + 10, 10, "it plays on")

    def said(self, what: str) -> list[str]:
        """The lines of the log with it."""
        return [line for line in self.instrument.err.splitlines() if what in line]


@pytest.fixture
def stage(disk: Disk, jack: str, tmp_path: Path) -> Iterator[Stage]:
    """An instrument that plays alone, and what it has been told of."""
    with contextlib.closing(Keyboard(None)) as keyboard, contextlib.closing(Synth(None)) as synth:
        ports = ("--in", keyboard.name, "--out", synth.name, "--channel", str(MACHINE))
        music = ("--mode", "solo", "--density", "12")
        instrument = Instrument(tmp_path, "--daemon", "--port", "0", *ports, *music)
        try:
            until(lambda: synth.onsets() or instrument.process.poll() is not None, 20, "it plays")
            assert instrument.process.poll() is None, instrument.err
            yield Stage(instrument, keyboard, synth)
        finally:
            instrument.end()


def exported(name: str, out: Path) -> dict[str, list[mido.Message]]:
    """The messages of each track of a recording, as the command line gives them."""
    done = liveperf("recordings", "export", name, str(out))
    assert done.returncode == 0, done.stderr
    tracks = {track.name: list(track) for track in mido.MidiFile(out).tracks}
    return {name: [one for one in track if not one.is_meta] for name, track in tracks.items()}


@pytest.mark.parametrize("disk", ["full", "limited", "gone"], indirect=True)
def test_it_plays_on_says_so_once_and_records_again(
    disk: Disk, stage: Stage, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # so that no name is cut
    folder = places / "state" / "liveperf" / "recordings"
    stage.bend(10)
    (before,) = until(lambda: recordings.paths(folder), 3, "it records")
    until(lambda: recordings.inspect(before).machine, 3, "it is written")
    disk.spoil(stage.instrument)
    stage.bend(BENDS)
    until(lambda: stage.said(SAID), 5, "it says so")
    time.sleep(TRIED_S)
    stage.plays()
    (line,) = stage.said(SAID)
    assert f"{SAID} {folder}: {disk.why}; it plays on" in line and " WARNING " in line
    assert len(stage.said(AGAIN)) == 0
    disk.heal(stage.instrument)
    until(lambda: stage.said(AGAIN), 5, "it records again")
    stage.bend(10)
    stage.plays()
    assert stage.instrument.stop() == 0
    assert "0 messages are lost" in stage.said(AGAIN)[0] and len(stage.said(AGAIN)) == 1
    assert stage.synth.silent
    kept = recordings.paths(folder)
    assert kept == ([before, kept[-1]] if disk.new else [before])
    listed = liveperf("recordings").stdout
    assert all(path.stem in listed for path in kept)
    tracks = [exported(path.stem, tmp_path / f"{path.stem}.mid") for path in kept]
    bends = [one.pitch + 8192 for track in tracks for one in track["human"] if one.type == "pitchwheel"]
    played = [one.note for track in tracks for one in track["machine"] if is_onset(one)]
    assert bends == list(range(stage.bends))
    assert played == [pitch for _, pitch in stage.synth.onsets()]


@pytest.mark.slow
@pytest.mark.parametrize("disk", ["gone"], indirect=True)
def test_it_says_so_once_a_minute(disk: Disk, stage: Stage, places: Path) -> None:
    until(lambda: recordings.paths(places / "state" / "liveperf" / "recordings"), 5, "it records")
    disk.spoil(stage.instrument)
    until(lambda: stage.said(SAID), 5, "it says so")
    told = time.perf_counter()
    time.sleep(MINUTE_S - 2)
    assert len(stage.said(SAID)) == 1
    until(lambda: len(stage.said(SAID)) > 1, 10, "it says so again")
    assert time.perf_counter() - told >= MINUTE_S - 1
    stage.plays()
    assert stage.instrument.stop() == 0
    assert stage.said("is not whole") and stage.synth.silent
