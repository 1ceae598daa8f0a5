"""Sections of figures: per class, per view, and how far confidence can be believed."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from workbench.app.results.result_tables import classes_csv, reliability_csv, views_csv
from workbench.app.results.results import Scope
from workbench.ui.results.reliability_view import ReliabilityView
from workbench.ui.results.section import ResultSection, Shown
from workbench.ui.widgets.copying import Copies, Notify, picture_of
from workbench.ui.widgets.figure_table import Column, FigureTable
from workbench.ui.widgets.run_words import percent


class ClassesSection(ResultSection):
    """Precision, recall, F1 and support of each label; a row leads to its images."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.table = FigureTable(
            (
                Column(self.tr("Label")),
                Column(self.tr("Precision"), "share", self.tr("Right among those predicted so")),
                Column(self.tr("Recall"), "share", self.tr("Found among those that are so")),
                Column(self.tr("F1"), "share", self.tr("Harmonic mean of precision and recall")),
                Column(self.tr("Support"), "count", self.tr("Images that are so")),
                Column(self.tr("AP"), "share", self.tr("Average precision over all thresholds")),
                Column(self.tr("Threshold"), "share", self.tr("Claimed from this score on")),
            )
        )
        self.table.picked.connect(self._picked)
        self.copies = Copies(
            self.table,
            lambda: self.shown.title("classes") if self.shown else "classes",
            partial(picture_of, self.table),
            lambda: classes_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.column.addWidget(self.table, 1)

    def fill(self, shown: Shown) -> None:
        scores = shown.results.classes(shown.scope)
        further: list[tuple[float, ...]] = [()] * len(scores)
        marked = shown.results.marked if shown.several_labels else None
        if marked is not None:  # labels that do not exclude each other
            precisions = marked.precisions(shown.results.inside(shown.scope))
            further = list(zip(precisions, marked.thresholds.tolist(), strict=True))
        self.table.show_columns(7 if marked is not None else 5)
        self.table.set_rows(
            [
                (n, s.precision, s.recall, s.f1, s.support, *more)
                for (n, s), more in zip(scores, further, strict=True)
            ]
        )
        supported = [score.f1 for _, score in scores if score.support]
        mean = sum(supported) / len(supported) if supported else None
        self.caption.setText(
            self.tr("Mean F1 {score}. Click a row to see its images.").format(score=percent(mean))
        )

    def _picked(self, row: int) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows_with(shown.scope, row)
            title = self.tr("true {label}: {n} images").format(label=shown.names[row], n=len(rows))
            self.rows_wanted.emit(title, rows)


class CalibrationSection(ResultSection):
    """The reliability diagram and its one number."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.view = ReliabilityView()
        self.view.chosen.connect(self._chosen)
        self.copies = Copies(
            self.view,
            lambda: self.shown.title("calibration") if self.shown else "calibration",
            partial(picture_of, self.view),
            lambda: reliability_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setFixedWidth(220)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self.view, 1)
        row.addWidget(self.words, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(row, 1)

    def fill(self, shown: Shown) -> None:
        self.view.set_bins(shown.results.reliability(shown.scope))
        error = shown.results.scores(shown.scope).calibration
        self.caption.setText(self.tr("Click a bar to see its images."))
        self.words.setText(
            self.tr(
                "Expected calibration error {error}: so far the confidence is from the accuracy, "
                "on average.\n\nThe line on each bar is how often the network was right. "
                "Warm above it: too sure. Pale below it: too modest. On the dashed line: "
                "honest.\n\nThe numbers are images."
            ).format(error=percent(error))
        )

    def _chosen(self, at: int) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows_in_bin(shown.scope, at)
            title = self.tr("{low}–{high} % sure: {n} images").format(
                low=at * 10, high=at * 10 + 10, n=len(rows)
            )
            self.rows_wanted.emit(title, rows)


class ViewsSection(ResultSection):
    """Accuracy on the images of each view; `pairs` has room for what the page puts below."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.table = FigureTable(
            (
                Column(self.tr("View")),
                Column(self.tr("Accuracy"), "share"),
                Column(self.tr("Images"), "count"),
            )
        )
        self.table.picked.connect(self._picked)
        self.copies = Copies(
            self.table,
            lambda: self.shown.title("views") if self.shown else "views",
            partial(picture_of, self.table),
            lambda: views_csv(self.shown.results, self.shown.scope) if self.shown else "",
            notify,
        )
        self.bar.addWidget(self.copies.button(self))
        self.below = QVBoxLayout()
        self.column.addWidget(self.table, 1)
        self.column.addLayout(self.below, 1)

    def fill(self, shown: Shown) -> None:
        scores = shown.results.by_view(shown.scope)
        self.table.set_rows([(s.view, s.accuracy, s.images) for s in scores])
        self._names = [score.view for score in scores]
        self.caption.setText(
            self.tr("Click a row to see the images of that view that went wrong.")
            if scores
            else self.tr("None of these images has a view: label views to see which one is hard.")
        )

    def _picked(self, row: int) -> None:
        shown = self.shown
        if shown is not None:
            view = self._names[row]
            scope = Scope(shown.scope.part, view, shown.scope.head)
            rows = shown.results.rows(scope, right=False)
            title = self.tr("errors in view {view}: {n} images").format(view=view, n=len(rows))
            self.rows_wanted.emit(title, rows)
