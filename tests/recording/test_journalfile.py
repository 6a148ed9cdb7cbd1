"""The journal's format: what is written is read, and nothing that was not written ever is."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveperf.recording.journalfile import (
    END,
    PARAMS,
    START,
    RecordError,
    Row,
    Start,
    ends,
    line,
    parse,
    read,
    tally,
)
from tests.recordings import NOON

times = st.integers(0, 10**9).map(lambda us: us / 1e6)
low = st.integers(0, 127)
hexes = st.one_of(
    st.tuples(st.sampled_from([*range(0x80, 0xC0), *range(0xE0, 0xF0)]), low, low),
    st.tuples(st.integers(0xC0, 0xDF), low),
).map(lambda message: bytes(message).hex())
values = st.dictionaries(
    st.text(max_size=8), st.one_of(st.text(max_size=8), st.integers(), st.floats(0, 9)), max_size=3
)
rows = st.one_of(
    st.builds(Row, times, st.sampled_from(["human", "machine"]), hexes),
    st.builds(Row, times, st.just(PARAMS), values),
    st.builds(Row, times, st.just(END), st.dictionaries(st.text(max_size=8), st.integers(0, 10**6), max_size=3)),
)
journals = st.lists(rows, min_size=1, max_size=12)
on_disk = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def contents(path: Path, data: bytes) -> list[Row]:
    path.write_bytes(data)
    return list(read(path))


@on_disk
@given(journals)
def test_what_is_written_is_read(tmp_path: Path, written: list[Row]) -> None:
    path = tmp_path / "some.jsonl"
    assert contents(path, b"".join(map(line, written))) == written
    assert ends(path) == (written[0], written[-1])


@given(rows)
def test_a_line_is_one_line_of_json(row: Row) -> None:
    text = line(row)
    assert text.count(b"\n") == 1 and text.endswith(b"\n")
    assert json.loads(text)[:3] == [row.time_s, row.kind, row.data]


@on_disk
@given(journals, st.data())
def test_a_file_that_is_cut_anywhere_keeps_what_is_before_the_cut(
    tmp_path: Path, written: list[Row], data: st.DataObject
) -> None:
    lines = [line(row) for row in written]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    kept = sum(len(b"".join(lines[: i + 1])) - 1 <= cut for i in range(len(lines)))  # the newline may be missing
    assert contents(tmp_path / "some.jsonl", whole[:cut]) == written[:kept]


@on_disk
@given(journals, journals, st.binary(max_size=60))
def test_garbage_in_the_middle_costs_what_it_touches_and_invents_nothing(
    tmp_path: Path, before: list[Row], after: list[Row], garbage: bytes
) -> None:
    data = b"".join(map(line, before)) + garbage + b"\n" + b"".join(map(line, after))
    assert contents(tmp_path / "some.jsonl", data) == before + after


@on_disk
@given(journals, st.data())
def test_whatever_is_written_over_it_the_rest_is_read(
    tmp_path: Path, written: list[Row], data: st.DataObject
) -> None:
    lines = [line(row) for row in written]
    whole = bytearray(b"".join(lines))
    begin = data.draw(st.integers(0, len(whole) - 1))
    garbage = data.draw(st.binary(min_size=1, max_size=min(len(whole) - begin, 80)))
    whole[begin : begin + len(garbage)] = garbage
    spared, position = [], 0
    for row, text in zip(written, lines, strict=True):
        touched = position - 1 < begin + len(garbage) and begin < position + len(text)  # or the newline before
        spared += [] if touched else [row]
        position += len(text)
    found = contents(tmp_path / "some.jsonl", bytes(whole))
    waiting = iter(found)
    assert all(row in waiting for row in spared)  # in order
    waiting = iter(written)
    assert all(row in waiting for row in found)


@given(rows, st.integers(0, 200), st.integers(1, 255))
def test_no_byte_can_change_unnoticed(row: Row, place: int, change: int) -> None:
    text = bytearray(line(row)[:-1])
    text[place % len(text)] ^= change
    assert parse(bytes(text)) in (None, row)


def sealed(body: bytes) -> bytes:
    """A line with whatever in it, and its checksum."""
    return b'%b,"%08x"]\n' % (body, zlib.crc32(body))


KNOWN = {"format": 1, "start": "2026-03-01T12:00:00+00:00", "begin_s": 0, "model": "m", "version": "1"}
NONSENSE = [
    *([1], [1, "human"], ["x", "human", "903c40"], [1, 2, "903c40"], [1, "human", 90], 7, "x"),
    *([1, "human", data] for data in ("", "90", "xyz", "903c", "903C40", "f03cf7", "90ff40")),
    *([float("nan"), PARAMS, {}], [float("inf"), PARAMS, {}], [1e300, PARAMS, {}], [10**400, PARAMS, {}]),
    *([1, PARAMS, 1], [1, PARAMS, [1]], [1, PARAMS, {"a": {}}], [1, PARAMS, {"a": "\ud800"}], [1, "\ud800", {}]),
    *([1, END, 1], [1, END, {"human": "1"}], [1, END, {"human": -1}], [1, END, {"lost": 10**400}]),
    *([1, START, 1], [1, START, {"format": 1}]),
    *([1, START, {**KNOWN, "start": start}] for start in (1, "x", "2026-03-01T12:00:00", "0001-01-01T00:00Z")),
    *([1, START, {**KNOWN, "begin_s": begin}] for begin in (None, "0", 10**400, float("nan"))),
    *([1, START, {**KNOWN, name: 1}] for name in ("model", "version", "instrument")),
]


@pytest.mark.parametrize("data", NONSENSE, ids=lambda data: json.dumps(data)[:50])
def test_a_sound_checksum_does_not_make_sense_of_nonsense(data: Any) -> None:
    text = json.dumps(data).encode()
    assert parse(sealed(text[:-1] if isinstance(data, list) else text)) is None


@pytest.mark.parametrize("count", [3_000, 300_000])
def test_what_is_nested_without_end_is_no_row(count: int) -> None:
    assert parse(sealed(b'[0.0,"params",' + b"[" * count + b"]" * count)) is None
    assert parse(sealed(b'[0.0,"later",' + b"[" * count + b"]" * count)) is None


@on_disk
@given(journals, st.data())
def test_notes_are_counted_without_reading_as_if_it_were_read(
    tmp_path: Path, written: list[Row], data: st.DataObject
) -> None:
    whole = b"".join(map(line, written))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    path = tmp_path / "some.jsonl"
    found = contents(path, cut + data.draw(st.sampled_from([b"", b"\0\n"])))
    notes = Counter(row.kind for row in found if row.is_note)
    assert tally(path) == (found[-1].time_s if found else 0.0, notes)


def test_a_start_is_read_as_it_was_written(tmp_path: Path) -> None:
    start = Start(NOON, 2.5, "maestro", "1.0")
    assert start.row().time_s == 2.5
    row = parse(line(start.row()))
    assert row is not None and row.kind == START
    assert Start.of(row, tmp_path) == start


def test_a_later_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        RecordError, match=r"jam.jsonl: a recording in format 2, this liveperf reads 1; use version 9"
    ):
        Start.of(Row(0.0, START, {"format": 2, "version": "9"}), tmp_path / "jam.jsonl")
    for odd in (None, "2\n" * 99, [2]):
        with pytest.raises(RecordError, match=r"in format \?, this liveperf reads 1; use version a later one$"):
            Start.of(Row(0.0, START, {"format": odd, "version": odd}), tmp_path / "jam.jsonl")
    with pytest.raises(RecordError, match="does not say how it begins"):
        Start.of(Row(0.0, START, {"format": 1}), tmp_path / "jam.jsonl")


@pytest.mark.parametrize(
    ("data", "begins"),
    [("903c40", True), ("903c00", False), ("803c40", False), ("9f3c01", True), ("b04040", False)],
)
def test_what_begins_a_note(data: str, begins: bool) -> None:
    assert Row(0.0, "human", data).is_note is begins
    assert not Row(0.0, PARAMS, {"9": 1}).is_note


def test_the_ends_of_a_long_file_and_of_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    rows = [Row(float(i), "human", "903c40") for i in range(3000)]
    path.write_bytes(b"".join(map(line, rows)))
    assert ends(path) == (rows[0], rows[-1])
    path.write_bytes(b"".join(map(line, rows))[:-3])
    assert ends(path) == (rows[0], None)
    path.write_bytes(b"")
    assert ends(path) == (None, None)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "no.jsonl"
    for look in (lambda: list(read(path)), lambda: ends(path), lambda: tally(path)):
        with pytest.raises(RecordError, match=r"cannot read .*no\.jsonl: No such file"):
            look()
