"""MixUp and CutMix: images of a batch blended in pairs, drawn from torch's random state."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.learning.methods import Batch


def mixed(batch: Batch, recipe: Recipe) -> Batch:
    """`batch` blended as the recipe says; what is drawn follows from torch's random state alone.

    "mixup": x = λ·x_i + (1 − λ)·x_j, one λ ~ Beta(α, α) per image (Zhang et al. 2018, "mixup:
    beyond empirical risk minimization"). "cutmix": a rectangle of the area 1 − λ, of the image's
    own proportions and cut off at its border, is taken from x_j; the share is what is left of x_i
    (Yun et al. 2019, "CutMix"). λ ≥ 1/2, since j and i are drawn alike.
    """
    count = len(batch.targets)
    if recipe.mix == "none" or count < 2:
        return batch
    alpha = torch.tensor(recipe.mix_alpha)
    drawn = torch.distributions.Beta(alpha, alpha).sample((count,))
    share = torch.maximum(drawn, 1 - drawn)
    partner = torch.randperm(count)
    if recipe.mix == "mixup":
        keep = share.view(-1, 1, 1, 1).to(batch.images.device)
    else:
        keep = _kept(share, batch.images.shape[2], batch.images.shape[3])
        share = keep.mean(dim=(1, 2, 3))
        keep = keep.to(batch.images.device)
    partner, share = partner.to(batch.images.device), share.to(batch.images.device)
    images = batch.images * keep + batch.images[partner] * (1 - keep)
    return replace(batch, images=images, partner=partner, share=share)


def _kept(share: Tensor, height: int, width: int) -> Tensor:
    """B × 1 × H × W: 1 where the image keeps its own pixels, 0 inside the pasted rectangle."""
    side = torch.sqrt(1 - share)
    middle = torch.rand(len(share), 2)
    inside = torch.ones(len(share), height, width, dtype=torch.bool)
    for axis, length in ((1, height), (2, width)):
        half = side * length / 2
        centre = middle[:, axis - 1] * length
        low, high = (centre - half).round(), (centre + half).round()
        at = torch.arange(length)
        within = (at >= low[:, None]) & (at < high[:, None])
        inside &= within[:, :, None] if axis == 1 else within[:, None, :]
    return 1 - inside[:, None].float()
