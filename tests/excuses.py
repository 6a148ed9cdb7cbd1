"""What may have been to blame for a test that fails, and not what it tests: then it is run again, once."""

from __future__ import annotations

HELD_UP_S = 0.1  # a claim of a quarter of a second says nothing where the machine was held up for longer
_stuck: list[str] = []
_gaps: list[float] = []


def begin() -> None:
    """A test begins: nothing has happened yet."""
    _stuck.clear()
    _gaps.clear()


def stuck(server: str) -> None:
    """A JACK server of the test's own was found stuck at its end."""
    _stuck.append(server)


def held_up(seconds: float) -> None:
    """A thread that wanted to run each millisecond was kept from it for so long."""
    _gaps.append(seconds)


def servers() -> list[str]:
    """The servers that were stuck."""
    return list(_stuck)


def longest() -> float:
    """For how long (s) the machine was held up at most."""
    return max(_gaps, default=0.0)
