"""Standard MIDI files: what is written is read, and what cannot be read is said in one line."""

from __future__ import annotations

import io
import random
import tracemalloc
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveperf import smf
from liveperf.codec import Notes, notes_array
from liveperf.midifile import MidiFileError, from_start, note_messages, notes_in, read_notes, write_messages
from tests.messages import off, on, pedal
from tests.midifiles import midi_bytes, musical, raw_bytes

SCALE = notes_array([(i * 0.25, i * 0.25 + 0.2, 60 + i, 40 + i) for i in range(8)])


def read(folder: Path, content: bytes) -> Notes:
    path = folder / "some.mid"
    path.write_bytes(content)
    return read_notes(path)


def rows(notes: Notes) -> list[tuple[float, float, int]]:
    return [(round(float(n["start"]), 3), round(float(n["end"]), 3), int(n["pitch"])) for n in notes]


note_rows = st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(60, 64), st.integers(1, 127))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(note_rows, min_size=1, max_size=20, unique_by=lambda row: (row[0], row[2])))
def test_notes_are_read_as_they_were_written(tmp_path: Path, drawn: list[tuple[int, int, int, int]]) -> None:
    # in slots of 10 s, so that the notes of a pitch do not overlap: a file cannot say which of two ends
    notes = notes_array([(slot * 10, slot * 10 + length * 1.001, p, v) for slot, length, p, v in drawn])
    write_messages(tmp_path / "some.mid", {"piano": note_messages(notes)})
    back = read_notes(tmp_path / "some.mid")
    for name in ("pitch", "velocity"):
        np.testing.assert_array_equal(back[name], notes[name])
    for name in ("start", "end"):
        np.testing.assert_allclose(back[name], notes[name], atol=0.0005 + 1e-9)


def test_rounding_to_ticks_does_not_add_up(tmp_path: Path) -> None:
    notes = notes_array([(i * 0.0334, i * 0.0334 + 0.0101, 60, 64) for i in range(3000)])
    write_messages(tmp_path / "some.mid", {"piano": note_messages(notes)})
    np.testing.assert_allclose(read_notes(tmp_path / "some.mid")["start"], notes["start"], atol=0.0005 + 1e-9)


def test_tracks_keep_their_names_and_are_merged_when_read(tmp_path: Path) -> None:
    path = tmp_path / "duet.mid"
    write_messages(path, {"human": note_messages(SCALE[:4]), "machine": note_messages(SCALE[4:], channel=1)})
    assert [track.name for track in mido.MidiFile(path).tracks] == ["human", "machine"]
    assert rows(read_notes(path)) == rows(SCALE)


def test_at_one_time_note_offs_are_written_first() -> None:
    notes = notes_array([(0, 1, 60, 64), (1, 2, 60, 64)])
    assert [(time, message.type) for time, message in note_messages(notes)] == [
        (0, "note_on"),
        (1, "note_off"),
        (1, "note_on"),
        (2, "note_off"),
    ]


def test_type_0_and_type_1_say_the_same(tmp_path: Path) -> None:
    tempo = mido.MetaMessage("set_tempo", tempo=1_000_000)
    music = [on(60), on(64, time=480), off(60, time=480), off(64, time=480)]
    one = read(tmp_path, midi_bytes(0, [tempo, *music]))
    assert rows(one) == [(0, 2, 60), (1, 3, 64)]
    assert rows(read(tmp_path, midi_bytes(1, [tempo], music))) == rows(one)


def test_a_tempo_change_in_the_first_track_moves_the_second(tmp_path: Path) -> None:
    tempo = mido.MetaMessage("set_tempo", tempo=1_000_000, time=480)
    assert rows(read(tmp_path, midi_bytes(1, [tempo], [on(60), off(60, time=960)]))) == [(0, 1.5, 60)]


def test_a_note_on_of_velocity_0_ends_a_note(tmp_path: Path) -> None:
    assert rows(read(tmp_path, midi_bytes(0, [on(60), on(60, velocity=0, time=480), off(62, time=480)]))) == [
        (0, 0.5, 60)
    ]


def test_the_first_of_two_notes_of_a_pitch_ends_first(tmp_path: Path) -> None:
    content = midi_bytes(0, [on(60), on(60, time=480), off(60, time=480), off(60, time=480)])
    assert rows(read(tmp_path, content)) == [(0, 1, 60), (0.5, 1.5, 60)]


def test_a_note_that_is_never_ended_lasts_to_the_end(tmp_path: Path) -> None:
    assert rows(read(tmp_path, midi_bytes(0, [on(60), on(62, time=480), off(62, time=480)]))) == [
        (0, 1, 60),
        (0.5, 1, 62),
    ]


def test_the_pedal_lengthens_notes_from_a_track_of_its_own(tmp_path: Path) -> None:
    music, feet = [on(60), off(60, time=480)], [pedal(127, time=240), pedal(0, time=720)]
    for tracks in ([music, feet], [feet, music], [[*feet], [], music]):
        assert rows(read(tmp_path, midi_bytes(1, *tracks))) == [(0, 1, 60)]


def test_drums_and_their_pedal_are_left_out(tmp_path: Path) -> None:
    drums = [on(36, channel=9), pedal(127, channel=9), off(36, channel=9, time=960)]
    assert rows(read(tmp_path, midi_bytes(1, drums, [on(60), off(60, time=480)]))) == [(0, 0.5, 60)]


