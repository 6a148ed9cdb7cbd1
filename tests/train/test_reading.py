"""symusic against mido: files laid out in every way, and files that are broken, absurd or hostile."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import mido
import numpy as np
import pytest

from liveperf.codec import Notes, decode
from liveperf.events import OORE, EventType
from liveperf.midifile import MidiFileError, read_notes
from tests.messages import off, on, pedal, program
from tests.midifiles import Messages, midi_bytes, raw_bytes
from train import reading
from train.corpus import EVENT, digest
from train.pool import DEADLY, encode_files
from train.reading import Encoded, encode_file, read_notes_fast

TEMPO = mido.MetaMessage("set_tempo", tempo=400_000)
MUSIC = [on(60), off(60, time=480), on(62), off(62, time=480), on(0), off(0, time=240)]
FEET = [pedal(127, time=240), pedal(0, time=480)]
BOTH = [on(60), pedal(127, time=240), off(60, time=240), on(62), pedal(0, time=240), off(62, time=240)]
PROGRAM = program(5)
LONGEST_DELTA = b"\xff\xff\xff\x7f"  # 2 ** 28 - 1 ticks
LAYOUTS: dict[str, bytes] = {
    "type 0": midi_bytes(0, [TEMPO, *BOTH]),
    "type 1": midi_bytes(1, [TEMPO], BOTH),
    "two hands": midi_bytes(1, [TEMPO], BOTH, [on(40), off(40, time=900), on(40), off(40, time=900)]),
    "pedal in a last track": midi_bytes(1, [TEMPO], MUSIC, FEET),
    "pedal in a second of two tracks": midi_bytes(1, MUSIC, FEET),
    "pedal in the tempo track": midi_bytes(1, [TEMPO, *FEET], MUSIC),
    "pedal before a program change": midi_bytes(0, [pedal(127), PROGRAM, *MUSIC, pedal(0, time=480)]),
    "pedal on a channel without notes": midi_bytes(
        0, [on(60), pedal(127, channel=3, time=240), off(60, time=240), pedal(0, channel=3, time=480)]
    ),
    "pedal of the drums": midi_bytes(1, MUSIC, [pedal(127, channel=9, time=240), pedal(0, channel=9, time=900)]),
    "drums besides": midi_bytes(1, MUSIC, [on(36, channel=9), off(36, channel=9, time=100)]),
    "pedal pressed and let go at once": midi_bytes(
        0, [on(60), pedal(127, time=240), pedal(0), off(60, time=240), on(62), off(62, time=480)]
    ),
    "two notes of a pitch": midi_bytes(0, [on(60), on(60, 90, time=100), off(60, time=100), off(60, time=100)]),
    "a tempo change": midi_bytes(1, [TEMPO, mido.MetaMessage("set_tempo", tempo=900_000, time=600)], BOTH),
    "a note without length": midi_bytes(0, [on(60), off(60), on(62), off(62, time=100)]),
    "running status": raw_bytes(b"\0\x90<@" + 20 * b"\x40<\0\0@@" + b"\x40<\0" + 20 * b"\x10@\0"),
    "a length of many bytes": raw_bytes(b"\0\x90<@\x80\x80\x80\x80\x60<\0"),
    "more ticks than 32 bits": raw_bytes(b"\0\x90<@\x60<\0" + 9 * (LONGEST_DELTA + b"<@\x60<\0"), 0x7FFF),
    "data above 127": raw_bytes(b"\0\x90<\xc0\x60\x80<\0\0\xb0\x40\xff\0\x90\xbc@\x60\x80\xbc\0"),
    "more after the last track": midi_bytes(0, BOTH) + b"and then this",
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
                track += [
                    on(pitch, time=generator.randrange(300), velocity=generator.randrange(1, 128), channel=channel)
                ]
                if generator.random() < 0.5:
                    track += [pedal(generator.randrange(128), channel=channel, time=length // 2)]
                track += [off(pitch, channel=channel, time=length)]
            tracks.append(track)
        path.write_bytes(midi_bytes(1, [TEMPO], *tracks, [on(64), off(64, time=50)], FEET))
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
    "drums only": midi_bytes(0, [on(36, channel=9), off(36, channel=9, time=100)]),
    "fewer tracks than promised": GOOD[:11] + b"\3" + GOOD[12:],
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


def test_chunks_that_are_not_tracks_are_passed_over(tmp_path: Path) -> None:
    whole = LAYOUTS["type 0"]
    (tmp_path / "whole.mid").write_bytes(whole)
    (tmp_path / "more.mid").write_bytes(whole[:14] + b"XFIH\0\0\0\3abc" + whole[14:])
    assert_same(read_notes_fast(tmp_path / "more.mid"), read_notes(tmp_path / "whole.mid"))


LATE = b"\0\x90<@\x60<\0" + LONGEST_DELTA + b"<@\x60<\0"  # a second note, 2 ** 28 ticks after the first
ABSURD = {
    "lasts 78 hours, more than 24": raw_bytes(LATE),
    "lasts 37283 hours, more than 24": raw_bytes(LATE, 1),
    "1025 tracks, more than 1024": raw_bytes(b"\0\x90<@\x60<\0", tracks=1025),
    "lasts 78 hours, more than  24": midi_bytes(0, [on(60), off(60, time=0xFFFFFFF)]),
    "lasts 78  hours, more than 24": midi_bytes(
        0, [*BOTH, pedal(127), on(60), off(60, time=10), pedal(0, time=0xFFFFFFF)]
    ),
    "not a MIDI file": b"MThd and then nothing",
}


@pytest.mark.parametrize("reason", ABSURD)
def test_what_nobody_could_have_played_is_refused(reason: str, tmp_path: Path) -> None:
    (tmp_path / "some.mid").write_bytes(ABSURD[reason])
    said = encode_file(tmp_path / "some.mid", OORE, tmp_path / "out")
    assert isinstance(said, str) and said.startswith(" ".join(reason.split()))
    assert not (tmp_path / "out").exists()


def test_a_day_of_music_is_not_too_long(tmp_path: Path) -> None:
    hour = 480 * 2 * 3600
    (tmp_path / "some.mid").write_bytes(
        midi_bytes(0, [on(60), off(60, time=480), on(62, time=23 * hour), off(62, time=480)])
    )
    said = encode_file(tmp_path / "some.mid", OORE, tmp_path / "out")
    assert isinstance(said, Encoded) and 23 * 3600 < said.length < 24 * 3600
    events = np.fromfile(tmp_path / "out", EVENT)
    assert said == Encoded(len(events), digest(events))
    np.testing.assert_allclose(decode(events, OORE)["start"], [0, 23 * 3600 + 0.5], atol=0.02)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mid")
    (tmp_path / "folder.mid").mkdir()
    (tmp_path / "round.mid").symlink_to("round.mid")
    (tmp_path / "astray.mid").symlink_to("nowhere")
    with open(tmp_path / "large.mid", "wb") as file:
        file.truncate(reading.LARGEST_FILE + 1)
    for name, reason in {
        "pipe.mid": "not a regular file",
        "folder.mid": "not a regular file",
        "round.mid": "Too many levels of symbolic links",
        "astray.mid": "No such file or directory",
        "absent.mid": "No such file or directory",
        "large.mid": "larger than 64 MiB",
        "nul\0.mid": "cannot be read (ValueError: embedded null byte)",
        "x" * 300: "File name too long",
    }.items():
        assert encode_file(tmp_path / name, OORE, tmp_path / "out") == reason


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root, who reads everything, is nobody for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_file_that_may_not_be_read_is_refused(nobody: None) -> None:
    with tempfile.TemporaryDirectory() as folder:  # his own: where pytest's lie he may not go
        file = Path(folder, "some.mid")
        file.write_bytes(GOOD)
        file.chmod(0)
        assert encode_file(file, OORE, Path(folder, "out")) == "Permission denied"
        file.chmod(0o600)
        assert encode_file(file, OORE, Path(folder, "out")) != "Permission denied"


def test_a_large_file_that_symusic_refuses_is_not_given_to_mido(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST_FOR_OURS", 20)
    for name, reason in {
        "type 2": "not a MIDI file of type 0 or 1 with time in ticks a beat",
        "SMPTE time": "not a MIDI file of type 0 or 1 with time in ticks a beat",
        "cut in the notes": "a damaged MIDI file (cut short)",
        "no notes": "no notes in it",
    }.items():
        (tmp_path / "some.mid").write_bytes(UNREADABLE[name])
        assert encode_file(tmp_path / "some.mid", OORE, tmp_path / "out") == reason


def test_running_out_of_memory_is_the_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(reading, "encode", fail)
    (tmp_path / "some.mid").write_bytes(GOOD)
    assert encode_file(tmp_path / "some.mid", OORE, tmp_path / "out") == "cannot be read (MemoryError: no more)"


def test_a_disk_that_takes_no_events_is_not(tmp_path: Path) -> None:
    (tmp_path / "some.mid").write_bytes(GOOD)
    with pytest.raises(FileNotFoundError):
        encode_file(tmp_path / "some.mid", OORE, tmp_path / "absent" / "out")


def damaged(generator: random.Random) -> bytes:
    """A file of random bytes, or one that was good."""
    if generator.random() < 0.2:
        return generator.randbytes(generator.randrange(300))
    content = bytearray(generator.choice(list(LAYOUTS.values())))
    if generator.random() < 0.2:
        return bytes(content[: generator.randrange(len(content))])
    for _ in range(generator.randrange(1, 4)):
        at = generator.randrange(14 if generator.random() < 0.9 else 0, len(content))
        content[at] = generator.choice((generator.randrange(256), 0, 0x7F, 0x80, 0xF0, 0xF7, 0xFF))
    return bytes(content)


def test_whatever_is_in_a_file_there_is_an_answer(tmp_path: Path) -> None:
    generator = random.Random(0)
    jobs = [(tmp_path / f"{i}.mid", OORE, tmp_path / f"{i}.out") for i in range(400)]
    for path, _, _ in jobs:
        path.write_bytes(damaged(generator))
    shift = OORE.first[EventType.TIME_SHIFT]
    answers = list(encode_files(jobs))
    for said, (_, _, out) in zip(answers, jobs, strict=True):
        if isinstance(said, str):
            assert said not in ("", DEADLY) and not said.startswith("cannot be read") and not out.exists()
        else:
            events = np.fromfile(out, EVENT)
            assert said == Encoded(len(events), digest(events)) and events.max() < OORE.size
            assert ((events >= shift) & (events < shift + OORE.max_shift)).sum() < 25 * 3600 + len(events) / 2
            assert len(decode(events, OORE))
    kinds = [type(said) for said in answers]
    assert min(kinds.count(str), kinds.count(Encoded)) > 50


def assert_same(fast: Notes, slow: Notes) -> None:
    """The same notes, times to a tenth of a millisecond in a few minutes, to some in hours."""
    fast, slow = (x[np.lexsort((np.round(x["start"], 3), x["pitch"]))] for x in (fast, slow))
    for name in ("pitch", "velocity"):
        np.testing.assert_array_equal(fast[name], slow[name])
    for name in ("start", "end"):
        np.testing.assert_allclose(fast[name], slow[name], rtol=1e-6, atol=1e-4)
