"""ONNX files that nobody should trust: read without ONNX's own code, and refused in one line before they run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveperf.model import bundle
from liveperf.model.network import Network
from liveperf.model.onnxfile import INT64, read
from liveperf.model.onnxrules import MOST_NODES, Sizes, check
from liveperf.model.onnxwire import OnnxFileError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SHIPPED = bundle.FOLDER / f"{bundle.DEFAULT}.onnx"
CONTENT = SHIPPED.read_bytes()


@pytest.mark.parametrize("path", bundle.installed(), ids=lambda path: path.stem)
def test_what_ships_is_read_as_onnx_reads_it(path: Path) -> None:
    found, model = read(path.read_bytes()), onnx.load(path)
    assert found.opsets == {one.domain: one.version for one in model.opset_import}
    assert found.metadata == {one.key: one.value for one in model.metadata_props}
    for node, one in zip(found.nodes, model.graph.node, strict=True):
        assert (node.domain, node.op) == (one.domain, one.op_type)
        assert (list(node.inputs), list(node.outputs)) == (list(one.input), list(one.output))
        known = {a.name: helper.get_attribute_value(a) for a in one.attribute}
        assert {name: list(x) if isinstance(x, tuple) else x for name, x in node.attributes.items()} == known
    for tensor, one in zip(found.constants, model.graph.initializer, strict=True):
        assert (tensor.name, tensor.type, list(tensor.shape)) == (one.name, one.data_type, list(one.dims))
        if tensor.type == INT64:
            assert list(tensor.values or ()) == numpy_helper.to_array(one).ravel().tolist()
    for values, others in ((found.inputs, model.graph.input), (found.values, model.graph.value_info)):
        assert [value.name for value in values] == [one.name for one in others]
        for value, one in zip(values, others, strict=True):
            dims = [dim.dim_param or dim.dim_value for dim in one.type.tensor_type.shape.dim]
            assert (value.type, list(value.dims or ())) == (one.type.tensor_type.elem_type, dims)
    assert check(found) == Sizes(3, 512, 22, 413)


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("int8", [False, True])
def test_what_train_exports_is_let_in(int8: bool, torch: Any, tmp_path: Path) -> None:
    from liveperf.events import MAGENTA
    from train.export import export
    from train.model import PerformanceRNN

    card: dict[str, Any] = dict.fromkeys(("name", "licence", "data"), "")
    card |= {"vocabulary": {"steps_per_second": 100, "max_shift": 100}, "training": {}, "scores": {}}
    network = PerformanceRNN(MAGENTA, 22, layers=4, hidden=24, embedding=16)
    export(network, card, tmp_path / "made.onnx", int8)
    assert check(read((tmp_path / "made.onnx").read_bytes())) == Sizes(4, 24, 22, 388)


def test_a_plain_network_of_torchs_own_export_is_let_in(torch: Any, tmp_path: Path) -> None:
    class Plain(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.event, self.control = torch.nn.Embedding(413, 32), torch.nn.Linear(22, 32)
            self.lstm, self.output = torch.nn.LSTM(32, 48, 3, batch_first=True), torch.nn.Linear(48, 413)

        def forward(self, event: Any, control: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
            y, (h, c) = self.lstm(self.event(event) + self.control(control), (h, c))
            return self.output(y), h, c

    state, path = torch.zeros(3, 1, 48), tmp_path / "plain.onnx"
    names = {"input_names": ["event", "control", "h", "c"], "output_names": ["logits", "h_out", "c_out"]}
    axes = dict.fromkeys(("event", "control", "logits"), {0: "batch", 1: "time"})
    axes |= dict.fromkeys(("h", "c", "h_out", "c_out"), {1: "batch"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.zeros(1, 4, dtype=torch.long), torch.zeros(1, 4, 22), state, state)
        torch.onnx.export(Plain().eval(), example, path, dynamic_axes=axes, dynamo=False, **names)
    network = Network(path)
    logits, after = network.step(5, np.zeros(22, np.float32), network.zero_state())
    assert logits.shape == (413,)
    assert after.h.shape == (3, 1, 48)


def tensor(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array), name)


def add(model: Any, op: str, ins: list[str], outs: list[str], domain: str = "", **attributes: Any) -> None:
    """Put an operator before all others."""
    model.graph.node.insert(0, helper.make_node(op, ins, outs, domain=domain, **attributes))


def node(model: Any, op: str) -> Any:
    return next(one for one in model.graph.node if one.op_type == op)


def weight(model: Any, name: str) -> Any:
    return next(one for one in model.graph.initializer if one.name == name)


def external(model: Any) -> None:
    one = weight(model, "B0")
    one.ClearField("raw_data")
    one.data_location = TensorProto.EXTERNAL
    one.external_data.add(key="location", value="/etc/passwd")


def hidden_external(model: Any) -> None:
    weight(model, "B0").data_location = TensorProto.EXTERNAL


def subgraph(model: Any) -> None:
    branch = helper.make_graph([], "branch", [], [])
    add(model, "If", ["event"], ["x"], then_branch=branch, else_branch=branch)


def joined(model: Any) -> None:
    """2^40 times 512 numbers out of forty operators."""
    for i in reversed(range(40)):
        add(model, "Concat", [f"j{i}"] * 2, [f"j{i + 1}"], axis=0)
    add(model, "Identity", ["output_bias"], ["j0"])


def spread(model: Any) -> None:
    model.graph.initializer.append(tensor("column", np.zeros((50_000, 1), np.float32)))
    model.graph.initializer.append(tensor("row", np.zeros((1, 50_000), np.float32)))
    add(model, "Add", ["column", "row"], ["field"])


def laboured(model: Any) -> None:
    """Little in it, but for ever at work."""
    model.graph.initializer.append(tensor("square", np.zeros((700, 700), np.float32)))
    for _ in range(3):
        add(model, "MatMul", ["square", "square"], [f"work{len(model.graph.node)}"])


def chosen(model: Any) -> None:
    """Indices of indices: dimensions grow with each."""
    model.graph.initializer.append(tensor("index", np.zeros((2, 2, 2), np.int64)))
    for i in reversed(range(4)):
        add(model, "Gather", [f"g{i}", "index"], [f"g{i + 1}"])
    add(model, "Identity", ["event_weight"], ["g0"])


def detour(model: Any) -> None:
    """Events become indices by way of a table, where one that is not played at first stands for a row far off."""
    table = np.arange(413)
    table[400] = 10**9
    node(model, "Gather").input[1] = "index"
    model.graph.initializer.append(tensor("table", table))
    add(model, "Gather", ["table", "event"], ["index"])


def padded(model: Any) -> None:
    """Of the events and a constant among them, the constant is the index."""
    node(model, "Gather").input[1] = "index"
    model.graph.initializer.append(tensor("far", np.full((1, 1), 10**9)))
    add(model, "Split", ["both", "first"], ["index", "rest"], axis=1)
    model.graph.initializer.append(tensor("first", np.array([1, 1])))
    add(model, "Concat", ["far", "event"], ["both"], axis=1)


def crowded(model: Any) -> None:
    for i in range(MOST_NODES):
        add(model, "Identity", ["c"], [f"copy{i}"])


def time_is_fixed(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1


def lying(model: Any) -> None:
    value = next(one for one in model.graph.value_info if one.name == "x0")
    value.type.tensor_type.shape.dim[2].dim_value = 1 << 20


HOSTILE: dict[str, tuple[Callable[[Any], object], str]] = {
    "external data": (external, "it has external data"),
    "external data without a place": (hidden_external, "tensor 'B0' has external data"),
    "a subgraph": (subgraph, "it has a subgraph"),
    "a function": (lambda m: m.functions.add(name="f"), "it has functions"),
    "training": (lambda m: m.training_info.add(), "it has training information"),
    "sparse weights": (lambda m: m.graph.sparse_initializer.add(), "it has sparse weights"),
    "an operator": (
        lambda m: add(m, "Expand", ["h", "direction"], ["x"]),
        "operator 'Expand' of 'ai.onnx' is not",
    ),
    "a domain": (
        lambda m: add(m, "Add", ["h", "c"], ["x"], "evil"),
        "operator 'Add' of 'evil' is not allowed; only",
    ),
    "an opset": (lambda m: m.opset_import.add(domain="evil", version=1), "operators of 'evil' 1 are not allowed"),
    "an opset of old": (lambda m: setattr(m.opset_import[0], "version", 9), "operators of 'ai.onnx' 9"),
    "two of an opset": (lambda m: m.opset_import.add(domain="", version=17), "opset entries have the same name"),
    "two of a metadata key": (lambda m: m.metadata_props.add(key="liveperf", value=""), "metadata entries"),
    "two values of a name": (lambda m: add(m, "Identity", ["h"], ["x1"]), "'x1' is made twice"),
    "two weights of a name": (lambda m: m.graph.initializer.append(weight(m, "B0")), "'B0' is made twice"),
    "a weight named as an input": (lambda m: setattr(weight(m, "B0"), "name", "h"), "'h' is made twice"),
    "a value from nowhere": (lambda m: add(m, "Identity", ["nowhere"], ["x"]), "takes 'nowhere', which nothing"),
    "a name in two lines": (lambda m: add(m, "Identity", ["a\nb"], ["x"]), r"takes 'a\nb', which"),
    "a name without end": (lambda m: add(m, "x" * 2000, ["h"], ["x"]), "op_type has 2000 bytes; up to 1000"),
    "an attribute": (
        lambda m: add(m, "Add", ["h", "c"], ["x"], axis=1),
        "has the attribute 'axis'; allowed: none",
    ),
    "2^40 numbers": (joined, "it asks for too much: Concat"),
    "a field of 2.5 billion": (spread, "it asks for too much: Add"),
    "too much work": (laboured, "it asks for too much: MatMul"),
    "too many dimensions": (chosen, "Gather (which makes"),
    "too many operators": (crowded, f"up to {MOST_NODES} are allowed"),
    "a shape without numbers": (lambda m: weight(m, "B0").dims.__setitem__(0, 1 << 39), "where its shape says"),
    "a shape below nothing": (lambda m: weight(m, "B0").dims.__setitem__(0, -1), "'B0' has an impossible shape"),
    "numbers of another type": (
        lambda m: setattr(weight(m, "B0"), "data_type", 8),
        "has type 8; allowed: float32",
    ),
    "numbers twice": (lambda m: weight(m, "B0").float_data.append(1), "numbers of several kinds"),
    "gates that do not fit": (
        lambda m: setattr(node(m, "DynamicQuantizeLSTM").attribute[0], "i", 4096),
        "cannot be run on float32 [1, 1, 256]",
    ),
    "scales that do not fit": (
        lambda m: node(m, "DynamicQuantizeLSTM").input.__setitem__(8, "output_bias"),
        "it needs a constant scale and zero point",
    ),
    "zero points that do not fit": (
        lambda m: node(m, "MatMulInteger").input.__setitem__(3, "W0_zero_point"),
        "it needs one zero point, or one a column",
    ),
    "rows for some events only": (
        lambda m: node(m, "Gather").input.__setitem__(0, "control_weight"),
        "it needs a row for every event",
    ),
    "indices out of a table": (detour, "it needs the event itself as indices, or constants"),
    "indices out of a list": (padded, "it needs the event itself as indices, or constants"),
    "an axis that is not there": (
        lambda m: setattr(node(m, "Concat").attribute[0], "i", 7),
        "an axis that is there",
    ),
    "parts that do not fit": (lambda m: node(m, "Split").output.pop(), "it needs equal parts"),
    "a free size": (
        lambda m: setattr(m.graph.input[2].type.tensor_type.shape.dim[2], "dim_param", "any"),
        "its sizes are not fixed numbers: hidden is 'any', expected 1 to 8192",
    ),
    "an absurd size": (
        lambda m: setattr(m.graph.input[2].type.tensor_type.shape.dim[0], "dim_value", 1 << 40),
        "layers is 1099511627776, expected 1 to 64",
    ),
    "an output less": (lambda m: m.graph.output.pop(), "its inputs or outputs are ['logits', 'h_out'], expected"),
    "an output of another type": (
        lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", 7),
        "its inputs or outputs are",
    ),
    "a time that is fixed": (time_is_fixed, "it says of 'event' what it is not"),
    "a shape that is a lie": (lying, "it says of 'x0' what it is not: it is float32 [1, 1, 256]"),
}


@pytest.mark.parametrize(("change", "said"), list(HOSTILE.values()), ids=list(HOSTILE))
def test_a_hostile_graph_is_refused_in_one_line(change: Callable[[Any], object], said: str) -> None:
    model = onnx.ModelProto.FromString(CONTENT)
    change(model)
    content = model.SerializeToString()
    with pytest.raises(OnnxFileError) as refused:
        check(read(content))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 700


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, as on the wire."""
    size, length = len(content), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


