"""The processes of a run: one, or as many as `torchrun` starts, on one machine or several."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed


@dataclass(frozen=True)
class Group:
    """Our place among the processes; collective calls are made by all of them, in the same order."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def sums(self, *values: float) -> list[float]:
        """Each value summed over the processes. Collective."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def gathered(self, value: Any) -> list[Any]:
        """The value of each process, by rank; empty but where `leads`. Collective."""
        if self.size == 1:
            return [value]
        values = [None] * self.size if self.leads else None
        distributed.gather_object(value, values)
        return values or []


@contextlib.contextmanager
def joined() -> Iterator[Group]:
    """The group that torchrun's variables describe; alone without them. On a GPU each, where there are any."""
    cuda = torch.cuda.is_available()
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(device=torch.device("cuda" if cuda else "cpu"))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Group(distributed.get_rank(), size, device)
        distributed.barrier()  # who leads has files to write: nobody hangs up before
    finally:
        distributed.destroy_process_group()
