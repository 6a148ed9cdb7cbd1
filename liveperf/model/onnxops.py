"""The operators that a bundle's graph may have, and for each: what comes out of what goes in, and at what cost.

The rules are stricter than ONNX Runtime's own checks (ONNX's definitions: onnx.ai/onnx/operators). Shapes follow
from the inputs, the weights and constants alone: no operator here makes one from numbers that are computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from liveperf.model.onnxfile import FLOAT, INT8, INT32, INT64, TYPE_NAMES, UINT8, Node, Tensor

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """What is known of a value of the graph before it is run."""

    type: int
    shape: Shape
    constant: bool = False
    values: tuple[int, ...] | None = None


class FitError(Exception):
    """An operator whose inputs or attributes do not fit; the message says which do."""


Ins = Sequence[Array | None]
Outs = tuple[list[Array], int]  # what comes out, and the products of numbers that it takes
Rule = Callable[[Node, Ins], Outs]


def described(array: Array) -> str:
    """Type and shape, in words."""
    return f"{TYPE_NAMES[array.type]} {list(array.shape)}"


def need(holds: bool, what: str) -> None:
    """FitError unless it holds; `what` completes "it needs"."""
    if not holds:
        raise FitError(what)


def as_array(tensor: Tensor) -> Array:
    """A constant of the file."""
    return Array(tensor.type, tensor.shape, True, tensor.values)


def is_constant(array: Array | None) -> bool:
    """Whether an input is there, and the same in every call."""
    return array is not None and array.constant


def required(ins: Ins, index: int) -> Array:
    """An input that may not be left out."""
    array = ins[index]
    if array is None:
        raise FitError(f"an input {index}")
    return array


def _numbers(ins: Ins, index: int) -> tuple[int, ...] | None:
    """The numbers of an input that has to be a short constant list, None if it is left out."""
    array = ins[index]
    if array is None:
        return None
    need(array.values is not None and len(array.shape) == 1, f"a constant list as input {index}")
    return array.values


def _integer(node: Node, name: str, default: int) -> int:
    value = node.attributes.get(name, default)
    if not isinstance(value, int):
        raise FitError(f"a whole number as {name}")
    return value


def axis_of(node: Node, array: Array, default: int | None = None) -> int:
    """The attribute `axis`, from 0; it has to be there if it has no default."""
    return _place_of(_integer(node, "axis", -99 if default is None else default), array)


def _place_of(axis: int, array: Array) -> int:
    need(-len(array.shape) <= axis < len(array.shape), "an axis that is there")
    return axis % len(array.shape)


def _broadcast(a: Shape, b: Shape) -> Shape:
    """The shape of two together, after the rules of numpy."""
    long = max(len(a), len(b))
    pairs = list(zip((1,) * (long - len(a)) + a, (1,) * (long - len(b)) + b, strict=True))
    need(all(x == y or 1 in (x, y) for x, y in pairs), "shapes that fit together")
    return tuple(max(pair) for pair in pairs)


# One rule an operator.


def _elementwise(node: Node, ins: Ins) -> Outs:
    a, b = required(ins, 0), required(ins, 1)
    need(a.type == b.type == FLOAT, "float32")
    return [Array(FLOAT, _broadcast(a.shape, b.shape))], 0


def _product(a: Array, b: Array, kind: int) -> Outs:
    need(len(a.shape) >= 2 and len(b.shape) >= 2 and a.shape[-1] == b.shape[-2], "matrices that fit together")
    shape = (*_broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    return [Array(kind, shape)], math.prod(shape) * a.shape[-1]


def _matmul(node: Node, ins: Ins) -> Outs:
    a, b = required(ins, 0), required(ins, 1)
    need(a.type == b.type == FLOAT, "float32")
    return _product(a, b, FLOAT)


def _matmul_integer(node: Node, ins: Ins) -> Outs:
    a, b, zero_a, zero_b = required(ins, 0), required(ins, 1), ins[2], ins[3]
    need(a.type in (UINT8, INT8) and b.type in (UINT8, INT8) and len(b.shape) == 2, "8-bit numbers and a matrix")
    need(zero_a is None or (zero_a.type == a.type and zero_a.shape in ((), (1,))), "one zero point of the first")
    columns = ((), (1,), b.shape[-1:])
    need(zero_b is None or (zero_b.type == b.type and zero_b.shape in columns), "one zero point, or one a column")
    return _product(a, b, INT32)


def _quantize(node: Node, ins: Ins) -> Outs:
    x = required(ins, 0)
    need(x.type == FLOAT, "float32")
    return [Array(UINT8, x.shape), Array(FLOAT, ()), Array(UINT8, ())], 0


def _cast(node: Node, ins: Ins) -> Outs:
    x = required(ins, 0)
    need(node.attributes.get("to") == FLOAT and x.type in (FLOAT, INT32), "int32, to become float32")
    return [Array(FLOAT, x.shape)], 0


def _identity(node: Node, ins: Ins) -> Outs:
    return [required(ins, 0)], 0


def _make(node: Node, ins: Ins) -> Outs:
    value = node.attributes.get("value")
    if not isinstance(value, Tensor):
        raise FitError("a tensor as value")
    return [as_array(value)], 0


def _gather(node: Node, ins: Ins) -> Outs:
    data, index = required(ins, 0), required(ins, 1)
    need(index.type == INT64, "int64 as indices")
    axis = axis_of(node, data, 0)
    return [Array(data.type, data.shape[:axis] + index.shape + data.shape[axis + 1 :])], 0


def _transpose(node: Node, ins: Ins) -> Outs:
    x = required(ins, 0)
    perm = node.attributes.get("perm", tuple(reversed(range(len(x.shape)))))
    if not isinstance(perm, tuple) or sorted(perm) != list(range(len(x.shape))):
        raise FitError("an order of all dimensions as perm")
    return [Array(x.type, tuple(x.shape[one] for one in perm))], 0


def _squeeze(node: Node, ins: Ins) -> Outs:
    x, axes = required(ins, 0), _numbers(ins, 1)
    places = {_place_of(axis, x) for axis in axes or ()}
    need(len(places) == len(axes or ()) and all(x.shape[one] == 1 for one in places), "axes of size 1")
    return [Array(x.type, tuple(size for one, size in enumerate(x.shape) if one not in places))], 0


def _concat(node: Node, ins: Ins) -> Outs:
    parts = [one for one in ins if one is not None]
    first = parts[0]
    axis = axis_of(node, first)
    rest = {(one.type, one.shape[:axis], one.shape[axis + 1 :], len(one.shape)) for one in parts}
    need(len(rest) == 1, "parts that fit together")
    size = sum(one.shape[axis] for one in parts)
    return [Array(first.type, (*first.shape[:axis], size, *first.shape[axis + 1 :]))], 0


def _split(node: Node, ins: Ins) -> Outs:
    x, sizes, count = required(ins, 0), _numbers(ins, 1), len(node.outputs)
    axis = axis_of(node, x, 0)
    if sizes is None:
        need(x.shape[axis] % count == 0 and _integer(node, "num_outputs", count) == count, "equal parts")
        sizes = (x.shape[axis] // count,) * count
    fits = min(sizes, default=0) > 0 and sum(sizes) == x.shape[axis] and len(sizes) == count
    need(fits, "parts that make the whole")
    return [Array(x.type, (*x.shape[:axis], size, *x.shape[axis + 1 :])) for size in sizes], 0


def _slice(node: Node, ins: Ins) -> Outs:
    x, starts, ends, axes, steps = required(ins, 0), *(_numbers(ins, index) for index in range(1, 5))
    starts, ends = starts or (), ends or ()
    axes = tuple(range(len(starts))) if axes is None else axes
    places = [_place_of(axis, x) for axis in axes]
    need(len(starts) == len(ends) == len(axes) == len(set(places)), "a start and an end for each axis")
    need(steps is None or steps == (1,) * len(axes), "steps of 1")
    shape = list(x.shape)
    for place, start, end in zip(places, starts, ends, strict=True):
        shape[place] = len(range(x.shape[place])[start:end])
    return [Array(x.type, tuple(shape))], 0


def _lstm_of(node: Node, ins: Ins, w_shape: Callable[[int, int], Shape], weights: int) -> Outs:
    """What the two LSTMs have in common. w_shape: of a matrix from that many to that many gates."""
    x, w, r, bias, lengths, h, c, peepholes = ins[:8]
    hidden = _integer(node, "hidden_size", 0)
    need(
        x is not None and x.type == FLOAT and len(x.shape) == 3 and hidden > 0,
        "float32 of rank 3, and hidden_size",
    )
    time, batch, size = required(ins, 0).shape
    need(lengths is None and peepholes is None, "no lengths and no peepholes")
    plain = node.attributes.get("direction", "forward") == "forward"
    need(plain and not _integer(node, "layout", 0) and not _integer(node, "input_forget", 0), "no variants")
    state = Array(FLOAT, (1, batch, hidden))
    for array, kind, shape in (
        (w, weights, w_shape(size, 4 * hidden)),
        (r, weights, w_shape(hidden, 4 * hidden)),
        (bias, FLOAT, (1, 8 * hidden)),
        (h, FLOAT, state.shape),
        (c, FLOAT, state.shape),
    ):
        fits = array is not None and (array.type, array.shape) == (kind, shape)
        need(fits, f"{TYPE_NAMES[kind]} {list(shape)} for an input {size} and hidden_size {hidden}")
    need(is_constant(w) and is_constant(r) and is_constant(bias), "constant weights")
    return [Array(FLOAT, (time, 1, batch, hidden)), state, state], time * batch * 4 * hidden * (size + hidden)


def _lstm(node: Node, ins: Ins) -> Outs:
    return _lstm_of(node, ins, lambda size, gates: (1, gates, size), FLOAT)


def _quantized_lstm(node: Node, ins: Ins) -> Outs:
    w = required(ins, 1)
    for matrix, index in ((w, 8), (required(ins, 2), 10)):
        columns = ((1,), (1, matrix.shape[-1]) if matrix.shape else ())
        for array, kind in ((ins[index], FLOAT), (ins[index + 1], matrix.type)):
            fits = array is not None and array.constant and array.type == kind and array.shape in columns
            need(fits, "a constant scale and zero point, or one a column")
    need(w.type in (UINT8, INT8), "8-bit weights")
    return _lstm_of(node, ins, lambda size, gates: (1, size, gates), w.type)


# (domain, operator) -> inputs at least and most, outputs at most, attributes, rule
RULES: dict[tuple[str, str], tuple[tuple[int, int], int, str, Rule]] = {
    ("", "Add"): ((2, 2), 1, "", _elementwise),
    ("", "Cast"): ((1, 1), 1, "to", _cast),
    ("", "Concat"): ((1, 64), 1, "axis", _concat),
    ("", "Constant"): ((0, 0), 1, "value", _make),
    ("", "DynamicQuantizeLinear"): ((1, 1), 3, "", _quantize),
    ("", "Gather"): ((2, 2), 1, "axis", _gather),
    ("", "Identity"): ((1, 1), 1, "", _identity),
    ("", "LSTM"): ((3, 8), 3, "hidden_size direction layout input_forget", _lstm),
    ("", "MatMul"): ((2, 2), 1, "", _matmul),
    ("", "MatMulInteger"): ((2, 4), 1, "", _matmul_integer),
    ("", "Mul"): ((2, 2), 1, "", _elementwise),
    ("", "Slice"): ((3, 5), 1, "", _slice),
    ("", "Split"): ((1, 2), 64, "axis num_outputs", _split),
    ("", "Squeeze"): ((2, 2), 1, "", _squeeze),
    ("", "Transpose"): ((1, 1), 1, "perm", _transpose),
    ("com.microsoft", "DynamicQuantizeLSTM"): (
        (3, 12),
        3,
        "hidden_size direction layout input_forget",
        _quantized_lstm,
    ),
}
