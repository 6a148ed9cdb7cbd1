"""The service: what systemd and launchd are told, and how they are told it."""

from __future__ import annotations

import configparser
import os
import plistlib
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from liveperf.cli.service import service as commands
from liveperf.system import service as services
from liveperf.system.service import Service, ServiceError, program
from liveperf.system.unit import quote, unit

ROOT = Path(__file__).parents[2]
PROGRAM = "/opt/live perf/bin/liveperf"
EVENING = Service(
    "evening", ("--config", "my $HOME 100%.yaml", "--in", "LPK25"), (PROGRAM,), Path("/home/a b/50%")
)

GOLDEN = r"""[Unit]
Description=liveperf evening, a live neural MIDI instrument
After=sound.target pipewire.service pipewire.socket wireplumber.service jack.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=":/opt/live perf/bin/liveperf" play --daemon --name evening --config "my $HOME 100%%.yaml" --in LPK25
ExecReload=kill -HUP $MAINPID
WorkingDirectory=-/home/a b/50%%
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
TimeoutStartSec=15min
WatchdogSec=10
WatchdogSignal=SIGTERM
TimeoutAbortSec=5
KillSignal=SIGTERM
TimeoutStopSec=15
LimitRTPRIO=95
LimitMEMLOCK=infinity
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def test_the_unit_is_golden() -> None:
    assert unit(EVENING) == GOLDEN


def words(line: str) -> list[str]:
    """A command line as systemd.service(5) reads it: quotes, C escapes, specifiers."""
    found: list[str] = []
    word, quoted, text = "", False, iter(f"{line} ")
    begun = False
    for character in text:
        if character == "\\":
            escaped = next(text)
            word += chr(int(next(text) + next(text), 16)) if escaped == "x" else escaped
        elif character == '"':
            quoted = not quoted
        elif character == "%":
            assert next(text) == "%", "a specifier"
            word += "%"
        elif character.isspace() and character in " \t\n\r" and not quoted:
            if begun:
                found.append(word)
            word, begun = "", False
            continue
        else:
            assert character != "'" or quoted, "another kind of quote"
            word += character
        begun = True
    assert not quoted
    return found


def table(text: str) -> configparser.ConfigParser:
    """A unit's sections and keys."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def test_the_reader_reads_its_own_example() -> None:
    assert words(r'a "b c" "\"\\\x41%%" ""  d') == ["a", "b c", '"\\A%', "", "d"]


arguments = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\"'\\$%;#: \t\n")))


@given(st.lists(arguments, max_size=5))
def test_every_argument_comes_out_as_it_went_in(given_arguments: list[str]) -> None:
    service = Service("", tuple(given_arguments), (PROGRAM,), Path("/"))
    try:
        text = unit(service)
    except ServiceError:
        assert any("\0" in word or any(ord(one) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(one) < 0xFDF0 for one in word)
                   for word in given_arguments)  # fmt: skip
        return
    lines = [line for line in text.split("\n") if line.startswith("ExecStart=")]
    assert words(lines[0].partition("=")[2]) == [f":{PROGRAM}", "play", "--daemon", *given_arguments]
    assert text.count("\n") == GOLDEN.count("\n")


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("--in", "--in"),
        ("/a/b.yaml", "/a/b.yaml"),
        ("100%", "100%%"),
        ("", '""'),
        (";", '";"'),
        ("$HOME", '"$HOME"'),
        ("it's", '"it\'s"'),
        ('say "a\\b"', r'"say \"a\\b\""'),
        ("two\nlines", r'"two\x0alines"'),
    ],
)
def test_quoting(word: str, quoted: str) -> None:
    assert quote(word) == quoted
    assert words(quoted) == [word]


@pytest.mark.parametrize(
    "change",
    [
        lambda: Service("../up"),
        lambda: Service("a b"),
        lambda: Service("x" * 41),
        lambda: unit(Service(arguments=("\udcff",))),
        lambda: unit(Service(arguments=("a\0b",))),
        lambda: unit(Service(arguments=("a\ufffeb",))),
        lambda: unit(Service(program=("/it's/liveperf",))),
        lambda: unit(Service(program=("/a\\b/liveperf",))),
        lambda: unit(Service(folder=Path("/a\nb"))),
        lambda: unit(Service(folder=Path("/a "))),
        lambda: unit(Service(folder=Path("/a\\"))),
    ],
)
def test_what_systemd_cannot_be_told_is_an_error_of_one_line(change: Callable[[], object]) -> None:
    with pytest.raises(ServiceError) as error:
        change()
    assert "\n" not in str(error.value)


