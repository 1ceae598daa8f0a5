"""SE-ResNet-50, which torchvision does not provide, built on its ResNet."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from workbench.learning.networks.backbones import BackboneParts, of_resnet
from workbench.learning.networks.tv import models

REDUCTION = 16


class Squeeze(nn.Module):
    """Squeeze-and-excitation: scale each channel by s = σ(W₂ ReLU(W₁ z)), z its mean over H × W
    (Hu, Shen and Sun 2018, "Squeeze-and-excitation networks"). W₁ has F / 16 outputs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // REDUCTION, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu())
        return x * weights.sigmoid()


class SqueezedBottleneck(models.resnet.Bottleneck):  # type: ignore[misc]
    """ResNet-50 bottleneck with squeeze-and-excitation on the residual."""

    def __init__(self, inplanes: int, planes: int, *others: Any, **more: Any) -> None:
        super().__init__(inplanes, planes, *others, **more)
        self.se = Squeeze(planes * self.expansion)

    def forward(self, x: Tensor) -> Tensor:
        """Output of the block, N × C × H × W, with the residual rescaled by channel."""
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.se(self.bn3(self.conv3(out)))
        total: Tensor = self.relu(out + identity)
        return total


def build_se_resnet(_name: str) -> BackboneParts:
    """SE-ResNet-50 with torchvision's names of ResNet-50; the weights added to each block are
    se.fc1 and se.fc2, as in other libraries."""
    return of_resnet(models.resnet.ResNet(SqueezedBottleneck, [3, 4, 6, 3]))
