"""The Results page: which run did how well, where it erred, and the images that say why."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSplitter, QStackedLayout, QTabWidget, QVBoxLayout, QWidget

from workbench.domain.changes import Changes
from workbench.ui.page import Action, Context, Page, PageHeader
from workbench.ui.results.actions import results_actions
from workbench.ui.results.cell_images import CellImages
from workbench.ui.results.comparison import ComparisonSection
from workbench.ui.results.desk import ResultsDesk
from workbench.ui.results.key_figures import KeyFigures
from workbench.ui.results.matrix_section import MatrixSection
from workbench.ui.results.pairs_table import PairsTable
from workbench.ui.results.runs_table import RunsTable
from workbench.ui.results.scope_bar import ScopeBar
from workbench.ui.results.section import ResultSection, Shown
from workbench.ui.results.study_section import StudySection
from workbench.ui.results.table_sections import CalibrationSection, ClassesSection, ViewsSection
from workbench.ui.widgets.copying import Copies, picture_of
from workbench.ui.widgets.curve_group import CurveGroup
from workbench.ui.widgets.empty import EmptyState


class ResultsPage(Page):
    """Runs above; below them the sections of the run looked at, beside the images of a number."""

    name = "results"
    title = "Results"
    icon_name = "chart-bar"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.desk = ResultsDesk(context, self)
        self.table = RunsTable()
        self.scope = ScopeBar()
        self.figures = KeyFigures()
        self.matrix = MatrixSection(context.notify)
        self.classes = ClassesSection(context.notify)
        self.calibration = CalibrationSection(context.notify)
        self.views = ViewsSection(context.notify)
        self.pairs = PairsTable()
        self.views.below.addWidget(self.pairs)
        self.comparison = ComparisonSection(context.notify, self.desk.results, self.desk.paths)
        self.curves = CurveGroup(context.notify)
        self.studies = StudySection(context)
        self.copies = Copies(
            self.table,
            lambda: self.tr("runs"),
            lambda: picture_of(self.table),
            self.table.csv,
            context.notify,
            menu=False,
        )
        self.table.addActions(self.copies.actions)
        self.images = CellImages(context)
        self._stale = True
        self._wanted_scope: tuple[str, str, str] | None = None
        self._lay_out()
        self._connect()

    @property
    def sections(self) -> tuple[ResultSection, ...]:
        return (self.matrix, self.classes, self.calibration, self.views, self.comparison)

    def _lay_out(self) -> None:
        work = QWidget()
        column = QVBoxLayout(work)
        column.setContentsMargins(16, 0, 16, 12)
        column.addWidget(self._make_splitters())
        self.header = PageHeader(self.tr("Results"))
        self.header.add(self.scope)
        self.header.stretch()
        self.header.add(self.figures)
        self.header.add(self.studies.switch)
        self.empty = EmptyState(
            "chart-bar",
            self.tr("Train once, and everything about that run is here."),
            self.tr("Train"),
            lambda: self.context.go("train"),
        )
        self._stack = QStackedLayout()
        self._stack.addWidget(work)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.studies)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.header)
        whole.addLayout(self._stack, 1)

    def _make_tabs(self) -> QTabWidget:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for widget, text in (
            (self.matrix, self.tr("Confusion")),
            (self.classes, self.tr("Classes")),
            (self.curves, self.tr("Curves")),
            (self.calibration, self.tr("Calibration")),
            (self.views, self.tr("Views")),
            (self.comparison, self.tr("Compare")),
        ):
            self.tabs.addTab(widget, text)
        return self.tabs

    def _make_splitters(self) -> QSplitter:
        self.reason = QLabel()
        self.reason.setProperty("role", "muted")
        self.reason.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.reason.setWordWrap(True)
        self.beside = QSplitter(Qt.Orientation.Horizontal)
        self.beside.setHandleWidth(12)
        self.beside.setChildrenCollapsible(False)
        self.beside.addWidget(self._make_tabs())
        self.beside.addWidget(self.images)
        self.images.setMinimumWidth(280)
        self.beside.setStretchFactor(0, 3)
        self.beside.setStretchFactor(1, 2)
        self.beside.setSizes([700, 460])
        below = QWidget()
        self._below = QStackedLayout(below)
        self._below.addWidget(self.beside)
        self._below.addWidget(self.reason)
        self.above = QSplitter(Qt.Orientation.Vertical)
        self.above.setHandleWidth(8)
        self.above.setChildrenCollapsible(False)
        self.above.addWidget(self.table)
        self.above.addWidget(below)
        self.table.setMinimumHeight(72)
        self.above.setStretchFactor(1, 1)
        self.above.setSizes([128, 480])
        return self.above

    def _connect(self) -> None:
        self.table.opened.connect(self.look_at)
        self.table.checked_changed.connect(self._show_curves)
        self.table.renamed.connect(self.desk.rename)
        self.table.removed.connect(self.remove_run)
        self.scope.changed.connect(self._show_sections)
        self.figures.rows_wanted.connect(self.images.show_rows)
        self.figures.calibration_wanted.connect(
            lambda: self.tabs.setCurrentWidget(self.calibration)
        )
        for section in self.sections:
            section.rows_wanted.connect(self.images.show_rows)
        self.pairs.picked.connect(self.compare)
        self.studies.run_wanted.connect(lambda run: self.opened(run=run))
        self.studies.switch.toggled.connect(lambda _: self._take_up())

    # What is shown

    def refresh(self, changes: Changes) -> None:
        self.desk.forget(None if changes.removed else changes.runs)
        current = self.table.current_run()
        labels = changes.labelled or changes.label_sets or changes.cropped
        if not self.isVisible():
            self._stale = self._stale or bool(changes.runs or changes.removed or labels)
        elif changes.removed or (changes.runs and (not current or current in changes.runs)):
            self._take_up()
        elif changes.runs:
            self.table.set_records(self.desk.records())
            self._show_curves()
        elif labels:
            self._show_labels()

    def opened(self, **what: Any) -> None:
        if self._stale:
            self._take_up()
        if "run" in what:
            self.studies.switch.setChecked(False)
            self.table.look_at(str(what["run"]))
            self.look_at(str(what["run"]))
        if "study" in what:
            self.studies.look_at(str(what["study"]), go_on=True)
        self.matrix.view.setFocus()

    def _take_up(self) -> None:
        """Show the runs there are; the one looked at stays, else the newest that can be."""
        self._stale = False
        records = self.desk.records()
        compared = self.studies.switch.isChecked()
        self._stack.setCurrentIndex(2 if compared else 0 if records else 1)
        current = self.table.current_run()
        self.table.set_records(records)
        self.studies.refresh()
        known = [record.id for record in records]
        run = current if current in known else self.desk.newest_scored(records)
        self.pairs.show_pairs(self.desk.pairs(records))
        self.scope.setVisible(bool(records) and not compared)
        if run:
            self.table.look_at(run)
        self.look_at(run)
        if compared:
            self.figures.hide()  # they are those of a single run

    def look_at(self, run_id: str) -> None:
        """Show everything about a run."""
        results, reason = self.desk.open(run_id)
        self._show_curves()
        self._below.setCurrentIndex(0 if results is not None else 1)
        self.reason.setText(reason)
        self.scope.setEnabled(results is not None)
        if results is None:
            self.images.clear()
            self.figures.show_run(None)
            return
        self.scope.show_results(results)
        if self._wanted_scope is not None:
            self.scope.choose(*self._wanted_scope)
            self._wanted_scope = None
        self.comparison.set_runs(self.desk.comparable(results.record))
        self._show_sections()

    def _show_sections(self) -> None:
        shown = self.desk.shown(self.table.current_run(), self.scope.scope())
        self.figures.show_run(shown)
        if shown is not None:
            self.images.show_results(shown.results, shown.labels, shown.scope.head)
        for section in self.sections:
            section.show_run(shown)

    def _show_labels(self) -> None:
        """Labels changed: the figures stay, what has moved since training is marked anew."""
        shown = self.desk.shown(self.table.current_run(), self.scope.scope())
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
            self.curves.show_runs(self.desk.epochs(both))
        elif current:
            self.curves.name = self.desk.name(current)
            self.curves.show_run(self.desk.epochs_of(current))
        else:
            self.curves.clear()

    def shown(self) -> Shown | None:
        """The run and scope that are looked at."""
        return self.matrix.shown

    # Deeds

    def compare(self, run_id: str, other: str) -> None:
        """Look at two runs image by image."""
        self.table.look_at(run_id)
        self.look_at(run_id)
        results, _ = self.desk.open(run_id)
        if results is not None:
            self.comparison.set_runs(self.desk.comparable(results.record), other)
            self._show_sections()
            self.tabs.setCurrentWidget(self.comparison)

    def remove_run(self, run_id: str) -> None:
        """Delete a run after asking: weights and predictions cannot be brought back."""
        if self.desk.ask_removal(self, run_id):
            self.desk.remove(run_id)

    def actions(self) -> list[Action]:  # type: ignore[override]  # ours are data
        return results_actions(self)

    # Life

    def save_state(self) -> dict[str, Any]:
        scope = self.scope.scope()
        return {
            "run": self.table.current_run(),
            "checked": self.table.checked(),
            "tab": self.tabs.currentIndex(),
            "scope": [str(scope.part), scope.view, scope.head],
            "percent": self.matrix.amounts.currentIndex(),
            "above": self.above.sizes(),
            "beside": self.beside.sizes(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        self.tabs.setCurrentIndex(int(state.get("tab", 0)))
        self.matrix.amounts.setCurrentIndex(int(state.get("percent", 0)))
        for splitter, key in ((self.above, "above"), (self.beside, "beside")):
            if state.get(key):
                splitter.setSizes([int(size) for size in state[key]])
        if len(state.get("scope", ())) == 3:
            part, view, head = state["scope"]
            self._wanted_scope = (str(part), str(view), str(head))
        self.table.runs.checked = {str(run) for run in state.get("checked", ())}
        self._take_up()
        if state.get("run"):
            self.table.look_at(str(state["run"]))

    def closing(self) -> None:
        self.images.tiles.close()
