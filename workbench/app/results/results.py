"""Results of one run, computed from its predictions, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import KnownError
from workbench.domain.metrics import (
    ClassScore,
    MarkScores,
    ReliabilityBin,
    average_precision,
    best_thresholds,
    bin_of,
    class_scores,
    confusion_matrix,
    mark_scores,
    reliability,
    top_k_accuracy,
)
from workbench.domain.predictions import PART_CODES, PredictionTable
from workbench.domain.runs import LabelList, RunRecord
from workbench.domain.splits import PARTS, Part
from workbench.domain.text import Message

if TYPE_CHECKING:
    from workbench.app.session import Session


IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


class HeadOutputs(NamedTuple):
    """Outputs of a head for n rows: truth n (−1 unknown), scores n × C, predicted n."""

    truth: IntArray
    scores: NDArray[np.float32]
    predicted: IntArray


class Marked:
    """Predictions of a multi-label target: n rows with `marks` n × C."""

    def __init__(self, table: PredictionTable, marks: BoolArray) -> None:
        self._table, self.marks = table, marks
        self._scores = table.scores.astype(np.float64)
        self._known = marks.any(axis=1)

    @cached_property
    def thresholds(self) -> FloatArray:
        """The score from which each label is predicted, the best on the validation part, as in
        training."""
        inside = self._known & (self._table.parts == PART_CODES[Part.VALIDATION])
        return np.array(best_thresholds(self.marks[inside], self._scores[inside]))

    @cached_property
    def truth(self) -> IntArray:
        """The true label of each row: its highest-scoring label if the row has it, else its first;
        −1 without labels. The share of correct rows is then the top-1 accuracy."""
        best = self._scores.argmax(axis=1)
        hit = self.marks[np.arange(len(best)), best]
        return np.where(hit, best, self._table.truth).astype(np.int64)

    def outputs(self, label: int) -> HeadOutputs:
        """Outputs for a single label, C = 2: 1 with it, 0 without, −1 unknown."""
        score = self._table.scores[:, label]
        truth = np.where(self._known, self.marks[:, label], -1).astype(np.int64)
        both = np.stack((1 - score, score), axis=1)
        predicted = (score >= self.thresholds[label]).astype(np.int64)
        return HeadOutputs(truth, both, predicted)

    def scores(self, rows: BoolArray) -> MarkScores:
        """The multi-label scores of the rows in a mask."""
        rows = rows & self._known
        return mark_scores(self.marks[rows], self._scores[rows], self.thresholds)

    def classes(self, rows: BoolArray) -> list[ClassScore]:
        """The scores of each label over the rows in a mask; support is the images that have it."""
        found = []
        for at in range(self.marks.shape[1]):
            truth, _, predicted = self.outputs(at)
            found.append(class_scores(confusion_matrix(truth[rows], predicted[rows], 2))[1])
        return found

    def precisions(self, rows: BoolArray) -> list[float]:
        """The average precision of each label over the rows in a mask, in [0, 1]; NaN if no row
        has the label."""
        rows = rows & self._known
        return [
            average_precision(self.marks[rows, at], self._scores[rows, at])
            for at in range(self.marks.shape[1])
        ]


def with_and_without(labels: LabelList, at: int) -> LabelList:
    """The two outcomes of one label of a multi-label set; the first is a message."""
    name = labels.labels[at]
    return LabelList(labels.name, (Message("not {label}", label=name), name), (0, 1))


BINS = 10  # of the reliability diagram

TARGET_HEAD = "target"
VIEW_HEAD = "view"
LABEL_HEAD = "label:"  # followed by the index of a single label of a multi-label set


@dataclass(frozen=True)
class Scope:
    """A selection of predictions: of one part (None: all), of images of one view ("": all), and of
    one of the run's `heads`."""

    part: Part | None = Part.TEST
    view: str = ""
    head: str = TARGET_HEAD


@dataclass(frozen=True)
class ScoreRows:
    """Accuracies and expected calibration error in [0, 1] over `images`; NaN without images."""

    top1: float
    top5: float
    calibration: float
    images: int


@dataclass(frozen=True)
class ViewScore:
    """Accuracy in [0, 1] on the images of one view."""

    view: str
    accuracy: float
    images: int


