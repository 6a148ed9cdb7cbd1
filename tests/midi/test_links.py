"""What people have connected to virtual ports is connected again when it is back, and what they cut stays cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.midi.links import REMEMBERED, Links, lasting
from liveperf.midi.plugs import OutputPlug
from tests.messages import control, off, on
from tests.midi.stage import Stage
from tests.world import World

OUT, IN = "liveperf-out:liveperf", "liveperf-in:liveperf"


@pytest.fixture
def world() -> World:
    return World()


# The memory alone.


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Nord Stage:Nord Stage MIDI 1 20:0", "Nord Stage:Nord Stage MIDI 1"),
        ("a2j:Nord Stage [20] (capture): Nord Stage MIDI 1", "a2j:Nord Stage (capture): Nord Stage MIDI 1"),
        ("system:midi_capture_1", "system:midi_capture_1"),
        ("synth [2]:port", "synth [2]:port"),
    ],
)
def test_names_without_the_numbers_that_change(name: str, kept: str) -> None:
    assert lasting(name) == kept


def look(links: Links, linked: list[str], there: list[str], start: int = 1) -> Links:
    """After a look; the programs of all ports have been started so often."""
    return links.seen(linked, there, lambda name: f"{name} {start}")


def test_a_link_is_lost_with_its_port_and_asked_for_once() -> None:
    links = look(look(Links(), ["a"], ["a", "b"]), [], ["b"])
    assert links.lost == ("a",) and links.back == ()
    links = look(links, [], ["a", "b"])
    assert links.back == ("a",)
    links = links.ask("a", "a 1")
    assert look(links, [], ["a", "b"], start=2).back == ("a",)  # it was started again in this moment
    assert links.back == () and [*look(links, ["a"], ["a", "b"]).made] == ["a"]
    for _ in range(2):  # it did not come, or somebody has cut it at once
        links = look(links, [], ["a", "b"])
        assert links.back == ()
    assert links.broken() == Links()


def test_a_link_that_is_cut_is_forgotten_at_the_second_look() -> None:
    links = look(look(Links(), ["a"], ["a"]), [], ["a"])
    assert links.missed == ("a",) and links.broken().lost == ("a",)
    assert look(links, [], []).lost == ("a",)  # it was the port that went
    assert [*look(links, ["a"], ["a"]).made] == ["a"]
    assert look(links, [], ["a"]) == Links(there=("a",))


def test_a_program_that_was_started_again_between_two_looks_has_cut_nothing() -> None:
    links = look(Links(), ["a", "b"], ["a", "b"])
    assert look(links, ["b"], ["a", "b"], start=2).back == ("a",)


def test_a_port_with_another_number_is_the_same_only_if_it_has_just_come() -> None:
    one, two, three = "a2j:Nord [20] (playback): 1", "a2j:Nord [24] (playback): 1", "a2j:Nord [28] (playback): 1"
    links = look(look(Links(), [one], [one, two]), [], [two])
    assert links.lost == (one,) and links.back == ()
    assert look(links, [], [two, three]).back == (three,)
    assert look(look(links, [], [two]), [], [one, two]).back == (one,)
    assert look(links, [three], [two, three]).lost == ()  # somebody was faster


def test_two_of_a_kind_are_told_apart() -> None:
    names = [f"a2j:Nord [{number}] (playback): 1" for number in (20, 24, 28, 32)]
    links = look(Links(), names[:2], names[:2]).broken()
    assert look(links, [], names[:2]).back == tuple(names[:2])
    assert look(links, [], names[1:3]).back == (names[2], names[1])
    assert look(links, [], names[2:]).back == tuple(names[2:])
    links = look(Links(), names[1:2], names[1:2]).broken()
    assert look(links, [], names[:2]).back == (names[1],)  # its own name comes first


def test_memory_does_not_grow() -> None:
    links = Links()
    for number in range(10 * REMEMBERED):
        links = look(links, [f"synth-{number}"], [f"synth-{number}"]).broken()
    assert len(links.lost) == REMEMBERED and links.lost[-1] == f"synth-{10 * REMEMBERED - 1}"


# The rack.


def test_a_server_that_comes_back_has_the_links_again(world: World) -> None:
    stage = Stage(world).open()
    synth = world.plug("synth")
    world.plug("keys")
    world.wire(OUT, "synth")
    world.wire(IN, "keys")
    stage.look()
    world.kill()
    world.unplug("synth")
    world.unplug("keys")
    stage.look()
    world.start()
    world.plug("keys")
    stage.look(1)
    world.plug("synth")
    stage.look(2)
    assert stage.said == [
        "the JACK server is gone; waiting for it",
        "the JACK server is back",
        f"MIDI input {IN} is connected to keys again",
        f"MIDI output {OUT} is connected to synth again",
    ]
    stage.send(on(60))
    stage.play("keys", on(40))
    assert synth.heard == [on(60)] and stage.received == [on(40)]


def test_a_synth_that_comes_back_is_linked_once_and_a_cut_is_respected(world: World) -> None:
    stage = Stage(world).open()
    world.plug("synth")
    world.wire(OUT, "synth")
    stage.look()
    for _ in range(3):
        world.unplug("synth")
        stage.look(5)
        world.plug("synth")
        stage.look(1)
        assert world.wires == {(OUT, "synth")}
    assert stage.said == [f"MIDI output {OUT} is connected to synth again"] * 3
    world.cut(OUT, "synth")
    stage.look(1)
    for dies in (False, True):
        world.unplug("synth")
        if dies:
            world.kill()
        stage.look(1)
        world.start()
        world.plug("synth")
        stage.look(2)
        assert not world.wires
    world.wire(OUT, "synth")
    stage.look()
    world.unplug("synth")
    stage.look()
    world.plug("synth")
    stage.look()
    assert world.wires == {(OUT, "synth")}


def test_the_link_may_go_a_little_before_the_port(world: World) -> None:
    stage = Stage(world).open()
    world.plug("synth")
    world.wire(OUT, "synth")
    stage.look()
    world.cut(OUT, "synth")
    stage.look()
    world.unplug("synth")
    stage.look()
    world.plug("synth")
    stage.look()
    assert world.wires == {(OUT, "synth")}


def test_a_synth_may_be_away_for_less_than_a_look(world: World) -> None:
    stage = Stage(world).open()
    synth = world.plug("synth")
    world.wire(OUT, "synth")
    stage.look()
    stage.send(on(60))
    world.unplug("synth")
    stage.send(off(60))
    world.plug("synth")
    stage.look(1)
    assert world.wires == {(OUT, "synth")} and synth.held == set()


def test_a_port_that_cannot_be_used_yet_is_asked_again(world: World) -> None:
    stage = Stage(world).open()
    world.plug("synth")
    world.wire(OUT, "synth")
    stage.look()
    world.unplug("synth")
    stage.look()
    world.plug("synth")
    world.connects = False
    stage.look(3)
    assert stage.said == []
    world.connects = True
    stage.look()
    assert world.wires == {(OUT, "synth")} and len(stage.said) == 1


def test_a_port_of_ours_that_was_thrown_out_has_its_links_again(world: World) -> None:
    stage = Stage(world).open()
    world.plug("synth")
    world.wire(OUT, "synth")
    stage.look()
    (port,) = (one for one in world.opened if one.own == OUT)
    port.generation = -1
    world.wires.clear()
    stage.look()
    assert world.wires == {(OUT, "synth")}


def test_a_note_that_ended_while_its_synth_was_away_ends_there_and_no_other_is_cut_short(world: World) -> None:
    stage = Stage(world).open()
    away, near = world.plug("away synth"), world.plug("near synth")
    world.wire(OUT, "away synth")
    world.wire(OUT, "near synth")
    stage.look(1)
    stage.send(on(60), on(62), control(64, 127))
    world.unplug("away synth")
    stage.send(off(60))
    stage.look(1)
    stage.send(control(64, 0))
    world.plug("away synth")
    stage.look(1)
    assert away.held == near.held == {62}
    assert away.heard[3:] == [off(60), control(64, 0)]
    stage.send(off(62))
    assert away.held == near.held == set() and near.orphans == 0


def test_a_synth_with_another_number_has_its_notes_ended(world: World) -> None:
    stage = Stage(world).open()
    before, after = "a2j:synth [20] (playback): 1", "a2j:synth [24] (playback): 1"
    world.devices[after] = world.plug(before)
    world.wire(OUT, before)
    stage.look(1)
    stage.send(on(60))
    world.unplug(before)
    stage.look()
    stage.send(off(60))
    world.plug(after)
    stage.look(1)
    assert world.wires == {(OUT, after)} and world.devices[after].held == set()


def test_what_is_owed_does_not_grow(world: World) -> None:
    plug = OutputPlug((), "out")
    plug.insert(world.open_output(None, "out"), OUT, OUT)
    for number in range(10 * REMEMBERED):
        plug.relink(Links(made={f"synth-{number}": "1"}))
    assert len(plug._owed) == REMEMBERED and f"synth-{10 * REMEMBERED - 2}" in plug._owed


def test_a_port_that_was_asked_for_by_name_has_no_other_links_remembered(world: World) -> None:
    world.plug("synth")
    stage = Stage(world, (), ("synth",)).open()
    world.plug("other synth")
    world.wire(OUT, "other synth")
    stage.look(1)
    world.unplug("other synth")
    stage.look(1)
    world.plug("other synth")
    stage.look(1)
    assert world.wires == set() and stage.open_ports[0] == "synth"


@pytest.mark.parametrize("cut", [False, True])
def test_a_keyboard_whose_link_goes_lets_its_keys_go(cut: bool, world: World) -> None:
    stage = Stage(world).open()
    world.plug("keys")
    world.wire(IN, "keys")
    stage.look()
    stage.play("keys", on(60), control(64, 127))
    if cut:
        world.cut(IN, "keys")
    else:
        world.unplug("keys")
    stage.look()
    assert stage.received[2:] == [off(60), control(64, 0)]


SYNTHS = ("synth a", "synth b")
ACTIONS = st.tuples(st.sampled_from(["note", "wire", "cable", "look", "server"]), st.integers(0, 1))


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTIONS, min_size=5, max_size=40))
def test_whatever_goes_and_comes_every_link_is_there_again_and_no_note_hangs(
    actions: list[tuple[str, int]],
) -> None:
    world = World()
    stage = Stage(world).open()
    sounding: set[int] = set()
    wired: set[tuple[str, str]] = set()
    for name in SYNTHS:
        world.plug(name)
    for action, number in actions:
        name = SYNTHS[number]
        if action == "note":
            stage.send(off(60 + number) if number in sounding else on(60 + number))
            sounding ^= {number}
        elif action == "wire" and name in world.plugged and any(port.linked for port in world.opened):
            world.wire(OUT, name)
            wired.add((OUT, name))
            stage.look()
        elif action == "cable":
            (world.unplug if name in world.plugged else world.plug)(name)
        elif action == "server":
            (world.kill if world.up else world.start)()
        elif action == "look":
            stage.look()
    world.start()
    for name in SYNTHS:
        world.plug(name)
    stage.look(2)
    for number in sounding:
        stage.send(off(60 + number))
    assert world.wires == wired
    assert not any(world.devices[name].held for name in SYNTHS)
