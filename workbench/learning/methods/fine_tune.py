"""Fine-tuning: train every stage that is not frozen, from the start weights."""

from __future__ import annotations

from torch import Tensor

from workbench.domain.methods import Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import METHODS, Batch, Method, Setup
from workbench.learning.methods.terms import LabelLoss
from workbench.learning.networks.models import Network


@METHODS.register
class FineTune(Method):
    """Scores of B × 3 × H × W images and the loss of their labels."""

    spec = Spec(
        name="fine-tune",
        kind="method",
        title=mark("Fine-tuning"),
        description=mark("Trains from the start weights, the head faster than the rest."),
        source="Yosinski et al. 2014, How transferable are features in deep neural networks?",
    )

    supports_cache = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.label_loss = LabelLoss(setup)

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        scores = network(batch.images)
        return self.label_loss(network, scores, batch), scores
