"""A piano roll of a MIDI file, as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from liveperf.codec import Notes
from liveperf.midifile import read_notes


def draw(path: Path, out: Path, seconds: float | None = None, rows: int = 2) -> None:
    """Draw a file's notes to a PNG, in rows of equal time; darker is louder. Raises MidiFileError, OSError."""
    notes = read_notes(path)
    drawn = figure(notes, min(seconds or float("inf"), float(notes["end"].max())), rows)
    drawn.savefig(out, dpi=110)
    plt.close(drawn)


def figure(notes: Notes, seconds: float, rows: int = 2) -> Figure:
    """Notes up to `seconds` as a picture; the caller closes it."""
    drawn, axes = plt.subplots(rows, 1, figsize=(12, 2.4 * rows), sharey=True, squeeze=False, layout="constrained")
    span = seconds / rows
    for row, axis in enumerate(axes[:, 0]):
        _draw_row(axis, notes, row * span, (row + 1) * span)
    axes[-1, 0].set_xlabel("seconds")
    return drawn


def _draw_row(axis: Axes, notes: Notes, begin: float, end: float) -> None:
    shown = notes[(notes["end"] > begin) & (notes["start"] < end)]
    boxes = [
        [(n["start"], n["pitch"] - 0.45), (n["start"], n["pitch"] + 0.45), (n["end"], n["pitch"] + 0.45),
         (n["end"], n["pitch"] - 0.45)]
        for n in shown
    ]  # fmt: skip
    colours = plt.get_cmap("viridis_r")(0.15 + 0.85 * shown["velocity"] / 127)
    axis.add_collection(PolyCollection(boxes, facecolors=colours, linewidths=0))
    low, high = int(notes["pitch"].min()) - 2, int(notes["pitch"].max()) + 2
    axis.set(xlim=(begin, end), ylim=(low, high), ylabel="pitch")
    axis.yaxis.set_major_locator(MultipleLocator(12))
    axis.grid(axis="y", alpha=0.3)
