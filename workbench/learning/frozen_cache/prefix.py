"""Split a network into a frozen prefix, whose outputs never change, and a trained tail."""

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
    """The frozen prefix as `steps`, unit by unit from shallow to deep, and the `tail`.

    `tail` shares the network's modules: applied to the prefix's output, it gives the network's
    output.
    """

    steps: tuple[Unit, ...]
    tail: Network


def units(body: nn.Module, path: str = "") -> Iterator[Unit]:
    """Yield the modules that a body runs in sequence, by name. Nested Sequentials are flattened;
    any other module is one unit."""
    if not isinstance(body, nn.Sequential) or type(body).forward is not nn.Sequential.forward:
        yield path, body
        return
    for name, module in body.named_children():
        yield from units(module, f"{path}.{name}" if path else name)


def split(network: Network, frozen: Sequence[nn.Module]) -> Split | None:
    """Split after the last unit that cannot change; None if there is no such unit with parameters.

    `frozen` are the modules kept in evaluation mode. A unit belongs to the prefix if nothing in it
    learns or is stochastic. Parameter-free units after a frozen stage, such as pooling, belong to
    the prefix too, which makes the features smaller.
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
    """Whether a module outside the frozen ones behaves differently in training."""
    noisy = isinstance(module, _CHANGING) or type(module).__name__ == "StochasticDepth"
    return noisy or any(True for _ in module.parameters(recurse=False))


def stored_dtype(precision: str) -> torch.dtype:
    """Storage format of features: bf16 for bf16 (lossless), fp16 otherwise."""
    return torch.bfloat16 if precision == "bf16" else torch.float16


@torch.no_grad()
def run_units(steps: Sequence[Unit], maps: Tensor, device: Device, precision: str) -> Tensor:
    """Apply units to `maps`; the result is in the stored format and, for maps, in channels-last
    layout.

    Each unit's output is rounded to the stored format before the next unit, so resuming from any
    stored prefix gives bit-identical results.
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
    """For each prefix length ≥ 1, a digest of `base` and the names, structure and weights of its
    units."""
    found, digest = [], hashlib.sha256(base)
    for name, unit in steps:
        digest.update(f"{name}\0{unit!r}\0".encode())
        for key, value in sorted(unit.state_dict().items()):
            plain = value.detach().cpu().contiguous()
            digest.update(f"{key}{tuple(plain.shape)}{plain.dtype}\0".encode())
            digest.update(plain.view(-1).view(torch.uint8).numpy().tobytes())
        found.append(digest.copy().hexdigest()[:32])
    return found
