"""The contract of a network: one step at a time is the same as many at once, and a state is a value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from liveperf.codec import encode, notes_array
from liveperf.model import bundle
from liveperf.model.bundle import Bundle
from liveperf.model.network import Network, NetworkError, NetworkState


@pytest.fixture(scope="module")
def maestro() -> Bundle:
    return bundle.load(bundle.DEFAULT)


@pytest.fixture(scope="module")
def scale(maestro: Bundle) -> NDArray[np.int64]:
    """Scales in two hands, as events."""
    scale = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60]
    pitches = [pitch + key for key in (0, 5, -2, 3) for pitch in scale]
    rows = [(i * 0.21, i * 0.21 + 0.2, pitch + low, 60 + i) for i, pitch in enumerate(pitches) for low in (0, -12)]
    return encode(notes_array(rows), maestro.card.vocabulary)


def stepped(
    network: Network, events: NDArray[np.int64], controls: NDArray[np.float32], state: NetworkState
) -> tuple[NDArray[np.float32], NetworkState]:
    """As `run`, one by one."""
    rows = []
    for event, control in zip(events.tolist(), controls, strict=True):
        logits, state = network.step(event, control, state)
        rows.append(logits)
    return np.array(rows), state


def log_odds(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    odds: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return odds


def test_shapes(maestro: Bundle) -> None:
    network, control = maestro.network, maestro.card.conditioning.off
    logits, state = network.step(maestro.start_event, control, maestro.start_state)
    assert logits.shape == (maestro.card.vocabulary.size,)
    assert logits.dtype == np.float32
    assert state.h.shape == state.c.shape == (network.layers, 1, network.hidden) == network.zero_state().h.shape
    many, _ = network.run(np.array([3, 4]), np.tile(control, (2, 1)), state)
    assert many.shape == (2, network.vocabulary_size)


def test_stepping_is_running(maestro: Bundle, scale: NDArray[np.int64]) -> None:
    controls = np.tile(maestro.card.conditioning.off, (len(scale), 1))
    controls[len(scale) // 2 :] = maestro.card.conditioning.vector(density=8.0)
    at_once, end = maestro.network.run(scale, controls, maestro.start_state)
    one_by_one, other_end = stepped(maestro.network, scale, controls, maestro.start_state)
    following = np.arange(len(scale) - 1), scale[1:]
    nats = [-log_odds(logits)[following].mean() for logits in (at_once, one_by_one)]
    assert nats[0] == pytest.approx(nats[1], abs=1e-2)  # int8 scales are those of a call: not quite the same
    np.testing.assert_allclose(end.h, other_end.h, atol=0.1)


def test_a_sequence_may_be_cut_anywhere(maestro: Bundle, scale: NDArray[np.int64]) -> None:
    controls = np.tile(maestro.card.conditioning.off, (len(scale), 1))
    whole, _ = stepped(maestro.network, scale, controls, maestro.start_state)
    _, middle = stepped(maestro.network, scale[:20], controls[:20], maestro.start_state)
    rest, _ = stepped(maestro.network, scale[20:], controls[20:], middle)
    np.testing.assert_array_equal(whole[20:], rest)


def test_a_state_is_never_written_to(maestro: Bundle) -> None:
    network, control = maestro.network, maestro.card.conditioning.off
    _, state = network.step(maestro.start_event, control, maestro.start_state)
    kept = state.h.copy(), state.c.copy()
    state.h.flags.writeable = state.c.flags.writeable = False
    first, _ = network.step(60, control, state)
    network.step(200, control, state)
    again, _ = network.step(60, control, state)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(kept, (state.h, state.c))


def test_what_is_heard_and_what_is_asked_for_make_a_difference(maestro: Bundle) -> None:
    network, conditioning = maestro.network, maestro.card.conditioning
    logits = [
        network.step(event, control, maestro.start_state)[0]
        for event, control in (
            (60, conditioning.off),
            (61, conditioning.off),
            (60, conditioning.vector(density=20.0)),
        )
    ]
    assert not np.array_equal(logits[0], logits[1])
    assert not np.array_equal(logits[0], logits[2])


@pytest.mark.parametrize("content", [b"", b"this is no graph", b"\x08\x08\x12\x00"])
def test_a_file_that_is_no_graph(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(content)
    with pytest.raises(NetworkError):
        Network(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="No such file"):
        Network(tmp_path / "missing.onnx")
