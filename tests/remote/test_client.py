"""Commands that ask an instrument that plays: a real server, found by what it has left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from liveperf.cli.remote import COMMANDS, lines
from liveperf.remote import client as remote
from liveperf.remote.client import Remote, RemoteError
from liveperf.remote.server import Server
from liveperf.system import lock, places
from liveperf.system.lock import Lock
from liveperf.system.places import PlaceError
from tests.desks import FakeDesk
from tests.fakes import FakeClock

TOKEN = "a-token-of-24-characters"


class Instrument:
    """What plays: a place, a desk, a server."""

    def __init__(self, folder: Path, name: str = "liveperf") -> None:
        self.place, self.desk = Lock(folder, name), FakeDesk()
        self.place.acquire()
        self.server = Server(self.desk, token=TOKEN)
        self.server.start()
        self.place.announce(self.server.url, TOKEN)
        self.desk.stop = self.end  # type: ignore[method-assign]

    def end(self) -> None:
        """As a signal would: first the place is given up here, for the server's own thread is asked."""
        self.desk.asked.append("stop")
        self.place.release()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "runtime", lambda: tmp_path)
    monkeypatch.setattr(lock, "PATIENCE_S", 0.0)
    return tmp_path


@pytest.fixture
def plays(folder: Path) -> Iterator[Instrument]:
    found = Instrument(folder)
    yield found
    found.server.stop()
    found.place.release()


def run(*arguments: str) -> Result:
    """A command, as the group of all of them runs it."""
    group = click.Group(commands={str(one.name): one for one in COMMANDS})
    return CliRunner().invoke(group, arguments)


def test_all_can_be_asked(folder: Path, plays: Instrument) -> None:
    there = Remote(folder)
    assert there.status() == plays.desk.status()
    there.set({"density": 4, "mode": "duet"})
    there.act("panic")
    there.preset("duet")
    there.stop()
    assert plays.desk.params.density == 4
    assert plays.desk.asked == ["panic", "preset duet", "stop"]
    with pytest.raises(RemoteError, match="no instrument plays here; `liveperf play` starts one") as error:
        there.status()
    assert error.value.exit_code == 3


