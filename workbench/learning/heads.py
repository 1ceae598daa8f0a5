"""Heads: what turns a backbone's features into scores of labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _linear(features: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(features, outputs)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


class ClassHead(nn.Module):
    """One linear layer: N × features -> N × classes logits."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.target = _linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.target(features)
        return logits.float()

    def tie(self) -> Tensor | None:
        """A penalty on the head's own weights; none here."""
        return None


class JointHead(nn.Module):
    """Category through the views: P(y|x) = Σ_g P(v=g|x) · P(y|v=g, x) (Wang, Yao, Yang and Xue
    2019, "Deep transfer learning on micro datasets").

    A softmax over K views with weights θ_g and, for each view, one over C classes with weights
    θ'_{g,j}, all on the same features. Gives N × (C + K): log P(y|x), then log P(v|x); the softmax
    of either block is the probability itself.
    """

    def __init__(self, features: int, classes: int, views: int) -> None:
        super().__init__()
        self.classes = classes
        self.views = views
        self.view = _linear(features, views)
        self.within = _linear(features, views * classes)

    def forward(self, features: Tensor) -> Tensor:
        log_view = self.view(features).float().log_softmax(dim=1)
        within = self.within(features).float().reshape(-1, self.views, self.classes)
        log_class = torch.logsumexp(log_view[:, :, None] + within.log_softmax(dim=2), dim=1)
        return torch.cat((log_class, log_view), dim=1)

    def tie(self) -> Tensor | None:
        """Σ_g Σ_j ‖θ'_{g,j} − θ_g‖² / 2, which the recipe's σ (`tie`) multiplies."""
        within = self.within.weight.reshape(self.views, self.classes, -1)
        return (within - self.view.weight[:, None, :]).square().sum() / 2
