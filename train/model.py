"""The network: a Performance RNN, 3 x 512 LSTM, conditioned on density and pitch classes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from liveperf.events import PITCHES, EventType, Vocabulary

State = tuple[Tensor, Tensor]
"""Hidden and cell state, each [layers, batch, hidden]."""


class PerformanceRNN(nn.Module):
    """LSTM layers with residual sums between them, over an embedded event and its control vector.

    The initial state is learned. Every layer's output reaches the output layer through the residual sum, which
    costs no arithmetic worth counting. Events share what they have in common (`event_features`): a pitch class, an
    octave, a length of time. What that pays is in CHANGELOG; when played, it costs nothing: `export` folds it in.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        control_size: int,
        layers: int = 3,
        hidden: int = 512,
        embedding: int = 256,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.event = nn.Embedding(vocabulary.size, embedding)
        features = torch.from_numpy(event_features(vocabulary))
        self.register_buffer("features", features, persistent=False)
        self.shared_in = nn.Parameter(torch.empty(features.shape[1], embedding))
        self.shared_out = nn.Parameter(torch.empty(features.shape[1], hidden))
        self.control = nn.Linear(control_size, embedding, bias=False)
        sizes = [embedding] + [hidden] * (layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for size in sizes)
        self.h0 = nn.Parameter(torch.zeros(layers, hidden))
        self.c0 = nn.Parameter(torch.zeros(layers, hidden))
        self.output = nn.Linear(hidden, vocabulary.size)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.event.weight, std=0.3)
        nn.init.normal_(self.shared_in, std=0.3)
        nn.init.normal_(self.shared_out, std=0.02)
        for name, parameter in self.layers.named_parameters():
            if name.endswith("bias_ih_l0"):
                nn.init.ones_(parameter[hidden : 2 * hidden])  # the forget gate: remember by default

    features: Tensor  # [V, K]

    @property
    def embedding(self) -> Tensor:
        """What each event is to the first layer, [V, embedding]."""
        return self.event.weight + self.features @ self.shared_in

    @property
    def output_weight(self) -> Tensor:
        """What scores each event at the top, [V, hidden]."""
        return self.output.weight + self.features @ self.shared_out

    def start(self, batch: int) -> State:
        """The learned state before the first event."""
        return (
            self.h0[:, None].repeat(1, batch, 1),
            self.c0[:, None].repeat(1, batch, 1),
        )

    def forward(self, event: Tensor, control: Tensor, state: State) -> tuple[Tensor, State]:
        """event [batch, time] int64, control [batch, time, C] -> logits [batch, time, V], state."""
        x = functional.embedding(event, self.embedding) + self.control(control)
        total: Tensor | None = None
        h, c = [], []
        for i, layer in enumerate(self.layers):
            y, (h_i, c_i) = layer(self.dropout(x), (state[0][i : i + 1], state[1][i : i + 1]))
            x = total = y if total is None else total + y
            h.append(h_i)
            c.append(c_i)
        logits = functional.linear(self.dropout(x), self.output_weight, self.output.bias)
        return logits, (torch.cat(h), torch.cat(c))


def event_features(vocabulary: Vocabulary) -> NDArray[np.float32]:
    """What events have in common, [V, K]: 1 at an event's type, and at a note's pitch class and octave.

    A time shift or a velocity is shared between the two knots around it (half an octave of time, an eighth of the
    loudness apart).
    """
    pitch = np.arange(PITCHES)
    notes = np.concatenate((np.eye(12)[pitch % 12], np.eye(11)[pitch // 12]), axis=1)
    shifts = np.arange(1, vocabulary.max_shift + 1) / vocabulary.steps_per_second
    velocities = np.arange(vocabulary.velocity_bins) / max(vocabulary.velocity_bins - 1, 1)
    blocks = {
        EventType.NOTE_ON: notes,
        EventType.NOTE_OFF: notes,
        EventType.TIME_SHIFT: _between(np.log2(shifts), np.arange(-7, 0.01, 0.5)),
        EventType.VELOCITY: _between(velocities, np.linspace(0, 1, 9)),
    }
    features = np.zeros((vocabulary.size, sum(1 + block.shape[1] for block in blocks.values())), np.float32)
    column = 0
    for kind, block in blocks.items():
        rows = slice(vocabulary.first[kind], vocabulary.first[kind] + len(block))
        features[rows, column] = 1
        features[rows, column + 1 : column + 1 + block.shape[1]] = block
        column += 1 + block.shape[1]
    return features


def _between(values: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares [n, K] of values [n] in the knots [K] around them; beyond the ends: the ends."""
    return np.stack([np.interp(values, knots, row) for row in np.eye(len(knots))], axis=1)
