"""Predictions of a run, as arrays in one order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.domain.metrics import IntArray
from workbench.domain.splits import Part

PART_CODES: dict[Part, int] = {Part.TRAIN: 0, Part.VALIDATION: 1, Part.TEST: 2}
NO_PART = 3  # images outside the split


def part_code(part: str) -> int:
    """The number of a part in stored predictions; `part` is "" for an image outside the split."""
    return PART_CODES[Part(part)] if part else NO_PART


@dataclass(frozen=True)
class PredictionTable:
    """Predictions of n images, one row each.

    `images` and `crops` are ids (crop -1 for a whole image); `parts` is 0 train, 1 validation, 2
    test, 3 none; `truth` and `view_truth` are label positions, -1 unknown. `scores` is n × C
    float32 in [0, 1]; `view_scores` n × K, or None without a view head. `true_view` are view names,
    "" unknown. `marks` (n × C) are the labels of each image for multi-label sets; `truth` is then
    the first of them.
    """

    images: IntArray
    crops: IntArray
    parts: IntArray
    truth: IntArray
    scores: NDArray[np.float32]
    view_truth: IntArray
    view_scores: NDArray[np.float32] | None
    true_view: NDArray[np.str_]
    marks: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def predicted(self) -> IntArray:
        """Position of the highest score of each row."""
        if not len(self):
            return np.zeros(0, np.int64)
        best: IntArray = self.scores.argmax(axis=1).astype(np.int64)
        return best

    def of_part(self, part: Part) -> PredictionTable:
        """Rows of one part."""
        return self.where(self.parts == PART_CODES[part])

    def where(self, mask: NDArray[np.bool_]) -> PredictionTable:
        """Rows where `mask` is true."""
        views = self.view_scores
        return PredictionTable(
            self.images[mask],
            self.crops[mask],
            self.parts[mask],
            self.truth[mask],
            self.scores[mask],
            self.view_truth[mask],
            views[mask] if views is not None else None,
            self.true_view[mask],
            self.marks[mask] if self.marks is not None else None,
        )
