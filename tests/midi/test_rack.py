"""The rack in virtual time: ports come and go, servers die, and no note hangs or is ended twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.midi.jackwatch import HEADER_BYTES, RING_BYTES, RingGuard
from liveperf.midi.ledgers import Held
from liveperf.midi.ports import PortError
from liveperf.midi.rack import LOOK_S, STILL_S, TRY_S, PortStatus
from tests.messages import control, off, on
from tests.midi.stage import Stage
from tests.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_without_names_there_is_a_virtual_port_each(world: World) -> None:
    stage = Stage(world).open()
    assert stage.rack.status() == (
        PortStatus("output", None, "liveperf-out:liveperf", True),
        PortStatus("input", None, "liveperf-in:liveperf", True),
    )
    assert stage.said == [] and stage.rack.reconnects == 0


def test_a_port_that_is_absent_at_the_start_is_waited_for(world: World) -> None:
    world.plug("LPK25 keys"), world.plug("Big synth")
    stage = Stage(world, ("nord",), ("synth",)).open()
    assert stage.said == ["waiting for the MIDI input 'nord' (there is 'LPK25 keys')"]
    assert stage.open_ports == ["Big synth"]
    stage.look(5)
    world.plug("Nord keys")
    stage.look()
    assert stage.said[1:] == ["MIDI input Nord keys is there"]
    stage.play("Nord keys", on(60))
    assert stage.received == [on(60)]
    assert stage.rack.reconnects == 0


def test_what_there_is_is_named(world: World) -> None:
    world.plug("A keys"), world.plug("B keys")
    stage = Stage(world, ("Nord", "Roland"), several="first").open()
    assert stage.said == ["waiting for the MIDI input 'Nord' or 'Roland' (there are 'A keys', 'B keys')"]


def test_its_own_ports_never_match(world: World) -> None:
    stage = Stage(world, ("live",), ("live",), "live").open()
    stage.look(1)
    assert stage.open_ports == []
    assert all("there is none" in line for line in stage.said)


def test_two_plugs_do_not_take_one_port(world: World) -> None:
    world.plug("Nord synth 1")
    stage = Stage(world, (), ("Nord", "synth")).open()
    assert [port.name for port in stage.rack.status()][:2] == ["Nord synth 1", None]
    world.plug("Nord synth 2")
    stage.look()
    assert [port.name for port in stage.rack.status()][:2] == ["Nord synth 1", "Nord synth 2"]


def test_a_keyboard_that_vanishes_lets_its_keys_and_pedals_go_and_no_other_does(world: World) -> None:
    world.plug("A keys"), world.plug("B keys")
    stage = Stage(world, ("A", "B")).open()
    stage.play("A keys", on(60), control(64, 127), on(62), off(60), control(1, 99))
    stage.play("B keys", on(40))
    stage.received.clear()
    world.unplug("A keys")
    stage.look()
    assert stage.received == [control(64, 0), off(62)]
    assert stage.said == ["MIDI input A keys is gone; waiting for it"]
    world.plug("A keys")
    stage.look()
    assert stage.said[1:] == ["MIDI input A keys is there"]
    stage.play("A keys", on(64))
    stage.play("B keys", off(40))
    assert stage.received[2:] == [on(64), off(40)]
    assert stage.rack.reconnects == 1


def test_a_cable_pulled_and_put_back_between_two_looks_is_noticed(world: World) -> None:
    world.plug("A keys")
    stage = Stage(world, ("A",)).open()
    stage.play("A keys", on(60))
    world.unplug("A keys")
    world.plug("A keys")
    stage.look()
    assert stage.received == [on(60), off(60)]
    stage.play("A keys", on(61))
    assert stage.received[2:] == [on(61)]


def test_where_links_cannot_be_known_keys_are_let_go_when_a_keyboard_goes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(World, "frame", lambda self: None)  # as ALSA and CoreMIDI, which tell no links
    monkeypatch.setattr(World, "links", lambda self, name: ())
    stage = Stage(world).open()
    world.plug("Nord keys")
    world.wire("liveperf-in:liveperf", "Nord keys")
    stage.play("Nord keys", on(60), control(64, 127))
    world.plug("Big synth"), world.plug("B keys")
    stage.look()
    assert stage.received == [on(60), control(64, 127)]  # what comes is no reason
    world.unplug("Nord keys")
    stage.look()
    assert stage.received[2:] == [off(60), control(64, 0)]
    assert stage.rack.reconnects == 0


def test_every_output_gets_every_message(world: World) -> None:
    one, two = world.plug("synth one"), world.plug("synth two")
    stage = Stage(world, (), ("one", "two")).open()
    stage.send(on(60), control(7, 100), mido.Message("clock"))
    assert one.heard == two.heard == [on(60), control(7, 100), mido.Message("clock")]


def test_an_output_that_comes_back_is_put_right_before_it_gets_anything_else(world: World) -> None:
    synth = world.plug("synth")
    stage = Stage(world, (), ("synth",)).open()
    stage.send(on(60), on(64), control(64, 90), off(64))
    stage.look(1)
    world.unplug("synth")
    stage.look()
    synth.heard.clear()
    stage.send(on(70), off(60))
    assert synth.heard == []
    world.plug("synth")
    stage.look()
    assert synth.heard == [off(60), control(64, 0)]
    stage.send(off(70), on(72))
    assert synth.heard[2:] == [on(72)]


def test_a_note_that_ended_when_the_cable_was_out_already_ends_when_it_is_back(world: World) -> None:
    synth = world.plug("synth")
    stage = Stage(world, (), ("synth",)).open()
    stage.send(on(60))
    stage.look(1)
    world.unplug("synth")
    stage.send(off(60))
    stage.look()
    world.plug("synth")
    stage.look()
    assert synth.held == set() and synth.heard == [on(60), off(60)]


def test_the_first_that_is_there_plays_and_the_next_when_it_vanishes(world: World) -> None:
    two = world.plug("two synth")
    one = world.plug("one synth")
    stage = Stage(world, (), ("one", "two"), several="first").open()
    stage.send(on(60))
    assert (one.held, two.heard) == ({60}, [])
    world.unplug("one synth")
    stage.look()
    stage.send(off(60), on(61))
    assert two.heard == [on(61)]
    world.plug("one synth")
    stage.look(1)
    assert stage.open_ports[0] == "two synth"
    world.unplug("two synth")
    stage.look()
    assert one.heard == [on(60), off(60)]
    assert stage.rack.status()[0].wanted == "one or two"


def test_the_same_synth_under_another_alsa_number_is_put_right(world: World) -> None:
    world.devices["synth 24:0"] = world.plug("synth 20:0")
    stage = Stage(world, (), ("synth",)).open()
    stage.send(on(60))
    world.unplug("synth 20:0")
    world.plug("synth 24:0")
    stage.look()
    assert world.devices["synth 24:0"].heard == [on(60), off(60)]


def test_notes_are_ended_when_a_port_is_closed_in_good_order(world: World) -> None:
    synth = world.plug("synth")
    stage = Stage(world, (), ("synth",)).open()
    stage.send(on(60), on(61), off(61), control(66, 127))
    stage.rack.close()
    assert synth.heard[4:] == [off(60), control(66, 0)]
    assert world.opened == []


def test_a_controller_that_comes_back_shows_what_it_should(world: World) -> None:
    stage = Stage(world, (), (), "lamps").open()
    stage.rack.show(control(1, 5))
    lamps = world.plug("lamps")
    stage.look()
    stage.rack.show(control(2, 6))
    world.unplug("lamps")
    stage.look()
    stage.rack.show(control(2, 7))
    world.plug("lamps")
    stage.look()
    assert lamps.heard == [control(1, 5), control(2, 6), control(1, 5), control(2, 7)]
    assert [port.direction for port in stage.rack.status()] == ["output", "feedback", "input"]


def test_all_notes_off_ends_them_in_the_books_too(world: World) -> None:
    world.plug("synth")
    stage = Stage(world, (), ("synth",)).open()
    stage.send(on(60), control(123, 0), off(60))
    assert world.devices["synth"].heard == [on(60), control(123, 0)]


def test_a_server_that_dies_is_noticed_and_all_is_made_again(world: World) -> None:
    synth = world.plug("synth")
    world.plug("keys")
    stage = Stage(world, ("keys",), ("synth",)).open()
    stage.play("keys", on(30))
    stage.send(on(60))
    world.kill()
    stage.look()
    assert stage.said == ["the JACK server is gone; waiting for it"]
    assert stage.received == [on(30), off(30)]
    assert stage.open_ports == [] and world.opened == []
    looks = world.looks
    stage.look(60)
    assert world.looks - looks <= 60 / TRY_S
    world.start()
    stage.look(2 * LOOK_S)
    assert stage.said[1:] == ["the JACK server is back"]
    assert stage.open_ports == ["synth", "keys"]
    assert synth.heard == [on(60), off(60)]
    assert stage.rack.reconnects == 2


def test_a_server_that_died_and_came_back_between_two_looks_is_noticed(world: World) -> None:
    stage = Stage(world).open()
    world.kill()
    world.start()
    stage.look(1)
    assert stage.open_ports == ["liveperf-out:liveperf", "liveperf-in:liveperf"]
    assert stage.said == ["the JACK server is gone; waiting for it", "the JACK server is back"]


def test_a_port_that_the_server_has_thrown_out_is_made_again(world: World) -> None:
    stage = Stage(world).open()
    world.opened[0].generation = -1
    world.opened[0].own = "gone"
    stage.look()
    assert stage.open_ports == ["liveperf-out:liveperf", "liveperf-in:liveperf"]
    assert [port.own for port in world.opened] == ["liveperf-in:liveperf", "liveperf-out:liveperf"]


def test_nothing_grows_over_twenty_deaths(world: World) -> None:
    world.plug("synth"), world.plug("keys")
    stage = Stage(world, ("keys",), ("synth",)).open()
    for count in range(1, 21):
        stage.send(on(60 + count))
        world.kill()
        stage.look(1)
        world.start()
        stage.look(1)
        assert len(world.opened) == 2 and stage.rack.reconnects == 2 * count
    assert len(stage.said) == 40
    assert world.devices["synth"].held == set()


def test_a_server_that_stands_still_is_sent_nothing_and_nothing_is_closed(world: World) -> None:
    synth = world.plug("synth")
    stage = Stage(world, (), ("synth",)).open()
    stage.look(1)
    stage.send(on(60))
    world.frozen = True
    ports = list(world.opened)
    stage.look(1)
    stage.send(off(60), on(61))
    stage.look(1)
    assert world.opened == ports and synth.heard == [on(60)]
    world.frozen = False
    stage.look()
    stage.send(off(61))
    assert world.opened == ports and synth.heard == [on(60), off(60)]
    assert stage.said == ["the JACK server stands still; waiting for it", "the JACK server goes on"]


def test_whether_the_server_works_is_known_when_it_ends(world: World) -> None:
    stage = Stage(world).open()
    stage.look(1.0)
    assert not stage.rack.stands_still()
    world.frozen = True
    asked = stage.clock.now()
    assert stage.rack.stands_still() and stage.clock.now() - asked < STILL_S + 0.1
    world.kill()
    stage.look(1.0)
    assert not stage.rack.stands_still()  # nothing is open that could not be closed


SILENCE = [control(number, 0, channel=channel) for channel in range(16) for number in (64, 123, 120)]


@pytest.mark.parametrize("notices", [False, True])
def test_what_a_synth_has_not_heard_the_end_of_is_known_at_the_end(notices: bool, world: World) -> None:
    world.plug("Big synth")
    stage = Stage(world, (), ("synth",)).open()
    stage.send(on(60), off(60))
    assert not stage.rack.unheard()
    stage.send(on(62))
    world.unplug("Big synth")
    if notices:
        stage.look()
    stage.send(off(62))  # which goes nowhere
    assert stage.rack.unheard()
    world.plug("Big synth")
    stage.look(3 * LOOK_S)  # it is put right
    assert not stage.rack.unheard()
    stage.send(on(64), off(64))
    world.kill()
    assert stage.rack.unheard()


def test_what_may_sound_from_before_is_ended_once_at_each_output(world: World) -> None:
    world.plug("synth A")
    stage = Stage(world, outputs=("synth A", "synth B"), feedback="keys")
    stage.rack.mend()
    stage.open()
    lamps, first, second = world.plug("keys"), world.devices["synth A"], world.plug("synth B")
    assert first.heard == SILENCE
    stage.look()
    assert second.heard == SILENCE and lamps.heard == []
    for name in ("synth A", "synth B"):
        world.unplug(name)
    stage.look()
    for name in ("synth A", "synth B"):
        world.plug(name)
    stage.look()
    assert first.heard == second.heard == SILENCE


def test_a_virtual_output_ends_what_may_sound_from_before_when_somebody_hears_it(world: World) -> None:
    stage = Stage(world)
    stage.rack.mend()
    stage.open().look()
    synth = world.plug("synth A")
    world.wire("liveperf-out:liveperf", "synth A")
    stage.look()
    assert synth.heard == SILENCE
    stage.look()
    assert synth.heard == SILENCE


def test_sending_never_raises_and_a_port_that_fails_is_opened_again(world: World) -> None:
    synth = world.plug("synth")
    stage = Stage(world, (), ("synth",)).open()
    stage.send(on(60))
    world.broken = True
    stage.send(off(60), on(61))
    world.broken = False
    stage.send(on(62))
    assert synth.heard == [on(60)]
    stage.look()
    assert synth.heard == [on(60), off(60)] and len(world.opened) == 2


def test_a_refused_name_is_tried_again_without_a_word(world: World) -> None:
    world.refuses = 3
    stage = Stage(world).open()
    assert stage.said == [] and len(stage.open_ports) == 2
    world.kill()
    stage.look()
    world.start()
    world.refuses = 3
    stage.look(2)
    assert len(stage.said) == 2 and len(stage.open_ports) == 2


def test_a_port_that_cannot_be_opened_is_reported_once(world: World) -> None:
    world.plug("keys")
    world.refuses = 1000
    stage = Stage(world, ("keys",), ("synth",)).open()
    stage.look(10)
    assert [line for line in stage.said if "namesake" in line] == [
        "cannot open it: its namesake has just left; trying again"
    ]


def test_virtual_ports_that_cannot_be_opened_at_the_start_are_an_error(world: World) -> None:
    world.refuses = 1000
    with pytest.raises(PortError, match="cannot open"):
        Stage(world).open()
    world.virtual = False
    with pytest.raises(PortError, match="loopMIDI"):
        Stage(world, ("keys",)).open()


def test_a_server_that_is_not_there_at_the_start(world: World) -> None:
    world.up = False
    with pytest.raises(PortError, match="the JACK server is not there"):
        Stage(world).open()
    stage = Stage(world).open(wait=True)
    assert stage.said == ["waiting for the JACK server"]
    stage.look(5)
    world.start()
    stage.look(2 * LOOK_S)
    assert stage.said[1:] == ["the JACK server is there"]
    assert len(stage.open_ports) == 2


SYNTHS, KEYS = ("synth a", "synth b"), ("keys a", "keys b")
ACTIONS = st.one_of(
    st.tuples(st.just("note"), st.integers(60, 61)),
    st.tuples(st.sampled_from(["key a", "key b"]), st.integers(40, 42)),
    st.tuples(
        st.sampled_from(["cable", "kill", "start", "freeze", "look", "look", "refuse", "break"]), st.integers(0, 3)
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTIONS, min_size=10, max_size=40), st.sampled_from(["all", "first"]))
def test_whatever_happens_no_note_hangs_and_none_is_ended_twice(
    actions: list[tuple[str, int]], several: Literal["all", "first"]
) -> None:
    world = World()
    for name in (*SYNTHS, *KEYS):
        world.plug(name)
    stage = Stage(world, KEYS, SYNTHS, several=several).open()
    sounding: set[int] = set()
    for action, number in actions:
        _act(stage, sounding, action, number)
    world.start()
    world.frozen, world.broken, world.refuses = False, False, 0
    for name in (*SYNTHS, *KEYS):
        world.plug(name)
    stage.look(2)
    for note in sounding:
        stage.send(off(note))
    if several == "first":  # the other one has its turn
        world.unplug(str(stage.open_ports[0]))
        stage.look(1)
    for name in KEYS:
        world.unplug(name)
    stage.look(1)
    stage.rack.close()
    for name in SYNTHS:
        synth = world.devices[name]
        assert (synth.held, synth.orphans, synth.doubled) == (set(), 0, 0), synth.heard
    books = Held()
    for message in stage.received:
        books.sent(message)
    assert books.held() == []
    assert world.opened == []


def _act(stage: Stage, sounding: set[int], action: str, number: int) -> None:
    world = stage.world
    if action == "note":
        stage.send(off(number) if number in sounding else on(number))
        sounding ^= {number}
    elif action.startswith("key"):
        stage.play(f"keys {action[-1]}", on(number), control(64, 127))
    elif action == "cable":
        name = (*SYNTHS, *KEYS)[number]
        (world.unplug if name in world.plugged else world.plug)(name)
    elif action == "freeze":
        world.frozen = not world.frozen
    elif action == "break":
        world.broken = not world.broken
    elif action == "refuse":
        world.refuses = number
    elif action == "look":
        stage.look()
    else:
        simple: dict[str, Callable[[], None]] = {"kill": world.kill, "start": world.start}
        simple[action]()


def test_the_guard_lets_through_what_the_buffer_holds_and_no_more() -> None:
    frame = 100
    guard = RingGuard(lambda: frame)
    frame += 64
    count = 0
    while guard.admit(3):
        count += 1
    assert count == RING_BYTES // (3 + HEADER_BYTES)
    frame += 64
    assert not guard.admit(3)  # what was sent in the cycle before may still be in there
    frame += 64
    assert guard.admit(3)


def test_the_guard_lets_all_through_where_no_frame_is_told() -> None:
    guard = RingGuard(lambda: 0)
    assert all(guard.admit(3) for _ in range(RING_BYTES))
