"""Dialog for a transfer from the closest source: sources, progress, and the vote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QLabel,
    QProgressBar,
    QPushButton,
    QWidget,
)

from workbench.app.training.samples import seen_by
from workbench.app.transfer import transferring
from workbench.app.transfer.transfer_queue import TransferQueue
from workbench.app.transfer.transfer_runs import TransferStage
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError
from workbench.domain.recipes import PartialRecipe
from workbench.domain.reports import Report
from workbench.domain.text import plural, tr
from workbench.domain.transfers import Transfer, TransferRequest
from workbench.ui.dialogs.transfer_parts import TransferSources, TransferVote
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, column, row
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.elided import ElidedLabel
from workbench.ui.parts.job_line import JobState, clock, state_after
from workbench.ui.parts.run_texts import START_TITLES, target_text

_ICONS = {  # by state of a step: icon and colour
    "done": ("check-circle", "good"),
    "running": ("play-circle", "accent"),
    "": ("circle", "line"),
}


class TransferStages(QWidget):
    """Steps of a transfer with an icon each, and below them the progress of the running step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = JobState()
        self._title = ""
        self._icons: dict[str, QLabel] = {}
        self._step_states: dict[str, str] = {}
        titles = {
            "compare": tr("Compare sources"),
            "source": tr("Train on the closest"),
            "candidates": tr("Train three candidates"),
            "vote": tr("Vote"),
        }
        steps = row(spacing=6)
        for name, title in titles.items():
            self._icons[name] = QLabel()
            steps.addWidget(self._icons[name])
            steps.addWidget(QLabel(title))
            steps.addSpacing(18)
        steps.addStretch(1)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(220)
        self.status = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        column(steps, row(self.bar, (self.status, 1), spacing=12), on=self, spacing=8)

    def show_transfer(
        self, transfer: Transfer | None, stage: TransferStage | None, title: str, idle: str
    ) -> None:
        """Show the state of a transfer.

        `stage` is the running step and `title` describes it; `idle` is shown if none is running.
        """
        now = "vote" if stage is TransferStage.SINGLE else stage.value if stage is not None else ""
        won = transfer is not None and bool(transfer.winner)
        done = {
            "compare": transfer is not None and bool(transfer.ranked),
            "source": transfer is not None and bool(transfer.candidates),
            "candidates": won,
            "vote": won,
        }
        self._step_states = {
            name: "running" if name == now else "done" if done[name] else "" for name in self._icons
        }
        self._draw_icons()
        if title != self._title:
            self._state = JobState()
        self._title = title
        self.bar.setVisible(stage is not None)
        if stage is None:
            self.status.setText(idle)
        else:
            self._show_progress()

    def show_report(self, report: Report) -> None:
        """Show the progress in a report of the running step."""
        self._state = state_after(report, self._state)
        if self.bar.isVisibleTo(self):
            self._show_progress()

    def _show_progress(self) -> None:
        fraction = self._state.fraction
        self.bar.setRange(0, 1000 if fraction is not None else 0)
        self.bar.setValue(round(1000 * min(1.0, fraction or 0.0)))
        parts = [self._title, self._state.text]
        if self._state.eta is not None:
            parts.append(tr("{time} left").format(time=clock(self._state.eta)))
        self.status.setText("  ·  ".join(part for part in parts if part))

    def _draw_icons(self) -> None:
        for name, label in self._icons.items():
            symbol, role = _ICONS[self._step_states.get(name, "")]
            label.setPixmap(icon(symbol, self, role).pixmap(16, 16))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._step_states:
            self._draw_icons()


