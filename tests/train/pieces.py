"""Pieces as training has them: events of scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liveperf.codec import encode, notes_array
from liveperf.events import OORE

Pieces = list[NDArray[np.uint16]]


def pieces_of(*counts: int) -> Pieces:
    """Pieces of so many notes; from 2 to 5 events a note and the first VELOCITY."""
    made = []
    for number, count in enumerate(counts):
        notes = [(i * 0.5, i * 0.5 + 0.4, 40 + number + i % 12, 64 + i % 20) for i in range(count)]
        made.append(encode(notes_array(notes), OORE).astype(np.uint16))
    return made
