"""The status as Prometheus reads it.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Sample = tuple[dict[str, Any], Any]  # labels, value; None is left out

# key of the status, name, type, help, and what one of it is in the metric's unit
_PLAIN = (
    ("uptime_s", "uptime_seconds", "gauge", "How long it has played.", 1),
    ("notes_in", "notes_in_total", "counter", "Notes of the human.", 1),
    ("notes_out", "notes_out_total", "counter", "Notes of the machine.", 1),
    ("underruns", "underruns_total", "counter", "Times that the timeline had to move.", 1),
    ("reconnects", "reconnects_total", "counter", "Ports that came back.", 1),
    ("restarts", "restarts_total", "counter", "Threads that died and were started again.", 1),
    ("unrecorded", "unrecorded_total", "counter", "Messages that the recording lacks.", 1),
    ("memory_mb", "memory_bytes", "gauge", "Memory in use.", 1e6),
)
_PORT = ("direction", "wanted", "name")


def prometheus(status: dict[str, Any]) -> str:
    """A status as text. What it does not hold, or holds as None, is left out."""
    return "".join(f"{line}\n" for line in _lines(status))


def _lines(status: dict[str, Any]) -> Iterator[str]:
    about = {key: status.get(key) or "" for key in ("name", "version", "model", "preset", "mode")}
    yield from _metric("info", "gauge", "What plays.", [(about, 1)])
    yield from _metric("state", "gauge", "What it does now.", [({"state": status.get("state") or ""}, 1)])
    for key, name, kind, help, unit in _PLAIN:
        value = status.get(key)
        yield from _metric(name, kind, help, [({}, None if value is None else value * unit)])
    late = status.get("lateness_ms") or {}
    yield from _metric(
        "lateness_seconds",
        "gauge",
        "How late messages were sent, of late.",
        [({"statistic": name}, None if value is None else value / 1e3) for name, value in late.items()],
    )
    found = status.get("ports") or ()
    ports = {tuple(str(port.get(key) or "") for key in _PORT): bool(port.get("open")) for port in found}
    shown: list[Sample] = [(dict(zip(_PORT, key, strict=True)), is_open) for key, is_open in ports.items()]
    yield from _metric("port_open", "gauge", "Whether a port is connected.", shown)
    clock = status.get("clock") or {}
    yield from _metric("clock_bpm", "gauge", "The tempo of the MIDI clock.", [({}, clock.get("bpm"))])
    yield from _metric("clock_running", "gauge", "Whether the MIDI clock runs.", [({}, clock.get("running"))])
    recording: list[Sample] = [({}, status.get("recording") is not None)] if "recording" in status else []
    yield from _metric("recording", "gauge", "Whether it is recorded.", recording)
    params = status.get("params") or {}
    numbers = [({"parameter": name}, one) for name, one in params.items() if not isinstance(one, str)]
    choices = [({"parameter": name, "choice": one}, 1) for name, one in params.items() if isinstance(one, str)]
    yield from _metric("parameter", "gauge", "The value of a parameter.", numbers)
    yield from _metric("parameter_choice", "gauge", "What a parameter is set to.", choices)


def _metric(name: str, kind: str, help: str, samples: list[Sample]) -> Iterator[str]:
    """A metric's lines; none if there is no value."""
    samples = [(labels, value) for labels, value in samples if value is not None]
    if samples:
        yield f"# HELP liveperf_{name} {help}"
        yield f"# TYPE liveperf_{name} {kind}"
    for labels, value in samples:
        said = ",".join(f'{key}="{_escaped(str(one))}"' for key, one in labels.items())
        yield f"liveperf_{name}{'{' + said + '}' if said else ''} {float(value):.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
