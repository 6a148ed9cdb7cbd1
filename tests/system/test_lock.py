"""One instrument to a name, told apart by real processes."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveperf.system import lock
from liveperf.system.lock import Lock, LockError

ROOT = Path(__file__).parents[2]
PLAYER = """
import sys
from pathlib import Path
from liveperf.system.lock import Lock
place = Lock(Path(sys.argv[1]), sys.argv[2])
place.acquire()
place.announce("http://127.0.0.1:1234", "secret-secret-secret")
print("plays", flush=True)
sys.stdin.read()
place.release()
"""


@contextlib.contextmanager
def player(folder: Path, name: str = "liveperf") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a place."""
    command = [sys.executable, "-c", PLAYER, str(folder), name]
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "plays\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_S", 0.0)


def test_the_second_is_told_who_was_first(tmp_path: Path) -> None:
    with player(tmp_path) as process:
        place = Lock(tmp_path)
        with pytest.raises(LockError) as error:
            place.acquire()
        said = str(error.value)
        assert said.startswith(f"liveperf is already playing here: process {process.pid} since 2")
        assert "its panel and control at http://127.0.0.1:1234; end it with `liveperf stop`" in said
        assert said.endswith("play beside it with --name OTHER")
        assert "secret" not in said
        place.release()  # was not ours
        assert not place.is_free()
        beside = Lock(tmp_path, "other")
        beside.acquire()
        beside.release()
    with player(tmp_path, "left"), pytest.raises(LockError, match="stop --name left`"):
        Lock(tmp_path, "left").acquire()


def test_who_plays_can_be_found(tmp_path: Path) -> None:
    place = Lock(tmp_path)
    assert place.holder() is None and place.is_free()
    with player(tmp_path) as process:
        holder = place.holder()
        assert holder is not None
        assert (holder.pid, holder.url, holder.token) == (
            process.pid,
            "http://127.0.0.1:1234",
            "secret-secret-secret",
        )
        process.communicate("")
        assert process.returncode == 0
    assert place.holder() is None and place.is_free()
    assert not list(tmp_path.glob("*.json"))


def test_a_place_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    with player(tmp_path) as process:
        process.kill()
        process.wait()
        assert list(tmp_path.glob("*.json"))  # it could not put it away
        place = Lock(tmp_path)
        assert place.holder() is None
        place.acquire()
        holder = place.holder()
        assert holder is not None and (holder.pid, holder.url) == (os.getpid(), None)
        place.release()


LOOKER = """
import sys
from pathlib import Path
from liveperf.system.lock import Lock
place = Lock(Path(sys.argv[1]))
print("looks", flush=True)
sys.stdin.readline()
print(sum(place.holder() is not None or not place.is_free() for _ in range(500)), flush=True)
"""


def test_two_who_look_at_once_take_nobody_for_an_instrument(tmp_path: Path) -> None:
    with player(tmp_path) as process:
        process.kill()
        process.wait()
    left = (tmp_path / "liveperf-liveperf.json").read_text(encoding="utf-8")
    assert "secret" in left  # whoever has the port now must not be sent this
    with contextlib.ExitStack() as stack:
        command = [sys.executable, "-c", LOOKER, str(tmp_path)]
        lookers = [
            stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True))
            for _ in range(3)
        ]
        for one in lookers:
            assert one.stdout is not None and one.stdout.readline() == "looks\n"
        (tmp_path / "liveperf-liveperf.json").write_text(left, encoding="utf-8")
        for one in lookers:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        assert [one.communicate()[0] for one in lookers] == ["0\n"] * 3
    assert not (tmp_path / "liveperf-liveperf.json").read_bytes()
    place = Lock(tmp_path)
    place.acquire()
    assert place.left
    place.release()
    place.acquire()
    assert not place.left
    place.release()


def test_what_a_killed_one_has_left_is_not_read_while_the_next_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with player(tmp_path) as process:
        process.kill()
        process.wait()
    place, found = Lock(tmp_path), list[object]()
    tell = place._tell

    def late(holder: lock.Holder) -> None:  # the place is taken, and nothing said yet
        looking = threading.Thread(target=lambda: found.append(Lock(tmp_path).holder()))
        looking.start()
        looking.join(0.05)
        assert not found  # he waits
        tell(holder)
        threads.append(looking)

    threads: list[threading.Thread] = []
    monkeypatch.setattr(place, "_tell", late)
    place.acquire()
    threads[0].join()
    assert [getattr(one, "pid", None) for one in found] == [os.getpid()]
    assert getattr(found[0], "token", "") is None
    place.release()


def test_one_who_looks_for_ever_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOOKING_S", 0.0)
    hangs, place = Lock(tmp_path), Lock(tmp_path)
    (tmp_path / "liveperf-liveperf.lock").touch()
    hangs._looking.acquire()
    for look in (place.is_free, place.holder, place.acquire):
        with pytest.raises(LockError, match=r"somebody has held .*liveperf-liveperf\.look"):
            look()
    hangs._looking.release()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_nobody_else_reads_the_token(tmp_path: Path) -> None:
    place = Lock(tmp_path / "made" / "for it")
    place.acquire()
    place.announce("http://127.0.0.1:1", "secret-secret-secret")
    files = list((tmp_path / "made" / "for it").iterdir())
    assert {file.name for file in files} == {f"liveperf-liveperf.{kind}" for kind in ("lock", "look", "json")}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    place.release()
    place.release()
    assert place.is_free()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "since": 3}', "\0\xff"])
def test_a_broken_file_is_no_obstacle(tmp_path: Path, text: str) -> None:
    file = tmp_path / "liveperf-liveperf.json"
    with player(tmp_path):
        file.write_text(text, encoding="utf-8")
        assert Lock(tmp_path).holder() is None
        with pytest.raises(LockError, match="already playing here; end it"):
            Lock(tmp_path).acquire()
    file.write_text(text, encoding="utf-8")
    (tmp_path / "liveperf-liveperf.new").write_text("half of something")
    place = Lock(tmp_path)
    place.acquire()
    assert json.loads(file.read_text(encoding="utf-8"))["pid"] == os.getpid()
    place.release()


@pytest.mark.parametrize("name", ["", "a" * 33, "../up", "a b", "a.b", "é", "a\n", "a/b"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(LockError, match="is not 1 to 32 letters"):
        Lock(tmp_path, name)


def test_a_folder_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LockError, match="cannot take the place of 'liveperf'"):
        Lock(tmp_path / "file" / "below").acquire()


def test_one_who_looks_does_not_keep_anybody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_S", 5.0)
    place, looks = Lock(tmp_path), Lock(tmp_path)
    place.acquire()
    place.release()
    looks._looking.acquire()  # as `is_free` does, for a moment
    monkeypatch.setattr(lock, "LOOK_S", 0.001)
    taking = threading.Thread(target=place.acquire)
    taking.start()
    looks._looking.release()
    taking.join()
    assert not looks.is_free()
    place.release()
