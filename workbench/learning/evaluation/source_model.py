"""A start before transfer: its features and its source classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.recipes import START_ASPECT, Aspect
from workbench.learning.evaluation.trained import load_model
from workbench.learning.networks.backbones import build_body
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import blocks
from workbench.learning.networks.probe import pooled
from workbench.learning.networks.weights import TARGET_LAYER, load_body, source_head

Scores = Callable[[Tensor], Tensor]  # output of a body -> N × Z


@dataclass(frozen=True)
class SourceModel:
    """Compute features (N × D) of a start and, if it has a classifier, N × Z source-class
    probabilities.

    `scores` are those of its last layer, before the softmax, from the output of `body`.
    `image_size` is the side of its inputs, which are decoded with `aspect` and normalised with
    `mean` and `std`.
    """

    body: nn.Module
    scores: Scores | None
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    aspect: Aspect = "centre"

    @torch.inference_mode()
    def __call__(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """N × 3 × size × size normalised images -> features and probabilities, float32."""
        given = self.body(inputs)
        probabilities = None if self.scores is None else self.scores(given).softmax(dim=1).float()
        return pooled(given).float(), probabilities


def of_run(folder: Path, device: Device) -> SourceModel:
    """Load the network of a trained run. Raises KnownError if it has none."""
    network, card = load_model(folder, str(device.torch))
    target = blocks(card)[0]

    def scores(given: Tensor) -> Tensor:
        return cast(Tensor, network.head(given)[:, target])

    size = card.image_size
    return SourceModel(network.body, scores, size, card.mean, card.std, card.aspect)


def of_weights(name: str, path: Path | None, seed: int, device: Device) -> SourceModel:
    """Build the backbone `name` with weights from a file (random if `path` is None) and the file's
    classifier, if any. Raises KnownError if the file is unreadable or does not fit.

    A classifier that scores each cell of the last feature map, such as SqueezeNet's, receives that
    map.
    """
    torch.manual_seed(seed)
    known = backbone(name)
    maps = known.classifier_on_maps
    body, features = build_body(name, maps=maps)
    head: nn.Linear | None = None
    if path is not None:
        weights = load_body(body, path)
        head = source_head(weights, body.state_dict().keys(), features)
        maps = maps and f"{TARGET_LAYER}.weight" not in weights
    for module in (body, head):
        if module is not None:
            module.eval().requires_grad_(False).to(device.torch)
    scores = None if head is None else _scores(head, maps)
    return SourceModel(body, scores, known.input_size, known.mean, known.std, START_ASPECT)


def _scores(head: nn.Linear, maps: bool) -> Scores:
    def scores(given: Tensor) -> Tensor:
        if not maps:
            return cast(Tensor, head(pooled(given)))
        by_position = head(given.flatten(2).transpose(1, 2)).relu()
        return cast(Tensor, by_position.mean(dim=1))

    return scores
