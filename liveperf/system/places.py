"""Where things lie on this system: what is kept from one start to the next, and what lives as long as a start."""

from __future__ import annotations

import os
import stat
import sys
import warnings
from pathlib import Path

import platformdirs

from liveperf.errors import NOT_STARTED, LiveperfError

NAME = "liveperf"
_ELSEWHERE = "" if sys.platform in ("darwin", "win32") else ", or set XDG_RUNTIME_DIR to another one"


class PlaceError(LiveperfError):
    """A folder that is needed cannot be had; the message names it, and says why and what to do."""

    exit_code = NOT_STARTED


def recordings() -> Path:
    """The user's folder for recordings. Not made: that is for whoever writes there."""
    return platformdirs.user_state_path(NAME, appauthor=False) / "recordings"


def runtime() -> Path:
    """The user's folder for sockets and locks, which nobody else can look into. Made if it is not there.

    Raises PlaceError, also for one that another user could have laid there, as in a folder that all may write to.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it falls back to a folder under /tmp, which is looked at below
            path = platformdirs.user_runtime_path(NAME, appauthor=False)
        make(path)
        if hasattr(os, "getuid"):
            _own(path)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise PlaceError(
            f"no folder for what runs: {where}{error.strerror or error}; make that a folder of yours{_ELSEWHERE}"
        ) from error
    return path


def make(folder: Path) -> Path:
    """The folder, made with those above it if it is not there: the user's alone. Raises OSError."""
    if not folder.parent.is_dir():
        make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def sync(folder: Path) -> None:
    """See that what lies in a folder is found there after a loss of power, too. Raises OSError."""
    if os.name != "posix":  # others see to that themselves
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _own(folder: Path) -> None:
    """See that a folder is the user's alone. Raises OSError, also if it, or what it lies in, is another's.

    What it lies in may be open to all, as on some systems: others can move our folder away, but lay none that is
    ours in its place.
    """
    for path, owners in ((folder, {os.getuid()}), (folder.parent, {os.getuid(), 0})):
        for status in (path.lstat(), path.stat()):  # a link, and what it leads to
            if status.st_uid not in owners:
                raise PermissionError(0, "it belongs to another user", str(path))
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)
