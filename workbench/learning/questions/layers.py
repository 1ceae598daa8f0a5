"""A linear head on what each stage of a network makes of images: how accuracy grows with depth.

Oquab, Bottou, Laptev and Sivic 2014, "Learning and Transferring Mid-Level Image Representations
using Convolutional Neural Networks", compare the layers of a network in this way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.assessments import (
    REQUEST_FILE,
    LayerScore,
    LayerScores,
    LayersRequest,
    StartRequest,
)
from workbench.domain.backbones import Backbone, backbone
from workbench.domain.errors import KnownError
from workbench.domain.reports import Layered
from workbench.domain.runs import SAMPLES_FILE, Sample
from workbench.learning.evaluation.source_model import SourceModel, of_run, of_weights
from workbench.learning.images.data import Images, load_images
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.device import Device, choose_device
from workbench.learning.networks.probe import linear_probe, pooled
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted

BATCH = 32
Features = NDArray[np.float32]  # images × features


class StageWatch:
    """Keeps what each stage of a body gave last, pooled to a vector of each image.

    A stage gives what the next one is given, activation and pooling behind it included; where that
    is flattened already, what its own last module gives; the last stage gives the body's features.
    """

    def __init__(self, body: nn.Module, known: Backbone) -> None:
        self._body = body
        rows = [[body.get_submodule(name) for name in stage.modules] for stage in known.stages]
        self._stages = list(zip(known.stage_names, rows, strict=True))
        self.given: dict[str, Tensor] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, every pass through the body is kept."""
        hooks = []
        for at, (name, modules) in enumerate(self._stages):
            hooks.append(modules[-1].register_forward_hook(self._own(name)))
            if at + 1 < len(self._stages):
                following = self._stages[at + 1][1][0]
                hooks.append(following.register_forward_pre_hook(self._next(name)))
        last = self._stages[-1][0]
        hooks.append(self._body.register_forward_hook(self._own(last)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _own(self, name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self.given[name] = output

        return keep

    def _next(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if inputs[0].ndim == self.given[name].ndim:
                self.given[name] = inputs[0]

        return keep

    @torch.inference_mode()
    def __call__(self, inputs: Tensor) -> dict[str, Tensor]:
        """N × 3 × side × side normalised images -> N × features of each stage, float32."""
        with self.watching():
            self._body(inputs)
        found = {name: pooled(self.given[name]).float() for name, _ in self._stages}
        self.given.clear()
        return found


def study_layers(errand: FolderRequest) -> None:
    """Report Layered for the order in the folder. Raises KnownError where the parts hold no
    labelled images, or the start cannot be used."""
    began = time.monotonic()
    order = errand.read(REQUEST_FILE, LayersRequest)
    samples = errand.samples(SAMPLES_FILE)
    parts = {part: _some(samples, part, order) for part in ("train", order.held_out)}
    if not all(parts.values()):
        raise KnownError(
            f"The train or {order.held_out} part holds no labelled images.",
            "Label more images, or make another split.",
        )
    device = choose_device()
    model = _model(order.start, order.seed, device)
    watch = StageWatch(model.body, backbone(order.start.backbone))
    train, train_labels = _features(errand, watch, model, parts["train"], "train")
    held, labels = _features(errand, watch, model, parts[order.held_out], order.held_out)
    layers = []
    for at, name in enumerate(train):
        errand.stop_if_asked()
        errand.progress(at, len(train), f"A linear head on {name}")
        both = _accuracies(train[name], train_labels, held[name], labels)
        layers.append(
            LayerScore(stage=name, features=train[name].shape[1], train_top1=both[0], top1=both[1])
        )
    found = LayerScores(
        layers=tuple(layers),
        train_images=len(train_labels),
        held_out_images=len(labels),
        held_out=order.held_out,
        classes=len(np.unique(train_labels)),
        chance=float(np.bincount(labels).max() / len(labels)),
        seconds=time.monotonic() - began,
    )
    errand.report(Layered(scores=found))


def _model(start: StartRequest, seed: int, device: Device) -> SourceModel:
    if start.run:
        return of_run(Path(start.run), device)
    return of_weights(start.backbone, Path(start.weights) if start.weights else None, seed, device)


def _some(samples: Sequence[Sample], part: str, order: LayersRequest) -> list[Sample]:
    """The labelled samples of a part, at most as many as the order allows."""
    known = [sample for sample in samples if sample.part == part and sample.target >= 0]
    if len(known) <= order.most:
        return known
    random = np.random.default_rng(order.seed)
    return [known[row] for row in np.sort(random.choice(len(known), order.most, replace=False))]


def _features(
    errand: FolderRequest,
    watch: StageWatch,
    model: SourceModel,
    samples: Sequence[Sample],
    part: str,
) -> tuple[dict[str, Features], NDArray[np.int64]]:
    """Each stage's features of the images that can be read, and their labels."""
    images = _read(errand, samples, model.image_size)
    rows = np.flatnonzero(images.read)
    if not len(rows):
        raise KnownError(f"No image of the {part} part can be read.", "Check the disk with them.")
    device = next(model.body.parameters()).device
    found: dict[str, list[Features]] = {}
    for at in range(0, len(rows), BATCH):
        errand.stop_if_asked()
        errand.progress(at, len(rows), f"Features of {part} images")
        squares = images.squares[torch.from_numpy(rows[at : at + BATCH])]
        planes = squares.permute(0, 3, 1, 2).to(device)
        for name, given in watch(normalised(planes, model.mean, model.std)).items():
            found.setdefault(name, []).append(given.cpu().numpy())
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    return whole, images.targets.numpy()[rows]


def _read(errand: FolderRequest, samples: Sequence[Sample], side: int) -> Images:
    images = load_images(samples, side, errand.folder, errand.report, errand.interrupted)
    if images is None:
        raise RequestInterrupted
    return images


def _accuracies(
    train: Features, train_labels: NDArray[np.int64], test: Features, labels: NDArray[np.int64]
) -> tuple[float, float]:
    """Top-1 in [0, 1] of a linear head: on what it has learned from, and on the other images."""
    known = np.unique(train_labels)
    own = torch.from_numpy(np.searchsorted(known, train_labels))
    head = linear_probe(torch.from_numpy(train), own, len(known))
    with torch.inference_mode():
        said = [known[head(torch.from_numpy(x)).argmax(dim=1).numpy()] for x in (train, test)]
    return float((said[0] == train_labels).mean()), float((said[1] == labels).mean())
