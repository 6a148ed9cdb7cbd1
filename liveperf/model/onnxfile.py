"""What an ONNX file says, read without trusting it, before anything else does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from liveperf.model.onnxwire import LONGEST_LIST, OnnxFileError, count, fields, varints

FLOAT, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7  # TensorProto.DataType: those that a bundle may have
TYPE_NAMES = {FLOAT: "float32", UINT8: "uint8", INT8: "int8", INT32: "int32", INT64: "int64"}
SIZES = {FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4, INT64: 8}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A constant of the graph. values: those of a small int64 one, else None."""

    name: str
    type: int
    shape: tuple[int, ...]
    values: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Value:
    """An input, an output or what is said of a value in between. Of `dims`, str is a free one, None unknown."""

    name: str
    type: int
    dims: tuple[int | str | None, ...] | None


@dataclass(frozen=True, slots=True)
class Node:
    """An operator, the names of what goes in and comes out ("": left out), and its attributes."""

    domain: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, int | float | str | Tensor | tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Model:
    """What a file holds, but for the numbers of its weights."""

    opsets: dict[str, int]
    nodes: tuple[Node, ...]
    constants: tuple[Tensor, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    values: tuple[Value, ...]
    metadata: dict[str, str]


_KINDS = {1: "f", 2: "i", 3: "s", 4: "t", 7: "ints"}  # AttributeProto.AttributeType -> its field


def read(content: bytes) -> Model:
    """The model that bytes hold; OnnxFileError for any that hold none. Does not block.

    Time is in proportion to the number of fields, which is bounded; the weights are not copied.
    """
    if content[4:8] == b"ORTM":
        raise OnnxFileError("it is in ONNX Runtime's own format, not ONNX")
    said = fields(content)
    graph = said.get("graph")
    if graph is None:
        raise OnnxFileError("it is no ONNX model: there is no graph in it")
    opsets = [(one.get("domain", ""), one.get("version", 0)) for one in said.get("opset_import", ())]
    metadata = [(one.get("key", ""), one.get("value", "")) for one in said.get("metadata_props", ())]
    inputs, outputs, inner = (
        tuple(_value(one) for one in graph.get(key, ())) for key in ("input", "output", "value_info")
    )
    return Model(
        _unique("opset", opsets),
        tuple(_node(one) for one in graph.get("node", ())),
        tuple(_tensor(one) for one in graph.get("initializer", ())),
        *(inputs, outputs, inner),
        _unique("metadata", metadata),
    )


def quoted(name: str) -> str:
    """A name from a file as it is shown: in one line, and not too long."""
    return ascii(name if len(name) <= 60 else name[:57] + "...")


def _unique(what: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise OnnxFileError(f"{what} entries have the same name; each must have its own")
    return found


def _node(said: dict[str, Any]) -> Node:
    op = said.get("op_type", "")
    attributes = _unique(f"{quoted(op)}: attribute", [_attribute(one) for one in said.get("attribute", ())])
    inputs, outputs = (tuple(said.get(key, ())) for key in ("input", "output"))
    return Node(said.get("domain", ""), op, inputs, outputs, attributes)


def _attribute(said: dict[str, Any]) -> tuple[str, Any]:
    name, field = said.get("name", ""), _KINDS.get(said.get("type", 0))
    if field is None or [key for key in said if key in _KINDS.values()] != [field]:
        raise OnnxFileError(f"attribute {quoted(name)} is not one number, text, tensor or list of whole numbers")
    value = said[field]
    return name, _tensor(value) if field == "t" else value


def _tensor(said: dict[str, Any]) -> Tensor:
    name, kind, shape = said.get("name", ""), said.get("data_type", 0), tuple(said.get("dims", ()))
    if said.get("data_location", 0) != 0:
        raise OnnxFileError(f"tensor {quoted(name)} has external data: a bundle is one file, with all its weights")
    if kind not in TYPE_NAMES:
        raise OnnxFileError(f"tensor {quoted(name)} has type {kind}; allowed: {', '.join(TYPE_NAMES.values())}")
    if len(shape) > 8 or any(not 0 < one < 1 << 40 for one in shape):
        raise OnnxFileError(f"tensor {quoted(name)} has an impossible shape")
    data = [key for key in said if key in ("raw_data", "float_data", "int32_data", "int64_data")]
    typed = {FLOAT: "float_data", INT64: "int64_data"}.get(kind, "int32_data")
    if data not in (["raw_data"], [typed]):
        raise OnnxFileError(f"tensor {quoted(name)} has no numbers, or numbers of several kinds")
    held, numbers = said[data[0]], math.prod(shape)
    found = count(held) if data[0] in ("int32_data", "int64_data") else len(held) / SIZES[kind]
    if found != numbers:
        raise OnnxFileError(f"tensor {quoted(name)} has {found:g} numbers where its shape says {numbers}")
    values: tuple[int, ...] | None = None
    if kind == INT64 and numbers <= LONGEST_LIST:
        values = tuple(np.frombuffer(held, "<i8").tolist() if data[0] == "raw_data" else varints(held))
    return Tensor(name, kind, shape, values)


def _value(said: dict[str, Any]) -> Value:
    kind = said.get("type", {}).get("tensor_type", {})
    dims = [_dim(one) for one in kind["shape"].get("dim", ())] if "shape" in kind else None
    return Value(said.get("name", ""), kind.get("elem_type", 0), None if dims is None else tuple(dims))


def _dim(said: dict[str, Any]) -> int | str | None:
    if len(said) > 1:  # protobuf would take the last
        raise OnnxFileError("a dimension has a number and a name; it may have one of them")
    return said.get("dim_value", said.get("dim_param"))
