"""Fixtures for all tests."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests import excuses

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser import Panel
    from tests.jack import Instrument, Keyboard, Server, Synth


settings.register_profile("patient", deadline=None)  # for the rest as it was: in CI, the same each time
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What else can be asked for."""
    parser.addoption(
        "--soak", type=float, default=40.0, metavar="SECONDS", help="how long tests/test_jack_soak.py plays"
    )


_servers: list[Server] = []  # that the tests share: one, while there is any
MEMORY = "/dev/shm"
TIMED = tuple(f"test_jack_{name}.py" for name in ("controls", "life", "modes", "soak"))  # there, 0.1 s may count


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What fails while a JACK server is stuck is run again, once, and reported as such.

    Now and then jackd does not get over a client that was killed; then nobody's messages arrive. So is what
    measures fractions of a second, where the whole machine was held up meanwhile.
    """
    for item in items:
        if item.get_closest_marker("jack"):
            excused = _stuck_or_held_up if item.path.name in TIMED else _stuck
            item.add_marker(pytest.mark.flaky(reruns=1, condition=excused))


def pytest_runtest_setup() -> None:
    """No test is excused by what happened to another."""
    excuses.begin()


def _stuck(error: BaseException | None) -> bool:
    if error is None:  # nothing has failed
        return False
    if excuses.servers():
        warnings.warn(f"run again, as a JACK server of its own was stuck: {excuses.servers()}", stacklevel=1)
    return bool(excuses.servers()) or not all(server.works for server in _servers)


def _stuck_or_held_up(error: BaseException | None) -> bool:
    held_up = error is not None and excuses.longest() > excuses.HELD_UP_S
    if held_up:
        warnings.warn(f"run again, as the machine was held up for {excuses.longest():.2f} s", stacklevel=1)
    return held_up or _stuck(error)


@pytest.fixture(autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's own recordings and instruments are left alone; the folder that stands for his.

    Where it can be, in memory: a disk that takes seconds to sync is no fault of the instrument's.
    """
    with contextlib.ExitStack() as stack:
        if os.access(MEMORY, os.W_OK):
            temporary = tempfile.TemporaryDirectory(prefix="places", dir=MEMORY, ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
        else:
            folder = tmp_path_factory.mktemp("places")
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        yield folder


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """`play` leaves them ignored, as the program is then about to end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def jackd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JACK server of the tests' own."""
    from tests import jack

    with jack.Server(f"test{os.getpid()}", tmp_path_factory.mktemp("jack")) as server:
        _servers.append(server)
        yield server
        _servers.remove(server)


@pytest.fixture
def jack(jackd: Server) -> str:
    """The name of the tests' own JACK server. It works: none pays for what another did to it."""
    if not jackd.works:
        warnings.warn(f"the JACK server was stuck; another takes its place: {jackd.said}", stacklevel=1)
        jackd.kill()
        jackd.start()
    return jackd.name


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
            if not early:
                parts.linked(keyboard, synth, thru="--no-thru" not in options)
            return instrument, keyboard, synth

        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; for a module only, as no other event loop runs in the thread meanwhile."""
    from tests import browser

    with browser.launched() as found:
        yield found


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Panel]]:
    """Open a window for a panel, with options as of Playwright's new_context.

    In the end nothing may have gone wrong in it: no error in the console, no breach of the content policy, nothing
    asked of anybody else.
    """
    from tests.browser import Panel

    with contextlib.ExitStack() as stack:
        panels: list[Panel] = []

        def open_window(**options: Any) -> Panel:
            panels.append(Panel(browser, **options))
            stack.callback(panels[-1].close)
            return panels[-1]

        yield open_window
        for panel in panels:
            assert panel.complaints == [] and panel.foreign(panel.page.url) == []