def test_laws_of_the_unit() -> None:
    sections = table(unit(Service(program=(PROGRAM,))))
    said = sections["Service"]
    assert set(sections.sections()) == {"Unit", "Service", "Install"}
    assert said["Type"] == "notify" and float(said["WatchdogSec"]) > 2
    assert words(said["ExecStart"]) == [f":{PROGRAM}", "play", "--daemon"]
    assert said["RestartPreventExitStatus"] == "2"
    # each of these would keep it from the sound card, the real-time priority, or the files it records
    for forbidden in ("PrivateDevices", "RestrictRealtime", "PrivateUsers", "ProtectHome", "PrivateTmp", "User"):
        assert forbidden not in said


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    script = tmp_path / "the $HOME 50% folder" / "liveperf"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    service = Service("", ("--in", "a 'b' \"c\" \\ %h $HOME ;", ";"), (str(script),), script.parent)
    path = tmp_path / "liveperf.service"

    def verify(text: str) -> str:
        path.write_text(text)
        variables = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
        command = ["systemd-analyze", "--user", "--man=no", "verify", str(path)]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60).stderr

    said = verify(unit(service))
    if "initialize manager" in said:
        pytest.skip("systemd-analyze does not work here")
    assert path.name not in said
    assert path.name in verify(unit(service).replace("LockPersonality=yes", "LockPersonality=perhaps"))


# Which program it is that starts.


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_program_is_the_checkouts_script_the_installed_one_or_the_interpreter(tmp_path: Path) -> None:
    python = executable(tmp_path / "venv" / "bin" / "python")
    assert program(tmp_path, python) == (str(python), "-m", "liveperf")
    installed = executable(python.with_name("liveperf"))
    assert program(tmp_path, python) == (str(installed),)
    script = executable(tmp_path / "bin" / "liveperf")
    assert program(tmp_path, python) == (str(script),)
    assert program() == (str(ROOT / "bin" / "liveperf"),)


def test_the_script_becomes_the_program_so_that_it_is_the_services_main_process(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "bin", tmp_path / "bin")
    python = executable(tmp_path / ".venv" / "bin" / "python")
    python.write_text('#!/bin/sh\necho "$$ $*"\n')
    for copy in (tmp_path / "setup.cfg", tmp_path / ".venv" / "installed.cfg"):
        shutil.copy(ROOT / "setup.cfg", copy)
    started = subprocess.Popen([tmp_path / "bin" / "liveperf", "play"], stdout=subprocess.PIPE, text=True)
    assert started.communicate(timeout=30)[0] == f"{started.pid} -I -m liveperf play\n"


def test_each_platform_has_its_manager() -> None:
    names = [type(services.manager(platform)).__name__ for platform in ("linux", "darwin", "win32", "freebsd14")]
    assert names == ["Systemd", "Launchd", "Scheduler", "Systemd"]


# Commands, with a manager that only takes notes.

STARTED = [
    "systemctl --user daemon-reload",
    "systemctl --user --quiet enable liveperf.service",
    "systemctl --user restart liveperf.service",
]

FAKE = """#!/bin/sh
echo "${0##*/} $*" >>"$FAKE_LOG"
case "$*" in
    *"${FAKE_FAILS:-nothing at all}"*) echo "Failed to connect to bus: No medium found" >&2; exit 1 ;;
    *status*) echo "● active (running)"; exit 3 ;;
    *Linger*) echo "Linger=${FAKE_LINGER-no}" ;;
    print*) echo "state = running" ;;
esac
"""


