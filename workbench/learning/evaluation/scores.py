"""Scores of images by a network: probabilities, part by part, and the file they are kept in."""

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
from workbench.domain.reports import PartScore
from workbench.domain.runs import PREDICTIONS_FILE, ModelCard
from workbench.files import replacing, seal_archive
from workbench.learning.images.answers import marks_of
from workbench.learning.images.data import Images
from workbench.learning.images.pixels import looks
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network, blocks, mirrored_columns, probabilities
from workbench.learning.precision import autocast

PART_NUMBERS = {"train": 0, "validation": 1, "test": 2, "": 3}


@dataclass(frozen=True)
class Scorer:
    """Scores images with a network the way its card says."""

    network: Network
    card: ModelCard
    device: Device
    precision: str = "fp32"

    @torch.inference_mode()
    def __call__(self, squares: Tensor, quick: bool = False) -> Tensor:
        """N × side × side × 3 bytes -> N × C (or C + K) probabilities, float32 on the CPU.

        The mean over all `looks` at the squares and, if the card says so, at their mirror images,
        whose left is right and whose right is left. `quick` leaves corners and mirror images out.
        """
        squares = squares.to(self.device.torch)
        seen = (look(squares, self.card) for look in looks(squares.shape[1], self.card, quick))
        return self.of_inputs(seen, self.card.test_mirror and not quick)

    @torch.inference_mode()
    def of_inputs(self, seen: Iterable[Tensor], mirrored: bool) -> Tensor:
        """The mean over looks at the same images, each as the network takes it.

        Probabilities are averaged, not their logarithms: the mean sums to 1 again, and no single
        look can veto a label by a score near 0, as a corner without the object would.
        """
        return self.of_sides((inputs, inputs.flip(3) if mirrored else None) for inputs in seen)

    @torch.inference_mode()
    def of_sides(self, seen: Iterable[tuple[Tensor, Tensor | None]]) -> Tensor:
        """The same of looks that lie ready, each with its mirror image or None."""
        return torch.stack([self._scores(*sides) for sides in seen]).mean(dim=0).cpu()

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
    """Probabilities of the images `rows`, in that order; None when interrupted on the way. Raises
    KnownError where they are no numbers."""
    width = blocks(scorer.card)[-1].stop
    scores = np.zeros((len(rows), width), dtype=np.float32)
    mode = scorer.network.training
    scorer.network.eval()
    try:
        for start in range(0, len(rows), batch):
            if interrupted():
                return None
            chosen = torch.from_numpy(rows[start : start + batch])
            scores[start : start + batch] = scorer(images.squares[chosen], quick).numpy()
    finally:
        scorer.network.train(mode)
    return checked(scores)


def checked(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same scores; raises KnownError where one is no number."""
    if not np.isfinite(scores).all():
        raise KnownError(
            "The network's scores are no numbers: its training diverged.",
            "Train again with a lower learning rate or more frozen stages, or set precision to "
            "fp32.",
        )
    return scores


def part_score(
    scores: NDArray[np.float32], images: Images, rows: NDArray[np.int64], card: ModelCard
) -> PartScore | None:
    """How well `scores` of the images `rows` agree with their labels; None without labels."""
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
    """The same where images carry any number of labels: n × C marks and scores."""
    said = mark_scores(marks, scores, np.array(card.thresholds or EVEN))
    highest = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    right = np.where(marks, scores, 1 - scores).clip(min=1e-12)
    return PartScore(
        top1=said.top1,
        top5=float(np.take_along_axis(marks, highest, axis=1).any(axis=1).mean()),
        loss=float(-np.log(right).mean()),
        images=said.images,
        exact=said.exact,
        mean_ap=said.mean_ap,
    )


def with_thresholds(
    card: ModelCard, scores: NDArray[np.float32], images: Images, rows: NDArray[np.int64]
) -> ModelCard:
    """`card` with each label's threshold as the validation part among the images `rows` wants it;
    unchanged where labels exclude each other, 0.5 without a validation part."""
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
    """What `part_score` says of each part that has labels, by its name."""
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
    """Write predictions.npz, sealed: the arrays of a prediction table, a row per scored image."""
    samples = [images.samples[row] for row in rows]
    classes = len(card.labels.target.labels)
    arrays: dict[str, NDArray[Any]] = {
        "images": np.array([s.image for s in samples], dtype=np.int64),
        "crops": np.array([-1 if s.crop is None else s.crop for s in samples], dtype=np.int64),
        "parts": np.array([PART_NUMBERS[s.part] for s in samples], dtype=np.int8),
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
