"""The loss of labels that methods share: cross-entropy or focal, weighted, smoothed, mixed, and
with the joint head that of the views and the tie."""

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
from workbench.learning.images.answers import marks_of
from workbench.learning.images.data import Images
from workbench.learning.methods.base import Batch, Setup
from workbench.learning.networks.models import Network

EPSILON = 1e-6  # keeps the gradient of a fractional power finite where P(y|x) is 1


class LabelLoss:
    """Mean of −log P(y|x), plus `view_weight` × mean of −log P(v|x) and `tie` × R with the joint
    head (Wang, Yao, Yang and Xue 2019). An image without a label adds nothing to that term.

    loss = "focal" weighs each image by (1 − P(y|x))^focal_gamma (Lin et al. 2017, "Focal loss for
    dense object detection"). A mixed image counts for its own label by its share and for its
    partner's by the rest (Zhang et al. 2018, "mixup"). Labels that do not exclude each other are
    each a question of its own, P(y|x) a sigmoid: −[m log P + (1 − m) log(1 − P)], the mean over the
    labels, m being 1 where the image carries the label.
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
        """The loss of B × C (or C + K) scores, a scalar."""
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
    """None, or where the recipe wants it: weights that let every class present count the same, of
    mean 1 over the images; of labels that do not exclude each other, images without over images
    with each."""
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
