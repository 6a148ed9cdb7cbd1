"""Our own notes that come back are known, and nobody else's are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from liveperf.midi.echo import WINDOW_S, Echo
from tests.messages import control, off, on


def looped(echo: Echo, notes: int = 2, at: float = 0.0) -> float:
    """The machine's notes come back; returns when that is over (s)."""
    for number in range(notes):
        for message in (on(40 + number), off(40 + number)):
            echo.sent(at, message, own=True)
            assert echo.is_echo(at + 0.01, message)
        at += 2 * WINDOW_S
    echo.sent(at, control(1, 0), own=True)  # it looks back
    return at


def test_the_machines_note_comes_back_once() -> None:
    echo = Echo()
    echo.sent(10.0, on(60), own=True)
    assert echo.is_echo(10.02, on(60))
    assert not echo.is_echo(10.03, on(60))
    assert echo.count == 1


def test_a_note_off_is_an_echo_if_its_note_on_was() -> None:
    echo = Echo()
    echo.sent(10.0, on(60), own=True)
    assert echo.is_echo(10.01, on(60))
    assert not echo.is_echo(10.02, off(60))  # the human's, who let go just then: none has gone out
    echo.sent(15.0, off(60), own=True)
    assert echo.is_echo(15.02, off(60))
    assert not echo.is_echo(15.03, off(60))


def test_another_velocity_channel_or_time_is_somebody_else() -> None:
    for message, at in ((on(60, 81), 10.0), (on(60, channel=1), 10.0), (on(61), 10.0), (on(60), 10.01 + WINDOW_S)):
        echo = Echo()
        echo.sent(10.0, on(60), own=True)
        assert not echo.is_echo(at, message)


def test_a_key_struck_again_and_again_is_no_echo_of_itself() -> None:
    echo = Echo()
    for number in range(20):
        for message in (on(60), off(60)):
            now = number * 0.05
            assert not echo.is_echo(now, message)
            echo.sent(now, message, own=False)
    assert not echo.loops


def test_where_a_loop_is_proven_the_humans_notes_come_back_too() -> None:
    echo, knob = Echo(), control(7, 3)
    now = looped(echo)
    assert echo.loops
    for message in (on(60), knob, off(60)):
        assert not echo.is_echo(now, message)
        echo.sent(now, message, own=False)
        assert echo.is_echo(now + 0.02, message)


def test_the_humans_own_come_back_before_the_machine_has_played() -> None:
    echo, now = Echo(), 0.0
    for pitch in (60, 64, 67):
        for message in (on(pitch), off(pitch), control(7, pitch)):
            now += 0.1
            assert not echo.is_echo(now, message)
            echo.sent(now, message, own=False)
            assert echo.is_echo(now + 0.02, message)
    assert not echo.is_echo(now + 0.03, message)  # it comes back once
    assert echo.loops


def test_a_controller_that_moves_on_is_no_echo_of_itself() -> None:
    echo = Echo()
    for number, value in enumerate((5, 6, 5, 6, 5)):
        message = control(7, value)
        assert not echo.is_echo(number * 0.01, message)
        echo.sent(number * 0.01, message, own=False)


def test_a_loop_that_is_cut_is_forgotten() -> None:
    echo = Echo()
    now = looped(echo)
    for number in range(10):
        echo.sent(now + number, on(50 + number), own=True)
    assert not echo.loops


def test_a_loop_that_is_cut_in_a_note_leaves_nothing_behind() -> None:
    echo = Echo()
    for pitch in range(40, 80):
        echo.sent(10.0, on(pitch), own=True)
        assert echo.is_echo(10.01, on(pitch))
        echo.sent(11.0, off(pitch), own=True)  # which does not come back
    echo.sent(11.0 + 2 * WINDOW_S, on(90), own=True)
    assert not echo._sounding and len(echo._sent) == 1


def test_a_key_struck_after_an_echo_of_it_is_the_humans_and_so_is_its_end() -> None:
    echo = Echo()
    echo.sent(1.0, on(60), own=True)
    assert echo.is_echo(1.01, on(60))
    assert not echo.is_echo(1.05, on(60, 33))
    assert not echo.is_echo(1.10, off(60))


@given(st.lists(st.tuples(st.booleans(), st.integers(60, 62), st.sampled_from([64, 80]), st.floats(0, 0.3))))
def test_what_the_machine_did_not_play_is_never_an_echo(messages: list[tuple[bool, int, int, float]]) -> None:
    echo, held, now = Echo(), set[int](), 0.0
    for is_on, pitch, velocity, wait in messages:
        now += wait
        if is_on == (pitch in held):
            continue  # a key that is down is not struck
        (held.add if is_on else held.discard)(pitch)
        message = on(pitch, velocity) if is_on else off(pitch)
        assert not echo.is_echo(now, message)
        echo.sent(now, message, own=False)


@given(st.lists(st.tuples(st.booleans(), st.integers(60, 62), st.floats(0, 0.1)), max_size=30))
def test_a_loop_that_returns_everything_leaves_nothing_for_the_human(
    messages: list[tuple[bool, int, float]],
) -> None:
    echo, held, now = Echo(), set[int](), 0.0
    for is_on, pitch, delay in messages:
        now += delay + 0.2
        if is_on == (pitch in held):
            continue  # what is sent is always in pairs
        (held.add if is_on else held.discard)(pitch)
        message = on(pitch) if is_on else off(pitch)
        echo.sent(now, message, own=True)
        assert echo.is_echo(now + delay, message)


def test_what_has_come_back_is_forgotten() -> None:
    echo = Echo()
    for index in range(1000):
        message = on(index % 100, 1 + index // 100)
        echo.sent(float(index), message, own=True)
        assert echo.is_echo(index + 0.01, message)
    assert len(echo._waiting) <= 1
