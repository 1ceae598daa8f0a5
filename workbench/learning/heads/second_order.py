"""Shared operations of second-order heads: channel products and normalisation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

ROOT_EPSILON = 1e-5
LENGTH_EPSILON = 1e-6


def products(one: Tensor, other: Tensor) -> Tensor:
    """A Bᵀ / (h · w): N × n × h × w and N × m × h × w maps -> N × n × m, in at least float32 even
    under autocast."""
    with full_precision(one):
        a, b = (single(x).flatten(2) for x in (one, other))
        product: Tensor = a @ b.transpose(1, 2) / a.shape[2]
        return product


@contextlib.contextmanager
def full_precision(x: Tensor) -> Iterator[None]:
    """Disable autocast on the device of `x`."""
    kind = x.device.type
    if not torch.is_autocast_enabled(kind):
        yield
        return
    with torch.autocast(kind, enabled=False):
        yield


def single(x: Tensor) -> Tensor:
    """Cast `x` to float32; float64 is unchanged."""
    return x if x.dtype == torch.float64 else x.float()


def signed_sqrt(x: Tensor) -> Tensor:
    """sign(x) √|x|, computed as x / √(|x| + ε) with ε = 1e-5, which bounds the gradient near 0 by 1
    / √ε = 316."""
    return x / (x.abs() + ROOT_EPSILON).sqrt()


def unit(x: Tensor) -> Tensor:
    """L2-normalise N × D vectors: x / √(‖x‖² + 1e-6)."""
    length = x.square().sum(dim=1, keepdim=True)
    return x / (length + LENGTH_EPSILON).sqrt()


def reduce_channels(channels: int, most: int) -> tuple[nn.Module, int]:
    """1×1 convolution from `channels` to `most` channels (identity if there are no more), and the
    number of output channels."""
    if channels <= most:
        return nn.Identity(), channels
    return nn.Conv2d(channels, most, 1, bias=False), most
