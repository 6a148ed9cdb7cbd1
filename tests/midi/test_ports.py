"""Ports, where no MIDI system is needed."""

from __future__ import annotations

from typing import Any

import pytest
import rtmidi

from liveperf.midi.ports import Backend, PortError, RtMidiOutput, Source


@pytest.mark.parametrize("error", [rtmidi.RtMidiError("no server"), SystemError("no server")])
def test_a_client_that_is_refused_is_told_in_one_way(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(rtmidi, "MidiIn", refuse)
    monkeypatch.setattr(rtmidi, "MidiOut", refuse)
    backend = Backend("jack", 0, True)
    for kind in (Source, RtMidiOutput):
        with pytest.raises(PortError, match="refuses 'liveperf-x': no server"):
            kind(backend, None, "liveperf-x")
