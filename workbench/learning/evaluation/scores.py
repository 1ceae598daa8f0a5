"""Scores of images: probabilities, metrics by part, and the predictions file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import KnownError
from workbench.domain.metrics import EVEN, best_thresholds, mark_scores, top_k_accuracy
from workbench.domain.predictions import part_code
from workbench.domain.reports import PartScore
from workbench.domain.runs import PREDICTIONS_FILE, ModelCard
from workbench.files import replacing, seal_archive
from workbench.learning.images.data import Images
from workbench.learning.images.label_tensors import marks_of
from workbench.learning.images.pixels import scoring_crops
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network, blocks, mirrored_columns, probabilities
from workbench.learning.precision import autocast


@dataclass(frozen=True)
class Scorer:
    """Score images with a network, following the test-time augmentation of its model card."""

    network: Network
    card: ModelCard
    device: Device
    precision: str = "fp32"

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, quick: bool = False) -> Tensor:
        """N × side × side × 3 bytes -> N × C (or C + K) probabilities, float32 on the CPU.

        Averages over all scoring crops and, if the card enables it, their mirror images with
        mirrored labels swapped back. `quick` skips corner crops and mirror images.
        """
        pixels = pixels.to(self.device.torch)
        views = (
            crop(pixels, self.card) for crop in scoring_crops(pixels.shape[1], self.card, quick)
        )
        return self.of_inputs(views, self.card.test_mirror and not quick)

    @torch.inference_mode()
    def of_inputs(self, views: Iterable[Tensor], mirrored: bool) -> Tensor:
        """Mean probabilities over several views of the same images, each view a network input.

        Averages probabilities rather than log-probabilities: the mean sums to 1, and no single view
        can veto a label with a score near 0, as a corner without the object would.
        """
        return self.of_pairs((inputs, inputs.flip(3) if mirrored else None) for inputs in views)

    @torch.inference_mode()
    def of_pairs(self, views: Iterable[tuple[Tensor, Tensor | None]]) -> Tensor:
        """Mean probabilities over precomputed views, each with its mirror image or None."""
        return torch.stack([self._scores(*pair) for pair in views]).mean(dim=0).cpu()

    def _scores(self, inputs: Tensor, mirrored: Tensor | None) -> Tensor:
        scores = self._probabilities(inputs)
        if mirrored is not None:
            flipped = self._probabilities(mirrored)
            scores = (scores + flipped[:, mirrored_columns(self.card.labels)]) / 2
        return scores

    def _probabilities(self, inputs: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            scores = self.network(inputs)
        return torch.cat(probabilities(scores, self.card), dim=1)


def score_rows(
    scorer: Scorer,
    images: Images,
    rows: NDArray[np.int64],
    batch: int,
    interrupted: Callable[[], bool],
    quick: bool = False,
) -> NDArray[np.float32] | None:
    """Probabilities of the images `rows`, in that order; None if interrupted. Raises KnownError for
    NaN or infinite scores."""
    width = blocks(scorer.card)[-1].stop
    scores = np.zeros((len(rows), width), dtype=np.float32)
    mode = scorer.network.training
    scorer.network.eval()
    try:
        for start in range(0, len(rows), batch):
            if interrupted():
                return None
            chosen = torch.from_numpy(rows[start : start + batch])
            scores[start : start + batch] = scorer(images.pixels[chosen], quick).numpy()
    finally:
        scorer.network.train(mode)
    return checked(scores)


def checked(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores unchanged. Raises KnownError for NaN or infinite scores."""
    if not np.isfinite(scores).all():
        raise KnownError(
            "The network's scores are not finite: training diverged.",
            "Train again with a lower learning rate or more frozen stages, or set precision to "
            "fp32.",
        )
    return scores


