"""What a method offers the training loop, and the registry of methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.methods import Spec, Value
from workbench.domain.recipes import Recipe
from workbench.domain.registry import Registry
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
    """Owns its forward pass and its loss. A subclass has a file of its own in this package, a
    `spec` and `@METHODS.register`; `self.options` are its options, checked by the spec."""

    spec: ClassVar[Spec]
    on_maps: ClassVar[bool] = False  # the loss reads the images through `network` alone
    looks = 0  # augmentations of each unlabelled image in a batch; 0: the method uses none

    def __init__(self, setup: Setup) -> None:
        self.options: Options = self.spec.options(setup.recipe.options)
        # Kept beside the network, in checkpoints only. Parameters in it came with the start
        # weights and learn at their rate.
        self.extra = nn.Module()

    @classmethod
    def wrap(cls, network: Network, name: str, options: Options) -> Network:
        """Build the network to train from a plain one of the backbone `name` with its start
        weights; also called when a trained one is rebuilt from its card."""
        return network

    @classmethod
    def freeze(cls, network: Network, recipe: Recipe) -> list[nn.Module]:
        """Freeze what the recipe freezes; return the modules that stay in evaluation mode."""
        return freeze(network.body, recipe.frozen_modules)

    @classmethod
    def rates(cls, network: Network, recipe: Recipe) -> Rates:
        """Modules of the backbone, each with its factor on the learning rate."""
        return stage_rates(network.body, recipe)

    def begin(self, beginning: Beginning) -> None:  # noqa: B027 - many have nothing to find out
        """Called once before the first step of a training and never when it resumes: keep what is
        found out here in `extra`."""

    def unlabelled(self, images: Images) -> NDArray[np.int64]:
        """The rows of the unlabelled images to learn from, for a method with `looks`. Raises
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


METHODS: Registry[type[Method]] = Registry("method", "spec.name", __package__)


@torch.no_grad()
def remember(module: nn.Module, name: str, value: Tensor) -> None:
    """Keep a tensor as a buffer of a module; a buffer of that name must have the same shape."""
    known = getattr(module, name, None)
    if known is None:
        module.register_buffer(name, value.detach().clone())
    else:
        known.copy_(value)
