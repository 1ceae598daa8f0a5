"""Fine-tuning: cross-entropy of the target's labels and, with the joint head, of the views."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.domain.runs import RunLabels
from workbench.learning.methods.base import Batch, register
from workbench.learning.models import Network


@register("fine-tune")
class FineTune:
    """Loss = mean of −log P(y|x), plus `view_weight` × mean of −log P(v|x) and `tie` × R with the
    joint head (Wang, Yao, Yang and Xue 2019). An image without a label adds nothing to that term.
    """

    def __init__(self, recipe: Recipe, labels: RunLabels, class_weights: Tensor | None) -> None:
        self._classes = len(labels.target.labels)
        self._joint = labels.view is not None
        self._weights = class_weights
        self._smoothing = recipe.label_smoothing
        self._view_weight = recipe.view_weight
        self._tie = recipe.tie

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        scores = network(batch.images)
        loss = self._term(scores[:, : self._classes], batch.targets, self._weights)
        if self._joint:
            views = self._term(scores[:, self._classes :], batch.views, None)
            loss = loss + self._view_weight * views
        tie = network.head.tie() if self._tie else None
        return (loss if tie is None else loss + self._tie * tie), scores

    def _term(self, scores: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        total = F.cross_entropy(
            scores,
            labels,
            weight=weights,
            ignore_index=-1,
            reduction="sum",
            label_smoothing=self._smoothing,
        )
        return total / len(labels)
