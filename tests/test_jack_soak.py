"""The instrument as a service for as long as `--soak` says, at the hands of a random human: nothing piles up.

`pytest -m slow -s --soak 600 tests/test_jack_soak.py` plays for ten minutes and shows what it was like.
For more than a quarter of an hour add `-o faulthandler_timeout=0`: else it is taken for a test that hangs.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import statistics
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType

from liveperf.recording import recordings
from tests.jack import MACHINE, Instrument, Keyboard, Synth, until

PROC = Path("/proc/self/status")
pytestmark = [
    pytest.mark.jack,
    pytest.mark.slow,
    pytest.mark.skipif(not PROC.exists(), reason="it takes Linux to see into a process"),
]

SETUP = """\
mode: answer
turn_gap_s: 0.3
map:
- {cc: 1, to: density}
- {cc: 74, to: temperature}
- {cc: 7, to: loudness}
- {program_change: true, to: preset}
"""
KNOBS, SUSTAIN = (1, 74, 7), 64
SETTLING_MB, SLOPE_MB = 4.0, 0.2  # the heap may grow by so much until it has settled, and in each minute
FIRST_S = 120.0  # of a long soak are not looked at
EDGES_MS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0)

Ask = Callable[[dict[str, Any]], Awaitable[None]]


class Human:
    """Plays at random, and uses the panel. struck: keys so far."""

    def __init__(self, keyboard: Keyboard, ask: Ask) -> None:
        self.struck = 0
        self.did: Counter[str] = Counter()
        self._keyboard, self._ask, self._dice = keyboard, ask, random.Random(1)

    async def play(self, seconds: float) -> None:
        """Play, and end with hands and feet off."""
        acts = [self.phrase, self.phrase, self.phrase, self.mash, self.pedal, self.sweep]
        acts += [self.mode, self.mode, self.panic, self.turn, self.preset, self.listen, self.listen]
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            act = self._dice.choice(acts)
            self.did[act.__name__] += 1
            await act()
            await asyncio.sleep(self._dice.uniform(0, 0.5))
        self._keyboard.send("control_change", control=SUSTAIN, value=0)

    async def phrase(self) -> None:
        """Some keys, one after the other or one into the other."""
        held: list[int] = []
        for _ in range(self._dice.randint(2, 12)):
            pitch = self._dice.choice([one for one in range(36, 97) if one not in held])
            self._strike(pitch)
            held.append(pitch)
            await asyncio.sleep(self._dice.uniform(0.03, 0.3))
            while len(held) > self._dice.randint(0, 2):
                self._keyboard.lift(held.pop(0))
        self._keyboard.lift(*held)

    async def mash(self) -> None:
        """Both arms on the keys."""
        for _ in range(self._dice.randint(1, 5)):
            pitches = self._dice.sample(range(128), self._dice.randint(10, 60))
            self._strike(*pitches)
            await asyncio.sleep(self._dice.uniform(0, 0.2))
            self._keyboard.lift(*pitches)

    async def pedal(self) -> None:
        """Up or down, and left like that."""
        self._keyboard.send("control_change", control=SUSTAIN, value=self._dice.choice((0, 127)))

    async def sweep(self) -> None:
        """A knob, to and fro."""
        knob = self._dice.choice(KNOBS)
        for number in range(self._dice.randint(50, 300)):
            self._keyboard.send("control_change", control=knob, value=abs(number * 3 % 254 - 127))
            await asyncio.sleep(0.002)
        self._keyboard.send("control_change", control=knob, value=self._dice.randint(30, 90))

    async def mode(self) -> None:
        """Another mode, on the panel."""
        await self._ask({"set": {"mode": self._dice.choice(("answer", "solo", "duet"))}})

    async def panic(self) -> None:
        """On the panel, and with a key down."""
        self._strike(60)
        await self._ask({"do": "panic"})
        await asyncio.sleep(self._dice.uniform(0, 0.05))
        self._keyboard.lift(60)

    async def turn(self) -> None:
        """Hand over the turn, on the panel."""
        await self._ask({"do": "turn"})

    async def preset(self) -> None:
        """By a program change."""
        self._keyboard.send("program_change", program=self._dice.randrange(8))

    async def listen(self) -> None:
        """For a while."""
        await asyncio.sleep(self._dice.uniform(1, 4))

    def _strike(self, *pitches: int) -> None:
        self._keyboard.press(*pitches, velocity=self._dice.randint(1, 127))
        self.struck += len(pitches)


@dataclass(frozen=True)
class Sample:
    """How it is at a time (s): memory of its own (JACK's is shared), threads, open files, what it says itself."""

    at: float
    memory_mb: float
    threads: int
    files: int
    status: dict[str, Any]

    @classmethod
    def of(cls, pid: int, status: dict[str, Any]) -> Sample:
        """Now."""
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found = {name: value.split() for name, value in (line.split(":", 1) for line in lines)}
        kib = int(found["VmRSS"][0]) - int(found["RssShmem"][0])
        files = len(os.listdir(f"/proc/{pid}/fd"))
        return cls(time.perf_counter(), kib * 1024 / 1e6, int(found["Threads"][0]), files, status)


async def soak(instrument: Instrument, keyboard: Keyboard, seconds: float) -> tuple[Human, list[Sample]]:
    """Play for so long with one WebSocket open and the status asked for each second; then let it come to rest."""
    url = instrument.err.split("panel is at ")[1].split()[0]
    samples: list[Sample] = []
    async with ClientSession(raise_for_status=True) as session, session.ws_connect(f"{url}/api/live") as talk:

        async def ask(what: dict[str, Any]) -> None:
            await talk.send_json(what)

        async def hear() -> None:
            async for message in talk:
                assert message.type is WSMsgType.TEXT and "error" not in message.json(), message

        async def watch() -> None:
            for number in itertools.count(1):
                async with session.get(f"{url}/api/status") as answer:
                    samples.append(Sample.of(instrument.process.pid, await answer.json()))
                await asyncio.sleep(started + number - time.perf_counter())

        started = time.perf_counter()
        human = Human(keyboard, ask)
        beside = [asyncio.ensure_future(hear()), asyncio.ensure_future(watch())]
        playing = asyncio.ensure_future(human.play(seconds))
        done, _ = await asyncio.wait([playing, *beside], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # raises what has gone wrong
        assert playing in done and not talk.closed
        await ask({"set": {"mode": "answer"}})
        await ask({"do": "panic"})
        await asyncio.sleep(2)
        for task in beside:
            task.cancel()
        await asyncio.wait(beside)
    return human, samples


def slope(samples: list[Sample]) -> float:
    """Of the memory, MB in a minute."""
    return 60 * statistics.linear_regression([one.at for one in samples], [one.memory_mb for one in samples]).slope


def shown(samples: list[Sample], settled: list[Sample], human: Human, synth: Synth, log: str) -> Iterator[str]:
    """What it was like, in lines."""
    last, acts = samples[-1].status, ", ".join(f"{count} {name}" for name, count in human.did.most_common())
    yield f"{samples[-1].at - samples[0].at:.0f} s of {acts}"
    yield f"notes: {human.struck} struck, {last['notes_in']} in"
    yield f"its own: {last['notes_out']} out, {len(synth.onsets())} heard"
    yield f"underruns {last['underruns']}, restarts {last['restarts']}, reconnects {last['reconnects']}"
    memory = [one.memory_mb for one in samples]
    course = ", ".join(f"{one:.1f}" for one in memory[:: max(len(memory) // 20, 1)])
    yield f"memory of its own: {course} MB; {slope(settled):+.3f} MB a minute"
    for name in ("threads", "files"):
        yield f"{name}: {dict(Counter(getattr(one, name) for one in settled))}"
    yield "lateness of the last minute or two, ms, and at how many seconds it was so:"
    edges = [*(f"<= {edge:g}" for edge in EDGES_MS), "more"]
    for figure in ("p50", "p99", "max"):
        found = [one.status["lateness_ms"][figure] for one in samples if one.status["lateness_ms"]]
        counts = Counter(bisect_left(EDGES_MS, value) for value in found)
        yield f"  {figure}: " + ", ".join(f"{edges[index]}: {counts[index]}" for index in sorted(counts))
    yield from (line for line in log.splitlines() if " notes in, " in line)


def test_nothing_piles_up_and_no_note_hangs(jack: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seconds: float = request.config.getoption("soak")
    setup = tmp_path / "setup.yaml"
    setup.write_text(SETUP)
    keyboard, synth = Keyboard(None), Synth(None)
    ports = ("--in", keyboard.name, "--out", synth.name, "--channel", str(MACHINE), "--config", str(setup))
    instrument = Instrument(tmp_path, "--daemon", "--port", "0", *ports)
    try:
        until(lambda: "-C ends it" in instrument.err or instrument.process.poll() is not None, 20, "it plays")
        human, samples = asyncio.run(soak(instrument, keyboard, seconds))
        settled = [one for one in samples if one.at > samples[0].at + min(seconds / 4, FIRST_S)]
        print("\n" + "\n".join(shown(samples, settled, human, synth, instrument.err)))
        assert synth.silent, "a note hangs"  # which raises for one that is orphaned or doubled
        last = samples[-1].status
        assert instrument.stop() == 0
        assert synth.silent and not synth.garbage
    finally:
        instrument.end()
        keyboard.close()
        synth.close()
    lost = human.struck // 1000 + 1  # by JACK, where other programs leave it too little time
    assert human.struck - lost <= last["notes_in"] <= human.struck
    assert last["restarts"] == last["reconnects"] == last["unrecorded"] == 0
    assert last["underruns"] <= seconds / 10
    assert not [line for line in instrument.err.splitlines() if " INFO " not in line]
    kept = recordings.inspect(Path(last["recording"]))
    assert kept.human == last["notes_in"] and kept.finished
    assert 0 <= kept.machine - len(synth.onsets()) <= lost and synth.onsets()
    assert len({one.threads for one in settled}) == 1
    assert settled[-1].files == min(one.files for one in settled)
    assert slope(settled) < SLOPE_MB + SETTLING_MB / (seconds / 60)
