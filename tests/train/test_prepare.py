"""A corpus of MIDI files becomes shards of events, and comes back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from liveperf.codec import encode
from liveperf.events import MAGENTA, OORE, Vocabulary
from liveperf.midifile import note_messages, write_messages
from tests.messages import pedal
from tests.midifiles import midi_bytes
from tests.train import readers
from tests.train.midi import contents, scale, write_scales, write_table
from train import draft
from train import prepare as module
from train.__main__ import main
from train.corpus import INDEX, Corpus, shard_name
from train.draft import REPORT
from train.prepare import Prepared, prepare


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process, which is faster for so few."""
    monkeypatch.setattr(module, "encode_files", readers.here)


def index(out: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((out / INDEX).read_text())
    return found


def splits(out: Path) -> dict[str, str]:
    """The split of each file."""
    return {entry["file"]: entry["split"] for entry in json.loads((out / INDEX).read_text())["pieces"]}


def assert_comes_back(out: Path, lengths: Sequence[int], names: Sequence[str]) -> None:
    """Every piece of the train split is the scale that it was."""
    files = [file for file, split in splits(out).items() if split == "train"]
    for file, piece in zip(files, Corpus(out).pieces("train"), strict=True):
        i = names.index(file)
        np.testing.assert_array_equal(piece, encode(scale(40 + i, lengths[i]), OORE))


def test_pieces_come_back_and_broken_files_are_left_out_with_a_reason(tmp_path: Path) -> None:
    midi, out = tmp_path / "midi", tmp_path / "out"
    lengths = [5, 30, 12]
    names = write_scales(midi, lengths)
    (midi / "broken.mid").write_bytes(b"MThd and then nothing")
    (midi / "silent.mid").write_bytes(midi_bytes(0, [pedal(127)]))
    rows = [(name, "train") for name in [*names, "broken.mid", "silent.mid", "absent.mid", "../x.mid", names[0]]]
    write_table(midi, rows)
    before = {path: path.read_bytes() for path in midi.rglob("*") if path.is_file()}
    done = prepare(midi, out, OORE)
    assert_comes_back(out, lengths, names)
    pieces = Corpus(out).pieces("train")
    count = sum(map(len, pieces))
    none = {"validation": 0, "test": 0}
    assert done == Prepared({"train": 3, **none}, {"train": count, **none}, 5)
    assert all(isinstance(piece, np.memmap) and piece.dtype == np.uint16 for piece in pieces)
    assert (out / REPORT).read_text() == (
        "broken.mid: not a MIDI file, or cut short\n"
        "silent.mid: no notes in it\n"
        "absent.mid: No such file or directory\n"
        "../x.mid: leads outside the corpus (corpus-v1.csv, line 8)\n"
        "sub/00.MID: named before, for train (corpus-v1.csv, line 9)\n"
    )
    assert sorted(contents(out)) == [INDEX, shard_name(0), REPORT]
    assert {path: path.read_bytes() for path in midi.rglob("*") if path.is_file()} == before


def test_nothing_is_skipped_and_the_report_says_so(here: None, tmp_path: Path) -> None:
    write_scales(tmp_path / "midi", [5])
    assert prepare(tmp_path / "midi", tmp_path / "out", OORE).skipped == 0
    assert (tmp_path / "out" / REPORT).read_text() == ""


def test_silence_before_the_first_note_is_cut(here: None, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    late = scale(40, 5)
    late["start"] += 20
    late["end"] += 20
    write_messages(tmp_path / "midi/late.mid", {"piano": note_messages(late)})
    prepare(tmp_path / "midi", tmp_path / "out", OORE)
    (piece,) = Corpus(tmp_path / "out").pieces("train")
    np.testing.assert_array_equal(piece, encode(scale(40, 5), OORE))


def test_vocabulary_and_seed_are_kept(here: None, tmp_path: Path) -> None:
    write_scales(tmp_path / "midi", [5])
    prepare(tmp_path / "midi", tmp_path / "out", MAGENTA, 17)
    corpus = Corpus(tmp_path / "out")
    assert corpus.vocabulary == MAGENTA
    np.testing.assert_array_equal(corpus.pieces("train")[0], encode(scale(40, 5), MAGENTA))
    assert index(tmp_path / "out")["seed"] == 17
    assert index(tmp_path / "out")["vocabulary"] == asdict(MAGENTA)


def test_pieces_that_were_read_are_split_by_the_seed(here: None, tmp_path: Path) -> None:
    names = write_scales(tmp_path / "midi", [3] * 21)
    for i in range(20):
        (tmp_path / f"midi/broken{i}.mid").write_bytes(b"")
    found = []
    for seed in (0, 0, 1):
        done = prepare(tmp_path / "midi", tmp_path / "out", OORE, seed)
        assert (done.pieces, done.skipped) == ({"train": 17, "validation": 2, "test": 2}, 20)
        found.append(splits(tmp_path / "out"))
    assert sorted(found[0]) == names
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(("count", "expected"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (1, 1, 1))])
def test_a_tiny_corpus_will_do(here: None, count: int, expected: tuple[int, ...], tmp_path: Path) -> None:
    write_scales(tmp_path / "midi", [3] * count)
    (tmp_path / "midi/broken.mid").write_bytes(b"")
    assert tuple(prepare(tmp_path / "midi", tmp_path / "out", OORE).pieces.values()) == expected


def test_a_corpus_without_music_raises(here: None, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    with pytest.raises(ValueError, match="midi: no MIDI file in it"):
        prepare(tmp_path / "midi", tmp_path / "out", OORE)
    assert not (tmp_path / "out").exists()
    (tmp_path / "midi/broken.mid").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no MIDI file with notes in it \(1 skipped: reasons in .*skipped.txt\)"):
        prepare(tmp_path / "midi", tmp_path / "out", OORE)
    assert contents(tmp_path / "out") == {REPORT: b"broken.mid: not a MIDI file, or cut short\n"}


def test_nothing_is_written_into_the_corpus(here: None, tmp_path: Path) -> None:
    write_scales(tmp_path / "midi", [3])
    (tmp_path / "link").symlink_to("midi")
    for out in ("midi", "midi/out", "midi/sub/../..//midi", "link", "link/out"):
        with pytest.raises(ValueError, match="lies within the corpus"):
            prepare(tmp_path / "midi", tmp_path / out, OORE)
    assert [path.name for path in (tmp_path / "midi").iterdir()] == ["sub"]
    prepare(tmp_path / "midi", tmp_path, OORE)
    assert len(Corpus(tmp_path).pieces("train")) == 1


def test_names_need_be_neither_text_nor_one_line(tmp_path: Path) -> None:
    names = [os.fsdecode(b"caf\xe9.mid"), "new\nline.mid", "Fr\u00e9d\u00e9ric.mid"]
    (tmp_path / "midi").mkdir()
    for name in names:
        write_messages(tmp_path / "midi/some.mid", {"piano": note_messages(scale(40, 5))})
        (tmp_path / "midi/some.mid").rename(tmp_path / "midi" / name)
        (tmp_path / "midi" / f"broken {name}").write_bytes(b"")
    prepare(tmp_path / "midi", tmp_path / "out", OORE)
    assert sorted(splits(tmp_path / "out")) == sorted(names)
    assert len(Corpus(tmp_path / "out").pieces("train")) == 1
    lines = (tmp_path / "out" / REPORT).read_text(encoding="utf-8").splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == [
        "broken Fr\u00e9d\u00e9ric.mid", r"broken caf\udce9.mid", r"broken new\nline.mid",
    ]  # fmt: skip


def test_pieces_come_back_from_shards_that_fill_up_in_every_way(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = [4, 4, 30, 2, 2, 4, 8, 1, 30, 30, 3, 4]
    names = write_scales(tmp_path / "midi", lengths)
    write_table(tmp_path / "midi", [(name, "test" if i == 7 else "train") for i, name in enumerate(names)])
    sizes = [len(encode(scale(40 + i, length), OORE)) for i, length in enumerate(lengths)]
    hashes = set()
    # exactly full after two pieces; a piece longer than a shard, first, last or alone; one that just fits
    for limit in (1, sizes[0] + sizes[1], max(sizes) - 1, max(sizes), sum(sizes) - 1, sum(sizes)):
        out = tmp_path / f"out{limit}"
        monkeypatch.setattr(draft, "SHARD_EVENTS", limit)
        done = prepare(tmp_path / "midi", out, OORE)
        assert_comes_back(out, lengths, names)
        assert done.events == {"train": sum(sizes) - sizes[7], "validation": 0, "test": sizes[7]}
        shards = [path.stat().st_size // 2 for path in sorted(out.glob("events-*.u16"))]
        assert sum(shards) == sum(sizes)
        assert all(shard <= max(limit, *sizes) for shard in shards)
        assert len(shards) == 1 if limit == sum(sizes) else len(shards) > 1
        hashes.add(Corpus(out).hash)
    assert len(hashes) == 1


def test_the_hash_is_that_of_the_music_and_its_splits(here: None, tmp_path: Path) -> None:
    names = write_scales(tmp_path / "midi", [5, 30, 12])

    def found(*rows: str, vocabulary: Vocabulary = OORE, seed: int = 0) -> str:
        write_table(tmp_path / "midi", list(zip(names, rows, strict=False)))
        prepare(tmp_path / "midi", tmp_path / "out", vocabulary, seed)
        return Corpus(tmp_path / "out").hash

    first = found("train", "train", "test")
    assert len(first) == 64 and first == found("train", "train", "test", seed=3)
    others = [found("train", "test", "test"), found("train", "train")]
    others.append(found("train", "train", "test", vocabulary=MAGENTA))
    write_messages(tmp_path / "midi" / names[1], {"piano": note_messages(scale(41, 31))})
    others.append(found("train", "train", "test"))
    (tmp_path / "midi" / names[1]).rename(tmp_path / "midi/renamed.mid")
    write_messages(tmp_path / "midi/renamed.mid", {"piano": note_messages(scale(41, 30))})
    names[1] = "renamed.mid"
    others.append(found("train", "train", "test"))
    assert len({first, *others}) == 6


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda out: (out / INDEX).unlink(), "corpus.json: No such file or directory"),
        (lambda out: (out / INDEX).write_bytes(b"{"), "corpus.json: not JSON"),
        (lambda out: (out / INDEX).write_bytes(b"\xff"), "corpus.json: not JSON"),
        (lambda out: (out / INDEX).write_text("[]"), "corpus.json: not of format 2"),
        (lambda out: (out / INDEX).write_text('{"vocabulary": {}, "pieces": []}'), "corpus.json: not of format 2"),
        (lambda out: (out / INDEX).write_text('{"format": 2, "hash": ""}'), "corpus.json: damaged .'vocabulary'"),
        (lambda out: (out / shard_name(0)).unlink(), "events-000.u16: missing or cut short"),
        (lambda out: os.truncate(out / shard_name(0), 20), "events-000.u16: missing or cut short"),
    ],
)
def test_what_is_no_corpus_says_what_to_do(
    damage: Callable[[Path], object], message: str, here: None, tmp_path: Path
) -> None:
    write_scales(tmp_path / "midi", [5])
    prepare(tmp_path / "midi", tmp_path / "out", OORE)
    damage(tmp_path / "out")
    with pytest.raises(ValueError, match=f"out.{message}.*; run bin/train prepare again"):
        Corpus(tmp_path / "out")


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    midi, out = tmp_path / "midi", tmp_path / "out"
    write_scales(midi, [5] * 10)
    assert main(["prepare", str(midi), str(out), "--seed", "3"]) == 0
    (piece,) = Corpus(out).pieces("test")
    count = len(piece)
    assert capsys.readouterr().out == (
        "pieces: train 8, validation 1, test 1\n"
        f"events: train {8 * count}, validation {count}, test {count}\n"
        "files skipped: 0\n"
    )
    assert index(out)["seed"] == 3
    (midi / "broken.mid").write_bytes(b"")
    assert main(["prepare", str(midi), str(out), "--vocabulary", "magenta"]) == 0
    assert f"files skipped: 1 (reasons in {out / REPORT})\n" in capsys.readouterr().out
    assert Corpus(out).vocabulary == MAGENTA and index(out)["seed"] == 0
    assert main(["prepare", str(midi), str(midi / "out")]) == 1
    assert "lies within the corpus" in capsys.readouterr().err
    assert main(["prepare", str(midi), str(out), "--seed", "x"]) == 2
