"""The fields of an ONNX file, read from its bytes without trusting them: protobuf's wire format.

The format is that of protobuf.dev/programming-guides/encoding, the fields are those of onnx.proto. Only what a
bundle needs is known here. All else is refused, among it whatever nests without limit (subgraphs, functions) or
reaches outside the file, so that nothing which ONNX Runtime may see is overlooked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

MOST_FIELDS = 100_000  # those that ship have 3,000
LONGEST_NAME = 1000
LONGEST_METADATA = 1 << 20
LONGEST_LIST = 1000  # of numbers in an attribute, a shape or a constant whose values are looked at


class OnnxFileError(Exception):
    """A file that is no ONNX model, or not one that a bundle may be; the message says what, where, what may be."""


# Each message's fields: number -> name and kind, `*` for repeated ones. A kind is a message of this table, or
# int: a number. ints: numbers, packed or one by one. float: four bytes. text. bytes. longer: a text of metadata.
_SCHEMA = {
    "model": {
        1: ("ir_version", "int"),
        2: ("producer_name", "bytes"),
        3: ("producer_version", "bytes"),
        4: ("domain", "bytes"),
        5: ("model_version", "int"),
        6: ("doc_string", "bytes"),
        7: ("graph", "graph"),
        8: ("opset_import", "opset*"),
        14: ("metadata_props", "entry*"),
    },
    "opset": {1: ("domain", "text"), 2: ("version", "int")},
    "entry": {1: ("key", "text"), 2: ("value", "longer")},
    "graph": {
        1: ("node", "node*"),
        2: ("name", "text"),
        5: ("initializer", "tensor*"),
        10: ("doc_string", "bytes"),
        11: ("input", "value*"),
        12: ("output", "value*"),
        13: ("value_info", "value*"),
    },
    "node": {
        1: ("input", "text*"),
        2: ("output", "text*"),
        3: ("name", "text"),
        4: ("op_type", "text"),
        5: ("attribute", "attribute*"),
        6: ("doc_string", "bytes"),
        7: ("domain", "text"),
    },
    "attribute": {
        1: ("name", "text"),
        2: ("f", "float"),
        3: ("i", "int"),
        4: ("s", "text"),
        5: ("t", "tensor"),
        8: ("ints", "ints"),
        13: ("doc_string", "bytes"),
        20: ("type", "int"),
    },
    "tensor": {
        1: ("dims", "ints"),
        2: ("data_type", "int"),
        4: ("float_data", "bytes"),
        5: ("int32_data", "bytes"),
        7: ("int64_data", "bytes"),
        8: ("name", "text"),
        9: ("raw_data", "bytes"),
        12: ("doc_string", "bytes"),
        14: ("data_location", "int"),
    },
    "value": {1: ("name", "text"), 2: ("type", "type"), 3: ("doc_string", "bytes")},
    "type": {1: ("tensor_type", "tensor_type")},
    "tensor_type": {1: ("elem_type", "int"), 2: ("shape", "shape")},
    "shape": {1: ("dim", "dim*")},
    "dim": {1: ("dim_value", "int"), 2: ("dim_param", "text")},
}
_REFUSED = {  # the best known of the others
    ("model", 20): "training information",
    ("model", 25): "functions",
    ("graph", 14): "quantization annotations",
    ("graph", 15): "sparse weights",
    ("attribute", 6): "a subgraph",
    ("attribute", 11): "subgraphs",
    ("attribute", 21): "a reference into a function",
    ("tensor", 3): "segments",
    ("tensor", 13): "external data",
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4, groups, are history
_WIRE = {"int": _VARINT, "float": _FIXED32}


def fields(content: bytes) -> dict[str, Any]:
    """The fields of the model that bytes hold, by name; those of messages within it as such tables, too.

    Numbers are int, bytes are views of what was read. Raises OnnxFileError. Does not block: time is in proportion
    to the number of fields, which is bounded.
    """
    return _read(memoryview(content), "model", iter(range(MOST_FIELDS)))


def _read(view: memoryview, message: str, budget: Iterator[int]) -> dict[str, Any]:
    """A message's fields by name. The depth of nesting is that of the table."""
    found: dict[str, Any] = {}
    position = 0
    while position < len(view):
        if next(budget, None) is None:
            raise OnnxFileError(f"it has over {MOST_FIELDS} fields: it is no bundle")
        tag, position = _varint(view, position)
        number, wire = tag >> 3, tag & 7
        value: int | memoryview
        if wire == _VARINT:
            value, position = _varint(view, position)
        elif wire in (_BYTES, _FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
            if wire == _BYTES:
                length, position = _varint(view, position)
            if length > len(view) - position:
                raise OnnxFileError("it is no ONNX model, or cut short")
            value, position = view[position : position + length], position + length
        else:
            raise OnnxFileError("it is no ONNX model, or damaged")
        if number not in _SCHEMA[message]:
            what = _REFUSED.get((message, number))
            if what is not None:
                raise OnnxFileError(f"it has {what} (in a {message}): a bundle is one plain graph in one file")
            raise OnnxFileError(f"it is no ONNX model, or has field {number} in a {message}, which no bundle may")
        name, kind = _SCHEMA[message][number]
        _keep(found, name, kind, value, wire, budget)
    return found


def _keep(
    found: dict[str, Any], name: str, kind: str, value: int | memoryview, wire: int, budget: Iterator[int]
) -> None:
    """Add a field to what is found of its message."""
    one, many = kind.removesuffix("*"), kind.endswith("*")
    if isinstance(value, int):
        signed = value - (1 << 64) if value >> 63 else value
        numbers = [signed]
    if one == "ints" and wire in (_VARINT, _BYTES):
        if not isinstance(value, int):
            numbers = varints(value)
        found[name] = (*found.get(name, ()), *numbers)
        if len(found[name]) > LONGEST_LIST:
            raise OnnxFileError(f"{name} has over {LONGEST_LIST} numbers")
        return
    if wire != _WIRE.get(one, _BYTES):
        raise OnnxFileError(f"it is no ONNX model: {name} is not {one}")
    if name in found and not many:  # protobuf would merge them, or take the last
        raise OnnxFileError(f"{name} comes twice; it may come once")
    made: Any = value
    if isinstance(value, int):
        made = signed
    elif one in ("text", "longer"):
        made = _text(name, value, LONGEST_NAME if one == "text" else LONGEST_METADATA)
    elif one == "float":
        made = float(np.frombuffer(value, "<f4")[0])
    elif one in _SCHEMA:
        made = _read(value, one, budget)
    if many:
        found.setdefault(name, []).append(made)
    else:
        found[name] = made


def _text(name: str, value: memoryview, longest: int) -> str:
    if len(value) > longest:
        raise OnnxFileError(f"{name} has {len(value)} bytes; up to {longest} are allowed")
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise OnnxFileError(f"it is no ONNX model, or damaged: {name} is no text") from None


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    """A number, 0 to 2^64 - 1, and where the next thing begins."""
    value = 0
    for shift, byte in zip(range(0, 70, 7), view[position : position + 10], strict=False):
        value |= (byte & 127) << shift
        if byte < 128 and value < 1 << 64:
            return value, position + shift // 7 + 1
    raise OnnxFileError("it is no ONNX model, or cut short")


def count(view: memoryview) -> int:
    """How many numbers are packed into bytes: each ends with the first byte below 128."""
    return int(np.count_nonzero(np.frombuffer(view, np.uint8) < 128))


def varints(view: memoryview) -> list[int]:
    """The numbers that are packed into bytes."""
    if count(view) > LONGEST_LIST:
        raise OnnxFileError(f"a list has over {LONGEST_LIST} numbers")
    numbers, position = list[int](), 0
    while position < len(view):
        value, position = _varint(view, position)
        numbers.append(value - (1 << 64) if value >> 63 else value)
    return numbers
