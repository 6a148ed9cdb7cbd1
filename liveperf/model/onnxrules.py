"""What a bundle's graph may be: its inputs and outputs, how its operators fit, how much they may ask of a machine.

Every shape is worked out before ONNX Runtime is given the graph. For it makes whatever a graph says while it loads
it, and a kilobyte can say 2^40 numbers: a tensor joined to itself, forty times. No shape shrinks as the run grows,
so that what the longest call may take, a shorter one may.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from liveperf.model.onnxfile import FLOAT, INT64, TYPE_NAMES, Model, Node, Value, quoted
from liveperf.model.onnxops import (
    RULES,
    Array,
    FitError,
    Outs,
    as_array,
    axis_of,
    described,
    is_constant,
    need,
    required,
)
from liveperf.model.onnxwire import OnnxFileError

OPSETS = {"": range(13, 26), "com.microsoft": range(1, 2)}
LONGEST_RUN = 521  # events; a prime, so that no size of a network is the same by chance
MOST_NODES = 2000
MOST_NUMBERS = 1 << 26  # between the operators, in one call: 256 MB; the models that ship have 2^22
MOST_PRODUCTS = 1 << 27  # an event; the models that ship have 2^23, and take 0.15 ms
LARGEST = {"layers": 64, "hidden": 8192, "control": 1024, "vocabulary": 4096}

INPUTS = {"event": (INT64, 2), "control": (FLOAT, 3), "h": (FLOAT, 3), "c": (FLOAT, 3)}  # name: type, rank
OUTPUTS = {"logits": (FLOAT, 3), "h_out": (FLOAT, 3), "c_out": (FLOAT, 3)}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a network."""

    layers: int
    hidden: int
    control: int
    vocabulary: int


def check(model: Model) -> Sizes:
    """The sizes of a network that may be run; OnnxFileError says what is not allowed, where, and what is."""
    for domain, version in model.opsets.items():
        if version not in OPSETS.get(domain, ()):
            known = ", ".join(f"{name or 'ai.onnx'} {of[0]} to {of[-1]}" for name, of in OPSETS.items())
            raise OnnxFileError(
                f"operators of {quoted(domain or 'ai.onnx')} {version} are not allowed; only: {known}"
            )
    if len(model.nodes) > MOST_NODES:
        raise OnnxFileError(f"it has {len(model.nodes)} operators; up to {MOST_NODES} are allowed")
    sizes = _sizes(model)
    for run in (1, LONGEST_RUN):
        _check_run(model, sizes, run)
    return sizes


def _check_run(model: Model, sizes: Sizes, run: int) -> None:
    """Work out every shape of one call over `run` events."""
    arrays = {
        "event": Array(INT64, (1, run)),
        "control": Array(FLOAT, (1, run, sizes.control)),
        "h": Array(FLOAT, (sizes.layers, 1, sizes.hidden)),
        "c": Array(FLOAT, (sizes.layers, 1, sizes.hidden)),
    }
    for tensor in model.constants:
        _define(arrays, tensor.name, as_array(tensor))
    numbers = products = 0
    for node in model.nodes:
        made, work = _run(node, arrays, model.opsets, sizes)
        numbers += sum(math.prod(one.shape) for one in made)
        products += work
        if numbers > MOST_NUMBERS or products > MOST_PRODUCTS * run:
            raise OnnxFileError(f"it asks for too much: {_place(node)} goes beyond what a bundle may take")
        for name, one in zip(node.outputs, made, strict=False):
            if name:
                _define(arrays, name, one)
    free: dict[str, int] = {}
    for value in (*model.inputs, *model.outputs, *model.values):
        _compare(value, arrays, free)
    state = (sizes.layers, 1, sizes.hidden)
    wanted = {"logits": (1, run, sizes.vocabulary), "h_out": state, "c_out": state}
    for name, shape in wanted.items():
        if arrays[name] not in (Array(FLOAT, shape), Array(FLOAT, shape, True)):
            raise OnnxFileError(f"its {name} is {described(arrays[name])}, expected float32 {list(shape)}")


