"""Predictions of a folder as CSV: written row by row, in place only when it is whole."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import KnownError
from workbench.domain.multilabel import EVEN
from workbench.domain.runs import RunLabels

BOX = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class CsvRow:
    """One file, or one mouth in it (`box` in displayed pixels), with its scores; `note` says why
    there are none."""

    file: str
    scores: NDArray[np.float32] | None = None
    view_scores: NDArray[np.float32] | None = None
    box: tuple[int, int, int, int] | None = None
    note: str = ""


class PredictionCsv:
    """A CSV file in the making: file, predicted, confidence, a column per label, the same of views
    where the head is joint, the box where mouths are cut out, and a note. Where labels do not
    exclude each other, all that reach their threshold are predicted, joined by "|", and the
    confidence is the highest score.

    What was written before an error or a stop is kept beside it, under `partial`.
    """

    def __init__(
        self, path: Path, labels: RunLabels, boxes: bool, thresholds: tuple[float, ...] = ()
    ) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.stem}.partial{path.suffix}")
        self._labels = labels
        self._boxes = boxes
        self._thresholds = thresholds

    def __enter__(self) -> PredictionCsv:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.partial.open("w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise KnownError(
                f"{self.path} cannot be written: {error.strerror}.", "Choose another file."
            ) from error
        self._writer = csv.writer(self._file)
        self._writer.writerow(self.columns())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            os.replace(self.partial, self.path)

    def columns(self) -> list[str]:
        """The first line."""
        named = ["file", "predicted", "confidence", *self._labels.target.labels]
        if self._labels.view is not None:
            named += ["view", "view confidence"]
            named += [f"view {name}" for name in self._labels.view.labels]
        return [*named, *(BOX if self._boxes else ()), "note"]

    def write(self, rows: Sequence[CsvRow]) -> None:
        """Add rows; raises KnownError when the disk refuses."""
        try:
            self._writer.writerows(self._cells(row) for row in rows)
            self._file.flush()
        except OSError as error:
            raise KnownError(
                f"{self.partial} cannot be written: {error.strerror}.", "Make room on the disk."
            ) from error

    def _cells(self, row: CsvRow) -> list[str]:
        cells = [row.file, *_scores(self._labels.target.labels, row.scores)]
        if not self._labels.target.exclusive and row.scores is not None:
            cells[1] = self._claimed(row.scores)
        if self._labels.view is not None:
            cells += _scores(self._labels.view.labels, row.view_scores)
        if self._boxes:
            cells += [str(side) for side in row.box] if row.box is not None else [""] * 4
        return [*cells, row.note]

    def _claimed(self, scores: NDArray[np.float32]) -> str:
        labels = self._labels.target.labels
        least = self._thresholds or (EVEN,) * len(labels)
        found = zip(labels, scores.tolist(), least, strict=True)
        return "|".join(label for label, score, threshold in found if score >= threshold)


def _scores(labels: Sequence[str], scores: NDArray[np.float32] | None) -> list[str]:
    if scores is None:
        return [""] * (2 + len(labels))
    best = int(scores.argmax())
    return [labels[best], *(f"{value:.6f}" for value in (scores[best], *scores.tolist()))]
