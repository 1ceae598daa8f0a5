"""Scores of a classifier whose labels do not exclude each other: any number per image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

EVEN = 0.5  # the threshold of a label for which no better one could be found


@dataclass(frozen=True)
class MarkScores:
    """How well n images' labels were found: `exact` is the share of images with every label right,
    `mean_ap` the mean average precision over the labels that occur (NaN where none does), `top1`
    the share of the images whose highest score is a label of theirs. All in [0, 1]."""

    exact: float
    mean_ap: float
    top1: float
    images: int


def exact_match(marks: BoolArray, claimed: BoolArray) -> float:
    """Share of n images (rows of n × C) whose labels are all right; NaN without images."""
    return float((marks == claimed).all(axis=1).mean()) if len(marks) else float("nan")


def average_precision(marks: BoolArray, scores: FloatArray) -> float:
    """Area under the precision–recall curve of one label, in [0, 1]: Σ (R_k − R_{k−1}) · P_k over
    the distinct scores, highest first; equal scores are taken together. NaN where no image of the n
    carries the label.
    """
    positives = int(marks.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    hits = np.cumsum(marks[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of each distinct score
    precision = hits[last] / (last + 1)
    recall = hits[last] / positives
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def average_precisions(marks: BoolArray, scores: FloatArray) -> tuple[float, ...]:
    """`average_precision` of each of the C labels of n × C marks and scores."""
    return tuple(average_precision(marks[:, c], scores[:, c]) for c in range(marks.shape[1]))


def mark_scores(marks: BoolArray, scores: FloatArray, thresholds: FloatArray) -> MarkScores:
    """Everything said of n × C scores in [0, 1] with the labels the images carry; a label is
    claimed where its score reaches its threshold."""
    images = len(marks)
    if not images:
        return MarkScores(float("nan"), float("nan"), float("nan"), 0)
    each = np.array(average_precisions(marks, scores))
    found = each[~np.isnan(each)]
    best = marks[np.arange(images), scores.argmax(axis=1)]
    return MarkScores(
        exact_match(marks, scores >= thresholds),
        float(found.mean()) if len(found) else float("nan"),
        float(best.mean()),
        images,
    )


def best_threshold(marks: BoolArray, scores: FloatArray) -> float:
    """The threshold of one label that gives n images the highest F1 (Lipton et al. 2014), midway to
    the next lower score; 0.5 where the label occurs on none or on all of them."""
    positives = int(marks.sum())
    if positives in (0, len(marks)):
        return EVEN
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    hits = np.cumsum(marks[order])
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    f1 = 2 * hits[last] / (last + 1 + positives)
    at = int(last[int(f1.argmax())])
    below = float(ranked[at + 1]) if at + 1 < len(ranked) else 0.0
    return (float(ranked[at]) + below) / 2


def best_thresholds(marks: BoolArray, scores: FloatArray) -> tuple[float, ...]:
    """`best_threshold` of each of the C labels of n × C marks and scores."""
    return tuple(best_threshold(marks[:, c], scores[:, c]) for c in range(marks.shape[1]))
