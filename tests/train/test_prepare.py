"""A corpus of MIDI files becomes shards of events, and comes back."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest

from liveperf.codec import Notes, encode, notes_array
from liveperf.events import MAGENTA, OORE
from liveperf.midifile import MidiFileError, note_messages, read_notes, write_messages
from train import prepare as module
from train.prepare import Corpus, find_pieces, prepare, read_notes_fast

Messages = Sequence[mido.Message | mido.MetaMessage]
TEMPO = mido.MetaMessage("set_tempo", tempo=400_000)


def scale(root: int, length: int) -> Notes:
    return notes_array([(i * 0.2, i * 0.2 + 0.16, root + i % 12, 40 + i) for i in range(length)])


def write_corpus(folder: Path, lengths: Sequence[int]) -> list[str]:
    """Scales of so many notes each; their names in order."""
    (folder / "sub").mkdir(parents=True)
    names = [f"sub/{i:02}.{'midi' if i % 2 else 'MID'}" for i in range(len(lengths))]
    for i, (name, length) in enumerate(zip(names, lengths, strict=True)):
        write_messages(folder / name, {"piano": note_messages(scale(40 + i, length))})
    return names


def write_table(folder: Path, rows: Sequence[tuple[str, str]]) -> None:
    with open(folder / "corpus-v1.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["canonical_composer", "split", "midi_filename", "duration"])
        table.writerows([["Frédéric, somebody", split, name, "1.0"] for name, split in rows])


def assert_comes_back(out: Path, lengths: Sequence[int], names: Sequence[str]) -> None:
    """Every piece of the train split is the scale that it was."""
    index = json.loads((out / "corpus.json").read_text())
    entries = [entry for entry in index["pieces"] if entry["split"] == "train"]
    pieces = Corpus(out).pieces("train")
    assert len(pieces) == len(entries)
    for entry, piece in zip(entries, pieces, strict=True):
        i = names.index(entry["file"])
        np.testing.assert_array_equal(piece, encode(scale(40 + i, lengths[i]), OORE))


def test_a_folder_is_split_by_file_the_same_way_every_time(tmp_path: Path) -> None:
    names = write_corpus(tmp_path, [3] * 21)
    (tmp_path / "notes.txt").write_text("not music")
    pieces = find_pieces(tmp_path)
    assert pieces == find_pieces(tmp_path)
    assert sorted(file for file, _ in pieces) == sorted(names)
    splits = [split for _, split in pieces]
    assert (splits.count("test"), splits.count("validation"), splits.count("train")) == (2, 2, 17)
    assert find_pieces(tmp_path, seed=1) != pieces


def test_a_table_decides_the_splits_and_the_order(tmp_path: Path) -> None:
    names = write_corpus(tmp_path, [3] * 4)
    rows = list(zip(reversed(names), ["test", "train", "validation", "train"], strict=True))
    write_table(tmp_path, rows)
    assert find_pieces(tmp_path) == rows


def test_a_table_of_something_else_is_passed_over(tmp_path: Path) -> None:
    names = write_corpus(tmp_path, [3] * 2)
    (tmp_path / "a.csv").write_text("title,year\nx,1900\n")
    (tmp_path / "empty.csv").write_text("")
    assert sorted(file for file, _ in find_pieces(tmp_path)) == sorted(names)
    write_table(tmp_path, [(names[0], "test")])
    assert find_pieces(tmp_path) == [(names[0], "test")]


def test_pieces_come_back_and_broken_files_are_left_out_with_a_reason(tmp_path: Path) -> None:
    midi, out = tmp_path / "midi", tmp_path / "out"
    lengths = [5, 30, 12]
    names = write_corpus(midi, lengths)
    (midi / "broken.mid").write_bytes(b"MThd and then nothing")
    (midi / "silent.mid").write_bytes(midi_bytes(0, [pedal(127)]))
    rows = [(name, "train") for name in [*names, "broken.mid", "silent.mid", "absent.mid"]]
    write_table(midi, rows)
    counts = prepare(midi, out, OORE)
    assert_comes_back(out, lengths, names)
    pieces = Corpus(out).pieces("train")
    assert counts == {"train": sum(map(len, pieces)), "validation": 0, "test": 0}
    assert all(isinstance(piece, np.memmap) and piece.dtype == np.uint16 for piece in pieces)
    skipped = json.loads((out / "corpus.json").read_text())["skipped"]
    assert [row["file"] for row in skipped] == ["broken.mid", "silent.mid", "absent.mid"]
    for row, reason in zip(skipped, ["cut short", "no notes in it", "No such file"], strict=True):
        assert reason in row["reason"]


def test_silence_before_the_first_note_is_cut(tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    late = scale(40, 5)
    late["start"] += 20
    late["end"] += 20
    write_messages(tmp_path / "midi/late.mid", {"piano": note_messages(late)})
    prepare(tmp_path / "midi", tmp_path / "out", OORE)
    (piece,) = Corpus(tmp_path / "out").pieces("train")
    np.testing.assert_array_equal(piece, encode(scale(40, 5), OORE))


def test_the_vocabulary_is_kept(tmp_path: Path) -> None:
    write_corpus(tmp_path / "midi", [5])
    prepare(tmp_path / "midi", tmp_path / "out", MAGENTA)
    corpus = Corpus(tmp_path / "out")
    assert corpus.vocabulary == MAGENTA
    np.testing.assert_array_equal(corpus.pieces("train")[0], encode(scale(40, 5), MAGENTA))


def test_a_corpus_without_music_raises(tmp_path: Path) -> None:
    (tmp_path / "broken.mid").write_bytes(b"")
    with pytest.raises(ValueError, match="no MIDI file with notes in it .1 skipped"):
        prepare(tmp_path, tmp_path / "out", OORE)


def test_pieces_come_back_from_shards_that_fill_up_in_every_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = [4, 4, 30, 2, 2, 4, 8, 1, 30, 30, 3, 4]
    names = write_corpus(tmp_path / "midi", lengths)
    write_table(tmp_path / "midi", [(name, "test" if i == 7 else "train") for i, name in enumerate(names)])
    sizes = [len(encode(scale(40 + i, length), OORE)) for i, length in enumerate(lengths)]
    # exactly full after two pieces; a piece longer than a shard, first, last or alone; one that just fits
    for limit in (1, sizes[0] + sizes[1], max(sizes) - 1, max(sizes), sum(sizes) - 1, sum(sizes)):
        out = tmp_path / f"out{limit}"
        monkeypatch.setattr(module, "SHARD_EVENTS", limit)
        counts = prepare(tmp_path / "midi", out, OORE)
        assert_comes_back(out, lengths, names)
        assert counts == {"train": sum(sizes) - sizes[7], "validation": 0, "test": sizes[7]}
        shards = [np.load(path, mmap_mode="r") for path in sorted(out.glob("train-*.npy"))]
        assert sum(map(len, shards)) == counts["train"]
        assert all(len(shard) <= max(limit, *sizes) for shard in shards)
        assert len(shards) > 1 or limit >= counts["train"]


# symusic against mido: files that differ in how their tracks and channels are laid out.


def on(pitch: int, time: int = 0, velocity: int = 64, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def pedal(value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=64, value=value, time=time, channel=channel)


def midi_bytes(kind: int, *tracks: Messages) -> bytes:
    file = mido.MidiFile(type=kind, ticks_per_beat=480)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


MUSIC = [on(60), off(60, 480), on(62), off(62, 480), on(0), off(0, 240)]
FEET = [pedal(127, 240), pedal(0, 480)]
BOTH = [on(60), pedal(127, 240), off(60, 240), on(62), pedal(0, 240), off(62, 240)]
PROGRAM = mido.Message("program_change", program=5)
LAYOUTS: dict[str, bytes] = {
    "type 0": midi_bytes(0, [TEMPO, *BOTH]),
    "type 1": midi_bytes(1, [TEMPO], BOTH),
    "two hands": midi_bytes(1, [TEMPO], BOTH, [on(40), off(40, 900), on(40), off(40, 900)]),
    "pedal in a last track": midi_bytes(1, [TEMPO], MUSIC, FEET),
    "pedal in a second of two tracks": midi_bytes(1, MUSIC, FEET),
    "pedal in the tempo track": midi_bytes(1, [TEMPO, *FEET], MUSIC),
    "pedal before a program change": midi_bytes(0, [pedal(127), PROGRAM, *MUSIC, pedal(0, 480)]),
    "pedal on a channel without notes": midi_bytes(
        0, [on(60), pedal(127, 240, channel=3), off(60, 240), pedal(0, 480, channel=3)]
    ),
    "pedal of the drums": midi_bytes(1, MUSIC, [pedal(127, 240, channel=9), pedal(0, 900, channel=9)]),
    "drums besides": midi_bytes(1, MUSIC, [on(36, channel=9), off(36, 100, channel=9)]),
    "pedal pressed and let go at once": midi_bytes(
        0, [on(60), pedal(127, 240), pedal(0), off(60, 240), on(62), off(62, 480)]
    ),
    "two notes of a pitch": midi_bytes(0, [on(60), on(60, 100, 90), off(60, 100), off(60, 100)]),
    "a tempo change": midi_bytes(1, [TEMPO, mido.MetaMessage("set_tempo", tempo=900_000, time=600)], BOTH),
    "a note without length": midi_bytes(0, [on(60), off(60), on(62), off(62, 100)]),
}


@pytest.mark.parametrize("content", list(LAYOUTS.values()), ids=list(LAYOUTS))
def test_symusic_reads_what_mido_reads(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.mid"
    path.write_bytes(content)
    assert_same(read_notes_fast(path), read_notes(path))


def test_symusic_reads_what_mido_reads_of_random_music(tmp_path: Path) -> None:
    generator = random.Random(0)
    path = tmp_path / "some.mid"
    for _ in range(30):
        tracks: list[Messages] = []
        for channel in range(3):
            track: list[mido.Message] = []
            for _ in range(generator.randrange(20)):
                pitch, length = generator.randrange(128), generator.randrange(1, 900)
                track += [on(pitch, generator.randrange(300), generator.randrange(1, 128), channel)]
                if generator.random() < 0.5:
                    track += [pedal(generator.randrange(128), length // 2, channel)]
                track += [off(pitch, length, channel)]
            tracks.append(track)
        path.write_bytes(midi_bytes(1, [TEMPO], *tracks, [on(64), off(64, 50)], FEET))
        assert_same(read_notes_fast(path), read_notes(path))


GOOD = LAYOUTS["type 1"]
UNREADABLE = {
    "nothing": b"",
    "cut in the header": GOOD[:9],
    "cut after the header": GOOD[:14],
    "cut in the tempo track": GOOD[:25],
    "cut in the notes": GOOD[:-5],
    "type 2": GOOD[:8] + b"\0\2" + GOOD[10:],
    "SMPTE time": GOOD[:12] + b"\xe7\x28" + GOOD[14:],
    "no ticks": GOOD[:12] + b"\0\0" + GOOD[14:],
    "no notes": midi_bytes(1, [TEMPO], FEET),
    "drums only": midi_bytes(0, [on(36, channel=9), off(36, 100, channel=9)]),
}


@pytest.mark.parametrize("content", list(UNREADABLE.values()), ids=list(UNREADABLE))
def test_what_mido_refuses_is_refused_for_the_same_reason(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.mid"
    path.write_bytes(content)
    with pytest.raises(MidiFileError) as slow:
        read_notes(path)
    with pytest.raises(MidiFileError) as fast:
        read_notes_fast(path)
    assert str(fast.value) == str(slow.value)


def assert_same(fast: Notes, slow: Notes) -> None:
    fast, slow = (x[np.lexsort((np.round(x["start"], 3), x["pitch"]))] for x in (fast, slow))
    for name in ("pitch", "velocity"):
        np.testing.assert_array_equal(fast[name], slow[name])
    for name in ("start", "end"):
        np.testing.assert_allclose(fast[name], slow[name], atol=1e-4)
