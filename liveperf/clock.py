"""The clock: now, and waiting. The only `import time`."""

from __future__ import annotations

import os
import queue
import sys
import time
from typing import Any, Protocol


class Clock(Protocol):
    """Seconds since some fixed moment, and a wait that a queue can cut short."""

    def now(self) -> float:
        """The time, s. Thread-safe, never blocks."""

    def wait(self, inbox: queue.SimpleQueue[Any], until: float) -> Any:
        """The queue's next item, or None when `until` (s) has come first. Blocks."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Seconds of `time.perf_counter`."""
        return time.perf_counter()

    def wait(self, inbox: queue.SimpleQueue[Any], until: float) -> Any:
        """The queue's next item, or None at `until`."""
        try:
            remaining = until - time.perf_counter()
            if remaining <= 0:
                return inbox.get_nowait()
            return inbox.get(timeout=min(remaining, 3600.0))
        except queue.Empty:
            return None


def sleep(seconds: float) -> None:
    """Block the calling thread; for start-up and the end, never in between."""
    time.sleep(seconds)


def prefer_this_thread(priority: int) -> str:
    """Ask the system to run the calling thread before others; returns what it granted.

    priority: 1 to 99, Linux; keep under that of JACK or PipeWire unless the thread only ever works briefly.

    Linux: SCHED_FIFO, which needs an rtprio limit or root. Windows: time-critical priority.
    macOS keeps such priority for its own frameworks; the thread stays as it is.
    """
    if hasattr(os, "sched_setscheduler"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        except OSError:
            return "normal"
        return f"SCHED_FIFO {priority}"
    if sys.platform == "win32":
        import ctypes

        kernel, timers = ctypes.windll.kernel32, ctypes.windll.winmm
        timers.timeBeginPeriod(1)  # waits end within 1 ms instead of 15.6
        if kernel.SetThreadPriority(kernel.GetCurrentThread(), 15):
            return "time critical"
    return "normal"
