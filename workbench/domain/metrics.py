"""Scores of a classifier from its predictions: accuracy, confusion, recall, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def confusion_matrix(truth: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """classes × classes counts, row = truth, column = prediction; truth < 0 is left out."""
    known = truth >= 0
    flat = truth[known] * classes + predicted[known]
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def top_k_accuracy(truth: IntArray, scores: FloatArray, k: int) -> float:
    """Share of images (0–1) whose true class is among the k highest scores; NaN without images.

    A score that is no number is never among them.
    """
    known = truth >= 0
    if not known.any():
        return float("nan")
    scores, truth = scores[known], truth[known]
    own = scores[np.arange(len(truth)), truth][:, None]
    rank = (~(scores <= own)).sum(axis=1)
    return float((rank < k).mean())


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall, F1 of one class in [0, 1] (0 where undefined); support = its images."""

    precision: float
    recall: float
    f1: float
    support: int


def class_scores(matrix: IntArray) -> tuple[ClassScore, ...]:
    """Per-class scores of a confusion matrix (rows truth, columns prediction)."""
    result = []
    for i in range(len(matrix)):
        hit, support, claimed = matrix[i, i], matrix[i].sum(), matrix[:, i].sum()
        precision = hit / claimed if claimed else 0.0
        recall = hit / support if support else 0.0
        total = precision + recall
        f1 = 2 * precision * recall / total if total else 0.0
        result.append(ClassScore(float(precision), float(recall), float(f1), int(support)))
    return tuple(result)


def calibration_error(truth: IntArray, scores: FloatArray, bins: int = 10) -> float:
    """Expected calibration error (Guo et al. 2017): mean |accuracy − confidence| over equal-width
    confidence bins, weighted by their images."""
    known = truth >= 0
    if not known.any():
        return float("nan")
    confidence = scores[known].max(axis=1)
    right = scores[known].argmax(axis=1) == truth[known]
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = at == b
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


def accuracy_by(
    groups: NDArray[np.str_], truth: IntArray, predicted: IntArray
) -> dict[str, tuple[float, int]]:
    """Accuracy and number of images for each value of `groups` ("" is left out)."""
    result: dict[str, tuple[float, int]] = {}
    for name in sorted(set(groups.tolist()) - {""}):
        inside = (groups == name) & (truth >= 0)
        if inside.any():
            result[name] = (float((truth[inside] == predicted[inside]).mean()), int(inside.sum()))
    return result
