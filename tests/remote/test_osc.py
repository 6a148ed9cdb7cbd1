"""OSC: the table of parameters for control surfaces, and nothing that a stranger sends breaks it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pythonosc")

from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from liveperf.params import Params, table
from liveperf.remote import osc
from liveperf.remote.osc import OscError, Server
from tests.desks import FakeDesk
from tests.remote.packets import server


def message(address: str, *said: Any) -> bytes:
    builder = OscMessageBuilder(address)
    for one in said:
        builder.add_arg(one)
    return bytes(builder.build().dgram)


def bundle(*packets: bytes, time: int = 1) -> bytes:
    parts = [struct.pack(">i", len(packet)) + packet for packet in packets]
    return b"#bundle\0" + struct.pack(">Q", time) + b"".join(parts)


@pytest.mark.parametrize(
    ("name", "said", "wanted"),
    [
        ("density", 4.0, 4.0),
        ("density", 4, 4.0),
        ("temperature", 0.1, 0.1),  # of a float that has 7 digits
        ("polyphony", 7.6, 8),
        ("transpose", -12, -12),
        ("mode", "solo", "solo"),
        ("speed", "2", 2.0),
    ],
)
def test_a_parameter_is_set(name: str, said: Any, wanted: Any) -> None:
    there, desk, _ = server()
    there.take(message(f"/liveperf/{name}", said))
    assert getattr(desk.params, name) == wanted
    assert (there.taken, there.ignored) == (1, 0)


def test_every_row_can_be_set() -> None:
    there, desk, _ = server()
    for row in table():
        there.take(message(f"/liveperf/{row.name}", row.default))
    assert (there.taken, there.ignored) == (len(table()), 0)
    assert desk.params == Params()


def test_buttons_press_and_are_let_go() -> None:
    there, desk, _ = server()
    for packet in (
        message("/liveperf/panic"),
        message("/liveperf/turn", 1.0),
        message("/liveperf/turn", 0.0),
        message("/liveperf/next_preset", True),
        message("/liveperf/preset", "duet"),
        b"/liveperf/panic\0",  # of old senders, without types
    ):
        there.take(packet)
    assert desk.asked == ["panic", "turn", "next_preset", "preset duet", "panic"]
    assert there.ignored == 0


def test_bundles_are_taken_at_once_whatever_time_they_name() -> None:
    there, desk, _ = server()
    far = OscBundleBuilder(2_000_000_000)  # in 2033
    far.add_content(OscMessageBuilder("/liveperf/panic").build())
    there.take(bytes(far.build().dgram))
    there.take(bundle(bundle(message("/liveperf/density", 3.0)), message("/liveperf/turn"), time=2**64 - 1))
    assert desk.asked == ["panic", "turn"]
    assert desk.params.density == 3


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0",
        b"/",
        b"#bundle\0",
        b"#bundle\0" + b"\0" * 8 + b"\0\0",
        b"#bundle\0" + b"\0" * 8 + struct.pack(">i", -4),  # the library reads this for ever
        b"#bundle\0" + b"\0" * 8 + struct.pack(">i", 2**31 - 1),
        b"#bundle\0" + b"\0" * 8 + struct.pack(">i", 0),
        bundle(bundle(bundle(bundle(bundle(bundle(bundle(bundle(bundle(b"/liveperf/panic\0"))))))))),
        message("/liveperf"),
        message("/liveperf/"),
        message("/liveperf/densty", 4.0),
        message("/liveperf/self", 4.0),
        message("/liveperf/*", 4.0),
        message("/other/density", 4.0),
        message("/liveperf/density"),
        message("/liveperf/density", "loud"),
        message("/liveperf/density", 99.0),
        message("/liveperf/density", float("nan")),
        message("/liveperf/polyphony", float("inf")),
        message("/liveperf/density", True),
        message("/liveperf/lowest_pitch", 120),
        message("/liveperf/mode", 1),
        message("/liveperf/preset", "walz"),
        message("/liveperf/preset", 3),
        message("/liveperf/preset", "/home/me/mine.yaml"),
        message("/liveperf/density", b"blob"),
        message("/liveperf/density", *([1.0] * 9)),
        b"/liveperf/density\0\0\0,Q\0\0\0\0\0\0",
        b"/liveperf/\xff\xfe\xfd\0,f\0\0\0\0\0\0",
    ],
)
def test_nonsense_goes_by(packet: bytes, caplog: pytest.LogCaptureFixture) -> None:
    there, desk, _ = server()
    there.take(packet)
    assert (there.taken, there.ignored) == (0, 1)
    assert desk.params == Params() and not desk.asked
    assert not caplog.records


@settings(max_examples=300)
@given(
    st.binary(max_size=200)
    | st.binary(max_size=100).map(lambda data: b"#bundle\0" + b"\0" * 8 + data)
    | st.binary(max_size=60).map(lambda data: b"/liveperf/density\0\0\0," + data)
)
def test_no_packet_breaks_it(packet: bytes) -> None:
    there, desk, _ = server()
    there.take(packet)
    assert not desk.asked or there.taken
    assert packet.startswith(b"#bundle\0") or there.taken + there.ignored == 1


def test_a_swept_fader_works_and_a_flood_does_not() -> None:
    there, desk, clock = server()
    for number in range(3000):
        clock.advance(0.001)
        there.take(message("/liveperf/density", number / 100))
    assert desk.params.density == 29.99
    for _ in range(5000):
        there.take(message("/liveperf/panic"))
    assert len(desk.asked) <= osc.BURST
    assert there.ignored >= 3000


def test_what_breaks_inside_is_told_and_goes_by() -> None:
    desk, said = FakeDesk(), list[str]()
    there = Server(desk, 0, say=said.append)
    desk.breaks = RuntimeError("a broken string")
    there.take(message("/liveperf/panic"))
    assert said == ["OSC: RuntimeError: a broken string"]
    assert there.ignored == 1


@pytest.fixture
def listening() -> Iterator[tuple[Server, FakeDesk]]:
    desk = FakeDesk()
    there = Server(desk, 0)
    there.start()
    yield there, desk
    there.stop()
    there.stop()
    assert not there.loop.alive


def test_over_udp(listening: tuple[Server, FakeDesk]) -> None:
    there, desk = listening
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as surface:
        surface.connect(("127.0.0.1", there.port))
        surface.send(b"x" * 60_000)
        while desk.params.density != 4:  # a packet may be lost
            surface.send(message("/liveperf/density", 4.0))
    assert there.taken >= 1 and there.ignored <= 1


def test_only_this_machine_is_listened_to(listening: tuple[Server, FakeDesk]) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "studio.local"):
        with pytest.raises(OscError, match="take 127.0.0.1"):
            Server(FakeDesk(), 9000, host)
    with pytest.raises(OscError, match="outside 0 to 65535"):
        Server(FakeDesk(), 70_000)
    with pytest.raises(OscError, match=f"port {listening[0].port}: .*; take another"):
        Server(FakeDesk(), listening[0].port).start()
