"""A network cut in two: the frozen prefix, whose maps never change, and the trained tail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network
from workbench.learning.precision import autocast

Unit = tuple[str, nn.Module]
# torch has no public name for "any dropout" and "any batch norm"
_CHANGING = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001


@dataclass(frozen=True)
class Split:
    """`tail` holds the network's own modules: with the prefix's maps it gives what the network
    gives of the images. `steps` are the prefix, unit by unit, shallow to deep."""

    steps: tuple[Unit, ...]
    tail: Network


def units(body: nn.Module, path: str = "") -> Iterator[Unit]:
    """The modules that a body runs one after the other, by name: nested rows are taken apart, any
    other module is one unit, whatever branches it has within."""
    if not isinstance(body, nn.Sequential) or type(body).forward is not nn.Sequential.forward:
        yield path, body
        return
    for name, module in body.named_children():
        yield from units(module, f"{path}.{name}" if path else name)


def split(network: Network, frozen: Sequence[nn.Module]) -> Split | None:
    """Cut after the last unit that cannot change; None where nothing lies before the cut.

    `frozen` are the modules that stay in evaluation mode. A unit belongs to the prefix if nothing
    in it learns or draws noise; what comes behind a frozen stage without weights of its own, such
    as pooling, is in the prefix too, which makes the maps smaller.
    """
    resting = {id(module) for root in frozen for module in root.modules()}
    row = list(units(network.body))
    count = 0
    while count < len(row) and _is_fixed(row[count][1], resting):
        count += 1
    if not any(True for _, module in row[:count] for _ in module.parameters()):
        return None
    tail = nn.Sequential(*(module for _, module in row[count:]))
    return Split(tuple(row[:count]), Network(tail, network.head))


def _is_fixed(unit: nn.Module, resting: set[int]) -> bool:
    if any(parameter.requires_grad for parameter in unit.parameters()):
        return False
    loose = [module for module in unit.modules() if id(module) not in resting]
    return not any(_may_change(module) for module in loose)


def _may_change(module: nn.Module) -> bool:
    """Whether a module outside the frozen ones gives something else in training."""
    noisy = isinstance(module, _CHANGING) or type(module).__name__ == "StochasticDepth"
    return noisy or any(True for _ in module.parameters(recurse=False))


def stored_dtype(precision: str) -> torch.dtype:
    """How maps are kept: as bf16 computes them, without loss; else as fp16."""
    return torch.bfloat16 if precision == "bf16" else torch.float16


@torch.no_grad()
def run_units(steps: Sequence[Unit], maps: Tensor, device: Device, precision: str) -> Tensor:
    """`maps` after the given units, in the stored format and, with height and width, in
    channels-last layout.

    Each unit's output is rounded to that format before the next: so it makes no difference, to the
    bit, from which of the earlier units' stored maps one goes on.
    """
    dtype = stored_dtype(precision)
    for _, unit in steps:
        was = unit.training
        unit.eval()
        with autocast(device, precision):
            given = maps.float() if precision == "fp32" else maps
            maps = unit(given.clone() if given is maps else given).to(dtype)
        unit.train(was)
        if maps.ndim == 4:
            maps = maps.contiguous(memory_format=torch.channels_last)
    return maps


def digests(steps: Sequence[Unit], base: bytes) -> list[str]:
    """For each length of the prefix from 1 on, a digest of `base` and of all units so far: their
    names, how they are built and their weights."""
    found, digest = [], hashlib.sha256(base)
    for name, unit in steps:
        digest.update(f"{name}\0{unit!r}\0".encode())
        for key, value in sorted(unit.state_dict().items()):
            plain = value.detach().cpu().contiguous()
            digest.update(f"{key}{tuple(plain.shape)}{plain.dtype}\0".encode())
            digest.update(plain.view(-1).view(torch.uint8).numpy().tobytes())
        found.append(digest.copy().hexdigest()[:32])
    return found
