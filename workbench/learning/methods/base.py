"""What a method offers the training loop, and the registry that finds it by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.errors import ValueRefused
from workbench.domain.methods import Spec, Value
from workbench.domain.recipes import Recipe
from workbench.domain.runs import RunLabels
from workbench.learning.images.data import Images
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network
from workbench.learning.optimizers import Rates, freeze, stage_rates

Options = dict[str, Value]


@dataclass(frozen=True)
class Unlabelled:
    """K × B × 3 × H × W normalised images without labels, each of the B in K augmentations;
    `flipped` (K × B booleans) says which of them are shown mirrored."""

    images: Tensor
    flipped: Tensor


@dataclass(frozen=True)
class Batch:
    """B × 3 × H × W normalised images with the B label indices of target and view, -1 unknown.

    Where images were mixed, `partner` holds for each the row of the batch it was mixed with and
    `share` (B) how much of it is its own, in [0, 1]. `marks` (B × C, 0 or 1) are there where labels
    do not exclude each other: which of them each image carries. `unlabelled` is there where the
    method looks at such images; `progress` is the share of the training that is done, in [0, 1).
    """

    images: Tensor
    targets: Tensor
    views: Tensor
    partner: Tensor | None = None
    share: Tensor | None = None
    marks: Tensor | None = None
    unlabelled: Unlabelled | None = None
    progress: float = 0.0

    def right(self, scores: Tensor) -> Tensor:
        """For each row of B × C scores, 1 where the highest is (one of) the image's, else 0."""
        best = scores.argmax(dim=1)
        if self.marks is None:
            return best == self.targets
        return self.marks.gather(1, best[:, None])[:, 0]


@dataclass(frozen=True)
class Setup:
    """What a method or penalty is made from. `network` is the one that will be trained, on its
    device; its start weights are sure to be there only when `begin` is called. `start` reads the
    weights file it started from, under the file's own names: empty where there is none."""

    recipe: Recipe
    labels: RunLabels
    class_weights: Tensor | None
    network: Network
    start: Callable[[], dict[str, Tensor]] = dict


@dataclass(frozen=True)
class Beginning:
    """What `begin` may look at: the network as it starts, and the train part as it lies, not
    augmented, in batches that are made anew at each call."""

    network: Network
    train: Callable[[], Iterable[Batch]]
    device: Device


class Method(ABC):
    """Owns its forward pass and its loss. A subclass is one file with a `spec`, registered by
    `@register`; its options are checked by the spec and lie in `self.options`."""

    spec: ClassVar[Spec]
    on_maps: ClassVar[bool] = False  # the loss reads the images through `network` alone
    looks = 0  # augmentations in which a batch brings as many unlabelled images

    def __init__(self, setup: Setup) -> None:
        self.options: Options = self.spec.options(setup.recipe.options)
        # What is kept beside the network, in checkpoints only. What learns in it came with the
        # start weights, and learns at their rate.
        self.extra = nn.Module()

    @classmethod
    def wrap(cls, network: Network, name: str, options: Options) -> Network:
        """The network that is trained, from a plain one of the backbone `name` with its start
        weights; also called when a trained one is rebuilt from its card."""
        return network

    @classmethod
    def freeze(cls, network: Network, recipe: Recipe) -> list[nn.Module]:
        """Stop what the recipe freezes from learning; gives what stays in evaluation mode."""
        return freeze(network.body, recipe.frozen_modules)

    @classmethod
    def rates(cls, network: Network, recipe: Recipe) -> Rates:
        """Modules of the backbone with what the learning rate is multiplied with for each."""
        return stage_rates(network.body, recipe)

    def begin(self, beginning: Beginning) -> None:  # noqa: B027 - many have nothing to find out
        """Called once before the first step of a training, never when it is gone on with: what is
        found out here belongs in `extra`."""

    def unlabelled(self, images: Images) -> NDArray[np.int64]:
        """The rows of the unlabelled images to learn from, where there are `looks` at them. Raises
        KnownError where there are none."""
        return np.zeros(0, dtype=np.int64)

    @abstractmethod
    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss to minimise (a scalar), and the B × C scores it was computed from."""

    def number(self, name: str) -> float:
        """The value of a numeric option."""
        value = self.options[name]
        assert isinstance(value, int | float)
        return float(value)


METHODS: dict[str, type[Method]] = {}


def register(method: type[Method]) -> type[Method]:
    """Make a method known under the name in its spec."""
    METHODS[method.spec.name] = method
    return method


def find_method(name: str) -> type[Method]:
    """The method called `name`; raises ValueRefused naming those there are."""
    if name not in METHODS:
        raise ValueRefused("method", name, ", ".join(sorted(METHODS)))
    return METHODS[name]


@torch.no_grad()
def remember(module: nn.Module, name: str, value: Tensor) -> None:
    """Keep a tensor in a module's buffers; one of that name must have the same shape."""
    known = getattr(module, name, None)
    if known is None:
        module.register_buffer(name, value.detach().clone())
    else:
        known.copy_(value)
