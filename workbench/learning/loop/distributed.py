"""Distributed training under torchrun; every operation is a no-op in a single process."""

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
TIMEOUT = timedelta(minutes=30)  # covers scoring in the main process


@dataclass(frozen=True)
class ProcessGroup:
    """This process among `size`; rank 0 is the main process, which reports, scores and saves."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process has rank 0, which alone reports and writes files."""
        return self.rank == 0

    def shard(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """This process's rows of a batch; at least one."""
        own = rows[self.rank :: self.size]
        return own if len(own) else rows[:1]

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            torch.distributed.barrier()

    def any(self, value: bool) -> bool:
        """Logical OR over all processes."""
        if self.size == 1:
            return value
        flag = torch.tensor([float(value)], device=_reduce_device())
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag.item())

    def broadcast_state(self, network: nn.Module, extra: Sequence[Tensor]) -> None:
        """Broadcast the main process's weights, buffers and extra tensors, so that all processes
        take the same decisions."""
        if self.size == 1:
            return
        with torch.no_grad():
            for tensor in (*network.state_dict().values(), *extra):
                torch.distributed.broadcast(tensor, 0)

    def broadcast(self, value: T) -> T:
        """Broadcast the main process's value."""
        if self.size == 1:
            return value
        objects: list[Any] = [value]
        torch.distributed.broadcast_object_list(objects, 0)
        found: T = objects[0]
        return found

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums over all processes."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=_reduce_device())
        torch.distributed.all_reduce(sums)
        return [float(value) for value in sums.tolist()]

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Average the parameters' gradients over all processes."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad.div_(self.size)

    def close(self) -> None:
        """Destroy the process group that `join` created."""
        if self.size > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


SINGLE_PROCESS = ProcessGroup()


def _reduce_device() -> str:
    """Device type for collective operations on small tensors."""
    return "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"


def join(device: Device) -> ProcessGroup:
    """Join the process group given by torchrun's environment; a single process forms its own."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ProcessGroup()
    backend = "nccl" if device.kind == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=TIMEOUT)
    return ProcessGroup(torch.distributed.get_rank(), torch.distributed.get_world_size())


class _LossModule(nn.Module):
    """Method and network as one module whose forward pass returns the loss, so that
    DistributedDataParallel averages all gradients whatever the method does with the network."""

    def __init__(self, method: Method, network: Network) -> None:
        super().__init__()
        self.network = network
        self.extra = method.extra
        self._method = method

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._method.loss(self.network, batch)


def shared_loss(
    group: ProcessGroup, method: Method, network: Network, device: Device, own: bool = False
) -> Callable[[Batch], tuple[Tensor, Tensor]]:
    """Loss function of the method; in a group, gradients are averaged over processes unless
    `own`."""
    if group.size == 1 or own:
        return lambda batch: method.loss(network, batch)
    here = [device.torch] if device.kind == "cuda" else None
    return DistributedDataParallel(
        _LossModule(method, network), device_ids=here, find_unused_parameters=True
    )
