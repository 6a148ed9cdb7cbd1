"""The rack on a real JACK server that is killed, and with keyboards and synths that are killed."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import mido
import pytest

from liveperf.clock import SystemClock
from liveperf.midi import ports
from liveperf.midi.rack import LOOK_S, Rack
from tests.jack import IN, OUT, Server, until
from tests.messages import off, on
from tests.peers import KEYBOARD, SYNTH, Peer, connect, disconnect

pytestmark = pytest.mark.jack

DEATHS = 5
RATE = 500  # messages/s
NOTICED_S, BACK_S = 0.5, 2.0
CLOSING_S = 1.0  # RtMidi waits so long for each output of a dead server, and the whole interpreter with it
BUSY_S = 0.5  # allowed on top for a machine that does other things
LONG_S = 10.0  # nothing here takes as long
PAUSES = ("the JACK server stands still; waiting for it", "the JACK server goes on")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is there, and may be killed."""
    with Server(f"rack{os.getpid()}", tmp_path) as server:
        yield server


class Stage:
    """A rack that runs, and what it has received and said."""

    def __init__(self, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = ()) -> None:
        self.received: list[mido.Message] = []
        self.said: list[str] = []
        self.rack = Rack(
            ports.choose("jack"), inputs, outputs, None, self.received.append, self.said.append, SystemClock()
        )
        self.rack.open()
        self.rack.start()

    @property
    def told(self) -> list[str]:
        """What it has said, but for pauses: jackd stands still for a client that is killed within a cycle."""
        return [line for line in self.said if line not in PAUSES]

    @property
    def is_open(self) -> bool:
        return all(port.open for port in self.rack.status())

    def close(self) -> None:
        self.rack.close()
        assert (self.rack.ear.failure, self.rack.eye.failure) == (None, None)


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    """Racks to close at the end."""
    opened: list[Stage] = []
    yield opened
    for stage in opened:
        stage.close()


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    """Processes to end at the end."""
    started: list[Peer] = []
    yield started
    for peer in started:
        peer.kill()


def resources() -> tuple[int, int]:
    """Open files and threads of this process."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def settled(server: Server, stage: Stage) -> float:
    """Wait until the server has got over a client's death or birth, so that no message gets lost; returns when."""
    until(lambda: server.works and not stage.rack.paused, LONG_S, "the server goes on")
    return time.perf_counter()


def test_the_server_is_killed_five_times_while_somebody_plays(server: Server, stages: list[Stage]) -> None:
    stages.append(stage := Stage())
    names = [port.name for port in stage.rack.status()]
    ended = threading.Event()
    longest = 0.0

    def play() -> None:
        nonlocal longest
        while not ended.wait(2 / RATE):
            for kind in ("note_on", "note_off"):
                before = time.thread_time()
                stage.rack.send(mido.Message(kind, note=60))
                longest = max(longest, time.thread_time() - before)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        time.sleep(0.5)
        at_first = resources()
        for death in range(1, DEATHS + 1):
            killed = server.kill()
            until(lambda: not stage.is_open, 5, "its death is noticed")
            assert time.perf_counter() - killed < NOTICED_S + CLOSING_S + BUSY_S
            assert len(stage.told) == 2 * death - 1
            served = server.start()
            until(lambda: stage.is_open, 5, "the ports are made again")
            assert time.perf_counter() - served < BACK_S
            assert [port.name for port in stage.rack.status()] == names
            until(lambda: resources() == at_first, LONG_S, "it has as many files and threads as at first")
            time.sleep(0.3)
        assert stage.rack.reconnects == 2 * DEATHS
    finally:
        ended.set()
        thread.join()
    assert longest < 0.1  # s of this thread's work: it never waits for room
    lines = ["the JACK server is gone; waiting for it", "the JACK server is back"]
    assert stage.told == lines * DEATHS


def test_ten_thousand_messages_to_a_dead_server_hang_nothing(server: Server, stages: list[Stage]) -> None:
    stages.append(stage := Stage())
    time.sleep(0.3)
    server.kill()
    for count in range(10_000):
        stage.rack.send(on(count % 128))
    server.start()
    until(lambda: stage.is_open and stage.rack.reconnects, 5, "the ports are made again")


