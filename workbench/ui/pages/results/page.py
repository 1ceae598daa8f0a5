"""The Results page: which run did how well, where it erred, and the images that show why."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.app.results.results import LABEL_HEAD, TARGET_HEAD, RunResults, Scope
from workbench.domain.changes import Changes
from workbench.domain.splits import Part
from workbench.ui.commands import Action
from workbench.ui.page import Context, Page, PageHeader
from workbench.ui.pages.results.cell_images import CellImages
from workbench.ui.pages.results.comparison import ComparisonSection, PairsTable
from workbench.ui.pages.results.confusion import MatrixSection
from workbench.ui.pages.results.model import ResultsModel
from workbench.ui.pages.results.runs_table import RunsTable
from workbench.ui.pages.results.section import ResultSection, RunInScope
from workbench.ui.pages.results.studies import StudySection
from workbench.ui.pages.results.tables import CalibrationSection, ClassesSection, ViewsSection
from workbench.ui.parts.copying import Copies, picture_of
from workbench.ui.parts.curve_group import CurveGroup
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.run_words import percent


class KeyFigures(QWidget):
    """`rows_wanted(title, rows)` asks for images, `calibration_wanted()` for that section."""

    rows_wanted = Signal(str, object)
    calibration_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: RunInScope | None = None
        self.top1 = QLabel()
        self.top1.setProperty("role", "title")
        self.top5 = QLabel()
        self.top5.setProperty("role", "muted")
        self.errors = self._button(self.tr("Show the images that went wrong"))
        self.errors.clicked.connect(lambda: self._show(right=False))
        self.images = self._button(self.tr("Show all images of this part"))
        self.images.clicked.connect(lambda: self._show(right=None))
        self.calibration = self._button(self.tr("Show how far confidence can be believed"))
        self.calibration.clicked.connect(self.calibration_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        for widget in (self.top1, self.top5, self.errors, self.images, self.calibration):
            row.addWidget(widget)

    def _button(self, tip: str) -> QPushButton:
        button = QPushButton()
        button.setToolTip(tip)
        return button

    def show_run(self, shown: RunInScope | None) -> None:
        """The figures of a run in a scope; None hides them."""
        self._shown = shown
        self.setVisible(shown is not None)
        if shown is None:
            return
        scores = shown.results.scores(shown.scope)
        wrong = len(shown.results.rows(shown.scope, right=False))
        many = len(shown.names) > 5
        self.top1.setText(percent(scores.top1))
        five = self.tr("top-1, top-5 {score}").format(score=percent(scores.top5))
        single = shown.scope.head.startswith(LABEL_HEAD)
        one = self.tr("accuracy") if single else self.tr("top-1")
        self.top5.setText(five if many else one)
        marked = shown.results.marked
        if marked is not None and shown.several_labels:
            said = marked.scores(shown.results.inside(shown.scope))
            self.top5.setText(
                self.tr("top-1, every label right {exact}, mAP {mean}").format(
                    exact=percent(said.exact), mean=percent(said.mean_ap)
                )
            )
        self.errors.setText(self.tr("{n} wrong").format(n=f"{wrong:,}"))
        self.errors.setEnabled(wrong > 0)
        self.images.setText(self.tr("{n} images").format(n=f"{scores.images:,}"))
        self.images.setEnabled(scores.images > 0)
        self.calibration.setText(self.tr("ECE {error}").format(error=percent(scores.calibration)))

    def _show(self, *, right: bool | None) -> None:
        shown = self._shown
        if shown is not None:
            rows = shown.results.rows(shown.scope, right=right)
            what = self.tr("wrong") if right is False else self.tr("all images")
            self.rows_wanted.emit(
                self.tr("{what}: {n} images").format(what=what, n=len(rows)), rows
            )


class ScopeBar(QWidget):
    """`changed()` tells that another scope was chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.part = self._box(self.tr("Part"))
        self.view = self._box(self.tr("View of the images"))
        self.head = self._box(self.tr("What was predicted"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for box in (self.part, self.view, self.head):
            row.addWidget(box)

    def _box(self, name: str) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.activated.connect(lambda _: self.changed.emit())
        return box

    def show_results(self, results: RunResults) -> None:
        """Offer what this run has; what was chosen stays where it can."""
        words = {
            Part.TEST: self.tr("Test"),
            Part.VALIDATION: self.tr("Validation"),
            Part.TRAIN: self.tr("Train"),
        }
        parts = [part for part in reversed(results.parts)]
        _fill(self.part, [(words[part], part) for part in parts], results.best_part())
        every = [(self.tr("Any view"), "")]
        _fill(self.view, every + [(view, view) for view in results.views], "")
        heads = results.heads
        _fill(self.head, heads, TARGET_HEAD)
        self.view.setVisible(bool(results.views))
        self.head.setVisible(len(heads) > 1)

    def scope(self) -> Scope:
        """What is chosen."""
        part = self.part.currentData()
        return Scope(
            Part(part) if part else Part.TEST,
            str(self.view.currentData() or ""),
            str(self.head.currentData() or TARGET_HEAD),
        )

    def choose(self, part: str, view: str, head: str) -> None:
        """Choose what a former session had chosen, as far as it is there."""
        for box, value in ((self.part, part), (self.view, view), (self.head, head)):
            at = box.findData(value)
            if at >= 0:
                box.setCurrentIndex(at)


def _fill(box: QComboBox, items: list[tuple[str, str]], default: str) -> None:
    kept = box.currentData()
    box.clear()
    for text, value in items:
        box.addItem(text, str(value))
    values = [str(value) for _, value in items]
    wanted = kept if kept in values else str(default)
    box.setCurrentIndex(values.index(wanted) if wanted in values else 0)


def results_actions(page: ResultsPage) -> list[Action]:
    """The page's actions."""
    tr = page.tr
    menu = "Run"
    saves = (
        ("matrix", tr("Save matrix as CSV…"), page.matrix.copies),
        ("classes", tr("Save classes as CSV…"), page.classes.copies),
        ("curves", tr("Save curves as CSV…"), page.curves.whole),
        ("runs", tr("Save runs as CSV…"), page.copies),
    )
    return [
        Action("rename", tr("Rename run"), page.table.rename_current, menu=menu),
        Action(
            "remove",
            tr("Delete run…"),
            lambda: page.remove_run(page.table.current_run()),
            menu=menu,
            enabled=lambda: bool(page.table.current_run()),
        ),
        Action("explain", tr("Explain these images"), page.images.explain),
        *(Action(f"{n}_csv", t, c.ask_data, menu=menu) for n, t, c in saves),
    ]


class ResultsPage(Page):
    """Runs above; below them the sections of the run looked at, beside the images of a number."""

    name = "results"
    title = "Results"
    icon_name = "chart-bar"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.desk = ResultsModel(context, self)
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

    def shown(self) -> RunInScope | None:
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