RAW = {
    "nothing": (b"", "there is no graph"),
    "another format": (b"\x12\x07abORTMx" + CONTENT, "ONNX Runtime's own format"),
    "two graphs": (CONTENT + field(7, b""), "graph comes twice"),
    "a group": (b"\x0b\x0c" + CONTENT, "damaged"),
    "an unknown field": (field(15, b"x") + CONTENT, "field 15 in a model"),
    "a number that never ends": (b"\x08" + b"\xff" * 100, "cut short"),
    "a number too large": (b"\x08" + b"\xff" * 9 + b"\x7f" + CONTENT, "cut short"),
    "a length beyond the end": (b"\x3a\xff\xff\xff\xff\x7f", "cut short"),
    "a graph that is a number": (b"\x38\x01", "graph is not graph"),
    "a version of four bytes": (b"\x0d\0\0\0\0", "ir_version is not int"),
    "a name that is no text": (field(7, field(2, b"\xff")), "name is no text"),
    "a dimension twice": (
        field(7, field(11, field(2, field(1, field(2, field(1, b"\x08\x01\x12\x01x")))))),
        "a dimension has a number and a name",
    ),
    "nothing but fields": (b"\x08\x01" + field(7, b"") + b"\x42\x00" * 200_000, "over 100000 fields"),
}


