"""How fast it computes: a step, beside plain PyTorch and beside reading the weights; a note; an answer; a file."""

from __future__ import annotations

import gc
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from liveperf.events import EventType, Vocabulary
from liveperf.generator import Generator
from liveperf.model import bundle
from liveperf.params import Params
from liveperf.performer import Performer
from liveperf.state import FAR
from liveperf.wish import wish
from tests.bench.row import Aim, Row, Size

ROOT = Path(__file__).parents[2]
MODEL = bundle.DEFAULT
EVICTING_BYTES = 256 * 2**20

STEP = Row("step with sampling", "ms", Aim("median", most=0.2))
PLAIN = Row("plain PyTorch step, one thread", "ms")
PLAIN_DEFAULT = Row("plain PyTorch step, its default of threads", "ms")
RATIO = Row("plain PyTorch / step, one thread each", "times", Aim("median", least=30))
RATIO_DEFAULT = Row("plain PyTorch with its default of threads / step", "times")
FROM_MEMORY = Row("int8 weights read once, from memory", "ms")
FROM_CACHE = Row("int8 weights read once, from cache", "ms")
NOTE = Row("generated note", "ms")
COMPUTED = Row("turn decided -> first answering note computed", "ms", Aim("p99", most=5))
STEPS = (STEP, PLAIN, PLAIN_DEFAULT, RATIO, RATIO_DEFAULT, FROM_MEMORY, FROM_CACHE, NOTE)
GENERATE = Row("generate, the whole command", "s of music / s", Aim("median", least=50))


def timed(work: Callable[[], object], times: int, before: Callable[[], object] | None = None) -> list[float]:
    """How long something takes, ms, as often as told; `before` is run before each and not counted."""
    taken = []
    for _ in range(times):
        if before is not None:
            before()
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1e3)
    return taken


def steps(size: Size) -> list[Row]:
    """A step, a note, plain PyTorch and the reading of the weights."""
    step, note = _steps(size)
    plain, default = _plain(PLAIN, size, 1), _plain(PLAIN_DEFAULT, size, 0)
    ratios = [_ratio(RATIO, plain, step), _ratio(RATIO_DEFAULT, default, step)]
    return [step, plain, default, *ratios, *_reads(size), note]


def _ratio(head: Row, slow: Row, fast: Row) -> Row:
    if slow.median is None or fast.median is None:
        return head.missing("nothing to compare")
    return head.measured([slow.median / fast.median], "of the medians")


