"""Readers in processes of their own: one that dies takes nothing with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from liveperf.events import OORE
from tests.train import readers
from tests.train.midi import contents, write_scales
from train import pool, reading
from train.pool import DEADLY, Job, encode_files
from train.prepare import prepare
from train.reading import encode_file


def jobs_of(folder: Path, names: Sequence[str]) -> list[Job]:
    return [(folder / name, OORE, folder / f"{i}.out") for i, name in enumerate(names)]


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """Twelve scales, each of another length."""
    return write_scales(tmp_path, range(1, 13))


def test_answers_come_in_the_order_of_the_files(tmp_path: Path, names: list[str]) -> None:
    jobs = jobs_of(tmp_path, names)
    expected = [encode_file(*job) for job in jobs]
    assert list(encode_files(jobs)) == expected
    assert len(set(map(str, expected))) == len(names)
    assert list(encode_files([])) == []


def test_a_reader_that_dies_is_left_out(tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [encode_file(*job) for job in jobs_of(tmp_path, names)]
    for at in (12, 7, 6, 0):
        names.insert(at, "deadly.mid")
        expected.insert(at, DEADLY)
    monkeypatch.setattr(reading, "encode_file", readers.crashing)
    assert list(encode_files(jobs_of(tmp_path, names))) == expected


def test_a_file_whose_reader_died_by_chance_is_read(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = jobs_of(tmp_path, names[:1])
    expected = encode_file(*job)
    monkeypatch.setattr(reading, "encode_file", readers.crashing_once)
    assert list(encode_files([job])) == [expected]
    assert (tmp_path / "seen").exists()


def test_a_file_that_takes_too_long_is_given_up(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [*names[:2], "endless.mid", names[2]]
    expected = [encode_file(*job) for job in jobs_of(tmp_path, names)]
    expected[2] = DEADLY
    monkeypatch.setattr(reading, "encode_file", readers.hanging)
    assert list(encode_files(jobs_of(tmp_path, names))) == expected


def test_a_corpus_with_deadly_files_is_prepared_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scales(tmp_path / "midi", range(1, 9))
    for i in range(3):
        (tmp_path / f"midi/deadly{i}.mid").write_bytes(b"")
    monkeypatch.setattr(reading, "encode_file", readers.crashing)
    done = prepare(tmp_path / "midi", tmp_path / "out", OORE)
    assert (sum(done.pieces.values()), done.skipped) == (8, 3)
    report = (tmp_path / "out/skipped.txt").read_text().splitlines()
    assert sorted(report) == [f"deadly{i}.mid: {DEADLY}" for i in range(3)]
    assert sorted(contents(tmp_path / "out")) == ["corpus.json", "events-000.u16", "skipped.txt"]


def test_where_no_reader_starts_no_file_is_to_blame(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_begin_reader", readers.stillborn)
    with pytest.raises(ChildProcessError, match="die as they start"):
        list(encode_files(jobs_of(tmp_path, names)))


def test_events_that_cannot_be_written_are_an_error(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(FileNotFoundError):
        list(encode_files([(tmp_path / names[0], OORE, tmp_path / "absent" / "out")]))
