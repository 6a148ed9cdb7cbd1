"""Says at the end how much was tried."""

from __future__ import annotations

from typing import Any

from tests.fuzz.tools import counts


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line: `fuzz: 3,000 bundles, ...`."""
    if counts:
        terminalreporter.write_line("fuzz: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