def _sizes(model: Model) -> Sizes:
    found: dict[str, tuple[int | str | None, ...]] = {}
    for values, wanted in ((model.inputs, INPUTS), (model.outputs, OUTPUTS)):
        names = [one.name for one in values]
        if sorted(names) != sorted(wanted) or any(
            (one.type, len(one.dims or ())) != wanted[one.name] for one in values
        ):
            shown = ", ".join(map(quoted, names[:8]))
            needed = ", ".join(
                f"{name} ({TYPE_NAMES[kind]}, rank {rank})" for name, (kind, rank) in wanted.items()
            )
            raise OnnxFileError(f"its inputs or outputs are [{shown}], expected {needed}")
        found |= {one.name: one.dims or () for one in values}
    fixed = {
        "layers": found["h"][0],
        "hidden": found["h"][2],
        "control": found["control"][2],
        "vocabulary": found["logits"][2],
    }
    sizes = {}
    for name, size in fixed.items():
        if not isinstance(size, int) or not 0 < size <= LARGEST[name]:
            shown = quoted(size) if isinstance(size, str) else str(size)
            raise OnnxFileError(
                f"its sizes are not fixed numbers: {name} is {shown}, expected 1 to {LARGEST[name]}"
            )
        sizes[name] = size
    return Sizes(**sizes)


def _run(node: Node, arrays: dict[str, Array], opsets: dict[str, int], sizes: Sizes) -> Outs:
    row = RULES.get((node.domain, node.op))
    if row is None or node.domain not in opsets:
        known = ", ".join(sorted(op for _, op in RULES))
        raise OnnxFileError(
            f"operator {quoted(node.op)} of {quoted(node.domain or 'ai.onnx')} is not allowed; only: {known}"
        )
    (fewest, most), outputs, attributes, rule = row
    odd = [name for name in node.attributes if name not in attributes.split()]
    if odd:
        raise OnnxFileError(f"{_place(node)} has the attribute {quoted(odd[0])}; allowed: {attributes or 'none'}")
    unknown = [name for name in node.inputs if name and name not in arrays]
    if unknown:
        raise OnnxFileError(f"{_place(node)} takes {quoted(unknown[0])}, which nothing before it makes")
    ins = [arrays[name] if name else None for name in node.inputs]
    if not fewest <= len(ins) <= most or None in ins[:fewest] or not 0 < len(node.outputs) <= outputs:
        raise OnnxFileError(
            f"{_place(node)} has {len(ins)} inputs and {len(node.outputs)} outputs, which do not fit"
        )
    try:
        if node.op == "Gather" and not is_constant(ins[1]):
            # An event is below the vocabulary's size; what is looked up in a table of numbers could be anything.
            need(node.inputs[1] == "event", "the event itself as indices, or constants")
            need(
                required(ins, 0).shape[axis_of(node, required(ins, 0), 0)] >= sizes.vocabulary,
                "a row for every event",
            )
        made, work = rule(node, [*ins, *[None] * (most - len(ins))])
        need(len(node.outputs) <= len(made), f"{len(made)} outputs")
        for one in made:
            need(len(one.shape) <= 8 and all(one.shape), "up to 8 dimensions, none of them empty")
    except FitError as error:
        shown = ", ".join("none" if one is None else described(one) for one in ins[:8])
        raise OnnxFileError(f"{_place(node)} cannot be run on {shown}; it needs {error}") from error
    return made, work


def _define(arrays: dict[str, Array], name: str, array: Array) -> None:
    if not name or name in arrays:
        raise OnnxFileError(f"{quoted(name)} is made twice; every value needs a name of its own")
    arrays[name] = array


def _compare(value: Value, arrays: dict[str, Array], free: dict[str, int]) -> None:
    """What the file says of a value, against what it is. free: the sizes of names met so far."""
    array = arrays.get(value.name)
    if array is None:
        raise OnnxFileError(f"it speaks of {quoted(value.name)}, which nothing makes")
    dims = array.shape if value.dims is None else value.dims
    fits = value.type in (0, array.type) and len(dims) == len(array.shape)
    for dim, size in zip(dims, array.shape, strict=False):
        said = free.setdefault(dim, size) if isinstance(dim, str) and dim else dim
        fits = fits and said in (size, None, "")
    if not fits:
        raise OnnxFileError(f"it says of {quoted(value.name)} what it is not: it is {described(array)}")


def _place(node: Node) -> str:
    return f"{node.op} (which makes {quoted((*node.outputs, '')[0])})"
