"""A network becomes a bundle: the same numbers, the same card, and one line where it is not a bundle."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from liveperf.conditioning import Conditioning
from liveperf.events import MAGENTA, OORE
from liveperf.model import bundle as module
from liveperf.model.bundle import METADATA_KEY, BundleError, find, installed, load
from liveperf.model.network import Network, NetworkState
from train.checkpoint import load_network
from train.export import export, int8_cost
from train.fit import Fit
from train.lanes import start_event
from train.model import PerformanceRNN

CARD: dict[str, Any] = {
    "name": "näme",
    "vocabulary": {"steps_per_second": 125, "max_shift": 125, "velocity_bins": 32},
    "licence": "CC BY-NC-SA 4.0",
    "data": "scales, and what else there was",
    "training": {"config": {"hidden": 32}, "events": 7, "hours": 0.5, "commit": "unknown"},
    "scores": {"validation": 1.25, "each": [1, 2]},
}


@pytest.fixture(scope="module")
def network() -> PerformanceRNN:
    """A random network whose start state, controls and scores are far from zero."""
    torch.manual_seed(0)
    network = PerformanceRNN(OORE, Conditioning().size, layers=3, hidden=32, embedding=24)
    for parameter in (network.h0, network.c0, network.control.weight):
        torch.nn.init.normal_(parameter)
    torch.nn.init.normal_(network.output.weight, std=0.3)
    return network.eval()


@pytest.fixture(scope="module")
def exported(network: PerformanceRNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "made" / "random.onnx"
    export(network, CARD, path, int8=False)
    return path


def music(length: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Random events, and controls that are off, on, and half on."""
    generator = np.random.default_rng(0)
    conditioning = Conditioning()
    weights = tuple(generator.random(12).tolist())
    kinds = [
        conditioning.off,
        conditioning.vector(3.0, weights),
        conditioning.vector(20.0),
        conditioning.vector(weights=weights),
    ]
    controls = np.stack([kinds[i // 5 % 4] for i in range(length)])
    return generator.integers(0, OORE.size, length), controls


def test_stepping_a_bundle_is_running_the_torch_network(network: PerformanceRNN, exported: Path) -> None:
    events, controls = music(60)
    with torch.no_grad():
        logits, (h, c) = network(
            torch.from_numpy(events)[None], torch.from_numpy(controls)[None], network.start(1)
        )
    expected = logits[0].numpy()
    assert expected.std() > 0.5
    bundle = load(str(exported))

    def check(found: NDArray[np.float32], state: NetworkState) -> None:
        np.testing.assert_allclose(found, expected, atol=1e-4)
        np.testing.assert_allclose(state.h, h.numpy(), atol=1e-4)
        np.testing.assert_allclose(state.c, c.numpy(), atol=1e-4)

    state, rows = bundle.start_state, []
    for event, control in zip(events.tolist(), controls, strict=True):
        row, state = bundle.network.step(event, control, state)
        rows.append(row)
    check(np.stack(rows), state)
    check(*bundle.network.run(events, controls, bundle.start_state))
    first, state = bundle.network.run(events[:23], controls[:23], bundle.start_state)
    second, state = bundle.network.run(events[23:], controls[23:], state)
    check(np.concatenate((first, second)), state)


def test_control_and_start_state_matter(exported: Path) -> None:
    bundle = load(str(exported))
    _, controls = music(20)
    state = bundle.start_state
    results = [
        bundle.network.step(5, controls[0], state)[0],
        bundle.network.step(5, controls[5], state)[0],
        bundle.network.step(5, controls[0], bundle.network.zero_state())[0],
    ]
    assert not np.allclose(results[0], results[1], atol=0.01)
    assert not np.allclose(results[0], results[2], atol=0.01)


def test_a_step_leaves_the_state_it_was_given_alone(exported: Path) -> None:
    bundle = load(str(exported))
    h, c = bundle.start_state.h.copy(), bundle.start_state.c.copy()
    for _ in range(3):
        bundle.network.step(5, Conditioning().off, bundle.start_state)
    np.testing.assert_array_equal(bundle.start_state.h, h)
    np.testing.assert_array_equal(bundle.start_state.c, c)


def nats(network: Network, state: NetworkState, pieces: Sequence[NDArray[np.integer[Any]]]) -> float:
    """Mean loss of the network over pieces, nothing told."""
    losses = []
    for piece in pieces:
        targets = piece.astype(np.int64)
        events = np.concatenate(([start_event(OORE)], targets[:-1]))
        logits, _ = network.run(events, np.tile(Conditioning().off, (len(events), 1)), state)
        total = np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)) + logits.max(axis=1)
        losses.append(total - logits[np.arange(len(targets)), targets])
    return float(np.concatenate(losses).mean())


def test_a_checkpoint_is_exported_and_int8_costs_a_hundredth_of_a_nat_at_most(
    trained: Fit, tmp_path: Path
) -> None:
    network, checkpoint = load_network(trained.out / "last.pt")
    assert checkpoint["events"] == trained.events
    scores = {}
    for int8 in (False, True):
        path = tmp_path / f"{int8}.onnx"
        export(network, CARD, path, int8)
        bundle = load(str(path))
        assert bundle.card.name == "näme"
        scores[int8] = nats(bundle.network, bundle.start_state, trained.validation)
    assert scores[False] == pytest.approx(trained.validate()[0], abs=1e-3)
    cost = scores[True] - scores[False]
    assert cost <= 0.01
    pieces = [piece[:1024] for piece in trained.validation]
    assert int8_cost(network, tmp_path / "True.onnx", pieces, OORE) == pytest.approx(cost, abs=1e-3)
    assert int8_cost(network, tmp_path / "False.onnx", pieces, OORE) == pytest.approx(0, abs=1e-3)
    operators = {node.op_type for node in onnx.load(tmp_path / "True.onnx").graph.node}
    assert "DynamicQuantizeLSTM" in operators
    assert (tmp_path / "True.onnx").stat().st_size < 0.6 * (tmp_path / "False.onnx").stat().st_size


def test_a_checkpoint_of_the_first_runs_names_no_sizes_and_shares_nothing(tmp_path: Path) -> None:
    network = PerformanceRNN(OORE, Conditioning().size)
    parameters = {name: value for name, value in network.state_dict().items() if "shared" not in name}
    checkpoint = {"config": {}, "vocabulary": CARD["vocabulary"], "network": parameters, "events": 1}
    torch.save(checkpoint, tmp_path / "last.pt")
    loaded, _ = load_network(tmp_path / "last.pt")
    assert torch.equal(loaded.h0, network.h0)
    assert torch.equal(loaded.output_weight, network.output.weight)
    assert torch.equal(loaded.embedding, network.event.weight)


@pytest.mark.parametrize("int8", [False, True])
def test_the_card_survives(network: PerformanceRNN, tmp_path: Path, int8: bool) -> None:
    path = tmp_path / "some.onnx"
    export(network, CARD, path, int8)
    bundle = load(str(path))
    card = bundle.card
    assert (card.name, card.licence, card.data) == (CARD["name"], CARD["licence"], CARD["data"])
    assert (card.training, card.scores) == (CARD["training"], CARD["scores"])
    assert (card.vocabulary, card.conditioning) == (OORE, Conditioning())
    assert bundle.start_event == start_event(OORE)
    assert bundle.path == path
    np.testing.assert_array_equal(bundle.start_state.h[:, 0], network.h0.detach().numpy())
    np.testing.assert_array_equal(bundle.start_state.c[:, 0], network.c0.detach().numpy())


def test_another_vocabulary_and_a_single_layer(tmp_path: Path) -> None:
    network = PerformanceRNN(MAGENTA, Conditioning().size, layers=1, hidden=8, embedding=4)
    vocabulary = {"steps_per_second": 100, "max_shift": 100, "velocity_bins": 32}
    export(network, {**CARD, "vocabulary": vocabulary}, tmp_path / "some.onnx", int8=False)
    bundle = load(str(tmp_path / "some.onnx"))
    assert bundle.card.vocabulary == MAGENTA
    assert bundle.network.step(0, Conditioning().off, bundle.start_state)[0].shape == (388,)


def test_a_bundle_without_a_start_state_starts_from_zeros(exported: Path, tmp_path: Path) -> None:
    path = changed(exported, tmp_path, lambda metadata: metadata.update(start={"event": 380}))
    np.testing.assert_array_equal(load(str(path)).start_state.h, np.zeros((3, 1, 32), np.float32))


def test_a_bundle_is_found_by_name_or_file(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLDER", exported.parent)
    assert installed() == [exported]
    assert find("random") == find(str(exported)) == exported
    with pytest.raises(BundleError, match="no model named 'none'; installed: 'random'; or give an .onnx file"):
        find("none")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(BundleError, match="installed: none"):
        find("none")


# What is not a bundle.


def changed(path: Path, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The bundle with other metadata."""
    model = onnx.load(path)
    metadata = json.loads(model.metadata_props[0].value)
    change(metadata)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


def refused(path: Path, reason: str) -> None:
    with pytest.raises(BundleError, match=reason) as caught:
        load(str(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def floats(count: int, value: float = 0.0) -> str:
    return base64.b64encode(np.full(count, value, "<f4").tobytes()).decode()


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda m: m.update(format=2), "format 2, this liveperf reads 1"),
    "no format": (lambda m: m.pop("format"), "KeyError 'format'"),
    "no vocabulary": (lambda m: m.pop("vocabulary"), "KeyError 'vocabulary'"),
    "no licence": (lambda m: m.pop("licence"), "KeyError 'licence'"),
    "a vocabulary of another size": (lambda m: m["vocabulary"].update(max_shift=100), "sizes are not those"),
    "a vocabulary out of bounds": (lambda m: m["vocabulary"].update(velocity_bins=0), "velocity bins are 1 to"),
    "a vocabulary of unknown fields": (lambda m: m["vocabulary"].update(colour=1), "unexpected keyword"),
    "a vocabulary that is text": (lambda m: m.update(vocabulary="OORE"), "TypeError"),
    "other density knots": (lambda m: m["control"].update(density_knots=[1, 2]), "sizes are not those"),
    "a start event outside": (lambda m: m["start"].update(event=413), "start event 413"),
    "a start event that is text": (lambda m: m["start"].update(event="x"), "TypeError"),
    "base64 cut short": (lambda m: m["start"].update(h0=m["start"]["h0"][:-3]), "base64"),
    "base64 of too few": (lambda m: m["start"].update(h0=floats(95)), "reshape"),
    "base64 of half a number": (lambda m: m["start"].update(c0="AAA="), "ValueError"),
    "base64 with holes": (lambda m: m["start"].update(c0="!!" + m["start"]["c0"][2:]), "padding"),
    "base64 that is a number": (lambda m: m["start"].update(h0=5), "TypeError"),
    "a start that is not a number": (lambda m: m["start"].update(h0=floats(96, np.nan)), "finite"),
    "training that is text": (lambda m: m.update(training="long"), "ValueError"),
}


@pytest.mark.parametrize(("change", "reason"), list(CHANGES.values()), ids=list(CHANGES))
def test_damaged_metadata_is_said_in_one_line(
    change: Callable[[dict[str, Any]], object], reason: str, exported: Path, tmp_path: Path
) -> None:
    refused(changed(exported, tmp_path, change), f"a damaged bundle: .*{reason}")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"text"', "[" * 100_000])
def test_metadata_that_is_no_object_is_said_in_one_line(text: str, exported: Path, tmp_path: Path) -> None:
    model = onnx.load(exported)
    helper.set_model_props(model, {METADATA_KEY: text})
    onnx.save(model, tmp_path / "some.onnx")
    refused(tmp_path / "some.onnx", "a damaged bundle")


def foreign(kind: int = TensorProto.FLOAT, **shapes: list[int | str]) -> onnx.ModelProto:
    """A graph that copies its inputs to outputs of its own."""
    values = [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]
    copies = [helper.make_tensor_value_info(f"{name}_out", kind, shape) for name, shape in shapes.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in shapes]
    graph = helper.make_graph(nodes, "foreign", values, copies)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_foreign_onnx_file_is_said_in_one_line(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    onnx.save(foreign(image=[1, 3, 8, 8]), path)
    refused(path, "not a liveperf bundle: its inputs or outputs are ..image.., expected")
    model = onnx.load(exported)
    del model.metadata_props[:]
    onnx.save(model, path)
    refused(path, "an ONNX file without our metadata")


def test_our_names_with_other_types_or_shapes_are_refused(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    model = onnx.load(exported)
    model.graph.input[2].type.tensor_type.shape.dim[2].dim_param = "any"
    onnx.save(model, path)
    refused(path, "not fixed numbers|cannot load")
    model = onnx.load(exported)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    onnx.save(model, path)
    refused(path, "its inputs or outputs are")


def test_a_model_that_points_to_other_files_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load(exported)
    onnx.save(model, tmp_path / "some.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    assert (tmp_path / "weights").is_file()
    monkeypatch.chdir(tmp_path)
    refused(tmp_path / "some.onnx", "has external data")


@pytest.mark.parametrize("content", [b"", b"\0" * 100, bytes(range(256)) * 20, b"not a model at all\n"])
def test_bytes_that_are_no_model_are_said_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    path.write_bytes(content)
    refused(path, "not a liveperf bundle")


def test_a_bundle_cut_short_is_said_in_one_line(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.onnx"
    content = exported.read_bytes()
    for part in (0.01, 0.5, 0.99):
        path.write_bytes(content[: int(part * len(content))])
        refused(path, "bundle")


def test_a_file_that_is_not_there_a_folder_and_a_name_too_long_are_said_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path, tmp_path / ("long" * 100)):
        refused(path, "no model file ")


def test_a_file_too_large_to_be_a_bundle_is_not_opened(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BYTES", 1 << 10)
    refused(exported, "over 0 MiB, not a bundle")
