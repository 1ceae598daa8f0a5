"""MultiTune: two differently tuned copies of the backbone under one head."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.errors import ValueRefused
from workbench.domain.methods import Parameter, Spec
from workbench.domain.recipes import Recipe
from workbench.domain.text import Message, mark
from workbench.learning.methods.base import METHODS, Options
from workbench.learning.methods.fine_tune import FineTune
from workbench.learning.networks.models import Network
from workbench.learning.optimizers import Rates, freeze, stage_rates


class TwoBodies(nn.Module):
    """Concatenated features of both copies, N × 3 × H × W -> N × 2F, or N × 2F × h × w for a
    map-based head.

    Each copy's features are L2-normalised and joined as √w · φ_1 and √(1 − w) · φ_2 with learned w,
    times the square root of the feature count, so that the head sees values of the usual scale. A
    map is normalised as a whole, which keeps differences between cells for second-order heads.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.first = body
        self.second = copy.deepcopy(body)
        self.balance = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Tensor:
        first, second = self.first(images), self.second(images)
        weight = torch.sigmoid(self.balance)
        one, other = _unit(first) * torch.sqrt(weight), _unit(second) * torch.sqrt(1 - weight)
        joined: Tensor = torch.cat((one, other), dim=1) * first[0].numel() ** 0.5
        return joined


def _unit(features: Tensor) -> Tensor:
    """L2-normalise the features of each image."""
    flat = F.normalize(features.float().flatten(1), dim=1)
    return flat.view_as(features)


@METHODS.register
class MultiTune(FineTune):
    """Fine-tune both copies: the first with the recipe's frozen stages and rates, the second with
    `second_frozen` and the learning-rate factor `second_rate`.

    Both are trained, in two different ways (Plested and Gedeon 2022, "Deep transfer learning for
    image classification: a survey", 5.2.3: two non-binary settings instead of one trained and one
    frozen copy). `second_frozen = "all"` trains the first alone, as SpotTune does.
    """

    spec = Spec(
        name="multitune",
        kind="method",
        title=mark("MultiTune"),
        description=mark("Trains two copies of the backbone differently and combines them."),
        source="Wang et al. 2020, MultiTune: adaptive integration of multiple fine-tuning models",
        parameters=(
            Parameter(
                name="second_frozen",
                default="none",
                description=mark("frozen stages of the second copy"),
            ),
            Parameter(
                name="second_rate", default=0.1, low=0.0, description=mark("learning-rate factor")
            ),
        ),
        needs=("start",),
    )

    @classmethod
    def wrap(cls, network: Network, name: str, options: Options) -> Network:
        head = network.head
        return Network(TwoBodies(network.body), head.for_channels(2 * head.transform.channels))

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        rate = float(cls.spec.options(recipe.options)["second_rate"])
        refused = cls._without_effect(recipe, rate)
        if refused is not None:
            why, allowed = refused
            raise ValueRefused(f"options.{cls.spec.name}.second_rate", rate, allowed, why)

    @classmethod
    def _without_effect(cls, recipe: Recipe, rate: float) -> tuple[Message, Message] | None:
        """Why the second copy's settings would have no effect, and which would have one."""
        known = backbone(recipe.backbone)
        second = known.frozen_modules(str(cls.spec.options(recipe.options)["second_frozen"]))
        if len(second) == len(known.frozen_modules("all")):
            if "second_rate" not in recipe.options.get(cls.spec.name, {}):
                return None
            why = Message("The second copy has no learning rate: all of its stages are frozen.")
            return why, Message("no value, or fewer frozen stages")
        if rate == 0:
            why = Message("The second copy would not learn, although it is not frozen.")
            return why, Message("above 0, or “all” for its frozen stages")
        if rate == 1 and second == recipe.frozen_modules and not recipe.stages:
            why = Message("Both copies would be trained in the same way.")
            return why, Message("a factor other than 1, or other frozen stages")
        return None

    @classmethod
    def freeze(cls, network: Network, recipe: Recipe) -> list[nn.Module]:
        known, options = backbone(recipe.backbone), cls.spec.options(recipe.options)
        body = network.body
        assert isinstance(body, TwoBodies)
        second = known.frozen_modules(str(options["second_frozen"]))
        return [
            *freeze(body.first, recipe.frozen_modules),
            *freeze(body.second, second),
        ]

    @classmethod
    def rates(cls, network: Network, recipe: Recipe) -> Rates:
        body = network.body
        assert isinstance(body, TwoBodies)
        second = float(cls.spec.options(recipe.options)["second_rate"])
        balance = nn.ParameterList([body.balance])
        return [*stage_rates(body.first, recipe), (body.second, second), (balance, 10.0)]
