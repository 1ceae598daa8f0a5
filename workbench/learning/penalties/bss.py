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


@PENALTIES.register
class BatchSpectralShrinkage(Penalty):
    """η · Σ_{i ≤ k} σ²_{−i}: the k smallest singular values of the batch's B × D feature matrix.

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
        total: Tensor = smallest.sum()
        return self.number("eta") * total
