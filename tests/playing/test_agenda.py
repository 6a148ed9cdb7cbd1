"""What the main thread sees to first, and what it need not see to any more."""

from __future__ import annotations

import queue

from liveperf.mapping.controls import Action
from liveperf.playing.agenda import Agenda
from liveperf.playing.instrument import Ask, News
from tests.fakes import FakeClock


def errand() -> None:
    """Something to do."""


def order(*news: News) -> list[News]:
    """What is seen to when all of it waits."""
    inbox: queue.SimpleQueue[News] = queue.SimpleQueue()
    for one in news:
        inbox.put(one)
    agenda, clock = Agenda(inbox, FakeClock()), FakeClock()
    found: list[News] = []
    while (seen := agenda.next(clock.now())) is not None:
        found.append(seen)
    return found


def test_what_has_nothing_to_do_with_each_other_keeps_its_order() -> None:
    news: list[News] = ["first", errand, Ask("reload"), "second", Ask("preset", "duet"), errand]
    assert order(*news) == news


def test_a_stop_comes_first() -> None:
    assert order("first", errand, Ask("preset", "duet"), 15)[0] == 15
    assert order("first", errand, Ask("stop"), Ask("reload"))[0] == Ask("stop")


def test_of_several_presets_the_last_is_enough() -> None:
    named: list[News] = [Ask("preset", "duet"), Action("preset", 3), Ask("preset", "solo")]
    assert order(*named) == [Ask("preset", "solo")]
    assert order("first", named[2], errand, named[0], named[1], "last") == ["first", errand, named[1], "last"]


def test_steps_to_the_next_preset_count_from_the_last_that_was_named() -> None:
    on, back, named = Action("next_preset"), Action("previous_preset"), Ask("preset", "duet")
    assert order(on, on, back) == [on, on, back]
    assert order(on, on, named, on, back) == [named, on, back]


def test_of_several_reloads_one_is_enough() -> None:
    assert order(Ask("reload"), Ask("preset", "duet"), Ask("reload")) == [Ask("preset", "duet"), Ask("reload")]


def test_what_comes_while_something_waits_is_seen_at_once() -> None:
    inbox: queue.SimpleQueue[News] = queue.SimpleQueue()
    clock = FakeClock()
    agenda = Agenda(inbox, clock)
    inbox.put("first")
    inbox.put("second")
    assert agenda.next(clock.now()) == "first"
    inbox.put(15)
    assert agenda.next(clock.now()) == 15
    assert agenda.next(clock.now() + 5) == "second"
    assert agenda.next(until := clock.now() + 5) is None and clock.now() == until