class Home:
    """A home folder of its own, with a fake systemctl, loginctl and launchctl first on the path."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log = folder, folder / "log"
        self.set = monkeypatch.setenv
        for name in ("systemctl", "loginctl", "launchctl"):
            executable(folder / "fakes" / name).write_text(FAKE)
        for name, value in {
            "HOME": str(folder),
            "FAKE_LOG": str(self.log),
            "PATH": f"{folder / 'fakes'}{os.pathsep}{os.environ['PATH']}",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.chdir(folder)

    @property
    def unit(self) -> Path:
        return self.folder / ".config" / "systemd" / "user" / "liveperf.service"

    def run(self, *words: str) -> Result:
        """The command, and what was asked of the fakes is what it asked."""
        self.log.write_text("")
        return CliRunner().invoke(root_commands, ["service", *words])

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines()


@click.group()
def root_commands() -> None:
    """As in cli.py."""


@root_commands.command()
@click.option("--daemon", is_flag=True)
@click.option("--config")
@click.option("--name")
@click.option("--in")
def play(**_: object) -> None:
    """As in cli.py."""
    raise AssertionError("nothing plays here")


root_commands.add_command(commands)


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home on a system with systemd."""
    if sys.platform != "linux":
        pytest.skip("there are no such limits elsewhere")
    monkeypatch.setattr("liveperf.system.service.manager", services.Systemd)
    return Home(tmp_path, monkeypatch)


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home on a Mac."""
    if os.name == "nt":
        pytest.skip("the fakes are shell scripts")
    monkeypatch.setattr("liveperf.system.service.manager", services.Launchd)
    return Home(tmp_path, monkeypatch)


def test_install_writes_starts_and_says_what_remains(linux: Home) -> None:
    done = linux.run("install", "--", "--config", "an evening.yaml", "--in", "LPK25")
    assert done.exit_code == 0, done.output
    said = table(linux.unit.read_text(encoding="utf-8"))["Service"]
    assert words(said["ExecStart"])[1:] == ["play", "--daemon", "--config", "an evening.yaml", "--in", "LPK25"]
    assert said["WorkingDirectory"] == f"-{linux.folder}"
    assert linux.asked[:3] == STARTED
    assert f"wrote {linux.unit}\n" in done.output
    assert "loginctl enable-linger" in done.output


def test_nobody_else_reads_the_arguments_as_a_token_may_be_among_them(linux: Home) -> None:
    for _ in range(2):
        assert linux.run("install", "--", "--config", "secret").exit_code == 0
        assert stat.S_IMODE(linux.unit.stat().st_mode) == 0o600
        linux.unit.chmod(0o644)  # as an earlier version left it


def test_nothing_is_said_of_lingering_where_it_is_on(linux: Home) -> None:
    linux.set("FAKE_LINGER", "yes")
    assert "enable-linger" not in linux.run("install").output


@pytest.mark.parametrize(("limit", "told"), [(0, True), (19, True), (20, False), (95, False), (-1, False)])
def test_a_limit_that_is_too_low_is_named(
    linux: Home, monkeypatch: pytest.MonkeyPatch, limit: int, told: bool
) -> None:
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda which: (0, limit))
    assert ("/etc/security/limits.d" in linux.run("install").output) is told


def test_a_second_install_replaces_the_first_and_starts_anew(linux: Home) -> None:
    linux.run("install")
    done = linux.run("install", "--", "--in", "Nord")
    assert done.exit_code == 0
    assert "--in Nord\n" in linux.unit.read_text(encoding="utf-8")
    assert linux.asked[:3] == STARTED


def test_another_name_is_another_instrument(linux: Home) -> None:
    linux.set("XDG_CONFIG_HOME", str(linux.folder / "conf"))
    assert linux.run("install", "--name", "left").exit_code == 0
    path = linux.folder / "conf" / "systemd" / "user" / "liveperf-left.service"
    assert "play --daemon --name left\n" in path.read_text(encoding="utf-8")
    assert linux.run("show", "--name", "left").output.startswith(f"# {path}\n[Unit]\n")
    assert "not installed" in linux.run("show").output
    assert linux.run("remove", "--name", "left").exit_code == 0
    assert not path.exists()


def test_remove_undoes_install(linux: Home) -> None:
    linux.run("install")
    done = linux.run("remove")
    assert done.exit_code == 0 and "removed" in done.output
    assert linux.asked == ["systemctl --user disable --now liveperf.service", "systemctl --user daemon-reload"]
    assert not linux.unit.exists()
    again = linux.run("remove")
    assert again.exit_code == 1 and linux.asked == []
    assert again.stderr == f"liveperf: liveperf is not installed: there is no {linux.unit}\n"


def test_show_prints_the_unit_and_its_state(linux: Home) -> None:
    before = linux.run("show")
    assert before.exit_code == 0 and linux.asked == []
    assert before.output.startswith(
        f"# not installed; `liveperf service install` would write {linux.unit}\n[Unit]"
    )
    linux.run("install")
    done = linux.run("show")
    assert linux.unit.read_text(encoding="utf-8") in done.output
    assert done.output.endswith("● active (running)\n\n")
    assert linux.asked == ["systemctl --user --no-pager status liveperf.service"]


def test_without_a_users_manager_nothing_is_left_behind(linux: Home) -> None:
    linux.set("FAKE_FAILS", "daemon-reload")
    done = linux.run("install")
    assert done.exit_code == 1 and not linux.unit.exists()
    assert done.stderr == (
        "liveperf: `systemctl --user daemon-reload` failed: Failed to connect to bus: No medium found; "
        "log in as the user himself, not through su or sudo\n"
    )


def test_one_that_does_not_start_stays_and_says_where_to_look(linux: Home) -> None:
    linux.set("FAKE_FAILS", "restart")
    done = linux.run("install")
    assert done.exit_code == 1 and linux.unit.exists()
    assert "journalctl --user -u liveperf.service" in done.stderr and done.stderr.count("\n") == 1


def test_without_systemd_it_says_so(linux: Home) -> None:
    linux.set("PATH", str(linux.folder))
    done = linux.run("install")
    assert done.exit_code == 1 and not linux.unit.exists()
    assert done.stderr.startswith("liveperf: cannot run systemctl: ") and done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_named(linux: Home) -> None:
    (linux.folder / ".config").write_text("a file")
    done = linux.run("install")
    assert done.exit_code == 1 and done.stderr.startswith(f"liveperf: cannot write {linux.unit}: ")


def test_arguments_that_play_does_not_have_are_refused_before_anything_is_done(linux: Home) -> None:
    done = linux.run("install", "--", "--confg", "evening.yaml")
    assert done.exit_code == 2 and "--confg" in done.stderr
    assert not linux.unit.exists() and linux.asked == []


def test_a_mac_gets_an_agent(mac: Home) -> None:
    assert "not installed" in mac.run("show").output
    done = mac.run("install", "--name", "left", "--", "--config", "a & b.yaml")
    assert done.exit_code == 0, done.output
    path = mac.folder / "Library" / "LaunchAgents" / "liveperf-left.plist"
    agent = plistlib.loads(path.read_bytes())
    assert agent["Label"] == "liveperf-left" and agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["ProgramArguments"][1:] == ["play", "--daemon", "--name", "left", "--config", "a & b.yaml"]
    assert agent["WorkingDirectory"] == str(mac.folder) and agent["RunAtLoad"] is True
    target = f"gui/{os.getuid()}"
    assert mac.asked == [f"launchctl bootstrap {target} {path}"]
    mac.run("install", "--name", "left")
    assert mac.asked == [f"launchctl bootout {target}/liveperf-left", f"launchctl bootstrap {target} {path}"]
    assert "state = running" in mac.run("show", "--name", "left").output
    assert mac.run("remove", "--name", "left").exit_code == 0
    assert mac.asked == [f"launchctl bootout {target}/liveperf-left"] and not path.exists()


@pytest.mark.parametrize(("words", "instead"), [("install", "/Create"), ("remove", "/Delete"), ("show", "/Query")])
def test_windows_is_told_what_to_do_instead(monkeypatch: pytest.MonkeyPatch, words: str, instead: str) -> None:
    monkeypatch.setattr("liveperf.system.service.manager", services.Scheduler)
    done = CliRunner().invoke(root_commands, ["service", words])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"liveperf: on Windows the Task Scheduler does it: schtasks {instead} ")
    assert "/TN liveperf" in done.stderr and done.stderr.count("\n") == 1
