"""Sample-based penalty: pull features of the same class together."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import Batch
from workbench.learning.networks.models import Network
from workbench.learning.networks.probe import pooled
from workbench.learning.penalties.base import HEAD_INPUT, PENALTIES, Penalty, Watched


@PENALTIES.register
class SameClass(Penalty):
    """λ · mean over all pairs of different images of one class of ‖φ_i/‖φ_i‖ − φ_j/‖φ_j‖‖².

    Features φ are the head's B × D inputs, L2-normalised so that shrinking all features does not
    reduce the penalty. 0 if the batch has no such pair.
    """

    spec = Spec(
        name="same-class",
        kind="penalty",
        title=mark("Sample-based"),
        description=mark("Pulls the features of images of the same class together."),
        source="Plested and Gedeon 2022, Deep transfer learning for image classification: a survey",
        parameters=(Parameter(name="weight", default=0.1, low=0.0, description=mark("strength")),),
    )
    watched = (HEAD_INPUT,)

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        features = torch.nn.functional.normalize(pooled(watched[HEAD_INPUT]).float(), dim=1)
        if batch.marks is not None:  # images with a common label are of the same class
            same = batch.marks @ batch.marks.T > 0
        else:
            same = (batch.targets[:, None] == batch.targets[None]) & (batch.targets >= 0)[:, None]
        pairs = torch.triu(same, diagonal=1).float()
        distances = (2 - 2 * (features @ features.T)).clamp(min=0)
        return self.number("weight") * (pairs * distances).sum() / pairs.sum().clamp(min=1)
