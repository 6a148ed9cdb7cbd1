"""Errors whose message is all that a musician needs."""

from __future__ import annotations

WRONG_USE, NOT_STARTED, FAILED = 2, 3, 1


class LiveperfError(Exception):
    """What the message names, with value, expectation and remedy. `exit_code`: of the program that it ends."""

    exit_code = WRONG_USE
