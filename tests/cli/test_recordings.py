"""`liveperf recordings`: what it lists and writes, and how it says no, in one line."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest
from click.testing import CliRunner, Result

from liveperf.cli.recordings import recordings
from liveperf.errors import WRONG_USE
from liveperf.recording.journalfile import Row, line, read
from liveperf.system import places
from liveperf.voices import Owner
from tests.messages import off, on
from tests.recordings import DUET, record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the recordings are."""
    monkeypatch.setattr(places, "recordings", lambda: tmp_path / "recordings")
    monkeypatch.setenv("COLUMNS", "400")  # no message is folded, however long the folder's name
    monkeypatch.chdir(tmp_path)
    return tmp_path / "recordings"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(recordings, arguments)


def assert_refused(result: Result, *said: str) -> None:
    assert result.exit_code == WRONG_USE
    assert result.output.startswith("liveperf: ") and result.output.count("\n") == 1
    for words in said:
        assert words in result.output


def test_it_lists_what_there_is(folder: Path) -> None:
    record(folder, DUET)
    record(folder, DUET[:3], hours=5, ended=False)
    result = run()
    assert result.exit_code == 0
    above, heading, first, second, rest = result.output.splitlines()
    assert above.split() == ["your", "its"]
    assert heading.split() == ["name", "when", "length", "notes", "notes", "model", "MB"]
    assert first.split()[0] == "2026-03-01T12-00-01Z"
    assert first.split()[3:] == ["0:03", "1", "2", "maestro", "0.00"]
    assert second.split()[0] == "2026-03-01T17-00-01Z"
    assert second.split()[3:] == ["0:01", "1", "1", "maestro", "0.00", "not"]
    assert rest.split() == ["ended"]


def test_it_says_whose_each_is_where_there_are_several_instruments(folder: Path) -> None:
    record(folder, DUET)
    record(folder, DUET, hours=5)
    recorded = folder / "2026-03-01T17-00-01Z.jsonl"
    rows = list(read(recorded))
    start = Row(0.0, rows[0].kind, rows[0].data | {"instrument": "left"})
    recorded.write_bytes(b"".join(line(row) for row in (start, *rows[1:])))
    above, heading, first, second = run().output.splitlines()
    assert above.split() == ["your", "its", "instru-"] and "ment" in heading.split()
    assert first.split()[3:] == ["0:03", "1", "2", "liveperf", "maestro", "0.00"]
    assert second.split()[3:] == ["0:03", "1", "2", "left", "maestro", "0.00"]


@pytest.mark.parametrize("name", ["liveperf", "left"])
def test_80_columns_are_enough(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    record(folder, DUET)
    long = [(1.0 + 60.0 * number, Owner.HUMAN, message) for number, message in enumerate([on(60), off(60)] * 40)]
    record(folder, long, hours=5, ended=False)
    recorded = folder / "2026-03-01T17-00-01Z.jsonl"
    rows = list(read(recorded))
    start = Row(0.0, rows[0].kind, rows[0].data | {"instrument": name})
    recorded.write_bytes(b"".join(line(row) for row in (start, *rows[1:])))
    *_, first, second, rest = run().output.splitlines()
    whose = [["liveperf"], [name]] if name != "liveperf" else [[], []]
    assert first.split()[3:] == ["0:03", "1", "2", *whose[0], "maestro", "0.00"]
    assert second.split()[0] == "2026-03-01T17-00-01Z"
    assert second.split()[3:] == ["1:19:00", "40", "0", *whose[1], "maestro", "0.00", "not"]
    assert rest.split() == ["ended"] and all(len(one) <= 80 for one in (first, second, rest))


def test_one_that_cannot_be_read_hides_no_other(folder: Path) -> None:
    record(folder, DUET)
    (folder / "later.jsonl").write_bytes(line(Row(0.0, "start", {"format": 2})))
    result = run()
    assert result.exit_code == 0
    assert "maestro" in result.output.splitlines()[2]
    assert result.output.splitlines()[3].endswith("this liveperf reads 1; use version a later one")


def test_before_anything_is_played_it_says_where_it_would_be(folder: Path) -> None:
    result = run()
    assert (result.exit_code, result.output) == (
        0,
        f"there are no recordings in {folder} yet; they are made as you play\n",
    )


def test_it_exports(folder: Path) -> None:
    record(folder, DUET)
    result = run("export", "last", "jam.mid")
    assert (result.exit_code, result.output) == (0, "jam.mid: 2026-03-01T12-00-01Z\n")
    assert [one.name for one in mido.MidiFile("jam.mid").tracks] == ["human", "machine"]


@pytest.mark.parametrize("options", [[], ["--thumbnail"]])
def test_it_draws(folder: Path, options: list[str]) -> None:
    record(folder, DUET)
    result = run("draw", "2026-03", "jam.svg", *options)
    assert (result.exit_code, result.output) == (0, "jam.svg: 2026-03-01T12-00-01Z\n")
    assert Path("jam.svg").read_text().startswith("<svg ")


def test_it_removes(folder: Path) -> None:
    record(folder, DUET)
    record(folder, DUET, hours=5)
    assert run("remove", "last").output == "2026-03-01T17-00-01Z is removed\n"
    assert [path.stem for path in folder.iterdir()] == ["2026-03-01T12-00-01Z"]


@pytest.mark.parametrize(
    "command", [["export", "2025", "jam.mid"], ["draw", "2025", "jam.svg"], ["remove", "2025"]]
)
def test_what_is_not_there_is_said_in_one_line(folder: Path, command: list[str]) -> None:
    assert_refused(run(*command), "there are no recordings in")
    record(folder, DUET)
    assert_refused(run(*command), "no recording begins with '2025'; the last is '2026-03-01T12-00-01Z'")


@pytest.mark.parametrize("command", [["export", "last", "no/jam.mid"], ["draw", "last", "no/jam.svg"]])
def test_what_cannot_be_written_is_said_in_one_line(folder: Path, command: list[str]) -> None:
    record(folder, DUET)
    assert_refused(run(*command), command[2], "No such file or directory")


@pytest.mark.parametrize("target", [".", "..", "/", ""])
@pytest.mark.parametrize("command", ["export", "draw"])
def test_a_folder_is_no_target(folder: Path, command: str, target: str) -> None:
    record(folder, DUET)
    verb = "record" if command == "export" else "draw"
    assert_refused(run(command, "last", target), f"cannot {verb} to {Path(target)}: it is a folder")


def test_help_says_how_a_name_may_be_given() -> None:
    assert "`last`" in run("--help").output
