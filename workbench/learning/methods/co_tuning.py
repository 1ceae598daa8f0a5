"""Co-Tuning: also train the source classifier, on source classes related to each target label."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.domain.errors import KnownError
from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import Message, mark
from workbench.learning.methods.base import METHODS, Batch, InitialState, Method, Setup, remember
from workbench.learning.methods.terms import LabelLoss
from workbench.learning.networks.models import Network
from workbench.learning.networks.probe import feature_count, linear_probe, pooled
from workbench.learning.networks.weights import source_head
from workbench.learning.protocol.reporting import Preparation

FOLDS = 5  # of the training images, to judge what other images predict
MOST = 1000  # images that a temperature is fitted to
COARSE = range(-4, 4)  # powers of two times the logits' standard deviation
DECAYS = (1e-6, 1e-5, 1e-4, 1e-3)
NO_PREPARATION = Preparation()


@METHODS.register
class CoTuning(Method):
    """Loss = −log P(y_t|x) + λ · −Σ_s P(s|y_t) log P_s(s|x), with the trained source head P_s and
    the relation P(s|y_t) of target labels to source classes.

    P_s is the softmax of the source logits at temperature T. The paper calibrates T by the
    likelihood of source labels; source images are not available here, so `fit_temperature` uses the
    likelihood of target labels that a relation of other images predicts. Where the logits' standard
    deviation σ is above T and 1, the term counts T / σ, which limits its gradient to that of
    logits / σ: with heads of long weight rows, such as SqueezeNet's, it would dominate the
    target's, and training would diverge.

    "direct" uses the mean source prediction of y_t's training images as P(s|y_t); "reverse" fits
    P(y_t|s) by logistic regression on the source predictions and inverts it with Bayes' rule, P(s)
    being the mean source prediction. Both compute with logarithms: most of the source
    probabilities are too small for float32. Images without a label do not contribute.
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
            remember(self.extra, "share", torch.ones(()))

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
            for batch in initial.batches(Message("Relating labels to source classes")):
                found.append(self.source(pooled(initial.network.body(batch.images))).float())
                labels.append(batch.targets)
        logits, targets = torch.cat(found), torch.cat(labels)
        temperature = fit_temperature(logits, targets, self._classes, initial.work)
        logs = (logits / temperature).log_softmax(1)
        if self.options["relation"] == "direct":
            relation = direct(logs, targets, self._classes)
        else:
            relation = reverse(logs, targets, self._classes, initial.work)
        remember(self.extra, "relation", relation.exp())
        remember(self.extra, "temperature", torch.tensor(temperature))
        remember(self.extra, "share", (temperature / logits.std().clamp(min=1)).clamp(max=1))

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
        share = self.extra.get_buffer("share")
        term = -share * (wanted * log_predicted).sum(1) * known
        return loss + self.number("strength") * term.sum() / len(term), scores


def fit_temperature(
    logits: Tensor, labels: Tensor, classes: int, work: Preparation = NO_PREPARATION
) -> float:
    """Temperature of N × S source logits at which they best predict N held-out labels.

    For each fold of the images, the others give P(s|y), and with Bayes' rule, all labels being
    equally likely, P(y|x) = Σ_s P(y|s) P_s(s|x) for its images. The temperature with the highest
    likelihood is searched among powers of two times the logits' standard deviation, then more
    finely. 1 if no label has two images.
    """
    turn = _turns(labels)
    counts = torch.bincount(labels.clamp(min=0), (labels >= 0).double(), minlength=classes)
    rows = torch.nonzero((labels >= 0) & (counts[labels.clamp(min=0)] > 1))[:, 0]
    if not len(rows):
        return 1.0
    rows = rows[turn[rows] < max(2, MOST // int((counts > 1).sum()))]
    logits, labels, fold = logits[rows], labels[rows], turn[rows] % FOLDS
    unit = float(logits.std().clamp(min=1e-6))

    def surprise(power: float) -> float:
        logs = (logits / (unit * 2**power)).log_softmax(1)
        each = [_surprise(logs, labels, fold == at, classes) for at in range(FOLDS)]
        return float(torch.cat(each).mean())

    best: dict[float, float] = {}
    rounds = [[float(power) for power in COARSE], [-0.5, 0.5], [-0.25, 0.25]]
    text = Message("Fitting the temperature of the source classifier")
    for powers in work.each(rounds, len(rounds), text):
        centre = min(best, key=best.__getitem__) if best else 0.0
        for power in powers:
            work.check()
            best[centre + power] = surprise(centre + power)
    return unit * 2 ** min(best, key=best.__getitem__)


def _turns(labels: Tensor) -> Tensor:
    """For each image, the number of earlier images with its label."""
    turn = torch.zeros_like(labels)
    for label in set(labels.tolist()):
        mine = labels == label
        turn[mine] = torch.arange(int(mine.sum()), device=labels.device)
    return turn


def _surprise(logs: Tensor, labels: Tensor, held: Tensor, classes: int) -> Tensor:
    """−log P(y|x) of the `held` images, by the relation of the others; labels that these others
    lack are left out."""
    known = torch.bincount(labels[~held], minlength=classes) > 0
    relation = direct(logs[~held], labels[~held], classes)
    of_source = torch.where(known[:, None], relation, -torch.inf).log_softmax(0)
    judged = held & known[labels]
    return -torch.logsumexp(logs[judged] + of_source[labels[judged]], dim=1)


def direct(logs: Tensor, labels: Tensor, classes: int) -> Tensor:
    """log P(s|y): mean of the predictions, given as N × S logarithms, per label, C × S; uniform for
    labels without images."""
    relation = torch.full((classes, logs.shape[1]), -math.log(logs.shape[1]), device=logs.device)
    for label in set(labels[labels >= 0].tolist()):
        own = logs[labels == label]
        relation[label] = torch.logsumexp(own, dim=0) - math.log(len(own))
    return relation


def reverse(
    logs: Tensor, labels: Tensor, classes: int, work: Preparation = NO_PREPARATION
) -> Tensor:
    """log P(s|y), C × S, from P(s|y) ∝ P(y|s) · P(s): P(y|s) is what a logistic regression on the
    predictions, given as N × S logarithms, answers for the certain prediction of s.

    Predictions are not scaled: source classes that no image shows must stay neutral. The decay is
    the one with the highest likelihood of held-out labels.
    """
    known = labels >= 0
    predictions, labels = logs[known].exp(), labels[known]
    turn = _turns(labels)
    every = min(FOLDS, int(turn.max()) + 1)
    held = turn % every == every - 1 if every > 1 else torch.zeros_like(known)

    def fitted(rows: Tensor, decay: float) -> nn.Linear:
        chosen, own = predictions[rows], labels[rows]
        return linear_probe(chosen, own, classes, decay, scale=False, check=work.check)

    losses: dict[float, float] = {}
    text = Message("Relating source classes to labels")
    for decay in work.each(DECAYS if held.any() else (), len(DECAYS), text):
        scores = fitted(~held, decay)(predictions[held])
        losses[decay] = float(F.cross_entropy(scores, labels[held]))
    best = min(losses, key=losses.__getitem__, default=DECAYS[-1])
    probe = fitted(torch.ones_like(held), best)
    of_label = (probe.weight + probe.bias[:, None]).log_softmax(0)  # C × S, log P(y|s)
    of_source = torch.logsumexp(logs[known], dim=0) - math.log(len(predictions))
    joint: Tensor = of_label + of_source
    return joint.log_softmax(1)
