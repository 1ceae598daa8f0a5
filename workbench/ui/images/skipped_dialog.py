"""The files that imports left out, each with the reason."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.open_project import OpenProject


class SkippedDialog(QDialog):
    """A list that can be copied; importing a mended file again takes it in."""

    def __init__(self, op: OpenProject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Skipped files"))
        self.resize(760, 440)
        self.list = QTreeWidget()
        self.list.setHeaderLabels([self.tr("File"), self.tr("Reason"), self.tr("Source")])
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setColumnWidth(0, 240)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.list.setColumnWidth(2, 180)
        for source in op.store.images.sources():
            for file in op.store.images.skipped(source.id):
                item = QTreeWidgetItem([file.path, file.reason, source.path])
                for column in range(3):
                    item.setToolTip(column, item.text(column))
                self.list.addTopLevelItem(item)
        note = QLabel(self.tr("Mend or replace a file and import its source again to take it in."))
        note.setProperty("role", "caption")
        self.copy_button = QPushButton(self.tr("Copy"))
        self.copy_button.clicked.connect(self._copy)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column_box = QVBoxLayout(self)
        column_box.setContentsMargins(16, 16, 16, 16)
        column_box.setSpacing(12)
        for widget in (self.list, note, buttons):
            column_box.addWidget(widget)

    def _copy(self) -> None:
        items = [self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount())]
        lines = ["\t".join(item.text(c) for c in range(3)) for item in items if item is not None]
        QGuiApplication.clipboard().setText("\n".join(lines))
        self.copy_button.setText(self.tr("Copied"))