def _steps(size: Size) -> tuple[Row, Row]:
    """The generator as the instrument calls it, playing alone."""
    generator = Generator(bundle.load(MODEL))
    params = wish(Params(), generator.vocabulary.steps_per_second)
    vocabulary, state = generator.vocabulary, generator.start(0)
    taken: list[float] = []
    notes: list[float] = []
    since_note = 0.0
    gc.freeze()  # as `play` does
    for index in range(size.steps // 10 - size.steps, size.steps):
        start = time.perf_counter()
        planned = generator.generate(state, params, state.step, FAR)
        elapsed = (time.perf_counter() - start) * 1e3
        assert planned is not None, "playing alone never ends"
        event, state = planned
        if index < 0:  # to get warm
            continue
        taken.append(elapsed)
        since_note += elapsed
        if vocabulary.events[event].type is EventType.NOTE_ON:
            notes.append(since_note)
            since_note = 0.0
    each = f"{len(taken) / max(len(notes), 1):.1f} steps a note"
    return STEP.measured(taken, "one thread, ONNX Runtime int8"), NOTE.measured(notes, each)


def _plain(head: Row, size: Size, threads: int) -> Row:
    """PyTorch in processes of its own: where its memory happens to lie makes a factor of two."""
    if importlib.util.find_spec("torch") is None:
        return head.missing("torch is not installed")
    code = f"from tests.bench.speed import plain; plain({size.torch_steps}, {threads})"
    taken: list[list[float]] = []
    for _ in range(size.torch_runs):
        told = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        used, times = json.loads(told.stdout)
        taken.append(times)
    medians = ", ".join(f"{statistics.median(times):.1f}" for times in sorted(taken, key=statistics.median))
    note = f"nn.LSTM, 3 x 512, fp32, one-hot events; threads {used}; medians of {len(taken)} processes: {medians}"
    return head.measured([one for times in taken for one in times], note)


def plain(steps: int, threads: int) -> None:
    """A Performance RNN as it is usually written; prints the threads used (0: the default) and each step's ms."""
    import torch
    from torch import nn

    if threads:
        torch.set_num_threads(threads)
    events = Vocabulary().size
    lstm = nn.LSTM(events, 512, num_layers=3, batch_first=True).eval()
    output = nn.Linear(512, events).eval()
    event, state = 0, None

    def step() -> None:
        nonlocal event, state
        one_hot = nn.functional.one_hot(torch.tensor([[event]]), events).float()
        hidden, state = lstm(one_hot, state)
        chances = torch.softmax(output(hidden[0, -1]), dim=-1)
        event = int(torch.multinomial(chances, 1).item())

    with torch.no_grad():
        timed(step, steps // 10)
        print(json.dumps([torch.get_num_threads(), timed(step, steps)]))


def _reads(size: Size) -> list[Row]:
    """The least time that any step can take which does not find its weights in a cache; and one that does."""
    try:
        count = _weight_bytes(bundle.find(MODEL))
    except ImportError as error:
        return [row.missing(str(error)) for row in (FROM_MEMORY, FROM_CACHE)]
    weights = np.random.default_rng(0).integers(-99, 99, count // 4, np.int32)  # the widest loads that numpy has
    how = f"numpy's max over {count / 1e6:.2f} MB as int32, one thread"
    evict = evictor()
    cold = timed(weights.max, size.reads, evict)
    timed(weights.max, 5)
    warm = timed(weights.max, size.reads)
    return [
        FROM_MEMORY.measured(cold, f"the limit: {how}, evicted by touching {EVICTING_BYTES >> 20} MiB"),
        FROM_CACHE.measured(warm, "the same, just read before: where a step finds its weights when it plays"),
    ]


def evictor() -> Callable[[], object]:
    """What drives everything else out of the caches."""
    return np.ones(EVICTING_BYTES // 8).max


def _weight_bytes(path: Path) -> int:
    """The bytes of a bundle's int8 weights."""
    import onnx

    kinds = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    weights = onnx.load(path).graph.initializer
    return sum(int(np.prod(one.dims)) for one in weights if one.data_type in kinds)


def answers(size: Size) -> list[Row]:
    """From the performer's deciding that it is its turn to its first note, the caches cold as after a pause."""
    generator, params, evict = Generator(bundle.load(MODEL)), Params(), evictor()
    taken = []
    for seed in range(size.turns):
        performer = Performer(generator, params, seed)
        for pitch in (60, 64, 67, 72):
            performer.note_on(pitch, 80)
            performer.run_until(performer.now + 15)
            performer.note_off(pitch)
            performer.run_until(performer.now + 3)
        evict()
        answered, elapsed = False, 0.0
        while not answered:
            start = time.perf_counter()
            answered = bool(performer.run_until(performer.next_due))
            if performer.plays:
                elapsed += (time.perf_counter() - start) * 1e3
        taken.append(elapsed)
    return [COMPUTED.measured(taken, "in process; caches evicted before each, as after a pause")]


def files(size: Size) -> list[Row]:
    """`liveperf generate`, from its start to its end."""
    speeds = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(size.pieces):
            out = ["--out", str(Path(folder) / "out.mid"), "--seconds", str(size.music_s), "--seed", str(seed)]
            command = [sys.executable, "-m", "liveperf", "generate", "--model", MODEL, *out]
            start = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
            speeds.append(size.music_s / (time.perf_counter() - start))
    note = f"{size.music_s:g} s of music, with start-up; slowest of {len(speeds)} {min(speeds):.0f}"
    return [GENERATE.measured([statistics.median(speeds)], note)]
