"""Writes what the journal has taken in: it goes on after trouble, and begins another file where one is due."""

from __future__ import annotations

import copy
import queue
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from liveperf.clock import Clock
from liveperf.recording.journalfile import PARAMS, Row, Start
from liveperf.recording.syncer import Syncer
from liveperf.recording.tape import Open, Tape, trim

SYNC_S = 0.75  # how often what was written is made to outlive a loss of power
RETRY_S = 1.0  # between attempts to write where that fails
COMPLAIN_S = 60.0
REST_S = 600.0  # after such a silence another recording begins
KEPT = 20_000  # messages that wait for a disk that is full or gone; a few MB of memory
FILE_BYTES = 32_000_000
TAKE = "take"

Answer = queue.SimpleQueue[Path | OSError]
Item = tuple[float, str, Any]
"""When, and a message by its owner, parameters (PARAMS), or TAKE: where to answer, and until when."""


class Scribe:
    """Writes what is in an inbox: `work` and `end`, for one thread. What it has come to, any thread may read.

    lost: messages that could not be kept. count: how many files it has begun and written to. begun: its files, but
    for those that it has removed. current: the last of all. start_s: when the performance began, by the clock.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        say: Callable[[str], None],
        head: Start,
        limit: float,
        open_file: Open,
        wall: Callable[[], datetime],
        inbox: queue.SimpleQueue[Item],
        syncer: Syncer,
    ) -> None:
        """head: how its files begin, but for when. limit: bytes of all of them. Else as `Journal` has it."""
        self.lost, self.count, self.start_s = 0, 0, clock.now()
        self.begun: list[Path] = []
        self.current: Path | None = None
        self.retired = False  # another one has taken over
        self.troubled = False
        self._folder, self._clock, self._say, self._head = folder, clock, say, head
        self._open_file, self._wall, self._inbox, self._syncer = open_file, wall, inbox, syncer
        self._limit, self._file_bytes = limit, min(FILE_BYTES, limit / 4)
        self._rows: deque[Row] = deque()  # to be written; times since the performance's start
        self._latest: dict[str, Any] = {}  # parameters as last told
        self._written: dict[str, Any] = {}  # and before the first of the rows
        self._tape: Tape | None = None
        self._heard = False  # whether anything was played in its file
        self._counted = False  # whether that is one of those that were begun, for others
        self._played_s = 0.0  # when the last of that was, since the start
        self._cut: tuple[float, Answer] | None = None  # another file is asked for
        self._earliest_s = 0.0  # nothing is from before the last of those
        self._synced_at, self._unsynced = float("-inf"), False
        self._retry_at, self._quiet_until = float("-inf"), float("-inf")
        self._told = False  # that there is trouble

    def successor(self, stuck: bool) -> Scribe:
        """Another one that goes on.

        stuck: this one's thread is still there, and may come round. Then it writes what it was about to, and no
        more; the other goes on in another file, where that is written, too.
        """
        self.retired = True
        other = copy.copy(self)
        other.retired, other._cut = False, None
        other._tape = None if stuck else self._tape
        other._rows, other.begun = self._rows.copy(), self.begun.copy()
        other._latest, other._written = self._latest.copy(), self._written.copy()
        return other

    def work(self) -> None:
        """Write what has come in."""
        now = self._clock.now()
        try:
            self._take()
            if now >= self._retry_at or self._cut is not None:
                self._write(now)
                if self._cut is not None:
                    self._turn(now, *self._cut)
                self._sync(now)
        except OSError as error:
            self._fail(now, error)
        except Exception as error:  # ours to put right: what is played from here on is not lost
            self.lost += sum(row.kind != PARAMS for row in self._rows)
            self._rows.clear()
            self._fail(now, _fault(error))
        self._cut = None

    def end(self) -> None:
        """Write what there is, and that it is all; see it through to the disk."""
        while True:
            self._retry_at = float("-inf")
            self.work()
            if self.retired or self._inbox.empty():  # else what came behind a take that was asked for waits still
                break
        through = [self._syncer.end, self._syncer.check]
        for last in through if self._rows else [self._close, *through]:
            try:
                last()
            except OSError as error:
                self._fail(self._clock.now(), error)
        waiting = sum(row.kind != PARAMS for row in self._rows)
        if waiting:
            self.lost += waiting
            self._say(f"the recording in {self._folder} is not whole: {self.lost} messages could not be written")

    def let_go(self) -> None:
        """Leave the file as it is."""
        if self._tape is not None:
            self._tape.close()

    def _take(self) -> None:
        while self._cut is None and not self.retired and not self._inbox.empty():
            time_s, kind, what = self._inbox.get_nowait()
            try:
                self._note(max(time_s - self.start_s, self._earliest_s), kind, what)
            except Exception as error:
                self.lost += kind not in (PARAMS, TAKE)
                self._complain(self._clock.now(), f"cannot record what came in: {_fault(error)}")
        self._drop()

    def _note(self, since_start: float, kind: str, what: Any) -> None:
        if kind == TAKE:
            answer, until = what
            if self._clock.now() < until:  # else who asked has been told that there is none
                self._cut, self._earliest_s = (since_start, answer), since_start
        elif kind == PARAMS:
            changed = {name: value for name, value in what.items() if self._latest.get(name) != value}
            self._latest.update(changed)
            if changed:
                self._rows.append(Row(since_start, PARAMS, changed))
        else:
            self._rows.append(Row(since_start, kind, what.bin().hex()))

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
            self._close()
        if self._tape is None:
            self._begin(now, round(min(row.time_s for row in self._rows), 6))
        assert self._tape is not None
        self._unsynced = True
        self._heard |= bool(played)
        self._played_s = max([self._played_s, *played])
        while self._rows and not self.retired:
            self._tape.write(self._rows)
        self._tell()
        if gone is not None:
            self._complain(now, f"the recording {gone} has gone; going on in {self._tape.path}")
        if self.troubled and (self._told or now >= self._quiet_until):
            self.troubled = self._told = False
            self._say(f"recording again, to {self._tape.path}; {self.lost} messages are lost")
        if self._tape.bytes >= self._file_bytes:
            self._close()

    def _turn(self, now: float, begin_s: float, answer: Answer) -> None:
        """Begin the file that is asked for."""
        self._close()
        self._begin(now, round(begin_s, 6))
        self._tell()  # though it is empty: it is what was asked for
        self._unsynced = True
        answer.put(self.begun[-1])

    def _sync(self, now: float) -> None:
        due = self._unsynced and now >= self._synced_at + SYNC_S
        if self._tape is not None and due and not self._syncer.waiting:
            self._syncer.sync(self._tape.opened())
            self._synced_at, self._unsynced = now, False
        self._syncer.check()

    def _close(self) -> None:
        """Add to the file that it is all; one in which nothing was played goes."""
        tape = self._tape
        if tape is None:
            return
        if self._heard:
            self._syncer.sync(tape.finish(self.lost), close=True)
        else:
            tape.close()
            tape.path.unlink(missing_ok=True)
            self._forget({tape.path})
        self._tape, self._unsynced = None, False

    def _begin(self, now: float, begin_s: float) -> None:
        try:
            self._forget(trim(self._folder, self._head.instrument, self._limit - self._file_bytes))
        except Exception as error:  # what is played now comes first
            self._complain(now, f"the oldest recordings in {self._folder} cannot make room: {error}")
        start = self._wall() - timedelta(seconds=now - self.start_s - begin_s)
        head = replace(self._head, start=start, begin_s=begin_s)
        self._tape = Tape(self._folder, head, self._written, self._open_file)
        self._heard = self._counted = False
        self.current = self._tape.path
        self.begun.append(self._tape.path)

    def _tell(self) -> None:
        """There is something in the file: whoever is told of it now finds that."""
        self.count += not self._counted
        self._counted = True

    def _forget(self, removed: set[Path]) -> None:
        """Files that are not there any more."""
        self.begun = [path for path in self.begun if path not in removed]
        self.current = None if self.current in removed else self.current

    def _fail(self, now: float, error: OSError) -> None:
        if self._tape is not None:
            self._tape.close()
            self._unsynced = True
        if self._cut is not None:
            self._cut[1].put(error)
        self._retry_at, self.troubled = now + RETRY_S, True
        why = error.strerror or error
        self._told |= self._complain(
            now,
            f"cannot record to {self._folder}: {why}; it plays on ({len(self._rows)} messages wait, {self.lost} "
            "are lost: make room, or see to the disk)",
        )

    def _complain(self, now: float, text: str) -> bool:
        due = now >= self._quiet_until
        if due:
            self._quiet_until = now + COMPLAIN_S
            self._say(text)
        return due


def _fault(error: Exception) -> OSError:
    return OSError(f"{type(error).__name__}: {error}, which is a fault in liveperf")
