"""What has happened lately: added to by any thread in less than a microsecond, read by those who look on."""

from __future__ import annotations

import itertools
from typing import Generic, TypeVar

T = TypeVar("T")


class Ring(Generic[T]):
    """The last things that were added. A reader keeps a position; what the ring has forgotten, he has missed.

    No locks: the interpreter hands out each number once, and what is read is whole. Any thread calls anything.
    """

    def __init__(self, size: int) -> None:
        """size: how many it holds."""
        self._slots: list[tuple[int, T] | None] = [None] * size
        self._numbers = itertools.count()

    def add(self, thing: T) -> None:
        """One more. Does not block."""
        number = next(self._numbers)
        self._slots[number % len(self._slots)] = (number, thing)

    @property
    def end(self) -> int:
        """The position after all that is there."""
        return max((slot[0] + 1 for slot in list(self._slots) if slot is not None), default=0)

    def since(self, position: int) -> tuple[list[T], int]:
        """What was added from a position on, in order, and the position after it."""
        found: list[T] = []
        size = len(self._slots)
        while (slot := self._slots[position % size]) is not None and slot[0] >= position:
            if slot[0] > position:  # forgotten, and so is what came right after it: go on with the oldest
                position = slot[0] - size + 1
                continue
            found.append(slot[1])
            position += 1
        return found, position

    def last(self, count: int) -> list[T]:
        """The last few, in order."""
        return self.since(max(self.end - count, 0))[0]
