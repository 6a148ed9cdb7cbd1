"""What happens, in lines: for a musician at a terminal, or for the log of a system."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO, TextIO

from liveperf.feed import Ring

LOG = logging.getLogger("liveperf")
END_S = 0.5
KEPT = 256  # lines


class _Lines(logging.Formatter):
    """One line a message, whatever is in it."""

    def __init__(self, levels: bool) -> None:
        stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "  # systemd's journal has the time
        super().__init__(f"{stamp}%(levelname)s %(message)s" if levels else "%(message)s")
        self._levels = levels

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        text = super().format(record)
        if record.levelno >= logging.WARNING and not self._levels:
            text = f"liveperf: {text}"
        return " ".join(text.split("\n"))


class Lately(logging.Handler):
    """Keeps the last of what is logged, for those who look on: (s, level, text). Any thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        """now: the time, s."""
        super().__init__()
        self.ring: Ring[tuple[float, str, str]] = Ring(KEPT)
        self._now = now

    def emit(self, record: logging.LogRecord) -> None:
        """One more."""
        text = " ".join(record.getMessage().split("\n"))
        self.ring.add((self._now(), record.levelname.lower(), text))


class _NoLock:
    """For a handler that one thread uses: the interpreter, as it ends, would wait for it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        return True

    def release(self) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def _at_fork_reinit(self) -> None:
        pass


class _Printer(logging.Handler):
    """Prints by a way of its own to where a stream leads, in one thread.

    It goes past the stream, whose lock would be held as long as a terminal is held up, or a pipe full; and past
    stderr, which is turned away for moments in which a MIDI library would speak.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream, self._encoding = stream, stream.encoding or "utf-8"
        self._raw: BinaryIO | None = None
        with contextlib.suppress(OSError, ValueError, AttributeError):  # there is no file behind it
            self._raw = open(os.dup(stream.fileno()), "wb", buffering=0)

    def createLock(self) -> None:  # noqa: N802 (logging's name)
        """Only one thread prints."""
        self.lock = _NoLock()  # type: ignore[assignment]

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line; blocks while the terminal or pipe does."""
        try:
            line = self.format(record) + "\n"
            if self._raw is None:
                self._stream.write(line)
                self._stream.flush()
                return
            left = memoryview(line.encode(self._encoding, "backslashreplace"))
            while left:
                left = left[self._raw.write(left) or 0 :]
        except (OSError, ValueError):
            pass  # nobody reads any more: no reason to end

    def close(self) -> None:
        """Close the way; not while it prints."""
        if self._raw is not None:
            self._raw.close()
        super().close()


@contextlib.contextmanager
def told(levels: bool) -> Iterator[logging.Logger]:
    """The log. Any thread writes to it without waiting; a thread of its own prints.

    levels: each line begins with its level, and all go to stderr, as services do; else what is for the musician
    goes to stdout, and warnings and errors to stderr. A terminal that is held up, or a full pipe, keeps nobody
    from ending: what is not printed within END_S then never is.
    """
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    errors, news = _Printer(sys.stderr), _Printer(sys.stderr if levels else sys.stdout)
    errors.setLevel(logging.WARNING)
    news.addFilter(lambda record: record.levelno < logging.WARNING)
    for handler in (errors, news):
        handler.setFormatter(_Lines(levels))
    listener = logging.handlers.QueueListener(waiting, errors, news, respect_handler_level=True)
    door = logging.handlers.QueueHandler(waiting)
    LOG.addHandler(door)
    LOG.setLevel(logging.INFO)
    before, LOG.propagate = LOG.propagate, False
    listener.start()
    try:
        yield LOG
    finally:
        thread = listener._thread
        assert thread is not None
        listener.enqueue_sentinel()
        thread.join(END_S)
        LOG.removeHandler(door)
        LOG.propagate = before
        if not thread.is_alive():
            errors.close()
            news.close()