def part_score(
    scores: NDArray[np.float32], images: Images, rows: NDArray[np.int64], card: ModelCard
) -> PartScore | None:
    """Metrics of `scores` for the images `rows`; None if no image has a label."""
    truth = images.targets.numpy()[rows]
    known = truth >= 0
    if not known.any():
        return None
    target = scores[:, blocks(card)[0]].astype(np.float64)
    if not card.labels.target.exclusive:
        marks = marks_of([images.samples[row] for row in rows], target.shape[1])
        return _marked_score(marks[known], target[known], card)
    own = target[known, truth[known]]
    view_top1 = None
    if card.labels.view is not None:
        views = images.views.numpy()[rows]
        if (views >= 0).any():
            view_top1 = top_k_accuracy(views, scores[:, blocks(card)[1]].astype(np.float64), 1)
    return PartScore(
        top1=top_k_accuracy(truth, target, 1),
        top5=top_k_accuracy(truth, target, 5),
        loss=float(-np.log(own.clip(min=1e-12)).mean()),
        images=int(known.sum()),
        view_top1=view_top1,
    )


def _marked_score(
    marks: NDArray[np.bool_], scores: NDArray[np.float64], card: ModelCard
) -> PartScore:
    """Metrics for labels that are not exclusive, from n × C marks and scores."""
    metrics = mark_scores(marks, scores, np.array(card.thresholds or EVEN))
    highest = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    right = np.where(marks, scores, 1 - scores).clip(min=1e-12)
    return PartScore(
        top1=metrics.top1,
        top5=float(np.take_along_axis(marks, highest, axis=1).any(axis=1).mean()),
        loss=float(-np.log(right).mean()),
        images=metrics.images,
        exact=metrics.exact,
        mean_ap=metrics.mean_ap,
    )


def with_thresholds(
    card: ModelCard, scores: NDArray[np.float32], images: Images, rows: NDArray[np.int64]
) -> ModelCard:
    """Return `card` with the best threshold of each label on the validation part of `rows`.
    Unchanged for exclusive labels; 0.5 without a validation part."""
    labels = card.labels.target
    if labels.exclusive:
        return card
    inside = np.isin(rows, images.of_part("validation"))
    marks = marks_of([images.samples[row] for row in rows[inside]], len(labels.labels))
    known = marks.any(axis=1)
    found = best_thresholds(marks[known], scores[inside][known].astype(np.float64))
    return msgspec.structs.replace(card, thresholds=found)


def part_scores(
    scores: NDArray[np.float32], images: Images, rows: NDArray[np.int64], card: ModelCard
) -> dict[str, PartScore]:
    """Metrics of each labelled part, by part name."""
    found = {}
    for part in ("train", "validation", "test"):
        inside = np.isin(rows, images.of_part(part))
        score = part_score(scores[inside], images, rows[inside], card)
        if score is not None:
            found[part] = score
    return found


def save_predictions(
    folder: Path,
    scores: NDArray[np.float32],
    images: Images,
    rows: NDArray[np.int64],
    card: ModelCard,
) -> None:
    """Write predictions.npz with its digest: the arrays of a prediction table, one row per scored
    image."""
    samples = [images.samples[row] for row in rows]
    classes = len(card.labels.target.labels)
    arrays: dict[str, NDArray[Any]] = {
        "images": np.array([s.image for s in samples], dtype=np.int64),
        "crops": np.array([-1 if s.crop is None else s.crop for s in samples], dtype=np.int64),
        "parts": np.array([part_code(s.part) for s in samples], dtype=np.int8),
        "truth": np.array([s.target for s in samples], dtype=np.int64),
        "scores": scores[:, :classes],
        "view_truth": np.array([s.view for s in samples], dtype=np.int64),
        "true_view": np.array([s.true_view for s in samples], dtype=np.str_),
    }
    if not card.labels.target.exclusive:
        arrays["marks"] = marks_of(samples, classes)
    if card.labels.view is not None:
        arrays["view_scores"] = scores[:, classes:]
    with replacing(folder / PREDICTIONS_FILE) as part, part.open("w+b") as file:
        np.savez(file, allow_pickle=False, **arrays)
        seal_archive(file)
