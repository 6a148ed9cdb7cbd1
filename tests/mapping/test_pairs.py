"""Fourteen bits in two halves, from senders of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.mapping.pairs import TOP, Pair

Half = tuple[bool, int]  # whether it is the fine one, and its value
positions = st.lists(st.integers(0, TOP), min_size=1, max_size=40)
sweeps = st.builds(lambda found, back: sorted(found, reverse=back), positions, st.booleans())
slow = st.builds(
    lambda start, step: list(range(start, start + 400, step)), st.integers(0, 9000), st.integers(1, 50)
)


def halves(position: int) -> tuple[Half, Half]:
    """The coarse and the fine one."""
    return (False, position >> 7), (True, position & 127)


def coarse_first(found: list[int]) -> Iterator[list[Half]]:
    """Both, each time."""
    yield from ([*halves(position)] for position in found)


def fine_first(found: list[int]) -> Iterator[list[Half]]:
    """Both, each time."""
    yield from ([*reversed(halves(position))] for position in found)


def sparing(found: list[int]) -> Iterator[list[Half]]:
    """The coarse one only where it has changed."""
    last = None
    for position in found:
        coarse, fine = halves(position)
        yield [fine] if coarse == last else [coarse, fine]
        last = coarse


SENDERS: list[Callable[[list[int]], Iterator[list[Half]]]] = [coarse_first, fine_first, sparing]


def after(pair: Pair, *came: Half) -> Pair:
    for is_fine, value in came:
        pair = pair.with_fine(value) if is_fine else pair.with_coarse(value)
    return pair


@pytest.mark.parametrize("sender", SENDERS)
@given(sweeps)
def test_a_sweep_that_goes_one_way_gives_values_that_go_one_way(
    sender: Callable[[list[int]], Iterator[list[Half]]], sweep: list[int]
) -> None:
    pair, parts = Pair(), list[float]()
    for position, sent in zip(sweep, sender(sweep), strict=True):
        for half in sent:
            pair = after(pair, half)
            if pair.fine is not None and pair.part is not None:  # the very first coarse half may be all there is
                parts.append(pair.part)
        assert pair.part == position / TOP and not pair.waits
    assert parts in (sorted(parts), sorted(parts, reverse=True))


@pytest.mark.parametrize("sender", [coarse_first, sparing])
@given(positions)
def test_every_value_arrives_wherever_the_hand_goes(
    sender: Callable[[list[int]], Iterator[list[Half]]], found: list[int]
) -> None:
    pair = Pair()
    for position, sent in zip(found, sender(found), strict=True):
        pair = after(pair, *sent)
        assert pair.part == position / TOP


@given(st.lists(st.integers(0, 127), min_size=1, max_size=40), st.lists(st.integers(0, TOP), max_size=3))
def test_coarse_halves_alone_are_seven_bits_to_the_very_end(found: list[int], before: list[int]) -> None:
    pair = after(Pair(), *(half for position in before for half in halves(position)))
    for number, value in enumerate(found):
        pair = after(pair, (False, value))
        assert pair.part == value / 127 or (before and not number and pair.waits)


@pytest.mark.parametrize("sender", [coarse_first, sparing])
@given(slow, st.booleans())
def test_who_comes_in_the_middle_of_a_pair_finds_his_way(
    sender: Callable[[list[int]], Iterator[list[Half]]], sweep: list[int], back: bool
) -> None:
    """Once the coarse half has changed, and one message more, all is as it is meant."""
    sweep = sweep[::-1] if back else sweep
    pair = after(Pair(), (True, sweep[0] & 127))
    crossed = next(i for i, position in enumerate(sweep) if position >> 7 != sweep[1] >> 7 and i)
    for number, sent in enumerate(sender(sweep[1:]), start=1):
        pair = after(pair, *sent)
        assert number < crossed + 2 or pair.part == sweep[number] / TOP


def test_halves_that_say_nothing_by_themselves() -> None:
    assert after(Pair(), (True, 9)).part is None
    assert after(Pair(), (True, 9), (True, 8)).part is None
    assert after(Pair(), (True, 9), (True, 8), (False, 64), (True, 7)).part == (64 * 128 + 7) / TOP
    twice = after(Pair(), (True, 9), (False, 64), (False, 65))
    assert twice.part == 65 / 127 and twice.fine is None
