"""Classification metrics: single-label and multi-label scores, paired tests, calibration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, isnan, lgamma, log, nan

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def confusion_matrix(truth: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Confusion matrix, classes × classes counts; rows are truth, columns predictions.

    Items with truth < 0 are ignored.
    """
    known = truth >= 0
    flat = truth[known] * classes + predicted[known]
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def top_k_accuracy(truth: IntArray, scores: FloatArray, k: int) -> float:
    """Share of images (0–1) whose true class is among the k highest scores; NaN without images.

    NaN scores are never among the highest.
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
    """Precision, recall and F1 of one class in [0, 1]; support is its image count.

    Undefined scores are NaN: recall and F1 of a class without images, and precision of a class that
    is never predicted. F1 of a class whose images are all missed is 0.
    """

    precision: float
    recall: float
    f1: float
    support: int


def class_scores(matrix: IntArray) -> tuple[ClassScore, ...]:
    """Per-class scores of a confusion matrix (rows truth, columns prediction)."""
    result = []
    for i in range(len(matrix)):
        hit, support, claimed = matrix[i, i], matrix[i].sum(), matrix[:, i].sum()
        precision = hit / claimed if claimed else nan
        recall = hit / support if support else nan
        f1 = 2 * hit / (support + claimed) if support else nan
        result.append(ClassScore(float(precision), float(recall), float(f1), int(support)))
    return tuple(result)


def macro_average(scores: Iterable[ClassScore]) -> ClassScore:
    """Mean precision, recall and F1, each over the classes for which it is defined (NaN if there is
    none); support is the number of all images."""
    every = list(scores)
    return ClassScore(
        _mean(score.precision for score in every),
        _mean(score.recall for score in every),
        _mean(score.f1 for score in every),
        sum(score.support for score in every),
    )


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not isnan(value)]
    return sum(defined) / len(defined) if defined else nan


BoolArray = NDArray[np.bool_]


EVEN = 0.5  # default threshold of a label


@dataclass(frozen=True)
class MarkScores:
    """Multi-label scores of n images, all in [0, 1].

    `exact` is the share of images with every label right; `mean_ap` the mean average precision over
    the labels that occur (NaN if none does); `top1` the share of images whose highest-scoring label
    is correct.
    """

    exact: float
    mean_ap: float
    top1: float
    images: int


def exact_match(marks: BoolArray, claimed: BoolArray) -> float:
    """Exact-match ratio: share of rows (of n × C) whose labels are all right; NaN without
    images."""
    return float((marks == claimed).all(axis=1).mean()) if len(marks) else float("nan")


def average_precision(marks: BoolArray, scores: FloatArray) -> float:
    """Average precision of one label, the area under the precision–recall curve, in [0, 1].

    Σ (R_k − R_{k−1}) · P_k over the distinct scores, highest first; equal scores share one
    threshold. NaN if none of the n images has the label.
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
    """`average_precision` of each of C labels, from n × C labels and scores."""
    return tuple(average_precision(marks[:, c], scores[:, c]) for c in range(marks.shape[1]))


def mark_scores(marks: BoolArray, scores: FloatArray, thresholds: FloatArray) -> MarkScores:
    """Multi-label scores from n × C true labels and scores in [0, 1].

    A label is predicted where its score reaches its threshold.
    """
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
    """The threshold of one label with the highest F1 on n images (Lipton et al. 2014).

    It lies midway to the next lower score; 0.5 if none or all images have the label.
    """
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
    """`best_threshold` of each of C labels, from n × C labels and scores."""
    return tuple(best_threshold(marks[:, c], scores[:, c]) for c in range(marks.shape[1]))


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value of McNemar's test (McNemar 1947), in [0, 1].

    `only_first` and `only_second` count the images that only one of the two classifiers got right.
    Under the null hypothesis each such image is a fair coin toss, so p is twice the binomial tail
    of the smaller count, at most 1; without such images it is 1.
    """
    n, least = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return 1.0
    tail = sum(exp(_log_choose(n, k) - n * log(2.0)) for k in range(least + 1))
    return min(1.0, 2.0 * tail)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


@dataclass(frozen=True)
class ReliabilityBin:
    """A bin of images with confidence in [low, high).

    Mean confidence and accuracy are in [0, 1], NaN for an empty bin.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    images: int


def bin_of(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Index, 0 … bins − 1, of the equal-width bin of each confidence in [0, 1]."""
    return np.clip((confidence * bins).astype(np.int64), 0, bins - 1)


def reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Accuracy in equal-width bins of `confidence`: a reliability diagram (Guo et al. 2017)."""
    at = bin_of(confidence, bins)
    count = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(at, weights=confidence, minlength=bins) / count
        accuracy = np.bincount(at, weights=right.astype(np.float64), minlength=bins) / count
    return tuple(
        ReliabilityBin(i / bins, (i + 1) / bins, float(mean[i]), float(accuracy[i]), int(count[i]))
        for i in range(bins)
    )


def smoothed(values: FloatArray, weight: float) -> FloatArray:
    """Exponential moving average with `weight` in [0, 1) for the past; 0 leaves values unchanged.

    Bias-corrected (Kingma and Ba 2015, sect. 3), so the first value is unchanged. NaN values are
    skipped and stay NaN.
    """
    if weight <= 0.0:
        return values.astype(np.float64)
    result = np.full(len(values), np.nan)
    mean, mass = 0.0, 0.0
    for i, value in enumerate(values):
        if np.isnan(value):
            continue
        mean = weight * mean + (1.0 - weight) * value
        mass = weight * mass + (1.0 - weight)
        result[i] = mean / mass
    return result


def nearest(xs: FloatArray, x: float) -> int | None:
    """Index of the value closest to `x` in the increasing `xs`; None if `xs` is empty."""
    if not len(xs):
        return None
    at = int(np.searchsorted(xs, x))
    if at == 0:
        return 0
    if at == len(xs):
        return at - 1
    return at if xs[at] - x < x - xs[at - 1] else at - 1
