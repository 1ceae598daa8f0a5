"""The Train page: set up a training, see what it needs, start it, and follow its progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QLabel,
    QPushButton,
    QStackedLayout,
    QWidget,
)

from workbench.app.training.choices import specs_task
from workbench.app.training.leakage import leaks_note, open_leaks
from workbench.app.training.near_duplicates import search_notes
from workbench.domain.changes import Changes
from workbench.domain.images import ImageFilter
from workbench.domain.reports import Report
from workbench.domain.runs import RunRecord
from workbench.domain.text import mark, tr
from workbench.ui.commands import Menu, ShortcutTip, command
from workbench.ui.dialogs.layers import open_layers
from workbench.ui.dialogs.leakage import LeakageDialog
from workbench.ui.dialogs.starts import open_starts
from workbench.ui.dialogs.study import StudyStarter
from workbench.ui.dialogs.transfer import TransferStarter
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, Page, PageHeader, PageTarget, boxed, column, row, split
from workbench.ui.pages.train.live_run import LiveRun
from workbench.ui.pages.train.preflight import PreflightLine
from workbench.ui.pages.train.queue_panel import QueuePanel, queue_order, queue_side
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.recipe.form import RecipeForm
from workbench.ui.parts.recipe.more import MoreSettings
from workbench.ui.parts.training_draft import TrainingModel


class TrainLine(QWidget):
    """The buttons of the page with the preflight between them; the page connects them."""

    def __init__(self, preflight: PreflightLine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.train = QPushButton(tr("Train"))
        self.train.setProperty("primary", True)
        self.train.setMinimumWidth(112)
        ShortcutTip(self.train, tr("Start this training or add it to the queue"), "train.start")
        self.unfold = QPushButton(tr("Method and settings"))
        self.unfold.setCheckable(True)
        self.unfold.setToolTip(tr("Show method, head, penalties and all other settings"))
        self.transfer = QPushButton(tr("Transfer from…"))
        self.transfer.setToolTip(tr("Train on the closest of several sources first, then transfer"))
        self.study = QPushButton(tr("Study…"))
        self.study.setToolTip(tr("Train on each fold, or compare methods on the same splits"))
        buttons = (self.transfer, self.study, self.train)
        row(self.unfold, (preflight, 1), *buttons, on=self, spacing=8)


class LeakLine(QWidget):
    """A warning of near-duplicates in different parts of the split, until they are moved or
    dismissed, and of images that were not compared; the button shows them."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.text = PlainLabel()
        self.text.setWordWrap(True)
        self.button = QPushButton(tr("Near-duplicates…"))
        self.button.clicked.connect(self._open)
        row((self.text, 1), self.button, on=self, spacing=8)
        self.hide()

    def update_leaks(self) -> None:
        """Count the near-duplicates in different parts again."""
        session = self._context.session
        found = open_leaks(session)
        notes = search_notes(session) if session.splits.current() is not None else []
        self.text.setText(" ".join(map(tr, [leaks_note(found), *notes] if found else notes)))
        role = "warn" if found else "muted"
        if self.text.property("role") != role:
            self.text.setProperty("role", role)
            self.text.style().polish(self.text)
        self.setVisible(bool(found or notes))

    def _open(self) -> None:
        self.dialog = LeakageDialog(self._context, self)
        self.dialog.open()


