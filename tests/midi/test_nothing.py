"""No MIDI system, and one that appears."""

from __future__ import annotations

from typing import Any

import pytest

from liveperf.midi import nothing, ports
from liveperf.midi.nothing import Nothing
from liveperf.midi.ports import PortError, Seen
from liveperf.midi.rack import TRY_S, Rack
from tests.fakes import FakeClock
from tests.messages import on
from tests.world import World


class Late:
    """A machine whose MIDI system comes later."""

    def __init__(self, seeks: bool = True) -> None:
        self.clock, self.world, self.there, self.looks = FakeClock(), World(), False, 0
        self.nothing = Nothing(self.clock, "there is none", self.find if seeks else None)
        self.heard: list[Any] = []
        self.said: list[str] = []
        self.rack = Rack(self.nothing, (), (), None, self.heard.append, self.said.append, self.clock)

    def find(self) -> ports.Backend:
        self.looks += 1
        if not self.there:
            raise PortError("there is none")
        found: ports.Backend = self.world  # type: ignore[assignment]
        return found

    def run(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.advance(TRY_S / 2)
            self.world.looking = True
            self.rack.look()
            self.world.looking = False


def test_nothing_is_sent_and_nothing_comes_where_there_is_nothing() -> None:
    late = Late(seeks=False)
    late.run(5.0)
    late.rack.poll()
    late.rack.send(on(60))
    assert not late.nothing.waits and late.nothing.found is None and late.looks == 0 and not late.said
    assert [(one.direction, one.name, one.open) for one in late.rack.status()] == [
        ("output", None, False),
        ("input", None, False),
    ]
    bay = late.nothing.patchbay("liveperf")
    assert bay.look() is None and bay.frame() is None and bay.linked("a", "b")
    with pytest.raises(PortError, match="no MIDI system"):
        bay.open_input(None, "in")
    with pytest.raises(PortError, match="no MIDI system"):
        bay.open_output(None, "out")
    bay.close()


def test_a_midi_system_that_appears_is_taken() -> None:
    late = Late()
    late.rack.open(wait=True)
    assert late.said == ["waiting for the MIDI system"]
    late.run(10.0)
    assert 3 <= late.looks <= 10.0 / nothing.LOOK_S + 2
    late.there = True
    late.run(nothing.LOOK_S + TRY_S)
    assert late.nothing.found is not None and all(one.open for one in late.rack.status())
    assert late.said[1:] == ["the MIDI system is there"]
    assert isinstance(late.nothing.patchbay("x").look(), Seen)
    looks = late.looks
    late.run(10.0)
    assert late.looks == looks
    late.world.looking = True
    late.rack.close()
