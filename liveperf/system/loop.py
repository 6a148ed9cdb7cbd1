"""A thread that does the same thing again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from liveperf.clock import prefer_this_thread, sleep

SHORT_S = 0.02  # an event is waited for no more exactly than this on Windows


class Loop:
    """Does some work, waits, and does it again, in a thread of its own, until it is stopped or the work fails.

    One thread starts and stops it. A `supervisor.Watched`.
    """

    def __init__(self, name: str, work: Callable[[], None], every_s: float, priority: int = 0) -> None:
        """name: of the thread. every_s: to wait in between. priority: as `prefer_this_thread` has it; 0: none."""
        self.beats = 0  # goes up each time that it works
        self.failure: Exception | None = None  # what has ended it
        self._name, self._work, self._every_s, self._priority = name, work, every_s, priority
        self._ended = threading.Event()  # of the thread in force: one that is stuck has its own, should it wake
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; begin again in another thread, whatever has become of the one before: it does no more work."""
        self._ended.set()
        self._ended, self.failure = threading.Event(), None
        self._thread = threading.Thread(target=self._run, args=(self._ended,), name=self._name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs. Any thread."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, patience_s: float | None = None) -> bool:
        """Work no more; whether what it was at is done. patience_s: wait for that no longer than this."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(patience_s)
        return not self.alive

    def _run(self, ended: threading.Event) -> None:
        if self._priority:
            prefer_this_thread(self._priority)
        try:
            while not ended.is_set():
                self.beats += 1
                self._work()
                self._wait(ended)
        except Exception as error:
            if not ended.is_set():
                self.failure = error

    def _wait(self, ended: threading.Event) -> None:
        if self._every_s < SHORT_S:
            sleep(self._every_s)
        else:
            ended.wait(self._every_s)