class TrainPage(Page):
    """The recipe draft, the queue and the curves of a run; the model makes all decisions."""

    name = "train"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.model = TrainingModel(context, self)
        self.form = RecipeForm()
        self.more = MoreSettings()
        self.preflight = PreflightLine(context.session)
        self.live = LiveRun(context.notify)
        self.queue = QueuePanel()
        self.studies = StudyStarter(context, self.model.study_keys, self)
        self.transfers = TransferStarter(context, self.model.draft_keys, self)
        self.line = TrainLine(self.preflight)
        self.leaks = LeakLine(context, self)
        self.train, self.unfold, self.study = self.line.train, self.line.unfold, self.line.study
        self._specs_requested = False
        self._lay_out()
        self._connect()
        self._targets_timer = QTimer(self, singleShot=True, interval=0)
        self._targets_timer.timeout.connect(self._update_targets)

    # Layout

    def _lay_out(self) -> None:
        self.splitter = split(
            self._watch(), queue_side(self.queue), sizes=(900, 264), stretch=(1, 0), handle=8
        )
        work = boxed(
            column(
                self.form,
                self.leaks,
                self.line,
                (self.splitter, 1),
                margins=(16, 0, 16, 12),
                spacing=8,
            )
        )
        self._stack = QStackedLayout()
        self.empty = EmptyState("play", "", tr("Label images"), self._go_label)
        self._stack.addWidget(work)
        self._stack.addWidget(self.empty)
        column(PageHeader(self.title), (self._stack, 1), on=self)

    def _watch(self) -> QWidget:
        self._watching = QStackedLayout()
        hint = QLabel(tr("The curves of a training appear here."))
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint.setProperty("role", "muted")
        self._watching.addWidget(hint)
        self._watching.addWidget(self.live)
        self._watching.addWidget(self.more)
        return boxed(self._watching)

    def _connect(self) -> None:
        for part in (self.form, self.more):
            part.edited.connect(self.model.edit)
            part.cleared.connect(self.model.clear)
        self.form.part_requested.connect(self._show_part)
        self.form.start.download_requested.connect(self.model.download)
        self.form.start.compare_requested.connect(self.compare_starts)
        self.form.start.stop_requested.connect(self.model.stop_download)
        self.model.changed.connect(self._show_draft)
        self.model.prepared.connect(self._prepared)
        self.model.downloading.connect(self.form.start.show_download)
        self.model.download_ended.connect(self._download_ended)
        self.preflight.trial_requested.connect(self.try_step)
        self.train.clicked.connect(self.start_training)
        self.unfold.toggled.connect(self._choose_pane)
        self.study.clicked.connect(self.studies.open_dialog)
        self.line.transfer.clicked.connect(self.transfers.open_dialog)
        self.queue.picked.connect(self.watch)
        self.queue.action_requested.connect(self._run_action)
        self.live.results_requested.connect(lambda run: self.context.go("results", run=run))
        self.context.queue.changed.connect(self._show_queue)
        self.context.queue.reported.connect(self._add_report)

    # Display

    def load(self) -> None:
        """Read targets, queue and draft."""
        self._update_targets()

    def show_changes(self, changes: Changes) -> None:
        """Follow edits of runs, labels, images and splits."""
        if changes.runs:
            self._show_queue()
        touched = changes.labelled or changes.added or changes.removed or changes.cropped
        if touched or changes.label_sets or changes.split:
            self._targets_timer.start()  # once for several edits in a row

    def show_target(self, **what: Unpack[PageTarget]) -> None:
        """Set the recipe keys `target` and `start`, and show the run `run`; each is optional."""
        if "target" in what:
            self.model.edit("target", what["target"])
        if "start" in what:
            self.model.edit("start", what["start"])
        if self._targets_timer.isActive():
            self._update_targets()
        self._show_queue()
        if "run" in what:
            self.watch(str(what["run"]))

    def _update_targets(self) -> None:
        """Read again which targets can be trained with the labels of the project."""
        self._targets_timer.stop()
        choices = self.model.update_targets()
        self.form.set_targets(choices)
        self.form.set_parts(self.model.parts())
        self.leaks.update_leaks()
        ready = any(not choice.reason for choice in choices) or bool(self.model.records())
        self._stack.setCurrentIndex(0 if ready else 1)
        if not ready:
            self._show_empty()
        self._show_draft()

    def _show_empty(self) -> None:
        if self.context.session.images.count():
            text = tr("To train, label images with at least two different labels.")
            self.empty.set_text(text, tr("Label images"))
        else:
            text = tr("To train, import images and label them.")
            self.empty.set_text(text, tr("Import images"))

    def _go_label(self) -> None:
        self.context.go("views" if self.context.session.images.count() else "images")

    def _show_draft(self) -> None:
        model = self.model
        errors = model.errors()
        self.form.show_draft(model.draft, errors, model.start_runs(), model.weights_present())
        self.more.show_draft(model.draft, errors)
        hidden = [key for key in errors if key in self.more.fields]
        if hidden and not self.unfold.isChecked():
            self.unfold.setChecked(True)
        self._show_button()
        self.preflight.settings_changed(soon=self.isVisible() and model.can_try())
        if model.refusal or errors:
            reason = model.refusal or tr("Fix the settings marked in red first.")
            self.preflight.show_reason(reason)

    def _show_queue(self) -> None:
        records = self.model.records()
        shown = self._watched(records)
        self.queue.show_runs(queue_order(records), shown)
        record = next((r for r in records if r.id == shown), None)
        before = self.live.record
        if record is not None and before is not None and before.id == record.id:
            self.live.show_record(record)  # its epochs arrive as reports
        elif record is not None:
            self.live.show_run(record, self.context.session.runs.epochs(shown))
        self._choose_pane()

    def _choose_pane(self) -> None:
        """Show the settings if they are unfolded, else the curves of the current run."""
        curves = 1 if self.live.run_id else 0
        self._watching.setCurrentIndex(2 if self.unfold.isChecked() else curves)
        if self.unfold.isChecked() and not self._specs_requested:
            self._specs_requested = True
            self.context.session.start(specs_task(), done=self.more.methods.set_specs)

    def _watched(self, records: Sequence[RunRecord]) -> str:
        """Id of the run whose curves are shown: the picked one, else the first of the queue."""
        if self.live.run_id in [record.id for record in records]:
            return self.live.run_id
        order = queue_order(records)
        return order[0].id if order else ""

    def watch(self, run_id: str) -> None:
        """Show the curves of a run."""
        record = next((r for r in self.model.records() if r.id == run_id), None)
        if record is not None:
            self.live.show_run(record, self.context.session.runs.epochs(run_id))
            self._show_queue()

    def _add_report(self, run_id: str, report: Report) -> None:
        self.live.add_report(run_id, report)
        self.queue.add_report(run_id, report)

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
        model = self.model
        self.train.setEnabled(not (model.errors() or model.refusal or model.preparing))

    def _run_action(self, action: str, run_id: str) -> None:
        if action == "remove":
            self.live.forget(run_id)
        self.model.control(action, run_id)
        self._show_queue()

    # Commands, in the order of the menu

    def can_train(self) -> bool:
        """Whether a training can be started with these settings."""
        return self.train.isEnabled()

    @command(
        mark("Train"),
        id="start",
        key="Ctrl+Return",
        menu=Menu.RUN,
        when=can_train,
        edits=True,
    )
    def start_training(self) -> None:
        """Start a training with these settings, or report why it cannot start."""
        self.preflight.cancel()
        self.model.train()
        self._show_button()

    @command(mark("Try a training step"), id="try", menu=Menu.RUN, edits=True)
    def try_step(self) -> None:
        """Run a trial step and show what a training will need."""
        if not self.isVisible():
            return  # nobody would see the result
        if (found := self.context.session.read_only) is not None:
            text = tr("The project is read-only: {reason}.").format(reason=tr(found.reason))
            self.preflight.show_reason(text)
            return
        if self.model.running():
            self.preflight.show_reason(
                tr("A step cannot be tried during a training: the figures would be wrong.")
            )
            return
        task = self.model.trial()
        if task is not None:
            self.preflight.run(task)

    @command(mark("Compare methods in a study…"), id="study", menu=Menu.RUN, edits=True)
    def start_study(self) -> None:
        """Open the dialog to compare methods on the same splits."""
        self.studies.open_dialog()

    @command(mark("Train on each fold…"), id="folds", menu=Menu.RUN, edits=True)
    def train_folds(self) -> None:
        """Open the dialog to train once for each fold of a split."""
        self.studies.open_folds()

    @command(
        mark("Transfer from the closest source…"),
        id="transfer",
        menu=Menu.RUN,
        edits=True,
    )
    def start_transfer(self) -> None:
        """Open the dialog to choose sources to train on first."""
        self.transfers.open_dialog()

    @command(mark("Compare start weights…"), id="starts", menu=Menu.RUN, edits=True)
    def compare_starts(self) -> None:
        """Open the dialog that compares start weights before anything is trained."""
        self.starts = open_starts(self.context, self.model, self)

    @command(mark("Show accuracy by depth…"), id="depth", menu=Menu.RUN, edits=True)
    def study_depth(self) -> None:
        """Show how accuracy grows with depth in the network with the selected start weights."""
        self.by_depth = open_layers(self.context, self.model, self)

    @command(mark("Method and training settings"), id="more", menu=Menu.RUN)
    def toggle_settings(self) -> None:
        """Show or hide the settings."""
        self.unfold.toggle()

    @command(mark("Reset all to recommended"), id="advised")
    def reset_settings(self) -> None:
        """Reset all settings but the target to the recommended ones."""
        self.model.clear_all()

    # State

    def save_state(self) -> dict[str, Any]:
        """Overridden recipe keys, unfolded settings, splitter and options of the curves."""
        return {
            "chosen": self.model.draft.stored(),
            "more": self.unfold.isChecked(),
            "splitter": self.splitter.sizes(),
            "smoothing": self.live.curves.smoothing.value(),
            "log": self.live.curves.log.isChecked(),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `save_state` returned."""
        self.model.restore(state.get("chosen", {}))
        self.unfold.setChecked(bool(state.get("more", False)))
        if state.get("splitter"):
            self.splitter.setSizes([int(size) for size in state["splitter"]])
        self.live.curves.smoothing.setValue(int(state.get("smoothing", 0)))
        self.live.curves.log.setChecked(bool(state.get("log", False)))

    def closing(self) -> None:
        """Stop a trial and a download."""
        self.preflight.cancel()
        self.model.stop_download()
