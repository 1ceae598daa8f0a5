"""Several processes that train one network together, as torchrun starts them; alone, nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from workbench.learning.methods import Batch, Method
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network

T = TypeVar("T")
PATIENCE = timedelta(minutes=30)  # that the others wait while the first one scores


@dataclass(frozen=True)
class Team:
    """This process among `size`; number 0 leads: it reports, scores and saves."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's rows of a batch; one at least, where there are fewer than processes."""
        own = rows[self.rank :: self.size]
        return own if len(own) else rows[:1]

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            torch.distributed.barrier()

    def agree(self, value: bool) -> bool:
        """Whether any process says so."""
        if self.size == 1:
            return value
        said = torch.tensor([float(value)], device=_meeting_place())
        torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX)
        return bool(said.item())

    def same(self, network: nn.Module, further: Sequence[Tensor]) -> None:
        """Give everyone the leader's weights, statistics and further tensors, so that all decide
        alike what they say."""
        if self.size == 1:
            return
        with torch.no_grad():
            for tensor in (*network.state_dict().values(), *further):
                torch.distributed.broadcast(tensor, 0)

    def chosen(self, value: T) -> T:
        """What the leader chose."""
        if self.size == 1:
            return value
        told: list[Any] = [value]
        torch.distributed.broadcast_object_list(told, 0)
        found: T = told[0]
        return found

    def total(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=_meeting_place())
        torch.distributed.all_reduce(sums)
        return [float(value) for value in sums.tolist()]

    def average(self, parameters: Sequence[nn.Parameter]) -> None:
        """Bring the parameters' gradients to their mean over all processes."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad.div_(self.size)

    def leave(self) -> None:
        """End what `join` began."""
        if self.size > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


ALONE = Team()


def _meeting_place() -> str:
    """Where small figures must lie to be exchanged."""
    return "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"


def join(device: Device) -> Team:
    """The team that torchrun's environment names; a process started alone is its own."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team()
    backend = "nccl" if device.kind == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    return Team(torch.distributed.get_rank(), torch.distributed.get_world_size())


class _Taught(nn.Module):
    """Method and network as one module, whose forward pass ends in the loss: the gradient of
    everything that learns is averaged, whatever the method does with the network."""

    def __init__(self, method: Method, network: Network) -> None:
        super().__init__()
        self.network = network
        self.extra = method.extra
        self._method = method

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._method.loss(self.network, batch)


def shared_loss(
    team: Team, method: Method, network: Network, device: Device, own: bool = False
) -> Callable[[Batch], tuple[Tensor, Tensor]]:
    """The method's loss on a batch; in a team its gradients come out averaged over all, save where
    `own` asks for this process's own."""
    if team.size == 1 or own:
        return lambda batch: method.loss(network, batch)
    here = [device.torch] if device.kind == "cuda" else None
    return DistributedDataParallel(
        _Taught(method, network), device_ids=here, find_unused_parameters=True
    )
