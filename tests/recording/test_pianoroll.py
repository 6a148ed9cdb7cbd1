"""Piano rolls: every note is where it belongs, and the picture stays small."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.codec import Notes, notes_array
from liveperf.recording.pianoroll import COLOURS, KEY, LEFT, LEVELS, ROWS, TOP, WIDTH, duration, svg, thumbnail

SVG = "{http://www.w3.org/2000/svg}"
NONE = notes_array([])
Stroke = tuple[float, float, float]


def strokes(text: str, colour: str) -> list[tuple[Stroke, float]]:
    """((x, y, length), opacity) of all notes of a colour."""
    return [
        ((float(x), float(y), float(length)), float(path.get("stroke-opacity") or 1))
        for path in ElementTree.fromstring(text).iter(f"{SVG}path")
        if path.get("stroke") == colour
        for x, y, length in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)", path.get("d") or "")
    ]


def labels(text: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(text).iter(f"{SVG}text")]


def roll(human: Notes, machine: Notes = NONE, seconds: float = 10.0, title: str = "jam") -> str:
    return svg({"human": human, "machine": machine}, seconds, title)


def test_a_note_is_as_long_as_it_sounds_at_the_height_of_its_key() -> None:
    text = roll(notes_array([(2.5, 5.0, 60, 127)]))
    (((x, y, length), opacity),) = strokes(text, COLOURS[0])
    assert (x, length, opacity) == (LEFT + WIDTH / 4, WIDTH / 4, 1.0)
    bottom = TOP + 24 * KEY  # two octaves are shown
    assert y == bottom - 12.5 * KEY  # the lowest key of the upper
    assert strokes(text, COLOURS[1]) == []


def test_each_player_has_a_colour_and_a_count() -> None:
    text = roll(notes_array([(0, 1, 60, 64)]), notes_array([(1, 2, 72, 64), (2, 3, 74, 64)]))
    assert [len(strokes(text, colour)) for colour in COLOURS] == [1, 2]
    assert {"human: 1 notes", "machine: 2 notes", "jam"} <= set(labels(text))


def test_louder_is_stronger() -> None:
    velocities = [1, 30, 60, 90, 127]
    text = roll(notes_array([(i, i + 0.5, 60, velocity) for i, velocity in enumerate(velocities)]))
    opacities = [opacity for _, opacity in sorted(strokes(text, COLOURS[0]))]
    assert opacities == sorted(opacities) and len(set(opacities)) == 5
    assert 0 < opacities[0] < opacities[-1] == 1


def test_octaves_and_times_are_named() -> None:
    named = labels(roll(notes_array([(0, 1, 21, 64), (8, 9, 108, 64)])))
    assert [name for name in named if name.startswith("C")] == [f"C{number}" for number in range(0, 9)]
    assert {"0:00", "0:05", "0:10"} <= set(named)


def test_a_note_goes_on_in_the_next_row() -> None:
    text = roll(notes_array([(19.0, 41.0, 60, 64)]), seconds=60)
    found = [place for place, _ in strokes(text, COLOURS[0])]
    assert [length for _, _, length in found] == [WIDTH / 20, WIDTH, WIDTH / 20]
    assert len({y for _, y, _ in found}) == 3


@pytest.mark.parametrize("seconds", [0.0, 0.3, 10.0, 10.5, 59.0, 600.0, 3600.0, 36_000.0, 400_000.0])
def test_any_length_fits_in_some_rows(seconds: float) -> None:
    ends = notes_array([(0, 0, 60, 64), (seconds, seconds, 62, 64)])
    root = ElementTree.fromstring(roll(ends, seconds=seconds))
    frames = [one for one in root.iter(f"{SVG}rect") if one.get("stroke")]
    assert 1 <= len(frames) <= ROWS
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    for (x, y, length), _ in strokes(roll(ends, seconds=seconds), COLOURS[0]):
        assert LEFT <= x and x + length <= width and 0 < y < height
    assert sum(1 for name in labels(roll(ends, seconds=seconds)) if ":" in name) <= 13 * len(frames) + 2


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 90), st.floats(0, 30), st.integers(0, 127), st.integers(1, 127)), max_size=20)
)
def test_every_note_is_somewhere(rows: list[tuple[float, float, int, int]]) -> None:
    notes = notes_array([(start, start + length, pitch, velocity) for start, length, pitch, velocity in rows])
    for text in (roll(notes, seconds=120.0), thumbnail({"human": notes}, 120.0)):
        root = ElementTree.fromstring(text)
        found = strokes(text, COLOURS[0])
        assert bool(found) is bool(rows)
        assert all(length >= 1 for (_, _, length), _ in found)
        assert all(0 < y < float(root.get("height") or 0) for (_, y, _), _ in found)


def test_hours_of_music_make_no_more_than_the_picture_can_show() -> None:
    generator = np.random.default_rng(0)
    starts = np.sort(generator.uniform(0, 36_000, 50_000))
    pitches, velocities = generator.integers(21, 109, 50_000), generator.integers(1, 128, 50_000)
    notes = notes_array(list(zip(starts, starts + 0.2, pitches, velocities, strict=True)))
    assert len(svg({"human": notes, "machine": notes}, 36_000, "long")) < 4_000_000
    small = thumbnail({"human": notes, "machine": notes}, 36_000)
    assert len(small) < 150_000
    assert len(thumbnail({"human": notes[:500], "machine": notes[500:1000]}, 360)) < 15_000


def test_a_thumbnail_is_small_and_has_no_words() -> None:
    notes = notes_array([(0, 1, 60, 64), (1, 2, 64, 100)])
    text = thumbnail({"human": notes, "machine": NONE}, 2.0, 100, 30)
    root = ElementTree.fromstring(text)
    assert (root.get("width"), root.get("height"), labels(text)) == ("100", "30", [])
    assert [place[0] for place, _ in sorted(strokes(text, COLOURS[0]))] == [0, 50]


def test_a_title_may_hold_anything() -> None:
    assert "<a> & b" in labels(roll(NONE, title="<a> & b"))


def test_what_touches_at_the_same_loudness_is_one_stroke_and_else_two() -> None:
    notes = notes_array([(1, 2, 60, 64), (2, 3, 60, 64), (3, 4, 60, 127)])
    assert len(strokes(roll(notes), COLOURS[0])) == 2
    assert LEVELS > 2


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (86_399, "23:59:59")]
)
def test_how_a_time_is_written(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
