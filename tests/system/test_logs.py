"""Lines for a musician, and lines for a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from liveperf.system.logs import told

HELD_UP = """
from liveperf.system.logs import told
with told(levels={levels}) as log:
    for number in range(20_000):
        log.info("line %d of many", number)
"""


def test_a_musician_reads_the_news_on_stdout_and_trouble_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with told(levels=False) as log:
        log.info("it plays")
        log.error("a string\nis broken")
        log.debug("never mind")
    out, err = capsys.readouterr()
    assert out == "it plays\n"
    assert err == "liveperf: a string is broken\n"


@pytest.mark.parametrize("journal", [True, False])
def test_a_log_has_single_lines_with_levels_and_the_time_unless_somebody_else_notes_it(
    journal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (monkeypatch.setenv if journal else lambda name, _: monkeypatch.delenv(name, False))("JOURNAL_STREAM", "9:1")
    with told(levels=True) as log:
        log.info("it plays")
        log.warning("%d ports\nare gone", 2)
    out, err = capsys.readouterr()
    time = r"" if journal else r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    assert out == ""
    assert re.fullmatch(f"{time}INFO it plays\n{time}WARNING 2 ports are gone\n", err)


def test_once_told_is_over_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with told(levels=True) as log:
        pass
    log.info("too late")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("levels", [True, False])
def test_a_pipe_that_nobody_empties_keeps_it_from_nothing(levels: bool) -> None:
    command = [sys.executable, "-c", HELD_UP.format(levels=levels)]
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(command, stdout=writing, stderr=writing)
        os.close(writing)
        assert process.wait(20) == 0
        assert os.read(reading, 1 << 20).startswith(b"line 0 of many\n" if not levels else b"2")
    finally:
        os.close(reading)
