"""SpotTune: a policy selects, per image and stage, the frozen or the tuned module."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.methods import Parameter, Spec
from workbench.domain.recipes import Recipe
from workbench.domain.text import mark
from workbench.learning.methods.base import METHODS, Options
from workbench.learning.methods.fine_tune import FineTune
from workbench.learning.networks.models import Network
from workbench.learning.optimizers import Rates, stage_rates

SIDE = 64  # input side of the policy


class SwitchedModule(nn.Module):
    """A module in two copies: outputs of the tuned one where `decision` (B) is 1, of the frozen one
    where it is 0."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.tuned = module
        self.frozen = copy.deepcopy(module)
        self.decision: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        tuned: Tensor = self.tuned(x)
        if self.decision is None:
            return tuned
        frozen: Tensor = self.frozen(x)
        chosen = self.decision.to(tuned.dtype).view(-1, *[1] * (tuned.ndim - 1))
        return chosen * tuned + (1 - chosen) * frozen


class Policy(nn.Module):
    """B × 3 × H × W -> B × L logits of "tuned" against "frozen", one per stage.

    Four 3×3 convolutions of stride 2 on the image at 64 × 64 (the paper's ResNet policy would cost
    more than the networks tuned here). The last layer is initialised to zero: even choices.
    """

    def __init__(self, stages: int) -> None:
        super().__init__()
        sizes = (3, 16, 32, 64, 64)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.ReLU()]
        self.maps = nn.Sequential(*layers)
        self.choice = nn.Linear(sizes[-1], stages)
        nn.init.zeros_(self.choice.weight)
        nn.init.zeros_(self.choice.bias)

    def forward(self, images: Tensor) -> Tensor:
        small = F.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False)
        logits: Tensor = self.choice(self.maps(small).mean(dim=(2, 3)))
        return logits.float()


class SpotTuneBody(nn.Module):
    """A backbone of switched modules, with the policy that controls them.

    In training, decisions use the straight-through Gumbel-softmax; in evaluation, the more likely
    choice.
    """

    def __init__(self, body: nn.Module, stages: tuple[tuple[str, ...], ...], heat: float) -> None:
        super().__init__()
        self.body = body
        self.stages = stages
        self.heat = heat
        self.policy = Policy(len(stages))
        for path in (path for stage in stages for path in stage):
            parent, _, name = path.rpartition(".")
            body.get_submodule(parent).add_module(name, SwitchedModule(body.get_submodule(path)))

    def forward(self, images: Tensor) -> Tensor:
        decisions = self.decide(self.policy(images))
        spots = [[self.spot(path) for path in stage] for stage in self.stages]
        for at, stage in enumerate(spots):
            for spot in stage:
                spot.decision = decisions[:, at]
        try:
            features: Tensor = self.body(images)
        finally:
            for stage in spots:
                for spot in stage:
                    spot.decision = None
        return features

    def decide(self, logits: Tensor) -> Tensor:
        """B × L decisions from the logits, 1 for the tuned module."""
        if not self.training:
            return (logits > 0).float()
        pairs = torch.stack((logits, torch.zeros_like(logits)), dim=-1)
        noise = -torch.log(-torch.log(torch.rand(pairs.shape).clamp(1e-9, 1 - 1e-7)))
        soft = ((pairs + noise.to(logits.device)) / self.heat).softmax(-1)[..., 0]
        return (soft > 0.5).float() + soft - soft.detach()

    def spot(self, path: str) -> SwitchedModule:
        """Switched module at a path."""
        found = self.body.get_submodule(path)
        assert isinstance(found, SwitchedModule)
        return found


@METHODS.register
class SpotTune(FineTune):
    """The loss of fine-tuning. The recipe's frozen stages are not switched."""

    spec = Spec(
        name="spottune",
        kind="method",
        title=mark("SpotTune"),
        description=mark("Selects frozen or trained stages for every image."),
        source="Guo et al. 2019, SpotTune: transfer learning through adaptive fine-tuning",
        parameters=(
            Parameter(
                name="heat", default=5.0, low=0.1, description=mark("Gumbel-softmax temperature")
            ),
            Parameter(
                name="policy_rate", default=1.0, low=0.0, description=mark("learning-rate factor")
            ),
        ),
        needs=("start",),
    )

    @classmethod
    def wrap(cls, network: Network, name: str, options: Options) -> Network:
        known = dict(network.body.named_modules())  # map-based bodies lack the last stages
        stages = tuple(s.modules for s in backbone(name).stages if s.modules[0] in known)
        return Network(SpotTuneBody(network.body, stages, float(options["heat"])), network.head)

    @classmethod
    def freeze(cls, network: Network, recipe: Recipe) -> list[nn.Module]:
        body = network.body
        assert isinstance(body, SpotTuneBody)
        fixed = recipe.frozen_modules
        paths = [path for stage in body.stages for path in stage]
        tuned = [body.spot(path).tuned for path in paths if path in fixed]
        frozen = [body.spot(path).frozen for path in paths]
        for module in (*tuned, *frozen):
            module.requires_grad_(False)
        return [*tuned, *frozen]

    @classmethod
    def rates(cls, network: Network, recipe: Recipe) -> Rates:
        body = network.body
        assert isinstance(body, SpotTuneBody)
        policy = float(cls.spec.options(recipe.options)["policy_rate"])
        return [(body.policy, policy), *stage_rates(body.body, recipe)]
