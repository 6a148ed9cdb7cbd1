"""A corpus that is being written, killed at any moment, is gone on with to the same end, byte for byte."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from liveperf.events import MAGENTA, OORE
from tests.train import readers
from tests.train.killed import SEED
from tests.train.midi import contents, write_scales
from train import prepare as module
from train.corpus import Corpus, shard_name
from train.draft import JOURNAL, Draft
from train.prepare import prepare

ROOT = Path(__file__).parents[2]
LENGTHS = [5, 30, 12, 1, 8, 20, 3]
RUN = {"any": "thing"}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in this process, which is faster for so few."""
    monkeypatch.setattr(module, "encode_files", readers.here)


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    """Seven scales, a broken file and one that is no file."""
    folder = tmp_path / "midi"
    write_scales(folder, LENGTHS)
    (folder / "broken.mid").write_bytes(b"MThd and then nothing")
    (folder / "astray.mid").symlink_to("nowhere")
    return folder


@pytest.fixture
def whole(midi: Path, here: None, tmp_path: Path) -> dict[str, bytes]:
    """What an uninterrupted run makes of it."""
    prepare(midi, tmp_path / "whole", OORE, SEED)
    return contents(tmp_path / "whole")


@pytest.fixture
def broken_off(midi: Path, here: None, tmp_path: Path) -> Callable[[int], Path]:
    """A maker of folders in which a run was broken off when so many files were done."""

    def make(files: int) -> Path:
        out = tmp_path / f"out{files}"

        def advance(done: int, _: int) -> None:
            if done == files:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            prepare(midi, out, OORE, SEED, advance)
        return out

    return make


