"""What all fuzzing shares: how much of it, damage to bytes, and the counts that are printed at the end."""

from __future__ import annotations

import os
import random
from collections import Counter

FACTOR = float(os.environ.get("LIVEPERF_FUZZ", "1"))  # LIVEPERF_FUZZ=20: twenty times as much
counts: Counter[str] = Counter()

_TELLING = (0, 1, 0x7F, 0x80, 0xFF)


def times(number: int) -> int:
    """How many of something, given how many there are by default."""
    return max(1, round(number * FACTOR))


def damaged(content: bytes, dice: random.Random) -> bytes:
    """A few bits flipped, bytes replaced, put in, taken out or repeated, or the end cut off."""
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16))):
        at = dice.randrange(len(data) + 1)
        length = dice.choice((1, 1, 2, 4, 8, 64))
        kind = dice.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at : at + 1] = bytes([dice.choice(_TELLING)])
        elif kind == 2:
            data[at : at + length] = dice.randbytes(length)
        elif kind == 3:
            data[at:at] = dice.randbytes(length)
        elif kind == 4:
            del data[at : at + length]
        elif kind == 5:
            data[at:at] = data[at : at + length] * dice.choice((1, 2, 100))
        elif dice.random() < 0.2:
            del data[at:]
    return bytes(data)
