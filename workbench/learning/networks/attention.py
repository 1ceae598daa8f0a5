"""Attention masks from the strongest channels of a feature map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.methods import Value
from workbench.domain.requests import ATTENTION, PART
from workbench.learning.heads import ClassHead, JointHead
from workbench.learning.heads.parts import Parts
from workbench.learning.networks.models import Network

CHANNELS = 32  # default number of channels in the mask
EPSILON = 1e-6
WHOLE_BODY = "body"


def attention(maps: Tensor, channels: int) -> Tensor:
    """Attention masks in [0, 1]: N × F × h × w maps -> N × h × w.

    q_i = mean of ReLU(X_i), w_i = q_i / Σ_j √q_j; the weighted sum Σ w_i X_i over the `channels`
    channels of highest w is rescaled to [0, 1] (AT-CNN). Constant maps give 0.
    """
    lit = maps.float().relu()
    mean = lit.mean((2, 3))
    weights = mean / (mean.sqrt().sum(dim=1, keepdim=True) + EPSILON)
    chosen, which = weights.topk(min(channels, weights.shape[1]), dim=1)
    strongest = lit.gather(1, which[:, :, None, None].expand(-1, -1, *lit.shape[2:]))
    mask = (chosen[:, :, None, None] * strongest).sum(dim=1)
    lowest, highest = mask.amin((1, 2), keepdim=True), mask.amax((1, 2), keepdim=True)
    return (mask - lowest) / (highest - lowest).clamp(min=EPSILON)


def masked(images: Tensor, mask: Tensor) -> Tensor:
    """Multiply N × 3 × H × W images by N × h × w masks, resized bilinearly. Masked pixels of
    normalised images fade to the mean colour."""
    large = F.interpolate(mask[:, None], images.shape[2:], mode="bilinear", align_corners=False)
    return images * large.to(images.dtype)


def map_layer(network: Network, layers: Sequence[str]) -> str:
    """Name of the module that outputs the last feature map: the whole body for a map-based head,
    otherwise the deepest of the explainable `layers`."""
    head = network.head
    if isinstance(head, ClassHead | JointHead) and head.transform.needs_maps:
        return WHOLE_BODY
    return layers[-1]


class OutputCapture:
    """Context manager that captures the last output of a module."""

    def __init__(self, network: nn.Module, name: str) -> None:
        self._module = network.get_submodule(name)
        self.output = torch.empty(0)

    def __enter__(self) -> OutputCapture:
        self._hook = self._module.register_forward_hook(self._keep)
        return self

    def _keep(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        self.output = output

    def __exit__(self, *_exception: object) -> None:
        self._hook.remove()


def masks_of(network: Network, layers: Sequence[str]) -> tuple[str, ...]:
    """Names of the masks a network offers: attention, and its parts."""
    if not layers:
        return ()
    transform = getattr(network.head, "transform", None)
    parts = transform.parts if isinstance(transform, Parts) else 0
    return (ATTENTION, *(f"{PART}{number}" for number in range(1, parts + 1)))


@torch.no_grad()
def mask_maps(
    network: Network, name: str, layer: str, inputs: Tensor, options: Mapping[str, Value]
) -> NDArray[np.float32]:
    """Maps of the mask `name` for N × 3 × H × W images, N × h × w. `layer` outputs the last feature
    map; `options` are the method's."""
    with OutputCapture(network, layer) as watch:
        network(inputs)
    if name == ATTENTION:
        found = attention(watch.output, int(options.get("channels", CHANNELS)))
    else:
        parts = network.head.transform
        assert isinstance(parts, Parts)
        found = parts.attention(watch.output)[:, int(name.removeprefix(PART)) - 1]
    return cast(NDArray[np.float32], found.float().cpu().numpy())
