"""`liveperf learn`: it hears a knob, says what it heard, and writes it down; and what keeps it from that."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import mido
import pytest

from liveperf.cli import main
from liveperf.mapping.controls import DEFAULT, ControlMap
from liveperf.mapping.knobs import Entry, entry
from liveperf.mapping.listener import Heard
from liveperf.midi import ports
from liveperf.setup import learn
from liveperf.setup.config import Config, ConfigError, load, parse
from tests.fakes import FakeClock, FakePort
from tests.messages import bend, control, on, program

if TYPE_CHECKING:
    from tests.jack import Keyboard

TURN = [control(20, value) for value in range(0, 128, 8)]
PUSH = [control(66, 127), control(66, 0)]
OLD = "# mine\nmode: duet # four hands\n"


class Desk(FakePort):
    """A controller on which something is moved as soon as somebody listens."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.moved: list[mido.Message] = TURN
        self.asked: list[str | None] = []

    def open_input(self, wanted: str | None, callback: ports.Callback) -> FakePort:
        """Listen to it; a port named None or `fake` is there."""
        self.asked.append(wanted)
        if wanted not in (None, "fake"):
            raise ports.PortError(f"no MIDI input matches {wanted!r}; found: 'fake'")
        for message in self.moved:
            callback(message)
        return self


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """The controller that there is, and an empty folder to be in."""
    found = Desk()
    monkeypatch.setattr(ports, "choose", lambda name: found)
    monkeypatch.chdir(tmp_path)
    return found


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run `liveperf learn`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["liveperf", "learn", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code if isinstance(ended.value.code, int) else 0


# what is made of what was heard


@pytest.mark.parametrize(
    ("setup", "name", "heard", "made", "replaced"),
    [
        ("map: []", "density", Heard("cc", 20, 3), {"cc": 20, "to": "density"}, 0),
        ("map: []", "density", Heard("pitch_bend", None, 1), {"pitch_bend": True, "to": "density"}, 0),
        ("map: []", "key_lock", Heard("cc", 20, 3, True), {"cc": 20, "to": "key_lock", "button": "toggle"}, 0),
        ("map: []", "key_lock", Heard("cc", 20, 3), {"cc": 20, "to": "key_lock"}, 0),
        ("map: []", "turn", Heard("cc", 66, 1, True), {"cc": 66, "to": "turn"}, 0),
        ("map: []", "preset", Heard("program_change", 5, 1, True), {"program_change": True, "to": "preset"}, 0),
        ("map: []", "panic", Heard("program_change", 5, 1, True), {"program_change": 5, "to": "panic"}, 0),
        ("map: []", "turn", Heard("note", 36, 10, True), {"note": 36, "channel": 10, "to": "turn"}, 0),
        ("mode: solo", "density", Heard("cc", 20, 1), {"cc": 20, "to": "density"}, 1),
        ("mode: solo", "top_p", Heard("cc", 74, 1), {"cc": 74, "to": "top_p"}, 1),
        ("mode: solo", "density", Heard("cc", 74, 1), {"cc": 74, "to": "density"}, 2),
        ("mode: solo", "density", Heard("cc14", 1, 1), {"cc14": 1, "to": "density"}, 1),
        (  # what was said of it before still holds
            "map: [{cc: 1, to: speed, range: [1, 2], curve: linear, pick_up: true}]",
            "speed",
            Heard("cc14", 3, 1),
            {"cc14": 3, "to": "speed", "range": [1, 2], "curve": "linear", "pick_up": True},
            1,
        ),
        (  # and does for an endless knob, but for its pick-up
            "map: [{cc: 1, to: speed, range: [1, 2], pick_up: true}]",
            "speed",
            Heard("cc", 3, 1, encoder="binary_offset"),
            {"cc": 3, "to": "speed", "range": [1, 2], "encoder": "binary_offset"},
            1,
        ),
        (
            "map: [{cc: 3, to: speed, encoder: binary_offset, tick: 0.1}]",
            "speed",
            Heard("cc", 3, 1, encoder="sign_magnitude"),
            {"cc": 3, "to": "speed", "encoder": "sign_magnitude", "tick": 0.1},
            1,
        ),
        (
            "map: [{cc: 3, to: speed, range: [1, 2], encoder: binary_offset, tick: 0.1}]",
            "speed",
            Heard("cc", 3, 1),
            {"cc": 3, "to": "speed", "range": [1, 2]},
            1,
        ),
        (
            "map: []",
            "key_lock",
            Heard("cc", 3, 1, encoder="binary_offset"),
            {"cc": 3, "to": "key_lock", "encoder": "binary_offset"},
            0,
        ),
        (  # unless it cannot
            "map: [{pitch_bend: true, to: speed, centre: 2}]",
            "speed",
            Heard("cc", 3, 1),
            {"cc": 3, "to": "speed"},
            1,
        ),
        (  # a button and a knob for the same do not hinder each other
            "map: [{note: 40, to: mode, value: solo}]",
            "mode",
            Heard("cc", 3, 1),
            {"cc": 3, "to": "mode"},
            0,
        ),
        (  # what is told apart by channel stays so
            "map: [{cc: 3, channel: 2, to: speed}]",
            "density",
            Heard("cc", 3, 1),
            {"cc": 3, "channel": 1, "to": "density"},
            0,
        ),
        (
            "map: [{cc: 3, channel: 2, to: speed}]",
            "density",
            Heard("cc", 3, 2),
            {"cc": 3, "to": "density"},
            1,
        ),
    ],
)
def test_what_is_made_of_it(setup: str, name: str, heard: Heard, made: dict[str, object], replaced: int) -> None:
    found, gone = learn.decide(parse(setup, Path("setup.yaml")), name, heard)
    assert found == entry(made)
    assert len(gone) == replaced


# what it does


def test_it_hears_says_and_writes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("setup.yaml")
    file.write_text(OLD + "map:\n  - {cc: 1, to: density} # the wheel\n")
    assert run(monkeypatch, "density", "--config", "setup.yaml") == 0
    assert file.read_text() == OLD + "map:\n  - {cc: 20, to: density} # the wheel\n"
    assert capsys.readouterr() == (
        "listening to fake: move the knob for density (Ctrl-C leaves setup.yaml as it is)\n"
        "heard CC 20 (channel 1)\n"
        "it replaces CC 1 for density\n"
        "setup.yaml: - {cc: 20, to: density}\n",
        "",
    )
    assert desk.closed and os.listdir() == ["setup.yaml"]


def test_it_makes_the_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "turn-gap-s", "--config", "new.yaml") == 0
    assert load(Path("new.yaml")) == Config(map=ControlMap((*DEFAULT.entries, Entry("cc", 20, "turn_gap_s"))))