def program(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.train.killed", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def counted(midi: Path, out: Path) -> list[int]:
    """How many files were done at each report of a run that goes on to the end."""
    seen: list[int] = []
    prepare(midi, out, OORE, SEED, lambda done, files: seen.append(done))
    return seen


def test_a_killed_run_is_gone_on_with(midi: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for files in (1, 4, 9):
        process = program("after", midi, out, str(files))
        assert process.wait(60) == -signal.SIGKILL
        assert len((out / JOURNAL).read_bytes().splitlines()) == 1 + files
        with pytest.raises(ValueError, match="prepare again"):
            Corpus(out)
    assert counted(midi, out) == [9]
    assert contents(out) == whole


@pytest.mark.parametrize(
    ("before", "every"),
    [
        ("empty", 5),
        ("broken off", 5),
        ("another corpus", 5),
        pytest.param("another corpus", 1, marks=pytest.mark.slow),
    ],
)
def test_a_run_may_be_killed_at_any_line(
    before: str, every: int, midi: Path, tmp_path: Path, broken_off: Callable[[int], Path]
) -> None:
    for name in ("sub/03.midi", "sub/04.MID", "sub/05.midi", "sub/06.MID"):
        (midi / name).unlink()
    if before == "broken off":
        start = broken_off(3)
    else:
        start = tmp_path / "before"
        start.mkdir()
    if before == "another corpus":
        prepare(midi, start, MAGENTA)
    (tmp_path / "moments").mkdir()
    process = program("everywhere", midi, start, tmp_path / "moments", str(every))
    moments, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and int(moments) > 150 // every


def test_readers_do_not_outlive_a_killed_run(midi: Path, tmp_path: Path) -> None:
    process = program("waiting", midi, tmp_path / "out")
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    process.kill()
    process.communicate(timeout=60)  # which is over when nobody is left to write


@pytest.mark.parametrize("files", [0, 1, 5, 8])
def test_a_run_that_was_broken_off_is_gone_on_with(
    files: int, midi: Path, whole: dict[str, bytes], broken_off: Callable[[int], Path]
) -> None:
    out = broken_off(files)
    assert counted(midi, out) == list(range(files, 10))
    assert contents(out) == whole


def test_with_other_arguments_it_begins_anew(
    midi: Path, tmp_path: Path, broken_off: Callable[[int], Path]
) -> None:
    for files, (vocabulary, seed) in enumerate([(MAGENTA, SEED), (OORE, SEED + 1)], 5):
        out, fresh = broken_off(files), tmp_path / f"fresh{files}"
        seen: list[int] = []
        prepare(midi, out, vocabulary, seed, lambda done, _: seen.append(done))  # noqa: B023
        prepare(midi, fresh, vocabulary, seed)
        assert seen == list(range(10))
        assert contents(out) == contents(fresh)


def change_content(midi: Path) -> None:
    path = midi / "sub/00.MID"
    path.write_bytes((midi / "sub/01.midi").read_bytes())


@pytest.mark.parametrize(
    "change",
    [
        lambda midi: (midi / "more.mid").write_bytes(b""),
        lambda midi: (midi / "broken.mid").unlink(),
        lambda midi: (midi / "broken.mid").rename(midi / "changed.mid"),
        lambda midi: os.utime(midi / "sub/00.MID", (1, 1)),
        change_content,
    ],
    ids=["more", "less", "renamed", "touched", "changed"],
)
def test_with_other_files_it_begins_anew(
    change: Callable[[Path], object], midi: Path, tmp_path: Path, broken_off: Callable[[int], Path]
) -> None:
    out = broken_off(5)
    change(midi)
    seen = counted(midi, out)
    assert seen[0] == 0
    prepare(midi, tmp_path / "fresh", OORE, SEED)
    assert contents(out) == contents(tmp_path / "fresh")


@pytest.mark.parametrize("damage", ["the last byte", "the first byte", "all", "the file"])
def test_events_that_never_reached_the_disk_are_written_again(
    damage: str, midi: Path, whole: dict[str, bytes], broken_off: Callable[[int], Path]
) -> None:
    out = broken_off(8)
    shard = out / shard_name(0)
    content = shard.read_bytes()
    if damage == "the file":
        shard.unlink()
    else:
        shard.write_bytes(
            {"the last byte": content[:-1], "the first byte": b"\xff" + content[1:], "all": b""}[damage]
        )
    assert counted(midi, out)[0] < 8
    assert contents(out) == whole


@pytest.mark.parametrize(
    "line", [b'{"length": 3, "dig', b"\0\0\0\0\n", b"[]\n", b'{"skipped": "x"}', b'{"x": 1}\n']
)
def test_a_line_that_is_not_whole_does_not_count(
    line: bytes, midi: Path, whole: dict[str, bytes], broken_off: Callable[[int], Path]
) -> None:
    out = broken_off(5)
    with open(out / JOURNAL, "ab") as journal:
        journal.write(line)
    assert counted(midi, out)[0] == 5
    assert contents(out) == whole


def test_a_finished_run_is_made_anew_and_is_the_same(midi: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    assert counted(midi, tmp_path / "whole") == list(range(10))
    assert contents(tmp_path / "whole") == whole


def test_one_who_reads_the_corpus_before_this_may_go_on(midi: Path, whole: object, tmp_path: Path) -> None:
    before = Corpus(tmp_path / "whole").pieces("train")
    copies = [np.array(piece) for piece in before]
    prepare(midi, tmp_path / "whole", MAGENTA)
    for piece, copy in zip(before, copies, strict=True):
        np.testing.assert_array_equal(piece, copy)


def test_two_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with Draft(tmp_path, RUN), pytest.raises(ValueError, match="another process is preparing"):
        Draft(tmp_path, RUN)
    with Draft(tmp_path, RUN):
        pass


def test_a_file_system_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Draft(tmp_path, RUN) as one:
        one.add("no music")
    with Draft(tmp_path, RUN) as one:
        assert one.outcomes == ["no music"]


def test_a_full_disk_ends_the_run_and_is_gone_on_from(
    midi: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Draft.add

    def fail(draft: Draft, outcome: object) -> None:
        if len(draft.outcomes) == 3:
            raise OSError(28, "No space left on device")
        add(draft, outcome)  # type: ignore[arg-type]

    monkeypatch.setattr(Draft, "add", fail)
    with pytest.raises(OSError, match="No space left"):
        prepare(midi, tmp_path / "out", OORE, SEED)
    monkeypatch.setattr(Draft, "add", add)
    assert counted(midi, tmp_path / "out")[0] == 3
    assert contents(tmp_path / "out") == whole
