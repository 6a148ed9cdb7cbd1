"""Fixtures for all tests."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.jack import Instrument, Keyboard, Synth


@pytest.fixture(scope="session")
def jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JACK server of the tests' own; its name."""
    from tests import jack

    with jack.server(f"test{os.getpid()}", tmp_path_factory.mktemp("jack")) as name:
        yield name


@pytest.fixture
def play(jack: str, tmp_path: Path) -> Iterator[Callable[..., tuple[Instrument, Keyboard, Synth]]]:
    """Start `liveperf play`, with a keyboard and a synth connected to it; options as on its command line.

    early: keyboard and synth are there first, and it is told to use them with --in and --out, so that they miss
    nothing; else it opens virtual ports of its own, and they connect to these.
    """
    from tests import jack as parts

    folders = itertools.count()
    with contextlib.ExitStack() as stack:

        def start(*options: str, early: bool = False) -> tuple[Instrument, Keyboard, Synth]:
            folder = tmp_path / f"play{next(folders)}"
            folder.mkdir()
            if early:
                keyboard, synth = parts.Keyboard(None), parts.Synth(None)
                options = ("--in", keyboard.name, "--out", synth.name, *options)
            instrument = parts.Instrument(folder, "--channel", str(parts.MACHINE), *options)
            stack.callback(instrument.end)
            instrument.ready()
            if not early:
                keyboard, synth = parts.Keyboard(), parts.Synth()
            stack.callback(keyboard.close)
            stack.callback(synth.close)
            return instrument, keyboard, synth

        yield start
