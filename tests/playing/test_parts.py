"""What an instrument is put together from, where something is in the way."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from liveperf.playing import parts
from liveperf.playing.parts import OptionError
from liveperf.remote.server import WebError
from liveperf.setup.config import Config
from tests.desks import FakeDesk

TOKEN = "a-token-of-24-characters"


def server(**settings: Any) -> Any:
    """The server of a setup."""
    return parts.server(Config(panel=False, **settings), FakeDesk())  # type: ignore[arg-type]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The usual port, which somebody has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        monkeypatch.setattr(parts, "USUAL_PORT", port)
        yield port


def test_where_the_usual_port_is_taken_it_is_another(taken: int) -> None:
    found = server()
    assert found.url.startswith("http://127.0.0.1:") and found.url != f"http://127.0.0.1:{taken}"
    found.stop()


def test_a_port_that_is_asked_for_is_that_or_none(taken: int) -> None:
    with pytest.raises(WebError, match=f"port {taken}: .*; take another port, or 0"):
        server(port=taken)


def test_an_address_that_is_not_ours_is_said_of_the_usual_port(taken: int) -> None:
    with pytest.raises(WebError, match=f"cannot serve at 192.0.2.1 port {taken}: .*; 127.0.0.1 always works"):
        server(host="192.0.2.1", token=TOKEN)


def test_without_python_osc_it_says_how_to_get_it_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "liveperf.remote.osc", None)
    with pytest.raises(OptionError) as error:
        parts.osc(Config(osc=9000), FakeDesk())  # type: ignore[arg-type]
    assert str(error.value) == f"OSC needs python-osc: {sys.executable} -m pip install python-osc"