def test_a_server_that_stands_still_hangs_nothing(
    server: Server, stages: list[Stage], peers: list[Peer], tmp_path: Path
) -> None:
    peers.append(synth := Peer(tmp_path, SYNTH, "synth"))
    stages.append(stage := Stage((), ("synth",)))
    settled(server, stage)
    stage.rack.send(on(60))
    until(lambda: synth.heard, LONG_S, "it sounds")
    time.sleep(0.5)
    server.signal(signal.SIGSTOP)
    until(lambda: stage.said, 3, "it is noticed")
    for _ in range(5_000):
        stage.rack.send(on(61))
    stage.rack.send(off(60))
    server.signal(signal.SIGCONT)
    until(lambda: [128, 60, 0] in synth.heard or [128, 60, 64] in synth.heard, 5, "the note ends")
    assert not [data for data in synth.heard if data[1] == 61]


def test_keyboards_come_and_go(server: Server, stages: list[Stage], peers: list[Peer], tmp_path: Path) -> None:
    peers.append(left := Peer(tmp_path, KEYBOARD, "left"))
    stages.append(stage := Stage(("left", "right")))
    assert stage.said == ["waiting for the MIDI input 'right' (there is 'left:port')"]
    peers.append(right := Peer(tmp_path, KEYBOARD, "right"))
    until(lambda: "MIDI input right:port is there" in stage.said, 1, "it is noticed")
    settled(server, stage)
    left.send(0x90, 60, 80)
    right.send(0x91, 40, 80)
    right.send(0xB1, 64, 127)
    until(lambda: len(stage.received) == 3, LONG_S, "both are heard")
    right.kill()
    goes_on = settled(server, stage)
    until(lambda: len(stage.received) == 5, 2, "keys and pedal are let go")
    assert time.perf_counter() - goes_on < 1 + BUSY_S
    assert [message.type for message in stage.received[3:]] == ["note_off", "control_change"]
    assert {message.channel for message in stage.received[3:]} == {1}
    peers.append(right := Peer(tmp_path, KEYBOARD, "right"))
    until(lambda: stage.is_open, 1 + BUSY_S, "it is opened again")
    settled(server, stage)
    right.send(0x91, 41, 80)
    left.send(0x80, 60, 0)
    until(lambda: len(stage.received) == 7, LONG_S, "both are heard again")
    assert stage.rack.reconnects == sum("is gone" in line for line in stage.said) >= 1


def test_a_synth_is_killed_and_comes_back(
    server: Server, stages: list[Stage], peers: list[Peer], tmp_path: Path
) -> None:
    peers.append(one := Peer(tmp_path, SYNTH, "one"))
    peers.append(two := Peer(tmp_path, SYNTH, "two"))
    stages.append(stage := Stage((), ("one", "two")))
    settled(server, stage)
    stage.rack.send(on(60, 80))
    until(lambda: one.heard == two.heard == [[0x90, 60, 80]], LONG_S, "both hear")
    one.kill()
    settled(server, stage)
    until(lambda: not stage.is_open, 2, "it is noticed")
    stage.rack.send(on(61, 80))
    peers.append(again := Peer(tmp_path, SYNTH, "one"))
    until(lambda: stage.is_open, 1 + BUSY_S, "it is opened again")
    settled(server, stage)
    stage.rack.send(off(61))
    stage.rack.send(off(60))
    stage.rack.send(on(62, 80))
    until(lambda: len(again.heard) == 2 and len(two.heard) == 5, LONG_S, "both hear")
    assert again.heard == [[0x80, 60, 0], [0x90, 62, 80]]
    stage.rack.stop_inputs()


