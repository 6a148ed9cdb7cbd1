"""The instrument as a service of its user, that starts by itself: systemd on Linux, launchd on macOS."""

from __future__ import annotations

import getpass
import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from liveperf.playing.output import PRIORITY
from liveperf.system.unit import NAME, Service, ServiceError, unit

__all__ = ["Manager", "Service", "ServiceError", "manager", "program"]

ROOT = Path(__file__).parents[2]
Say = Callable[[str], None]


def program(root: Path = ROOT, python: Path = Path(sys.executable)) -> tuple[str, ...]:
    """How to start the liveperf that runs now: its checkout's script, the installed one, or through `python`."""
    for path in (root / "bin" / NAME, python.with_name(NAME), python.with_name(f"{NAME}.exe")):
        if path.is_file() and os.access(path, os.X_OK):
            return (str(path),)
    return (str(python), "-m", NAME)


class Manager(Protocol):
    """What starts services here. All methods raise ServiceError, and say what they have done."""

    def install(self, service: Service, say: Say) -> None:
        """Write it down, and start it now and from now on; one that is there already is replaced."""

    def remove(self, service: Service, say: Say) -> None:
        """End it, and forget it."""

    def show(self, service: Service, say: Say) -> None:
        """What is written down of it, or would be, and how it is."""


def manager(platform: str = sys.platform) -> Manager:
    """That of a platform."""
    managers: dict[str, Manager] = {"darwin": Launchd(), "win32": Scheduler()}
    return managers.get(platform, Systemd())


class Systemd:
    """Linux: a unit of the user's own manager."""

    def path(self, service: Service) -> Path:
        """The unit's file."""
        config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        return Path(config).expanduser() / "systemd" / "user" / f"{service.label}.service"

    def install(self, service: Service, say: Say) -> None:
        """As Manager."""
        path, text = self.path(service), unit(service)
        replaced = path.exists()
        _write(path, text.encode())
        try:
            _ask("systemctl", "--user", "daemon-reload")
        except ServiceError:
            if not replaced:
                path.unlink()
            raise
        say(f"wrote {path}")
        try:
            _ask("systemctl", "--user", "--quiet", "enable", path.name)
            _ask("systemctl", "--user", "restart", path.name)  # starts it, too
        except ServiceError as error:
            raise ServiceError(
                f"{error}; `journalctl --user -u {path.name}` tells more, and how it goes on"
            ) from None
        say(f"{path.name} plays, and starts when you log in (liveperf service show{service.options}: how it is)")
        for line in _remains():
            say(line)

    def remove(self, service: Service, say: Say) -> None:
        """As Manager."""
        path = _installed(self.path(service), service)
        _ask("systemctl", "--user", "disable", "--now", path.name)
        path.unlink()
        _ask("systemctl", "--user", "daemon-reload")
        say(f"{path.name} has ended and is removed ({path}); lingering, if it is on, stays on")

    def show(self, service: Service, say: Say) -> None:
        """As Manager."""
        path = self.path(service)
        if not path.exists():
            would = f"`liveperf service install{service.options}` would write {path}"
            say(f"# not installed; {would}\n{unit(service)}")
            return
        say(f"# {path}\n{path.read_text(encoding='utf-8')}")
        say(_run("systemctl", "--user", "--no-pager", "status", path.name).stdout)


def _remains() -> list[str]:
    """What only the user can do."""
    import resource  # not on Windows

    lines = []
    if (
        not shutil.which("loginctl")
        or "yes" not in _run("loginctl", "show-user", getpass.getuser(), "-pLinger").stdout
    ):
        lines.append("to start it at boot, before anybody has logged in: loginctl enable-linger")
    most = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]
    if most != resource.RLIM_INFINITY and most < PRIORITY:
        lines.append(
            f"for real-time priority: join the group `audio`, write `@audio - rtprio 95` and `@audio - memlock "
            f"unlimited` into /etc/security/limits.d/audio.conf, and start the machine anew (now: rtprio {most})"
        )
    return lines


