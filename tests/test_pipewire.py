"""PipeWire in jackd's place: the same ports, and a server that dies and comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveperf.midi.rack import LOOK_S
from tests.jack import IN, MACHINE, OUT, Instrument, need, until
from tests.peers import KEYBOARD, SYNTH, Peer

pytestmark = pytest.mark.jack
LIKE_THE_INSTRUMENT = "import liveperf.midi\n"  # and its JACK library


class PipeWire:
    """A PipeWire of the test's own, without a sound card. Every JACK client started meanwhile finds it."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "pipewire.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([need("pipewire")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ask = ["pw-link", "-o"]
        until(lambda: subprocess.run(ask, capture_output=True).returncode == 0, 10, "PipeWire serves")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


@pytest.fixture
def pipewire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeWire]:
    """PipeWire, and its JACK library as the system's."""
    need("pw-jack")
    places = ["pw-jack", "printenv", "LD_LIBRARY_PATH"]
    monkeypatch.setenv("LD_LIBRARY_PATH", subprocess.run(places, capture_output=True, text=True).stdout.strip())
    short = tempfile.mkdtemp(prefix="pw")  # a socket's path may have 107 characters
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", short)
    server = PipeWire(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(short)


def link(source: str, target: str) -> None:
    """Connect two ports, as people do with a patchbay."""
    subprocess.run(["pw-link", source, target], check=True, timeout=10)


def strikes(keyboard: Peer, synth: Peer) -> bool:
    """A key is struck and held; whether that is heard. What is sent just as ports are connected may get lost."""
    keyboard.send(0x80, 60, 0)
    keyboard.send(0x90, 60, 70)
    time.sleep(0.1)
    return [0x90, 60, 70] in synth.heard


def plays(synth: Peer) -> None:
    """It does, for long enough for a look at what is connected."""
    before = len(synth.heard)
    until(lambda: len(synth.heard) > before, 10, "it is heard")
    time.sleep(3 * LOOK_S)


def test_it_plays_over_pipewire_and_goes_on_after_its_death(pipewire: PipeWire, tmp_path: Path) -> None:
    options = ("--daemon", "--channel", str(MACHINE), "--port", "0", "--mode", "duet", "--density", "16")
    instrument = Instrument(tmp_path, *options)
    peers: list[Peer] = []
    try:
        until(lambda: "-C ends it" in instrument.err or instrument.process.poll() is not None, 20, "it plays")
        assert instrument.process.poll() is None, instrument.err
        for _ in range(2):
            synth = Peer(tmp_path, LIKE_THE_INSTRUMENT + SYNTH, "listener")
            keyboard = Peer(tmp_path, LIKE_THE_INSTRUMENT + KEYBOARD, "keys")
            peers += [synth, keyboard]
            if len(peers) == 2:
                link(OUT, "listener:port")
                link("keys:port", IN)
            else:  # it has kept in mind what was connected
                until(lambda: instrument.err.count(" is connected to ") == 2, 10, "what was connected is so again")
            until(lambda keys=keyboard, one=synth: strikes(keys, one), 10, "the human is heard")  # type: ignore[misc]
            plays(synth)
            keyboard.send(0x80, 60, 0)
            count = instrument.err.count("is back")
            pipewire.kill()
            for peer in peers[-2:]:
                peer.kill()
            until(lambda: instrument.err.rstrip().endswith("waiting for it"), 10, "the loss is noticed")
            pipewire.start()
            until(lambda n=count: instrument.err.count("is back") > n, 10, "it is back")  # type: ignore[misc]
        instrument.process.terminate()
        assert instrument.process.wait(5) == 0
    finally:
        instrument.end()
        for peer in peers:
            peer.kill()
    assert os.environ["PIPEWIRE_RUNTIME_DIR"] and "Traceback" not in instrument.err