def test_what_it_refuses_is_said(folder: Path, plays: Instrument) -> None:
    there = Remote(folder)
    with pytest.raises(RemoteError, match="outside 0 to 32") as error:
        there.set({"density": 99})
    assert error.value.exit_code == 2
    with pytest.raises(RemoteError, match="no action") as error:
        there.act("dance/../x")
    assert error.value.exit_code == 2
    with pytest.raises(RemoteError, match="no preset 'walz'") as error:
        there.preset("walz")
    assert error.value.exit_code == 2
    assert plays.desk.asked == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (404, 2), (409, 2), *((status, 1) for status in (401, 403, 408, 413, 429, 500, 503))],
)
def test_only_what_was_asked_wrongly_is_wrong_use(
    folder: Path, plays: Instrument, monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    class Answer:
        def __init__(self) -> None:
            self.status = status

        def read(self) -> bytes:
            return b'{"error": "why"}'

    monkeypatch.setattr("http.client.HTTPConnection.getresponse", lambda self: Answer())
    with pytest.raises(RemoteError, match="why") as error:
        Remote(folder).act("panic")
    assert error.value.exit_code == code


def test_it_goes_past_all_proxies(folder: Path, plays: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert Remote(folder).status()["name"] == "liveperf"


def test_each_name_has_its_own(folder: Path, plays: Instrument) -> None:
    other = Instrument(folder, "left")
    try:
        Remote(folder, "left").act("turn")
        assert (plays.desk.asked, other.desk.asked) == ([], ["turn"])
    finally:
        other.server.stop()
        other.place.release()
    with pytest.raises(RemoteError, match="no instrument plays here as left; `liveperf play --name left`"):
        Remote(folder, "left").act("turn")
    with pytest.raises(RemoteError, match="is not 1 to 32 letters"):
        Remote(folder, "../x")


def test_one_that_does_not_answer(folder: Path, plays: Instrument) -> None:
    plays.server.stop()
    with pytest.raises(RemoteError, match="does not answer") as error:
        Remote(folder).status()
    assert error.value.exit_code == 3
    place = Lock(folder, "mute")
    place.acquire()
    with pytest.raises(RemoteError, match=r"that plays as mute \(process \d+\) has no control"):
        Remote(folder, "mute").status()
    place.release()


def test_one_that_does_not_end(folder: Path, plays: Instrument, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(remote, "sleep", clock.advance)
    plays.desk.stop = lambda: None  # type: ignore[method-assign]
    with pytest.raises(RemoteError, match="not ended after 10 s") as error:
        Remote(folder, clock=clock).stop()
    assert error.value.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("set", "density", "4"), {"density": 4.0}),
        (("set", "transpose", "-12"), {"transpose": -12}),
        (("set", "note-limit-s", "2.5"), {"note_limit_s": 2.5}),
        (("set", "polyphony", "8.0"), {"polyphony": 8}),
        (("set", "lowest_pitch=110", "highest_pitch=120"), {"lowest_pitch": 110, "highest_pitch": 120}),
        (("set", "scale=off"), {"scale": "off"}),
        (("mode", "solo"), {"mode": "solo"}),
    ],
)
def test_parameters_are_set(plays: Instrument, arguments: tuple[str, ...], wanted: dict[str, Any]) -> None:
    done = run(*arguments, "--name", "liveperf")
    assert (done.exit_code, done.output) == (0, "")
    assert plays.desk.sets == [wanted]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("set", "densty", "4"), "did you mean 'density'"),
        (("set", "density", "loud"), "not a number"),
        (("set", "density", "99"), "outside 0 to 32"),
        (("set", "lowest_pitch", "120"), "above highest_pitch"),
        (("set", "density"), "expected NAME VALUE"),
        (("set", "density", "4", "speed"), "expected NAME VALUE"),
        (("set", "density=4", "speed"), "expected NAME VALUE"),
        (("set",), "Missing argument"),
        (("mode", "loud"), "'loud' is not one of"),
        (("preset", "walz"), "no preset 'walz'"),
        (("status", "--name", "../x"), "is not 1 to 32 letters"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(plays: Instrument, arguments: tuple[str, ...], why: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert why in done.output
    assert not plays.desk.sets and not plays.desk.asked


def test_actions_and_presets(plays: Instrument, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for arguments in (("panic",), ("turn",), ("preset", "duet"), ("stop",)):
        done = run(*arguments)
        assert (done.exit_code, done.output) == (0, "")
    assert plays.desk.asked == ["panic", "turn", "preset duet", "stop"]


def test_a_preset_of_ones_own_is_found_from_where_the_instrument_plays(
    plays: Instrument, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("preset", "mine.yaml")
    assert (done.exit_code, done.output) == (0, "")
    assert plays.desk.asked == [f"preset {tmp_path / 'mine.yaml'}"]


@pytest.mark.parametrize("command", [str(one.name) for one in COMMANDS])
def test_without_an_instrument_each_says_so_in_a_line(folder: Path, command: str) -> None:
    more = {"set": ("density", "4"), "mode": ("solo",), "preset": ("duet",)}
    done = run(command, *more.get(command, ()))
    assert done.exit_code == 3
    assert done.output == "liveperf: no instrument plays here; `liveperf play` starts one\n"


def test_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise PlaceError("no folder for what runs: /run: Permission denied; make that a folder of yours")

    monkeypatch.setattr(places, "runtime", none)
    done = run("status")
    assert done.exit_code == 3 and "make that a folder of yours" in done.output


def test_the_status_is_a_dozen_lines(plays: Instrument) -> None:
    plays.desk.set({"density": 4, "mode": "solo", "transpose": -12, "scale": "major"})
    done = run("status")
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "name      liveperf (liveperf 1.2.3, process 4321), for 1 h 02 min",
        "model     maestro",
        "mode      solo, listening",
        "in        not connected; looking for 'LPK25'",
        "out       liveperf:out",
        "notes     12 in, 34 out",
        "lateness  0.10 ms median, 0.25 p99, 2.00 most",
        "troubles  1 underruns",
        "recording none",
        "memory    182 MB",
        "set       density 4 notes/s, scale major, transpose -12 semitones",
    ]
    assert json.loads(run("status", "--json").output) == json.loads(json.dumps(plays.desk.status()))


def test_the_status_of_one_that_has_only_begun_and_of_one_with_everything() -> None:
    status = FakeDesk().status()
    shown = "\n".join(lines({**status, "lateness_ms": None, "memory_mb": None, "uptime_s": 3.2, "underruns": 0}))
    for part in ("for 3 s", "nothing was sent yet", "troubles  none", "set       as usual"):
        assert part in shown
    assert "memory" not in shown
    full = {"clock": {"bpm": 120.0, "running": True}, "recording": "/a/b.mid", "unrecorded": 3, "preset": "duet"}
    shown = "\n".join(lines({**status, **full, "uptime_s": 61}))
    for part in ("clock     120.0 bpm, running", "/a/b.mid, without 3 messages", "preset duet", "for 1 min 01 s"):
        assert part in shown


def test_every_command_is_handed_over() -> None:
    assert [one.name for one in COMMANDS] == ["status", "set", "mode", "panic", "turn", "preset", "stop"]
