"""A thread that does the same thing again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from liveperf.clock import prefer_this_thread, sleep

SHORT_S = 0.02  # an event is waited for no more exactly than this on Windows


class Loop:
    """Does some work, waits, and does it again, in a thread of its own, until it is stopped or the work fails.

    One thread starts and stops it.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        every_s: float,
        priority: int = 0,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """name: of the thread. every_s: how long to wait in between. priority: as `prefer_this_thread`; 0: none.

        failed: is told of what has ended it, in its thread; None: Python is, as of any thread.
        """
        self._name, self._work, self._every_s, self._priority = name, work, every_s, priority
        self._failed = failed
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; begin again, if a failure has ended it. Does nothing while it runs."""
        if not self.alive:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs. Any thread."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Work no more, for good. Blocks until what it is at is done."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        if self._priority:
            prefer_this_thread(self._priority)
        try:
            while not self._stop.is_set():
                self._work()
                self._wait()
        except Exception as error:
            if self._failed is None:
                raise
            self._failed(error)

    def _wait(self) -> None:
        if self._every_s < SHORT_S:
            sleep(self._every_s)
        else:
            self._stop.wait(self._every_s)
