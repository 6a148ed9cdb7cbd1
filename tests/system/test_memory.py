"""How much memory it takes, where the system says so."""

from __future__ import annotations

import sys

import pytest

from liveperf.system.memory import resident_mb


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say")
def test_memory_that_is_taken_is_seen() -> None:
    before = resident_mb()
    block = bytearray(b"x" * 50_000_000)
    after = resident_mb()
    assert before and after and 5 < before < 10_000
    assert after > before + (40 if sys.platform == "linux" else -1) and block
