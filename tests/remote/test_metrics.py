"""The status as Prometheus reads it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from liveperf.params import table
from liveperf.remote.metrics import prometheus
from tests.desks import FakeDesk

LABEL = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"(liveperf_[a-z_]+)(\{{{LABEL}(?:,{LABEL})*\}})? (-?[0-9.e+-]+)")


def test_each_value_in_base_units() -> None:
    lines = prometheus(FakeDesk().status()).splitlines()
    for wanted in (
        'liveperf_info{name="liveperf",version="1.2.3",model="maestro",preset="",mode="answer"} 1',
        'liveperf_state{state="listening"} 1',
        "liveperf_uptime_seconds 3725.5",
        "liveperf_notes_in_total 12",
        "liveperf_notes_out_total 34",
        'liveperf_lateness_seconds{statistic="p99"} 0.00025',
        'liveperf_lateness_seconds{statistic="max"} 0.002',
        "liveperf_underruns_total 1",
        'liveperf_port_open{direction="in",wanted="LPK25",name=""} 0',
        'liveperf_port_open{direction="out",wanted="",name="liveperf:out"} 1',
        "liveperf_clock_running 0",
        "liveperf_recording 0",
        "liveperf_memory_bytes 181500000",
        'liveperf_parameter{parameter="temperature"} 1',
        'liveperf_parameter_choice{parameter="mode",choice="answer"} 1',
        "# TYPE liveperf_notes_in_total counter",
        "# TYPE liveperf_memory_bytes gauge",
    ):
        assert wanted in lines
    assert not [line for line in lines if line.startswith("liveperf_clock_bpm")]  # there is no clock
    assert sum(line.startswith("liveperf_parameter") for line in lines) == len(table())


def test_what_is_not_known_is_left_out() -> None:
    status = {**FakeDesk().status(), "lateness_ms": None, "memory_mb": None}
    assert "lateness" not in prometheus(status) and "memory" not in prometheus(status)
    assert "liveperf_info" in prometheus({})


@given(name=st.text(), port=st.text(), preset=st.none() | st.text())
def test_every_line_is_one_whatever_a_port_is_called(name: str, port: str, preset: str | None) -> None:
    ports = [{"direction": "in", "wanted": port, "name": port, "open": True}] * 2  # no line may come twice
    text = prometheus({**FakeDesk().status(), "name": name, "ports": ports, "preset": preset})
    assert text.endswith("\n")
    families: list[str] = []
    samples: list[str] = []
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            families.append(line.split()[2])
        elif not line.startswith("# HELP "):
            found = SAMPLE.fullmatch(line)
            assert found is not None, line
            assert found[1] == families[-1]
            samples.append(line)
    assert len(samples) == len(set(samples))
    assert len(families) == len(set(families))
