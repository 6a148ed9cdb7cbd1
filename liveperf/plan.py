"""What has been committed, and the plan beyond it."""

from __future__ import annotations

from collections import deque

from liveperf.state import GeneratorState


class Plan:
    """The committed state, and planned (event, state after it) that nobody has heard yet.

    An event lies at the step of the state after it: a TIME_SHIFT is committed once its time has passed.
    Not thread-safe: the engine thread owns it.
    """

    def __init__(self, committed: GeneratorState) -> None:
        self.committed = committed
        self.complete = False  # the turn is over at the end of the plan
        self.version = 0  # goes up when anything planned comes or goes; for those who look on
        self._ahead: deque[tuple[int, GeneratorState]] = deque()

    def __len__(self) -> int:
        return len(self._ahead)

    @property
    def head(self) -> GeneratorState:
        """The state after everything planned."""
        return self._ahead[-1][1] if self._ahead else self.committed

    @property
    def next_step(self) -> int | None:
        """The step of the next planned event."""
        return self._ahead[0][1].step if self._ahead else None

    @property
    def ahead(self) -> list[tuple[int, GeneratorState]]:
        """All that is planned, as it is in this moment. Any thread."""
        return list(self._ahead)

    def append(self, event: int, state: GeneratorState) -> None:
        """Plan an event, and the state after it."""
        self._ahead.append((event, state))
        self.version += 1

    def commit_until(self, step: int) -> list[tuple[int, GeneratorState]]:
        """Commit what lies at `step` or before; returns the (event, state after it) in order."""
        done = []
        while self._ahead and self._ahead[0][1].step <= step:
            done.append(self._ahead.popleft())
            self.committed = done[-1][1]
        self.version += bool(done)
        return done

    def rewind(self, committed: GeneratorState | None = None) -> None:
        """Forget the plan; go on from `committed`, or from what was committed last."""
        self._ahead.clear()
        self.version += 1
        self.complete = False
        if committed is not None:
            self.committed = committed