@pytest.mark.parametrize(
    "before",
    [
        b"\0\xff\x59\2\x40\1",  # a key signature of 64 sharps
        b"\0\xff\x54\5\xff\xff\xff\xff\xff",  # a SMPTE offset of nonsense
        b"\0\xf0\2\1\xf7",
        b"\0\xf7\2\1\2",
        b"\0\xc0\5\0\xd0\7\0\xe0\1\2",
    ],
)
def test_what_is_not_of_music_does_not_spoil_it(before: bytes, tmp_path: Path) -> None:
    assert rows(read(tmp_path, raw_bytes(before + b"\0\x90<@\x83\x60<\0"))) == [(0, 0.5, 60)]


def test_running_status_outlasts_a_text_between(tmp_path: Path) -> None:
    content = raw_bytes(b"\0\x90<@\0\xff\1\2hi\x83\x60<\0")
    assert rows(read(tmp_path, content)) == [(0, 0.5, 60)]


def test_chunks_that_are_no_tracks_are_passed_over(tmp_path: Path) -> None:
    assert rows(read(tmp_path, GOOD[:14] + b"XFIH\0\0\0\3abc" + GOOD[14:])) == rows(read(tmp_path, GOOD))


def test_what_mido_reads_is_read_the_same(tmp_path: Path) -> None:
    """Every message of files with several tracks, tempos and ties in time."""
    for seed in range(20):
        content = musical(random.Random(seed))
        wanted, time = [], 0.0
        for message in mido.MidiFile(file=io.BytesIO(content), clip=True):
            time += message.time
            if not message.is_meta and message.type != "sysex":
                wanted.append((round(time, 9), *message.bytes()))
        found = [(round(time, 9), *said) for time, *said in smf.messages(content) if said[0] < 0xF0]
        assert found == wanted


def test_a_large_file_costs_little_memory() -> None:
    many = b"".join(bytes((10, key, 64, 30, key, 0)) for key in range(36, 96))
    content = raw_bytes(b"\0\x90<@" + many * 300)
    notes_in(content)
    tracemalloc.start()
    try:
        assert len(notes_in(content)) == 18_001
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 60 * len(content)  # mido's objects took 300 times as much


def test_from_start_begins_at_0() -> None:
    moved = from_start(notes_array([(3, 4, 60, 64), (2.5, 5, 62, 64)]))
    assert rows(moved) == [(0, 2.5, 62), (0.5, 1.5, 60)]
    assert len(from_start(notes_array([]))) == 0


GOOD = midi_bytes(
    1, [mido.MetaMessage("set_tempo", tempo=400_000)], [on(60), off(60, time=480), on(62), off(62, time=480)]
)
UNREADABLE = {
    "zero length": (b"", "not a MIDI file"),
    "header only": (GOOD[:14], "not a MIDI file, or cut short"),
    "text": (b"once upon a time", "not a MIDI file"),
    "cut in the header": (GOOD[:9], "not a MIDI file, or cut short"),
    "cut in a track": (GOOD[:-9], "not a MIDI file, or cut short"),
    "type 2": (midi_bytes(2, [on(60), off(60, time=480)]), "type 2 file .*save it as type 0 or 1"),
    "type 3": (GOOD[:8] + b"\0\3" + GOOD[10:], "type 3 file .*save it as type 0 or 1"),
    "SMPTE time": (GOOD[:12] + b"\xe7\x28" + GOOD[14:], "not in ticks a beat"),
    "no ticks": (GOOD[:12] + b"\0\0" + GOOD[14:], "not in ticks a beat"),
    "no tracks": (midi_bytes(1), "no notes"),
    "an empty track": (midi_bytes(0, []), "no notes"),
    "no notes": (midi_bytes(0, [pedal(127), pedal(0, time=480)]), "no notes"),
    "drums only": (midi_bytes(0, [on(36, channel=9), off(36, channel=9, time=480)]), "no notes"),
    "a message beyond its track": (GOOD[:14] + b"MTrk\0\0\0\2\0\x90" + GOOD[14:], "cut short"),
    "data before any status": (raw_bytes(b"\0<@"), "damaged .*data before any status"),
    "a status that there is not": (raw_bytes(b"\0\xf5"), "damaged .*status 0xf5"),
    "a tempo of a byte": (raw_bytes(b"\0\xff\x51\1\7"), "damaged .*tempo of 1 bytes"),
    "a number that does not end": (raw_bytes(b"\xff" * 5000 + b"\0\x90<@"), "damaged .*does not end"),
}


@pytest.mark.parametrize(("content", "reason"), list(UNREADABLE.values()), ids=list(UNREADABLE))
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(MidiFileError, match=f"some.mid: .*{reason}") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_and_a_folder_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match="none.mid: No such file"):
        read_notes(tmp_path / "none.mid")
    with pytest.raises(MidiFileError, match="Is a directory"):
        read_notes(tmp_path)


def test_random_bytes_are_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    generator = random.Random(0)
    for round_ in range(200):
        content = bytearray(GOOD) if round_ % 2 else bytearray(GOOD[:14] + generator.randbytes(60))
        for _ in range(round_ // 40):
            content[generator.randrange(len(content))] = generator.randrange(256)
        try:
            notes = read(tmp_path, bytes(content))
        except MidiFileError as error:
            assert "some.mid: " in str(error)
            assert "\n" not in str(error)
        else:
            assert np.all(notes["start"] >= 0)
            assert np.all(notes["end"] >= notes["start"])
