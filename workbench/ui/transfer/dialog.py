"""A transfer from the closest source: sources added, one button, and how the candidates voted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.transfer import transfer_book, transferring
from workbench.app.transfer.transfer_queue import TransferQueue
from workbench.app.transfer.transfer_steps import Stage
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError
from workbench.domain.transfers import Asked, Transfer
from workbench.ui.page import Context
from workbench.ui.transfer.sources import TransferSources
from workbench.ui.transfer.stages import TransferStages
from workbench.ui.transfer.vote import TransferVote
from workbench.ui.widgets.run_words import target_words


class TransferDialog(QDialog):
    """Shows a transfer as it goes on in `queue`, which outlives the dialog. `keys` are the recipe
    keys chosen for a training; `results_wanted(run)` asks for a run's results."""

    results_wanted = Signal(str)

    def __init__(
        self,
        context: Context,
        queue: TransferQueue,
        keys: Mapping[str, Any],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Transfer from the closest source"))
        self.resize(1040, 700)
        self._context, self._queue, self._keys = context, queue, dict(keys)
        self._refused = ""
        label_set = transferring.asked_with(context.op, keys, ()).label_set
        self.sources = TransferSources(context, label_set)
        self.stages = TransferStages()
        self.vote = TransferVote(context.notify)
        self._make_choices()
        self._lay_out()
        self._connect()
        self._take_up(label_set)

    def _make_choices(self) -> None:
        self.views = QCheckBox(self.tr("Learn views along where they are labelled"))
        self.views.setChecked(True)
        self.compare = QCheckBox(self.tr("Train the winner without views too"))
        self.compare.setToolTip(self.tr("One more training, to see what the views are worth"))
        self.start = QPushButton()
        self.start.setProperty("primary", True)
        self.start.setMinimumWidth(112)
        self.open_winner = QPushButton(self.tr("Show the winner"))
        self.open_winner.setToolTip(self.tr("Its confusion matrix and images on the Results page"))

    def _lay_out(self) -> None:
        self.settings = QLabel()
        self.settings.setProperty("role", "muted")
        self.settings.setWordWrap(True)
        self.problem = QLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        close = QPushButton(self.tr("Close"))
        close.clicked.connect(self.reject)
        choices = QHBoxLayout()
        choices.setSpacing(16)
        choices.addWidget(self.views)
        choices.addWidget(self.compare)
        choices.addStretch(1)
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self.problem, 1)
        for button in (self.open_winner, self.start, close):
            below.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.settings)
        column.addWidget(self.sources, 1)
        column.addLayout(choices)
        column.addWidget(self.stages)
        column.addWidget(self.vote)
        column.addLayout(below)

    def _connect(self) -> None:
        self.sources.changed.connect(self._edited)
        self.sources.refused.connect(self._refuse)
        for tick in (self.views, self.compare):
            tick.clicked.connect(self._edited)
        self.views.toggled.connect(self.compare.setEnabled)
        self.start.clicked.connect(self._start_or_stop)
        self.open_winner.clicked.connect(self._show_winner)
        self.vote.run_wanted.connect(self._show_run)
        self._queue.changed.connect(self._show)
        self._queue.reported.connect(self.stages.take)

    def _take_up(self, label_set: str) -> None:
        """Begin with the transfer under way, else with the newest of this label set."""
        known = self._queue.current or next(
            (
                t
                for t in transfer_book.transfers(self._context.op)
                if t.asked.label_set == label_set
            ),
            None,
        )
        if known is not None:
            self.sources.texts = list(known.asked.sources)
            self.views.setChecked(known.asked.views)
            self.compare.setChecked(known.asked.compare_views)
        self._show()

    def asked(self) -> Asked:
        """The transfer that the dialog describes now."""
        views = self.views.isChecked()
        return transferring.asked_with(
            self._context.op,
            self._keys,
            self.sources.texts,
            views,
            views and self.compare.isChecked(),
        )

    def shown(self) -> Transfer | None:
        """The transfer whose figures are seen: the one under way, else the newest of these
        sources."""
        return self._queue.current or transfer_book.newest_of(self._context.op, self.asked())

    # What is shown

    def _show(self) -> None:
        asked, transfer = self.asked(), self.shown()
        running = self._queue.current is not None
        if running and transfer is not None:
            asked = transfer.asked
        self.settings.setText(self._settings_words(asked))
        self.sources.show_ranked(asked.sources, transfer.ranked if transfer is not None else ())
        self.sources.set_editable(not running)
        for tick in (self.views, self.compare):
            tick.setEnabled(not running and (tick is self.views or self.views.isChecked()))
        runs = {run.id: run for run in self._context.op.store.runs.all()}
        self.vote.show_transfer(transfer, runs)
        left = transfer_book.unfinished_like(self._context.op, asked)
        ended = self._ended_words(transfer, left is not None)
        self.stages.show_transfer(transfer, self._queue.stage, self._now_words(transfer), ended)
        go_on = self.tr("Go on") if left is not None else self.tr("Transfer")
        self.start.setText(self.tr("Stop") if running else go_on)
        self.start.setProperty("primary", not running)
        self.start.style().polish(self.start)
        self.start.setEnabled(running or bool(asked.sources))
        self.open_winner.setEnabled(transfer is not None and transfer.winner_run in runs)
        problem = self._refused or ("" if running else self._queue.problem)
        self.problem.setText(problem)

    def _settings_words(self, asked: Asked) -> str:
        name = backbone(transferring.backbone_of(asked)).title
        start = {"imagenet": self.tr("ImageNet"), "none": self.tr("random weights")}
        others = ", ".join(
            f"{key} {value}" for key, value in asked.settings.items() if key != "backbone"
        )
        text = self.tr("To learn: {0}, with {1} from {2} and the settings of the Train page{3}.")
        return text.format(
            target_words(asked.label_set),
            name,
            start.get(asked.start, Path(asked.start).name),
            f" ({others})" if others else "",
        )

    def _now_words(self, transfer: Transfer | None) -> str:
        done, count = self._queue.trained
        source = transfer.source if transfer is not None else ""
        words = {
            Stage.COMPARE: self.tr("Comparing the sources"),
            Stage.SOURCE: self.tr("Learning {0}").format(source),
            Stage.CANDIDATES: self.tr("Candidate {0} of {1}").format(min(done + 1, count), count),
            Stage.SINGLE: self.tr("The winner without views"),
        }
        stage = self._queue.stage
        if stage is not None and stage is not Stage.COMPARE and not count:
            return self.tr("Preparing the trainings")
        return words[stage] if stage is not None else ""

    def _ended_words(self, transfer: Transfer | None, unfinished: bool) -> str:
        if unfinished and transfer is not None:
            return self.tr("Stopped; what is done is kept. “Go on” takes it up again.")
        if transfer is not None and transfer.winner:
            return self.tr("Done: learned from {0}.").format(transfer.source)
        return self.tr("One click compares the sources, learns the closest and carries it over.")

    # Deeds

    def _edited(self) -> None:
        self._refused = ""
        self._show()

    def _refuse(self, sentence: str) -> None:
        self._refused = sentence
        self._show()

    def _start_or_stop(self) -> None:
        self._refused = ""
        if self._queue.current is not None:
            self._queue.stop()
            self.start.setEnabled(False)  # until what is under way has come to rest
            return
        try:
            self._queue.start(self.asked())
        except KnownError as error:
            self._refuse(str(error))

    def _show_winner(self) -> None:
        transfer = self.shown()
        if transfer is not None:
            self._show_run(transfer.winner_run)

    def _show_run(self, run: str) -> None:
        self.accept()
        self.results_wanted.emit(run)