def test_named_ports_are_connected_again_after_the_server_was_killed(
    server: Server, stages: list[Stage], peers: list[Peer], tmp_path: Path
) -> None:
    peers += [Peer(tmp_path, KEYBOARD, "keys"), Peer(tmp_path, SYNTH, "synth")]
    stages.append(stage := Stage(("keys",), ("synth",)))
    settled(server, stage)
    peers[0].send(0x90, 60, 80)
    until(lambda: stage.received, LONG_S, "it is heard")
    server.kill()
    until(lambda: len(stage.received) == 2, 3, "the key is let go")
    for peer in peers:
        peer.kill()
    server.start()
    peers += [Peer(tmp_path, KEYBOARD, "keys"), Peer(tmp_path, SYNTH, "synth")]
    until(lambda: stage.is_open, BACK_S, "they are opened again")
    settled(server, stage)
    peers[2].send(0x90, 61, 80)
    stage.rack.send(on(62, 80))
    until(lambda: len(stage.received) == 3 and peers[3].heard == [[0x90, 62, 80]], LONG_S, "both directions work")


class Band:
    """A keyboard and a synth that people connect with the rack's virtual ports, each in a process of its own."""

    def __init__(self, stage: Stage, peers: list[Peer], folder: Path) -> None:
        self._stage, self._peers, self._folder = stage, peers, folder
        self._pitches = itertools.cycle(range(128))
        self.keys, self.synth = self.start(KEYBOARD), self.start(SYNTH)

    def start(self, program: str) -> Peer:
        peer = Peer(self._folder, program, "keys" if program is KEYBOARD else "synth")
        self._peers.append(peer)
        return peer

    def restart(self, keys: bool = False, synth: bool = False) -> None:
        if keys:
            self.keys.kill()
            self.keys = self.start(KEYBOARD)
        if synth:
            self.synth.kill()
            self.synth = self.start(SYNTH)

    def plays(self) -> bool:
        """Whether a new note of the keyboard, and one of the rack, gets there."""
        pitch = next(self._pitches)
        self.keys.send(0x90, pitch, 80)
        self._stage.rack.send(on(pitch, 80))
        time.sleep(0.05)
        received = any(message.note == pitch for message in self._stage.received[-3:])
        return received and [0x90, pitch, 80] in self.synth.heard[-3:]


def test_what_people_have_connected_is_connected_again_and_what_they_cut_is_not(
    server: Server, stages: list[Stage], peers: list[Peer], tmp_path: Path
) -> None:
    stages.append(stage := Stage())
    band = Band(stage, peers, tmp_path)
    connect("keys:port", IN)
    connect(OUT, "synth:port")
    until(band.plays, 2, "both are connected")
    time.sleep(2 * LOOK_S)  # the rack has seen it
    for _ in range(2):
        server.kill()
        band.keys.kill()
        band.synth.kill()
        until(lambda: not stage.is_open, 3, "its death is noticed")
        server.start()
        until(lambda: stage.is_open, BACK_S + BUSY_S, "the ports are made again")
        band.restart(keys=True, synth=True)
        until(band.plays, 1 + BUSY_S, "both are connected again")
    for who in ({"keys": True}, {"synth": True}):
        stage.said.clear()
        band.restart(**who)
        settled(server, stage)
        until(band.plays, 1 + BUSY_S, "it is connected again")
        until(lambda: stage.told, LONG_S, "it is said")
        (port,) = who
        assert [line.split(" is connected to ")[1] for line in stage.told] == [f"{port}:port again"]
    time.sleep(2 * LOOK_S)
    disconnect(OUT, "synth:port")
    time.sleep(3 * LOOK_S)
    stage.said.clear()
    band.restart(synth=True)
    settled(server, stage)
    time.sleep(3 * LOOK_S)
    stage.rack.send(on(1, 80))
    band.keys.send(0x90, 1, 80)
    until(lambda: [one for one in stage.received[-1:] if one.note == 1], LONG_S, "the keyboard is heard")
    assert band.synth.heard == [] and stage.told == []


def test_closed_and_opened_at_once_under_the_same_names(server: Server) -> None:
    for _ in range(10):
        stage = Stage()
        try:
            assert [port.name for port in stage.rack.status()] == ["liveperf-out:liveperf", "liveperf-in:liveperf"]
        finally:
            stage.close()
