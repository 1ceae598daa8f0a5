"""Dropout whose noise costs little on a CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 1 << 16  # the noise is compared in 16 bits: p is kept to 1/65536


class Dropout(nn.Dropout):
    """torch's dropout; on a CPU its noise comes from a faster generator (SFC64), seeded by one
    draw from torch's, so that the same random state gives the same noise.

    torch draws each Bernoulli variable alone and on one core: an eighth of a training step of
    SqueezeNet, whose dropout covers whole feature maps.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0 or input.device.type != "cpu":
            return super().forward(input)
        seed = int(torch.randint(2**62, ()).item())
        count = input.numel()
        noise = np.random.SFC64(seed).random_raw(-(-count // 4)).view(np.uint16)[:count]
        kept = torch.from_numpy(noise >= round(self.p * LEVELS)).to(input.dtype)
        kept = kept.mul_(1 / (1 - self.p) if self.p < 1 else 0.0)
        dense = torch.empty_like(input)  # in the layout of the input, or multiplying is slow
        return input * kept.as_strided(dense.size(), dense.stride())
