"""CNN-RNN: predict an image's labels one after another, each conditioned on the previous ones."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.domain.errors import KnownError
from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import Message, mark
from workbench.learning.heads import ClassHead
from workbench.learning.methods.base import (
    METHODS,
    Batch,
    InitialState,
    Method,
    Options,
    Setup,
    remember,
)
from workbench.learning.networks.models import Network

MASKED_SCORE = -1e4  # for labels already predicted; finite, to avoid NaN
PROBABILITY_EPSILON = 1e-6  # keeps logits finite


class Decoder(nn.Module):
    """LSTM decoder: features φ (B × D) and per-label logits (B × C) -> label sequence.

    o_t = LSTM(U_l e_{t−1}), x_t = ReLU(U_o o_t + U_I φ); step t scores U_lᵀ x_t with the label
    embedding U_l shared with the input. An end token follows the C labels. Unlike the paper, step
    scores include the head's logits (`evidence`), so that linear and second-order heads contribute;
    no label is predicted twice.
    """

    rank: Tensor  # of each label, 0 the most frequent

    def __init__(self, features: int, classes: int, width: int, state: int) -> None:
        super().__init__()
        self.labels = nn.Embedding(classes + 1, width)  # the last is what comes before the first
        self.cell = nn.LSTMCell(width, state)
        self.of_state = nn.Linear(state, width)
        self.of_image = nn.Linear(features, width)
        self.end = nn.Linear(width, 1)
        self.register_buffer("rank", torch.arange(classes))

    def steps(self, features: Tensor, evidence: Tensor, forced: Tensor | None) -> Iterator[Tensor]:
        """Yield B × (C + 1) log-probabilities of each step, the end token last. `forced` (B × T)
        are teacher-forced labels, padded with C; None uses the most likely labels."""
        count, classes = evidence.shape
        image = self.of_image(features)
        label = torch.full((count,), classes, device=evidence.device)
        state = None
        used = torch.zeros(count, classes + 1, device=evidence.device)
        for at in range(classes if forced is None else forced.shape[1]):
            state = self.cell(self.labels(label), state)
            x = F.relu(self.of_state(state[0]) + image)
            scores = x @ self.labels.weight[:classes].T + evidence
            both = torch.cat((scores, self.end(x)), dim=1)
            log = (both + used * MASKED_SCORE).log_softmax(dim=1)
            yield log
            label = log[:, :classes].argmax(dim=1) if forced is None else forced[:, at]
            used = used.scatter(1, label[:, None], 1.0)
            used = torch.cat((used[:, :classes], torch.zeros_like(used[:, :1])), dim=1)

    def forward(self, features: Tensor, evidence: Tensor) -> Tensor:
        """B × C logits: each label's highest probability over the steps before the end, with greedy
        decoding."""
        classes = evidence.shape[1]
        best = torch.zeros_like(evidence)
        active = torch.ones_like(evidence[:, :1])
        for log in self.steps(features, evidence, None):
            best = torch.maximum(best, active * log[:, :classes].exp())
            active = active * (log.argmax(dim=1, keepdim=True) != classes)
        return best.clamp(PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON).logit()

    def order(self, marks: Tensor) -> Tensor:
        """B × C marks -> B × (n + 1): labels of each image, most frequent first, padded with C; n
        is the highest number of labels."""
        classes = marks.shape[1]
        keys = torch.where(marks > 0, self.rank, classes)
        ranked = keys.sort(dim=1).values[:, : int(marks.sum(dim=1).max()) + 1]
        by_rank = torch.argsort(self.rank)
        ranked = F.pad(ranked, (0, 1), value=classes)[:, : int(marks.sum(dim=1).max()) + 1]
        return torch.where(ranked < classes, by_rank[ranked.clamp(max=classes - 1)], classes)


class SequenceNetwork(Network):
    """A network with a decoder on its head's features and logits."""

    def __init__(self, network: Network, width: int, state: int) -> None:
        if not isinstance(network.head, ClassHead):
            raise KnownError(
                "CNN-RNN supports a single label set.", "Choose a target without the views."
            )
        super().__init__(network.body, network.head)
        features, classes = network.head.transform.width, network.head.target.out_features
        self.head.decoder = Decoder(features, classes, width, state)

    @property
    def decoder(self) -> Decoder:
        """The recurrent decoder, which is part of the head."""
        found = self.head.get_submodule("decoder")  # there it learns and is kept with the head
        assert isinstance(found, Decoder)
        return found

    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features B × D and logits B × C of images."""
        assert isinstance(self.head, ClassHead)
        features = self.head.transform(self.body(images)).float()
        return features, self.head.target(features).float()

    def forward(self, images: Tensor) -> Tensor:
        features, evidence = self.seen(images)
        with torch.autocast(images.device.type, enabled=False):
            logits: Tensor = self.decoder(features, evidence)
        return logits


@METHODS.register
class CnnRnn(Method):
    """Loss: mean over an image's steps of −log P(label), with labels ordered by their frequency
    among the training images, followed by the end token."""

    spec = Spec(
        name="cnn-rnn",
        kind="method",
        title=mark("CNN-RNN"),
        description=mark(
            "Predicts an image's labels one after another, using which labels occur together."
        ),
        source="Wang et al. 2016, CNN-RNN: a unified framework for multi-label classification",
        parameters=(
            Parameter(
                name="width", default=64, low=1, description=mark("size of a label's embedding")
            ),
            Parameter(
                name="state", default=128, low=1, description=mark("size of the recurrent state")
            ),
        ),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        if setup.recipe.mix != "none":
            raise KnownError("CNN-RNN does not support mixed images.", 'Set mix="none".')

    @classmethod
    def wrap(cls, network: Network, name: str, options: Options) -> Network:
        return SequenceNetwork(network, int(options["width"]), int(options["state"]))

    def begin(self, initial: InitialState) -> None:
        network = initial.network
        assert isinstance(network, SequenceNetwork)
        classes = len(network.decoder.rank)
        batches = initial.batches(Message("Counting labels"))
        counts = sum(marks_in(batch, classes).sum(dim=0) for batch in batches)
        assert isinstance(counts, Tensor)
        rank = torch.argsort(torch.argsort(counts, descending=True, stable=True))
        remember(network.decoder, "rank", rank)

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        assert isinstance(network, SequenceNetwork)
        features, evidence = network.seen(batch.images)
        decoder, classes = network.decoder, evidence.shape[1]
        with torch.autocast(batch.images.device.type, enabled=False):
            wanted = decoder.order(marks_in(batch, classes))
            logs = torch.stack(list(decoder.steps(features, evidence, wanted)), dim=1)
        own = -logs.gather(2, wanted[:, :, None])[:, :, 0]
        last = (wanted == classes).float().cumsum(dim=1) > 1  # after the end token
        steps = (~last).float()
        each = (own * steps).sum(dim=1) / steps.sum(dim=1)
        best = logs[:, :, :classes].masked_fill(last[:, :, None], MASKED_SCORE).amax(dim=1)
        return each.mean(), best


def marks_in(batch: Batch, classes: int) -> Tensor:
    """Labels of a batch's images, B × C; one-hot for exclusive labels."""
    if batch.marks is not None:
        return batch.marks
    known = (batch.targets >= 0)[:, None]
    return F.one_hot(batch.targets.clamp(min=0), classes).float() * known
