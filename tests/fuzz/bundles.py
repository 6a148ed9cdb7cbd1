"""Damaged bundles, loaded and played in a process of their own: `python -m tests.fuzz.bundles SEED COUNT FILE...`.

Each gives a BundleError or plays; anything else ends the process. The last line is `N refused, M played`.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnx

from liveperf.generator import Generator
from liveperf.model import bundle
from liveperf.params import Params
from liveperf.performer import Performer
from tests.fuzz.tools import damaged

MEMORY = 4 << 30
STEPS = 60
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 255, 1 << 20, 1 << 31, (1 << 31) - 1, 1 << 40, (1 << 63) - 1)
WORDS = (
    "",
    "event",
    "h",
    "c",
    "logits",
    "h_out",
    "If",
    "Loop",
    "Expand",
    "ConstantOfShape",
    "LSTM",
    "Concat",
    "MatMul",
)


def reshaped(content: bytes, dice: random.Random) -> bytes:
    """A bundle whose graph is still ONNX, but with a few of its fields changed, taken out or doubled."""
    model = onnx.ModelProto.FromString(content)
    for _ in range(dice.choice((1, 1, 2, 3))):
        _change(model, dice)
    return bytes(model.SerializeToString())


def _change(message: Any, dice: random.Random) -> None:
    """Go down to some field, and change it."""
    fields = [one for one in message.ListFields() if one[0].name not in ("metadata_props", "raw_data")]
    if not fields:
        return
    field, value = dice.choice(fields)
    many = hasattr(value, "__len__") and not isinstance(value, (str, bytes))
    if many and dice.random() < 0.2:
        at = dice.randrange(len(value))
        if dice.random() < 0.5:
            del value[at]
        elif field.message_type:
            value.add().CopyFrom(value[at])
        else:
            value.append(value[at])
    elif field.message_type:
        _change(dice.choice(value) if many else value, dice)
    else:
        old = value[0] if many else value
        new: Any = dice.choice(NUMBERS)
        if isinstance(old, (str, bytes)):
            new = dice.choice(WORDS) if isinstance(old, str) else b"x"
        elif isinstance(old, float):
            new = dice.choice((0.0, -1.0, float("inf"), float("nan")))
        elif dice.random() < 0.3:
            new = -new
        try:
            if many:
                value[dice.randrange(len(value))] = new
            else:
                setattr(message, field.name, new)
        except (ValueError, TypeError):  # too large for the field, or no value of the enumeration
            pass


def plays(path: Path) -> bool:
    """Whether it is a bundle, and then it has played."""
    try:
        opened = bundle.load(str(path))
    except bundle.BundleError as error:
        if "\n" in str(error) or len(str(error)) > 1500:
            raise AssertionError(f"not one short line: {error}") from error
        return False
    Performer(Generator(opened), Params(mode="solo", idle_start_s=0.0), 0).run_until(STEPS)
    return True


def main(seed: int, count: int, files: list[Path]) -> None:
    """Load them all."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError, OSError):  # not on Windows, not always on macOS
        pass
    dice = random.Random(seed)
    played = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.onnx"
        for number in range(count):
            content = dice.choice(files).read_bytes()
            content = dice.choice((damaged, reshaped))(content, dice)
            path.write_bytes(content)
            print(number, flush=True)  # the last of these is the one that a crash is due to
            played += plays(path)
    print(f"{count - played} refused, {played} played")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
