"""An outer clock: MIDI clock ticks with jitter, ramps, gaps and transport, as times or as a process of its own.

    python -m tests.clockwork --backend jack --server NAME --port NAME --bpm 120 --jitter 0.002 --seconds 10

opens a virtual MIDI output NAME:clock, says `began T` (when the first tick is due, by time.perf_counter, which
processes of a Linux machine share) and, at the end, how late it was itself.
"""

from __future__ import annotations

import math
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
import mido

TICKS = 24


@dataclass(frozen=True)
class Tempo:
    """Points (s, bpm) joined by straight lines, the first at 0 s; two at one time are a jump."""

    points: tuple[tuple[float, float], ...]

    def bpm_at(self, at: float) -> float:
        """The tempo at a time (s)."""
        for (a, low), (b, high) in zip(self.points, self.points[1:], strict=False):
            if a <= at < b:
                return low + (high - low) * (at - a) / (b - a)
        return self.points[-1][1]

    def beats_at(self, at: float) -> float:
        """The beats (quarter notes) since 0 s at a time (s)."""
        beats = 0.0
        for (a, low), (b, _) in zip(self.points, (*self.points[1:], (math.inf, 0.0)), strict=True):
            until = min(b, at)
            if until > a:
                middle = (low + self.bpm_at(math.nextafter(until, a))) / 2
                beats += (until - a) * middle / 60
        return beats

    def times(self, seconds: float) -> Iterator[float]:
        """When (s) each tick comes, the first at 0."""
        (begin, bpm), beats, number = self.points[0], 0.0, 0
        for end, after in (*self.points[1:], (math.inf, self.points[-1][1])):
            change = (after - bpm) / (end - begin) if begin < end < math.inf else 0.0  # bpm a second
            while True:
                missing = 60 * (number / TICKS - beats)
                root = bpm**2 + 2 * change * missing
                at = begin + 2 * missing / (bpm + math.sqrt(max(root, 0.0)))
                if root < 0 or at >= min(end, seconds):
                    break
                yield at
                number += 1
            beats += 0 if end == math.inf else (end - begin) * (bpm + after) / 120
            begin, bpm = end, after
            if begin >= seconds:
                return


def steady(bpm: float, *ramps: tuple[float, float, float]) -> Tempo:
    """A tempo, and then ramps (from when on, s; to which bpm; over how many s, 0 for a jump)."""
    points = [(0.0, bpm)]
    for at, to, over in ramps:
        points += [(at, points[-1][1]), (at + over, to)]
    return Tempo(tuple(points))


@dataclass(frozen=True)
class Faults:
    """What is wrong with a clock. jitter_s: +-, uniform. lost, twice: parts of the ticks, the first one excepted.

    gaps: (from, s) without ticks. stalls: (from, s) whose ticks come at the end of it, all at once.
    asleep: part of the ticks at which the sender sleeps for 3 to 30 ms.
    """

    jitter_s: float = 0.0
    lost: float = 0.0
    twice: float = 0.0
    gaps: tuple[tuple[float, float], ...] = ()
    stalls: tuple[tuple[float, float], ...] = ()
    asleep: float = 0.0

    def apply(self, times: Iterator[float], seed: int) -> list[tuple[float, int]]:
        """(when it comes, its number) of the ticks, in order of time."""
        dice = random.Random(seed)
        sent, awake = [], -math.inf
        for number, at in enumerate(times):
            shift, lost, twice = dice.uniform(-self.jitter_s, self.jitter_s), dice.random(), dice.random()
            if dice.random() < self.asleep:
                awake = at + dice.uniform(0.003, 0.03)
            if (number and lost < self.lost) or any(a <= at < a + s for a, s in self.gaps):
                continue
            held = [a + s for a, s in self.stalls if a <= at < a + s]
            came = max([at + shift, awake, *held])
            sent.append((came, number))
            if number and twice < self.twice:
                sent.append((came + dice.uniform(0, 0.001), number))
        return sorted(sent)


def _port(backend: str, client: str, to: str | None) -> Any:
    import rtmidi

    apis = {rtmidi.get_api_name(api): api for api in rtmidi.get_compiled_api()}
    port = rtmidi.MidiOut(apis[backend], name=client)
    if to is None:
        port.open_virtual_port("clock")
        return port
    names = port.get_ports()
    found = [index for index, name in enumerate(names) if to.lower() in name.lower()]
    if not found:
        port.delete()
        raise click.ClickException(f"no MIDI input matches {to!r}; found: {', '.join(names) or 'none'}")
    port.open_port(found[0], "clock")
    return port


