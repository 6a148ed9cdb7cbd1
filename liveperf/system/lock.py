"""One instrument to a name: a lock that ends with the process, and beside it a file that says who holds it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from liveperf.clock import sleep
from liveperf.errors import NOT_STARTED, LiveperfError
from liveperf.setup import settings

NAME = "liveperf"
PATIENCE_S = 0.3  # one that is about to end is waited for, and one that only looks
LOOK_S = 0.02
LOOKING_S = 2.0  # a look takes a millisecond


class LockError(LiveperfError):
    """The place is taken, or cannot be taken; the message says by whom and what to do."""

    exit_code = NOT_STARTED


@dataclass(frozen=True)
class Holder:
    """Who plays: the process, since when (local time), and where its control is, if it has any."""

    pid: int
    since: str
    url: str | None = None
    token: str | None = None


class Lock:
    """The place of one instrument. The system frees it when the process ends, however that happens.

    Whoever takes the place, or looks whether it is taken, holds a second lock as long as that lasts: so nobody
    takes one who only looks for an instrument, nor what a killed one has left for what the next has to say.
    """

    def __init__(self, folder: Path, name: str = NAME) -> None:
        """folder: the user's own, for what runs. Raises LockError."""
        if not settings.NAME.fullmatch(name):
            raise LockError(f"name {name!r} is not 1 to 32 letters, digits, _ or -")
        self._path, self._file = folder / f"liveperf-{name}.lock", folder / f"liveperf-{name}.json"
        self._name = name
        self._lock = FileLock(self._path, mode=0o600, thread_local=False)
        self._looking = FileLock(folder / f"liveperf-{name}.look", mode=0o600, thread_local=False)
        self._holder: Holder | None = None
        self.left = False  # once it is ours: whether the one before was killed or in doubt, and left its file
        self._doubt = False

    def acquire(self) -> None:
        """Take the place. Raises LockError if another has it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                self._lock.acquire(timeout=PATIENCE_S, poll_interval=LOOK_S)
                self.left = self._file.exists()
                self._tell(Holder(os.getpid(), datetime.now().isoformat(" ", "seconds")))
        except Timeout:
            raise LockError(self._taken()) from None
        except (OSError, NotImplementedError) as error:
            self.release()
            why = f"{self._path}: {getattr(error, 'strerror', None) or error}"
            raise LockError(f"cannot take the place of {self._name!r}: {why}; it has to be yours") from None

    def announce(self, url: str, token: str | None) -> None:
        """Say where the control is; for the holder. Raises LockError."""
        assert self._holder is not None, "acquire first"
        try:
            self._tell(replace(self._holder, url=url, token=token))
        except OSError as error:
            raise LockError(f"cannot write {self._file}: {error.strerror or error}") from None

    def doubt(self) -> None:
        """Not all may have ended as it should: whoever comes next is to know (`left`)."""
        self._doubt = True

    def release(self) -> None:
        """Give the place up, if it is ours. May be called again."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                if self._doubt:
                    self._forget()
                else:
                    self._file.unlink(missing_ok=True)
            self._holder = None
            self._lock.release()

    def holder(self) -> Holder | None:
        """Who has the place, as far as he has said; None: nobody. Raises LockError."""
        return self._look()[1]

    def is_free(self) -> bool:
        """Whether nobody has the place. Raises LockError."""
        return self._look()[0]

    def _look(self) -> tuple[bool, Holder | None]:
        """Whether the place is free, and who has it if not. Takes it for a moment to find out."""
        if self._lock.is_locked:
            return False, self._read()
        if not self._path.exists():
            return True, None
        try:
            with self._alone():
                try:
                    with self._lock.acquire(timeout=0):
                        self._forget()
                        return True, None
                except Timeout:
                    return False, self._read()
        except OSError as error:
            raise LockError(f"cannot look at {self._path}: {error.strerror or error}") from None

    def _forget(self) -> None:
        """Empty what one who was killed has left, for his port may be another's by now; `left` needs the file."""
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self._file, 0)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While nobody else looks or takes the place. Raises LockError, OSError."""
        try:
            self._looking.acquire(timeout=LOOKING_S, poll_interval=0.001)
        except Timeout:
            why = f"somebody has held {self._looking.lock_file} for {LOOKING_S:g} s"
            raise LockError(f"cannot see who plays: {why}; end that process") from None
        try:
            yield
        finally:
            self._looking.release()

    def _taken(self) -> str:
        holder = self._read()
        where = ""
        if holder is not None:
            where = f": process {holder.pid} since {holder.since}"
            where += f", its panel and control at {holder.url}" if holder.url else ""
        name = "" if self._name == NAME else f" --name {self._name}"
        return (
            f"liveperf is already playing here{where}; end it with `liveperf stop{name}`, "
            "or play beside it with --name OTHER"
        )

    def _tell(self, holder: Holder) -> None:
        """Write who we are, so that a reader sees all of it or what was there before; it holds a secret."""
        new = self._file.with_suffix(".new")
        new.unlink(missing_ok=True)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(file, "w", encoding="utf-8") as out:
            json.dump(asdict(holder), out)
        for tries in reversed(range(10)):
            try:
                os.replace(new, self._file)
                break
            except PermissionError:  # Windows: somebody is reading it
                if not tries:
                    raise
                sleep(LOOK_S)
        self._holder = holder

    def _read(self) -> Holder | None:
        try:
            said = json.loads(self._file.read_text(encoding="utf-8"))
            holder = Holder(**said)
        except (OSError, ValueError, TypeError):
            return None
        known = type(holder.pid) is int and isinstance(holder.since, str)
        return holder if known and all(isinstance(one, str | None) for one in (holder.url, holder.token)) else None
