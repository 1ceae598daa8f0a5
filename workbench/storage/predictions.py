"""Storage of predictions: one compact row per image, indexed by confusion cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.domain.predictions import PART_CODES, PredictionTable
from workbench.domain.recipes import JOINT, JOINT_SETS
from workbench.domain.runs import RunLabels
from workbench.domain.splits import Part
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.label_sets import present_names

Scores = NDArray[np.float32]

_INSERT = (
    "INSERT OR REPLACE INTO prediction (run, image, crop, part, truth, predicted, confidence,"
    " view_truth, view_predicted, view_confidence, true_view, scores, view_scores, marks)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CHUNK = 50_000  # rows converted to Python values at a time
_SHOWABLE = "status IN ('finished', 'stopped', 'running', 'paused')"


@dataclass(frozen=True)
class NewestPredictions:
    """Predictions of the newest run: positions in `labels`, and confidences."""

    images: IntArray
    predicted: IntArray
    confidence: NDArray[np.float64]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class _Head:
    """One output of a run: its number, the present names of its labels, and its columns."""

    run: int
    labels: tuple[str, ...]
    predicted: str
    confidence: str


class Predictions:
    """Predictions of all runs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def save(self, run: int, table: PredictionTable) -> None:
        """Store a run's predictions, replacing those of the same images."""
        with self._db.transaction():
            for start in range(0, len(table), _CHUNK):
                inside = np.zeros(len(table), np.bool_)
                inside[start : start + _CHUNK] = True
                self._db.run_many(_INSERT, ((run, *row) for row in _rows(table.where(inside))))

    def load(self, run: int, part: Part | None) -> PredictionTable:
        """Predictions of a run, of one part or all, ordered by image id."""
        which, values = "FROM prediction WHERE run = ?", [run]
        if part is not None:
            which, values = which + " AND part = ?", [run, PART_CODES[part]]
        which += " ORDER BY image, crop"
        read = self._db.columns
        images, crops, parts, truth, view_truth = read(
            f"SELECT image, crop, part, truth, view_truth {which}", values, 5
        )
        if not len(images):
            return _empty()
        scores = self._scores(f"SELECT scores {which}", values)
        views = None
        if self._db.value(f"SELECT view_scores IS NOT NULL {which}", values):
            views = self._scores(f"SELECT view_scores {which}", values)
        marks = self._marks(f"SELECT marks {which}", values)
        names = [row[0] for row in self._db.run(f"SELECT true_view {which}", values)]
        return PredictionTable(
            images, crops, parts, truth, scores, view_truth, views, np.array(names, np.str_), marks
        )

    def _scores(self, sql: str, values: list[int]) -> Scores:
        blobs = [row[0] for row in self._db.run(sql, values)]
        flat = np.frombuffer(b"".join(blobs), np.dtype("<f4"))
        return flat.reshape(len(blobs), -1).astype(np.float32)

    def _marks(self, sql: str, values: list[int]) -> NDArray[np.bool_] | None:
        """One row of marks per prediction; all false for predictions without a truth."""
        blobs = [row[0] for row in self._db.run(sql, values)]
        width = max(len(blob or b"") for blob in blobs)
        if not width:
            return None
        flat = b"".join(blob or bytes(width) for blob in blobs)
        return np.frombuffer(flat, np.uint8).reshape(len(blobs), width).astype(np.bool_)

    def cell(self, run: int, part: Part, truth: int, predicted: int) -> IntArray:
        """Ids of the images of a confusion cell; a truth of -1 selects images without a label."""
        return self._db.ids(
            "SELECT DISTINCT image FROM prediction INDEXED BY prediction_cell"
            " WHERE run = ? AND part = ? AND truth = ? AND predicted = ? ORDER BY image",
            (run, PART_CODES[part], truth, predicted),
        )

    def newest_target(self) -> str | None:
        """Target label set of the newest run with predictions, or None."""
        found = self._db.value(
            f"SELECT target FROM run WHERE {_SHOWABLE}"  # noqa: S608
            " AND EXISTS (SELECT 1 FROM prediction p WHERE p.run = run.number)"
            " ORDER BY created DESC, number DESC"
        )
        return "category" if found == JOINT else found

    def newest_of_images(self, label_set: str | None) -> NewestPredictions | None:
        """Predictions of the newest run that learned a set (None: any), for all its images."""
        head = self._head(label_set or self.newest_target() or "")
        if head is None:
            return None
        images, predicted, confidence = self._db.columns(
            f"SELECT image, {head.predicted}, {head.confidence} FROM prediction WHERE run = ?",  # noqa: S608
            (head.run,),
            3,
            np.float64,
        )
        return NewestPredictions(
            images.astype(np.int64), predicted.astype(np.int64), confidence, head.labels
        )

    def suggestions(
        self, label_set: str, ids: Iterable[int] | IntArray
    ) -> dict[int, tuple[str, float]]:
        """Label and confidence predicted for these images by the newest run of a set.

        Images without predictions are missing; of several crops of an image the most confident
        counts.
        """
        head = self._head(label_set)
        if head is None:
            return {}
        rows = self._db.rows(
            f"SELECT p.image, p.{head.predicted}, p.{head.confidence} FROM json_each(?) wanted"  # noqa: S608
            " JOIN prediction p ON p.run = ? AND p.image = wanted.value"
            f" ORDER BY p.{head.confidence}",
            (listed(ids), head.run),
        )
        return {image: (head.labels[at], float(sure)) for image, at, sure in rows if at >= 0}

    def _head(self, label_set: str) -> _Head | None:
        joint = label_set in JOINT_SETS
        row = self._db.row(
            f"SELECT number, target, labels, created FROM run WHERE {_SHOWABLE}"  # noqa: S608
            " AND target IN (?, ?)"
            " AND EXISTS (SELECT 1 FROM prediction p WHERE p.run = run.number)"
            " ORDER BY created DESC, number DESC",
            (label_set, JOINT if joint else label_set),
        )
        if row is None:
            return None
        number, target, encoded, created = row
        labels = msgspec.json.decode(encoded, type=RunLabels)
        now = present_names(self._db, label_set, created)
        if target == JOINT and label_set == "view" and labels.view is not None:
            names = tuple(now.get(name, name) for name in labels.view.labels)
            return _Head(number, names, "view_predicted", "view_confidence")
        names = tuple(now.get(name, name) for name in labels.target.labels)
        return _Head(number, names, "predicted", "confidence")


