"""A dialog that tells something which can be copied as text."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QVBoxLayout,
    QWidget,
)


class CopyDialog(QDialog):
    """Lays out what it tells one below the other, above *Copy* and *Close*."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.copy_button = QPushButton(self.tr("Copy"))

    def _lay_out(self, text: Callable[[], str], *told: QWidget) -> None:
        """`text` gives what is copied."""
        self.copy_button.clicked.connect(lambda: self._copy(text()))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        for widget in (*told, buttons):
            column.addWidget(widget)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.copy_button.setText(self.tr("Copied"))


def told_list(headers: list[str], first: int, last: int) -> QTreeWidget:
    """A list of three columns, the first and the last so many pixels wide."""
    made = QTreeWidget()
    made.setHeaderLabels(headers)
    made.setRootIsDecorated(False)
    made.setColumnWidth(0, first)
    made.header().setStretchLastSection(False)  # what is left over is the middle one's
    made.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    made.setColumnWidth(2, last)
    return made


def text_of(told: QTreeWidget) -> str:
    """A list's rows as lines, their columns between tabs."""
    items = [told.topLevelItem(row) for row in range(told.topLevelItemCount())]
    columns = range(told.columnCount())
    lines = ["\t".join(item.text(c) for c in columns).rstrip() for item in items if item]
    return "\n".join(lines)
