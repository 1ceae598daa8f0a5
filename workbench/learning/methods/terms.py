"""Label loss shared by methods: cross-entropy or focal loss with class weights, label smoothing and
mixing; for the joint head, also the view and tie terms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.domain.runs import LabelList
from workbench.learning.images.data import Images
from workbench.learning.images.label_tensors import marks_of
from workbench.learning.methods.base import Batch, Setup
from workbench.learning.networks.models import Network

EPSILON = 1e-6  # keeps gradients of fractional powers finite at P(y|x) = 1


class LabelLoss:
    """Mean of −log P(y|x); with the joint head plus `view_weight` × mean of −log P(v|x) and `tie` ×
    R (Wang, Yao, Yang and Xue 2019). Images without a label do not contribute to that label's term.

    loss = "focal" multiplies each image's loss by (1 − P(y|x))^focal_gamma (Lin et al. 2017, "Focal
    loss for dense object detection"). Mixed images use their own label with their share and their
    partner's with the rest (Zhang et al. 2018, "mixup"). Labels that are not exclusive use a
    sigmoid each: −[m log P + (1 − m) log(1 − P)], the mean over labels, with m = 1 for the image's
    labels.
    """

    def __init__(self, setup: Setup) -> None:
        recipe = setup.recipe
        self._classes = len(setup.labels.target.labels)
        self._joint = setup.labels.view is not None
        self._weights = setup.class_weights
        self._smoothing = recipe.label_smoothing
        self._gamma = recipe.focal_gamma if recipe.loss == "focal" else 0.0
        self._view_weight = recipe.view_weight
        self._tie = recipe.tie

    def __call__(self, network: Network, scores: Tensor, batch: Batch) -> Tensor:
        """Loss of B × C (or C + K) scores, a scalar."""
        own = scores[:, : self._classes]
        if batch.marks is not None:
            loss = self._mixed(self._marked, own, batch.marks, batch)
        else:
            weighed = partial(self._each, weights=self._weights)
            loss = self._mixed(weighed, own, batch.targets, batch)
        if self._joint:
            views = self._mixed(self._each, scores[:, self._classes :], batch.views, batch)
            loss = loss + self._view_weight * views
        tie = network.head.tie() if self._tie else None
        return loss if tie is None else loss + self._tie * tie

    def _mixed(
        self, each: Callable[[Tensor, Tensor], Tensor], scores: Tensor, labels: Tensor, batch: Batch
    ) -> Tensor:
        if batch.partner is None or batch.share is None:
            return each(scores, labels).sum() / len(labels)
        own = each(scores, labels) * batch.share
        other = each(scores, labels[batch.partner]) * (1 - batch.share)
        return (own + other).sum() / len(labels)

    def _marked(self, scores: Tensor, marks: Tensor) -> Tensor:
        wanted = marks * (1 - self._smoothing) + self._smoothing / 2
        losses = F.binary_cross_entropy_with_logits(
            scores, wanted, pos_weight=self._weights, reduction="none"
        )
        if self._gamma:
            right = torch.where(marks > 0, scores.sigmoid(), 1 - scores.sigmoid())
            losses = torch.pow((1 - right).clamp(min=EPSILON), self._gamma) * losses
        return losses.mean(dim=1)

    def _each(self, scores: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        losses = F.cross_entropy(
            scores,
            labels,
            weight=weights,
            ignore_index=-1,
            reduction="none",
            label_smoothing=self._smoothing,
        )
        if not self._gamma:
            return losses
        own = scores.softmax(dim=1).gather(1, labels.clamp(min=0)[:, None])[:, 0]
        return torch.pow((1 - own).clamp(min=EPSILON), self._gamma) * losses


def class_weights(
    images: Images, rows: NDArray[np.int64], recipe: Recipe, labels: LabelList
) -> Tensor | None:
    """Class weights if the recipe enables them, else None: inversely proportional to class size,
    with mean 1 over the images. For labels that are not exclusive, negative over positive images of
    each label."""
    if recipe.class_weights != "balanced":
        return None
    if not labels.exclusive:
        marks = marks_of([images.samples[row] for row in rows], len(labels.labels))
        carried = torch.from_numpy(marks.sum(axis=0)).float()
        return torch.where(carried > 0, (len(rows) - carried) / carried.clamp(min=1), 1.0)
    known = images.targets[torch.from_numpy(rows)]
    counts = torch.bincount(known[known >= 0], minlength=len(labels.labels)).float()
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp(min=1))
    return torch.where(present, weights, torch.zeros(()))
