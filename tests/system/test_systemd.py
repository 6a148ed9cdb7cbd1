"""The service under a real systemd, over real ports: started, watched, killed, stopped and removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import faults
from tests.jack import MACHINE, Synth, instrument_ports, until
from tests.system.usermanager import UserManager, lacking

pytestmark = [pytest.mark.slow, pytest.mark.jack]

ROOT = Path(__file__).parents[2]
UNIT = "liveperf.service"
JACK = ("--backend", "jack", "--port", "0", "--channel", str(MACHINE))
SOLO = (*JACK, "--seed", "1", "--mode", "solo", "--density", "16")

# The command line, whose service starts what the first arguments say, up to a dash.
COMMANDS = """
import sys
from liveperf.cli import main
from liveperf.system import service
end = sys.argv.index("-")
program = sys.argv[1:end]
service.program = lambda: (sys.executable, *program)
del sys.argv[1:end + 1]
main()
"""

# The command line, whose main thread is stuck once it plays.
DEAF = """
import threading
from liveperf import cli, daemon
daemon._attend = lambda *_: threading.Event().wait()
cli.main()
"""


class Service:
    """The service of a user, as he sees it in his terminal and hears it."""

    def __init__(self, user: UserManager) -> None:
        self.user, self.synth = user, Synth(None)
        self.log = user.folder / "said"  # there is no journal
        drop_in = user.config / "systemd" / "user" / f"{UNIT}.d" / "log.conf"
        drop_in.parent.mkdir(parents=True)
        drop_in.write_text(f"[Service]\nStandardOutput=append:{self.log}\nStandardError=append:{self.log}\n")

    def liveperf(
        self, *words: str, program: tuple[str, ...] = ("-m", "liveperf")
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of liveperf's."""
        return self.user.run(sys.executable, "-c", COMMANDS, *program, "-", *words, cwd=ROOT)

    def install(self, *arguments: str, program: tuple[str, ...] = ("-m", "liveperf")) -> None:
        """Install it; it has said by then that it is ready."""
        arguments = (*arguments, "--out", self.synth.name)
        done = self.liveperf("service", "install", "--", *arguments, program=program)
        assert done.returncode == 0, done.stderr + self.said
        assert self["ActiveState"] == "active" and instrument_ports()

    def systemctl(self, *words: str) -> str:
        """What `systemctl --user` answers; its exit code is 0."""
        done = self.user.run("systemctl", "--user", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def __getitem__(self, name: str) -> str:
        """What systemd knows of it."""
        return self.systemctl("show", UNIT, "--value", f"--property={name}")

    @property
    def pid(self) -> int:
        """Of the process that systemd takes for it; 0 if there is none."""
        return int(self["MainPID"])

    @property
    def status(self) -> dict[str, Any]:
        """What it says itself."""
        done = self.liveperf("status", "--json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    @property
    def said(self) -> str:
        """All that it has said."""
        return self.log.read_text() if self.log.exists() else ""

    def plays_again(self, before: int, seconds: float) -> None:
        """Wait until it plays in another process than before."""
        until(lambda: self.pid not in (0, before) and self["ActiveState"] == "active", seconds, "it is restarted")
        heard = len(self.synth.onsets())
        until(lambda: len(self.synth.onsets()) > heard, 5, "it plays again")


@pytest.fixture
def user(jack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserManager]:
    """One who has logged in."""
    if why := lacking():
        pytest.skip(f"no user's systemd can be started: {why}")
    manager = UserManager(tmp_path_factory.mktemp("u"))
    try:
        manager.start()
        yield manager
    finally:
        manager.end()


@pytest.fixture
def service(user: UserManager) -> Iterator[Service]:
    """His service, not installed yet, and his synth."""
    service = Service(user)
    yield service
    service.synth.close()


def test_it_is_installed_plays_and_is_removed(service: Service) -> None:
    service.install(*SOLO)
    pid = service.pid
    assert service.status["pid"] == pid and service["NRestarts"] == "0"
    shown = service.liveperf("service", "show").stdout
    assert "Active: active (running)" in shown and f"Main PID: {pid}" in shown
    done = service.liveperf("service", "remove")
    assert done.returncode == 0 and "has ended and is removed" in done.stdout
    assert instrument_ports() == [] and "ERROR" not in service.said
    assert "not installed" in service.liveperf("service", "show").stdout
    assert service["LoadState"] == "not-found"


def test_to_stop_it_releases_every_note_within_a_second(service: Service) -> None:
    service.install(*SOLO)
    until(service.synth.sounding, 5, "it plays")
    service.systemctl("start", "default.target")  # which wants it, so that systemd goes on knowing of it
    service.systemctl("stop", UNIT)
    asked, ended = (int(service[f"{what}TimestampMonotonic"]) for what in ("ActiveExit", "InactiveEnter"))
    assert 0 < ended - asked < 1_000_000  # us, by systemd's own clock
    until(lambda: service.synth.silent, 0.1, "every note is released")
    assert (service["Result"], service["ExecMainStatus"], service["NRestarts"]) == ("success", "0", "0")
    assert instrument_ports() == []
    time.sleep(3)  # longer than RestartSec
    assert service["ActiveState"] == "inactive"


def test_a_reload_is_one_and_a_bad_setup_leaves_it_as_it_was(service: Service, tmp_path: Path) -> None:
    setup = tmp_path / "evening.yaml"
    setup.write_text("{mode: solo, density: 16}\n")
    service.install(*JACK, "--config", str(setup))
    pid = service.pid
    setup.write_text("{mode: solo, density: 4}\n")
    service.systemctl("reload", UNIT)
    until(lambda: service.status["params"]["density"] == 4, 10, "the setup is read again")
    setup.write_text("{density: many}\n")
    service.systemctl("reload", UNIT)
    until(lambda: "everything stays as it was" in service.said, 10, "the setup is refused")
    until(lambda: service["ActiveState"] == "active", 10, "it is ready again")
    assert (service.pid, service.status["params"]["density"]) == (pid, 4)


def test_killed_it_is_started_again(service: Service) -> None:
    service.install(*SOLO)
    for times in (1, 2):
        pid = service.pid
        os.kill(pid, signal.SIGKILL)
        service.plays_again(pid, 10)
        assert service["NRestarts"] == str(times)


def test_one_that_was_held_up_ends_its_notes_and_is_started_again(service: Service) -> None:
    service.install(*SOLO)
    until(service.synth.sounding, 5, "it plays")
    pid = service.pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: service["Result"] == "watchdog", 15, "systemd notices it, and wakes it")
    until(lambda: service.pid != pid, 4, "it ends in good order")
    again = "what may still sound is ended where it plays"  # by the next, as JACK may have thrown it out meanwhile
    until(lambda: service.synth.silent or again in service.said, 10, "its notes are ended")
    service.plays_again(pid, 10)
    assert service.liveperf("service", "remove").returncode == 0
    until(lambda: service.synth.silent, 0.2, "none hangs, and none was struck while it hung")


def test_one_that_hears_nothing_any_more_is_killed_and_started_again(service: Service) -> None:
    service.install(*SOLO, program=("-c", DEAF))
    pid = service.pid
    until(lambda: service["Result"] == "watchdog", 15, "systemd notices it")
    until(lambda: service.pid != pid, 8, "it is killed")
    until(lambda: service.pid != 0 and service["ActiveState"] == "active", 10, "it is started again")
    service.systemctl("stop", "--no-block", UNIT)
    service.systemctl("kill", "--signal=KILL", UNIT)  # else the end of the test waits for it


def test_one_that_gave_up_is_started_again(service: Service, user: UserManager, tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    user.run("systemctl", "--user", "set-environment", f"{faults.VARIABLE}={fault}")
    service.install(*SOLO, program=faults.PROGRAM)
    pid = service.pid
    for _ in range(3):
        fault.write_text("engine dies")
        until(lambda: not fault.exists(), 5, "its engine dies")
    service.plays_again(pid, 10)
    assert "it had to give up" in service.said and service["NRestarts"] == "1"


def test_one_that_is_told_nonsense_is_not_started_again(service: Service, tmp_path: Path) -> None:
    setup = tmp_path / "evening.yaml"
    setup.write_text("{density: many}\n")
    done = service.liveperf("service", "install", "--", *JACK, "--config", str(setup))
    assert done.returncode == 1 and f"journalctl --user -u {UNIT}" in done.stderr
    assert (service["ActiveState"], service["ExecMainStatus"]) == ("failed", "2")
    time.sleep(3)  # longer than RestartSec
    assert (service["ActiveState"], service["NRestarts"]) == ("failed", "0")


def test_it_plays_when_its_user_logs_in_again(service: Service, user: UserManager) -> None:
    service.install(*SOLO)
    user.end()
    assert instrument_ports() == []
    user.start("default.target")
    until(lambda: service["ActiveState"] == "active", 10, "it is started")
    service.plays_again(0, 5)
