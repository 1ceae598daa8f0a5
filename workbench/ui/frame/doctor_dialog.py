"""What is installed and whether the project is whole, as a list that can be copied."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.doctor import Finding, examine_program, examine_project
from workbench.app.open_project import OpenProject
from workbench.ui.look.icons import icon


class DoctorDialog(QDialog):
    """Findings appear one by one, so that a slow one does not hold up the window."""

    def __init__(self, op: OpenProject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("This computer and this project"))
        self.resize(760, 520)
        self.list = QTreeWidget()
        self.list.setHeaderLabels([self.tr("What"), self.tr("How it is"), self.tr("What to do")])
        self.list.setRootIsDecorated(False)
        self.list.setColumnWidth(0, 200)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.list.setColumnWidth(2, 220)
        self.copy_button = QPushButton(self.tr("Copy"))
        self.copy_button.clicked.connect(self._copy)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.list)
        column.addWidget(buttons)
        self._left: list[Iterator[Finding]] = [examine_program(), examine_project(op)]
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._next)
        self._timer.start()

    def _next(self) -> None:
        if not self._left:
            self._timer.stop()
            return
        finding = next(self._left[0], None)
        if finding is None:
            self._left.pop(0)
            return
        remedy = "" if finding.ok else finding.remedy
        item = QTreeWidgetItem([finding.name, finding.value, remedy])
        role = ("check-circle", "good") if finding.ok else ("warning", "warn")
        item.setIcon(0, icon(role[0], self, role[1]))
        item.setToolTip(1, finding.value)
        item.setToolTip(2, remedy)
        self.list.addTopLevelItem(item)

    def _copy(self) -> None:
        lines = []
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is not None:
                lines.append("\t".join(item.text(column) for column in range(3)).rstrip())
        QGuiApplication.clipboard().setText("\n".join(lines))
        self.copy_button.setText(self.tr("Copied"))
