"""Percentiles out of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveperf.playing.lateness import EDGES, FINENESS, Histogram, Lateness


@given(st.lists(st.floats(1e-5, 9.9), min_size=1, max_size=300), st.sampled_from([1, 50, 90, 99, 100]))
def test_a_percentile_is_that_of_the_numbers_within_a_class(numbers: list[float], percent: float) -> None:
    histogram = Histogram()
    for number in numbers:
        histogram.add(number)
    exact = float(np.percentile(numbers, percent, method="inverted_cdf"))
    assert exact * 0.999 <= histogram.percentile(percent) <= exact * 10 ** (1 / FINENESS) * 1.001
    assert histogram.total == len(numbers) and histogram.most == max(numbers)


@pytest.mark.parametrize("number", [0.0, -1e-9, 1e-7, 11.0, 1e6])
def test_what_is_outside_the_classes_is_counted_too(number: float) -> None:
    histogram = Histogram()
    histogram.add(number)
    assert histogram.summary() == {"p50": max(number, 0.0), "p99": max(number, 0.0), "max": max(number, 0.0)}


def test_nothing_has_no_summary() -> None:
    assert Histogram().summary() is None and Lateness().summary() is None


def test_a_minute_after_the_other() -> None:
    lateness = Lateness()
    lateness.add(0.001)
    assert lateness.turn().total == 1
    lateness.add(0.002)
    summary = lateness.summary()
    assert summary and summary["max"] == 0.002 and summary["p50"] == pytest.approx(0.001)
    assert lateness.turn().most == 0.002
    assert lateness.turn().summary() is None and lateness.summary() is None
    assert lateness.count == 2 and list(lateness.recent) == [0.001, 0.002]


def test_the_classes_go_up() -> None:
    assert list(EDGES) == sorted(EDGES) and EDGES[0] == pytest.approx(1e-5) and EDGES[-1] == pytest.approx(10)
