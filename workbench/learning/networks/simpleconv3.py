"""Simpleconv3: the small convolutional network for 48 × 48 mouth crops, learned from scratch."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

SIDE = 6  # of the last feature map at the native input of 48
FEATURES = 128
LEAST_VARIANCE = 0.01  # of a channel in [-1, 1]: flat images stay flat


class Simpleconv3(nn.Module):
    """Three 3×3 convolutions of stride 2 (12, 24, 48 channels, batch norm, ReLU) and two full
    layers of 512 and 128 (Long and You, "Deep learning image recognition", ch. 4).

    Takes N × 3 × H × W, H and W ≥ 32, and gives N × 128 features; inputs other than 48 × 48 are
    averaged down to the same 6 × 6 map. Unlike the source's, it first brings each image's channels
    to mean 0 and variance 1, so that light and its colour matter little: crops are few and lit in
    every way. Labels that differ by colour alone need another backbone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.light = nn.InstanceNorm2d(3, eps=LEAST_VARIANCE)
        self.conv1 = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(24)
        self.conv3 = nn.Conv2d(24, 48, 3, stride=2, padding=1)
        self.bn3 = nn.BatchNorm2d(48)
        self.fc1 = nn.Linear(48 * SIDE * SIDE, 512)
        self.fc2 = nn.Linear(512, FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(self.light(images))))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        if x.shape[-2:] != (SIDE, SIDE):
            x = F.adaptive_avg_pool2d(x, SIDE)
        x = F.relu(self.fc1(x.flatten(1)))
        return F.relu(self.fc2(x))
