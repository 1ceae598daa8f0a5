"""Puts a training together: network, start weights, frozen stages, method, optimiser, loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from workbench.domain.backbones import backbone
from workbench.domain.runs import ModelCard
from workbench.learning.augment import Augmenter
from workbench.learning.backbones import normalisation
from workbench.learning.data import Images
from workbench.learning.device import Device
from workbench.learning.loop import Loop, class_weights
from workbench.learning.methods import METHODS, Method
from workbench.learning.models import Network, build_network, card_of
from workbench.learning.optimisers import freeze, make_optimizer
from workbench.learning.precision import choose_precision, choose_threads
from workbench.learning.run_folder import RunFolder
from workbench.learning.weights import load_start


@dataclass(frozen=True)
class Assembled:
    """A training ready to run. `head_taken` says that an earlier run's head was taken over."""

    loop: Loop
    network: Network
    method: Method
    card: ModelCard
    head_taken: bool


def assemble(run: RunFolder, images: Images, device: Device, fresh: bool) -> Assembled:
    """Everything but the state of a training; start weights are read where it is `fresh`.

    Raises KnownError where start weights or images are not as they must be.
    """
    recipe, labels = run.recipe, run.labels
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.backbone, labels)
    head_taken = fresh and load_start(network, run.path, recipe.start, labels)
    network.to(device.torch, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = freeze(network, backbone(recipe.backbone).frozen_modules(recipe.frozen))
    classes = len(labels.target.labels)
    weights = class_weights(images, images.of_part("train"), recipe, classes)
    method = METHODS[recipe.method](
        recipe, labels, None if weights is None else weights.to(device.torch)
    )
    loop = Loop(
        recipe,
        labels,
        images,
        network,
        method,
        make_optimizer(network, recipe, device.torch),
        Augmenter(recipe, *normalisation(recipe.backbone), device.torch),
        device,
        frozen,
    )
    return Assembled(loop, network, method, card_of(recipe, labels, network), head_taken)


def fastest(
    run: RunFolder, made: Assembled, device: Device, warn: Callable[[str], None]
) -> tuple[int, str]:
    """The number of CPU threads (set at once) and the precision a step is fastest with."""
    threads = choose_threads(run.recipe)
    torch.set_num_threads(threads)
    return threads, choose_precision(run.recipe, device, made.network, made.method, warn)