@pytest.mark.parametrize(
    ("options", "moved", "name", "added"),
    [
        (["--note"], [on(36, 90, channel=9), on(36, 0, channel=9)], "turn", Entry("note", 36, "turn", 10)),
        ([], [on(36, 90, channel=9), on(36, 0, channel=9), *PUSH], "turn", Entry("cc", 66, "turn")),
        ([], [program(4)], "preset", Entry("program_change", None, "preset")),
        ([], [control(64, 127), control(64, 0), *TURN], "speed", Entry("cc", 20, "speed")),
        ([], [bend(pitch) for pitch in range(0, 8000, 500)], "speed", Entry("pitch_bend", None, "speed")),
        (
            ["--encoder", "binary_offset"],
            [control(20, 65)] * 9,
            "speed",
            Entry("cc", 20, "speed", encoder="binary_offset"),
        ),
    ],
)
def test_what_it_hears(
    options: list[str],
    moved: list[mido.Message],
    name: str,
    added: Entry,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.moved = moved
    assert run(monkeypatch, name, "--config", "new.yaml", *options) == 0
    assert load(Path("new.yaml")).map.entries == (*DEFAULT.entries, added)


def test_it_says_why_it_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.moved = [control(64, 127), control(64, 0), control(64, 127), *TURN]
    run(monkeypatch, "density", "--config", "new.yaml")
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "  CC 64 is the sustain pedal and stays it",
        "heard CC 20 (channel 1)",
    ]


def test_it_listens_where_the_setup_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("setup.yaml").write_text("input: Nord\n")
    assert run(monkeypatch, "density", "--config", "setup.yaml") == 3
    assert run(monkeypatch, "density", "--config", "setup.yaml", "--in", "fake") == 0
    assert desk.asked == ["Nord", "fake"]


