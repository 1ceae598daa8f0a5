"""Scenes of the dialogs of the Train page: starts, depth, studies, transfers."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QDialog

from tests.gallery.projects import BROKEN, EMPTY, FULL, LONG, LONG_RUN
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go_train, run_with
from tests.gallery.stage import Stage
from workbench.domain.runs import RunStatus
from workbench.ui.dialogs.layers import LayersDialog
from workbench.ui.dialogs.starts import StartsDialog
from workbench.ui.dialogs.study import StudyDialog
from workbench.ui.dialogs.transfer import TransferDialog
from workbench.ui.dialogs.transfer_parts import NumbersDialog
from workbench.ui.pages.train.page import TrainPage
from workbench.ui.window.window import MainWindow


def _show_starts(stage: Stage, window: MainWindow) -> StartsDialog:
    page = go_train(stage, window)
    page.model.edit("target", "category")
    page.model.edit("backbone", "simpleconv3")
    page.model.edit("start", "none")
    page.compare_starts()
    page.preflight.cancel()
    stage.settle()
    return page.starts


def _take_over(stage: Stage, page: TrainPage, dialog: QDialog | None) -> None:
    """Save a dialog over the page, without the trial step that the page starts by itself."""
    page.preflight.cancel()
    stage.settle()
    stage.take(front=dialog)


@scene("dialog-starts", "full", FULL, shows=[StartsDialog])
def starts_full(stage: Stage) -> None:
    dialog = _show_starts(stage, stage.open(FULL))
    stage.take(front=dialog)
    dialog.table.selectRow(1)
    stage.settle()
    stage.take("second-chosen", dialog)


@scene("dialog-starts", "long", LONG, shows=[StartsDialog])
def starts_long(stage: Stage) -> None:
    stage.take(front=_show_starts(stage, stage.open(LONG)))


@scene("dialog-starts", "empty", EMPTY, shows=[StartsDialog])
def starts_empty(stage: Stage) -> None:
    page = go_train(stage, stage.open(EMPTY))
    page.compare_starts()
    _take_over(stage, page, page.starts)


@scene("dialog-starts", "error", FULL, shows=[StartsDialog])
def starts_error(stage: Stage) -> None:
    window = stage.open(FULL)
    page = go_train(stage, window)
    page.model.edit("backbone", "simpleconv3")
    page.model.edit("start", "file:/media/weights/squeezenet.pt")
    page.compare_starts()
    page.preflight.cancel()
    page.starts.score.click()
    stage.settle()
    stage.take(front=page.starts)


@scene("dialog-depth", "full", FULL, shows=[LayersDialog])
def depth_full(stage: Stage) -> None:
    dialog = _show_starts(stage, stage.open(FULL))
    dialog.table.selectRow(1)
    dialog.layers.click()
    stage.settle()
    stage.take(front=dialog.by_depth)


@scene("dialog-depth", "empty", LONG, shows=[LayersDialog])
def depth_empty(stage: Stage) -> None:
    page = go_train(stage, stage.open(LONG))
    page.study_depth()
    _take_over(stage, page, page.by_depth)


@scene("dialog-depth", "long", LONG, shows=[LayersDialog])
def depth_long(stage: Stage) -> None:
    window = stage.open(LONG)
    page = go_train(stage, window)
    page.model.edit("target", "category")
    page.model.edit("backbone", "simpleconv3")
    page.model.edit("start", f"run:{run_with(window, RunStatus.FINISHED).id}")
    page.study_depth()
    _take_over(stage, page, page.by_depth)


@scene("dialog-depth", "error", FULL, shows=[LayersDialog])
def depth_error(stage: Stage) -> None:
    page = go_train(stage, stage.open(FULL))
    page.model.edit("backbone", "simpleconv3")
    page.model.edit("start", "file:/media/weights/squeezenet.pt")
    page.study_depth()
    page.preflight.cancel()
    page.by_depth.study.click()
    stage.settle()
    stage.take(front=page.by_depth)


def _show_study(stage: Stage, project: str) -> StudyDialog:
    page = go_train(stage, stage.open(project))
    page.studies.open_dialog()
    stage.settle(lambda: page.studies.dialog is not None)
    page.preflight.cancel()
    stage.settle()
    assert page.studies.dialog is not None
    return page.studies.dialog


@scene("dialog-study", "full", FULL, shows=[StudyDialog])
def study_full(stage: Stage) -> None:
    dialog = _show_study(stage, FULL)
    stage.take(front=dialog)
    for box, _ in list(dialog.checkboxes.values())[:3]:
        box.setChecked(True)
    stage.settle()
    stage.take("chosen", dialog)


@scene("dialog-study", "long", LONG, shows=[StudyDialog])
def study_long(stage: Stage) -> None:
    dialog = _show_study(stage, LONG)
    dialog.name.setText(LONG_RUN)
    dialog.seeds.setValue(100)
    for box, _ in dialog.checkboxes.values():
        box.setChecked(True)
    stage.settle()
    stage.take(front=dialog)


def _show_transfer(stage: Stage, page: TrainPage) -> TransferDialog:
    page.model.edit("target", "category")
    page.model.edit("backbone", "squeezenet1_1")
    page.transfers.open_dialog()
    page.preflight.cancel()
    stage.settle()
    assert page.transfers.dialog is not None
    return page.transfers.dialog


@scene("dialog-transfer", "full", FULL, shows=[TransferDialog, NumbersDialog])
def transfer_full(stage: Stage) -> None:
    dialog = _show_transfer(stage, go_train(stage, stage.open(FULL)))
    stage.take(front=dialog)
    dialog.sources.show_numbers()
    stage.settle()
    stage.take("numbers", dialog.sources.numbers_dialog)


@scene("dialog-transfer", "empty", BROKEN, shows=[TransferDialog])
def transfer_empty(stage: Stage) -> None:
    page = go_train(stage, stage.open(BROKEN))
    page.model.edit("target", "view")
    page.transfers.open_dialog()
    page.preflight.cancel()
    stage.settle()
    stage.take(front=page.transfers.dialog)


@scene("dialog-transfer", "long", LONG, shows=[TransferDialog])
def transfer_long(stage: Stage) -> None:
    stage.take(front=_show_transfer(stage, go_train(stage, stage.open(LONG))))


@scene("dialog-transfer", "error", FULL, shows=[TransferDialog])
def transfer_error(stage: Stage) -> None:
    dialog = _show_transfer(stage, go_train(stage, stage.open(FULL)))
    dialog.sources.add_folder(Path("/media/projects/not a project"))
    stage.settle()
    stage.take(front=dialog)
