"""What is played and answered, kept on disk as it happens: a second of it is lost at most."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import mido

from liveperf import __version__
from liveperf.clock import Clock
from liveperf.recording import scribe
from liveperf.recording.journalfile import NAME, PARAMS, RecordError, Start
from liveperf.recording.scribe import TAKE, Answer, Item, Scribe
from liveperf.recording.syncer import Syncer
from liveperf.recording.tape import DiskFile, Open
from liveperf.voices import Owner

WRITE_S = 0.25  # how often what has come in is written, and so outlives the program
STOP_S = 3.0
TAKE_S = 3.0  # a disk that has not made a file in this time is in trouble


def _wall() -> datetime:
    return datetime.now(timezone.utc).astimezone()


class Journal:
    """Keeps a performance in files in a folder, where its instrument's oldest go once they exceed a limit.

    `add` and `set` are for any thread: they queue and return. A thread of its own writes; `work` and `end` are
    what it does: tests call them in virtual time. Another one syncs, so that a disk which takes seconds for that
    holds up no writing. The first file is made when the first message comes, another one when it has grown to
    FILE_BYTES or a quarter of the limit, or when nothing was played for REST_S. Where the disk is full or gone,
    the last KEPT messages wait for it; older ones are lost, counted, and told.

    beats: goes up with each round of the thread. failure: what the thread has ended with. Then `resume`.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        say: Callable[[str], None],
        model: str,
        limit_mb: float = 1024,
        open_file: Open = DiskFile,
        wall: Callable[[], datetime] = _wall,
        instrument: str = NAME,
    ) -> None:
        """folder: made when it is needed. say: told of trouble, once a minute at most, by the journal's thread.

        model, instrument: their names; others may use the folder, too, but none of that name. limit_mb: of the
        instrument's files there, above 0. open_file: opens a file. wall: the time of day.
        """
        self.folder = folder
        self.beats = 0
        self.failure: Exception | None = None
        self._clock = clock
        self._inbox: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._ending: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._syncer = Syncer()
        head, limit = Start(wall(), 0.0, model, __version__, instrument), limit_mb * 1e6
        self._scribe = Scribe(folder, clock, say, head, limit, open_file, wall, self._inbox, self._syncer)
        self._thread: threading.Thread | None = None

    # What is kept.

    def add(self, time_s: float, owner: Owner, message: mido.Message) -> None:
        """A message was received from the human, or sent for the machine. Any thread; does not block."""
        if hasattr(message, "channel"):  # a recording has no place for a sequencer's start and stop
            self._put((time_s, owner.value, message))

    def set(self, time_s: float, values: dict[str, Any]) -> None:
        """These parameters have these values: those that changed, or all. Any thread; does not block."""
        self._put((time_s, PARAMS, values))

    def _put(self, item: Item) -> None:
        if self._inbox.qsize() < scribe.KEPT:
            self._inbox.put(item)
        else:  # the disk has held the thread up for so long
            self._scribe.lost += item[1] != PARAMS
            self._scribe.troubled = True

    def take(self) -> Path:
        """Begin another file now, for what is played from here on; it. Raises RecordError.

        Any thread but the instrument's own: it takes a quarter of a second. A file in which nothing was played
        goes when the next one is begun.
        """
        answer: Answer = queue.SimpleQueue()
        now = self._clock.now()
        self._inbox.put((now, TAKE, (answer, now + TAKE_S)))
        try:
            found = answer.get(timeout=TAKE_S)
        except queue.Empty:
            raise RecordError(f"no recording was begun within {TAKE_S:g} s: see to {self.folder}") from None
        if isinstance(found, OSError):
            raise RecordError(f"cannot record to {self.folder}: {found.strerror or found}") from found
        return found

    # What has become of it. Any thread.

    @property
    def lost(self) -> int:
        """Messages that could not be kept so far."""
        return self._scribe.lost

    @property
    def begun(self) -> int:
        """How many files were begun."""
        return self._scribe.count

    @property
    def current(self) -> Path | None:
        """The file that was begun last; the disk is not asked whether it is still there."""
        return self._scribe.current

    @property
    def files(self) -> list[Path]:
        """This performance's files that are still there, in order: all that it has, once it has stopped."""
        return [path for path in dict.fromkeys(self._scribe.begun) if os.path.isfile(path)]

    # Its thread.

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """The performance begins now: start the thread."""
        self._scribe.start_s = self._clock.now()
        self._syncer.start()
        self._begin()

    def resume(self) -> None:
        """Go on in another thread, whatever has become of the one before."""
        self._scribe, self.failure = self._scribe.successor(stuck=self.alive), None
        self._begin()

    def stop(self) -> bool:
        """Write what there is and end the thread; whether it ended in time."""
        self._ending.put(True)
        if self._thread is not None:
            self._thread.join(STOP_S)
        return not self.alive

    def _begin(self) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(self._scribe,), name="liveperf-journal", daemon=True
        )
        self._thread.start()

    def _run(self, mine: Scribe) -> None:
        try:
            while self._clock.wait(self._ending, self._clock.now() + WRITE_S) is None:
                mine.work()
                if mine.retired:
                    break
                self.beats += 1
            else:
                mine.end()
        except Exception as error:
            if not mine.retired:
                self.failure = error
        finally:
            mine.let_go()

    def work(self) -> None:
        """Write what has come in."""
        self._scribe.work()

    def end(self) -> None:
        """Write what there is, and that it is all."""
        self._scribe.end()
