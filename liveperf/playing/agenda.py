"""What the main thread is to see to, and what goes before what."""

from __future__ import annotations

import queue

from liveperf.clock import Clock
from liveperf.mapping.controls import Action
from liveperf.playing.instrument import Ask, News

_NEXT = ("next_preset", "previous_preset")  # each counts


class Agenda:
    """What has come, in its order; but a stop comes first, and of several presets or reloads the last is enough.

    Main thread only.
    """

    def __init__(self, inbox: queue.SimpleQueue[News], clock: Clock) -> None:
        self._inbox, self._clock = inbox, clock
        self._waiting: list[News] = []

    def next(self, until: float) -> News | None:
        """What is to be seen to next; None when nothing has come by then (s). Blocks."""
        if not self._waiting:
            self._add(self._clock.wait(self._inbox, until))
        while not self._inbox.empty():
            self._add(self._inbox.get())
        return self._waiting.pop(0) if self._waiting else None

    def _add(self, news: News | None) -> None:
        if news is None:
            return
        if is_stop(news):
            self._waiting.insert(0, news)
            return
        matter = _matter(news)
        if matter is not None and not (isinstance(news, Action) and news.name in _NEXT):
            self._waiting = [one for one in self._waiting if _matter(one) != matter]
        self._waiting.append(news)


def is_stop(news: News | None) -> bool:
    """Whether it is to end: a signal, or somebody who has asked for it."""
    return isinstance(news, int) or news == Ask("stop")


def _matter(news: News) -> str | None:
    """What it is about, if later news of the same matter makes it needless."""
    if isinstance(news, Ask):
        return news.what
    return "preset" if isinstance(news, Action) else None
