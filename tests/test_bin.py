"""The scripts in bin/: where they find their root, which environments they trust. A stub stands in for Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "bin").iterdir() if path.is_file())

# A Python that notes what it is asked to do. As the base it answers the probe with its own path, and "makes"
# environments that hold itself; in an environment it "lists" requirements and "installs" them.
STUB = """#!/bin/sh
echo "${0##*/} $*" >>"$STUB_LOG"
case "$*" in
    *ensurepip*) echo "${STUB_PROBE:-$0}"; exit "${STUB_PROBE_STATUS:-0}" ;;
    *venv.create*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    *configparser*) echo numpy ;;
    "-I -m pip "*) rm -f "${0%/bin/*}/${STUB_PIP_REMOVES:-nothing}".*; exit "${STUB_PIP-0}" ;;
    *) for last; do :; done; echo "started in $PWD with ${last}" ;;
esac
"""


class Checkout:
    """A copy of bin/ and setup.cfg in a folder whose name has a space, and the stub."""

    def __init__(self, folder: Path) -> None:
        self.root, self.log = folder / "the checkout", folder / "log"
        self.elsewhere = folder / "else where"
        self.elsewhere.mkdir()
        shutil.copytree(ROOT / "bin", self.root / "bin")
        shutil.copy(ROOT / "setup.cfg", self.root)
        stub = folder / "a python"
        stub.write_text(STUB)
        stub.chmod(0o755)
        self.variables = os.environ | {"LIVEPERF_PYTHON": str(stub), "STUB_LOG": str(self.log)}

    def run(self, script: Path | str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Start a script from another folder, with one argument that has spaces."""
        self.log.write_text("")
        return subprocess.run(
            [script, "an  argument"],
            cwd=self.elsewhere,
            env=self.variables | variables,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def asked(self, what: str) -> int:
        """How often the stub was asked to do something in the last run."""
        return self.log.read_text().count(what)

    @property
    def stamp(self) -> Path:
        """What makes the environment of bin/liveperf a finished one."""
        return self.root / ".venv" / "installed.cfg"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh one, without environments."""
    return Checkout(tmp_path)


def test_the_first_start_makes_the_environment_and_later_ones_do_not(checkout: Checkout) -> None:
    script = checkout.root / "bin" / "liveperf"
    first = checkout.run(script)
    assert first.returncode == 0
    assert first.stdout == f"started in {checkout.elsewhere} with an  argument\n"
    assert first.stderr == (
        "liveperf: first start: installing into .venv what setup.cfg lists; later starts skip this\n"
    )
    assert (checkout.asked("venv.create"), checkout.asked("-m pip")) == (1, 1)
    assert checkout.stamp.read_text() == (ROOT / "setup.cfg").read_text()

    later = checkout.run(script)
    assert (later.stdout, later.stderr) == (first.stdout, "")
    assert checkout.log.read_text() == "python -I -m liveperf an  argument\n"


def test_a_symlink_from_elsewhere(checkout: Checkout) -> None:
    (checkout.elsewhere / "play it").symlink_to(checkout.root / "bin" / "liveperf")
    (checkout.elsewhere / "chain").symlink_to("play it")
    for link in (checkout.elsewhere / "chain", "./play it"):
        assert checkout.run(link).stdout == f"started in {checkout.elsewhere} with an  argument\n"
    assert checkout.stamp.is_file()


@pytest.mark.parametrize(
    ("script", "module"), [("train", "train"), ("bench", "tests.bench"), ("panel-pictures", "tests.pictures")]
)
def test_development_scripts(checkout: Checkout, script: str, module: str) -> None:
    done = checkout.run(checkout.root / "bin" / script)
    assert done.returncode == 0
    assert checkout.asked(f"-I -m {module} an  argument") == 1
    assert (checkout.root / ".venv-dev" / "installed.cfg").is_file()
    assert not (checkout.root / ".venv").exists()


def test_bin_test_runs_all_checks_in_the_root(checkout: Checkout) -> None:
    done = checkout.run(checkout.root / "bin" / "test")
    assert done.returncode == 0
    assert [checkout.asked(f"-m {tool}") for tool in ("ruff", "mypy", "pytest")] == [1, 1, 1]
    assert done.stdout.splitlines()[-1] == f"started in {checkout.root} with an  argument"


def test_a_half_made_environment_is_made_anew(checkout: Checkout) -> None:
    script = checkout.root / "bin" / "liveperf"
    failed = checkout.run(script, STUB_PIP="1")
    assert failed.returncode == 3
    assert "could not install" in failed.stderr
    assert not checkout.stamp.exists() and checkout.asked("-m liveperf") == 0
    leftover = checkout.root / ".venv" / "leftover"
    leftover.touch()

    assert checkout.run(script).returncode == 0
    assert checkout.asked("venv.create") == 1
    assert not leftover.exists() and checkout.stamp.is_file()


def test_of_two_first_starts_at_once_only_the_last_is_trusted(checkout: Checkout) -> None:
    done = checkout.run(checkout.root / "bin" / "liveperf", STUB_PIP_REMOVES="installing")
    assert done.returncode == 3
    assert "another start is making" in done.stderr
    assert not checkout.stamp.exists()


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    script = checkout.root / "bin" / "liveperf"
    checkout.run(script)
    python = checkout.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.9")
    assert checkout.run(script).returncode == 0
    assert checkout.asked("venv.create") == 1


def test_a_changed_list_brings_the_environment_up_to_date(checkout: Checkout) -> None:
    script, config = checkout.root / "bin" / "liveperf", checkout.root / "setup.cfg"
    checkout.run(script)
    config.write_text(config.read_text() + "# changed\n")
    failed = checkout.run(script, STUB_PIP="1")
    assert (failed.returncode, checkout.asked("venv.create")) == (3, 0)
    assert not checkout.stamp.exists()  # so that it is not trusted half-changed either

    again = checkout.run(script)
    assert (again.returncode, checkout.asked("venv.create")) == (0, 1)
    config.write_text(config.read_text() + "# and again\n")
    updated = checkout.run(script)
    assert (updated.returncode, checkout.asked("venv.create"), checkout.asked("-m pip")) == (0, 0, 1)
    assert "up to date" in updated.stderr


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"STUB_PROBE": "is Python 3.8", "STUB_PROBE_STATUS": "1"}, "a python, which is Python 3.8\n"),
        ({"STUB_PROBE": "lacks its venv module", "STUB_PROBE_STATUS": "1"}, "which lacks its venv module\n"),
        ({"LIVEPERF_PYTHON": "no-such-python"}, "needs Python 3.10 or newer"),
    ],
)
def test_without_a_fitting_python(checkout: Checkout, variables: dict[str, str], expected: str) -> None:
    done = checkout.run(checkout.root / "bin" / "liveperf", **variables)
    assert done.returncode == 3
    assert expected in done.stderr and "apt-get install python3 python3-venv" in done.stderr
    assert done.stdout == "" and not (checkout.root / ".venv").exists()


@pytest.mark.skipif(
    shutil.which("shellcheck") is None and "CI" not in os.environ, reason="shellcheck is not installed"
)
@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_shellcheck(script: Path) -> None:
    done = subprocess.run(
        ["shellcheck", "--external-sources", "--source-path", ROOT, script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
