"""A knob is waited for among all that comes in."""

from __future__ import annotations

import mido
import pytest

from liveperf.mapping.listener import Heard
from liveperf.panel.lesson import PATIENCE_S, Lesson
from liveperf.voices import PEDAL
from tests.fakes import FakeClock
from tests.messages import bend, control, off, on, pressure, program

PANIC = 99  # a knob for it


class Lessons:
    def __init__(self) -> None:
        self.learned: list[tuple[str, Heard]] = []
        self.clock = FakeClock()
        self.lesson = Lesson(lambda name, heard: self.learned.append((name, heard)), self.clock.now, self.panics)

    def panics(self, message: mido.Message) -> bool:
        return bool(message.type == "control_change" and message.control == PANIC)

    def turn(self, number: int, *values: int) -> list[bool]:
        return [self.lesson.hear(control(number, value)) for value in values]


SWEPT = (10, 20, 30, 40)


def test_without_a_lesson_everything_passes() -> None:
    lessons = Lessons()
    assert lessons.turn(20, *SWEPT) == [False] * 4 and lessons.lesson.wanted is None


def test_the_knob_that_moves_is_learned_and_does_nothing_else_meanwhile() -> None:
    lessons = Lessons()
    lessons.lesson.begin("density")
    assert lessons.lesson.wanted == "density"
    heard = lessons.turn(20, *SWEPT)
    assert heard == [True, True, True, False]  # it is learned, and from then on a knob
    assert lessons.learned == [("density", Heard("cc", 20, 1))] and lessons.lesson.wanted is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *(("mode", message) for message in (on(60), off(60), control(PEDAL, 127), mido.Message("polytouch"))),
        *(("density", control(number, 0)) for number in (121, 122, 124, 127)),
        *((name, mido.Message("clock")) for name in ("density", "turn", "preset")),
        ("density", program(3)),
        *(("turn", message) for message in (bend(4000), pressure(100))),
        *(("preset", message) for message in (control(20, 127), bend(0), pressure(1))),
    ],
)
def test_what_cannot_be_the_knob_goes_on(name: str, message: mido.Message) -> None:
    lessons = Lessons()
    lessons.lesson.begin(name)
    assert not lessons.lesson.hear(message) and not lessons.learned
    assert lessons.lesson.wanted == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *(("density", message) for message in (control(20, 1), bend(0), pressure(1))),
        *(("turn", message) for message in (control(20, 127), program(3))),
        ("preset", program(3)),
    ],
)
def test_what_can_be_the_knob_does_nothing_else_meanwhile(name: str, message: mido.Message) -> None:
    lessons = Lessons()
    lessons.lesson.begin(name)
    assert lessons.lesson.hear(message)


@pytest.mark.parametrize("number", [120, 123, PANIC])
def test_a_panic_goes_on_and_ends_it(number: int) -> None:
    lessons = Lessons()
    lessons.lesson.begin("density")
    assert lessons.turn(number, 127) == [False] and lessons.lesson.wanted is None
    assert lessons.turn(20, *SWEPT) == [False] * 4 and not lessons.learned


def test_it_ends_by_itself() -> None:
    lessons = Lessons()
    lessons.lesson.begin("density")
    lessons.clock.advance(PATIENCE_S - 0.1)
    assert lessons.lesson.wanted == "density" and lessons.turn(20, *SWEPT[:2]) == [True] * 2
    lessons.clock.advance(0.2)
    assert lessons.lesson.shown == {"learning": None, "hint": None}
    assert lessons.turn(20, *SWEPT) == [False] * 4 and not lessons.learned
    lessons.lesson.begin("speed")
    assert lessons.turn(20, *SWEPT[:3]) == [True] * 3 and lessons.learned == [("speed", Heard("cc", 20, 1))]


def test_it_says_why_what_moves_is_not_taken() -> None:
    lessons = Lessons()
    assert lessons.lesson.shown == {"learning": None, "hint": None}
    lessons.lesson.begin("density")
    assert lessons.lesson.shown == {"learning": "density", "hint": None}
    lessons.lesson.hear(program(3))
    assert lessons.lesson.shown == {"learning": "density", "hint": "program change will not do for this"}
    lessons.turn(20, *SWEPT)
    assert lessons.lesson.shown == {"learning": None, "hint": None}


def test_a_key_that_is_played_with_pressure_is_not_learned() -> None:
    lessons = Lessons()
    lessons.lesson.begin("temperature")
    for pitch in range(60, 72):
        for message in (on(pitch), *map(pressure, (5, 40, 90, 120, 70, 20, 0)), off(pitch), pressure(0)):
            lessons.lesson.hear(message)
    assert not lessons.learned
    lessons.turn(20, *SWEPT)
    assert lessons.learned == [("temperature", Heard("cc", 20, 1))]


def test_it_is_given_up_and_begun_anew() -> None:
    lessons = Lessons()
    lessons.lesson.begin("density")
    lessons.turn(20, *SWEPT[:2])
    lessons.lesson.begin(None)
    assert lessons.turn(20, *SWEPT) == [False] * 4 and not lessons.learned
    lessons.lesson.begin("temperature")
    lessons.turn(21, *SWEPT)
    lessons.lesson.begin("turn")
    assert lessons.turn(22, 127, 0) == [True, True]
    assert [name for name, _ in lessons.learned] == ["temperature", "turn"]
    assert lessons.learned[1][1].pressed
