"""The classifier that start weights bring along: what they say of their own, source classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

OWN = "head.target"  # of a run of this program; else torchvision's last layer


def source_head(
    start: Mapping[str, Tensor], body_keys: Collection[str], features: int
) -> nn.Linear | None:
    """The last layer of a weights file as a linear layer on pooled features; None without one.

    `start` are the file's tensors, `body_keys` the names that belong to the backbone. SqueezeNet's
    1×1 convolution before the pooling equals a linear layer after it, save for the ReLU between
    them, which is left out: it would hide by how much a class is not meant.
    """
    names = [key.removesuffix(".weight") for key in start if key.endswith(".weight")]
    for name in (OWN, *reversed(names)):
        weight = start.get(f"{name}.weight")
        if weight is None or f"{name}.weight" in body_keys or weight.ndim not in (2, 4):
            continue
        flat = weight.flatten(1)
        if flat.shape[1] != features:
            continue
        layer = nn.Linear(features, len(flat))
        with torch.no_grad():
            layer.weight.copy_(flat)
            layer.bias.copy_(start.get(f"{name}.bias", torch.zeros(len(flat))))
        return layer
    return None