class TransferDialog(Dialog):
    """Shows the transfer in `queue`, which continues when the dialog is closed.

    `keys` are the recipe keys set for a training. `results_requested(run)` is emitted to open the
    results of a run.
    """

    results_requested = Signal(str)

    def __init__(
        self,
        context: Context,
        queue: TransferQueue,
        keys: PartialRecipe,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Transfer from the closest source"))
        self.resize(1040, 700)
        self._context, self._queue, self._keys = context, queue, keys
        self._error = ""
        label_set = transferring.transfer_request(context.session, keys, ()).label_set
        self.sources = TransferSources(context, label_set)
        self.stages = TransferStages()
        self.vote = TransferVote(
            context.notify, seen_by(context.session.runs_folder), context.session.runs.epochs
        )
        self._make_choices()
        self._lay_out()
        self._connect()
        self._restore(label_set)

    def _make_choices(self) -> None:
        self.views = QCheckBox(tr("Also learn views where they are labelled"))
        self.views.setChecked(True)
        self.compare = QCheckBox(tr("Also train the winner without views"))
        self.compare.setToolTip(tr("One more training, which shows what the views contribute"))
        self.start = QPushButton()
        self.start.setProperty("primary", True)
        self.start.setMinimumWidth(112)
        self.open_winner = QPushButton(tr("Show winner"))
        self.open_winner.setToolTip(tr("Open its confusion matrix and images on the Results page"))

    def _lay_out(self) -> None:
        self.settings = PlainLabel()
        self.settings.setProperty("role", "muted")
        self.settings.setWordWrap(True)
        self.problem = PlainLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        choices = row(self.views, self.compare, spacing=16)
        choices.addStretch(1)
        below = row((self.problem, 1), self.open_winner, self.start, close, spacing=8)
        parts = (self.settings, (self.sources, 1), choices, self.stages, self.vote, below)
        column(*parts, on=self, margins=(16, 16, 16, 16), spacing=12)

    def _connect(self) -> None:
        self.sources.changed.connect(self._update)
        self.sources.failed.connect(self._show_error)
        for box in (self.views, self.compare):
            box.clicked.connect(self._update)
        self.views.toggled.connect(self.compare.setEnabled)
        self.start.clicked.connect(self._start_or_stop)
        self.open_winner.clicked.connect(self._show_winner)
        self.vote.run_chosen.connect(self._show_run)
        self.vote.curves_requested.connect(self._show_curves)
        self._queue.changed.connect(self._show)
        self._queue.reported.connect(self.stages.show_report)

    def _restore(self, label_set: str) -> None:
        """Show the settings of the running transfer, else of the newest of this label set."""
        known = self._queue.current or next(
            (
                t
                for t in transferring.transfers(self._context.session)
                if t.request.label_set == label_set
            ),
            None,
        )
        if known is not None:
            self.sources.texts = list(known.request.sources)
            self.views.setChecked(known.request.views)
            self.compare.setChecked(known.request.compare_views)
        self._show()

    def request(self) -> TransferRequest:
        """Return the transfer that the dialog describes."""
        views = self.views.isChecked()
        return transferring.transfer_request(
            self._context.session,
            self._keys,
            self.sources.texts,
            views,
            views and self.compare.isChecked(),
        )

    def transfer(self) -> Transfer | None:
        """Return the transfer to show: the running one, else the newest from these sources."""
        return self._queue.current or transferring.newest_of(self._context.session, self.request())

    # Display

    def _show(self) -> None:
        request, transfer = self.request(), self.transfer()
        running = self._queue.current is not None
        if running and transfer is not None:
            request = transfer.request
        self.settings.setText(_settings_text(request))
        self.sources.show_ranked(request.sources, transfer.ranked if transfer is not None else ())
        self.sources.set_editable(not running)
        for box in (self.views, self.compare):
            box.setEnabled(not running and (box is self.views or self.views.isChecked()))
        runs = {run.id: run for run in self._context.session.runs.all()}
        self.vote.show_transfer(transfer, runs)
        unfinished = transferring.unfinished_like(self._context.session, request)
        idle = self._idle_text(transfer, unfinished is not None)
        self.stages.show_transfer(transfer, self._queue.stage, self._step_title(transfer), idle)
        start = tr("Resume") if unfinished is not None else tr("Transfer")
        self.start.setText(tr("Stop") if running else start)
        self.start.setProperty("primary", not running)
        self.start.style().polish(self.start)
        self.start.setEnabled(running or bool(request.sources))
        self.open_winner.setEnabled(transfer is not None and transfer.winner_run in runs)
        self.problem.setText(self._error or ("" if running else tr(self._queue.problem)))

    def _step_title(self, transfer: Transfer | None) -> str:
        done, count = self._queue.trained
        source = transfer.source if transfer is not None else ""
        titles = {
            TransferStage.COMPARE: tr("Comparing sources"),
            TransferStage.SOURCE: tr("Training on {source}").format(source=source),
            TransferStage.CANDIDATES: tr("Training candidate {number} of {count}").format(
                number=min(done + 1, count), count=count
            ),
            TransferStage.SINGLE: tr("Training the winner without views"),
        }
        stage = self._queue.stage
        if stage is not None and stage is not TransferStage.COMPARE and not count:
            return tr("Preparing runs")
        return titles[stage] if stage is not None else ""

    def _idle_text(self, transfer: Transfer | None, unfinished: bool) -> str:
        if unfinished and transfer is not None:
            return tr("Stopped. Finished steps are kept; “Resume” continues.")
        if transfer is not None and transfer.winner:
            return tr("Done: transferred from {source}.").format(source=transfer.source)
        return tr("Compares the sources, trains on the closest one and transfers what it learned.")

    # Actions

    def _update(self) -> None:
        self._error = ""
        self._show()

    def _show_error(self, message: str) -> None:
        self._error = message
        self._show()

    def _start_or_stop(self) -> None:
        self._error = ""
        if self._queue.current is not None:
            self._queue.stop()
            self.start.setEnabled(False)  # until the running step has stopped
            return
        try:
            self._queue.start(self.request())
        except KnownError as error:
            self._show_error(tr(error.message))

    def _show_winner(self) -> None:
        transfer = self.transfer()
        if transfer is not None:
            self._show_run(transfer.winner_run)

    def _show_run(self, run: str) -> None:
        self.accept()
        self.results_requested.emit(run)

    def _show_curves(self, runs: list[str]) -> None:
        self.accept()
        self._context.go("results", curves=runs)


def _settings_text(request: TransferRequest) -> str:
    """Describe the target, backbone, start and settings of a transfer."""
    known = START_TITLES.get(request.start)
    settings = {key: value for key, value in request.settings.items() if key != "backbone"}
    if settings:
        text = tr("Target: {target}. Network: {backbone}. Start: {start}. Settings: {settings}.")
    else:
        text = tr("Target: {target}. Network: {backbone}. Start: {start}. Default settings.")
    return text.format(
        target=target_text(request.label_set),
        backbone=backbone(transferring.backbone_of(request)).title,
        start=tr(known) if known is not None else Path(request.start).name,
        settings=", ".join(f"{key} = {value}" for key, value in settings.items()),
    )


class TransferStarter(QObject):
    """Owns the transfer queue and opens the dialog; `keys()` returns the page's recipe keys."""

    def __init__(self, context: Context, keys: Callable[[], PartialRecipe], page: QWidget) -> None:
        super().__init__(page)
        self._context, self._keys, self._page = context, keys, page
        self.queue = TransferQueue(context.session, context.queue, self)
        self.queue.refused.connect(lambda text: context.notify(tr(text), "bad"))
        self.queue.finished.connect(self._notify_finished)
        self.dialog: TransferDialog | None = None

    def open_dialog(self) -> None:
        """Open the dialog with the running transfer, or with the current recipe keys.

        Shows an error if one of the keys is invalid.
        """
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None
        if not self._context.can_edit():
            return
        with self._context.reporting_errors():
            self.dialog = TransferDialog(self._context, self.queue, self._keys(), self._page)
            self.dialog.results_requested.connect(lambda run: self._context.go("results", run=run))
            self.dialog.open()

    def _notify_finished(self, transfer: Transfer) -> None:
        winner = next(c for c in transfer.candidates if c.frozen == transfer.winner)
        text = plural(
            transfer.voted,
            "Transfer from {source} finished: {stage} wins with {votes:,} of {n:,} vote.",
            "Transfer from {source} finished: {stage} wins with {votes:,} of {n:,} votes.",
            source=transfer.source,
            stage=transfer.winner,
            votes=winner.votes,
        )
        self._context.notify(text, "info")
