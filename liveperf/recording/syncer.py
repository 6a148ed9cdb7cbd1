"""Makes what was written outlive a loss of power, apart from who writes: a disk may take seconds for that."""

from __future__ import annotations

import contextlib
import queue
import threading

from liveperf.recording.tape import File

MOST = 8  # files that wait, where a disk stands still


class Syncer:
    """Syncs files one after the other, in a thread of its own; until `start`, in place, as in virtual time.

    One asks: `sync`, `waiting`, `check`; another may ask in his place.
    """

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[tuple[File, bool] | None] = queue.SimpleQueue()
        self._asked, self._done = 0, 0
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many are not done yet."""
        return self._asked - self._done

    def start(self) -> None:
        """From now on, in a thread."""
        self._thread = threading.Thread(target=self._run, name="liveperf-sync", daemon=True)
        self._thread.start()

    def sync(self, file: File, close: bool = False) -> None:
        """Sync a file; close it, too, afterwards. What fails is raised by `check`.

        With too many that wait, it is left to the system when it does so.
        """
        if self.waiting >= MOST:
            if close:
                _close(file)
            return
        self._asked += 1
        if self._thread is None:
            self._do(file, close)
        else:
            self._inbox.put((file, close))

    def check(self) -> None:
        """Raise the OSError that there was, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def end(self) -> None:
        """Wait for all that is asked for, and end the thread."""
        if self._thread is not None:
            self._inbox.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (wanted := self._inbox.get()) is not None:
            self._do(*wanted)

    def _do(self, file: File, close: bool) -> None:
        try:
            file.sync()
        except OSError as error:
            self._error = error
        except Exception as error:
            self._error = OSError(f"{type(error).__name__}: {error}, which is a fault in liveperf")
        if close:
            _close(file)
        self._done += 1


def _close(file: File) -> None:
    with contextlib.suppress(OSError):
        file.close()
