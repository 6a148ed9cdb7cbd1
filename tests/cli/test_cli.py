"""The command line: what it writes, and how it says no: one line, the right exit code, no traceback."""

from __future__ import annotations

import configparser
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import mido
import platformdirs
import pytest

from liveperf import offline
from liveperf.cli import FAILED, NOT_STARTED, WRONG_USE, commands, main
from liveperf.cli.remote import lines
from liveperf.midi import ports
from liveperf.midi.rack import Rack
from liveperf.midifile import write_messages
from liveperf.params import Row, table
from liveperf.performer import MachineNote, Performer
from liveperf.playing import parts
from liveperf.system import places
from liveperf.system.lock import Lock
from tests.world import World

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["liveperf", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return (code if isinstance(code, int) else 0, *capsys.readouterr())

    return invoke


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> World:
    """The MIDI system that `play` finds."""
    found = World("fake")
    monkeypatch.setattr(ports, "choose", lambda name: found)
    return found


def write_midi(path: Path, *pitches: int) -> None:
    messages = [
        (i + late, mido.Message(kind, note=pitch, velocity=64))
        for i, pitch in enumerate(pitches)
        for kind, late in (("note_on", 0.0), ("note_off", 0.5))
    ]
    write_messages(path, {"piano": messages})


@pytest.fixture
def files(tmp_path: Path) -> None:
    """Files of every kind, most of them wrong."""
    write_midi(tmp_path / "silent.mid")
    (tmp_path / "empty.mid").touch()
    (tmp_path / "text.mid").write_text("do re mi")
    write_midi(tmp_path / "song.mid", 60, 64, 67)
    (tmp_path / "cut.mid").write_bytes((tmp_path / "song.mid").read_bytes()[:40])
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x08 broken")
    (tmp_path / "unknown.yaml").write_text("temprature: 1\n")
    (tmp_path / "range.yaml").write_text("density: 99\n")
    (tmp_path / "type.yaml").write_text("channel: loud\n")
    (tmp_path / "bad.yaml").write_text("density: [\n")
    (tmp_path / "map.yaml").write_text("map:\n  - {cc: 1, to: density}\n  - {cc: 200, to: top_p}\n")
    (tmp_path / "twice.yaml").write_text("map:\n  - {cc: 1, to: density}\n  - {cc: 1, to: top_p}\n")
    (tmp_path / "nul.yaml").write_text("density: \0\n")


def assert_refused(result: tuple[int, str, str], code: int, *said: str) -> None:
    """One line, and it says what is wrong."""
    assert result[0] == code
    assert result[1] == ""
    assert result[2].startswith("liveperf: ") and result[2].count("\n") == 1 and result[2].endswith("\n")
    for words in said:
        assert words in result[2]


WRONG = [
    (["--model", "nope"], ["no model named 'nope'; installed: ", "'maestro'"]),
    (["--model", "nope.onnx"], ["no model file 'nope.onnx'"]),
    (["--model", "broken.onnx"], ["broken.onnx: not a liveperf bundle"]),
    (["--model", "."], ["no model file '.'"]),
    (["--config", "missing.yaml"], ["missing.yaml: No such file or directory"]),
    (["--config", "."], [".: Is a directory"]),
    (
        ["--config", "unknown.yaml"],
        ["unknown.yaml, line 1: unknown key 'temprature'; did you mean 'temperature'?"],
    ),
    (["--config", "range.yaml"], ["range.yaml, line 1: density 99 is outside 0 to 32 notes/s"]),
    (["--config", "type.yaml"], ["type.yaml, line 1: channel 'loud' is outside 1 to 16"]),
    (["--config", "bad.yaml"], ["bad.yaml, line 2: not YAML"]),
    (
        ["--config", "map.yaml"],
        ["map.yaml, line 3: cc 200 is not a controller from 0 to 119 other than the pedal, 64"],
    ),
    (["--config", "twice.yaml"], ["twice.yaml, line 3: CC 1 is already for density: take one out"]),
    (["--config", "nul.yaml"], ["nul.yaml: not YAML: unacceptable character"]),
    (["--prime", "missing.mid"], ["missing.mid: No such file or directory"]),
    (["--prime", "."], [".: Is a directory"]),
    (["--prime", "text.mid"], ["text.mid: not a MIDI file"]),
    (["--prime", "empty.mid"], ["empty.mid: not a MIDI file"]),
    (["--prime", "cut.mid"], ["cut.mid: not a MIDI file, or cut short"]),
    (["--prime", "silent.mid"], ["silent.mid: no notes in it"]),
    (["--density", "33"], ["--density", "density 33 is outside 0 to 32 notes/s"]),
    (["--density", "lots"], ["--density", "density 'lots' is not a number (0 to 32 notes/s)"]),
    (["--density", "nan"], ["--density", "density nan is not a number"]),
    (["--polyphony", "1.5"], ["--polyphony", "polyphony 1.5 is not a whole number (1 to 128 notes)"]),
    (["--lowest-pitch", "109"], ["lowest_pitch 109 is above highest_pitch 108"]),
    (["--channel", "17"], ["--channel", "1<=x<=16"]),
    (["--seed", "x"], ["--seed", "'x' is not a valid integer"]),
    (["--temprature", "1"], ["No such option", "--temprature", "--temperature"]),
    (["--model"], ["--model", "requires an argument"]),
    (["extra"], ["unexpected extra argument"]),
]
ids = [" ".join(arguments) for arguments, _ in WRONG]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=ids)
def test_play_refuses_wrong_use(arguments: list[str], said: list[str], run: Run, backend: World) -> None:
    assert_refused(run("play", "--duration", "0", *arguments), WRONG_USE, *said)
    assert not backend.opened


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=ids)
def test_generate_refuses_wrong_use(arguments: list[str], said: list[str], run: Run) -> None:
    assert_refused(run("generate", "--out", "out.mid", "--seconds", "1", *arguments), WRONG_USE, *said)
    assert not Path("out.mid").exists()


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command"),
        (["sing"], "No such command 'sing'"),
        (["play", "--record", "missing/jam.mid"], "cannot record to missing/jam.mid: No such file or directory"),
        (["play", "--record", "text.mid/jam.mid"], "cannot record to text.mid/jam.mid: Not a directory"),
        (["play", "--record", "."], "cannot record to .: it is a folder"),
        (["play", "--mode", "jazz"], "mode 'jazz' is not one of answer, solo, duet"),
        (["play", "--duration", "nan"], "'nan' is not a number of seconds"),
        (["play", "--duration", "-1"], "x>=0"),
        (["play", "--backend", "oss"], "'alsa', 'jack', 'coremidi', 'winmm'"),
        (["generate"], "Missing option '--out'"),
        (["generate", "--out", "missing/a.mid"], "missing/a.mid: No such file or directory"),
        (["generate", "--out", "a.mid", "--seconds", "nan"], "'nan' is not a number of seconds"),
        (["generate", "--out", "a.mid", "--seconds", "0"], "1<=x<=86400"),
        (["generate", "--out", "a.mid", "--mode", "duet"], "No such option"),
        (["learn", "density"], "Missing option '--config'"),
        (
            ["learn", "densty", "--config", "new.yaml"],
            "unknown parameter or action 'densty'; did you mean 'density'?",
        ),
        (["learn", "density", "--config", "bad.yaml"], "bad.yaml, line 2: not YAML"),
        (["learn", "density", "--config", "."], "'.' is a directory"),
        (
            ["learn", "density", "--note", "--config", "new.yaml"],
            "density has more than two values: learn it without",
        ),
        (["models", "nope"], "no model named 'nope'"),
        (["models", "broken.onnx"], "broken.onnx: not a liveperf bundle"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_other_wrong_use(arguments: list[str], said: str, run: Run, backend: World) -> None:
    assert_refused(run(*arguments), WRONG_USE, said)
    assert not backend.opened


@pytest.mark.parametrize("row", [row for row in table() if not row.choices], ids=lambda row: row.name)
def test_every_live_parameter_is_checked(row: Row, run: Run) -> None:
    option = "--" + row.name.replace("_", "-")
    assert_refused(run("play", f"{option}={row.high + 1}"), WRONG_USE, option, row.bounds)


@pytest.mark.parametrize(("command", "without"), [("play", set()), ("generate", {"mode"})])
def test_every_live_parameter_is_an_option(command: str, without: set[str]) -> None:
    options = {option.name: option for option in commands.commands[command].params}
    for row in table():
        if row.name in without:
            assert row.name not in options
        else:
            option = options[row.name]
            assert isinstance(option, click.Option)
            assert option.help and row.help in option.help and row.bounds in option.help


@pytest.mark.parametrize("command", ["", *commands.commands])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_everywhere(command: str, option: str, run: Run) -> None:
    code, out, err = run(*command.split(), option)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: liveperf")


@pytest.mark.parametrize("command", commands.commands)
def test_everything_has_help(command: str) -> None:
    assert commands.commands[command].help
    for option in commands.commands[command].params:
        if isinstance(option, click.Option):
            assert option.help, option.name


def test_version(run: Run) -> None:
    code, out, _ = run("--version")
    assert (code, out) == (0, "liveperf, version 0.1.0\n")


# play


def test_playing_says_what_to_connect_and_what_was_played(run: Run, backend: World) -> None:
    code, out, err = run("play", "--duration", "0", "--record", "jam.mid", "--port", "0")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    said = r"liveperf plays maestro over fake, mode answer; its panel is at http://127.0.0.1:\d+ ; Ctrl-C ends it."
    assert re.fullmatch(said, lines[0])
    assert lines[1:3] == [
        "  liveperf-out:liveperf -> your synth or DAW",
        "  your keyboard -> liveperf-in:liveperf",
    ]
    assert lines[3].startswith("0 notes in, 0 out")
    assert [track.name for track in mido.MidiFile("jam.mid").tracks] == ["human", "machine"]
    assert backend.looks and not backend.opened


@pytest.mark.parametrize(("option", "kind"), [("--in", "input"), ("--out", "output")])
def test_a_port_that_is_not_there_is_waited_for(option: str, kind: str, run: Run, backend: World) -> None:
    code, out, err = run("play", "--duration", "0", "--port", "0", option, "Nord")
    assert code == 0
    assert f"waiting for the MIDI {kind} 'Nord'" in out + err
    assert not backend.opened


def test_a_performer_that_breaks_again_and_again_is_said_and_every_note_ends(
    run: Run, backend: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[mido.Message] = []

    def broken(self: Performer, step: int) -> list[MachineNote]:
        if self.now:
            raise RuntimeError("a broken string")
        self.now = step
        return [MachineNote(step, 60, 80)]

    monkeypatch.setattr(Performer, "run_until", broken)
    monkeypatch.setattr(Rack, "send", lambda self, message: sent.append(message))
    code, _, err = run("play", "--mode", "solo", "--port", "0")
    assert code == FAILED
    assert err.count("the engine thread died: RuntimeError: a broken string") == 3
    assert err.splitlines()[-1] == "liveperf: it had to give up; what it said before tells why"
    assert [message.type for message in sent] == ["note_on", "note_off"] * (len(sent) // 2) and sent
    assert not backend.opened


def test_the_place_of_an_instrument_is_taken_once(run: Run, backend: World) -> None:
    place = Lock(places.runtime())
    place.acquire()
    try:
        assert_refused(run("play"), NOT_STARTED, f"process {os.getpid()}", "--name")
        assert run("play", "--duration", "0", "--port", "0", "--name", "other")[0] == 0
    finally:
        place.release()


def test_a_folder_for_what_runs_that_cannot_be_had_is_said(
    run: Run, backend: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "run"
    taken.touch()
    monkeypatch.setattr(platformdirs, "user_runtime_path", lambda *_, **__: taken / "liveperf")
    for command in ("play", "status", "stop"):
        said = f"no folder for what runs: {taken}: "
        assert_refused(run(command), NOT_STARTED, said, "make that a folder of yours")


def test_without_a_place_for_recordings_it_plays_on_and_says_so(
    run: Run, backend: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "state"
    taken.touch()
    monkeypatch.setattr(platformdirs, "user_state_path", lambda *_, **__: taken / "liveperf")
    code, out, err = run("play", "--mode", "solo", "--density", "16", "--duration", "1", "--port", "0")
    assert code == 0
    assert f"cannot record to {taken / 'liveperf' / 'recordings'}: " in err and "; it plays on (" in err
    assert int(out.splitlines()[-1].split()[3]) > 0  # notes out
    assert run("recordings")[0] == 0


NO_MIDI: dict[str, ports.Backend | str] = {"alsa": "no sequencer: load it", "jack": "no server: start one"}


@pytest.fixture
def no_midi(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a MIDI system that works."""
    monkeypatch.setattr(ports, "available", lambda: NO_MIDI)


@pytest.mark.usefixtures("no_midi")
def test_without_a_midi_system_it_says_what_is_missing(run: Run) -> None:
    said = "no MIDI system works here. alsa: no sequencer: load it; jack: no server: start one"
    assert_refused(run("play", "--no-panel"), NOT_STARTED, said)
    said = "MIDI backend jack does not work here: no server: start one"
    assert_refused(run("play", "--backend", "jack"), NOT_STARTED, said)
    for life in ((), ("--daemon",)):  # a service would wait for ever
        assert_refused(run("play", "--backend", "winmm", *life), NOT_STARTED, "RtMidi has alsa, jack")
    assert run("ports") == (NOT_STARTED, "alsa: no sequencer: load it\njack: no server: start one\n", "")


@pytest.mark.usefixtures("no_midi")
def test_a_service_without_a_midi_system_says_what_it_is_good_for(run: Run) -> None:
    options = ("play", "--daemon", "--duration", "0", "--port", "0")
    code, _, err = run(*options)
    assert code == 0 and "the page is keyboard and synth (no MIDI system works here." in err
    code, _, err = run(*options, "--no-panel")
    assert code == 0 and "it waits for a MIDI system; there is no page (no MIDI system" in err
    assert "keyboard and synth" not in err


@pytest.mark.usefixtures("no_midi")
def test_the_doctor_has_a_verdict_and_a_remedy(run: Run) -> None:
    code, out, err = run("doctor", "--model", "nope")
    assert (code, err) == (FAILED, "")
    assert "!!  MIDI backend: none\n     no MIDI system works here. alsa: no sequencer: load it" in out
    assert "!!  model step: no model\n     no model named 'nope'" in out


def test_the_status_says_once_that_there_is_no_midi_system() -> None:
    ways = ("output", "input")
    ports = [{"direction": way, "wanted": None, "name": None, "open": False} for way in ways]
    assert "\n".join(lines({"ports": ports})).count("no MIDI system") == 1
    assert not [line for line in lines({"ports": ports}) if "looking for" in line]
    ports[1] = ports[1] | {"wanted": "Nord"}
    said = list(lines({"ports": ports}))
    assert "input     not connected; looking for 'Nord'" in said and "ports     no MIDI system" in said
    ports = [one | {"name": f"synth {number}", "open": True} for number, one in enumerate(ports)]
    assert "no MIDI system" not in "\n".join(lines({"ports": ports}))


# generate and models


def generate(run: Run, name: str, *options: str) -> bytes:
    """The bytes of two generated seconds."""
    code, out, err = run("generate", "--out", name, "--seconds", "2", *options)
    assert (code, err) == (0, "")
    assert out.startswith(f"{name}: 2 s, ")
    return Path(name).read_bytes()


@pytest.mark.usefixtures("files")
def test_the_same_seed_writes_the_same_bytes(run: Run) -> None:
    first = generate(run, "a.mid", "--seed", "7")
    assert generate(run, "b.mid", "--seed", "7") == first
    for options in (
        ("--seed", "8"),
        ("--seed", "7", "--prime", "song.mid"),
        ("--seed", "7", "--temperature", "0.2"),
        ("--seed", "7", "--channel", "2"),
    ):
        assert generate(run, "c.mid", *options) != first


def test_without_a_seed_it_plays_something_else_each_time(run: Run) -> None:
    assert generate(run, "a.mid") != generate(run, "b.mid")


def test_options_win_over_the_setup(run: Run) -> None:
    Path("setup.yaml").write_text("model: nope\nseed: 7\nchannel: 5\nlowest_pitch: 60\nhighest_pitch: 60\n")
    generate(run, "a.mid", "--config", "setup.yaml", "--model", "maestro", "--highest-pitch", "62")
    notes = [message for message in mido.MidiFile("a.mid") if message.type == "note_on"]
    assert {message.channel for message in notes} == {4}
    assert {message.note for message in notes} <= {60, 61, 62}
    same = generate(run, "b.mid", "--config", "setup.yaml", "--model", "maestro", "--highest-pitch", "62")
    assert same == Path("a.mid").read_bytes()


def test_a_disk_that_is_full_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(offline, "write", full)
    result = run("generate", "--out", "a.mid", "--seconds", "1")
    assert_refused(result, FAILED, "cannot write a.mid: No space left on device")


def test_an_interrupt_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "performer", interrupted)
    code, _, err = run("generate", "--out", "a.mid")
    assert (code, err.strip()) == (FAILED, "liveperf: interrupted")


def test_models_are_listed_and_one_is_shown_whole(run: Run) -> None:
    code, out, err = run("models")
    assert (code, err) == (0, "")
    assert "maestro" in out and "licence" in out
    code, out, err = run("models", "maestro")
    assert (code, err) == (0, "")
    for words in ("maestro (", "licence: CC BY-NC-SA 4.0", "vocabulary: 413 events, 8 ms a step", "training:"):
        assert words in out


# As a process of its own.


def liveperf(*arguments: str, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "liveperf", *arguments],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_process_writes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    here = generate(run, "here.mid", "--seed", "7")
    there = tmp_path / "there.mid"
    code, _, err = liveperf("generate", "--out", str(there), "--seconds", "2", "--seed", "7", PYTHONHASHSEED="1")
    assert (code, err) == (0, "")
    assert there.read_bytes() == here


def test_a_process_without_a_jack_server_could_not_start() -> None:
    variables = {"JACK_DEFAULT_SERVER": "liveperf-none", "JACK_NO_START_SERVER": "1"}
    result = liveperf("play", "--backend", "jack", **variables)
    assert_refused(result, NOT_STARTED, "MIDI backend jack does not work here: ")


def test_a_process_used_wrongly() -> None:
    assert_refused(liveperf("models", "nope"), WRONG_USE, "no model named 'nope'")


AT_IMPORT = """
import os, runpy, signal, sys
class Interrupted:
    def find_spec(self, name, *_):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
module = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupted())
runpy.run_module("liveperf", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("module", "command"),
    [("liveperf.cli", "play"), ("numpy", "play"), ("numpy", "generate"), ("numpy", "doctor")],
)
def test_ctrl_c_while_it_imports_ends_it_without_a_word(module: str, command: str, tmp_path: Path) -> None:
    more = ("--out", str(tmp_path / "a.mid")) if command == "generate" else ()
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT, module, command, *more], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_ctrl_c_that_is_to_be_ignored_stays_so() -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    command = [sys.executable, "-c", AT_IMPORT, "liveperf.cli", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, preexec_fn=ignore)
    assert done.returncode == 0 and done.stdout.startswith("liveperf, version")


def test_the_command_is_the_same_as_the_module() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.entry_points"]["console_scripts"].strip() == "liveperf = liveperf.__main__:main"


def test_a_fault_of_its_own_is_one_line_unless_one_wants_to_see_where(
    run: Run, backend: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("nowhere")

    monkeypatch.setattr(parts, "performer", broken)
    assert_refused(run("play"), FAILED, "a fault of liveperf's own", "KeyError: 'nowhere'", "LIVEPERF_DEBUG=1")
    monkeypatch.setenv("LIVEPERF_DEBUG", "1")
    with pytest.raises(KeyError):
        run("play")
