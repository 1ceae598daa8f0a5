"""Which start suits: scored before anything is trained, explained, and taken over in one click."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Done, Outcome, Task
from workbench.app.transfer.assessing import assess_task, assessments
from workbench.domain.assessments import StartReport, TransferReport
from workbench.domain.backbones import BACKBONES
from workbench.domain.text import tr
from workbench.ui.dialogs.layers import LayersDialog
from workbench.ui.page import Context
from workbench.ui.parts.figure_table import Column, FigureTable, figure
from workbench.ui.parts.job_line import JobLine
from workbench.ui.parts.run_words import start_words
from workbench.ui.parts.training_draft import TrainingModel

COLUMNS = 2


class StartsDialog(QDialog):
    """`taken(keys)`: recipe keys of the start that a person chose, with what is advised for it.

    `starts` are (start, words) pairs to choose from; files and ImageNet take `backbone`.
    """

    taken = Signal(object)

    def __init__(
        self,
        context: Context,
        target: str,
        backbone: str,
        starts: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Compare starts"))
        self.resize(1080, 560)
        self._context, self._target, self._backbone = context, target, backbone
        self._words = dict(starts)
        self.report: TransferReport | None = None
        self.ticks = {start: QCheckBox(words) for start, words in starts}
        for start, tick in self.ticks.items():
            tick.setChecked(start in ("imagenet", "none") or start.startswith("file:"))
            tick.toggled.connect(self._can_score)
        self.table = self._make_table()
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._explain())
        self._make_words()
        self._lay_out()
        known = [report for report in assessments(context.session) if report.target == target]
        self._show(known[0] if known else None)

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Start")),
                Column(tr("Frozen head"), "share", tr("A linear head on features as they are")),
                Column(tr("Neighbours"), "share", tr("Label of the nearest other image")),
                Column(tr("H-score"), "figure", tr("0 to classes − 1; higher suits better")),
                Column(tr("LEEP"), "figure", tr("At most 0; nearer 0 suits better")),
                Column(tr("NCE"), "figure", tr("At most 0; nearer 0 suits better")),
                Column(tr("Similarity"), "figure", tr("Of the images, to those it was trained on")),
                Column(tr("Fine-tuned"), "share", tr("What a finished run from it reached")),
                Column(
                    tr("Harm"), "figure", tr("Negative transfer: error with it minus error without")
                ),
            )
        )
        table.give_first_room(60)
        return table

    def _make_words(self) -> None:
        self.said = QLabel()
        self.said.setProperty("role", "muted")
        self.said.setWordWrap(True)
        self.why = QLabel()
        self.why.setWordWrap(True)
        self.why.setTextFormat(Qt.TextFormat.RichText)
        self.why.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.score = QPushButton(tr("Score"))
        self.job = JobLine(self._context, self._task, self._over, self.score, self.said, self)
        self.layers = QPushButton(tr("By depth…"))
        self.layers.setToolTip(tr("How far labels can be told at every stage of this start"))
        self.layers.clicked.connect(self.show_layers)
        self.take = QPushButton(tr("Use this start and its settings"))
        self.take.setProperty("primary", True)
        self.take.clicked.connect(self._take)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        for at, tick in enumerate(self.ticks.values()):
            grid.addWidget(tick, at // COLUMNS, at % COLUMNS)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.said, 1)
        top.addWidget(self.score)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addStretch(1)
        below.addWidget(self.layers)
        below.addWidget(self.take)
        below.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(grid)
        column.addLayout(top)
        column.addWidget(self.table, 1)
        column.addWidget(self.why)
        column.addLayout(below)

    # Scoring

    def _can_score(self) -> None:
        chosen = any(tick.isChecked() for tick in self.ticks.values())
        self.score.setEnabled(chosen or self.job.running)

    def _task(self) -> Task[TransferReport]:
        chosen = [start for start, tick in self.ticks.items() if tick.isChecked()]
        return assess_task(self._context.session, self._target, chosen, self._backbone)

    def _over(self, outcome: Outcome[TransferReport]) -> None:
        self.score.setText(tr("Score"))
        if isinstance(outcome, Done):
            self._show(outcome.value)
        else:
            self._say_report()

    # What is shown

    def _show(self, report: TransferReport | None) -> None:
        self.report = report
        self.table.setVisible(report is not None)
        if report is not None:
            self.table.set_rows([self._cells(one) for one in report.starts])
            self.table.selectRow(0)
        self._say_report()
        self._explain()
        self._can_score()

    def _say_report(self) -> None:
        if self.report is None:
            text = tr("Choose starts and score them: minutes, where a training takes longer.")
            self.said.setText(text)
            return
        found = self.report.assessment
        made = datetime.fromtimestamp(self.report.made).strftime("%Y-%m-%d %H:%M")
        text = tr(
            "{made}: {train} training images of {classes} classes, heads judged on {held} others; "
            "guessing the commonest class reaches {chance:.1%}."
        )
        self.said.setText(
            text.format(
                made=made,
                train=found.train_images,
                classes=found.classes,
                held=found.held_out_images,
                chance=found.chance,
            )
        )

    def _cells(self, one: StartReport) -> tuple[object, ...]:
        scores, gap = one.scores, one.negative_transfer_gap
        name = self._words.get(scores.start, start_words(scores.start))
        known = BACKBONES.get(scores.backbone)
        return (
            f"{name} · {known.title if known is not None else scores.backbone}",
            scores.frozen_top1,
            scores.neighbours,
            figure(scores.h_score, 3),
            figure(scores.leep, 3),
            figure(scores.nce, 3),
            figure(scores.domain_similarity, 3),
            one.fine_tuned_top1,
            figure(None if gap is None else 100 * gap, 1, signed=True),
        )

    def chosen(self) -> StartReport | None:
        """The start whose row is current."""
        row = self.table.source_row(self.table.currentIndex())
        known = self.report.starts if self.report is not None else ()
        return known[row] if 0 <= row < len(known) else None

    def _explain(self) -> None:
        one = self.chosen()
        for button in (self.take, self.layers):
            button.setEnabled(one is not None and not one.scores.unread)
        if one is None:
            self.why.clear()
            return
        if one.scores.unread:
            self.why.setText(html.escape(one.scores.unread))
            return
        lines = []
        for key, reason in one.reasons:
            value = one.values.get(key)
            name = f"<b>{key} = {html.escape(_written(value))}</b>: " if value is not None else ""
            lines.append(name + html.escape(tr(reason)))
        self.why.setText("<br>".join(lines))

    def _take(self) -> None:
        one = self.chosen()
        if one is not None:
            start = {"backbone": one.scores.backbone, "start": one.scores.start}
            self.taken.emit({**start, **one.values})
            self.accept()

    def show_layers(self) -> None:
        """How accuracy grows with depth in the chosen start."""
        one = self.chosen()
        if one is not None:
            scores = one.scores
            place = (self._context, self._target, scores.start, scores.backbone)
            self.by_depth = LayersDialog(*place, self._words, self)
            self.by_depth.open()

    def done(self, result: int) -> None:
        self.job.stop()
        super().done(result)


def open_starts(context: Context, desk: TrainingModel, page: QWidget) -> StartsDialog:
    """The dialog over a page, with every start that its draft could take."""
    draft = desk.draft
    backbone, current = draft.recipe.backbone, draft.recipe.start
    starts = [("imagenet", tr("ImageNet"))] if BACKBONES[backbone].weights else []
    starts.append(("none", tr("Nothing: random weights")))
    if current.startswith("file:"):
        starts.append((current, start_words(current)))
    starts += [(f"run:{run}", name) for run, name in desk.start_runs()]
    dialog = StartsDialog(context, draft.target, backbone, starts, page)
    dialog.taken.connect(desk.take_keys)
    dialog.open()
    return dialog


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_written(own)}" for key, own in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
