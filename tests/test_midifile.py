"""Standard MIDI files: what is written is read, and what cannot be read is said in one line."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveperf.codec import Notes, notes_array
from liveperf.midifile import MidiFileError, from_start, note_messages, read_notes, write_messages

SCALE = notes_array([(i * 0.25, i * 0.25 + 0.2, 60 + i, 40 + i) for i in range(8)])


def on(pitch: int, time: int = 0, velocity: int = 64, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def pedal(value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=64, value=value, time=time, channel=channel)


def midi_bytes(kind: int, *tracks: Sequence[mido.Message | mido.MetaMessage]) -> bytes:
    """A file of tracks with times in ticks; 480 ticks are half a second."""
    file = mido.MidiFile(type=kind, ticks_per_beat=480)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


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
    music = [on(60), on(64, 480), off(60, 480), off(64, 480)]
    one = read(tmp_path, midi_bytes(0, [tempo, *music]))
    assert rows(one) == [(0, 2, 60), (1, 3, 64)]
    assert rows(read(tmp_path, midi_bytes(1, [tempo], music))) == rows(one)


def test_a_tempo_change_in_the_first_track_moves_the_second(tmp_path: Path) -> None:
    tempo = mido.MetaMessage("set_tempo", tempo=1_000_000, time=480)
    assert rows(read(tmp_path, midi_bytes(1, [tempo], [on(60), off(60, 960)]))) == [(0, 1.5, 60)]


def test_a_note_on_of_velocity_0_ends_a_note(tmp_path: Path) -> None:
    assert rows(read(tmp_path, midi_bytes(0, [on(60), on(60, 480, velocity=0), off(62, 480)]))) == [(0, 0.5, 60)]


def test_the_first_of_two_notes_of_a_pitch_ends_first(tmp_path: Path) -> None:
    content = midi_bytes(0, [on(60), on(60, 480), off(60, 480), off(60, 480)])
    assert rows(read(tmp_path, content)) == [(0, 1, 60), (0.5, 1.5, 60)]


def test_a_note_that_is_never_ended_lasts_to_the_end(tmp_path: Path) -> None:
    assert rows(read(tmp_path, midi_bytes(0, [on(60), on(62, 480), off(62, 480)]))) == [(0, 1, 60), (0.5, 1, 62)]


def test_the_pedal_lengthens_notes_from_a_track_of_its_own(tmp_path: Path) -> None:
    music, feet = [on(60), off(60, 480)], [pedal(127, 240), pedal(0, 720)]
    for tracks in ([music, feet], [feet, music], [[*feet], [], music]):
        assert rows(read(tmp_path, midi_bytes(1, *tracks))) == [(0, 1, 60)]


def test_drums_and_their_pedal_are_left_out(tmp_path: Path) -> None:
    drums = [on(36, channel=9), pedal(127, channel=9), off(36, 960, channel=9)]
    assert rows(read(tmp_path, midi_bytes(1, drums, [on(60), off(60, 480)]))) == [(0, 0.5, 60)]


def test_from_start_begins_at_0() -> None:
    moved = from_start(notes_array([(3, 4, 60, 64), (2.5, 5, 62, 64)]))
    assert rows(moved) == [(0, 2.5, 62), (0.5, 1.5, 60)]
    assert len(from_start(notes_array([]))) == 0


GOOD = midi_bytes(1, [mido.MetaMessage("set_tempo", tempo=400_000)], [on(60), off(60, 480), on(62), off(62, 480)])
UNREADABLE = {
    "zero length": (b"", "not a MIDI file"),
    "header only": (GOOD[:14], "not a MIDI file, or cut short"),
    "text": (b"once upon a time", "not a MIDI file"),
    "cut in the header": (GOOD[:9], "not a MIDI file, or cut short"),
    "cut in a track": (GOOD[:-9], "not a MIDI file, or cut short"),
    "type 2": (midi_bytes(2, [on(60), off(60, 480)]), "type 2 file .*save it as type 0 or 1"),
    "type 3": (GOOD[:8] + b"\0\3" + GOOD[10:], "type 3 file .*save it as type 0 or 1"),
    "SMPTE time": (GOOD[:12] + b"\xe7\x28" + GOOD[14:], "not in ticks a beat"),
    "no ticks": (GOOD[:12] + b"\0\0" + GOOD[14:], "not in ticks a beat"),
    "no tracks": (midi_bytes(1), "no notes"),
    "an empty track": (midi_bytes(0, []), "no notes"),
    "no notes": (midi_bytes(0, [pedal(127), pedal(0, 480)]), "no notes"),
    "drums only": (midi_bytes(0, [on(36, channel=9), off(36, 480, channel=9)]), "no notes"),
    "bad key signature": (GOOD[:14] + b"MTrk\0\0\0\5\0\xff\x59\2\x40\1" + GOOD[14:], "damaged"),
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
