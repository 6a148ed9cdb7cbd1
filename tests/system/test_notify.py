"""What systemd is told, over real sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveperf.clock import SystemClock
from liveperf.system.notify import Notifier

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets on Windows")


class Manager:
    """The other end, as systemd has it."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.name = address.replace("\0", "@")

    def heard(self) -> list[str]:
        """Everything that was said since it was last asked, a datagram each."""
        said = []
        while True:
            try:
                said.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return said


ADDRESSES = ["path", pytest.param("abstract", marks=pytest.mark.skipif("sys.platform != 'linux'"))]


@pytest.fixture(params=ADDRESSES)
def manager(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """At a path, and at an abstract address."""
    path = tmp_path_factory.mktemp("s") / "notify"  # short: an address has 108 bytes
    manager = Manager(str(path) if request.param == "path" else f"\0liveperf-test-{os.getpid()}")
    yield manager
    manager.socket.close()


def test_everything_that_a_service_says(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.name})
    notifier.ready("plays maestro")
    notifier.status("answer, 12 notes in")
    notifier.watchdog()
    notifier.reloading(1234.5678901)
    notifier.ready()
    notifier.stopping("releases its notes")
    assert manager.heard() == [
        "READY=1\nSTATUS=plays maestro",
        "STATUS=answer, 12 notes in",
        "WATCHDOG=1",
        "RELOADING=1\nMONOTONIC_USEC=1234567890",
        "READY=1",
        "STOPPING=1\nSTATUS=releases its notes",
    ]
    notifier.close()
    notifier.watchdog()
    assert manager.heard() == []


def test_a_status_is_one_line_and_no_other_message(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.name})
    notifier.status("cannot read\nSTOPPING=1\r\n  étude \udcff")
    notifier.status(" \n")
    assert manager.heard() == ["STATUS=cannot read STOPPING=1 étude ?"]


def test_the_time_of_a_reload_is_the_systems_monotonic_one(manager: Manager) -> None:
    if sys.platform != "linux":
        pytest.skip("systemd is Linux's")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier({"NOTIFY_SOCKET": manager.name}).reloading(SystemClock().now())
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    [message] = manager.heard()
    assert before - 1 <= int(message.rpartition("=")[2]) <= after


@pytest.mark.parametrize("name", [None, "", "liveperf", "vsock:2:1234", "/no/such/folder/notify", "/" + 200 * "x"])
def test_without_a_manager_it_is_silent(name: str | None) -> None:
    notifier = Notifier({} if name is None else {"NOTIFY_SOCKET": name})
    notifier.ready("plays")
    notifier.watchdog()
    notifier.reloading(1.0)
    notifier.stopping()
    notifier.close()
    notifier.watchdog()


def test_a_manager_that_does_not_listen_holds_nothing_up(manager: Manager) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.name})
    for _ in range(10_000):  # more than any system keeps for a reader
        notifier.watchdog()
    kept = manager.heard()
    assert 0 < len(kept) < 10_000 and set(kept) == {"WATCHDOG=1"}
    notifier.ready()
    assert manager.heard() == ["READY=1"]
    manager.socket.close()
    notifier.ready()


def test_the_environment_is_that_of_the_process(manager: Manager) -> None:
    program = "from liveperf.system.notify import Notifier; n = Notifier(); n.ready(); n.close()"
    variables = {"NOTIFY_SOCKET": manager.name}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=root, env=os.environ | variables, check=True, timeout=30)
    assert manager.heard() == ["READY=1"]
