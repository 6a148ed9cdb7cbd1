"""How a run is watched: a progress bar or log lines, and TensorBoard."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from liveperf import offline
from liveperf.events import EventType
from liveperf.generator import Generator
from liveperf.midifile import read_notes
from liveperf.model.bundle import load
from liveperf.params import Params
from liveperf.performer import Performer
from train.pianoroll import figure

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)
SAMPLE_S = 30.0


class Watch:
    """Shows a run; `with` it. Only the process that leads has one."""

    def __init__(self, out: Path) -> None:
        self._out = out
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("fit"), BarColumn(), TextColumn("{task.fields[shown]}"), console=console,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("fit", total=1.0, shown="")
        self._board: SummaryWriter | None = None

    def __enter__(self) -> Watch:
        from torch.utils.tensorboard import SummaryWriter

        self._board = SummaryWriter(str(self._out / "tensorboard"))
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self._progress.stop()
        if self._board:
            self._board.close()

    def updated(self, progress: float, left_s: float, values: dict[str, float]) -> None:
        """Some updates have been made. progress: of the run, 0 to 1; values: scalars by name."""
        loss, speed = values["loss/train"], values["speed/events_per_s"]
        shown = f"{loss:.3f} nats, {speed:,.0f} events/s, {_span(left_s)} left"
        self._progress.update(self._task, completed=min(progress, 1.0), shown=shown)
        self._scalars(values)

    def scored(self, row: dict[str, float], by_type: dict[EventType, float]) -> None:
        """A checkpoint was scored: nats/event on the validation split, of each type too."""
        log.info(
            "%.2f h, %.1f M events, %s events/s: train %.4f, validation %.4f nats/event",
            *(row["hours"], row["events"] / 1e6, f"{row['events_per_s']:,.0f}", row["train"], row["validation"]),
        )
        values = {f"validation/{kind.value}": nats for kind, nats in by_type.items()}
        self._scalars({"events": row["events"], "validation/all": row["validation"], **values})

    def exported(self, bundle: Path, events: int) -> None:
        """A new best bundle: hear it (`sample.mid`) and see it."""
        performer = Performer(Generator(load(str(bundle))), Params(mode="solo"), seed=1)
        notes = offline.perform(performer, SAMPLE_S, lambda _: None)
        sample = self._out / "sample.mid"
        offline.write(sample, notes, performer.generator.vocabulary.steps_per_second)
        if self._board and any(note.velocity for note in notes):
            self._board.add_figure("sample", figure(read_notes(sample), SAMPLE_S), events)

    def _scalars(self, values: dict[str, float]) -> None:
        if self._board:
            for name, value in values.items():
                if name != "events":
                    self._board.add_scalar(name, value, int(values["events"]))


def _span(seconds: float) -> str:
    minutes = max(round(seconds / 60), 0)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
