"""How soon the instrument has recovered when something around it, or in it, has gone; and how soon it ends."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from liveperf.recording import journalfile, recordings
from liveperf.system import places
from liveperf.voices import Owner
from tests import faults, jack
from tests.bench.other import Program, another
from tests.bench.play import MACHINE, own_places
from tests.bench.row import Aim, Row, Size
from tests.bench.speed import MODEL

RESTARTED = Row("JACK server killed and started -> ports there again", "s", Aim("max", most=2))
GONE = Row("keyboard killed -> its notes released", "s", Aim("max", most=1))
BACK = Row("keyboard back -> heard", "s", Aim("max", most=1))
DIES = Row("thread dies -> notes released, another one started", "s", Aim("max", most=0.5))
STUCK = Row("thread is stuck -> notes released, another one started", "s", Aim("max", most=0.5))
ENDED = Row("SIGTERM -> ended", "s", Aim("max", most=1))
MISSING = Row("kill -9 -> music that the recording lacks", "s", Aim("max", most=1))
KEYBOARD, FAULTS, ENDS = (GONE, BACK), (DIES, STUCK), (ENDED, MISSING)

CHORD = (36, 43, 48)
CC = 20  # which is for nothing: it is passed on
EVERY_S = 0.005  # how often a keyboard that is back is tried
SOLO = ("--mode", "solo", "--density", "12")
# Two for an instrument at most: after a third death within a minute it gives up.
BREAKS = (("engine dies", "output dies"), ("engine sleeps", "output sleeps"), ("engine spins",))


@contextlib.contextmanager
def service(
    *options: str, program: tuple[str, ...] = ("-m", "liveperf")
) -> Iterator[tuple[jack.Instrument, Path]]:
    """The instrument as a service, from its greeting on, and a folder; program: what Python is to run."""
    with own_places() as folder:
        os.environ[faults.VARIABLE] = str(folder / "fault")
        options = ("--daemon", "--port", "0", "--channel", str(MACHINE), "--model", MODEL, *options)
        instrument = jack.Instrument(folder, *options, program=program)
        try:
            jack.until(
                lambda: "-C ends it" in instrument.err or instrument.process.poll() is not None, 20, "it plays"
            )
            if instrument.process.poll() is not None:
                raise RuntimeError(instrument.err.strip())
            yield instrument, folder
        finally:
            instrument.end()


def restarts(size: Size, no_jack: str) -> list[Row]:
    """A JACK server that is killed and started at once."""
    if no_jack:
        return [RESTARTED.missing(no_jack)]
    taken: list[float] = []
    with own_places() as folder:  # which also puts back the server that programs find
        server = jack.Server(f"bench{os.getpid()}-mortal", folder)
        try:
            server.start()
            with service(*SOLO) as (instrument, _):
                for index in range(size.restarts):
                    time.sleep(_phase(index))
                    before = _opened(instrument)
                    server.kill()
                    served = server.start()
                    jack.until(lambda n=before: _opened(instrument) >= n + 2, 10, "the ports are there")  # type: ignore[misc]
                    taken.append(time.perf_counter() - served)
                    asked = subprocess.run(["jack_lsp"], capture_output=True, text=True, timeout=10)
                    if not {jack.IN, jack.OUT} <= set(asked.stdout.split()):
                        raise RuntimeError("it says that its ports are there, and they are not")
        finally:
            server.end()
    return [RESTARTED.measured(taken, f"{len(taken)} times, from when the server serves")]


def _opened(instrument: jack.Instrument) -> int:
    """How many ports were opened again so far. Others than the instrument are not asked.

    A client that comes and goes meanwhile, as one does that lists the ports, makes JACK refuse others.
    """
    with urllib.request.urlopen(f"{url_of(instrument)}/api/status", timeout=10) as answer:
        return int(json.load(answer)["reconnects"])


def url_of(instrument: jack.Instrument) -> str:
    """Where it is controlled from."""
    return instrument.err.split("panel is at ")[1].split()[0]


def _phase(turn: int) -> float:
    """Another moment each time, s, so that what looks now and then is met at any stage of it."""
    return random.Random(turn).uniform(0.3, 0.8)


def keyboards(size: Size, no_jack: str) -> list[Row]:
    """A keyboard in a program of its own, which is killed with keys and pedal down, and started again."""
    if no_jack:
        return [row.missing(no_jack) for row in KEYBOARD]
    gone, back = [], []
    with (
        contextlib.closing(jack.Synth(None)) as synth,
        service("--in", "keyboard", "--out", synth.name),
        contextlib.ExitStack() as stack,
    ):
        player, _ = stack.enter_context(_player())
        _heard(player, synth)
        for index in range(size.keyboards):
            for pitch in CHORD:
                _send(player, 0x90, pitch, 80)
            _send(player, 0xB0, 64, 127)
            jack.until(lambda: synth.sounding(1) == set(CHORD), 5, "the chord sounds")
            time.sleep(_phase(index))
            player.kill()
            killed = time.perf_counter()
            jack.until(lambda: not synth.sounding(1), 10, "its notes are released")
            gone.append(synth.notes(1)[-1][0] - killed)
            player.wait()
            time.sleep(_phase(index + 1))
            player, ready = stack.enter_context(_player())
            back.append(_heard(player, synth) - ready)
    return [
        GONE.measured(gone, f"{len(CHORD)} keys and the pedal down, {len(gone)} times"),
        BACK.measured(back, f"from when its port is there; tried each {EVERY_S * 1e3:g} ms"),
    ]


@contextlib.contextmanager
def _player() -> Iterator[tuple[Program, float]]:
    """A keyboard in a program of its own, and since when (s) its port is there."""
    with another(f"from {__name__} import plays; plays()") as player:
        yield player, time.perf_counter()


def plays() -> None:
    """The program that plays: each line is a message."""
    with contextlib.closing(jack.Keyboard(None)) as keyboard:
        print("ready", flush=True)
        for line in sys.stdin:
            keyboard.raw([int(byte) for byte in line.split()])


def _send(player: subprocess.Popen[str], *data: int) -> None:
    assert player.stdin is not None
    print(*data, file=player.stdin, flush=True)


def _heard(player: subprocess.Popen[str], synth: jack.Synth) -> float:
    """When (s) the first message of a keyboard came to the synth; it sends until one does."""
    before, end = len(synth.heard), time.perf_counter() + 10
    while time.perf_counter() < end:
        _send(player, 0xB0, CC, 1)
        time.sleep(EVERY_S)
        for at, message in synth.heard[before:]:
            if message.type == "control_change" and message.control == CC:
                return at
    raise RuntimeError("a keyboard that has come is not heard")


def broken(size: Size, no_jack: str) -> list[Row]:
    """Threads that die or are stuck as it plays."""
    if no_jack:
        return [row.missing(no_jack) for row in FAULTS]
    taken: dict[bool, list[float]] = {True: [], False: []}
    for kinds in BREAKS * size.faults:
        with (
            contextlib.closing(jack.Synth(None)) as synth,
            service("--out", synth.name, *SOLO, program=faults.PROGRAM) as (instrument, folder),
        ):
            for index, kind in enumerate(kinds):
                time.sleep(_phase(index))
                taken["dies" in kind].append(_break(kind, instrument, synth, folder))
    note = "{}, {} times each; from when it breaks"
    return [
        DIES.measured(taken[True], note.format("engine, output", size.faults)),
        STUCK.measured(taken[False], note.format("engine asleep, output asleep, engine at work", size.faults)),
    ]


def _break(kind: str, instrument: jack.Instrument, synth: jack.Synth, folder: Path) -> float:
    """Break something while a note sounds; how long until all that sounded is released and it says so, s."""
    fault, before = folder / "fault", instrument.err.count("started again")
    jack.until(synth.sounding, 10, "it plays")
    (folder / "new").write_text(kind)
    (folder / "new").rename(fault)  # whole at once
    jack.until(lambda: not fault.exists(), 5, "it breaks")
    begun = time.perf_counter()
    held = jack.sounding(message for at, message in synth.notes() if at < begun)
    jack.until(lambda: instrument.err.count("started again") > before, 10, "it is started again")
    said = time.perf_counter()
    jack.until(lambda: held <= _ended(synth, begun).keys(), 10, "what sounded is released")
    return max([said, *(_ended(synth, begun)[key] for key in held)]) - begun


def _ended(synth: jack.Synth, since: float) -> dict[tuple[int, int], float]:
    """(channel, pitch) of the notes that have ended since then (s), and when each did first."""
    notes = [(at, one) for at, one in synth.notes() if at >= since and not jack.is_onset(one)]
    return {(one.channel, one.note): at for at, one in reversed(notes)}


def ends(size: Size, no_jack: str) -> list[Row]:
    """Told to end as it plays, and killed as it plays."""
    if no_jack:
        return [row.missing(no_jack) for row in ENDS]
    ended, missing = [], []
    for index in range(size.lives):
        with (
            contextlib.closing(jack.Synth(None)) as synth,
            service("--out", synth.name, *SOLO) as (instrument, _),
        ):
            jack.until(synth.sounding, 10, "it plays")
            asked = instrument.signal(signal.SIGTERM)
            jack.until(lambda one=instrument: one.process.poll() is not None, 10, "it ends")  # type: ignore[misc]
            ended.append(time.perf_counter() - asked)
        with (
            contextlib.closing(jack.Synth(None)) as synth,
            service("--out", synth.name, *SOLO) as (instrument, _),
        ):
            time.sleep(0.5 + _phase(index))
            jack.until(synth.sounding, 10, "it plays")
            killed = instrument.signal(signal.SIGKILL)
            instrument.process.wait()
            missing.append(_missing(synth, killed))
    return [
        ENDED.measured(ended, f"as it plays alone, {len(ended)} times"),
        MISSING.measured(missing, f"from the first note heard that is not recorded, {len(missing)} times"),
    ]


def _missing(synth: jack.Synth, killed: float) -> float:
    """How much of what was heard is not recorded, s; RuntimeError if it is not the end that is missing."""
    files = recordings.paths(places.recordings())
    rows = [row for path in files for row in journalfile.read(path) if row.is_note]
    kept = [int(row.data[2:4], 16) for row in rows if row.kind == Owner.MACHINE.value]
    heard = synth.onsets()
    if kept != [pitch for _, pitch in heard][: len(kept)] and kept[: len(heard)] != [pitch for _, pitch in heard]:
        raise RuntimeError("the recording is not what was heard")
    return max(killed - heard[len(kept)][0], 0.0) if len(kept) < len(heard) else 0.0
