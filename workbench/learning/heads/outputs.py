"""Classifiers: linear scores of one label set, or a joint head over views and categories."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.learning.heads.base import Features, Outputs
from workbench.learning.heads.linear import Linear


def _linear(features: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(features, outputs)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


class Head(nn.Module):
    """Base of the classifiers: `transform` maps the body's output to N × D features."""

    def __init__(self, transform: Features | int) -> None:
        super().__init__()
        self.transform = Linear(transform, {}) if isinstance(transform, int) else transform

    def begin(self, given: Outputs) -> None:
        """Initialise the transform from the body's outputs for the train part; called once before
        training."""
        self.transform.begin(given)

    def tie(self) -> Tensor | None:
        """Penalty on the head's weights, or None."""
        return None


class ClassHead(Head):
    """One linear layer: N × D features -> N × classes logits."""

    def __init__(self, transform: Features | int, classes: int) -> None:
        super().__init__(transform)
        self.target = _linear(self.transform.width, classes)

    def for_channels(self, channels: int) -> ClassHead:
        """Create an untrained head of the same kind for a body with another number of channels."""
        return ClassHead(self.transform.for_channels(channels), self.target.out_features)

    def forward(self, given: Tensor) -> Tensor:
        logits: Tensor = self.target(self.transform(given))
        return logits.float()


class JointHead(Head):
    """Category marginalised over views: P(y|x) = Σ_g P(v=g|x) · P(y|v=g, x) (Wang, Yao, Yang and
    Xue 2019, "Deep transfer learning on micro datasets").

    A softmax over K views with weights θ_g and, per view, a softmax over C classes with weights
    θ'_{g,j}, all on the same N × D features. Returns N × (C + K): log P(y|x), then log P(v|x); a
    softmax over either block gives the probabilities.
    """

    def __init__(self, transform: Features | int, classes: int, views: int) -> None:
        super().__init__(transform)
        self.classes = classes
        self.views = views
        self.view = _linear(self.transform.width, views)
        self.within = _linear(self.transform.width, views * classes)

    def for_channels(self, channels: int) -> JointHead:
        """Create an untrained head of the same kind for a body with another number of channels."""
        return JointHead(self.transform.for_channels(channels), self.classes, self.views)

    def forward(self, given: Tensor) -> Tensor:
        features = self.transform(given)
        log_view = self.view(features).float().log_softmax(dim=1)
        within = self.within(features).float().reshape(-1, self.views, self.classes)
        log_class = torch.logsumexp(log_view[:, :, None] + within.log_softmax(dim=2), dim=1)
        return torch.cat((log_class, log_view), dim=1)

    def tie(self) -> Tensor | None:
        """Σ_g Σ_j ‖θ'_{g,j} − θ_g‖² / 2, multiplied by the recipe's σ (`tie`)."""
        within = self.within.weight.reshape(self.views, self.classes, -1)
        return (within - self.view.weight[:, None, :]).square().sum() / 2
