"""The micro network: a Siamese network small enough to learn from a few images of each domain."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

FEATURES = 64
MARGIN = 1.0
_WIDTHS = ((3, 48, 32, 32), (32, 64, 64, FEATURES))


class MicroNetwork(nn.Module):
    """Two MLPconv blocks and global average pooling: N × 3 × H × W -> N × FEATURES, none below 0.

    A block is a k × k convolution and two of 1 × 1, a ReLU after each (Lin, Chen and Yan 2014,
    "Network in network"); a max pooling halves the map between the blocks. Both images of a pair go
    through the same weights (Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro
    datasets").
    """

    def __init__(self, kernel: int = 5) -> None:
        super().__init__()
        blocks = [_mlpconv(widths, kernel) for widths in _WIDTHS]
        self.layers = nn.Sequential(blocks[0], nn.MaxPool2d(3, 2, 1), blocks[1])

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.layers(images).mean(dim=(2, 3)))


def _mlpconv(widths: tuple[int, int, int, int], kernel: int) -> nn.Sequential:
    given, wide, middle, out = widths
    layers = (
        nn.Conv2d(given, wide, kernel, stride=2, padding=kernel // 2),
        nn.Conv2d(wide, middle, 1),
        nn.Conv2d(middle, out, 1),
    )
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(cast(Tensor, layer.bias))
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))


def energy(one: Tensor, two: Tensor) -> Tensor:
    """E(X_S, X_T) = ‖G(X_S) − G(X_T)‖ of N pairs of embeddings; its gradient at 0 is 0."""
    squared = (one - two).square().sum(dim=1)
    return torch.where(squared > 0, squared, 1.0).sqrt() * (squared > 0)


def pair_loss(energies: Tensor, different: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean of L_P = E² over pairs of the same kind (`different` 0) and of L_N = max(0, margin − E)²
    over the others (1): the first rises with the energy, the second falls, so that
    E(positive) + e < E(negative) is what is learned."""
    alike = energies.square()
    apart = (margin - energies).clamp(min=0).square()
    return torch.where(different.bool(), apart, alike).mean()