def _numbers(context: click.Context, parameter: Any, texts: tuple[str, ...]) -> list[tuple[float, ...]]:
    try:
        return [tuple(float(part) for part in text.split(":")) for text in texts]
    except ValueError:
        raise click.BadParameter("numbers with colons between them") from None


def _messages(context: click.Context, parameter: Any, texts: tuple[str, ...]) -> list[tuple[float, mido.Message]]:
    said = []
    for text in texts:
        at, _, words = text.partition(":")
        try:
            said.append((float(at), mido.Message.from_str(words)))
        except (ValueError, LookupError) as error:
            raise click.BadParameter(f"{text!r}: {error}; expected S:MESSAGE, like 4:stop") from None
    return said


@click.command()
@click.option("--backend", default="jack", type=click.Choice(["jack", "alsa", "coremidi"]))
@click.option("--server", help="The JACK server's name.")
@click.option("--port", default="clockwork", help="The name of its MIDI client; the port is NAME:clock.")
@click.option("--to", help="Send to the first input whose name holds this, instead of opening a virtual port.")
@click.option("--bpm", default=120.0)
@click.option("--ramp", "ramps", multiple=True, callback=_numbers, help="S:BPM:OVER: from S on to BPM in OVER s.")
@click.option("--seconds", default=10.0)
@click.option("--jitter", default=0.0, help="Seconds: every tick is early or late by up to this.")
@click.option("--lost", default=0.0, help="Part of the ticks that never come.")
@click.option("--twice", default=0.0, help="Part of the ticks that come twice.")
@click.option("--gap", "gaps", multiple=True, callback=_numbers, help="S:LONG: no ticks for so long from S on.")
@click.option("--stall", "stalls", multiple=True, callback=_numbers, help="S:LONG: held up, then all at once.")
@click.option("--say", multiple=True, callback=_messages, help='S:MESSAGE, like 4:stop or "5:songpos pos=16".')
@click.option("--start/--no-start", default=True, help="Send Start before the first tick and Stop after the last.")
@click.option("--wait", default=0.5, help="Seconds from opening the port to the first tick.")
@click.option("--go", is_flag=True, help="Wait for a line on standard input first.")
@click.option("--seed", default=0)
def main(server: str | None, backend: str, port: str, to: str | None, **options: Any) -> None:
    """Send MIDI clock, at absolute deadlines."""
    if server:
        os.environ.update(JACK_DEFAULT_SERVER=server, JACK_NO_START_SERVER="1")
    out = _port(backend, port, to)
    try:
        print(f"open {port}:clock", flush=True)
        if options["go"]:
            sys.stdin.readline()
        begin = time.perf_counter() + options["wait"]
        print(f"began {begin:.6f}", flush=True)
        late = sorted(_send(out, begin, _plan(options)))
        print(f"sent {len(late)}, late by {late[len(late) // 2] * 1000:.2f} ms, at most {late[-1] * 1000:.2f} ms")
        time.sleep(0.1)  # what was sent leaves first
    finally:
        out.close_port()
        out.delete()


def _plan(options: dict[str, Any]) -> list[tuple[float, list[int]]]:
    """(s after the first tick is due, bytes) of everything to be sent, in order."""
    tempo, seconds = steady(options["bpm"], *options["ramps"]), options["seconds"]
    faults = Faults(
        options["jitter"], options["lost"], options["twice"], tuple(options["gaps"]), tuple(options["stalls"])
    )
    plan = [(at, mido.Message("clock")) for at, _ in faults.apply(tempo.times(seconds), options["seed"])]
    plan += options["say"]
    if options["start"]:
        # A millisecond of its own for each, so that neither jitter nor a busy machine turns them round.
        plan += [(-options["jitter"] - 0.001, mido.Message("start"))]
        plan += [(seconds + options["jitter"] + 0.001, mido.Message("stop"))]
    return [(at, message.bytes()) for at, message in sorted(plan, key=lambda item: item[0])]


def _send(out: Any, begin: float, plan: list[tuple[float, list[int]]]) -> Iterator[float]:
    """Send everything; gives how late (s) each was."""
    for at, data in plan:
        while (left := begin + at - time.perf_counter()) > 0:
            time.sleep(left)
        out.send_message(data)
        yield time.perf_counter() - begin - at


if __name__ == "__main__":
    main()
