"""Base class, setup and registry of clustering methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.assessments import StartRequest
from workbench.domain.backbones import backbone
from workbench.domain.clusters import ClusteringSpec, ClusterRequest
from workbench.domain.recipes import START_ASPECT, Aspect, Recipe
from workbench.domain.registry import Registry
from workbench.domain.text import Message
from workbench.learning.evaluation.trained import load_model, read_card
from workbench.learning.images.augment import Augmenter, Views, draw_views
from workbench.learning.images.data import Images
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.backbones import build_body
from workbench.learning.networks.device import Device
from workbench.learning.networks.probe import pooled
from workbench.learning.networks.weights import load_body

FEATURE_BATCH = 64  # batch size for features

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ClusterAssignment:
    """Cluster of each image, and its confidence in [0, 1]."""

    labels: Rows
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class InputFormat:
    """Side of the square input images, their normalisation, and how they became squares."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    aspect: Aspect = "centre"


@dataclass(frozen=True)
class ClusteringSetup:
    """Everything a clustering method needs.

    `body` maps N × 3 × H × W images to pooled features of width D; `frozen` names its frozen
    modules. The method learns from `rows`, the N readable rows of `images`. `raise_if_interrupted`
    raises RequestInterrupted when the request is cancelled.
    """

    request: ClusterRequest
    body: nn.Module
    frozen: tuple[str, ...]
    input_format: InputFormat
    images: Images
    rows: Rows
    device: Device
    raise_if_interrupted: Callable[[], None]
    views: dict[int, Views] = field(default_factory=dict)  # of the last round

    def train(self) -> None:
        """Put the body into training mode; frozen modules stay in evaluation mode."""
        self.body.train()
        for name in self.frozen:
            self.body.get_submodule(name).eval()

    def inputs(self, at: Rows, round: int | None) -> Tensor:
        """Normalised images at positions `at` of `rows`, augmented for `round`, or not augmented if
        it is None."""
        rows = self.rows[at]
        if round is None:
            chosen = self.images.pixels[torch.from_numpy(rows)]
            planes = chosen.permute(0, 3, 1, 2).to(self.device.torch)
            return normalised(planes, self.input_format.mean, self.input_format.std)
        if round not in self.views:
            self.views.clear()
            self.views[round] = draw_views(self._augmentation(), len(self.images.samples), round)
        augment = Augmenter(
            self._augmentation(), self.input_format.mean, self.input_format.std, self.device.torch
        )
        return augment(self.images.pixels, rows, self.views[round])

    def _augmentation(self) -> Recipe:
        """Recipe with the default augmentations and tighter crops."""
        size, seed = self.input_format.size, self.request.seed
        return Recipe(target="", image_size=size, seed=seed, crop_scale=0.4, contrast=0.2)

    def features(self, images: Tensor) -> Tensor:
        """Pooled features, N × D."""
        return pooled(self.body(images))

    @torch.no_grad()
    def all_features(self) -> Iterator[Tensor]:
        """Yield the features of all readable images in order, without augmentation, batch by
        batch."""
        self.body.eval()
        for start in range(0, len(self.rows), FEATURE_BATCH):
            self.raise_if_interrupted()
            at = np.arange(start, min(len(self.rows), start + FEATURE_BATCH))
            yield self.features(self.inputs(at, None)).float()

    def width(self) -> int:
        """Feature width D."""
        with torch.no_grad():
            self.body.eval()
            return int(self.features(self.inputs(np.arange(1), None)).shape[1])


def input_format_of(start: StartRequest) -> InputFormat:
    """Input format of the start's network. Raises KnownError for a run without a network."""
    if start.run:
        card = read_card(Path(start.run))
        return InputFormat(card.image_size, card.mean, card.std, card.aspect)
    known = backbone(start.backbone)
    return InputFormat(known.input_size, known.mean, known.std, START_ASPECT)


def load_start_body(request: ClusterRequest, device: Device) -> tuple[nn.Module, tuple[str, ...]]:
    """Load the body that a request starts from; return it with the names of its frozen modules.
    Raises KnownError for an unreadable start and ValueRefused for an unknown stage."""
    start = request.start
    if start.run:
        body = load_model(Path(start.run), str(device.torch))[0].body
    else:
        torch.manual_seed(request.seed)
        body, _ = build_body(start.backbone)
        if start.weights:
            load_body(body, Path(start.weights))
    frozen = backbone(start.backbone).frozen_modules(request.frozen)
    for name, parameter in body.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(f"{one}." for one in frozen)))
    body.to(device.torch, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return body, frozen


class ClusteringMethod(ABC):
    """Base class of clustering methods.

    A subclass lives in its own file in this package, takes its `spec` from `domain.clusters` and is
    registered with `@CLUSTERING_METHODS.register`. Checkpoints hold `modules` and the states of
    `optimizers`.
    """

    spec: ClassVar[ClusteringSpec]

    def __init__(self, setup: ClusteringSetup) -> None:
        self.setup = setup
        self.modules = nn.ModuleDict()
        self.optimizers: dict[str, torch.optim.Optimizer] = {}

    @abstractmethod
    def start_round(self, round: int) -> Rows:
        """Prepare a pass over the images and return its rows in order; rows may repeat."""

    @abstractmethod
    def loss(self, rows: Rows, round: int) -> Tensor:
        """Loss of one batch, a scalar."""

    @abstractmethod
    def assignment(self) -> ClusterAssignment:
        """Cluster all images with the current network."""

    def note(self) -> Message:
        """Short progress note for the round, or an empty one."""
        return Message("")


CLUSTERING_METHODS: Registry[type[ClusteringMethod]] = Registry("method", "spec.name", __package__)
