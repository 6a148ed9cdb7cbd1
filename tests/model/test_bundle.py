"""Bundles: found by name or file, and one line for each that cannot be played."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liveperf.model import bundle
from liveperf.model.bundle import DEFAULT, METADATA_KEY, BundleError, find, installed, load

SHIPPED = bundle.FOLDER / f"{DEFAULT}.onnx"


def refusal(name_or_file: str | Path) -> str:
    """What is said of a bundle, in one line."""
    with pytest.raises(BundleError) as refused:
        load(str(name_or_file))
    said = str(refused.value)
    assert "\n" not in said
    return said


def test_the_default_ships() -> None:
    assert SHIPPED in installed()


@pytest.mark.parametrize("path", installed(), ids=lambda path: path.stem)
def test_what_ships_opens_and_has_its_card(path: Path) -> None:
    found = load(path.stem)
    card, network = found.card, found.network
    assert found.path == path
    assert card.name == path.stem
    assert card.licence and card.data
    assert (card.vocabulary.size, card.conditioning.size) == (network.vocabulary_size, network.control_size)
    assert found.start_state.h.shape == (network.layers, 1, network.hidden)


def test_found_by_name_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "mine.onnx"
    shutil.copy(SHIPPED, copy)
    assert find(DEFAULT) == SHIPPED
    assert find(str(copy)) == copy
    monkeypatch.chdir(tmp_path)
    assert find("mine.onnx") == Path("mine.onnx")
    assert load("mine.onnx").card == load(DEFAULT).card


def test_an_unknown_name_lists_what_is_installed() -> None:
    said = refusal("nocturnes")
    assert said.startswith("no model named 'nocturnes'; installed: ")
    assert repr(DEFAULT) in said


def test_where_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "FOLDER", tmp_path)
    assert "installed: none" in refusal(DEFAULT)


@pytest.mark.parametrize("name", ["missing.onnx", "missing/model.onnx", "", "."])
def test_a_file_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(name).startswith("no model file")


def test_a_name_that_no_file_can_have() -> None:
    assert refusal("x" * 5000).startswith("no model")


def test_an_oversized_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LARGEST_BYTES", 1 << 20)
    assert refusal(DEFAULT) == f"{SHIPPED}: over 1 MiB, not a bundle"


@pytest.mark.parametrize("content", [b"", b"MThd", b"\x08\x08", b"\x80\x04\x95cposix\nsystem\n"])
def test_not_an_onnx_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.onnx"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: not a liveperf bundle: ")


def test_a_bundle_that_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(SHIPPED.read_bytes()[:1_000_000])
    assert "not a liveperf bundle: it is no ONNX model, or cut short" in refusal(path)


@pytest.fixture
def altered(tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """A copy of the shipped bundle with its ONNX model changed."""
    onnx = pytest.importorskip("onnx")

    def alter(change: Callable[[Any], None]) -> Path:
        model = onnx.load(SHIPPED)
        change(model)
        onnx.save(model, tmp_path / "altered.onnx")
        return tmp_path / "altered.onnx"

    return alter


def test_a_graph_of_somebody_else(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "other", value[:1], value[1:])
    path = tmp_path / "other.onnx"
    onnx.save(onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)]), path)
    assert (
        "not a liveperf bundle: its inputs or outputs are ['x'], expected event (int64, rank 2), control"
        in refusal(path)
    )


def test_a_graph_without_our_metadata(altered: Callable[..., Path]) -> None:
    path = altered(lambda model: model.ClearField("metadata_props"))
    assert refusal(path) == f"{path}: not a liveperf bundle: an ONNX file without our metadata"


def test_weights_in_another_file_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "outside.onnx"
    model = onnx.load(SHIPPED)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=100)
    assert (tmp_path / "weights.bin").is_file()
    assert "not a liveperf bundle: it has external data (in a tensor)" in refusal(path)


def raw(values: list[float]) -> str:
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"format": 2}, "format 2, this liveperf reads 1"),
        ({"format": None}, "format None"),
        ({"vocabulary": {"steps_per_second": 100, "max_shift": 100, "velocity_bins": 32}}, "sizes are not those"),
        ({"vocabulary": {"steps_per_second": 0}}, "1 to 1000"),
        ({"vocabulary": {"colour": 1}}, "unexpected keyword argument 'colour'"),
        ({"vocabulary": 3}, "TypeError"),
        ({"vocabulary": {"steps_per_second": 125.0}}, "125.0 is not a whole number"),
        ({"vocabulary": {"velocity_bins": True, "max_shift": 156}}, "True is not a whole number"),
        ({"name": "\x1b[2J"}, r"a text that cannot be printed: '\x1b[2J'"),
        ({"scores": {"a\nb": 1}}, r"a text that cannot be printed: 'a\nb'"),
        ({"control": {"density_knots": [1, float("inf")]}}, "inf is not a number above 0"),
        (
            {"control": {"density_knots": [1, 2], "density_window_s": float("nan"), "histogram_window_s": 5}},
            "nan is not a number above 0",
        ),
        ({"control": {"density_knots": [1, 2], "density_window_s": 3, "histogram_window_s": "5"}}, "'5' is not"),
        ({"start": {"event": True}}, "True is not a whole number"),
        ({"start": {"event": 3.0}}, "3.0 is not a whole number"),
        ({"format": [1] * 1000}, "format [1, 1, 1"),
        ({"control": {}}, "KeyError 'density_knots'"),
        ({"control": {"density_knots": [1, 2], "density_window_s": 3, "histogram_window_s": 5}}, "sizes are not"),
        ({"start": {"event": 413}}, "start event 413"),
        ({"start": {"event": -1}}, "start event -1"),
        ({"start": {"event": "first"}}, "TypeError"),
        ({"start": {"event": 0, "h0": "AAAA"}}, "ValueError"),
        ({"start": {"event": 0, "h0": "?"}}, "Error"),
        ({"start": {"event": 0, "h0": raw([0.5, 0.5])}}, "cannot reshape"),
        ({"training": 5}, "TypeError"),
        ({"licence": ...}, "KeyError 'licence'"),
    ],
    ids=str,
)
def test_damaged_metadata(damage: dict[str, Any], said: str, altered: Callable[..., Path]) -> None:
    def change(model: Any) -> None:
        (entry,) = (one for one in model.metadata_props if one.key == METADATA_KEY)
        values = json.loads(entry.value) | damage
        entry.value = json.dumps({key: value for key, value in values.items() if value is not ...})

    path = altered(change)
    line = refusal(path)
    assert line.startswith(f"{path}: a damaged bundle: ")
    assert said in line


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"format"', "[" * 100_000])
def test_metadata_that_is_no_object(text: str, altered: Callable[..., Path]) -> None:
    def change(model: Any) -> None:
        (entry,) = (one for one in model.metadata_props if one.key == METADATA_KEY)
        entry.value = text

    assert ": a damaged bundle: " in refusal(altered(change))


def test_a_start_state_of_no_numbers(altered: Callable[..., Path]) -> None:
    network = load(DEFAULT).network

    def change(model: Any) -> None:
        (entry,) = (one for one in model.metadata_props if one.key == METADATA_KEY)
        values = json.loads(entry.value)
        values["start"]["c0"] = raw([float("nan")] * network.layers * network.hidden)
        entry.value = json.dumps(values)

    assert "the start state is not of finite numbers" in refusal(altered(change))


def test_a_start_state_left_out_is_zeros(altered: Callable[..., Path]) -> None:
    def change(model: Any) -> None:
        (entry,) = (one for one in model.metadata_props if one.key == METADATA_KEY)
        entry.value = json.dumps(json.loads(entry.value) | {"start": {"event": 0}})

    state = load(str(altered(change))).start_state
    assert not state.h.any() and not state.c.any()
