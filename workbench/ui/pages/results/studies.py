"""Studies on the Results page: each variant's accuracy, and whether it beats the baseline."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.app.training.studies import StudyProgress, StudyQueue, standing
from workbench.domain.studies import Row, Study
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies, picture_of
from workbench.ui.parts.figure_table import Column, FigureTable, figure


class StudySection(QWidget):
    """`run_wanted(id)`: a person picked a variant; the newest of its runs shall be looked at."""

    run_wanted = Signal(str)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._studies: list[Study] = []
        self._standing: StudyProgress | None = None
        self.queue = StudyQueue(context.session, context.queue, self)
        self.queue.changed.connect(self.refresh)
        self.queue.refused.connect(lambda text: context.notify(text, "bad"))
        self.switch = QPushButton(tr("Studies"))
        self.switch.setCheckable(True)
        self.switch.setToolTip(tr("Several methods on the same splits, compared"))
        self.which = QComboBox()
        self.which.setMinimumWidth(240)
        self.which.activated.connect(lambda _: self._show())
        self.said = QLabel()
        self.said.setProperty("role", "muted")
        self.go = QPushButton()
        self.go.clicked.connect(self._go_or_stop)
        self.empty = QLabel(
            tr("No study yet. “Study…” on the Train page compares methods on the same splits.")
        )
        self.empty.setProperty("role", "muted")
        self.empty.setWordWrap(True)
        self.table = self._make_table()
        self.table.picked.connect(self._picked)
        self.copies = Copies(
            self.table, self._name, lambda: picture_of(self.table), self.csv, context.notify
        )
        self._lay_out()

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Variant")),
                Column(tr("Seeds"), "count"),
                Column(tr("Accuracy"), "share", tr("Mean top-1 over the seeds")),
                Column(tr("95 % interval"), "figure", tr("Student's t over the seeds")),
                Column(
                    tr("Difference (points)"),
                    "figure",
                    tr("To the first variant, seed by seed, with its 95 % interval"),
                ),
                Column(tr("p"), "figure", tr("Two-sided paired t-test")),
                Column(tr("Seconds"), "count", tr("Mean time of a training")),
            )
        )
        table.give_first_room()
        return table

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.which)
        top.addWidget(self.said, 1)
        top.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 0, 16, 12)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.empty)
        column.addWidget(self.table, 1)

    def refresh(self) -> None:
        """Read the studies and their runs anew; the one looked at stays."""
        chosen = self.which.currentData()
        self._studies = self._context.session.studies.all()
        self.which.clear()
        for study in self._studies:
            self.which.addItem(study.plan.name, study.id)
        at = self.which.findData(chosen)
        self.which.setCurrentIndex(max(0, at) if self._studies else -1)
        self._show()

    def look_at(self, study_id: str, go_on: bool = False) -> None:
        """Show one study, and have it trained where `go_on` says so."""
        if go_on:
            self.queue.go_on(study_id)
        self.switch.setChecked(True)
        self.refresh()
        self.which.setCurrentIndex(max(0, self.which.findData(study_id)))
        self._show()

    def shown(self) -> Study | None:
        """The study looked at."""
        chosen = self.which.currentData()
        return next((study for study in self._studies if study.id == chosen), None)

    def _show(self) -> None:
        study = self.shown()
        for widget in (self.which, self.said, self.go, self.table):
            widget.setVisible(study is not None)
        self.empty.setVisible(study is None)
        if study is None:
            return
        found = self._standing = standing(self._context.session, study)
        self.table.set_rows([_cells(row) for row in found.rows])
        running = self.queue.running(study.id)
        said = [tr("{0} of {1} trainings done").format(found.done, found.cells)]
        if found.failed:
            said.append(tr("{0} failed").format(len(found.failed)))
        self.said.setText(", ".join(said))
        self.go.setText(tr("Stop") if running else tr("Go on"))
        self.go.setVisible(running or found.done < found.cells)

    def _go_or_stop(self) -> None:
        study = self.shown()
        if study is None:
            return
        if self.queue.running(study.id):
            self.queue.stop(study.id)
        else:
            self.queue.go_on(study.id)

    def _picked(self, row: int) -> None:
        study = self.shown()
        if study is None:
            return
        variant = list(study.plan.variants)[row]
        runs = [run for seed in study.plan.seeds if (run := study.run_of(variant, seed))]
        if runs:
            self.run_wanted.emit(runs[-1])

    def _name(self) -> str:
        study = self.shown()
        return study.plan.name if study is not None else tr("study")

    def csv(self) -> str:
        """The table as it stands, one line per variant, accuracies in [0, 1]."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            ("variant", "seeds", "mean", "interval", "difference", "interval", "p", "seconds")
        )
        for row in self._standing.rows if self._standing is not None else ():
            both = (row.accuracy.mean, row.accuracy.half, row.difference.mean, row.difference.half)
            numbers = [_plain(value) for value in (*both, row.p, row.seconds)]
            writer.writerow((row.variant, len(row.values), *numbers))
        return text.getvalue()


def _cells(row: Row) -> tuple[object, ...]:
    mean = None if math.isnan(row.accuracy.mean) else row.accuracy.mean
    seconds = None if math.isnan(row.seconds) else round(row.seconds)
    wide = figure(100 * row.accuracy.half)
    around = replace(wide, text=f"± {wide.text}") if wide.text else wide
    apart = row.difference
    difference = figure(100 * apart.mean, signed=True, half=100 * apart.half)
    return (row.variant, len(row.values), mean, around, difference, figure(row.p, 3), seconds)


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
