"""What heads of second order share: products of channels, and how their vector is normalised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

ROOT_EPSILON = 1e-5
LENGTH_EPSILON = 1e-6


def products(one: Tensor, other: Tensor) -> Tensor:
    """N × n × h × w and N × m × h × w maps -> N × n × m: A Bᵀ / (h · w), at least in single
    precision also where a training runs in half."""
    with unhalved(one):
        a, b = (single(x).flatten(2) for x in (one, other))
        product: Tensor = a @ b.transpose(1, 2) / a.shape[2]
        return product


@contextlib.contextmanager
def unhalved(x: Tensor) -> Iterator[None]:
    """Here nothing is computed in half precision on the device of `x`, also where a training is."""
    kind = x.device.type
    if not torch.is_autocast_enabled(kind):
        yield
        return
    with torch.autocast(kind, enabled=False):
        yield


def single(x: Tensor) -> Tensor:
    """`x` at least in single precision."""
    return x if x.dtype == torch.float64 else x.float()


def signed_root(x: Tensor) -> Tensor:
    """sign(x) √|x|, taken as x / √(|x| + ε) with ε = 1e-5: the same but near 0, where it stays
    smooth and its slope ends at 1 / √ε = 316 instead of growing without bound."""
    return x / (x.abs() + ROOT_EPSILON).sqrt()


def unit(x: Tensor) -> Tensor:
    """N × D vectors divided by √(‖x‖² + 1e-6), their length but for vectors of hardly any."""
    length = x.square().sum(dim=1, keepdim=True)
    return x / (length + LENGTH_EPSILON).sqrt()


def narrowed(channels: int, most: int) -> tuple[nn.Module, int]:
    """A 1×1 convolution from `channels` to `most` where there are more, and how many it gives."""
    if channels <= most:
        return nn.Identity(), channels
    return nn.Conv2d(channels, most, 1, bias=False), most