def test_without_a_name_it_asks(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(["tempo", "speed"])
    monkeypatch.setattr("builtins.input", lambda *_: next(answers))
    assert run(monkeypatch, "--config", "new.yaml") == 0
    out = capsys.readouterr().out
    assert "density" in out and "0 to 32 notes/s" in out and "panic" in out and "Hand over the turn." in out
    assert Entry("cc", 20, "speed") in load(Path("new.yaml")).map.entries


def test_when_nobody_answers(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(*_: object) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert run(monkeypatch, "--config", "new.yaml") == 2
    assert capsys.readouterr().err == (
        "liveperf: no parameter named; name one: liveperf learn PARAMETER --config FILE.yaml\n"
    )


# what keeps it from that


@pytest.fixture
def old(desk: Desk) -> Iterator[Path]:
    """A setup that is to stay as it is."""
    file = Path("setup.yaml")
    file.write_text(OLD)
    yield file
    assert file.read_text() == OLD
    assert os.listdir() == ["setup.yaml"]
    assert desk.closed


def test_ctrl_c_leaves_the_file(
    old: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        """A clock during whose wait Ctrl-C is pressed."""

        def now(self) -> float:
            return 0.0

        def wait(self, *_: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(learn, "SystemClock", Interrupted)
    assert run(monkeypatch, "density", "--config", "setup.yaml") == 1
    assert capsys.readouterr().err.strip() == "liveperf: interrupted"


def test_a_disk_that_is_full_leaves_the_file(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run(monkeypatch, "density", "--config", "setup.yaml") == 2
    assert capsys.readouterr().err.endswith("setup.yaml: No space left on device\n")


def test_a_folder_that_is_not_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="cannot write .*new.yaml: No such file or directory"):
        learn.learn(Path("missing/new.yaml"), "density", lambda line: None)
    assert os.listdir() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no permissions and links as on Unix")
def test_the_file_stays_what_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its permissions, and the link that leads to it."""
    Path("real").mkdir()
    real, link = Path("real/setup.yaml"), Path("link.yaml")
    real.write_text(OLD)
    real.chmod(0o600)
    link.symlink_to(real)
    assert run(monkeypatch, "density", "--config", "link.yaml") == 0
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o600
    assert Entry("cc", 20, "density") in load(real).map.entries
    assert os.listdir("real") == ["setup.yaml"]


# over real ports


@pytest.fixture
def keyboard(jack: str) -> Iterator[Keyboard]:
    """A controller."""
    from tests.jack import Keyboard

    with contextlib.closing(Keyboard(None)) as port:
        yield port


@pytest.fixture
def learning(keyboard: Keyboard, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `liveperf learn` as a process that listens to the controller, and wait until it does."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", "-m", "liveperf", "learn", "--backend", "jack", "--in", keyboard.name]
        root = Path(__file__).parents[2]
        process = subprocess.Popen(
            [*command, *arguments], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"listening to {keyboard.name}: move the knob for ")
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.jack
def test_over_real_ports(
    learning: Callable[..., subprocess.Popen[str]], keyboard: Keyboard, tmp_path: Path
) -> None:
    file = tmp_path / "setup.yaml"
    file.write_text(OLD)
    process = learning("density", "--config", str(file))
    keyboard.press(60, 64)
    for value in range(2000, 9000, 90):
        keyboard.send("control_change", control=2, value=value >> 7)
        keyboard.send("control_change", control=34, value=value & 127)
    keyboard.lift(60, 64)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == [
        "heard 14-bit CC 2 (channel 1)",
        "it replaces CC 1 for density",
        f"{file}: - {{cc14: 2, to: density}}",
    ]
    assert file.read_text().startswith(OLD)
    assert Entry("cc14", 2, "density") in load(file).map.entries


@pytest.mark.jack
def test_ctrl_c_over_real_ports(
    learning: Callable[..., subprocess.Popen[str]], keyboard: Keyboard, tmp_path: Path
) -> None:
    from tests.jack import instrument_ports

    file = tmp_path / "setup.yaml"
    file.write_text(OLD)
    process = learning("density", "--config", str(file))
    keyboard.send("control_change", control=2, value=1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (1, "liveperf: interrupted")
    assert file.read_text() == OLD
    assert instrument_ports() == []
