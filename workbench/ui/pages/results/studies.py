"""Studies on the Results page: the accuracy of each variant, compared with the first one."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.app.training.studies import StudyProgress, StudyQueue, study_progress
from workbench.domain.spreadsheets import csv_text
from workbench.domain.studies import Row, Study
from workbench.domain.text import plural, tr
from workbench.domain.values import Cells
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies, pixmap_of
from workbench.ui.parts.figure_table import Column, Figure, FigureCell, FigureTable, figure
from workbench.ui.parts.job_line import clock


class StudySection(QWidget):
    """The table of a study and the controls to resume or stop it.

    `run_requested(id)` is emitted to show the newest run of a variant, and `curves_requested(ids)`
    to compare the curves of the finished runs.
    """

    run_requested = Signal(str)
    curves_requested = Signal(list)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._studies: list[Study] = []
        self._standing: StudyProgress | None = None
        self.queue = StudyQueue(context.session, context.queue, self)
        self.queue.changed.connect(self.refresh)
        self.queue.refused.connect(lambda text: context.notify(tr(text), "bad"))
        self.switch = QPushButton(tr("Studies"))
        self.switch.setCheckable(True)
        self.switch.setToolTip(tr("Compare methods on the same splits"))
        self.which = QComboBox()
        self.which.setMinimumWidth(240)
        self.which.activated.connect(lambda _: self._show())
        self.progress = PlainLabel()
        self.progress.setProperty("role", "muted")
        self.resume_button = QPushButton()
        self.resume_button.clicked.connect(self._resume_or_stop)
        self.curves_button = QPushButton(tr("Show curves"))
        self.curves_button.setToolTip(tr("Compare accuracy and loss of the runs over time"))
        self.curves_button.clicked.connect(self._request_curves)
        self.empty = QLabel(
            tr("No studies yet. “Study…” on the Train page compares methods on the same splits.")
        )
        self.empty.setProperty("role", "muted")
        self.empty.setWordWrap(True)
        self.each = PlainLabel()
        self.each.setProperty("role", "muted")
        self.each.setWordWrap(True)
        self.table = self._make_table()
        self.table.picked.connect(self._picked)
        self.copies = Copies(
            self.table, self._name, lambda: pixmap_of(self.table), self.csv, context.notify
        )
        self._lay_out()

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Variant")),
                Column(tr("Runs"), "count", tr("Finished runs, one for each seed or fold")),
                Column(tr("Accuracy"), "share", tr("Mean top-1 over the seeds or folds")),
                Column(tr("SD"), "figure", tr("Standard deviation over the seeds or folds")),
                Column(tr("95 % interval"), "figure", tr("Student's t over the seeds or folds")),
                Column(
                    tr("Difference (points)"),
                    "figure",
                    tr("To the first variant, paired by seed or fold, with 95 % interval"),
                ),
                Column(tr("p"), "figure", tr("Two-sided paired t-test")),
                Column(tr("Seconds"), "count", tr("Mean training time")),
                Column(
                    tr("Time to accuracy"),
                    "figure",
                    tr("Mean training time until validation accuracy reaches the goal below"),
                ),
            )
        )
        table.give_first_room()
        return table

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.which)
        top.addWidget(self.progress, 1)
        top.addWidget(self.curves_button)
        top.addWidget(self.resume_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 0, 16, 12)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.empty)
        column.addWidget(self.table, 1)
        column.addWidget(self.each)

    def refresh(self) -> None:
        """Reload the studies and their runs; the selected one stays selected."""
        chosen = self.which.currentData()
        self._studies = self._context.session.studies.all()
        self.which.clear()
        for study in self._studies:
            self.which.addItem(study.plan.name, study.id)
        at = self.which.findData(chosen)
        self.which.setCurrentIndex(max(0, at) if self._studies else -1)
        self._show()

    def show_study(self, study_id: str, resume: bool = False) -> None:
        """Show one study, and resume its training if `resume`."""
        if resume:
            self.queue.resume(study_id)
        self.switch.setChecked(True)
        self.refresh()
        self.which.setCurrentIndex(max(0, self.which.findData(study_id)))
        self._show()

    def shown(self) -> Study | None:
        """The selected study, None if there is none."""
        chosen = self.which.currentData()
        return next((study for study in self._studies if study.id == chosen), None)

    def _show(self) -> None:
        study = self.shown()
        for widget in (self.which, self.progress, self.resume_button, self.table, self.each):
            widget.setVisible(study is not None)
        self.empty.setVisible(study is None)
        if study is None:
            return
        found = self._standing = study_progress(self._context.session, study)
        self.table.set_rows([_cells(row, found) for row in found.rows])
        self.curves_button.setVisible(found.done > 0)
        lines = [_each(row, bool(study.plan.folds)) for row in found.rows]
        self.each.setText("\n".join([*lines, *_differences(found), *_goal(found)]))
        running = self.queue.running(study.id)
        parts = [
            plural(
                found.cells,
                "{done:,} of {n:,} run done",
                "{done:,} of {n:,} runs done",
                done=found.done,
            )
        ]
        parts.append(tr(study.plan.protocol))
        if found.parts:
            names = " / ".join(tr(part) for part in found.parts)
            parts.append(tr("accuracy on the {parts} part").format(parts=names))
        if failed := len(found.failed):
            parts.append(plural(failed, "{n:,} failed", "{n:,} failed"))
        self.progress.setText("  ·  ".join(parts))
        self.resume_button.setText(tr("Stop") if running else tr("Resume"))
        self.resume_button.setVisible(running or found.done < found.cells)

    def _resume_or_stop(self) -> None:
        study = self.shown()
        if study is None:
            return
        if self.queue.running(study.id):
            self.queue.stop(study.id)
        else:
            self.queue.resume(study.id)

    def _request_curves(self) -> None:
        study = self.shown()
        if study is not None:
            self.curves_requested.emit([run for _, _, run in study.runs])

    def _picked(self, row: int) -> None:
        study = self.shown()
        if study is None:
            return
        variant = list(study.plan.variants)[row]
        runs = [run for seed in study.plan.seeds if (run := study.run_of(variant, seed))]
        if runs:
            self.run_requested.emit(runs[-1])

    def _name(self) -> str:
        study = self.shown()
        return study.plan.name if study is not None else tr("study", "file name")

    def _numbers(self) -> tuple[int, ...]:
        study = self.shown()
        return study.plan.seeds if study is not None else ()

    def csv(self) -> str:
        """The table as CSV text: one row per variant, accuracies in [0, 1], times in seconds; the
        last columns are the accuracies of each seed or fold."""
        rows: list[Cells] = [
            (
                *("variant", "seeds", "mean", "deviation", "interval"),
                *("difference", "interval", "p", "seconds", "time_to_accuracy"),
                *map(str, self._numbers()),
            )
        ]
        for row in self._standing.rows if self._standing is not None else ():
            mean = (row.accuracy.mean, row.deviation, row.accuracy.half)
            difference = (row.difference.mean, row.difference.half, row.p)
            each = [row.values.get(number, math.nan) for number in self._numbers()]
            times = self._standing.times.get(row.variant, ()) if self._standing else ()
            reached = sum(times) / len(times) if times else math.nan
            numbers = [_plain(v) for v in (*mean, *difference, row.seconds, reached, *each)]
            rows.append((row.variant, len(row.values), *numbers))
        return csv_text(rows)


def _each(row: Row, folds: bool) -> str:
    """The accuracy of each run of a variant."""
    text = tr("fold {number}: {accuracy}") if folds else tr("seed {number}: {accuracy}")
    shown = (
        text.format(number=number, accuracy=f"{100 * value:.1f} %")
        for number, value in sorted(row.values.items())
    )
    return "  ·  ".join([row.variant, *shown])


def _differences(found: StudyProgress) -> list[str]:
    """What differs besides the keys of the plan, and the runs that are not paired."""
    also = tr("{variant} also differs from the first variant in: {keys}")
    lines = [
        also.format(variant=variant, keys=", ".join(keys))
        for variant, keys in found.differing.items()
    ]
    other = tr("{variant}, {number}: learned from other images and is not paired")
    return lines + [other.format(variant=name, number=number) for name, number in found.apart]


def _goal(found: StudyProgress) -> list[str]:
    """The goal of the column of times."""
    if found.goal is None:
        return []
    text = tr("Time to accuracy: until the validation accuracy is {goal} %")
    return [text.format(goal=round(100 * found.goal))]


def _time(row: Row, found: StudyProgress) -> FigureCell:
    times = found.times.get(row.variant, ())
    if not times:
        return figure(None)
    mean, runs = sum(times) / len(times), len(row.values)
    text = clock(mean)
    if len(times) < runs:
        text = tr("{time} ({count} of {runs})").format(time=text, count=len(times), runs=runs)
    return Figure(mean, text)


def _cells(row: Row, found: StudyProgress) -> tuple[FigureCell, ...]:
    mean = None if math.isnan(row.accuracy.mean) else row.accuracy.mean
    seconds = None if math.isnan(row.seconds) else round(row.seconds)
    wide = figure(100 * row.accuracy.half)
    around = replace(wide, text=f"± {wide.text}") if wide.text else wide
    apart = row.difference
    difference = figure(100 * apart.mean, signed=True, half=100 * apart.half)
    spread = figure(100 * row.deviation)
    return (
        row.variant,
        len(row.values),
        mean,
        spread,
        around,
        difference,
        figure(row.p, 3),
        seconds,
        _time(row, found),
    )


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