def _best(scores: Scores) -> tuple[IntArray, NDArray[np.float64]]:
    if not scores.size:
        return np.full(len(scores), -1, np.int64), np.zeros(len(scores))
    best = scores.argmax(axis=1).astype(np.int64)
    return best, scores[np.arange(len(scores)), best].astype(np.float64)


def _rows(table: PredictionTable) -> Iterator[tuple[int | float | str | bytes | None, ...]]:
    """Rows of a table as stored, without the run's number."""
    views = table.view_scores
    nothing = (np.full(len(table), -1, np.int64), np.zeros(len(table)))
    columns = (
        table.images,
        table.crops,
        table.parts,
        table.truth,
        *_best(table.scores),
        table.view_truth,
        *(_best(views) if views is not None else nothing),
        table.true_view,
    )
    return zip(
        *(np.asarray(column).tolist() for column in columns),
        _blobs(table.scores, "<f4"),
        _blobs(views, "<f4") if views is not None else [None] * len(table),
        _blobs(table.marks, "u1") if table.marks is not None else [None] * len(table),
        strict=True,
    )


def _blobs(numbers: NDArray[Any], kind: str) -> list[bytes]:
    data = np.ascontiguousarray(numbers, np.dtype(kind))
    width, flat = data.itemsize * data.shape[1], data.tobytes()
    return [flat[at : at + width] for at in range(0, len(flat), width)] if width else []


def _empty() -> PredictionTable:
    none = np.zeros(0, np.int64)
    names = np.zeros(0, np.str_)
    return PredictionTable(none, none, none, none, np.zeros((0, 0), np.float32), none, None, names)
