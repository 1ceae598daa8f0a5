"""Everything the Results page shows of one run, as plain values made from its predictions."""

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

if TYPE_CHECKING:
    from workbench.app.session import Session


IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


class HeadOutputs(NamedTuple):
    """What a head gave for n rows: truth n (−1 unknown), scores n × C, predicted n."""

    truth: IntArray
    scores: NDArray[np.float32]
    predicted: IntArray


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

    def outputs(self, label: int) -> HeadOutputs:
        """Those of one label, C = 2: 1 with it, 0 without, −1 unknown."""
        score = self._table.scores[:, label]
        truth = np.where(self._known, self.marks[:, label], -1).astype(np.int64)
        both = np.stack((1 - score, score), axis=1)
        claimed = (score >= self.thresholds[label]).astype(np.int64)
        return HeadOutputs(truth, both, claimed)

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


BINS = 10

TARGET_HEAD = "target"
VIEW_HEAD = "view"
LABEL_HEAD = "label:"  # and a label's position: one label of a set that does not exclude any


@dataclass(frozen=True)
class Scope:
    """Which predictions are looked at: of one part (None: every part), of images of one view ("":
    of any), and of which of the run's `heads`."""

    part: Part | None = Part.TEST
    view: str = ""
    head: str = TARGET_HEAD


@dataclass(frozen=True)
class ScoreRows:
    """Accuracies and the expected calibration error in [0, 1] over `images`; NaN without images."""

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
    """One run and its predictions; rows are positions in the table, n of them.

    Truth is the label an image had when the run was made: it does not move under later edits.
    """

    def __init__(self, record: RunRecord, table: PredictionTable) -> None:
        self.record = record
        self.table = table
        self._heads: dict[str, HeadOutputs] = {}
        self.marked = Marked(table, table.marks) if table.marks is not None else None
        self._confidences: dict[str, FloatArray] = {}

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts that hold images with a known truth."""
        present = set(np.unique(self.table.parts[self.table.truth >= 0]).tolist())
        return tuple(part for part in PARTS if PART_CODES[part] in present)

    @cached_property
    def views(self) -> tuple[str, ...]:
        """The views of the predicted images, sorted."""
        return tuple(name for name in self._view_codes[0] if name)

    @cached_property
    def _view_codes(self) -> tuple[tuple[str, ...], IntArray]:
        """The names of views, sorted, and each row's position among them: text is slow."""
        names, codes = np.unique(self.table.true_view, return_inverse=True)
        return tuple(str(name) for name in names), codes.astype(np.int64)

    @property
    def has_view_head(self) -> bool:
        return self.record.labels.view is not None and self.table.view_scores is not None

    def best_part(self) -> Part:
        """The part whose figures count: test, or the nearest to it that there is."""
        for part in (Part.TEST, Part.VALIDATION, Part.TRAIN):
            if part in self.parts:
                return part
        return Part.TEST

    @property
    def heads(self) -> list[tuple[str, str]]:
        """What was predicted, as (what it is called, head): the target, the view where a run
        learned both together, and single labels where they do not exclude each other."""
        found = [(self.label_set(TARGET_HEAD), TARGET_HEAD)]
        if self.has_view_head:
            found.append((self.label_set(VIEW_HEAD), VIEW_HEAD))
        if self.marked is not None:
            names = self.record.labels.target.labels
            found += [(name, f"{LABEL_HEAD}{at}") for at, name in enumerate(names)]
        return found

    def label_list(self, head: str = TARGET_HEAD) -> LabelList:
        view = self.record.labels.view
        if head.startswith(LABEL_HEAD):
            return with_and_without(self.record.labels.target, int(head.removeprefix(LABEL_HEAD)))
        return view if head == VIEW_HEAD and view is not None else self.record.labels.target

    def label_set(self, head: str = TARGET_HEAD) -> str:
        """Name of the project's label set that a head's labels belong to."""
        return self.label_list(head).name

    def outputs(self, head: str) -> HeadOutputs:
        """Truth, scores and predictions of every row by one head."""
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
        """Mask of the scope's rows whose truth is known."""
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
        """Rows of the scope with this truth, prediction and outcome, the surest first."""
        true, _, claimed = self.outputs(scope.head)
        mask = self.inside(scope)
        if truth is not None:
            mask = mask & (true == truth)
        if predicted is not None:
            mask = mask & (claimed == predicted)
        if right is not None:
            mask = mask & ((true == claimed) == right)
        return self._surest_first(np.flatnonzero(mask), scope.head)

    def rows_with(self, scope: Scope, label: int) -> IntArray:
        """Rows of the scope that truly carry a label of its head, the surest first."""
        if self.marked is None or scope.head != TARGET_HEAD:
            return self.rows(scope, truth=label)
        mask = self.inside(scope) & self.marked.marks[:, label]
        return self._surest_first(np.flatnonzero(mask), scope.head)

    def rows_in_bin(self, scope: Scope, at: int) -> IntArray:
        """Rows of the scope whose confidence lies in one bin of the reliability diagram."""
        rows = np.flatnonzero(self.inside(scope))
        confidence = self._confidence(scope.head)[rows]
        return self._surest_first(rows[bin_of(confidence, BINS) == at], scope.head)

    def _confidence(self, head: str) -> FloatArray:
        """Each row's highest score in [0, 1]."""
        if head not in self._confidences:
            scores = self.outputs(head).scores
            highest = scores.max(axis=1) if scores.size else np.zeros(len(scores))
            self._confidences[head] = highest.astype(np.float64)
        return self._confidences[head]

    def _surest_first(self, rows: IntArray, head: str) -> IntArray:
        return rows[np.argsort(-self._confidence(head)[rows], kind="stable")]

    def matrix(self, scope: Scope) -> IntArray:
        """C×C counts, row = truth, column = prediction."""
        truth, _, predicted = self.outputs(scope.head)
        mask = self.inside(scope)
        classes = len(self.label_list(scope.head).labels)
        return confusion_matrix(truth[mask], predicted[mask], classes)

    def classes(self, scope: Scope) -> list[tuple[str, ClassScore]]:
        """Each label of the head with its scores."""
        labels = self.label_list(scope.head).labels
        if self.marked is not None and scope.head == TARGET_HEAD:
            return list(zip(labels, self.marked.classes(self.inside(scope)), strict=True))
        return list(zip(labels, class_scores(self.matrix(scope)), strict=True))

    def scores(self, scope: Scope) -> ScoreRows:
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
        truth, _, predicted = self.outputs(scope.head)
        mask = self.inside(scope)
        confidence = self._confidence(scope.head)[mask]
        return reliability(confidence, (truth == predicted)[mask], BINS)

    def by_view(self, scope: Scope) -> list[ViewScore]:
        """Accuracy on the images of each view, whatever view the scope asks for."""
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


def load_results(project: Session, run_id: str) -> RunResults:
    """A run with all its predictions; raises KnownError where it has none yet."""
    store = project.store
    record = store.runs.get(run_id)
    table = store.runs.predictions(run_id, None)
    if not len(table.images):
        raise KnownError(
            "Run {name} has no predictions.",
            "They are written when a training finishes.",
            name=record.name,
        )
    return RunResults(record, table)
