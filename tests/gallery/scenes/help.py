"""Scenes of the Help menu: shortcuts, manual, check of this computer, About; error reports."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QKeySequenceEdit

from tests.gallery.projects import BROKEN, FULL
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from tests.gallery.waiting import work_off
from workbench.app.jobs import Task
from workbench.domain.text import Message
from workbench.ui.dialogs.doctor import DoctorDialog
from workbench.ui.dialogs.keys import KeysDialog
from workbench.ui.dialogs.manual import ManualDialog
from workbench.ui.dialogs.report import ReportDialog
from workbench.ui.pages.images.page import ImagesPage


@scene("dialog-keys", "full", FULL, shows=[KeysDialog])
def keys_full(stage: Stage) -> None:
    dialog = _show_keys(stage)
    stage.take(front=dialog)
    dialog.field.setText("label")
    stage.settle()
    stage.take("searched", dialog)


@scene("dialog-keys", "error", FULL, shows=[KeysDialog])
def keys_error(stage: Stage) -> None:
    dialog = _show_keys(stage)
    edit = dialog.table.cellWidget(0, 2)
    assert isinstance(edit, QKeySequenceEdit)
    edit.setKeySequence(QKeySequence("Ctrl+Z"))
    edit.editingFinished.emit()
    stage.settle()
    stage.take(front=dialog)


def _show_keys(stage: Stage) -> KeysDialog:
    window = stage.open(FULL)
    go(window, ImagesPage)
    stage.settle()  # load the thumbnails before other pages queue theirs
    window.make_all_pages()
    dialog = KeysDialog(window.commands, window.settings, window)
    stage.show(dialog)
    return dialog


@scene("dialog-manual", "full", FULL, shows=[ManualDialog])
def manual_full(stage: Stage) -> None:
    dialog = ManualDialog(stage.open(FULL))
    dialog.show_page("recipe")
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-doctor", "full", FULL, shows=[DoctorDialog])
def doctor_full(stage: Stage) -> None:
    _doctor(stage, FULL)


@scene("dialog-doctor", "error", BROKEN, shows=[DoctorDialog])
def doctor_error(stage: Stage) -> None:
    _doctor(stage, BROKEN)


def _doctor(stage: Stage, project: str) -> None:
    window = stage.open(project)
    dialog = DoctorDialog(window.session, window)
    stage.show(dialog)
    rows = dialog.list.topLevelItemCount
    seen = [-1]

    def complete() -> bool:
        """Whether no finding was added since the last call."""
        before, seen[0] = seen[0], rows()
        return before == seen[0] > 3

    stage.settle(complete)
    stage.take(front=dialog)


@scene("dialog-report", "error", FULL, shows=[ReportDialog])
def report_error(stage: Stage) -> None:
    window = stage.open(FULL)

    def broken() -> object:
        raise ZeroDivisionError("division by zero, on purpose")
        yield

    window.session.jobs.start(Task(Message("Count images"), broken))  # type: ignore[arg-type]
    stage.settle(lambda: isinstance(QApplication.activeModalWidget(), ReportDialog))
    work_off()
    stage.take(front=QApplication.activeModalWidget())


@scene("dialog-about", "full", FULL)
def about(stage: Stage) -> None:
    window = stage.open(FULL)
    stage.settle()
    stage.take_while(window.about)
