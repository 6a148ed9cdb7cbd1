"""A piano roll as an SVG picture: pitch over time, a colour for each player, louder is darker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from liveperf.codec import Notes

COLOURS = ("#b26a08", "#1c64a4")  # yours and its, as on the panel: told apart by the colour-blind, too
LEVELS = 6  # of loudness
WIDTH = 1200  # of the music, in px; times are drawn to a px
KEY = 4  # px a semitone
ROWS = 12  # at most
SPANS = (10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds a row has, before it is whole hours
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
LEFT, TOP, GAP = 40, 28, 26  # px: for names of octaves, for the title, between rows
OCTAVE = 12


@dataclass(frozen=True)
class _Row:
    """A stretch of time as a rectangle: `begin` and `span` in s, the rest in px; pitches low to high."""

    begin: float
    span: float
    left: int
    top: int
    width: int
    key: float
    low: int
    high: int

    @property
    def height(self) -> float:
        """In px."""
        return (self.high - self.low + 1) * self.key

    def x(self, seconds: float) -> int:
        """The px of a time; at an end for what lies outside."""
        part = min(max((seconds - self.begin) / self.span, 0.0), 1.0)
        return self.left + round(part * self.width)

    def y(self, pitch: float) -> str:
        """The px of a key's middle."""
        return f"{self.top + (self.high - pitch + 0.5) * self.key:g}"


def svg(notes: Mapping[str, Notes], seconds: float, title: str) -> str:
    """The notes of each player up to `seconds`, in rows of equal time, with axes and a title.

    Its size is bounded by what can be told apart in the picture, not by how long the music is.
    """
    low, high = _range(notes)
    span = next((span for span in SPANS if seconds <= span * (1 if span == SPANS[0] else ROWS)), None)
    if span is None:
        span = 3600 * -(-int(seconds) // (3600 * ROWS))
    count = max(-(-int(np.ceil(seconds)) // span), 1)
    step = (high - low + 1) * KEY + GAP
    rows = [_Row(i * span, span, LEFT, TOP + i * step, WIDTH, KEY, low, high) for i in range(count)]
    lines = [f'<text x="{LEFT}" y="17" font-size="13">{escape(title)}</text>', *_legend(notes)]
    for row in rows:
        lines += _axes(row)
    lines += _strokes(notes, rows, 1, LEVELS)
    return _document(lines, LEFT + WIDTH + 16, TOP + count * step, title)


def thumbnail(notes: Mapping[str, Notes], seconds: float, width: int = 240, height: int = 60) -> str:
    """The same in one small row without axes."""
    low, high = _range(notes)
    row = _Row(0, max(seconds, 1.0), 0, 0, width, height / (high - low + 1), low, high)
    return _document(list(_strokes(notes, [row], 2, 2)), width, height, "piano roll")


def _range(notes: Mapping[str, Notes]) -> tuple[int, int]:
    """The lowest and highest pitch to show: whole octaves, two at least."""
    pitches = np.concatenate([np.asarray(of["pitch"]) for of in notes.values()] or [np.array([], np.int64)])
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 60)
    low, top = low // OCTAVE * OCTAVE, (high // OCTAVE + 1) * OCTAVE
    if top - low < 2 * OCTAVE:
        low, top = (low - OCTAVE, top) if low >= 4 * OCTAVE else (low, top + OCTAVE)
    return low, min(top - 1, 127)


def _strokes(notes: Mapping[str, Notes], rows: list[_Row], grain: int, levels: int) -> Iterator[str]:
    """Notes as horizontal strokes: a path for each player and loudness, out of so many levels.

    grain: semitones that are told apart.
    """
    width = max(rows[0].key * grain * 0.85, 1)
    for colour, of in zip(COLOURS, notes.values(), strict=False):
        places = _places(of, rows, grain, levels)
        for level in range(1, levels + 1):
            data = "".join(
                f"M{begin} {rows[number].y(pitch)}h{end - begin}"
                for (number, pitch, at), spans in sorted(places.items())
                if at == level
                for begin, end in _joined(spans)
            )
            if data:
                style = f'stroke="{colour}" stroke-opacity="{0.25 + 0.75 * level / levels:.2f}"'
                yield f'<path {style} stroke-width="{width:g}" fill="none" d="{data}"/>'


Span = tuple[int, int]


def _places(notes: Notes, rows: list[_Row], grain: int, levels: int) -> dict[tuple[int, float, int], set[Span]]:
    """Where there are notes, from px to px: by row, pitch and loudness."""
    places: dict[tuple[int, float, int], set[Span]] = defaultdict(set)
    for start, end, pitch, velocity in notes.tolist():
        middle = pitch // grain * grain + (grain - 1) / 2
        level = 1 + velocity * (levels - 1) // 127
        first, last = (min(int(time // rows[0].span), len(rows) - 1) for time in (start, end))
        for number in range(first, last + 1):
            begin = rows[number].x(start)
            places[number, middle, level].add((begin, max(rows[number].x(end), begin + 1)))
    return places


def _joined(spans: set[Span]) -> Iterator[Span]:
    """What overlaps or touches, as one: it looks the same."""
    begin, end = -1, -1
    for span in sorted(spans):
        if span[0] > end:
            if end >= 0:
                yield begin, end
            begin, end = span
        end = max(end, span[1])
    yield begin, end


def _axes(row: _Row) -> Iterator[str]:
    yield (
        f'<rect x="{row.left}" y="{row.top}" width="{row.width}" height="{row.height:g}" fill="none" '
        'stroke="#bbb"/>'
    )
    for c in range(-(-row.low // OCTAVE) * OCTAVE, row.high + 1, OCTAVE):
        y = f"{row.top + (row.high - c + 1) * row.key:g}"  # under the key of C
        yield f'<path d="M{row.left} {y}h{row.width}" stroke="#ddd"/>'
        yield f'<text x="{row.left - 4}" y="{y}" text-anchor="end">C{c // OCTAVE - 1}</text>'
    tick = next((tick for tick in TICKS if row.span / tick <= 12), row.span / 12)
    bottom = f"{row.top + row.height:g}"
    for number in range(int(row.span // tick) + 1):
        x = row.x(row.begin + number * tick)
        yield f'<path d="M{x} {bottom}v4" stroke="#888"/>'
        yield (
            f'<text x="{x}" y="{row.top + row.height + 14:g}" text-anchor="middle">'
            f"{duration(row.begin + number * tick)}</text>"
        )


def _legend(notes: Mapping[str, Notes]) -> Iterator[str]:
    x = LEFT + WIDTH
    for colour, (player, of) in reversed(list(zip(COLOURS, notes.items(), strict=False))):
        text = f"{player}: {len(of)} notes"
        yield f'<text x="{x}" y="17" font-size="13" text-anchor="end" fill="{colour}">{escape(text)}</text>'
        x -= 8 * len(text) + 16


def duration(seconds: float) -> str:
    """A time as h:mm:ss or m:ss."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _document(lines: list[str], width: float, height: float, title: str) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" font-family="sans-serif" font-size="10">',
            f"<title>{escape(title)}</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *lines,
            "</svg>\n",
        ]
    )
