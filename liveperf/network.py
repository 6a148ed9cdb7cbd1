"""One step or many of the network: the only import of onnxruntime."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float32]


class NetworkError(Exception):
    """A file that ONNX Runtime cannot run as a network of ours."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkState:
    """Hidden and cell state, each [layers, 1, hidden] float32; never written to."""

    h: Array
    c: Array


_FLOATS = ("tensor(float)", 3)  # type, rank
_INPUTS = {"event": ("tensor(int64)", 2), "control": _FLOATS, "h": _FLOATS, "c": _FLOATS}
_OUTPUTS = {"logits": _FLOATS, "h_out": _FLOATS, "c_out": _FLOATS}


class Network:
    """A bundle's graph, run by ONNX Runtime on one thread.

    `step` and `run` are thread-safe and release the interpreter lock while they compute.
    """

    def __init__(self, path: Path) -> None:
        """Open a graph; NetworkError says why it cannot be."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        # From bytes, and other files are sought where there are none: a model cannot reach data outside itself.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except OSError as error:
            raise NetworkError(error.strerror or str(error)) from error
        except Exception as error:  # onnxruntime's exceptions share no public base
            raise NetworkError(f"ONNX Runtime cannot load it ({str(error).splitlines()[0][:120]})") from error
        inputs = {value.name: value for value in self._session.get_inputs()}
        outputs = {value.name: value for value in self._session.get_outputs()}
        for wanted, found in ((_INPUTS, inputs), (_OUTPUTS, outputs)):
            if {name: (value.type, len(value.shape)) for name, value in found.items()} != wanted:
                raise NetworkError(f"its inputs or outputs are {sorted(found)}, expected {wanted}")
        self.layers, _, self.hidden = inputs["h"].shape
        self.control_size: int = inputs["control"].shape[2]
        self.vocabulary_size: int = outputs["logits"].shape[2]
        sizes = (self.layers, self.hidden, self.control_size, self.vocabulary_size)
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise NetworkError(f"its sizes are not fixed numbers: {sizes}")

    @property
    def metadata(self) -> dict[str, str]:
        """The graph's custom metadata."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def zero_state(self) -> NetworkState:
        """A state of zeros."""
        zeros = np.zeros((self.layers, 1, self.hidden), np.float32)
        return NetworkState(zeros, zeros)

    def step(self, event: int, control: Array, state: NetworkState) -> tuple[Array, NetworkState]:
        """Feed one event under control [C]: logits [V] of the next, and the state after it."""
        logits, state = self._run(np.array([[event]], np.int64), control[None, None], state)
        return logits[0, 0], state

    def run(self, events: NDArray[np.int64], controls: Array, state: NetworkState) -> tuple[Array, NetworkState]:
        """Feed n events [n] under controls [n, C]: logits [n, V] after each, and the state after the last."""
        logits, state = self._run(events[None], controls[None], state)
        return logits[0], state

    def _run(self, event: Any, control: Any, state: NetworkState) -> tuple[Array, NetworkState]:
        inputs = {"event": event, "control": control, "h": state.h, "c": state.c}
        logits, h, c = self._session.run(("logits", "h_out", "c_out"), inputs)
        return logits, NetworkState(h, c)
