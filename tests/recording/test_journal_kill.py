"""The journal in a process of its own: killed as it writes, and with a limit that the system sets to its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mido
import pytest

from liveperf.recording.journalfile import MESSAGES, read
from liveperf.recording.recordings import export, inspect, paths

ROOT = Path(__file__).parents[2]

# Plays as a fast pianist, and says when, until it is killed.
PLAYER = """
import sys
from pathlib import Path
import mido
from liveperf.clock import SystemClock, sleep
from liveperf.recording.journal import Journal
from liveperf.voices import Owner

clock = SystemClock()
journal = Journal(Path(sys.argv[1]), clock, print, "maestro")
start = clock.now()
journal.start()
for number in range(100_000):
    now = clock.now()
    journal.add(now, Owner.HUMAN, mido.Message("pitchwheel", pitch=number % 16384 - 8192))
    print(f"{now - start:.6f}", flush=True)
    sleep(0.005)
"""

# Plays where no file may be longer than 2000 bytes, until it may.
CONFINED = """
import resource, sys
from pathlib import Path
import mido
from liveperf.recording.journal import Journal
from liveperf.voices import Owner
from tests.fakes import FakeClock

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
clock = FakeClock()
journal = Journal(Path(sys.argv[1]), clock, lambda text: print(text, flush=True), "maestro")
for number in range(100):
    journal.add(clock.now(), Owner.HUMAN, mido.Message("pitchwheel", pitch=number))
    clock.advance(0.5)
    journal.work()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.end()
"""

# Plays much where its own files may have 20 kB, once it is told to; between its first note and its last.
BESIDE = """
import sys
from datetime import timedelta
from pathlib import Path
from liveperf.recording.journal import Journal
from liveperf.voices import Owner
from tests.fakes import FakeClock
from tests.messages import bend
from tests.recordings import NOON

clock = FakeClock()
start = clock.now()
wall = lambda: NOON + timedelta(seconds=clock.now() - start)
journal = Journal(Path(sys.argv[1]), clock, print, "maestro", 0.02, wall=wall, instrument=sys.argv[2])
for number in range(int(sys.argv[3])):
    journal.add(clock.now(), Owner.HUMAN, bend(number))
    clock.advance(0.1)
    journal.work()
    if number == 0:
        print("plays", flush=True)
        sys.stdin.readline()
journal.end()
"""


@pytest.mark.parametrize("written", [20, 300])
def test_killed_without_warning_a_second_is_missing_at_most(tmp_path: Path, written: int) -> None:
    folder = tmp_path / "recordings"
    process = subprocess.Popen(
        [sys.executable, "-c", PLAYER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        said = [float(process.stdout.readline()) for _ in range(written)]
        while not list(folder.glob("*.jsonl")):
            said.append(float(process.stdout.readline()))
    finally:
        process.kill()
        rest, _ = process.communicate()
    said += [float(text) for text in rest.splitlines()]
    (path,) = folder.iterdir()
    rows = [row for row in read(path) if row.kind in MESSAGES]
    kept = [mido.Message.from_bytes(bytes.fromhex(row.data)).pitch + 8192 for row in rows]
    assert kept == list(range(len(kept)))
    assert said[-1] - said[len(kept) - 1] <= 1.0 if kept else said[-1] <= 1.0
    assert not inspect(path).finished
    export([path], tmp_path / "killed.mid")
    human = next(track for track in mido.MidiFile(tmp_path / "killed.mid").tracks if track.name == "human")
    assert sum(not message.is_meta for message in human) == len(kept)


def test_a_file_that_the_system_lets_grow_no_more_is_told_and_gone_on_with(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="Windows has no such limit")
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told, recovered = done.stdout.splitlines()
    assert told.startswith(f"cannot record to {tmp_path}: File too large; it plays on (")
    (path,) = tmp_path.iterdir()
    assert recovered == f"recording again, to {path}; 0 messages are lost"
    kept = [mido.Message.from_bytes(bytes.fromhex(row.data)).pitch for row in read(path) if row.kind in MESSAGES]
    assert kept == list(range(100))
    assert inspect(path).finished


def test_beside_each_other_each_keeps_its_own_within_its_limit(tmp_path: Path) -> None:
    played = {"left": 2000, "right": 3000, "idle": 2}
    processes = {
        name: subprocess.Popen(
            [sys.executable, "-c", BESIDE, str(tmp_path), name, str(count)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for name, count in played.items()
    }  # fmt: skip
    try:
        for process in processes.values():
            assert process.stdout is not None and process.stdout.readline() == "plays\n"
        for name in ("left", "right"):  # at once
            stdin = processes[name].stdin
            assert stdin is not None
            stdin.write("\n")
            stdin.flush()
        assert [processes[name].communicate("\n")[0] for name in played] == ["", "", ""]  # nobody's file has gone
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    found = [inspect(path) for path in paths(tmp_path)]
    for name, count in played.items():
        own = [one for one in found if one.instrument == name]
        rows = [row for one in own for row in read(one.path) if row.kind in MESSAGES]
        kept = [mido.Message.from_bytes(bytes.fromhex(row.data)).pitch for row in rows]
        assert kept == list(range(count))[-len(kept) :]
        assert sum(one.size for one in own) <= 20_000
        assert all(one.finished for one in own)
