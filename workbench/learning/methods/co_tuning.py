"""Co-Tuning: also train the source classifier, on source classes related to each target label."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import METHODS, Batch, InitialState, Method, Setup, remember
from workbench.learning.methods.terms import LabelLoss
from workbench.learning.networks.models import Network
from workbench.learning.networks.probe import feature_count, linear_probe, pooled
from workbench.learning.networks.weights import source_head


@METHODS.register
class CoTuning(Method):
    """Loss = −log P(y_t|x) + λ · −Σ_s P(s|y_t) log P_s(s|x), with the trained source head P_s and
    the relation P(s|y_t) of target labels to source classes.

    P_s is the softmax of the source logits at temperature T. The paper calibrates T on source
    images, which are not available here: T is the standard deviation of the source logits on the
    training images, at least 1. Without it, heads with long weight rows, such as SqueezeNet's,
    dominate the target's gradient and training diverges.

    "direct" uses the mean source prediction of y_t's training images as P(s|y_t); "reverse" fits
    P(y_t|s) by logistic regression on the source predictions and inverts it with Bayes' rule, P(s)
    being the mean source prediction. Images without a label do not contribute.
    """

    spec = Spec(
        name="co-tuning",
        kind="method",
        title=mark("Co-Tuning"),
        description=mark(
            "Also trains the source classifier, on source classes related to each label."
        ),
        source="You et al. 2020, Co-Tuning for transfer learning",
        parameters=(
            Parameter(
                name="strength",
                default=1.0,
                low=0.0,
                description=mark("weight of the source term, λ"),
            ),
            Parameter(
                name="relation",
                default="direct",
                choices=("direct", "reverse"),
                description=mark("relation of labels to source classes"),
            ),
        ),
        needs=("start", "source head", "one label"),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.label_loss = LabelLoss(setup)
        self._classes = len(setup.labels.target.labels)
        body = setup.network.body.state_dict()
        features = feature_count(setup.network, setup.recipe.image_size)
        self.source = source_head(setup.start(), body.keys(), features)
        if self.source is not None:
            self.extra.source = self.source
            count = self.source.out_features
            remember(self.extra, "relation", torch.full((self._classes, count), 1 / count))
            remember(self.extra, "temperature", torch.ones(()))

    def begin(self, initial: InitialState) -> None:
        if self.source is None:
            raise KnownError(
                "Co-Tuning needs start weights with their own classifier, on the same features as "
                "the new head.",
                "Start from ImageNet, or from a run that learned other labels; AlexNet and VGG "
                "need the linear head for it.",
            )
        found, labels = [], []
        with torch.no_grad():
            for batch in initial.train():
                found.append(self.source(pooled(initial.network.body(batch.images))).float())
                labels.append(batch.targets)
        logits, targets = torch.cat(found), torch.cat(labels)
        temperature = logits.std().clamp(min=1.0)
        relate = direct if self.options["relation"] == "direct" else reverse
        relation = relate((logits / temperature).softmax(1), targets, self._classes)
        remember(self.extra, "relation", relation)
        remember(self.extra, "temperature", temperature)

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        features = network.body(batch.images)
        scores = network.head(features)
        loss = self.label_loss(network, scores, batch)
        if self.source is None:
            return loss, scores
        known = (batch.targets >= 0).float()
        wanted = self.extra.get_buffer("relation")[batch.targets.clamp(min=0)]
        logits = self.source(pooled(features)).float()
        log_predicted = F.log_softmax(logits / self.extra.get_buffer("temperature"), dim=1)
        term = -(wanted * log_predicted).sum(1) * known
        return loss + self.number("strength") * term.sum() / len(term), scores


def direct(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean of N × S source predictions per label, C × S; uniform for labels without images."""
    known = labels >= 0
    chosen = F.one_hot(labels[known], classes).float()
    counts = chosen.sum(0)[:, None]
    mean = chosen.T @ predictions[known] / counts.clamp(min=1)
    even = torch.full_like(mean, 1 / predictions.shape[1])
    return torch.where(counts > 0, mean, even)


def reverse(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """P(s|y) ∝ P(y|s) · P(s), C × S, with P(y|s) from a logistic regression on log predictions."""
    logs = predictions.clamp(min=1e-6).log()
    probe = linear_probe(logs, labels, classes)
    pure = torch.full((predictions.shape[1], predictions.shape[1]), 1e-6)
    pure = pure.fill_diagonal_(1.0).to(predictions.device)
    of_label: Tensor = probe((pure / pure.sum(1, keepdim=True)).log()).softmax(1)  # S × C
    joint = of_label.T * predictions.mean(0)
    turned: Tensor = joint / joint.sum(1, keepdim=True).clamp(min=1e-12)
    return turned
