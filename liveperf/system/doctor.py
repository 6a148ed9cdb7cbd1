"""Find out what would keep the instrument from playing well on this machine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import mido

from liveperf.clock import SystemClock, prefer_this_thread, sleep
from liveperf.generator import Generator
from liveperf.midi import ports
from liveperf.model import bundle
from liveperf.params import Params
from liveperf.playing.output import PRIORITY, Output, Play
from liveperf.wish import wish

STEP_MS, LATENESS_MS, LOOPBACK_MS = 1.0, 2.0, 10.0  # beyond these, playing suffers


@dataclass(frozen=True)
class Finding:
    """One thing looked at: fine or not, what was found, and what to do if it is not fine."""

    what: str
    fine: bool
    found: str
    remedy: str = ""


def examine(backend_name: str | None, model: str) -> Iterator[Finding]:
    """Look at everything, one by one; takes about three seconds. Main thread."""
    backend = None
    try:
        backend = ports.choose(backend_name)
        yield Finding("MIDI backend", True, backend.name)
    except ports.PortError as error:
        yield Finding("MIDI backend", False, "none", str(error))
    if backend is not None:
        yield _virtual_ports(backend)
    yield _priority()
    yield _step_time(model)
    if backend is not None and backend.virtual:
        yield _loopback(backend)


def _virtual_ports(backend: ports.Backend) -> Finding:
    what = "virtual ports"
    if not backend.virtual:
        return Finding(
            what, False, f"{backend.name} has none", "install loopMIDI and name its ports with --in, --out"
        )
    try:
        port = backend.open_output(None)
    except ports.PortError as error:
        return Finding(what, False, "cannot be opened", str(error))
    try:
        visible = any(ports.NAME in name for name in backend.inputs())
    finally:
        port.close()
    return Finding(what, visible, "others can connect to them" if visible else "opened, but not listed")


def _priority() -> Finding:
    granted: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: granted.put(prefer_this_thread(PRIORITY))).start()
    priority = granted.get()
    remedy = (
        "notes may come late on a busy machine; Linux: add yourself to the group `audio` and give it rtprio 20 in "
        "/etc/security/limits.d/audio.conf"
    )
    return Finding("real-time priority", priority != "normal", priority, "" if priority != "normal" else remedy)


def _step_time(model: str) -> Finding:
    what = "model step"
    try:
        generator = Generator(bundle.load(model))
    except bundle.BundleError as error:
        return Finding(what, False, "no model", str(error))
    clock, times = SystemClock(), []
    state, asked = generator.start(0), wish(Params(), generator.vocabulary.steps_per_second)
    for _ in range(500):
        start = clock.now()
        planned = generator.generate(state, asked, state.step, 1 << 60)
        assert planned is not None
        state = planned[1]
        times.append((clock.now() - start) * 1e3)
    median = sorted(times)[len(times) // 2]
    return Finding(
        what,
        median <= STEP_MS,
        f"{median:.2f} ms an event with sampling, median",
        ""
        if median <= STEP_MS
        else "the processor is slow or busy: close other programs, set its governor to performance",
    )


def _loopback(backend: ports.Backend) -> Finding:
    """Notes through the output thread and a virtual port, back into an input of ours."""
    what = "output lateness"
    clock = SystemClock()
    arrived: queue.SimpleQueue[float] = queue.SimpleQueue()
    port = backend.open_output(None)
    try:
        try:
            back = backend.open_input(port.name, lambda message: arrived.put(clock.now()))
        except ports.PortError as error:
            return Finding(what, False, "no loopback", str(error))
        try:
            sleep(0.1)
            output = Output(port.send, clock)
            output.start()
            begin, count = clock.now() + 0.05, 200
            deadlines = [begin + i * 0.005 for i in range(count)]
            for i, at in enumerate(deadlines):
                kind = "note_on" if i % 2 == 0 else "note_off"
                output.put(Play(at, mido.Message(kind, note=60, velocity=1), at + 1))
            sleep(deadlines[-1] - clock.now() + 0.1)
            output.stop()
        finally:
            back.close()
    finally:
        port.close()
    through = [arrived.get() - at for at in deadlines[: min(arrived.qsize(), count)]]
    if len(through) < count:
        return Finding(what, False, f"{len(through)} of {count} notes came back", "restart the MIDI system")
    late = sorted(output.lateness.recent)
    p99, hop = late[int(len(late) * 0.99)] * 1e3, sorted(through)[count // 2] * 1e3
    fine = p99 <= LATENESS_MS and hop <= LOOPBACK_MS
    return Finding(
        what,
        fine,
        f"sent {p99:.2f} ms late (99 of 100 notes), heard after {hop:.2f} ms (median)",
        "" if fine else "the machine is busy, or the MIDI system's period is long: see real-time priority",
    )
