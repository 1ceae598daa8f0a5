"""A transfer from the closest source: sources, progress of its steps, and the vote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.transfer import transferring
from workbench.app.transfer.transfer_queue import TransferQueue
from workbench.app.transfer.transfer_runs import TransferStage
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError
from workbench.domain.runs import RunRecord, top1
from workbench.domain.splits import Part
from workbench.domain.text import tr
from workbench.domain.transfers import CANDIDATE_LAYERS, CandidateRun, Transfer, TransferRequest
from workbench.ui.dialogs.transfer_sources import TransferSources
from workbench.ui.look.icons import icon
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies, Notify, picture_of
from workbench.ui.parts.elided import ElidedLabel
from workbench.ui.parts.figure_table import Column, FigureTable
from workbench.ui.parts.job_line import JobState, clock, state_after
from workbench.ui.parts.run_words import percent, status_words, target_words

_SIGNS = {
    "done": ("check-circle", "good"),
    "now": ("play-circle", "accent"),
    "": ("circle", "line"),
}


class TransferStages(QWidget):
    """Signs and names of the steps, and below them the progress of the one under way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = JobState()
        self._words = ""
        self._signs: dict[str, QLabel] = {}
        self._standing: dict[str, str] = {}
        titles = {
            "compare": tr("Compare the sources"),
            "source": tr("Learn the closest"),
            "candidates": tr("Train three candidates"),
            "vote": tr("Vote"),
        }
        row = QHBoxLayout()
        row.setSpacing(6)
        for name, title in titles.items():
            self._signs[name] = QLabel()
            row.addWidget(self._signs[name])
            row.addWidget(QLabel(title))
            row.addSpacing(18)
        row.addStretch(1)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(220)
        self.said = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        below = QHBoxLayout()
        below.setSpacing(12)
        below.addWidget(self.bar)
        below.addWidget(self.said, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addLayout(below)

    def show_transfer(
        self, transfer: Transfer | None, stage: TransferStage | None, words: str, ended: str
    ) -> None:
        """Where a transfer stands; `stage` and `words` say what is under way, `ended` what is to
        be said while nothing is."""
        at = "vote" if stage is TransferStage.SINGLE else stage.value if stage is not None else ""
        won = transfer is not None and bool(transfer.winner)
        done = {
            "compare": transfer is not None and bool(transfer.ranked),
            "source": transfer is not None and bool(transfer.candidates),
            "candidates": won,
            "vote": won,
        }
        self._standing = {
            name: "now" if name == at else "done" if done[name] else "" for name in self._signs
        }
        self._draw()
        if words != self._words:
            self._state = JobState()
        self._words = words
        self.bar.setVisible(stage is not None)
        if stage is None:
            self.said.setText(ended)
        else:
            self._say()

    def take(self, report: object) -> None:
        """A report of the work under way."""
        self._state = state_after(report, self._state)
        if self.bar.isVisibleTo(self):
            self._say()

    def _say(self) -> None:
        fraction = self._state.fraction
        self.bar.setRange(0, 1000 if fraction is not None else 0)
        self.bar.setValue(round(1000 * min(1.0, fraction or 0.0)))
        parts = [self._words, self._state.text]
        if self._state.eta is not None:
            parts.append(tr("{0} left").format(clock(self._state.eta)))
        self.said.setText("  ·  ".join(part for part in parts if part))

    def _draw(self) -> None:
        for name, label in self._signs.items():
            sign, role = _SIGNS[self._standing.get(name, "")]
            label.setPixmap(icon(sign, self, role).pixmap(16, 16))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._standing:
            self._draw()


class TransferVote(QWidget):
    """`run_wanted(id)`: a person asks for a candidate's results."""

    run_wanted = Signal(str)

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._transfer: Transfer | None = None
        self.table = self._make_table()
        self.table.picked.connect(self._picked)
        heading = QLabel(tr("Candidates"))
        heading.setProperty("role", "heading")
        self.outcome = QLabel()
        self.outcome.setWordWrap(True)
        self.rule = QLabel(
            tr(
                "Each held-out image gets the label that most candidates give it; the candidate "
                "that agrees with these labels most often is kept. Where all differ, and where "
                "candidates have equally many votes, the recipe’s seed draws."
            )
        )
        self.rule.setWordWrap(True)
        self.rule.setProperty("role", "caption")
        self.copies = Copies(
            self.table,
            lambda: tr("candidates"),
            lambda: picture_of(self.table),
            self.table.csv,
            notify,
        )
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        top.addWidget(self.copies.button(self))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        for widget in (self.table, self.outcome, self.rule):
            column.addWidget(widget)

    def _make_table(self) -> FigureTable:
        table = FigureTable(
            (
                Column(tr("Candidate")),
                Column(tr("Kept up to")),
                Column(tr("State")),
                Column(tr("Top-1"), "share", tr("Of the images held out")),
                Column(tr("Votes"), "count", tr("Images on which it agrees with the majority")),
                Column(tr("Drawn"), "count", tr("…of which the draw gave it, all having differed")),
            )
        )
        table.give_first_room()
        row = table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(row * len(CANDIDATE_LAYERS) + 34)
        return table

    def show_transfer(self, transfer: Transfer | None, runs: Mapping[str, RunRecord]) -> None:
        """A transfer's candidates with their runs by id; None shows what there will be."""
        self._transfer = transfer
        made = {c.layers: c for c in transfer.candidates} if transfer is not None else {}
        self.table.set_rows(
            [self._cells(layers, made.get(layers), runs) for layers in CANDIDATE_LAYERS]
        )
        winner = transfer.winner if transfer is not None else ""
        names = [c.frozen for c in transfer.candidates] if transfer is not None else []
        if winner in names:
            self.table.selectRow(self.table.view_row(names.index(winner)))
        else:
            self.table.clearSelection()
        self.outcome.setVisible(bool(winner))
        if transfer is not None and winner:
            self.outcome.setText(self._outcome(transfer, runs))

    def _cells(
        self, layers: int, made: CandidateRun | None, runs: Mapping[str, RunRecord]
    ) -> tuple[object, ...]:
        name = tr("Layers 1–{0} kept").format(layers)
        if made is None:
            return (name, None, None, None, None, None)
        run = runs.get(made.run)
        state = status_words(run) if run is not None else tr("removed")
        if self._transfer is not None and made.frozen == self._transfer.winner:
            state = tr("winner")
        drawn = made.alone if made.votes is not None else None
        return (name, made.frozen, state, held_out(run), made.votes, drawn)

    def _outcome(self, transfer: Transfer, runs: Mapping[str, RunRecord]) -> str:
        text = tr(
            "Winner: kept up to {0}{1}. It agrees with the majority on {2} of {3} held-out images; "
            "the candidates disagreed on {4}."
        )
        won = next(c for c in transfer.candidates if c.frozen == transfer.winner)
        drawn = tr(", drawn among equals") if transfer.drawn else ""
        said = text.format(transfer.winner, drawn, won.votes, transfer.voted, transfer.disputed)
        single, along = runs.get(transfer.single), runs.get(transfer.winner_run)
        if single is not None and held_out(single) is not None:
            beside = tr(" Without views {0}, with them {1}.")
            said += beside.format(percent(held_out(single)), percent(held_out(along)))
        return said

    def _picked(self, row: int) -> None:
        made = self._transfer.candidates if self._transfer is not None else ()
        if row < len(made):
            self.run_wanted.emit(made[row].run)


def held_out(run: RunRecord | None) -> float | None:
    """Top-1 of a run's test part, of its validation part where nothing was tested."""
    if run is None:
        return None
    test = top1(run)
    return test if test is not None else top1(run, Part.VALIDATION)


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
        self.setWindowTitle(tr("Transfer from the closest source"))
        self.resize(1040, 700)
        self._context, self._queue, self._keys = context, queue, dict(keys)
        self._refused = ""
        label_set = transferring.asked_with(context.session, keys, ()).label_set
        self.sources = TransferSources(context, label_set)
        self.stages = TransferStages()
        self.vote = TransferVote(context.notify)
        self._make_choices()
        self._lay_out()
        self._connect()
        self._take_up(label_set)

    def _make_choices(self) -> None:
        self.views = QCheckBox(tr("Learn views along where they are labelled"))
        self.views.setChecked(True)
        self.compare = QCheckBox(tr("Train the winner without views too"))
        self.compare.setToolTip(tr("One more training, to see what the views are worth"))
        self.start = QPushButton()
        self.start.setProperty("primary", True)
        self.start.setMinimumWidth(112)
        self.open_winner = QPushButton(tr("Show the winner"))
        self.open_winner.setToolTip(tr("Its confusion matrix and images on the Results page"))

    def _lay_out(self) -> None:
        self.settings = QLabel()
        self.settings.setProperty("role", "muted")
        self.settings.setWordWrap(True)
        self.problem = QLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        close = QPushButton(tr("Close"))
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
                for t in transferring.transfers(self._context.session)
                if t.asked.label_set == label_set
            ),
            None,
        )
        if known is not None:
            self.sources.texts = list(known.asked.sources)
            self.views.setChecked(known.asked.views)
            self.compare.setChecked(known.asked.compare_views)
        self._show()

    def asked(self) -> TransferRequest:
        """The transfer that the dialog describes now."""
        views = self.views.isChecked()
        return transferring.asked_with(
            self._context.session,
            self._keys,
            self.sources.texts,
            views,
            views and self.compare.isChecked(),
        )

    def shown(self) -> Transfer | None:
        """The transfer whose figures are seen: the one under way, else the newest of these
        sources."""
        return self._queue.current or transferring.newest_of(self._context.session, self.asked())

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
        runs = {run.id: run for run in self._context.session.runs.all()}
        self.vote.show_transfer(transfer, runs)
        left = transferring.unfinished_like(self._context.session, asked)
        ended = self._ended_words(transfer, left is not None)
        self.stages.show_transfer(transfer, self._queue.stage, self._now_words(transfer), ended)
        go_on = tr("Go on") if left is not None else tr("Transfer")
        self.start.setText(tr("Stop") if running else go_on)
        self.start.setProperty("primary", not running)
        self.start.style().polish(self.start)
        self.start.setEnabled(running or bool(asked.sources))
        self.open_winner.setEnabled(transfer is not None and transfer.winner_run in runs)
        problem = self._refused or ("" if running else self._queue.problem)
        self.problem.setText(problem)

    def _settings_words(self, asked: TransferRequest) -> str:
        name = backbone(transferring.backbone_of(asked)).title
        start = {"imagenet": tr("ImageNet"), "none": tr("random weights")}
        others = ", ".join(
            f"{key} {value}" for key, value in asked.settings.items() if key != "backbone"
        )
        text = tr("To learn: {0}, with {1} from {2} and the settings of the Train page{3}.")
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
            TransferStage.COMPARE: tr("Comparing the sources"),
            TransferStage.SOURCE: tr("Learning {0}").format(source),
            TransferStage.CANDIDATES: tr("Candidate {0} of {1}").format(
                min(done + 1, count), count
            ),
            TransferStage.SINGLE: tr("The winner without views"),
        }
        stage = self._queue.stage
        if stage is not None and stage is not TransferStage.COMPARE and not count:
            return tr("Preparing the trainings")
        return words[stage] if stage is not None else ""

    def _ended_words(self, transfer: Transfer | None, unfinished: bool) -> str:
        if unfinished and transfer is not None:
            return tr("Stopped; what is done is kept. “Go on” takes it up again.")
        if transfer is not None and transfer.winner:
            return tr("Done: learned from {0}.").format(transfer.source)
        return tr("One click compares the sources, learns the closest and carries it over.")

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
            self._refuse(tr(error.message))

    def _show_winner(self) -> None:
        transfer = self.shown()
        if transfer is not None:
            self._show_run(transfer.winner_run)

    def _show_run(self, run: str) -> None:
        self.accept()
        self.results_wanted.emit(run)


class TransferStarter(QObject):
    """`keys` gives the recipe keys chosen on the page."""

    def __init__(
        self, context: Context, keys: Callable[[], Mapping[str, Any]], page: QWidget
    ) -> None:
        super().__init__(page)
        self._context, self._keys, self._page = context, keys, page
        self.queue = TransferQueue(context.session, context.queue, self)
        self.queue.refused.connect(lambda text: context.notify(text, "bad"))
        self.queue.finished.connect(self._say)
        self.dialog: TransferDialog | None = None

    def ask(self) -> None:
        """Open the dialog on the transfer under way, or on what is chosen now."""
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = TransferDialog(self._context, self.queue, self._keys(), self._page)
        self.dialog.results_wanted.connect(lambda run: self._context.go("results", run=run))
        self.dialog.open()

    def _say(self, transfer: Transfer) -> None:
        text = tr("Transfer from {0} done: kept up to {1} wins with {2} of {3} votes.")
        won = next(c for c in transfer.candidates if c.frozen == transfer.winner)
        said = text.format(transfer.source, transfer.winner, won.votes, transfer.voted)
        self._context.notify(said, "info")
