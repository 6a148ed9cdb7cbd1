"""A checkpoint -> a bundle: one ONNX file, fp32 or int8, that says what it is."""

from __future__ import annotations

import base64
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from liveperf.codec import Events
from liveperf.conditioning import Conditioning
from liveperf.events import Vocabulary
from liveperf.model.bundle import METADATA_KEY, load
from train.lanes import start_event
from train.model import PerformanceRNN
from train.predict import batch_losses, bundle_losses

OPSET = 17
LARGEST_COST = 0.01  # nats/event that int8 may cost


def export(network: PerformanceRNN, card: dict[str, Any], out: Path, int8: bool = True) -> None:
    """Write a bundle, whole or not at all. Raises OSError.

    card: its metadata without `format`, `control` and `start`, which are filled in.
    """
    vocabulary = Vocabulary(**card["vocabulary"])
    told = card["training"].get("config", {}).get("conditioned", 1) > 0
    metadata = {
        "format": 1,
        **card,
        "control": Conditioning(told=told).as_metadata(),
        "start": {
            "event": start_event(vocabulary),
            "h0": _base64(network.h0),
            "c0": _base64(network.c0),
        },
    }
    model = build_graph(network)
    out.parent.mkdir(parents=True, exist_ok=True)
    if int8:
        with tempfile.TemporaryDirectory() as folder:
            full, small = Path(folder) / "full.onnx", Path(folder) / "small.onnx"
            onnx.save(model, full)
            logging.disable(logging.WARNING)  # it recommends a shape inference that changes nothing here
            quantize_dynamic(
                full,
                small,
                op_types_to_quantize=["LSTM", "MatMul"],
                nodes_to_exclude=["control"],
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
            logging.disable(logging.NOTSET)
            model = onnx.load(small)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    part = out.with_name(out.name + ".part")  # it may be playing, and a new player may open it at any time
    part.write_bytes(model.SerializeToString())
    os.replace(part, out)


def int8_cost(
    network: PerformanceRNN, path: Path, pieces: Sequence[Events], vocabulary: Vocabulary, most: int = 1024
) -> float:
    """How many nats/event worse a bundle predicts pieces than the network itself. most: events of each piece."""
    shortened = [piece[:most] for piece in pieces]
    if not any(map(len, shortened)):
        raise ValueError("no events to measure the cost of int8 with")
    exact = torch.cat(list(batch_losses(network, shortened, vocabulary)))
    losses = np.concatenate([loss for loss, _ in bundle_losses(load(str(path)), shortened)])
    return float(losses.mean()) - float(exact.double().mean())


def build_graph(network: PerformanceRNN) -> onnx.ModelProto:
    """The fp32 graph: one step or many (the shapes are in the design of the bundle)."""
    layers, hidden = network.h0.shape
    vocabulary_size = network.event.num_embeddings
    weights: dict[str, NDArray[Any]] = {
        "event_weight": _array(network.embedding),
        "control_weight": _array(network.control.weight).T,
        "output_weight": _array(network.output_weight).T,
        "output_bias": _array(network.output.bias),
        "direction": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["event_weight", "event"], ["embedded"]),
        helper.make_node("MatMul", ["control", "control_weight"], ["controlled"], name="control"),
        helper.make_node("Add", ["embedded", "controlled"], ["batch_first"]),
        helper.make_node("Transpose", ["batch_first"], ["x0"], perm=[1, 0, 2]),
        helper.make_node("Split", ["h"], [f"h{i}" for i in range(layers)], axis=0),
        helper.make_node("Split", ["c"], [f"c{i}" for i in range(layers)], axis=0),
    ]
    for i, layer in enumerate(network.layers):
        weights[f"W{i}"] = _gates(_array(layer.weight_ih_l0))[None]
        weights[f"R{i}"] = _gates(_array(layer.weight_hh_l0))[None]
        biases = (_gates(_array(layer.bias_ih_l0)), _gates(_array(layer.bias_hh_l0)))
        weights[f"B{i}"] = np.concatenate(biases)[None]
        total = f"x{i + 1}" if i == 0 else f"y{i}"
        nodes += [
            helper.make_node(
                "LSTM",
                [f"x{i}", f"W{i}", f"R{i}", f"B{i}", "", f"h{i}", f"c{i}"],
                [f"Y{i}", f"h_out{i}", f"c_out{i}"],
                hidden_size=hidden,
                name=f"lstm{i}",
            ),
            helper.make_node("Squeeze", [f"Y{i}", "direction"], [total]),
        ]
        if i:
            nodes.append(helper.make_node("Add", [f"x{i}", total], [f"x{i + 1}"]))
    nodes += [
        helper.make_node("Transpose", [f"x{layers}"], ["top"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["top", "output_weight"], ["scores"], name="output"),
        helper.make_node("Add", ["scores", "output_bias"], ["logits"]),
        helper.make_node("Concat", [f"h_out{i}" for i in range(layers)], ["h_out"], axis=0),
        helper.make_node("Concat", [f"c_out{i}" for i in range(layers)], ["c_out"], axis=0),
    ]

    def values(names: str, kind: int, shape: list[str | int]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, kind, shape) for name in names.split()]

    state: list[str | int] = [layers, "batch", hidden]
    graph = helper.make_graph(
        nodes,
        "performance_rnn",
        values("event", TensorProto.INT64, ["batch", "time"])
        + values("control", TensorProto.FLOAT, ["batch", "time", network.control.in_features])
        + values("h c", TensorProto.FLOAT, state),
        values("logits", TensorProto.FLOAT, ["batch", "time", vocabulary_size])
        + values("h_out c_out", TensorProto.FLOAT, state),
        [numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _array(parameter: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32] = parameter.detach().float().cpu().numpy()
    return array


def _gates(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """torch's order of gates (input, forget, cell, output) -> ONNX's (input, output, forget, cell)."""
    i, f, g, o = np.split(weight, 4)
    return np.concatenate((i, o, f, g))


def _base64(parameter: torch.Tensor) -> str:
    return base64.b64encode(_array(parameter).tobytes()).decode("ascii")
