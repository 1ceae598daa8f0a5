"""What both ways of clustering stand on: a network whose stages learn, its features, its images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.assessments import StartRequest
from workbench.domain.backbones import backbone
from workbench.domain.clusters import ClusterRequest
from workbench.domain.recipes import Recipe
from workbench.learning.evaluation.trained import load_model, read_card
from workbench.learning.images.augment import Augmenter, Views, draw_views
from workbench.learning.images.data import Images
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.backbones import build_body, normalisation
from workbench.learning.networks.device import Device
from workbench.learning.networks.probe import pooled
from workbench.learning.networks.weights import load_body

AHEAD = 64  # images whose features are computed together

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ClusterAssignment:
    """The cluster of each image and how sure it is, in [0, 1]."""

    labels: Rows
    confidence: NDArray[np.float32]


class ClusteringMethod(Protocol):
    """One way of learning clusters; `Setup` is all it knows. Checkpoints hold `modules` whole."""

    name: ClassVar[str]
    modules: nn.ModuleDict
    optimizers: dict[str, torch.optim.Optimizer]

    def begin(self, round: int) -> Rows:
        """Prepare a pass over the images; the rows of it, in their order. Rows may come twice."""

    def loss(self, rows: Rows, round: int) -> Tensor:
        """The loss of one batch, to be minimised."""

    def found(self) -> ClusterAssignment:
        """The clusters of all images as the network is now."""

    def words(self) -> str:
        """How the round goes, in a few words; "" where there is nothing to say."""


@dataclass(frozen=True)
class InputFormat:
    """Side of the squares that a body takes, and how they are normalised."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class ClusteringSetup:
    """A body, N × 3 × H × W -> D pooled features, and the N readable images it learns from.
    `beat` says how far a pass over the images is and raises Interrupted when asked to leave off."""

    order: ClusterRequest
    body: nn.Module
    frozen: tuple[str, ...]
    sight: InputFormat
    images: Images
    rows: Rows
    device: Device
    beat: Callable[[], None]
    drawn: dict[int, Views] = field(default_factory=dict)  # of the round that was asked for last

    def train(self) -> None:
        """The body learns: but for its frozen stages, whose statistics stay too."""
        self.body.train()
        for name in self.frozen:
            self.body.get_submodule(name).eval()

    def shown(self, at: Rows, round: int | None) -> Tensor:
        """Images `at` (of the readable ones) as a round shows them; None: as they are."""
        rows = self.rows[at]
        if round is None:
            chosen = self.images.squares[torch.from_numpy(rows)]
            planes = chosen.permute(0, 3, 1, 2).to(self.device.torch)
            return normalised(planes, self.sight.mean, self.sight.std)
        if round not in self.drawn:
            self.drawn.clear()
            self.drawn[round] = draw_views(self._changes(), len(self.images.samples), round)
        augment = Augmenter(self._changes(), self.sight.mean, self.sight.std, self.device.torch)
        return augment(self.images.squares, rows, self.drawn[round])

    def _changes(self) -> Recipe:
        """How images are changed: as in a training, and cropped more tightly."""
        size, seed = self.sight.size, self.order.seed
        return Recipe(target="", image_size=size, seed=seed, crop_scale=0.4, contrast=0.2)

    def features(self, images: Tensor) -> Tensor:
        """N × D."""
        return pooled(self.body(images))

    @torch.no_grad()
    def all_features(self) -> Iterator[Tensor]:
        """Features of all readable images as they are, in order, some at a time."""
        self.body.eval()
        for start in range(0, len(self.rows), AHEAD):
            self.beat()
            at = np.arange(start, min(len(self.rows), start + AHEAD))
            yield self.features(self.shown(at, None)).float()

    def width(self) -> int:
        """D."""
        with torch.no_grad():
            self.body.eval()
            return int(self.features(self.shown(np.arange(1), None)).shape[1])


def input_format_of(start: StartRequest) -> InputFormat:
    """How the network of a start sees images. Raises KnownError where its run has none."""
    if start.run:
        card = read_card(Path(start.run))
        return InputFormat(card.image_size, card.mean, card.std)
    return InputFormat(backbone(start.backbone).input_size, *normalisation(start.backbone))


def load_learner(order: ClusterRequest, device: Device) -> tuple[nn.Module, tuple[str, ...]]:
    """The body that an order starts from, and the modules of it that stay as they are. Raises
    KnownError and ValueRefused where the start or the stage is not there."""
    start = order.start
    if start.run:
        body = load_model(Path(start.run), str(device.torch))[0].body
    else:
        torch.manual_seed(order.seed)
        body, _ = build_body(start.backbone)
        if start.weights:
            load_body(body, Path(start.weights))
    frozen = backbone(start.backbone).frozen_modules(order.frozen)
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(f"{one}." for one in frozen)))
    body.to(device.torch, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return body, frozen