class Launchd:
    """macOS: an agent of the user's. launchd starts it again whatever it failed of."""

    def path(self, service: Service) -> Path:
        """The agent's file."""
        return Path("~/Library/LaunchAgents").expanduser() / f"{service.label}.plist"

    def install(self, service: Service, say: Say) -> None:
        """As Manager."""
        path = self.path(service)
        if path.exists():
            _run("launchctl", "bootout", self._target(service))  # fails where it was not loaded
        _write(path, self.agent(service))
        say(f"wrote {path}")
        _ask("launchctl", "bootstrap", self._domain, str(path))
        say(f"{service.label} plays, and starts whenever you log in; what it says goes to {self._log(service)}")

    def remove(self, service: Service, say: Say) -> None:
        """As Manager."""
        path = _installed(self.path(service), service)
        _run("launchctl", "bootout", self._target(service))
        path.unlink()
        say(f"{service.label} has ended and is removed ({path})")

    def show(self, service: Service, say: Say) -> None:
        """As Manager."""
        path = self.path(service)
        if not path.exists():
            would = f"`liveperf service install{service.options}` would write {path}"
            say(f"<!-- not installed; {would} -->\n{self.agent(service).decode()}")
            return
        say(f"<!-- {path} -->\n{path.read_text(encoding='utf-8')}")
        done = _run("launchctl", "print", self._target(service))
        say(done.stdout or done.stderr)

    def agent(self, service: Service) -> bytes:
        """The text of its property list."""
        agent = {
            "Label": service.label,
            "ProgramArguments": list(service.command),
            "WorkingDirectory": str(service.folder),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 5,
            "ProcessType": "Interactive",  # else its timers are made to wait
            "StandardOutPath": str(self._log(service)),
            "StandardErrorPath": str(self._log(service)),
        }
        try:
            return plistlib.dumps(agent, sort_keys=False)
        except ValueError as error:
            raise ServiceError(f"launchd cannot be told the arguments: {error}") from error

    def _log(self, service: Service) -> Path:
        return Path("~/Library/Logs").expanduser() / f"{service.label}.log"

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    def _target(self, service: Service) -> str:
        return f"{self._domain}/{service.label}"


class Scheduler:
    """Windows: all that this can do is to say how it is done."""

    def install(self, service: Service, say: Say) -> None:
        """As Manager."""
        command = subprocess.list2cmdline(service.command)
        self._instead("/Create", "/SC", "ONLOGON", "/TN", service.label, "/TR", command)

    def remove(self, service: Service, say: Say) -> None:
        """As Manager."""
        self._instead("/Delete", "/TN", service.label)

    def show(self, service: Service, say: Say) -> None:
        """As Manager."""
        self._instead("/Query", "/V", "/FO", "LIST", "/TN", service.label)

    def _instead(self, *words: str) -> None:
        raise ServiceError(
            f"on Windows the Task Scheduler does it: {subprocess.list2cmdline(('schtasks', *words))}"
        )


def _installed(path: Path, service: Service) -> Path:
    if not path.exists():
        raise ServiceError(f"{service.label} is not installed: there is no {path}")
    return path


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)  # one that was there, too: a token may be among the arguments
        path.write_bytes(data)
    except OSError as error:
        raise ServiceError(f"cannot write {path}: {error.strerror or error}") from error


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, capture_output=True, text=True, errors="replace")
    except OSError as error:
        hint = "; without systemd, let your init system run `liveperf play`" if words[0] == "systemctl" else ""
        raise ServiceError(f"cannot run {words[0]}: {error.strerror or error}{hint}") from error


def _ask(*words: str) -> None:
    done = _run(*words)
    if done.returncode:
        why = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        hint = "; log in as the user himself, not through su or sudo" if "to bus" in why else ""
        raise ServiceError(f"`{' '.join(words)}` failed: {why}{hint}")
