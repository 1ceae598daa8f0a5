"""The Train page: choose a training, see what it will take, start it, and watch it learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QLabel,
    QPushButton,
    QStackedLayout,
    QWidget,
)

from workbench.app.training.choices import specs_task
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter
from workbench.domain.reports import Report
from workbench.domain.runs import RunRecord
from workbench.domain.text import mark, tr
from workbench.ui.commands import Menu, command
from workbench.ui.dialogs.layers import open_layers
from workbench.ui.dialogs.starts import open_starts
from workbench.ui.dialogs.study import StudyStarter
from workbench.ui.dialogs.transfer import TransferStarter
from workbench.ui.page import Context, Page, PageHeader, boxed, column, row, split
from workbench.ui.pages.train.live_run import LiveRun
from workbench.ui.pages.train.preflight import PreflightLine
from workbench.ui.pages.train.queue_panel import QueuePanel, queue_order, queue_side
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.recipe.form import RecipeForm
from workbench.ui.parts.recipe.more import MoreSettings
from workbench.ui.parts.training_draft import TrainingModel


class TrainLine(QWidget):
    """Buttons and the preflight between them; the page connects them."""

    def __init__(self, preflight: PreflightLine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.train = QPushButton(tr("Train"))
        self.train.setProperty("primary", True)
        self.train.setMinimumWidth(112)
        self.train.setToolTip(tr("Start this training, or put it in the queue (Ctrl+Enter)"))
        self.unfold = QPushButton(tr("Method and settings"))
        self.unfold.setCheckable(True)
        self.unfold.setToolTip(
            tr("Method, head, penalties and every other setting; the defaults are good")
        )
        self.transfer = QPushButton(tr("Transfer from…"))
        self.transfer.setToolTip(
            tr("Learn the closest of several sources first, then carry it over")
        )
        self.study = QPushButton(tr("Study…"))
        self.study.setToolTip(tr("Compare methods with these settings on the same splits"))
        buttons = (self.transfer, self.study, self.train)
        row(self.unfold, (preflight, 1), *buttons, on=self, spacing=8)


class TrainPage(Page):
    """Shows the desk's draft and the queue; every decision is the desk's or the app's."""

    name = "train"
    title = "Train"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.desk = TrainingModel(context, self)
        self.form = RecipeForm()
        self.more = MoreSettings()
        self.preflight = PreflightLine(context.session)
        self.live = LiveRun(context.notify)
        self.queue = QueuePanel()
        self.studies = StudyStarter(context, self.desk.study_keys, self)
        self.transfers = TransferStarter(context, self.desk.draft_keys, self)
        self.line = TrainLine(self.preflight)
        self.train, self.unfold, self.study = self.line.train, self.line.unfold, self.line.study
        self._asked = False  # for the methods there are
        self._lay_out()
        self._connect()
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._take_up)

    # Building

    def _lay_out(self) -> None:
        self.splitter = split(
            self._watch(), queue_side(self.queue), sizes=(900, 264), stretch=(1, 0), handle=8
        )
        work = boxed(
            column(self.form, self.line, (self.splitter, 1), margins=(16, 0, 16, 12), spacing=8)
        )
        self._stack = QStackedLayout()
        self.empty = EmptyState("play", "", tr("Label images"), self._go_label)
        self._stack.addWidget(work)
        self._stack.addWidget(self.empty)
        column(PageHeader(tr("Train")), (self._stack, 1), on=self)

    def _watch(self) -> QWidget:
        self._watching = QStackedLayout()
        hint = QLabel(tr("The curves of the training appear here."))
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint.setProperty("role", "muted")
        self._watching.addWidget(hint)
        self._watching.addWidget(self.live)
        self._watching.addWidget(self.more)
        return boxed(self._watching)

    def _connect(self) -> None:
        for part in (self.form, self.more):
            part.edited.connect(self.desk.edit)
            part.cleared.connect(self.desk.clear)
        self.form.part_requested.connect(self._show_part)
        self.form.start.download_requested.connect(self.desk.download)
        self.form.start.compare_requested.connect(self.compare_starts)
        self.form.start.stop_requested.connect(self.desk.stop_download)
        self.desk.changed.connect(self._show_draft)
        self.desk.prepared.connect(self._prepared)
        self.desk.downloading.connect(self.form.start.show_download)
        self.desk.download_ended.connect(self._download_ended)
        self.preflight.wanted.connect(self.try_step)
        self.train.clicked.connect(self.start_training)
        self.unfold.toggled.connect(self._choose_pane)
        self.study.clicked.connect(self.studies.open_dialog)
        self.line.transfer.clicked.connect(self.transfers.open_dialog)
        self.queue.picked.connect(self.watch)
        self.queue.deed.connect(self._do)
        self.live.results_wanted.connect(lambda run: self.context.go("results", run=run))
        self.context.queue.changed.connect(self._show_queue)
        self.context.queue.reported.connect(self._take_report)

    # What is shown

    def load(self) -> None:
        self._take_up()

    def show_changes(self, changes: Changes) -> None:
        if changes.runs:
            self._show_queue()
        touched = changes.labelled or changes.added or changes.removed or changes.cropped
        if touched or changes.label_sets or changes.split:
            self._later.start()  # once for all edits of this moment

    def show_target(self, **what: Any) -> None:
        for key in what.keys() & {"target", "start"}:
            self.desk.edit(key, what[key])
        if self._later.isActive():
            self._take_up()
        self._show_queue()
        if "run" in what:
            self.watch(str(what["run"]))

    def _take_up(self) -> None:
        """Look anew at what the labels allow to learn."""
        self._later.stop()
        choices = self.desk.update_targets()
        self.form.set_targets(choices)
        self.form.set_parts(self.desk.parts())
        ready = any(not choice.reason for choice in choices) or bool(self.desk.records())
        self._stack.setCurrentIndex(0 if ready else 1)
        if not ready:
            self._say_empty()
        self._show_draft()

    def _say_empty(self) -> None:
        if self.context.session.images.count():
            text = tr("Give at least two different labels, then a training can start here.")
            self.empty.set_text(text, tr("Label images"))
        else:
            text = tr("Add images and label them, then a training can start here.")
            self.empty.set_text(text, tr("Add images"))

    def _go_label(self) -> None:
        self.context.go("views" if self.context.session.images.count() else "images")

    def _show_draft(self) -> None:
        desk = self.desk
        errors = desk.errors()
        self.form.show_draft(desk.draft, errors, desk.start_runs(), desk.weights_present())
        self.more.show_draft(desk.draft, errors)
        folded = [key for key in errors if key in self.more.fields]
        if folded and not self.unfold.isChecked():
            self.unfold.setChecked(True)
        self._show_button()
        self.preflight.settings_changed(soon=self.isVisible() and desk.can_try())
        if desk.refusal or errors:
            self.preflight.hold(desk.refusal or tr("Mend the settings marked in red first."))

    def _show_queue(self) -> None:
        records = self.desk.records()
        shown = self._watched(records)
        self.queue.show_runs(queue_order(records), shown)
        record = next((r for r in records if r.id == shown), None)
        before = self.live.record
        if record is not None and before is not None and before.id == record.id:
            self.live.show_record(record)  # its epochs come as reports
        elif record is not None:
            self.live.show_run(record, self.context.session.runs.epochs(shown))
        self._choose_pane()

    def _choose_pane(self) -> None:
        """Settings where they are unfolded, else the curves of the run watched."""
        curves = 1 if self.live.run_id else 0
        self._watching.setCurrentIndex(2 if self.unfold.isChecked() else curves)
        if self.unfold.isChecked() and not self._asked:
            self._asked = True
            self.context.session.start(specs_task(), done=self.more.methods.set_specs)

    def _watched(self, records: Sequence[RunRecord]) -> str:
        """The run whose curves are shown: the one picked, else the first of the queue."""
        if self.live.run_id in [record.id for record in records]:
            return self.live.run_id
        order = queue_order(records)
        return order[0].id if order else ""

    def watch(self, run_id: str) -> None:
        """Show the curves of a run."""
        record = next((r for r in self.desk.records() if r.id == run_id), None)
        if record is not None:
            self.live.show_run(record, self.context.session.runs.epochs(run_id))
            self._show_queue()

    def _take_report(self, run_id: str, report: Report) -> None:
        self.live.take(run_id, report)
        self.queue.take(run_id, report)

    def _show_part(self, part: str) -> None:
        self.context.go("images", filter=ImageFilter(part=part))

    def _download_ended(self, sentence: str) -> None:
        self.form.start.end_download()
        if sentence:
            self.context.notify(sentence, "bad")
        self._show_draft()

    def _prepared(self, run: str) -> None:
        self._show_button()
        if run:
            self.unfold.setChecked(False)
            self.watch(run)

    def _show_button(self) -> None:
        desk = self.desk
        self.train.setEnabled(not (desk.errors() or desk.refusal or desk.preparing))

    def _do(self, deed: str, run_id: str) -> None:
        if deed == "remove":
            self.live.forget(run_id)
        self.desk.control(deed, run_id)
        self._show_queue()

    # Commands, in the order of the menu

    def can_train(self) -> bool:
        """Whether the form holds a training that can start."""
        return self.train.isEnabled()

    @command(
        mark("Train"),
        id="start",
        key="Ctrl+Return",
        menu=Menu.RUN,
        when=can_train,
    )
    def start_training(self) -> None:
        """Start what the form says, or say why it cannot."""
        self.preflight.cancel()
        self.desk.train()
        self._show_button()

    @command(mark("Try a training step"), id="try", menu=Menu.RUN)
    def try_step(self) -> None:
        """Take real steps and say what a training will need."""
        if not self.isVisible():
            return  # nobody would read it
        if self.desk.running():
            self.preflight.hold(tr("A training is running: a trial beside it would mislead."))
            return
        task = self.desk.trial()
        if task is not None:
            self.preflight.check(task)

    @command(mark("Compare methods in a study…"), id="study", menu=Menu.RUN)
    def start_study(self) -> None:
        """Choose methods to compare on the same splits."""
        self.studies.open_dialog()

    @command(
        mark("Transfer from the closest source…"),
        id="transfer",
        menu=Menu.RUN,
    )
    def start_transfer(self) -> None:
        """Choose sources to learn from first."""
        self.transfers.open_dialog()

    @command(mark("Compare starts…"), id="starts", menu=Menu.RUN)
    def compare_starts(self) -> None:
        """Ask which start suits, before anything is trained."""
        self.starts = open_starts(self.context, self.desk, self)

    @command(mark("Accuracy by depth of the start…"), id="depth", menu=Menu.RUN)
    def study_depth(self) -> None:
        """How accuracy grows with depth in the start that is chosen."""
        self.by_depth = open_layers(self.context, self.desk, self)

    @command(mark("Method and training settings"), id="more", menu=Menu.RUN)
    def toggle_settings(self) -> None:
        """Unfold or fold the settings."""
        self.unfold.toggle()

    @command(mark("Back to all advised settings"), id="advised")
    def restore_advice(self) -> None:
        """Set everything but the target as advised."""
        self.desk.clear_all()

    # Life

    def save_state(self) -> dict[str, Any]:
        return {
            "chosen": self.desk.draft.partial(),
            "more": self.unfold.isChecked(),
            "splitter": self.splitter.sizes(),
            "smoothing": self.live.curves.smoothing.value(),
            "log": self.live.curves.log.isChecked(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        self.desk.restore(state.get("chosen", {}))
        self.unfold.setChecked(bool(state.get("more", False)))
        if state.get("splitter"):
            self.splitter.setSizes([int(size) for size in state["splitter"]])
        self.live.curves.smoothing.setValue(int(state.get("smoothing", 0)))
        self.live.curves.log.setChecked(bool(state.get("log", False)))

    def closing(self) -> None:
        self.preflight.cancel()
        self.desk.stop_download()
