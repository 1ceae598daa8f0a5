"""StochNorm: batch normalisation that randomly uses moving statistics in training."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.domain.errors import KnownError
from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import METHODS, Options
from workbench.learning.methods.fine_tune import FineTune
from workbench.learning.networks.models import Network


class StochasticNorm2d(nn.BatchNorm2d):
    """In training, normalise each channel by the moving statistics with probability p, otherwise by
    those of the batch; the moving statistics are updated as usual. In evaluation, plain batch
    normalisation with the same parameter names. B × C × H × W -> the same."""

    def __init__(self, like: nn.BatchNorm2d, p: float) -> None:
        super().__init__(like.num_features, like.eps, like.momentum, like.affine)
        self.load_state_dict(like.state_dict())
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Normalise N × C × H × W, in training with statistics drawn for each channel."""
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(input)
        mean, var = self.running_mean.clone(), self.running_var.clone()
        moving = F.batch_norm(input, mean, var, eps=self.eps)
        momentum = self.momentum if self.momentum is not None else 0.1
        own = F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            training=True,
            momentum=momentum,
            eps=self.eps,
        )
        chosen = (torch.rand(self.num_features) < self.p).to(input.device)[:, None, None]
        mixed = torch.where(chosen, moving, own)
        return mixed * self.weight[:, None, None] + self.bias[:, None, None]


@METHODS.register
class StochNorm(FineTune):
    """Fine-tuning with every batch normalisation replaced by StochasticNorm2d."""

    spec = Spec(
        name="stochastic-norm",
        kind="method",
        title=mark("Stochastic normalisation"),
        description=mark(
            "Fine-tunes with batch normalisation that randomly uses moving statistics."
        ),
        source="Kou et al. 2020, Stochastic normalization",
        parameters=(
            Parameter(
                name="p",
                default=0.5,
                low=0.0,
                high=1.0,
                description=mark("probability of moving statistics"),
            ),
        ),
        needs=("normalisation",),
    )

    @classmethod
    def wrap(cls, network: Network, name: str, options: Options) -> Network:
        norms = [
            (path, module)
            for path, module in network.named_modules()
            if isinstance(module, nn.BatchNorm2d)
        ]
        if not norms:
            raise KnownError(
                "This backbone has no batch normalisation.",
                "Choose a ResNet, MobileNetV2 or DenseNet, or another method.",
            )
        for path, module in norms:
            parent, _, name = path.rpartition(".")
            network.get_submodule(parent).add_module(
                name, StochasticNorm2d(module, float(options["p"]))
            )
        return network
