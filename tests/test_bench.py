"""The benchmark's table: its figures, its aims, and that no row is lost; not how fast the machine is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.bench import __main__ as bench
from tests.bench import play as bench_play
from tests.bench.row import Aim, Row, Size, percentile

SMALLEST = Size(
    steps=30,
    torch_steps=10,
    torch_runs=1,
    reads=2,
    turns=3,
    lateness_s=0.5,
    phrases=3,
    knob_turns=3,
    sweep_s=2.0,
    pages_s=2.0,
    posts=1,
    watch_s=2.0,
    starts=1,
    playing_s=0.1,
    restarts=1,
    keyboards=1,
    faults=1,
    lives=1,
    music_s=3,
    pieces=1,
    paints=2,
    slides=6,
    frames_s=2.0,
)
SMAPS = """\
5581a0000000-5581a0100000 r-xp 00000000 08:01 1234                       /usr/bin/python3.11
Size:               1024 kB
Rss:                 800 kB
7f0000000000-7f0000100000 rw-s 00000000 00:19 7                          /dev/shm/jack-0-7
Rss:                 200 kB
VmFlags: rd wr sh
7f0000200000-7f0000300000 rw-p 00000000 00:00 0
Rss:                  48 kB
"""
HEAD = Row("a thing", "ms", Aim("p99", most=0.5))
ROWS = 44


def shown(rows: list[Row]) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(bench.table(rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_figures() -> None:
    row = HEAD.measured([float(x) for x in range(1, 201)], "of 200")
    assert (row.median, row.p99, row.max, row.note) == (100.5, 198.0, 200.0, "of 200")


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(x) for x in range(100)], 99) == 98.0


def test_too_few_values_have_no_p99_and_a_single_one_no_maximum() -> None:
    assert HEAD.measured([1.0] * 99).p99 is None
    assert HEAD.measured([1.0]).max is None
    assert HEAD.measured([]).note == "not measured: nothing was measured"


@pytest.mark.parametrize(
    ("aim", "value", "reached"),
    [
        (Aim("median", most=0.2), 0.2, True),
        (Aim("median", most=0.2), 0.21, False),
        (Aim("median", least=30), 30.0, True),
        (Aim("median", least=30), 29.9, False),
        (Aim("p99", most=0.2), 0.1, None),  # too few values for a p99
    ],
)
def test_aims(aim: Aim, value: float, reached: bool | None) -> None:
    assert Row("a thing", "ms", aim).measured([value, value]).reached is reached


def test_a_difference_is_taken_figure_by_figure() -> None:
    one, other = HEAD.measured([5.0] * 100), HEAD.measured([2.0, 3.0, 4.0])
    less = one.less(other)
    assert (less.median, less.p99, less.max) == (2.0, None, 1.0)


def test_the_table_marks_aims_and_says_what_is_missing() -> None:
    rows = [
        HEAD.measured([0.1] * 100),
        HEAD.measured([0.9] * 100),
        HEAD.missing("no such part"),
    ]
    lines = shown(rows).splitlines()
    assert "p99 <= 0.5 reached" in lines[1] and "0.100" in lines[1]
    assert "p99 <= 0.5 missed" in lines[2]
    assert "not measured: no such part" in lines[3] and "reached" not in lines[3]


def test_a_group_that_fails_keeps_its_rows() -> None:
    def failing(size: Size) -> list[Row]:
        raise OSError("no such\nthing")

    rows = bench.with_gaps(failing, SMALLEST, (HEAD, HEAD))
    assert [row.note for row in rows] == ["not measured: OSError: no such thing"] * 2


def test_the_machine_is_named() -> None:
    machine, versions = bench.machine(), bench.versions()
    line = bench.header(machine, versions)
    for part in (machine["processor"], f"{machine['cores']} cores", versions["python"], versions["onnxruntime"]):
        assert part in line
    assert f"commit {machine['commit']}" in line


def test_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(size: Size, tell: object) -> list[Row]:
        return [HEAD.measured([0.1] * 100), HEAD.missing("no such part")]

    monkeypatch.setattr(bench, "measure", measure)
    file = tmp_path / "bench.json"
    result = CliRunner().invoke(bench.main, ["--quick", "--json", str(file)])
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    assert set(found) == {"machine", "versions", "rows"}
    first, second = found["rows"]
    assert (first["name"], first["median"], first["aim"], first["reached"]) == ("a thing", 0.1, "p99 <= 0.5", True)
    assert (second["median"], second["reached"]) == (None, None)


def test_what_jack_shares_is_told_apart() -> None:
    lines = SMAPS.splitlines()
    assert bench_play.resident_kib(lines) == 1048
    assert bench_play.resident_kib(lines, "/dev/shm/jack") == 200


@pytest.mark.slow
def test_the_whole_table_without_jack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    rows = {row.name: row for row in bench.measure(SMALLEST, lambda what: None)}
    assert len(rows) == ROWS
    assert rows[bench_play.ANSWER.name].note == "not measured: jackd is not installed"
    program = (bench_play.START, bench_play.MEMORY, bench_play.OWN)  # no MIDI system at all
    for name, row in rows.items():
        assert row.median is not None or "not measured" in row.note, name
        assert "Error" not in row.note or row.name in [one.name for one in program], row
    portable = ("step with sampling", "generated note", "note sent after its time, normal priority")
    assert all(rows[name].median for name in portable)


@pytest.mark.slow
@pytest.mark.jack
@pytest.mark.usefixtures("jack")  # skips, or fails, where there is no JACK
def test_the_whole_table() -> None:
    rows = bench.measure(SMALLEST, lambda what: None)
    assert len(rows) == ROWS
    assert [row for row in rows if row.median is None] == []


def test_the_table_takes_its_place_in_the_readme(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    rows = [Row("a step", "ms", Aim("median", most=0.2), median=0.15), Row("nothing", "ms")]
    bench.put_between("bench", bench.markdown(rows, "a machine"), readme)
    lines = readme.read_text().splitlines()
    assert lines[:3] == ["before", "<!-- bench -->", "a machine"]
    assert "| a step | ms | 0.150 | - | - | median <= 0.2: reached |" in lines
    assert lines[-2:] == ["<!-- /bench -->", "after"] and "old" not in lines
