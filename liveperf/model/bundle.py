"""Find, list and open a model bundle; read its card."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liveperf.conditioning import Conditioning
from liveperf.errors import LiveperfError
from liveperf.events import Vocabulary
from liveperf.model.network import Network, NetworkError, NetworkState

METADATA_KEY = "liveperf"
FORMAT = 1
LARGEST_BYTES = 512 * 2**20
FOLDER = Path(__file__).parents[1] / "bundles"
DEFAULT = "maestro"


class BundleError(LiveperfError):
    """A bundle that cannot be found or played; the message says which, why and what to do."""


@dataclass(frozen=True)
class Card:
    """What a bundle says of itself."""

    name: str
    vocabulary: Vocabulary
    conditioning: Conditioning
    licence: str
    data: str
    training: dict[str, Any]
    scores: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A network ready to play: its card, and where a performance starts."""

    path: Path
    card: Card
    network: Network
    start_event: int
    start_state: NetworkState


def installed() -> list[Path]:
    """The bundles that ship, by name."""
    return sorted(FOLDER.glob("*.onnx"))


def find(name_or_file: str) -> Path:
    """The file of an installed bundle's name, or of a path; BundleError if there is none."""
    path = Path(name_or_file)
    try:
        is_file, is_there = path.is_file(), path.exists()
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise BundleError(f"no model file {name_or_file!r}: {error.strerror}") from error
    if path.suffix == ".onnx" or is_there:
        if not is_file:
            raise BundleError(f"no model file {str(path)!r}; `liveperf models` lists what is installed")
        return path
    for candidate in installed():
        if candidate.stem == name_or_file:
            return candidate
    names = ", ".join(repr(one.stem) for one in installed()) or "none"
    raise BundleError(f"no model named {name_or_file!r}; installed: {names}; or give an .onnx file")


def load(name_or_file: str) -> Bundle:
    """Open a bundle by name or file; BundleError says what is wrong with it."""
    path = find(name_or_file)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BundleError(f"{path}: over {LARGEST_BYTES >> 20} MiB, not a bundle")
        network = Network(path)
        metadata = network.metadata.get(METADATA_KEY)
        if metadata is None:
            raise NetworkError("an ONNX file without our metadata")
        bundle = _parse(path, network, json.loads(metadata))
        network.probe(bundle.start_event, bundle.card.conditioning.off, bundle.start_state)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    except NetworkError as error:
        raise BundleError(f"{path}: not a liveperf bundle: {error}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: a damaged bundle: {type(error).__name__} {str(error)[:200]}") from error
    return bundle


def _parse(path: Path, network: Network, metadata: dict[str, Any]) -> Bundle:
    if metadata["format"] != FORMAT:
        raise ValueError(f"format {metadata['format']!r}, this liveperf reads {FORMAT}")
    _need_printable(metadata)
    vocabulary = Vocabulary(**metadata["vocabulary"])
    for value in metadata["vocabulary"].values():
        _whole(value)
    control = metadata["control"]
    conditioning = Conditioning(
        tuple(_seconds_or_rate(knot) for knot in control["density_knots"]),
        _seconds_or_rate(control["density_window_s"]),
        _seconds_or_rate(control["histogram_window_s"]),
        bool(control.get("told", True)),
    )
    if (vocabulary.size, conditioning.size) != (network.vocabulary_size, network.control_size):
        raise ValueError("the graph's sizes are not those of its vocabulary and conditioning")
    start = metadata["start"]
    if not 0 <= _whole(start["event"]) < vocabulary.size:
        raise ValueError(f"start event {start['event']}")
    shape = (network.layers, 1, network.hidden)
    h0, c0 = (
        np.frombuffer(base64.b64decode(start[key]), "<f4").reshape(shape).astype(np.float32)
        if key in start
        else np.zeros(shape, np.float32)
        for key in ("h0", "c0")
    )
    if not (np.isfinite(h0).all() and np.isfinite(c0).all()):
        raise ValueError("the start state is not of finite numbers")
    card = Card(
        name=str(metadata["name"]),
        vocabulary=vocabulary,
        conditioning=conditioning,
        licence=str(metadata["licence"]),
        data=str(metadata["data"]),
        training=dict(metadata["training"]),
        scores=dict(metadata["scores"]),
    )
    return Bundle(path, card, network, start["event"], NetworkState(h0, c0))


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _seconds_or_rate(value: Any) -> float:
    """A number above 0 and up to 1000, be it a time (s) or notes a second."""
    if type(value) not in (int, float) or not 0 < value <= 1000:
        raise ValueError(f"{value!r} is not a number above 0 and up to 1000")
    return float(value)


def _need_printable(value: Any) -> None:
    """ValueError if a text holds what a terminal might obey: a card is shown there."""
    if isinstance(value, str) and not value.isprintable():
        raise ValueError(f"a text that cannot be printed: {value[:60]!a}")
    if isinstance(value, dict):
        for key, one in value.items():
            _need_printable(key)
            _need_printable(one)
    elif isinstance(value, list):
        for one in value:
            _need_printable(one)
