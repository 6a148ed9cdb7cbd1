"""The instrument with a fault in it, as a program: `python -c "from tests.faults import main; main()" play ...`.

The file that LIVEPERF_FAULT names says what breaks, whenever it is there: it is taken away, and its word obeyed.
What serves (`control`) breaks when somebody connects.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liveperf import cli
from liveperf.midi.rack import Rack
from liveperf.performer import Performer
from liveperf.playing.output import Output
from liveperf.recording.scribe import Scribe
from liveperf.remote.door import Door

PROGRAM = ("-c", "from tests.faults import main; main()")
VARIABLE = "LIVEPERF_FAULT"


def main() -> None:
    """The command line, ready to break."""
    fault = Path(os.environ[VARIABLE])

    def taken(thread: str) -> str:
        if not fault.exists():
            return ""
        try:
            whose, what = fault.read_text().split()
        except (FileNotFoundError, ValueError):  # the other thread's, taken just now, or half written
            return ""
        if whose != thread:
            return ""
        fault.unlink()
        return what

    def breaking(thread: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*arguments: Any) -> Any:
            what = taken(thread)
            if what == "dies":
                raise RuntimeError("a broken string")
            if what == "sleeps":
                threading.Event().wait()
            while what == "spins":
                pass
            return method(*arguments)

        return broken

    Performer.run_until = breaking("engine", Performer.run_until)  # type: ignore[method-assign]
    Output.work = breaking("output", Output.work)  # type: ignore[method-assign]
    Rack.poll = breaking("input", Rack.poll)  # type: ignore[method-assign]
    Rack.look = breaking("ports", Rack.look)  # type: ignore[method-assign]
    Scribe.work = breaking("recording", Scribe.work)  # type: ignore[method-assign]
    Door._open = breaking("control", Door._open)  # type: ignore[method-assign]
    cli.main()
