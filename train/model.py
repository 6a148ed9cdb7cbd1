"""The network: a Performance RNN, 3 x 512 LSTM, conditioned on density and pitch classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""Hidden and cell state, each [layers, batch, hidden]."""


class PerformanceRNN(nn.Module):
    """LSTM layers with residual sums between them, over an embedded event and its control vector.

    The initial state is learned. Every layer's output reaches the output layer through the residual sum,
    which costs no arithmetic worth counting and trains faster than a plain stack (see CHANGELOG).
    """

    def __init__(
        self, vocabulary_size: int, control_size: int, layers: int = 3, hidden: int = 512, embedding: int = 256
    ) -> None:
        super().__init__()
        self.event = nn.Embedding(vocabulary_size, embedding)
        self.control = nn.Linear(control_size, embedding, bias=False)
        sizes = [embedding] + [hidden] * (layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(size, hidden, batch_first=True) for size in sizes)
        self.h0 = nn.Parameter(torch.zeros(layers, hidden))
        self.c0 = nn.Parameter(torch.zeros(layers, hidden))
        self.output = nn.Linear(hidden, vocabulary_size)
        nn.init.normal_(self.event.weight, std=0.5)
        for name, parameter in self.layers.named_parameters():
            if name.endswith("bias_ih_l0"):
                nn.init.ones_(parameter[hidden : 2 * hidden])  # the forget gate: remember by default

    def start(self, batch: int) -> State:
        """The learned state before the first event."""
        return (
            self.h0[:, None].repeat(1, batch, 1),
            self.c0[:, None].repeat(1, batch, 1),
        )

    def forward(self, event: Tensor, control: Tensor, state: State) -> tuple[Tensor, State]:
        """event [batch, time] int64, control [batch, time, C] -> logits [batch, time, V], state."""
        x = self.event(event) + self.control(control)
        total: Tensor | None = None
        h, c = [], []
        for i, layer in enumerate(self.layers):
            y, (h_i, c_i) = layer(x, (state[0][i : i + 1], state[1][i : i + 1]))
            x = total = y if total is None else total + y
            h.append(h_i)
            c.append(c_i)
        return self.output(x), (torch.cat(h), torch.cat(c))