@pytest.mark.parametrize(("content", "said"), list(RAW.values()), ids=list(RAW))
def test_crooked_bytes_are_refused_in_one_line(content: bytes, said: str) -> None:
    with pytest.raises(OnnxFileError, match=said):
        check(read(content))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200) | st.lists(st.tuples(st.integers(1, 26), st.binary(max_size=40)), max_size=8))
def test_any_bytes_are_a_model_or_refused(drawn: bytes | list[tuple[int, bytes]]) -> None:
    content = drawn if isinstance(drawn, bytes) else b"".join(field(number % 16, part) for number, part in drawn)
    for one in (content, field(7, content), field(7, field(1, content)), field(7, field(5, content))):
        with pytest.raises(OnnxFileError):
            check(read(one))


def test_what_was_looked_at_is_what_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read once: what takes its place afterwards is never seen."""
    path, reads = tmp_path / "some.onnx", list[Path]()
    path.write_bytes(CONTENT)
    whole = Path.read_bytes

    def once(self: Path) -> bytes:
        reads.append(self)
        content = whole(self)
        self.write_bytes(b"another")
        return content

    monkeypatch.setattr(Path, "read_bytes", once)
    assert bundle.load(str(path)).network.hidden == 512
    assert reads == [path]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_network_of_no_numbers_is_refused(value: float, tmp_path: Path) -> None:
    model = onnx.ModelProto.FromString(CONTENT)
    weight(model, "output_bias").CopyFrom(tensor("output_bias", np.full(413, value, np.float32)))
    onnx.save(model, tmp_path / "mad.onnx")
    with pytest.raises(bundle.BundleError, match="its first step gives infinite numbers, or none"):
        bundle.load(str(tmp_path / "mad.onnx"))
