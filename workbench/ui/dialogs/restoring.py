"""Dialog of a project's restore points, one of which can be restored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Failed, JobRunner
from workbench.app.restoring import (
    damaged_note,
    list_points,
    restore_task,
    runs_left_out,
    shown_time,
)
from workbench.domain.projects import RestorePoint
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.parts.dialog import Dialog

_WIDTHS = (150, 140, 90, 90, 90)  # pixels


class RestoreDialog(Dialog):
    """A list of a project's restore points, newest first, with the reason why they are offered.

    `close_project` is called before one is restored. It is accepted when the project is restored.
    """

    def __init__(
        self,
        folder: Path,
        reason: str,
        parent: QWidget | None = None,
        close_project: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Restore project"))
        self.setMinimumWidth(520)
        self._folder = folder
        self._close_project = close_project
        self._jobs = JobRunner(self)
        self.points = list_points(folder)
        self.resize(640, 420 if self.points else 200)
        explanation = PlainLabel(reason)
        explanation.setWordWrap(True)
        self.note = PlainLabel(self._choice())
        self.note.setWordWrap(True)
        self.list = self._point_list()
        self.list.setVisible(bool(self.points))
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        for widget in (explanation, self.note):
            column.addWidget(widget)
        column.addWidget(self.list, 1)
        if not self.points:
            column.addStretch(1)
        column.addWidget(self._buttons())
        self.list.currentItemChanged.connect(self._show_choice)
        self._show_choice()
        self.list.setFocus()

    def _show_choice(self) -> None:
        """Show what a restore does, and what becomes of runs newer than the selected point."""
        if not self.restore_button.isEnabled():
            return
        count = len(runs_left_out(self._folder, self.points[self._selected()]))
        text = self._choice()
        if count:
            runs = plural(
                count,
                "{n:,} run is newer than this state; its folder stays, and the run is added to the "
                "list again after the restore.",
                "{n:,} runs are newer than this state; their folders stay, and the runs are added "
                "to the list again after the restore.",
            )
            text = f"{text}\n\n{runs}"
        self.note.setText(text)

    def _selected(self) -> int:
        item = self.list.currentItem()
        return self.list.indexOfTopLevelItem(item) if item is not None else 0

    def _choice(self) -> str:
        damaged = damaged_note(self._folder)
        if not self.points:
            none = tr("There are no restore points of this project.")
            return tr(damaged) if damaged is not None else none
        if self._close_project is None:
            return tr("Choose the state to restore. The present file is set aside, not deleted.")
        return tr(
            "Choose the state to restore. The project is closed, restored and opened again. Its "
            "present state becomes a restore point."
        )

    def forbid(self, reason: str) -> None:
        """Show the points, and why none of them can be restored."""
        self.note.setText(reason)
        self.restore_button.setEnabled(False)

    def _point_list(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setHeaderLabels(
            [tr("Date"), tr("Made"), tr("Images"), tr("Labels"), tr("Size", "of a file")]
        )
        made.setAccessibleName(tr("Restore points"))
        made.setRootIsDecorated(False)
        made.header().setStretchLastSection(False)
        made.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for at, width in enumerate(_WIDTHS):
            made.setColumnWidth(at, width)
        made.addTopLevelItems([_item(point) for point in self.points])
        if (newest := made.topLevelItem(0)) is not None:
            made.setCurrentItem(newest)
        made.itemActivated.connect(lambda *_: self.restore())
        return made

    def _buttons(self) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.restore_button = buttons.addButton(
            tr("Restore"), QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.restore_button.setProperty("primary", True)
        self.restore_button.setEnabled(bool(self.points))
        buttons.accepted.connect(self.restore)
        buttons.rejected.connect(self.reject)
        return buttons

    def restore(self) -> None:
        """Restore the selected point in a job; close when it is done."""
        item = self.list.currentItem()
        if item is None or self._jobs.jobs() or not self.restore_button.isEnabled():
            return
        at = self.list.indexOfTopLevelItem(item)
        self.restore_button.setEnabled(False)
        self.note.setText(tr("Restoring…"))
        if self._close_project is not None:
            self._close_project()
        job = self._jobs.start(restore_task(self._folder, self.points[at]))
        job.done.connect(self._finish)
        job.failed.connect(self._show_failure)

    def _finish(self, _: RestorePoint | None) -> None:
        self.accept()

    def _show_failure(self, failure: Failed) -> None:
        self.note.setText(tr(failure.text))
        self.restore_button.setEnabled(True)

    def done(self, result: int) -> None:
        """Close once a running restore has ended: it cannot be stopped half-way."""
        self._jobs.stop_all_and_wait()
        super().done(result)


def _item(point: RestorePoint) -> QTreeWidgetItem:
    size = QLocale().formattedDataSize(point.size, 1)
    cells = [shown_time(point), tr(point.kind.reason), f"{point.images:,}", f"{point.labels:,}"]
    item = QTreeWidgetItem([*cells, size])
    for at in (2, 3, 4):
        item.setTextAlignment(at, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item
