"""What has happened lately, however many add to it and however slowly it is read."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from liveperf.feed import Ring


@given(st.integers(1, 8), st.lists(st.integers(0, 20), max_size=20))
def test_a_reader_gets_all_that_the_ring_still_holds_in_order(size: int, batches: list[int]) -> None:
    ring: Ring[int] = Ring(size)
    position = added = 0
    for batch in batches:
        for number in range(added, added + batch):
            ring.add(number)
        added += batch
        found, position = ring.since(position)
        assert found == list(range(max(added - batch, added - size, 0), added))
        assert position == ring.end == added
    assert ring.last(3) == list(range(max(added - min(3, size), 0), added))


def test_what_is_there_before_one_looks_is_not_new() -> None:
    ring: Ring[str] = Ring(4)
    assert ring.end == 0 and ring.last(9) == [] and ring.since(0) == ([], 0)
    for letter in "abcdef":
        ring.add(letter)
    assert ring.since(ring.end) == ([], 6)
    ring.add("g")
    assert ring.since(6) == (["g"], 7)


def test_many_threads_add_and_nothing_is_lost_or_twice() -> None:
    ring: Ring[tuple[int, int]] = Ring(1 << 12)
    count, threads = 500, 4

    def add(who: int) -> None:
        for number in range(count):
            ring.add((who, number))

    adding = [threading.Thread(target=add, args=(who,)) for who in range(threads)]
    for thread in adding:
        thread.start()
    found, position = list[tuple[int, int]](), 0
    while any(thread.is_alive() for thread in adding) or position < ring.end:
        some, position = ring.since(position)
        found += some
    assert len(found) == count * threads
    for who in range(threads):
        assert [number for one, number in found if one == who] == list(range(count))