class RunResults:
    """The results of one run; rows are the n rows of its prediction table.

    The true label is the one an image had when the run was created; later edits do not change it.
    """

    def __init__(self, record: RunRecord, table: PredictionTable) -> None:
        self.record = record
        self.table = table
        self._heads: dict[str, HeadOutputs] = {}
        self.marked = Marked(table, table.marks) if table.marks is not None else None
        self._confidences: dict[str, FloatArray] = {}

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts with images whose true label is known."""
        present = set(np.unique(self.table.parts[self.table.truth >= 0]).tolist())
        return tuple(part for part in PARTS if PART_CODES[part] in present)

    @cached_property
    def views(self) -> tuple[str, ...]:
        """The views of the predicted images, sorted."""
        return tuple(name for name in self._view_codes[0] if name)

    @cached_property
    def _view_codes(self) -> tuple[tuple[str, ...], IntArray]:
        """The sorted names of views, and the index of each row: comparing text would be slow."""
        names, codes = np.unique(self.table.true_view, return_inverse=True)
        return tuple(str(name) for name in names), codes.astype(np.int64)

    @property
    def has_view_head(self) -> bool:
        """Whether the run predicts views together with its target."""
        return self.record.labels.view is not None and self.table.view_scores is not None

    def best_part(self) -> Part:
        """The part whose figures count: test, else validation, else train."""
        for part in (Part.TEST, Part.VALIDATION, Part.TRAIN):
            if part in self.parts:
                return part
        return Part.TEST

    @property
    def heads(self) -> list[tuple[str, str]]:
        """The heads as pairs of title and head: the target, the view for joint runs, and single
        labels for multi-label targets."""
        found = [(self.label_set(TARGET_HEAD), TARGET_HEAD)]
        if self.has_view_head:
            found.append((self.label_set(VIEW_HEAD), VIEW_HEAD))
        if self.marked is not None:
            names = self.record.labels.target.labels
            found += [(name, f"{LABEL_HEAD}{at}") for at, name in enumerate(names)]
        return found

    def label_list(self, head: str = TARGET_HEAD) -> LabelList:
        """The labels of a head, in the order of its outputs."""
        view = self.record.labels.view
        if head.startswith(LABEL_HEAD):
            return with_and_without(self.record.labels.target, int(head.removeprefix(LABEL_HEAD)))
        return view if head == VIEW_HEAD and view is not None else self.record.labels.target

    def label_set(self, head: str = TARGET_HEAD) -> str:
        """The name of the label set of a head."""
        return self.label_list(head).name

    def outputs(self, head: str) -> HeadOutputs:
        """Truth, scores and predictions of all rows for one head."""
        if head not in self._heads and self.marked and head.startswith(LABEL_HEAD):
            self._heads[head] = self.marked.outputs(int(head.removeprefix(LABEL_HEAD)))
        if head not in self._heads:
            truth, scores = self.table.truth, self.table.scores
            truth = truth if self.marked is None else self.marked.truth
            if head == VIEW_HEAD and self.table.view_scores is not None:
                truth, scores = self.table.view_truth, self.table.view_scores
            predicted = scores.argmax(axis=1).astype(np.int64)
            self._heads[head] = HeadOutputs(truth.astype(np.int64), scores, predicted)
        return self._heads[head]

    def inside(self, scope: Scope) -> BoolArray:
        """Mask of the rows in a scope whose true label is known."""
        mask: BoolArray = self.outputs(scope.head).truth >= 0
        if scope.part is not None:
            mask = mask & (self.table.parts == PART_CODES[scope.part])
        if scope.view:
            names, codes = self._view_codes
            mask = mask & (codes == (names.index(scope.view) if scope.view in names else -1))
        return mask

    def rows(
        self,
        scope: Scope,
        truth: int | None = None,
        predicted: int | None = None,
        right: bool | None = None,
    ) -> IntArray:
        """Rows of the scope with this truth, prediction and outcome, by descending confidence."""
        true, _, found = self.outputs(scope.head)
        mask = self.inside(scope)
        if truth is not None:
            mask = mask & (true == truth)
        if predicted is not None:
            mask = mask & (found == predicted)
        if right is not None:
            mask = mask & ((true == found) == right)
        return self._by_confidence(np.flatnonzero(mask), scope.head)

    def rows_with(self, scope: Scope, label: int) -> IntArray:
        """Rows of the scope that have a label of its head, by descending confidence."""
        if self.marked is None or scope.head != TARGET_HEAD:
            return self.rows(scope, truth=label)
        mask = self.inside(scope) & self.marked.marks[:, label]
        return self._by_confidence(np.flatnonzero(mask), scope.head)

    def rows_in_bin(self, scope: Scope, at: int) -> IntArray:
        """Rows of the scope in one bin of the reliability diagram, by descending confidence."""
        rows = np.flatnonzero(self.inside(scope))
        confidence = self._confidence(scope.head)[rows]
        return self._by_confidence(rows[bin_of(confidence, BINS) == at], scope.head)

    def _confidence(self, head: str) -> FloatArray:
        """The highest score of each row, in [0, 1]."""
        if head not in self._confidences:
            scores = self.outputs(head).scores
            highest = scores.max(axis=1) if scores.size else np.zeros(len(scores))
            self._confidences[head] = highest.astype(np.float64)
        return self._confidences[head]

    def _by_confidence(self, rows: IntArray, head: str) -> IntArray:
        return rows[np.argsort(-self._confidence(head)[rows], kind="stable")]

    def matrix(self, scope: Scope) -> IntArray:
        """The confusion matrix: C×C counts, row = true label, column = predicted one."""
        truth, _, predicted = self.outputs(scope.head)
        mask = self.inside(scope)
        classes = len(self.label_list(scope.head).labels)
        return confusion_matrix(truth[mask], predicted[mask], classes)

    def classes(self, scope: Scope) -> list[tuple[str, ClassScore]]:
        """Each label of the head with its precision, recall, F1 and support."""
        labels = self.label_list(scope.head).labels
        if self.marked is not None and scope.head == TARGET_HEAD:
            return list(zip(labels, self.marked.classes(self.inside(scope)), strict=True))
        return list(zip(labels, class_scores(self.matrix(scope)), strict=True))

    def scores(self, scope: Scope) -> ScoreRows:
        """Accuracies and calibration error of a scope."""
        truth, scores, predicted = self.outputs(scope.head)
        mask = self.inside(scope)
        images = int(mask.sum())
        if not images:
            return ScoreRows(float("nan"), float("nan"), float("nan"), 0)
        bins = self.reliability(scope)
        gaps = (b.images * abs(b.accuracy - b.confidence) for b in bins if b.images)
        top5 = (
            top_k_accuracy(truth[mask], scores[mask].astype(np.float64), 5)
            if scores.shape[1] > 5
            else 1.0
        )
        right = int((truth == predicted)[mask].sum())
        return ScoreRows(right / images, top5, sum(gaps) / images, images)

    def reliability(self, scope: Scope) -> tuple[ReliabilityBin, ...]:
        """The `BINS` bins of the reliability diagram, by ascending confidence."""
        truth, _, predicted = self.outputs(scope.head)
        mask = self.inside(scope)
        confidence = self._confidence(scope.head)[mask]
        return reliability(confidence, (truth == predicted)[mask], BINS)

    def by_view(self, scope: Scope) -> list[ViewScore]:
        """Accuracy on the images of each view; the view of the scope is ignored."""
        truth, _, predicted = self.outputs(scope.head)
        mask = self.inside(Scope(scope.part, "", scope.head))
        names, codes = self._view_codes
        right = np.bincount(codes[mask & (truth == predicted)], minlength=len(names))
        images = np.bincount(codes[mask], minlength=len(names))
        return [
            ViewScore(name, int(right[at]) / int(images[at]), int(images[at]))
            for at, name in enumerate(names)
            if name and images[at]
        ]


def load_results(session: Session, run_id: str) -> RunResults:
    """Load a run with all its predictions; raises KnownError if it has none yet."""
    store = session.store
    record = store.runs.get(run_id)
    table = store.runs.predictions(run_id, None)
    if not len(table.images):
        raise KnownError(
            "The run “{name}” has no predictions.",
            "Select a run whose training has finished.",
            name=record.name,
        )
    return RunResults(record, table)
