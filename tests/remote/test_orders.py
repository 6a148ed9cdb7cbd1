"""What is asked from outside is taken, or refused in words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.mapping.knobs import ACTIONS
from liveperf.params import ParamError, Params, table
from liveperf.playing.desk import RefusedError
from liveperf.remote import orders
from tests.remote.anything import ANYTHING, NAMES


def test_values_come_in_their_rows_types() -> None:
    found = orders.values({"density": 4, "transpose": -3.0, "mode": "solo"})
    assert found == {"density": 4.0, "transpose": -3, "mode": "solo"}
    assert [type(one) for one in found.values()] == [float, int, str]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([], "expected parameters and values"),
        ({}, "expected parameters and values"),
        ({"densty": 4}, "did you mean 'density'"),
        ({"self": 4}, "unknown parameter"),
        ({"density": [4]}, "density a list is not a value"),
        ({"density": None}, "density None is not a value"),
        ({"density": True}, "not a number"),
        ({"density": float("nan")}, "not a number"),
        ({"density": 10**400}, "not a number"),
        ({"mode": "loud"}, "not one of"),
    ],
)
def test_what_is_wrong_is_said(said: Any, why: str) -> None:
    with pytest.raises(ParamError, match=why):
        orders.values(said)


def test_a_message_is_short_however_long_the_question() -> None:
    for said in ({"x" * 60_000: 1}, "y" * 60_000, [1] * 60_000):
        with pytest.raises(ParamError) as error:
            orders.values(said)
        assert len(str(error.value)) < 700


@given(ANYTHING | st.dictionaries(NAMES, ANYTHING, max_size=3))
def test_anything_is_taken_or_refused(said: Any) -> None:
    for check in (orders.values, orders.action, orders.preset, orders.lesson):
        try:
            check(said)
        except (ParamError, RefusedError):
            continue
    try:
        taken = orders.values(said)
    except ParamError:
        return
    assert all(getattr(Params(), name) is not None for name in taken)


def test_all_actions_but_the_one_that_needs_a_name() -> None:
    assert {orders.action(name) for name in orders.ACTS} == set(ACTIONS) - {"preset"}
    with pytest.raises(RefusedError, match="did you mean 'panic'"):
        orders.action("panik")


@pytest.mark.parametrize("said", ["", "a\0b", "a\nb", "\ud800", "x" * 1001, 3, None, ["duet"]])
def test_what_cannot_be_the_name_of_a_preset(said: Any) -> None:
    with pytest.raises(RefusedError, match="is not the name"):
        orders.preset(said)


def test_a_lesson_is_a_name_or_what_a_map_would_say() -> None:
    assert orders.lesson(None) == (None, None)
    assert orders.lesson("panic") == ("panic", None)
    assert orders.lesson({"to": "density"}) == ("density", None)
    assert orders.lesson({"to": "density", "encoder": "binary_offset"}) == ("density", "binary_offset")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"to": "densty"}, "did you mean 'density'"),
        ({"to": ["density"]}, "no parameter or action a list"),
        ({"to": "density", "encoder": "binary"}, "encoder 'binary' is not one of twos_complement, binary_offset"),
        ({"to": "density", "encoder": ["binary_offset"]}, "encoder a list is not one of"),
        ({"to": "density", "pick_up": True}, 'expected {"to": name, "encoder": coding}'),
    ],
)
def test_a_lesson_that_cannot_be_is_refused(said: Any, why: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(why)):
        orders.lesson(said)


def test_the_table_says_all_of_a_row() -> None:
    found = {row["name"]: row for row in orders.rows(Params(density=4))}
    assert list(found) == [row.name for row in table()]
    assert found["density"]["value"] == 4 and found["density"]["default"] == 0
    assert found["density"]["range"] == [0, 32] and found["density"]["kind"] == "float"
    assert found["density"]["curve"] == "exponential" and found["density"]["unit"] == "notes/s"
    assert found["mode"]["kind"] == "choice" and found["mode"]["range"] is None
    assert found["mode"]["choices"] == ["answer", "solo", "duet"]
    assert found["polyphony"]["kind"] == "int"


def test_the_table_says_what_bounds_what() -> None:
    pairs = [(row["name"], row["at_least"], row["at_most"]) for row in orders.rows(Params())]
    assert [pair for pair in pairs if pair[1:] != (None, None)] == [
        ("lowest_pitch", None, "highest_pitch"),
        ("highest_pitch", "lowest_pitch", None),
        ("answer_shortest_s", None, "answer_longest_s"),
        ("answer_longest_s", "answer_shortest_s", None),
    ]
