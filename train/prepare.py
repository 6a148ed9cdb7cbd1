"""A corpus of MIDI files -> shards of event indices, on all cores; an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from liveperf.events import Vocabulary
from train.corpus import FORMAT, SPLITS, Corpus
from train.draft import REPORT, Draft
from train.pieces import Listed, deal, find_pieces
from train.pool import encode_files
from train.reading import Encoded

__all__ = ["SPLITS", "Corpus", "Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """What a corpus came to: pieces and events of each split, and how many files were skipped."""

    pieces: dict[str, int]
    events: dict[str, int]
    skipped: int


def prepare(
    corpus: Path,
    out: Path,
    vocabulary: Vocabulary,
    seed: int = 0,
    advance: Callable[[int, int], None] = lambda done, files: None,
) -> Prepared:
    """Encode the MIDI files of the folder `corpus` into the folder `out`; `Corpus(out)` reads them.

    Splits are those of a MAESTRO-style CSV, or else dealt with the seed: 80/10/10 of the pieces that could be
    read; of one or two, all for training. `skipped.txt` in `out` names each file that could not, and says why. The
    same files give the same bytes; an interrupted run is gone on with where nothing has changed, and else begun
    anew. advance: called with (files done, all files).

    Raises ValueError where there is no music in `corpus`, where `out` lies within it, or where another process is
    writing to `out`; OSError.
    """
    listing = find_pieces(corpus, seed)
    if not listing:
        raise ValueError(f"{corpus}: no MIDI file in it")
    if corpus.resolve() in (out.resolve(), *out.resolve().parents):
        raise ValueError(f"{out} lies within the corpus, which is never changed; choose a folder outside {corpus}")
    out.mkdir(parents=True, exist_ok=True)
    run = {
        "format": FORMAT,
        "vocabulary": asdict(vocabulary),
        "seed": seed,
        "corpus": str(corpus.resolve()),
        "files": _digest(corpus, listing),
    }
    with Draft(out, run) as draft:
        _encode(corpus, listing, vocabulary, draft, advance)
        found = [one for one, outcome in zip(listing, draft.outcomes, strict=True) if isinstance(outcome, Encoded)]
        splits = [piece.split or dealt for piece, dealt in zip(found, deal(len(found)), strict=True)]
        pieces = draft.finish(vocabulary, seed, [one.file for one in listing], splits)
    skipped = len(listing) - len(pieces)
    if not pieces:
        raise ValueError(f"{corpus}: no MIDI file with notes in it ({skipped} skipped: reasons in {out / REPORT})")
    return Prepared(
        {split: sum(piece.split == split for piece in pieces) for split in SPLITS},
        {split: sum(piece.length for piece in pieces if piece.split == split) for split in SPLITS},
        skipped,
    )


def _encode(
    corpus: Path,
    listing: list[Listed],
    vocabulary: Vocabulary,
    draft: Draft,
    advance: Callable[[int, int], None],
) -> None:
    """Bring the draft to the end of the listing."""
    advance(len(draft.outcomes), len(listing))
    rest = range(len(draft.outcomes), len(listing))
    jobs = [(corpus / listing[i].file, vocabulary, draft.part(i)) for i in rest if not listing[i].problem]
    outcomes = encode_files(jobs)
    try:
        for i in rest:
            draft.add(listing[i].problem or next(outcomes))
            advance(i + 1, len(listing))
    finally:
        outcomes.close()


def _digest(corpus: Path, listing: list[Listed]) -> str:
    """The sha256 of all that tells whether the corpus is still the one it was."""
    state = hashlib.sha256()
    for one in listing:
        try:
            info = os.stat(corpus / one.file)
            changed = (info.st_size, info.st_mtime_ns)
        except (OSError, ValueError):  # it will be skipped, with this for a reason
            changed = (-1, -1)
        state.update(json.dumps([one.file, one.split, one.problem, *changed]).encode())
    return state.hexdigest()
