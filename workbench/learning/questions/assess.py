"""Score how well starts suit a target, from each start's features of its images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.domain.assessments import (
    REQUEST_FILE,
    Assessment,
    AssessmentRequest,
    StartRequest,
    StartScores,
)
from workbench.domain.errors import KnownError, parsing
from workbench.domain.recipes import Aspect
from workbench.domain.reports import Assessed
from workbench.domain.runs import SAMPLES_FILE, Sample, decode_samples
from workbench.domain.text import Message
from workbench.files import read_recorded
from workbench.learning.evaluation.source_model import SourceModel, of_run, of_weights
from workbench.learning.evaluation.transferability import (
    class_means,
    earth_movers_distance,
    frozen_accuracy,
    h_score,
    leep,
    nce,
    neighbour_accuracy,
    similarity_of,
)
from workbench.learning.images.data import Images, load_images
from workbench.learning.images.pixels import normalised
from workbench.learning.networks.device import Device, choose_device
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted

BATCH = 32


@dataclass(frozen=True)
class _Extracted:
    """A start's n × d features, n × Z probabilities or None, and the n labels."""

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    labels: NDArray[np.int64]


class Assessor:
    """Score the starts of a request one by one; images are decoded once per size."""

    def __init__(self, folder_request: FolderRequest) -> None:
        self._folder_request = folder_request
        self._request = folder_request.read(REQUEST_FILE, AssessmentRequest)
        samples = folder_request.samples(SAMPLES_FILE)
        self._train = self._select(samples, "train")
        self._held_out = self._select(samples, self._request.held_out)
        self._device: Device = choose_device()
        self._read: dict[tuple[str, int, Aspect], Images] = {}

    def run(self) -> None:
        """Report Assessed. Raises KnownError if a part has no labelled images."""
        if not self._train or not self._held_out:
            raise KnownError(
                "The train or {held_out} part has no labelled images.",
                "Label more images, or create a new split.",
                held_out=self._request.held_out,
            )
        scores = tuple(self._score(start) for start in self._request.starts)
        labels = np.array([sample.target for sample in self._held_out])
        self._folder_request.report(
            Assessed(
                assessment=Assessment(
                    starts=scores,
                    train_images=len(self._train),
                    held_out_images=len(self._held_out),
                    held_out=self._request.held_out,
                    classes=len({sample.target for sample in self._train}),
                    chance=float(np.bincount(labels).max() / len(labels)),
                )
            )
        )

    def _select(self, samples: Sequence[Sample], part: str) -> list[Sample]:
        """Labelled samples of a part, randomly limited to the request's maximum."""
        known = [sample for sample in samples if sample.part == part and sample.target >= 0]
        if len(known) <= self._request.most:
            return known
        random = np.random.default_rng(self._request.seed)
        rows = np.sort(random.choice(len(known), self._request.most, replace=False))
        return [known[row] for row in rows]

    def _score(self, start: StartRequest) -> StartScores:
        """Scores of one start; an unusable file is reported in the result."""
        began = time.monotonic()
        try:
            model = self._model(start)
        except KnownError as error:
            return StartScores(start=start.start, backbone=start.backbone, unread=error.message)
        train = self._extract(model, self._train, "train", start)
        held_out = self._extract(model, self._held_out, self._request.held_out, start)
        scores = {**self._of_features(train, held_out), **_of_classifier(train)}
        scores |= self._of_source(model, start, train)
        return StartScores(
            start=start.start,
            backbone=start.backbone,
            features=train.features.shape[1],
            seconds=time.monotonic() - began,
            **scores,  # type: ignore[arg-type]
        )

    def _model(self, start: StartRequest) -> SourceModel:
        if start.run:
            return of_run(Path(start.run), self._device)
        path = Path(start.weights) if start.weights else None
        return of_weights(start.backbone, path, self._request.seed, self._device)

    def _of_features(
        self, train: _Extracted, held_out: _Extracted
    ) -> dict[str, float | int | None]:
        several = len(np.unique(train.labels)) > 1
        k = self._request.neighbours
        return {
            "h_score": h_score(train.features, train.labels) if several else None,
            "plain_h_score": h_score(train.features, train.labels, 0.0) if several else None,
            "neighbours": (
                neighbour_accuracy(train.features, train.labels, k)
                if len(train.labels) > k
                else None
            ),
            "frozen_top1": frozen_accuracy(
                train.features, train.labels, held_out.features, held_out.labels
            ),
        }

    def _of_source(
        self, model: SourceModel, start: StartRequest, train: _Extracted
    ) -> dict[str, float | int | None]:
        """Domain similarity to the training images of the start's run, if it is a run."""
        if not start.run:
            return {}
        path = Path(start.run) / SAMPLES_FILE
        try:
            with parsing(path):
                samples = decode_samples(read_recorded(path))
            source = self._extract(model, self._select(samples, "train"), start.run, start)
        except (OSError, KnownError):
            return {}  # without the run's images, its other scores remain valid
        distance = earth_movers_distance(
            class_means(source.features, source.labels), class_means(train.features, train.labels)
        )
        return {
            "domain_similarity": similarity_of(distance, self._request.gamma),
            "distance": distance,
            "source_images": len(source.labels),
        }

    def _extract(
        self, model: SourceModel, samples: Sequence[Sample], part: str, start: StartRequest
    ) -> _Extracted:
        images = self._images(samples, part, model)
        rows = np.flatnonzero(images.read)
        features, probabilities = [], []
        for at in range(0, len(rows), BATCH):
            self._folder_request.raise_if_interrupted()
            self._folder_request.progress(
                at,
                len(rows),
                Message("Features of {part} images by {start}", part=part, start=start.start),
            )
            chosen = images.pixels[torch.from_numpy(rows[at : at + BATCH])]
            planes = chosen.permute(0, 3, 1, 2).to(self._device.torch)
            given, scores = model(normalised(planes, model.mean, model.std))
            features.append(given.cpu().numpy())
            if scores is not None:
                probabilities.append(scores.cpu().numpy())
        return _Extracted(
            np.concatenate(features),
            np.concatenate(probabilities) if probabilities else None,
            images.targets.numpy()[rows],
        )

    def _images(self, samples: Sequence[Sample], part: str, model: SourceModel) -> Images:
        key = part, model.image_size, model.aspect
        if key not in self._read:
            folder_request = self._folder_request
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
            self._read[key] = images
        return self._read[key]


def _of_classifier(train: _Extracted) -> dict[str, float | int | None]:
    scores = train.probabilities
    if scores is None:
        return {}
    return {
        "leep": leep(scores, train.labels),
        "nce": nce(scores.argmax(axis=1), train.labels),
        "source_classes": scores.shape[1],
    }


def assess(folder_request: FolderRequest) -> None:
    """Report Assessed for the request in the folder."""
    Assessor(folder_request).run()
