"""The table of live parameters: what a row takes, what a knob makes of it, and how it says no."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.params import MODES, ParamError, Params, Row, nearest, row_named, table

ROWS = table()
NUMBERS = [row for row in ROWS if not row.choices]
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
numbers = pytest.mark.parametrize("row", NUMBERS, ids=lambda row: row.name)

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.complex_numbers(),
    st.sampled_from([10**400, "inf", "nan", "1e999", *MODES]),
    st.lists(st.integers()),
)


def test_every_field_is_a_row() -> None:
    assert [row.name for row in ROWS] == [f.name for f in dataclasses.fields(Params)]
    assert {row.name: row.default for row in ROWS} == dataclasses.asdict(Params())


@rows
def test_a_row_explains_itself(row: Row) -> None:
    assert row.help
    assert row.bounds
    assert row.unit in row.bounds
    assert row.check(row.default) == row.default


@given(st.sampled_from(ROWS), anything)
def test_a_value_is_taken_or_refused_in_one_line(row: Row, value: Any) -> None:
    try:
        taken = row.check(value)
    except ParamError as error:
        assert str(error).startswith(row.name)
        assert "\n" not in str(error)
        assert (", ".join(row.choices) or row.bounds) in str(error)
    else:
        assert taken in row.choices if row.choices else row.low <= taken <= row.high
        assert row.check(taken) == taken
        assert type(taken) is row.kind


@numbers
def test_bounds_are_within(row: Row) -> None:
    assert row.check(row.low) == row.low
    assert row.check(row.high) == row.high
    for outside in (row.low - 1, row.high + 1):
        with pytest.raises(ParamError, match=f"{row.name} {outside:g} is outside {row.low:g} to {row.high:g}"):
            row.check(outside)


@pytest.mark.parametrize("value", [True, None, "loud", float("nan"), [1]])
@numbers
def test_not_a_number(row: Row, value: Any) -> None:
    with pytest.raises(ParamError, match="is not a (whole )?number"):
        row.check(value)


def test_no_half_notes() -> None:
    with pytest.raises(ParamError, match=r"polyphony 3.5 is not a whole number \(1 to 128 notes\)"):
        Params(polyphony=3.5)  # type: ignore[arg-type]


@rows
def test_a_knob_goes_through_the_range(row: Row) -> None:
    travel = [row.from_knob(position) for position in range(128)]
    assert [row.check(value) for value in travel] == travel
    if row.choices:
        assert list(dict.fromkeys(travel)) == list(row.choices)
    else:
        assert (travel[0], travel[-1]) == (row.low, row.high)
        assert travel == sorted(travel)


def test_an_exponential_knob_is_even_to_the_ear() -> None:
    row = row_named("note_limit_s")
    ratios = [row.from_knob(position + 1) / row.from_knob(position) for position in range(127)]
    assert min(ratios) == pytest.approx(max(ratios))


def test_an_unknown_parameter_names_the_nearest() -> None:
    with pytest.raises(ParamError, match="unknown parameter 'temprature'; did you mean 'temperature'?"):
        Params().replace(temprature=1)
    with pytest.raises(ParamError, match="there are answer_length, .*turn_gap_s"):
        row_named("zzz")
    assert nearest("duett", ["duet", "solo"]) == "; did you mean 'duet'?"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lowest_pitch": 61, "highest_pitch": 60}, "lowest_pitch 61 is above highest_pitch 60"),
        (
            {"answer_shortest_s": 9, "answer_longest_s": 8.5},
            "answer_shortest_s 9 is above answer_longest_s 8.5",
        ),
        ({"mode": "trio"}, "mode 'trio' is not one of answer, solo, duet"),
    ],
)
def test_what_does_not_fit_together(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParamError, match=message):
        Params(**values)


def test_a_setting_is_a_value() -> None:
    before = Params()
    after = before.replace(density="4", polyphony=2.0)
    assert (before.density, after.density, after.polyphony) == (0.0, 4.0, 2)
    assert type(after.polyphony) is int
    with pytest.raises(dataclasses.FrozenInstanceError):
        after.density = 5.0  # type: ignore[misc]
