"""An OSC server without the network."""

from __future__ import annotations

import pytest

pytest.importorskip("pythonosc")

from liveperf.remote.osc import Server
from tests.desks import FakeDesk
from tests.fakes import FakeClock


def server() -> tuple[Server, FakeDesk, FakeClock]:
    """One that is handed packets by the test."""
    desk, clock = FakeDesk(), FakeClock()
    return Server(desk, 0, say=lambda text: pytest.fail(text), clock=clock), desk, clock
