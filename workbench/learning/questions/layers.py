"""Accuracy by depth: a linear head on the features of each stage, and on the last layer.

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
    LAST_LAYER,
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
from workbench.domain.text import Message
from workbench.learning.evaluation.source_model import Scores, SourceModel, of_run, of_weights
from workbench.learning.images.data import Images, load_images
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.device import Device, choose_device
from workbench.learning.networks.probe import linear_probe, pooled
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted

BATCH = 32
Features = NDArray[np.float32]  # images × features


class StageFeatures:
    """Pooled features of each stage of a body, and those of the last layer if `scores` gives them.

    A stage's features are the input of the next stage, with activation and pooling applied, or the
    output of its own last module if that input is already flattened. The last stage's features are
    the body's.
    """

    def __init__(self, body: nn.Module, known: Backbone, scores: Scores | None = None) -> None:
        self._body, self._scores = body, scores
        rows = [[body.get_submodule(name) for name in stage.modules] for stage in known.stages]
        self._stages = list(zip(known.stage_names, rows, strict=True))
        self.given: dict[str, Tensor] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Capture stage outputs of every forward pass inside the block."""
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

    def _own(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
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
            output = self._body(inputs)
        found = {name: pooled(self.given[name]).float() for name, _ in self._stages}
        if self._scores is not None:
            found[LAST_LAYER] = self._scores(output).float()
        self.given.clear()
        return found


def study_layers(folder_request: FolderRequest) -> None:
    """Report Layered for the request in the folder. Raises KnownError if a part has no labelled
    images or the start cannot be used."""
    began = time.monotonic()
    request = folder_request.read(REQUEST_FILE, LayersRequest)
    samples = folder_request.samples(SAMPLES_FILE)
    parts = {part: _select(samples, part, request) for part in ("train", request.held_out)}
    if not all(parts.values()):
        raise KnownError(
            "The train or {held_out} part has no labelled images.",
            "Label more images, or create a new split.",
            held_out=request.held_out,
        )
    device = choose_device()
    model = _model(request.start, request.seed, device)
    watch = StageFeatures(model.body, backbone(request.start.backbone), model.scores)
    train, train_labels = _features(folder_request, watch, model, parts["train"], "train")
    held, labels = _features(
        folder_request, watch, model, parts[request.held_out], request.held_out
    )
    layers = []
    for at, name in enumerate(train):
        folder_request.raise_if_interrupted()
        folder_request.progress(at, len(train), Message("A linear head on {name}", name=name))
        both = _accuracies(train[name], train_labels, held[name], labels)
        layers.append(
            LayerScore(stage=name, features=train[name].shape[1], train_top1=both[0], top1=both[1])
        )
    found = LayerScores(
        layers=tuple(layers),
        train_images=len(train_labels),
        held_out_images=len(labels),
        held_out=request.held_out,
        classes=len(np.unique(train_labels)),
        chance=float(np.bincount(labels).max() / len(labels)),
        seconds=time.monotonic() - began,
    )
    folder_request.report(Layered(scores=found))


def _model(start: StartRequest, seed: int, device: Device) -> SourceModel:
    if start.run:
        return of_run(Path(start.run), device)
    return of_weights(start.backbone, Path(start.weights) if start.weights else None, seed, device)


def _select(samples: Sequence[Sample], part: str, request: LayersRequest) -> list[Sample]:
    """Labelled samples of a part, randomly limited to the request's maximum."""
    known = [sample for sample in samples if sample.part == part and sample.target >= 0]
    if len(known) <= request.most:
        return known
    random = np.random.default_rng(request.seed)
    return [known[row] for row in np.sort(random.choice(len(known), request.most, replace=False))]


def _features(
    folder_request: FolderRequest,
    watch: StageFeatures,
    model: SourceModel,
    samples: Sequence[Sample],
    part: str,
) -> tuple[dict[str, Features], NDArray[np.int64]]:
    """Features of each stage for the readable images, and their labels."""
    images = _read(folder_request, samples, model)
    rows = np.flatnonzero(images.read)
    device = next(model.body.parameters()).device
    found: dict[str, list[Features]] = {}
    for at in range(0, len(rows), BATCH):
        folder_request.raise_if_interrupted()
        folder_request.progress(at, len(rows), Message("Features of {part} images", part=part))
        pixels = images.pixels[torch.from_numpy(rows[at : at + BATCH])]
        planes = pixels.permute(0, 3, 1, 2).to(device)
        for name, given in watch(normalised(planes, model.mean, model.std)).items():
            found.setdefault(name, []).append(given.cpu().numpy())
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    return whole, images.targets.numpy()[rows]


def _read(folder_request: FolderRequest, samples: Sequence[Sample], model: SourceModel) -> Images:
    images = load_images(
        samples,
        model.image_size,
        folder_request.folder,
        folder_request.report,
        folder_request.interrupted,
        aspect=model.aspect,
    )
    if images is None:
        raise RequestInterrupted
    return images


def _accuracies(
    train: Features, train_labels: NDArray[np.int64], test: Features, labels: NDArray[np.int64]
) -> tuple[float, float]:
    """Top-1 accuracy in [0, 1] of a linear head, on training and held-out images."""
    known = np.unique(train_labels)
    own = torch.from_numpy(np.searchsorted(known, train_labels))
    head = linear_probe(torch.from_numpy(train), own, len(known))
    with torch.inference_mode():
        predicted = [known[head(torch.from_numpy(x)).argmax(dim=1).numpy()] for x in (train, test)]
    return float((predicted[0] == train_labels).mean()), float((predicted[1] == labels).mean())
