"""A systemd that looks after a user's services, as one has after logging in, with folders of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

from tests.jack import until

SYSTEMD = "/lib/systemd/systemd"
PROGRAMS = ("unshare", "nsenter", "setpriv", "systemctl", SYSTEMD)

# In a mount namespace: a system that says that systemd has booted it, and only the cgroups below our own.
START = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec setpriv --bounding-set=-all --inh-caps=-all "$@"
"""


def lacking() -> str:
    """Why no such manager can be started here; empty where it can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"there is no {absent[0]}"
    if os.geteuid() != 0:
        return "only root may make its namespaces"
    if _cgroups() is None:
        return "there are no cgroups of version 2"
    tried = subprocess.run(("unshare", "--mount", "--cgroup", "true"), capture_output=True, text=True)
    return tried.stderr.strip()


def _cgroups() -> Path | None:
    """Our own place among the cgroups of version 2."""
    for mount in Path("/proc/self/mountinfo").read_text().splitlines():
        words = mount.split()
        if words[words.index("-") + 1] == "cgroup2":
            ours = [line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")]
            folder = Path(words[4]) / ours[0].removeprefix("0::/")
            return folder if os.access(folder, os.W_OK) else None
    return None


class UserManager:
    """`systemd --user` with the rights of a user, in namespaces and a cgroup of its own: nothing outlives it."""

    def __init__(self, folder: Path) -> None:
        """folder: of a short path, as it holds sockets."""
        parent = _cgroups()
        assert parent is not None
        self.folder, self._cgroup = folder, parent / f"liveperf-test-{os.getpid()}"
        self.config, self.log = folder / "config", folder / "log"
        (folder / "run").mkdir(mode=0o700)
        self.variables = os.environ | {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        for name in ("DBUS_SESSION_BUS_ADDRESS", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM"):
            self.variables.pop(name, None)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, target: str = "basic.target") -> None:
        """Log in. target: what is started; default.target: all that the user has enabled."""
        self._cgroup.mkdir(exist_ok=True)
        enter = f"echo $$ >{self._cgroup}/cgroup.procs && exec unshare --mount --cgroup sh -c '{START}' sh \"$@\""
        command = ("sh", "-c", enter, "sh", SYSTEMD, "--user", f"--unit={target}")
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command, env=self.variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._answers, 20, f"systemd answers: {self.log.read_text()}")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"systemd has ended: {self.log.read_text()}"
        return self.run("systemctl", "--user", "is-system-running").stdout.strip() in ("running", "degraded")

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as this user does in his terminal."""
        assert self._process is not None
        inside = ("nsenter", f"--target={self._process.pid}", "--mount", "--cgroup", f"--wdns={cwd or '/'}")
        return subprocess.run(
            (*inside, "setpriv", "--bounding-set=-all", "--inh-caps=-all", *command),
            env=self.variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    def end(self) -> None:
        """Log out; whatever is left then is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        (self._cgroup / "cgroup.kill").write_text("1")
        self._process.wait(20)
        self._process = None
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            until(partial(_removed, Path(folder)), 5, f"{folder} is empty")


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
