"""The tables of the Results page as CSV text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from workbench.app.results.results import TARGET_HEAD, RunResults, Scope
from workbench.app.results.run_columns import RunColumn, RunOutput, run_columns
from workbench.app.results.run_comparison import RunComparison
from workbench.domain.reports import Epoch, elapsed_seconds
from workbench.domain.runs import RunRecord
from workbench.domain.spreadsheets import csv_text
from workbench.domain.values import Cell, Cells

EPOCH_COLUMNS = (
    "epoch",
    "train_loss",
    "validation_loss",
    "train_accuracy",
    "validation_accuracy",
    "view_accuracy",
    "learning_rate",
    "images_per_second",
    "seconds",
)


def to_csv(header: Cells, rows: Iterable[Cells]) -> str:
    """A table as `csv_text`; None and NaN become empty cells."""
    return csv_text([header, *(["" if _undefined(cell) else cell for cell in row] for row in rows)])


def _undefined(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def matrix_csv(results: RunResults, scope: Scope) -> str:
    """The counts of the confusion matrix: one row per true label, one column per predicted one."""
    labels = results.label_list(scope.head).labels
    rows = results.matrix(scope).tolist()
    return to_csv(
        ("truth \\ predicted", *labels),
        ((label, *row) for label, row in zip(labels, rows, strict=True)),
    )


def classes_csv(results: RunResults, scope: Scope) -> str:
    """One row per label; average precision and threshold only for multi-label targets."""
    header = ["class", "precision", "recall", "f1", "support"]
    rows: list[list[Cell]] = [
        [label, score.precision, score.recall, score.f1, score.support]
        for label, score in results.classes(scope)
    ]
    if results.marked is not None and scope.head == TARGET_HEAD:
        header += ["ap", "threshold"]
        precisions = results.marked.precisions(results.inside(scope))
        thresholds = results.marked.thresholds.tolist()
        for row, precision, threshold in zip(rows, precisions, thresholds, strict=True):
            row += [precision, threshold]
    return to_csv(header, rows)


def reliability_csv(results: RunResults, scope: Scope) -> str:
    """One row per bin of the reliability diagram, with shares in [0, 1]."""
    return to_csv(
        ("confidence_from", "confidence_to", "mean_confidence", "accuracy", "images"),
        (
            (b.low, b.high, b.confidence, b.accuracy, b.images)
            if b.images
            else (b.low, b.high, None, None, 0)
            for b in results.reliability(scope)
        ),
    )


def views_csv(results: RunResults, scope: Scope) -> str:
    """One row per view, with the accuracy in [0, 1]."""
    return to_csv(
        ("view", "accuracy", "images"),
        ((score.view, score.accuracy, score.images) for score in results.by_view(scope)),
    )


def epochs_csv(epochs: Mapping[str, Sequence[Epoch]]) -> str:
    """The curves of runs by name: one row per run and epoch; the last column is the training time
    at its end."""
    return to_csv(
        ("run", *EPOCH_COLUMNS, "elapsed_seconds"),
        (
            (run, *(getattr(epoch, column) for column in EPOCH_COLUMNS), seconds)
            for run, each in epochs.items()
            for epoch, seconds in zip(each, elapsed_seconds(each), strict=True)
        ),
    )


def comparison_csv(comparison: RunComparison, paths: Mapping[int, str]) -> str:
    """One row per image: its path, its true label, both predictions, and the outcome."""
    first, second = comparison.first, comparison.second
    other = dict(
        zip(
            zip(second.table.images.tolist(), second.table.crops.tolist(), strict=True),
            second.outputs(TARGET_HEAD).predicted.tolist(),
            strict=True,
        )
    )
    truth, _, predicted = first.outputs(TARGET_HEAD)
    mine, theirs = first.label_list().labels, second.label_list().labels
    rows: list[Cells] = []
    for outcome, at in comparison.rows.items():
        for row in at.tolist():
            image, crop = int(first.table.images[row]), int(first.table.crops[row])
            rows.append(
                (
                    paths.get(image, ""),
                    mine[truth[row]],
                    mine[predicted[row]],
                    theirs[other[image, crop]],
                    str(outcome),
                )
            )
    return to_csv(("image", "truth", first.record.name, second.record.name, "outcome"), rows)


def runs_csv(
    records: Sequence[RunRecord],
    title: Callable[[RunColumn], str],
    text: Callable[[RunColumn, RunRecord], str],
) -> str:
    """One row per run, in this order; `title` and `text` format headings and cells."""
    columns = run_columns(RunOutput.CSV)
    return to_csv(
        [title(column) for column in columns],
        ([text(column, record) for column in columns] for record in records),
    )
