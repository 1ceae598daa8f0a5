"""BSS: batch spectral shrinkage of the least transferable features."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import Batch
from workbench.learning.networks.models import Network
from workbench.learning.networks.probe import pooled
from workbench.learning.penalties.base import HEAD_INPUT, PENALTIES, Penalty, Watched

SQUARED_LENGTH = 512.0  # near MobileNetV2's, for which the paper's η needs no factor
TINY = 1e-12


@PENALTIES.register
class BatchSpectralShrinkage(Penalty):
    """η · Σ_{i ≤ k} σ²_{−i}: the k smallest singular values of the batch's B × D feature matrix F.

    F is scaled, as a whole, so that the mean squared length of its rows is 512, about that of
    MobileNetV2's features. The paper takes F as it is, with η for ResNet-50; on backbones with
    shorter features, such as SqueezeNet's, that η has no effect. With a mean squared length of m,
    η here is an η of η · 512 / m in the paper. The gradient treats the factor as a constant:
    shortening all features still reduces the penalty.

    Computed from the eigenvalues of F Fᵀ (or Fᵀ F if smaller), whose gradient stays finite for
    equal singular values.
    """

    spec = Spec(
        name="bss",
        kind="penalty",
        title=mark("Batch spectral shrinkage"),
        description=mark(
            "Shrinks the weakest directions of the features, to reduce negative transfer."
        ),
        source="Chen et al. 2019, Catastrophic forgetting meets negative transfer",
        parameters=(
            Parameter(name="k", default=1, low=1, description=mark("number of singular values")),
            Parameter(name="eta", default=1e-3, low=0.0, description=mark("strength")),
        ),
    )
    watched = (HEAD_INPUT,)

    def value(self, network: Network, batch: Batch, watched: Watched) -> Tensor:
        features = pooled(watched[HEAD_INPUT]).float()
        wide = len(features) <= features.shape[1]
        gram = features @ features.T if wide else features.T @ features
        # unlike eigenvectors, the gradient of eigenvalues needs no division by their differences
        smallest: Tensor = torch.linalg.eigvalsh(gram)[: int(self.number("k"))].clamp(min=0)
        length = features.detach().square().sum(dim=1).mean().clamp(min=TINY)
        total: Tensor = smallest.sum() * (SQUARED_LENGTH / length)
        return self.number("eta") * total
