"""Where things lie: in the user's own folders, which nobody else can look into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs
import pytest

from liveperf.errors import NOT_STARTED
from liveperf.system import places
from liveperf.system.places import PlaceError

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system whose folders are all under one, and not there yet."""
    for kind in ("state", "runtime"):
        monkeypatch.setattr(
            platformdirs, f"user_{kind}_path", lambda name, appauthor, kind=kind: tmp_path / "home" / kind / name
        )
    return tmp_path / "home"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_made_when_it_is_asked_for(home: Path) -> None:
    for _ in range(2):
        assert places.runtime() == home / "runtime" / "liveperf"
        assert places.runtime().is_dir()


@posix
def test_what_is_made_is_the_user_s_alone(home: Path) -> None:
    places.runtime()
    for folder in (home, home / "runtime", home / "runtime" / "liveperf"):
        assert mode(folder) == 0o700


@posix
def test_what_is_ours_is_closed_and_what_it_lies_in_is_left_alone(home: Path) -> None:
    folder = home / "runtime" / "liveperf"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    folder.chmod(0o777)
    assert places.runtime() == folder
    assert (mode(folder.parent), mode(folder)) == (0o755, 0o700)


def test_recordings_are_kept_with_the_state_and_asking_where_makes_nothing(home: Path) -> None:
    assert places.recordings() == home / "state" / "liveperf" / "recordings"
    assert not home.exists()


@pytest.mark.parametrize("at", ["", "runtime", "runtime/liveperf"])
def test_a_file_in_the_way_is_named_with_what_to_do(home: Path, at: str) -> None:
    file = home / at
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    with pytest.raises(PlaceError) as refused:
        places.runtime()
    said = str(refused.value)
    assert said.startswith(f"no folder for what runs: {file}: ")
    assert "make that a folder of yours" in said and "\n" not in said
    assert refused.value.exit_code == NOT_STARTED


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc, where nobody makes folders")
def test_a_folder_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_runtime_path", lambda *_, **__: Path("/proc/run/liveperf"))
    with pytest.raises(PlaceError, match=r"no folder for what runs: /proc/run: .*XDG_RUNTIME_DIR"):
        places.runtime()


def test_one_that_the_library_refuses_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Path:
        raise PermissionError("/tmp/runtime-7 is a symlink")

    monkeypatch.setattr(platformdirs, "user_runtime_path", refused)
    with pytest.raises(PlaceError, match="no folder for what runs: /tmp/runtime-7 is a symlink; make"):
        places.runtime()


@posix
def test_another_user_s_runtime_folder_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = places.runtime()
    monkeypatch.setattr(os, "getuid", lambda: home.stat().st_uid + 1)
    with pytest.raises(PlaceError, match=f"{folder}: it belongs to another user; make .* set XDG_RUNTIME_DIR"):
        places.runtime()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives things away")
@pytest.mark.parametrize("what", ["liveperf", "."])
@pytest.mark.parametrize("link", [False, True])
def test_what_another_user_has_laid_there_is_refused(home: Path, tmp_path: Path, what: str, link: bool) -> None:
    trap = home / "runtime" / what
    if link:  # to a folder that is ours
        target = tmp_path / "ours"
        target.mkdir()
        trap.parent.mkdir(parents=True)
        trap.symlink_to(target)
    else:
        trap.mkdir(parents=True)
    os.lchown(trap, 12345, 12345)
    with pytest.raises(PlaceError, match="belongs to another user"):
        places.runtime()


def test_on_this_system_they_can_be_named() -> None:
    assert places.recordings().is_absolute()
    assert "liveperf" in places.recordings().parts
