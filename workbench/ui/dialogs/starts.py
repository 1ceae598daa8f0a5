"""Comparison of start weights: scored without training, explained, and used with one click."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
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
from workbench.domain.text import plural, tr
from workbench.ui.dialogs.layers import LayersDialog
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import Column, FigureCell, FigureTable, figure
from workbench.ui.parts.job_line import JobLine
from workbench.ui.parts.run_texts import START_TITLES, percent, start_text, when
from workbench.ui.parts.training_draft import TrainingModel, train_missing

COLUMNS = 2  # of checkboxes


class StartsDialog(Dialog):
    """Scores of start weights for a target.

    `start_chosen(keys)` is emitted with the recipe keys of the chosen start and the settings
    recommended for it. `starts` are (start, title) pairs; files and ImageNet use `backbone`.
    """

    start_chosen = Signal(object)

    def __init__(
        self,
        context: Context,
        target: str,
        backbone: str,
        starts: Sequence[tuple[str, str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Compare start weights"))
        self.resize(1080, 560)
        self._context, self._target, self._backbone = context, target, backbone
        self._titles = dict(starts)
        self.report: TransferReport | None = None
        self.checkboxes = {start: QCheckBox(title) for start, title in starts}
        for start, box in self.checkboxes.items():
            box.setChecked(start in ("imagenet", "none") or start.startswith("file:"))
            box.toggled.connect(self._enable_score)
        self.table = self._make_table()
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_reasons())
        self._make_controls()
        self._lay_out()
        known = [report for report in assessments(context.session) if report.target == target]
        self._show(known[0] if known else None)

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Start")),
                Column(
                    tr("Frozen head"), "share", tr("Accuracy of a linear head on frozen features")
                ),
                Column(tr("Neighbours"), "share", tr("Accuracy of the nearest image's label")),
                Column(tr("H-score"), "figure", tr("From 0 to classes − 1; higher is better")),
                Column(tr("LEEP"), "figure", tr("At most 0; nearer 0 is better")),
                Column(tr("NCE"), "figure", tr("At most 0; nearer 0 is better")),
                Column(
                    tr("Similarity"),
                    "figure",
                    tr("Of the images to those the start was trained on"),
                ),
                Column(tr("Fine-tuned"), "share", tr("Accuracy of a finished run from this start")),
                Column(
                    tr("Tuning"),
                    "figure",
                    tr("Points that a run gains over the same one with all stages frozen"),
                ),
                Column(
                    tr("Harm"),
                    "figure",
                    tr("Points of error that a run has more than the same one from random weights"),
                ),
            )
        )
        table.give_first_room(60)
        return table

    def _make_controls(self) -> None:
        self.status = PlainLabel()
        self.status.setProperty("role", "muted")
        self.status.setWordWrap(True)
        self.reasons = QLabel()
        self.reasons.setWordWrap(True)
        self.reasons.setTextFormat(Qt.TextFormat.RichText)
        self.reasons.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.score = QPushButton(tr("Score"))
        self.job = JobLine(
            self._context, self._task, self._job_ended, self.score, self.status, self
        )
        self.layers = QPushButton(tr("By depth…"))
        self.layers.setToolTip(tr("Accuracy at each stage of this start"))
        self.layers.clicked.connect(self.show_layers)
        self.missing = QPushButton(tr("Train missing runs"))
        self.missing.setToolTip(tr("Train what “Tuning” and “Harm” compare a run with"))
        self.missing.clicked.connect(self._train_missing)
        self.use = QPushButton(tr("Use this start and its settings"))
        self.use.setProperty("primary", True)
        self.use.clicked.connect(self._use_current)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        for index, box in enumerate(self.checkboxes.values()):
            grid.addWidget(box, index // COLUMNS, index % COLUMNS)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.status, 1)
        top.addWidget(self.score)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addStretch(1)
        below.addWidget(self.missing)
        below.addWidget(self.layers)
        below.addWidget(self.use)
        below.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(grid)
        column.addLayout(top)
        column.addWidget(self.table, 1)
        column.addWidget(self.reasons)
        column.addLayout(below)

    # Scoring

    def _enable_score(self) -> None:
        checked = any(box.isChecked() for box in self.checkboxes.values())
        self.score.setEnabled(checked or self.job.running)

    def _task(self) -> Task[TransferReport]:
        checked = [start for start, box in self.checkboxes.items() if box.isChecked()]
        return assess_task(self._context.session, self._target, checked, self._backbone)

    def _job_ended(self, outcome: Outcome[TransferReport]) -> None:
        self.score.setText(tr("Score"))
        if isinstance(outcome, Done):
            self._show(outcome.value)
        else:
            self._show_status()

    # Results

    def _show(self, report: TransferReport | None) -> None:
        self.report = report
        self.table.setVisible(report is not None)
        if report is not None:
            self.table.set_rows([self._cells(one) for one in report.starts])
            self.table.selectRow(0)
        self._show_status()
        self._show_reasons()
        self._enable_score()

    def _show_status(self) -> None:
        if self.report is None:
            text = tr("Select starts and score them. This takes minutes, less than a training.")
            self.status.setText(text)
            return
        found = self.report.assessment
        made = when(self.report.made)
        text = tr(
            "{time}: {images} of {classes}, heads evaluated on {held_out}; always predicting the "
            "most frequent class reaches {chance}."
        )
        self.status.setText(
            text.format(
                time=made,
                images=plural(found.train_images, "{n:,} training image", "{n:,} training images"),
                classes=plural(found.classes, "{n:,} class", "{n:,} classes"),
                held_out=plural(
                    found.held_out_images, "{n:,} held-out image", "{n:,} held-out images"
                ),
                chance=percent(found.chance),
            )
        )

    def _cells(self, one: StartReport) -> tuple[FigureCell, ...]:
        scores = one.scores
        name = self._titles.get(scores.start, start_text(scores.start))
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
            *map(_points, (one.tuning_gap, one.negative_transfer_gap)),
        )

    def current(self) -> StartReport | None:
        """Return the report of the current row, None if there is none."""
        row = self.table.source_row(self.table.currentIndex())
        known = self.report.starts if self.report is not None else ()
        return known[row] if 0 <= row < len(known) else None

    def _show_reasons(self) -> None:
        one = self.current()
        for button in (self.use, self.layers):
            button.setEnabled(one is not None and not one.scores.unread)
        self.missing.setVisible(one is not None and bool(one.missing))
        if one is None:
            self.reasons.clear()
            return
        if one.scores.unread:
            self.reasons.setText(html.escape(tr(one.scores.unread)))
            return
        lines = []
        for key, reason in one.reasons:
            value = one.values.get(key)
            name = f"<b>{key} = {html.escape(_formatted(value))}</b>: " if value is not None else ""
            lines.append(name + html.escape(tr(reason)))
        self.reasons.setText("<br>".join(lines))

    def _use_current(self) -> None:
        one = self.current()
        if one is not None:
            start = {"backbone": one.scores.backbone, "start": one.scores.start}
            self.start_chosen.emit({**start, **one.values})
            self.accept()

    def _train_missing(self) -> None:
        """Queue the runs that the comparisons of the current start lack."""
        one = self.current()
        for missing in one.missing if one is not None else ():
            train_missing(self._context, missing)
        self.missing.hide()

    def show_layers(self) -> None:
        """Open the plot of accuracy by depth of the current start."""
        one = self.current()
        if one is not None:
            scores = one.scores
            self.by_depth = LayersDialog(
                self._context, self._target, scores.start, scores.backbone, self._titles, self
            )
            self.by_depth.open()

    def done(self, result: int) -> None:
        self.job.stop()
        super().done(result)


def open_starts(context: Context, model: TrainingModel, page: QWidget) -> StartsDialog:
    """Open the dialog over a page, with all starts possible for the draft in `model`."""
    draft = model.draft
    backbone, current = draft.recipe.backbone, draft.recipe.start
    possible = ("imagenet", "none") if BACKBONES[backbone].weights else ("none",)
    starts = [(start, tr(START_TITLES[start])) for start in possible]
    if current.startswith("file:"):
        starts.append((current, start_text(current)))
    starts += [(f"run:{run}", name) for run, name in model.start_runs()]
    dialog = StartsDialog(context, draft.target, backbone, starts, page)
    dialog.start_chosen.connect(model.set_values)
    dialog.open()
    return dialog


def _points(share: float | None) -> FigureCell:
    """A difference of shares in points."""
    return figure(None if share is None else 100 * share, 1, signed=True)


def _formatted(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_formatted(inner)}" for key, inner in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
