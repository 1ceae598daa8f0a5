"""Answers how well starts suit a target: each start's features of its images, and their scores."""

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
from workbench.domain.errors import KnownError
from workbench.domain.reports import Assessed
from workbench.domain.runs import SAMPLES_FILE, Sample, decode_samples
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
class _Seen:
    """What a start makes of images: n × d features, n × Z probabilities or None, n labels."""

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    labels: NDArray[np.int64]


class Assessor:
    """Scores the starts of an order one by one; images are read once for each size."""

    def __init__(self, errand: FolderRequest) -> None:
        self._errand = errand
        self._order = errand.read(REQUEST_FILE, AssessmentRequest)
        samples = errand.samples(SAMPLES_FILE)
        self._train = self._some(samples, "train")
        self._held_out = self._some(samples, self._order.held_out)
        self._device: Device = choose_device()
        self._read: dict[tuple[str, int], Images] = {}

    def run(self) -> None:
        """Report Assessed. Raises KnownError where the parts hold no labelled images."""
        if not self._train or not self._held_out:
            raise KnownError(
                f"The train or {self._order.held_out} part holds no labelled images.",
                "Label more images, or make another split.",
            )
        scores = tuple(self._scored(start) for start in self._order.starts)
        labels = np.array([sample.target for sample in self._held_out])
        self._errand.report(
            Assessed(
                assessment=Assessment(
                    starts=scores,
                    train_images=len(self._train),
                    held_out_images=len(self._held_out),
                    held_out=self._order.held_out,
                    classes=len({sample.target for sample in self._train}),
                    chance=float(np.bincount(labels).max() / len(labels)),
                )
            )
        )

    def _some(self, samples: Sequence[Sample], part: str) -> list[Sample]:
        """The labelled samples of a part, at most as many as the order allows."""
        known = [sample for sample in samples if sample.part == part and sample.target >= 0]
        if len(known) <= self._order.most:
            return known
        random = np.random.default_rng(self._order.seed)
        rows = np.sort(random.choice(len(known), self._order.most, replace=False))
        return [known[row] for row in rows]

    def _scored(self, start: StartRequest) -> StartScores:
        """The scores of one start; a file that cannot be used says so in its place."""
        began = time.monotonic()
        try:
            model = self._model(start)
        except KnownError as error:
            return StartScores(start=start.start, backbone=start.backbone, unread=str(error))
        train = self._seen(model, self._train, "train", start)
        held_out = self._seen(model, self._held_out, self._order.held_out, start)
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
        return of_weights(start.backbone, path, self._order.seed, self._device)

    def _of_features(self, train: _Seen, held_out: _Seen) -> dict[str, float | int | None]:
        several = len(np.unique(train.labels)) > 1
        k = self._order.neighbours
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
        self, model: SourceModel, start: StartRequest, train: _Seen
    ) -> dict[str, float | int | None]:
        """Domain similarity to what the start's run has learned from, where it is a run's."""
        if not start.run:
            return {}
        try:
            samples = decode_samples((Path(start.run) / SAMPLES_FILE).read_bytes())
            source = self._seen(model, self._some(samples, "train"), start.run, start)
        except (OSError, KnownError):
            return {}  # the run's images or their list are gone: its other scores stand
        distance = earth_movers_distance(
            class_means(source.features, source.labels), class_means(train.features, train.labels)
        )
        return {
            "domain_similarity": similarity_of(distance, self._order.gamma),
            "distance": distance,
            "source_images": len(source.labels),
        }

    def _seen(
        self, model: SourceModel, samples: Sequence[Sample], part: str, start: StartRequest
    ) -> _Seen:
        images = self._images(samples, part, model.image_size)
        rows = np.flatnonzero(images.read)
        features, probabilities = [], []
        for at in range(0, len(rows), BATCH):
            self._errand.stop_if_asked()
            self._errand.progress(at, len(rows), f"Features of {part} images by {start.start}")
            chosen = images.squares[torch.from_numpy(rows[at : at + BATCH])]
            planes = chosen.permute(0, 3, 1, 2).to(self._device.torch)
            given, said = model(normalised(planes, model.mean, model.std))
            features.append(given.cpu().numpy())
            if said is not None:
                probabilities.append(said.cpu().numpy())
        return _Seen(
            np.concatenate(features),
            np.concatenate(probabilities) if probabilities else None,
            images.targets.numpy()[rows],
        )

    def _images(self, samples: Sequence[Sample], part: str, side: int) -> Images:
        if (part, side) not in self._read:
            errand = self._errand
            images = load_images(samples, side, errand.folder, errand.report, errand.interrupted)
            if images is None:
                raise RequestInterrupted
            self._read[part, side] = images
        return self._read[part, side]


def _of_classifier(train: _Seen) -> dict[str, float | int | None]:
    said = train.probabilities
    if said is None:
        return {}
    return {
        "leep": leep(said, train.labels),
        "nce": nce(said.argmax(axis=1), train.labels),
        "source_classes": said.shape[1],
    }


def assess(errand: FolderRequest) -> None:
    """Report Assessed for the order in the folder."""
    Assessor(errand).run()
