"""Fixtures for the tests of the panel."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.jack import MACHINE

if TYPE_CHECKING:
    from tests.browser import Player

_names = itertools.count()  # jackd now and then refuses a client whose namesake has just left


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Player]]:
    """Start an instrument, on any free port, that does not begin by itself."""
    from tests.browser import Player

    started: list[Player] = []

    def begin(*options: str, **how: Any) -> Player:
        folder = tmp_path / f"play{len(started)}"
        options = ("--port", "0", "--channel", str(MACHINE), "--idle-start-s", "0", *options)
        started.append(Player(folder, f"liveperf{next(_names)}", *options, **how))
        started[-1].ready()
        return started[-1]

    yield begin
    for one in started:
        one.end()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """An instrument that is only looked at."""
    from tests.browser import Player

    folder = tmp_path_factory.mktemp("standing")
    env = {"XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder / "run")}
    player = Player(folder, "liveperf", "--port", "0", "--idle-start-s", "0", env=env)
    player.ready()
    yield player
    player.end()
