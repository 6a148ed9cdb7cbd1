"""JACK clients in processes of their own, for tests in which the server dies."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.jack import ROOT, need, until

KEYBOARD = """
import sys, rtmidi
port = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=sys.argv[1])
port.open_virtual_port("port")
print("ready", flush=True)
for line in sys.stdin:
    port.send_message([int(byte) for byte in line.split()])
"""
SYNTH = """
import json, sys, time, rtmidi
port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=sys.argv[1])
port.open_virtual_port("port")
print("ready", flush=True)
while True:
    while (event := port.get_message()) is not None:
        print(json.dumps(event[0]), flush=True)
    time.sleep(0.001)
"""


def connect(source: str, target: str) -> None:
    """Connect two ports, as people do with a patchbay."""
    subprocess.run([need("jack_connect"), source, target], check=True, timeout=10)


def disconnect(source: str, target: str) -> None:
    """Cut what was connected."""
    subprocess.run([need("jack_disconnect"), source, target], check=True, timeout=10)


class Peer:
    """A JACK client in a process of its own: this process must not keep clients of a server that dies."""

    def __init__(self, folder: Path, program: str, name: str) -> None:
        self._out = folder / f"{name}-{time.perf_counter_ns()}"
        with open(self._out, "wb") as out:
            command = [sys.executable, "-c", program, name]
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=out)
        until(lambda: self._out.read_text().startswith("ready"), 10, f"{name} is there")

    def send(self, *data: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, data)).encode() + b"\n")
        self.process.stdin.flush()

    @property
    def heard(self) -> list[list[int]]:
        lines = self._out.read_text().split("\n")[1:-1]
        return [json.loads(line) for line in lines]

    def kill(self) -> float:
        self.process.kill()
        self.process.communicate()
        return time.perf_counter()
