"""What a method offers the training loop, and the registry that finds it by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from workbench.domain.recipes import Recipe
from workbench.domain.runs import RunLabels
from workbench.learning.models import Network


@dataclass(frozen=True)
class Batch:
    """B × 3 × H × W normalised images with the B label indices of target and view, -1 unknown."""

    images: Tensor
    targets: Tensor
    views: Tensor


class Method(Protocol):
    """Owns its forward pass and its loss."""

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss to minimise (a scalar), and the B × C scores it was computed from."""


Factory = Callable[[Recipe, RunLabels, Tensor | None], Method]
METHODS: dict[str, Factory] = {}


def register(name: str) -> Callable[[Factory], Factory]:
    """Make a method known as `name`; it is given the recipe, labels and class weights (or None)."""

    def keep(factory: Factory) -> Factory:
        METHODS[name] = factory
        return factory

    return keep
