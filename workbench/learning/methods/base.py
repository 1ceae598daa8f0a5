"""Base class and registry of methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.methods import Spec, Value
from workbench.domain.recipes import Recipe
from workbench.domain.registry import Registry
from workbench.domain.runs import RunLabels
from workbench.domain.text import Message
from workbench.learning.images.data import Images
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network
from workbench.learning.optimizers import Rates, freeze, stage_rates
from workbench.learning.protocol.reporting import Preparation

Options = dict[str, Value]


@dataclass(frozen=True)
class Unlabelled:
    """K × B × 3 × H × W normalised unlabelled images: B images in K augmentations each. `flipped`
    (K × B booleans) marks mirrored ones."""

    images: Tensor
    flipped: Tensor


@dataclass(frozen=True)
class Batch:
    """B × 3 × H × W normalised images with B target and view label indices, −1 unknown.

    For mixed images, `partner` is the batch row each image is mixed with and `share` (B) its own
    share in [0, 1]. `marks` (B × C, 0 or 1) are the labels of each image if labels are not
    exclusive. `unlabelled` is set for methods that use unlabelled images. `progress` is the
    completed share of the training, in [0, 1).
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
        """Whether the highest of B × C scores is a correct label of each image."""
        best = scores.argmax(dim=1)
        if self.marks is None:
            return best == self.targets
        return self.marks.gather(1, best[:, None])[:, 0]


@dataclass(frozen=True)
class Setup:
    """Arguments of a method or penalty.

    `network` is the network to train, on its device; its start weights are guaranteed only in
    `begin`. `start` reads the start weights file, with the file's own names; empty if there is
    none.
    """

    recipe: Recipe
    labels: RunLabels
    class_weights: Tensor | None
    network: Network
    start: Callable[[], dict[str, Tensor]] = dict


@dataclass(frozen=True)
class InitialState:
    """Argument of `begin`: the network before training, and access to the `images` images of the
    train part, without augmentation.

    `train(n)` yields them in small batches: at most `n` of them, evenly spread, or all for 0.
    `work` is to be asked for `check` or `each` where something takes long.
    """

    network: Network
    train: Callable[[int], Iterable[Batch]]
    device: Device
    images: int = 0
    work: Preparation = field(default_factory=Preparation)

    def batches(self, text: Message, most: int = 0) -> Iterator[Batch]:
        """`train(most)` with progress, as `text`. Raises Interrupted on request."""
        total = min(most, self.images) if most else self.images
        return self.work.each(self.train(most), total, text, lambda batch: len(batch.targets))


class Method(ABC):
    """Base class of methods, which own their forward pass and loss.

    A subclass lives in its own file in this package, defines a `spec` and is registered with
    `@METHODS.register`. `self.options` are its options, validated by the spec.
    """

    spec: ClassVar[Spec]
    supports_cache: ClassVar[bool] = False  # True if the loss uses images only through `network`
    augmentations = 0  # of each unlabelled image in a batch; 0: none are used

    def __init__(self, setup: Setup) -> None:
        self.options: Options = self.spec.options(setup.recipe.options)
        # Saved in checkpoints only. Parameters in it come with the start
        # weights and learn at their rate.
        self.extra = nn.Module()

    @classmethod
    def wrap(cls, network: Network, name: str, options: Options) -> Network:
        """Build the network to train from a plain one of the backbone `name`. Also called to
        rebuild a trained network from its card."""
        return network

    @classmethod  # noqa: B027 - optional
    def check(cls, recipe: Recipe) -> None:
        """Raise ValueRefused for options that would have no effect with a recipe."""

    @classmethod
    def freeze(cls, network: Network, recipe: Recipe) -> list[nn.Module]:
        """Freeze the recipe's frozen stages; return the modules that stay in evaluation mode."""
        return freeze(network.body, recipe.frozen_modules)

    @classmethod
    def rates(cls, network: Network, recipe: Recipe) -> Rates:
        """Modules of the backbone with their learning-rate factors."""
        return stage_rates(network.body, recipe)

    def begin(self, initial: InitialState) -> None:  # noqa: B027 - optional
        """Initialise from data. Called once before the first training step, not on resume; store
        results in `extra`."""

    def unlabelled(self, images: Images) -> NDArray[np.int64]:
        """Rows of the unlabelled images to use, for methods with `augmentations` > 0. Raises
        KnownError if there are none."""
        return np.zeros(0, dtype=np.int64)

    @abstractmethod
    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss (a scalar) and the B × C scores it was computed from."""

    def number(self, name: str) -> float:
        """Value of a numeric option."""
        value = self.options[name]
        assert isinstance(value, int | float)
        return float(value)


METHODS: Registry[type[Method]] = Registry("method", "spec.name", __package__)


@torch.no_grad()
def remember(module: nn.Module, name: str, value: Tensor) -> None:
    """Store a tensor as a buffer of a module; an existing buffer must have the same shape."""
    known = getattr(module, name, None)
    if known is None:
        module.register_buffer(name, value.detach().clone())
    else:
        known.copy_(value)
