"""Which files a corpus has, and in which split they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.train.midi import write_table
from train.pieces import Listed, deal, find_pieces


def touch(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def files(folder: Path) -> list[str]:
    return sorted(one.file for one in find_pieces(folder))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, (0, 0, 0)),
        (1, (1, 0, 0)),
        (2, (2, 0, 0)),
        (3, (1, 1, 1)),
        (4, (2, 1, 1)),
        (19, (17, 1, 1)),
        (20, (16, 2, 2)),
        (1000, (800, 100, 100)),
    ],
)
def test_splits_are_dealt(count: int, expected: tuple[int, int, int]) -> None:
    splits = deal(count)
    assert tuple(splits.count(split) for split in ("train", "validation", "test")) == expected
    assert len(splits) == count


def test_a_folder_is_shuffled_the_same_way_every_time(tmp_path: Path) -> None:
    names = [f"{i:02}.mid" for i in range(21)]
    touch(tmp_path, [*names[::-1], "notes.txt", "x.mid.gz"])
    found = find_pieces(tmp_path)
    assert found == find_pieces(tmp_path) and found != find_pieces(tmp_path, seed=1)
    assert sorted(found, key=lambda one: one.file) == [Listed(name) for name in names] != found


def test_files_are_found_at_any_depth_and_through_links(tmp_path: Path) -> None:
    corpus, other = tmp_path / "corpus", tmp_path / "other"
    touch(other, ["linked.mid", "deep/1.MIDI"])
    touch(corpus, ["a/b/c.Mid", "folder.mid/d.midi"])
    (corpus / "away").symlink_to(other)
    (corpus / "away again").symlink_to(other)
    (corpus / "a/b/round").symlink_to(corpus)
    (corpus / "e.mid").symlink_to(other / "linked.mid")
    assert files(corpus) == ["a/b/c.Mid", "away/deep/1.MIDI", "away/linked.mid", "e.mid", "folder.mid/d.midi"]


def test_names_need_not_be_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mid")
    touch(tmp_path, [name, "new\nline.mid"])
    assert files(tmp_path) == sorted([name, "new\nline.mid"])
    write_table(tmp_path, [(name, "test")])
    assert find_pieces(tmp_path) == [Listed(name, "test")]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, ["a.mid", "closed/b.mid"])
    scandir = os.scandir

    def refuse(path: str | Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    with monkeypatch.context() as patch:  # pytest itself lists folders, too, as it clears up
        patch.setattr("os.scandir", refuse)
        assert find_pieces(tmp_path) == [Listed("a.mid"), Listed("closed", problem="Permission denied")]


def test_a_table_decides_the_splits_and_the_order(tmp_path: Path) -> None:
    names = [f"{i}.mid" for i in range(4)]
    touch(tmp_path, ["unnamed.mid", *names])
    rows = list(zip(reversed(names), ["test", " Train", "VALIDATION ", "train"], strict=True))
    write_table(tmp_path, rows)
    assert find_pieces(tmp_path) == [Listed(name, split.strip().lower()) for name, split in rows]


def test_a_table_of_something_else_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, ["a.mid", "empty.csv"])
    (tmp_path / "a.csv").write_text("title,year\nx,1900\n")
    (tmp_path / "b.csv").write_bytes(b"caf\xe9;x\n")
    (tmp_path / "c.csv").write_text(f"{'long' * 100_000}\n")
    (tmp_path / "d.csv").mkdir()
    assert files(tmp_path) == ["a.mid"]
    write_table(tmp_path, [("a.mid", "test")], "m.csv")
    write_table(tmp_path, [("a.mid", "train")], "n.csv")
    assert find_pieces(tmp_path) == [Listed("a.mid", "test")]


def test_a_table_from_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfmidi_filename,split\r\na.mid,test\r\n\r\nb.mid,train\r\n")
    assert find_pieces(tmp_path) == [Listed("a.mid", "test"), Listed("b.mid", "train")]


def test_rows_that_make_no_sense_are_named(tmp_path: Path) -> None:
    write_table(
        tmp_path,
        [
            ("a.mid", "test"),
            ("./sub//../a.mid", "test"),
            ("a.mid", "train"),
            ("../b.mid", "train"),
            ("sub/../../b.mid", "train"),
            ("/b.mid", "train"),
            ("c.mid", "dev"),
            ("c.mid", ""),
            ("", "train"),
            ("..b.mid", "train"),
        ],
    )
    with open(tmp_path / "corpus-v1.csv", "a") as table:
        table.write("somebody\n")
    where = "corpus-v1.csv, line"
    splits = "expected one of train, validation, test"
    assert find_pieces(tmp_path) == [
        Listed("a.mid", "test"),
        Listed("a.mid", problem=f"named before, for test ({where} 3)"),
        Listed("a.mid", problem=f"named before, for test ({where} 4)"),
        Listed("../b.mid", problem=f"leads outside the corpus ({where} 5)"),
        Listed("sub/../../b.mid", problem=f"leads outside the corpus ({where} 6)"),
        Listed("/b.mid", problem=f"leads outside the corpus ({where} 7)"),
        Listed("c.mid", problem=f"unknown split 'dev', {splits} ({where} 8)"),
        Listed("c.mid", problem=f"unknown split '', {splits} ({where} 9)"),
        Listed(f"{where} 10", problem="names no file"),
        Listed("..b.mid", "train"),
        Listed(f"{where} 12", problem="names no file"),
    ]


def test_a_table_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"midi_filename,split\na.mid,test\n{'b' * 200_000},test\n")
    with pytest.raises(ValueError, match=r"a.csv, line 2: field larger than"):
        find_pieces(tmp_path)
