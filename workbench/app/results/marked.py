"""Predictions of labels that do not exclude each other: each label a question of its own."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.domain.metrics import ClassScore, class_scores, confusion_matrix
from workbench.domain.multilabel import (
    MarkScores,
    average_precision,
    best_thresholds,
    mark_scores,
)
from workbench.domain.predictions import PART_CODES, PredictionTable
from workbench.domain.runs import LabelList
from workbench.domain.splits import Part

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


class Marked:
    """The n rows of a table whose `marks` are n × C."""

    def __init__(self, table: PredictionTable, marks: BoolArray) -> None:
        self._table, self.marks = table, marks
        self._scores = table.scores.astype(np.float64)
        self._known = marks.any(axis=1)

    @cached_property
    def thresholds(self) -> FloatArray:
        """The scores from which each label is claimed: what the run's validation part wants, as the
        training found it."""
        inside = self._known & (self._table.parts == PART_CODES[Part.VALIDATION])
        return np.array(best_thresholds(self.marks[inside], self._scores[inside]))

    @cached_property
    def truth(self) -> IntArray:
        """Of each row the label with the highest score where it carries it, else its first; −1
        without any. So the share of rows that are right is the top-1 accuracy."""
        best = self._scores.argmax(axis=1)
        hit = self.marks[np.arange(len(best)), best]
        return np.where(hit, best, self._table.truth).astype(np.int64)

    def outputs(self, label: int) -> tuple[IntArray, NDArray[np.float32], IntArray]:
        """(truth n, scores n × 2, predicted n) of one label: 1 with it, 0 without, −1 unknown."""
        score = self._table.scores[:, label]
        truth = np.where(self._known, self.marks[:, label], -1).astype(np.int64)
        both = np.stack((1 - score, score), axis=1)
        return truth, both, (score >= self.thresholds[label]).astype(np.int64)

    def scores(self, rows: BoolArray) -> MarkScores:
        """What is said of the rows in a mask."""
        rows = rows & self._known
        return mark_scores(self.marks[rows], self._scores[rows], self.thresholds)

    def classes(self, rows: BoolArray) -> list[ClassScore]:
        """Each label's scores over the rows in a mask; its support is the images that carry it."""
        found = []
        for at in range(self.marks.shape[1]):
            truth, _, predicted = self.outputs(at)
            found.append(class_scores(confusion_matrix(truth[rows], predicted[rows], 2))[1])
        return found

    def precisions(self, rows: BoolArray) -> list[float]:
        """Each label's average precision over the rows in a mask, in [0, 1]; NaN where it is on
        none of them."""
        rows = rows & self._known
        return [
            average_precision(self.marks[rows, at], self._scores[rows, at])
            for at in range(self.marks.shape[1])
        ]


def with_and_without(labels: LabelList, at: int) -> LabelList:
    """The two outcomes of one label of a set."""
    name = labels.labels[at]
    return LabelList(labels.name, (f"not {name}", name), (0, 1))
