"""The Results page: the accuracy of runs, their errors, and the images behind every number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSplitter, QStackedLayout, QTabWidget, QWidget

from workbench.domain.changes import Changes
from workbench.domain.runs import RunStatus
from workbench.domain.text import mark, tr
from workbench.ui.commands import Menu, command
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, Page, PageHeader, PageTarget, boxed, column, split
from workbench.ui.pages.results.cell_images import CellImages
from workbench.ui.pages.results.comparison import (
    ComparisonSection,
    PairsTable,
    ProtocolsSection,
)
from workbench.ui.pages.results.confusion import MatrixSection
from workbench.ui.pages.results.header import KeyFigures, ScopeBar
from workbench.ui.pages.results.model import ResultsModel
from workbench.ui.pages.results.runs_table import RunsTable
from workbench.ui.pages.results.section import ResultSection, RunInScope
from workbench.ui.pages.results.studies import StudySection
from workbench.ui.pages.results.tables import CalibrationSection, ClassesSection, ViewsSection
from workbench.ui.parts.copying import Copies, pixmap_of
from workbench.ui.parts.curve_group import CurveGroup
from workbench.ui.parts.empty import EmptyState


class ResultsPage(Page):
    """Shows the runs above, and below the sections of one run beside the images of a number."""

    name = "results"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.model = ResultsModel(context, self)
        self.table = RunsTable()
        self.scope = ScopeBar()
        self.figures = KeyFigures()
        self.matrix = MatrixSection(context.notify)
        self.classes = ClassesSection(context.notify)
        self.calibration = CalibrationSection(context.notify)
        self.views = ViewsSection(context.notify)
        self.pairs = PairsTable()
        self.views.below.addWidget(self.pairs)
        self.comparison = ComparisonSection(
            context.notify, self.model.results, self.model.paths, self.model.differences
        )
        self.protocols = ProtocolsSection(context)
        self.curves = CurveGroup(context.notify)
        self.studies = StudySection(context)
        self.copies = Copies(
            self.table,
            lambda: tr("runs", "file name"),
            lambda: pixmap_of(self.table),
            self.table.csv,
            context.notify,
            menu=False,
        )
        for title, run in (
            (tr("Predict images of a folder…"), self.predict_folder),
            (tr("Export as ONNX…"), self.export_onnx),
            (tr("Evaluate again"), self.evaluate_again),
        ):
            action = QAction(title, self.table)
            action.triggered.connect(run)
            self.table.addAction(action)
        self.table.addActions(self.copies.actions)
        self.images = CellImages(context)
        self._states: dict[str, RunStatus] = {}  # of the runs shown
        self._restored_scope: tuple[str, str, str] | None = None
        self._lay_out()
        self._connect()

    @property
    def sections(self) -> tuple[ResultSection, ...]:
        """The sections that show one run in a scope."""
        return (
            self.matrix,
            self.classes,
            self.calibration,
            self.views,
            self.comparison,
            self.protocols,
        )

    def _lay_out(self) -> None:
        content = boxed(column(self._make_splitters(), margins=(16, 0, 16, 12)))
        self.header = PageHeader(self.title)
        self.header.add(self.scope)
        self.header.stretch()
        self.header.add(self.figures)
        self.header.add(self.studies.switch)
        self.empty = EmptyState(
            "chart-bar",
            tr("No runs yet. Train one to see its results here."),
            tr("Train"),
            lambda: self.context.go("train"),
        )
        self._stack = QStackedLayout()
        self._stack.addWidget(content)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.studies)
        column(self.header, (self._stack, 1), on=self)

    def _make_tabs(self) -> QTabWidget:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for widget, text in (
            (self.matrix, tr("Confusion")),
            (self.classes, tr("Classes")),
            (self.curves, tr("Curves")),
            (self.calibration, tr("Calibration")),
            (self.views, tr("Views")),
            (self.comparison, tr("Compare")),
            (self.protocols, tr("Protocols")),
        ):
            self.tabs.addTab(widget, text)
        return self.tabs

    def _make_splitters(self) -> QSplitter:
        self.reason = PlainLabel()
        self.reason.setProperty("role", "muted")
        self.reason.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.reason.setWordWrap(True)
        self.images.setMinimumWidth(280)
        self.beside = split(
            self._make_tabs(), self.images, sizes=(700, 460), stretch=(3, 2), handle=12
        )
        below = QWidget()
        self._below = QStackedLayout(below)
        self._below.addWidget(self.beside)
        self._below.addWidget(self.reason)
        self.table.setMinimumHeight(72)
        self.above = split(
            self.table, below, sizes=(128, 480), stretch=(0, 1), handle=8, vertical=True
        )
        return self.above

    def _connect(self) -> None:
        self.table.opened.connect(self.show_run)
        self.table.checked_changed.connect(self._show_curves)
        self.table.renamed.connect(self.model.rename)
        self.table.removed.connect(self.remove_run)
        self.scope.changed.connect(self._show_sections)
        self.figures.rows_requested.connect(self.images.show_rows)
        self.figures.calibration_requested.connect(
            lambda: self.tabs.setCurrentWidget(self.calibration)
        )
        for section in self.sections:
            section.rows_requested.connect(self.images.show_rows)
        self.pairs.picked.connect(self.compare)
        self.pairs.missing.connect(self.model.train_missing)
        self.studies.run_requested.connect(lambda run: self.opened(run=run))
        self.studies.curves_requested.connect(lambda runs: self.opened(curves=runs))
        self.studies.switch.toggled.connect(lambda _: self._reload())

    # What is shown

    def load(self) -> None:
        self._reload()

    def show_changes(self, changes: Changes) -> None:
        self.model.forget(None if changes.removed else changes.runs)
        current = self.table.current_run()
        records = self.model.records() if changes.runs else []
        if (
            changes.removed
            or (changes.runs and (not current or current in changes.runs))
            or (changes.runs and {run.id: run.status for run in records} != self._states)
        ):
            self._reload()
            return
        if changes.studies:
            self.studies.refresh()
        if changes.runs:  # an epoch of a training
            self.table.set_records(records)
            self._show_curves()
        if changes.labelled or changes.label_sets or changes.cropped:
            self._show_labels()

    def show_target(self, **what: Unpack[PageTarget]) -> None:
        if "run" in what:
            self.studies.switch.setChecked(False)
            self.table.select_run(str(what["run"]))
            self.show_run(str(what["run"]))
        if "curves" in what:
            self.show_curves(what["curves"] or ())
        if "study" in what:
            self.studies.show_study(str(what["study"]), resume=True)
        self.matrix.view.setFocus()

    def _reload(self) -> None:
        """Reload the runs; the selected one stays selected, else the newest finished one is."""
        records = self.model.records()
        self._states = {record.id: record.status for record in records}
        compared = self.studies.switch.isChecked()
        self._stack.setCurrentIndex(2 if compared else 0 if records else 1)
        current = self.table.current_run()
        self.table.set_records(records)
        self.studies.refresh()
        known = [record.id for record in records]
        run = current if current in known else self.model.newest_scored(records)
        self.pairs.show_pairs(self.model.pairs(records))
        self.scope.setVisible(bool(records) and not compared)
        if run:
            self.table.select_run(run)
        self.show_run(run)
        if compared:
            self.figures.hide()  # they belong to a single run

    def show_run(self, run_id: str) -> None:
        """Show the results of a run, or why there are none."""
        results, reason = self.model.open(run_id)
        self._show_curves()
        self._below.setCurrentIndex(0 if results is not None else 1)
        self.reason.setText(reason)
        self.scope.setEnabled(results is not None)
        if results is None:
            self.images.clear()
            self.figures.show_run(None)
            return
        self.scope.show_results(results)
        if self._restored_scope is not None:
            self.scope.select(*self._restored_scope)
            self._restored_scope = None
        self.comparison.set_runs(self.model.comparable(results.record))
        self._show_sections()

    def _show_sections(self) -> None:
        shown = self.model.shown(self.table.current_run(), self.scope.scope())
        self.figures.show_run(shown)
        if shown is not None:
            self.images.show_results(shown.results, shown.labels, shown.scope.head)
        for section in self.sections:
            section.show_run(shown)

    def _show_labels(self) -> None:
        """Show changed labels: figures stay, marks of relabelled images are updated."""
        shown = self.model.shown(self.table.current_run(), self.scope.scope())
        for section in self.sections:
            section.shown = shown
        if shown is not None:
            self.images.show_results(shown.results, shown.labels, shown.scope.head)
            self.matrix.show_run(shown)

    def _show_curves(self) -> None:
        checked = self.table.checked()
        current = self.table.current_run()
        if len(checked) > 1 or (checked and checked != [current]):
            both = checked if current in checked or not current else [current, *checked]
            self.curves.show_runs(self.model.epochs(both))
        elif current:
            self.curves.name = self.model.name(current)
            self.curves.show_run(self.model.epochs_of(current))
        else:
            self.curves.clear()

    def show_curves(self, runs: Sequence[str]) -> None:
        """Compare the curves of several runs over their training time."""
        known = [run for run in runs if run in self._states]
        if not known:
            return
        self.studies.switch.setChecked(False)
        self.table.runs.checked = set(known)
        self.table.select_run(known[-1])
        self.curves.show_over_time(True)
        self.show_run(known[-1])
        self.tabs.setCurrentWidget(self.curves)

    def shown(self) -> RunInScope | None:
        """The run and scope shown, None if the run has no results."""
        return self.matrix.shown

    def compare(self, run_id: str, other: str) -> None:
        """Compare two runs image by image."""
        self.table.select_run(run_id)
        self.show_run(run_id)
        results, _ = self.model.open(run_id)
        if results is not None:
            self.comparison.set_runs(self.model.comparable(results.record), other)
            self._show_sections()
            self.tabs.setCurrentWidget(self.comparison)

    def remove_run(self, run_id: str) -> None:
        """Delete a run after confirmation."""
        if self.model.confirm_removal(self, run_id):
            self.model.remove(run_id)

    # Commands, in the order of the menus

    def has_run(self) -> bool:
        """Whether a run is selected."""
        return bool(self.table.current_run())

    @command(mark("Rename run"), id="rename", menu=Menu.RUN, edits=True)
    def rename_run(self) -> None:
        """Edit the name of the run in the table."""
        self.table.rename_current()

    @command(mark("Delete run…"), id="remove", menu=Menu.RUN, when=has_run, edits=True)
    def remove_current(self) -> None:
        """Delete the selected run, after confirmation."""
        self.remove_run(self.table.current_run())

    def has_results(self) -> bool:
        """Whether the selected run has results."""
        return self.has_run() and self.shown() is not None

    @command(mark("Predict images of a folder…"), id="predict", menu=Menu.RUN, when=has_results)
    def predict_folder(self) -> None:
        """Predict new photographs with the run, to a CSV file."""
        self.model.predict_folder(self, self.table.current_run())

    @command(mark("Export as ONNX…"), id="onnx", menu=Menu.RUN, when=has_results)
    def export_onnx(self) -> None:
        """Export the network of the run."""
        self.model.export_onnx(self, self.table.current_run())

    @command(mark("Evaluate again"), id="evaluate", menu=Menu.RUN, when=has_results)
    def evaluate_again(self) -> None:
        """Score the part shown again with the weights of the run."""
        shown = self.shown()
        if shown is not None:
            part = shown.scope.part or shown.results.best_part()
            self.model.evaluate(shown.results.record.id, part)

    @command(mark("Adopt run…"), id="adopt", menu=Menu.RUN, edits=True)
    def adopt_run(self) -> None:
        """Copy a run that was trained elsewhere into the project."""
        self.model.adopt(self)

    @command(mark("Explain these images"), id="explain")
    def explain_images(self) -> None:
        """Show the images behind a number on the Explain page."""
        self.images.explain()

    @command(mark("Save matrix as CSV…"), id="matrix_csv", menu=Menu.RUN)
    def save_matrix(self) -> None:
        """Write the confusion matrix to a file."""
        self.matrix.copies.choose_data_file()

    @command(mark("Save classes as CSV…"), id="classes_csv", menu=Menu.RUN)
    def save_classes(self) -> None:
        """Write the table of classes to a file."""
        self.classes.copies.choose_data_file()

    @command(mark("Save curves as CSV…"), id="curves_csv", menu=Menu.RUN)
    def save_curves(self) -> None:
        """Write the curves to a file."""
        self.curves.whole.choose_data_file()

    @command(mark("Choose columns of runs…"), id="columns", menu=Menu.VIEW)
    def choose_columns(self) -> None:
        """Choose the columns of the table of runs."""
        self.table.choose_columns()

    @command(mark("Save runs as CSV…"), id="runs_csv", menu=Menu.RUN)
    def save_runs(self) -> None:
        """Write the table of runs to a file."""
        self.copies.choose_data_file()

    # State

    def save_state(self) -> dict[str, Any]:
        scope = self.scope.scope()
        return {
            "run": self.table.current_run(),
            "checked": self.table.checked(),
            "tab": self.tabs.currentIndex(),
            "scope": [str(scope.part), scope.view, scope.head],
            "over_time": self.curves.over_time,
            "percent": self.matrix.values.currentIndex(),
            "above": self.above.sizes(),
            "beside": self.beside.sizes(),
            "columns": None if self.table.chosen is None else sorted(self.table.chosen),
            "order": list(self.table.order()),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        self.tabs.setCurrentIndex(int(state.get("tab", 0)))
        self.matrix.values.setCurrentIndex(int(state.get("percent", 0)))
        for splitter, key in ((self.above, "above"), (self.beside, "beside")):
            if state.get(key):
                splitter.setSizes([int(size) for size in state[key]])
        self.curves.show_over_time(bool(state.get("over_time", False)))
        self.table.set_chosen(state.get("columns"))
        if len(state.get("order", ())) == 2:
            self.table.set_order(str(state["order"][0]), bool(state["order"][1]))
        if len(state.get("scope", ())) == 3:
            part, view, head = state["scope"]
            self._restored_scope = (str(part), str(view), str(head))
        self.table.runs.checked = {str(run) for run in state.get("checked", ())}
        self.catch_up()
        if state.get("run"):
            self.table.select_run(str(state["run"]))

    def closing(self) -> None:
        self.images.tiles.close()
