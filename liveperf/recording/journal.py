"""What is played and answered, kept on disk as it happens: a second of it is lost at most."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import mido

from liveperf import __version__
from liveperf.clock import Clock
from liveperf.recording.journalfile import NAME, PARAMS, RecordError, Row, Start
from liveperf.recording.tape import DiskFile, Open, Tape, trim
from liveperf.voices import Owner

WRITE_S = 0.25  # how often what has come in is written, and so outlives the program
SYNC_S = 0.75  # how often it is made to outlive a loss of power: nothing waits for longer than both together
RETRY_S = 1.0  # between attempts to write where that fails
COMPLAIN_S = 60.0
REST_S = 600.0  # after such a silence another recording begins
KEPT = 20_000  # messages that wait for a disk that is full or gone; a few MB of memory
FILE_BYTES = 32_000_000
STOP_S = 3.0
TAKE_S = 3.0  # a disk that has not made a file in this time is in trouble
_TAKE = "take"


def _wall() -> datetime:
    return datetime.now(timezone.utc).astimezone()


class Journal:
    """Keeps a performance in files in a folder, where its instrument's oldest go once they exceed a limit.

    `add` and `set` are for any thread: they queue and return. A thread of its own writes; `work` and `end` are
    what it does: tests call them in virtual time. The first file is made when the first message comes, another one
    when it has grown to FILE_BYTES or a quarter of the limit, or when nothing was played for REST_S. Where the
    disk is full or gone, the last KEPT messages wait for it; older ones are lost, counted, and told.
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
        self.lost = 0  # messages that could not be kept so far
        self._clock, self._say, self._model, self._open_file, self._wall = clock, say, model, open_file, wall
        self._instrument = instrument
        self._limit, self._file_bytes = limit_mb * 1e6, min(FILE_BYTES, limit_mb * 1e6 / 4)
        self._start_s = clock.now()
        self._inbox: queue.SimpleQueue[tuple[float, str, Any]] = queue.SimpleQueue()
        self._ending: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._rows: deque[Row] = deque()  # to be written; times since the performance's start
        self._latest: dict[str, Any] = {}  # parameters as last told
        self._written: dict[str, Any] = {}  # and before the first of the rows
        self._tape: Tape | None = None
        self._heard = False  # whether anything was played in its file
        self._played_s = 0.0  # when the last of that was, since the start
        self._cut: tuple[float, queue.SimpleQueue[Path | OSError]] | None = None  # another file is asked for
        self._earliest_s = 0.0  # nothing is from before the last of those
        self._begun: list[Path] = []  # and written to, or asked for: whoever is told of one finds it in the list
        self._counted = False  # whether the tape's is among them
        self._synced_at, self._unsynced = float("-inf"), False
        self._retry_at, self._quiet_until = float("-inf"), float("-inf")
        self._troubled, self._told = False, False  # told: that there is trouble
        self._thread = threading.Thread(target=self._run, name="liveperf-journal", daemon=True)

    @property
    def files(self) -> list[Path]:
        """This performance's files that are still there, in order: all that it has, once it has stopped."""
        return [path for path in dict.fromkeys(self._begun) if os.path.isfile(path)]

    def add(self, time_s: float, owner: Owner, message: mido.Message) -> None:
        """A message was received from the human, or sent for the machine. Any thread; does not block."""
        if hasattr(message, "channel"):  # a recording has no place for a sequencer's start and stop
            self._put((time_s, owner.value, message))

    def set(self, time_s: float, values: dict[str, Any]) -> None:
        """These parameters have these values: those that changed, or all. Any thread; does not block."""
        self._put((time_s, PARAMS, values))

    @property
    def begun(self) -> int:
        """How many files were begun. Any thread."""
        return len(self._begun)

    def take(self) -> Path:
        """Begin another file now, for what is played from here on; it. Raises RecordError.

        Any thread but the instrument's own: it takes a quarter of a second. A file in which nothing was played
        goes when the next one is begun.
        """
        answer: queue.SimpleQueue[Path | OSError] = queue.SimpleQueue()
        self._inbox.put((self._clock.now(), _TAKE, answer))
        try:
            found = answer.get(timeout=TAKE_S)
        except queue.Empty:
            raise RecordError(f"no recording was begun within {TAKE_S:g} s: see to {self.folder}") from None
        if isinstance(found, OSError):
            raise RecordError(f"cannot record to {self.folder}: {found.strerror or found}") from found
        return found

    def _put(self, item: tuple[float, str, Any]) -> None:
        if self._inbox.qsize() < KEPT:
            self._inbox.put(item)
        else:  # the disk has held the thread up for so long
            self.lost += item[1] != PARAMS
            self._troubled = True

    def start(self) -> None:
        """The performance begins now: start the thread."""
        self._start_s = self._clock.now()
        self._thread.start()

    def stop(self) -> bool:
        """Write what there is and end the thread; whether it ended in time."""
        self._ending.put(True)
        self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._clock.wait(self._ending, self._clock.now() + WRITE_S) is None:
            self.work()
        self.end()

    def work(self) -> None:
        """Write what has come in."""
        self._take()
        now = self._clock.now()
        if now < self._retry_at and self._cut is None:
            return
        try:
            self._write(now)
            if self._cut is not None:
                self._turn(now, *self._cut)
            if self._tape is not None and self._unsynced and now >= self._synced_at + SYNC_S:
                self._tape.sync()
                self._synced_at, self._unsynced = now, False
        except OSError as error:
            self._fail(now, error)
        except (
            Exception
        ) as error:  # ours to put right: what it fails at is lost, what is played from here on is not
            self.lost += sum(row.kind != PARAMS for row in self._rows)
            self._rows.clear()
            self._fail(now, OSError(f"{type(error).__name__}: {error}, which is a fault in liveperf"))
        self._cut = None

    def end(self) -> None:
        """Write what there is, and that it is all."""
        self._retry_at = float("-inf")
        self.work()
        try:
            if self._tape is not None and not self._rows:
                self._finish(self._tape)
        except OSError as error:
            self._fail(self._clock.now(), error)
        waiting = sum(row.kind != PARAMS for row in self._rows)
        if waiting:
            self.lost += waiting
            self._say(f"the recording in {self.folder} is not whole: {self.lost} messages could not be written")

    def _take(self) -> None:
        while self._cut is None and not self._inbox.empty():
            time_s, kind, what = self._inbox.get_nowait()
            since_start = max(time_s - self._start_s, self._earliest_s)
            if kind == _TAKE:
                self._cut, self._earliest_s = (since_start, what), since_start
            elif kind == PARAMS:
                changed = {name: value for name, value in what.items() if self._latest.get(name) != value}
                self._latest.update(changed)
                if changed:
                    self._rows.append(Row(since_start, PARAMS, changed))
            else:
                self._rows.append(Row(since_start, kind, what.bin().hex()))
        self._drop()

    def _drop(self) -> None:
        values: dict[str, Any] = {}  # what dropped parameters came to, for what was played after them
        while len(self._rows) > KEPT:
            row = self._rows.popleft()
            if row.kind == PARAMS:
                values.update(row.data)
            else:
                self.lost += 1
        if values:
            self._rows.appendleft(Row(self._rows[0].time_s, PARAMS, values))

    def _write(self, now: float) -> None:
        gone = self._tape.path if self._tape is not None and self._rows and self._tape.gone else None
        if self._tape is not None and gone is not None:
            self._tape.close()
            self._tape = None
        while self._tape is None and self._rows and self._rows[0].kind == PARAMS:
            self._written.update(self._rows.popleft().data)  # they begin the file that the next message makes
        if not self._rows:
            return
        played = [row.time_s for row in self._rows if row.kind != PARAMS]
        if self._tape is not None and self._heard and played and played[0] >= self._played_s + REST_S:
            self._finish(self._tape)
            self._tape = None
        if self._tape is None:
            self._tape = self._begin(now, round(min(row.time_s for row in self._rows), 6))
        self._unsynced = True
        self._heard |= bool(played)
        self._played_s = max([self._played_s, *played])
        waiting = len(self._rows)
        try:
            while self._rows:
                self._tape.write(self._rows)
        finally:
            if len(self._rows) < waiting:
                self._count(self._tape)
        if gone is not None:
            self._complain(now, f"the recording {gone} has gone; going on in {self._tape.path}")
        if self._troubled and (self._told or now >= self._quiet_until):
            self._troubled = self._told = False
            self._say(f"recording again, to {self._tape.path}; {self.lost} messages are lost")
        if self._tape.bytes >= self._file_bytes:
            self._tape.finish(self.lost)
            self._tape, self._unsynced = None, False

    def _turn(self, now: float, begin_s: float, answer: queue.SimpleQueue[Path | OSError]) -> None:
        """Begin the file that is asked for."""
        if self._tape is not None:
            self._finish(self._tape)
        self._tape = None
        self._count(self._begin(now, round(begin_s, 6)))  # though it is empty: it is what was asked for
        self._unsynced = True
        answer.put(self._begun[-1])

    def _finish(self, tape: Tape) -> None:
        """Add to a file that it is all; one in which nothing was played goes."""
        if self._heard:
            tape.finish(self.lost)
        else:
            tape.close()
            tape.path.unlink(missing_ok=True)

    def _count(self, tape: Tape) -> None:
        """The tape's file is one of those that were begun."""
        if not self._counted:
            self._begun.append(tape.path)
            self._counted = True

    def _begin(self, now: float, begin_s: float) -> Tape:
        trim(self.folder, self._instrument, self._limit - self._file_bytes)
        start = self._wall() - timedelta(seconds=now - self._start_s - begin_s)
        head = Start(start, begin_s, self._model, __version__, self._instrument)
        self._tape = Tape(self.folder, head, self._written, self._open_file)
        self._heard = self._counted = False
        return self._tape

    def _fail(self, now: float, error: OSError) -> None:
        if self._tape is not None:
            self._tape.close()
        if self._cut is not None:
            self._cut[1].put(error)
        self._retry_at, self._troubled = now + RETRY_S, True
        why = error.strerror or error
        self._told |= self._complain(
            now,
            f"cannot record to {self.folder}: {why}; it plays on ({len(self._rows)} messages wait, {self.lost} "
            "are lost: make room, or see to the disk)",
        )

    def _complain(self, now: float, text: str) -> bool:
        due = now >= self._quiet_until
        if due:
            self._quiet_until = now + COMPLAIN_S
            self._say(text)
        return due
