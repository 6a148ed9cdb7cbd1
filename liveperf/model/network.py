"""One step or many of the network: the only import of onnxruntime."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from liveperf.model import onnxfile, onnxrules
from liveperf.model.onnxwire import OnnxFileError

Array = NDArray[np.float32]


class NetworkError(Exception):
    """A file that ONNX Runtime cannot run as a network of ours."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkState:
    """Hidden and cell state, each [layers, 1, hidden] float32; never written to."""

    h: Array
    c: Array


class Network:
    """A bundle's graph, run by ONNX Runtime on one thread.

    `step` and `run` are thread-safe and release the interpreter lock while they compute.
    """

    def __init__(self, path: Path) -> None:
        """Open a graph; NetworkError says why it cannot be.

        The file is read once, and looked at before ONNX Runtime sees it: whoever wrote it need not mean well.
        """
        try:
            content = path.read_bytes()
            model = onnxfile.read(content)
            sizes = onnxrules.check(model)
        except OnnxFileError as error:
            raise NetworkError(str(error)) from error
        except OSError as error:
            raise NetworkError(error.strerror or str(error)) from error
        self.layers, self.hidden = sizes.layers, sizes.hidden
        self.control_size, self.vocabulary_size = sizes.control, sizes.vocabulary
        self.metadata = model.metadata
        self._session = _session(content)

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

    def probe(self, event: int, control: Array, state: NetworkState) -> None:
        """Take a step, and two at once, for nothing; NetworkError if they fail or give what is no number."""
        events, controls = np.array([event, event], np.int64), np.stack((control, control))
        try:
            results = self.step(event, control, state), self.run(events, controls, state)
        except Exception as error:  # onnxruntime's exceptions share no public base
            raise NetworkError(f"ONNX Runtime cannot run it ({_line(error)})") from error
        if not all(np.isfinite(one).all() for logits, after in results for one in (logits, after.h, after.c)):
            raise NetworkError("its first step gives infinite numbers, or none")

    def _run(self, event: Any, control: Any, state: NetworkState) -> tuple[Array, NetworkState]:
        inputs = {"event": event, "control": control, "h": state.h, "c": state.c}
        logits, h, c = self._session.run(("logits", "h_out", "c_out"), inputs)
        return logits, NetworkState(h, c)


def _session(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    # What was looked at is what is loaded: as ONNX, not as ONNX Runtime's own format, and without other files.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base
        raise NetworkError(f"ONNX Runtime cannot load it ({_line(error)})") from error
    session._model_bytes = None  # kept for another execution provider, which there will not be
    return session


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
