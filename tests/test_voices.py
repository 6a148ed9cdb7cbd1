"""The ledger: whatever both players do, what is sent is in pairs and a note has a latest end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from liveperf.voices import Owner, Voices
from tests.fakes import FakeClock, FakePort
from tests.messages import control, off, on, pedal

HUMAN, MACHINE = Owner.HUMAN, Owner.MACHINE
FAR = float("inf")

owners = st.sampled_from(Owner)
keys = st.tuples(st.integers(0, 1), st.integers(60, 62))  # channel, pitch: few, so that they meet
deeds = st.lists(
    st.one_of(
        st.tuples(st.just("on"), owners, keys, st.sampled_from([1.0, 2.0, 3.0, FAR])),
        st.tuples(st.just("off"), owners, keys, st.none()),
        st.tuples(st.just("pedal"), st.none(), keys, st.sampled_from([0, 127])),
        st.tuples(st.just("release"), owners, st.none(), st.none()),
        st.tuples(st.just("expire"), st.none(), st.none(), st.sampled_from([0.5, 1.0, 2.0, 3.0])),
    )
)


@given(deeds)
def test_notes_are_paired_and_the_last_owner_ends_them(
    script: list[tuple[str, Owner, tuple[int, int], float]],
) -> None:
    voices, port = Voices(), FakePort(FakeClock())
    held: dict[tuple[int, int], dict[Owner, float]] = {}  # what ought to sound, and why
    for what, owner, key, value in script:
        if what == "on":
            messages = voices.note_on(owner, on(key[1], channel=key[0]), value)
            held.setdefault(key, {})[owner] = value
        elif what == "off":
            messages = voices.note_off(owner, off(key[1], channel=key[0]))
            held.get(key, {}).pop(owner, None)
        elif what == "pedal":
            messages = voices.control(pedal(int(value), channel=key[0]))
        elif what == "release":
            messages = voices.release(owner)
            held = {key: {who: end for who, end in by.items() if who is not owner} for key, by in held.items()}
        else:
            messages = voices.expired(value)
            held = {key: {who: end for who, end in by.items() if end > value} for key, by in held.items()}
        held = {key: by for key, by in held.items() if by}
        for message in messages:
            port.send(message)
        assert port.sounding == set(voices.sounding) == set(held)
        assert voices.next_end == min((end for by in held.values() for end in by.values()), default=FAR)
    for message in [one for owner in Owner for one in voices.release(owner)]:
        port.send(message)
    assert not port.sounding
    down = {m.channel: m.value for _, m in port.sent if m.type == "control_change"}
    assert not any(down.values())


def test_a_note_is_sent_with_its_velocity_and_ended_once() -> None:
    voices = Voices()
    assert voices.note_on(MACHINE, on(60), 1.0) == [on(60)]
    assert voices.note_off(MACHINE, off(60)) == [off(60)]
    assert voices.note_off(MACHINE, off(60)) == []


def test_struck_again_a_note_is_ended_first() -> None:
    voices = Voices()
    voices.note_on(MACHINE, on(60), 1.0)
    assert voices.note_on(MACHINE, on(60), 2.0) == [off(60), on(60)]
    assert voices.next_end == 2.0


def test_a_note_of_two_ends_with_the_last() -> None:
    voices = Voices()
    voices.note_on(MACHINE, on(60), 1.0)
    assert voices.note_on(HUMAN, on(60), FAR) == [off(60), on(60)]
    assert voices.note_off(MACHINE, off(60)) == []
    assert voices.note_off(HUMAN, off(60)) == [off(60)]


def test_nobody_ends_a_note_of_another() -> None:
    voices = Voices()
    voices.note_on(HUMAN, on(60), FAR)
    assert voices.note_off(MACHINE, off(60)) == []
    assert voices.release(MACHINE) == []
    assert voices.sounding == [(0, 60)]


def test_a_latest_end_is_kept() -> None:
    voices = Voices()
    voices.note_on(MACHINE, on(60), 5.0)
    voices.note_on(MACHINE, on(64), 4.0)
    assert voices.next_end == 4.0
    assert voices.expired(3.9) == []
    assert voices.expired(4.0) == [off(64)]
    assert voices.expired(9.0) == [off(60)]
    assert voices.next_end == FAR


def test_the_pedal_comes_up_with_the_human() -> None:
    voices = Voices()
    assert voices.control(pedal(127, channel=3)) == [pedal(127, channel=3)]
    voices.note_on(HUMAN, on(60), FAR)
    assert voices.release(MACHINE) == []
    assert voices.release(HUMAN) == [off(60), pedal(0, channel=3)]
    assert voices.release(HUMAN) == []


def test_other_controllers_pass() -> None:
    wheel = control(1, 90)
    assert Voices().control(wheel) == [wheel]
