"""The table in which the labels of one set are named, ordered, keyed and mirrored."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QWidget,
)

from workbench.domain.labels import Label, LabelSet
from workbench.ui.look.icons import icon

_NAME, _KEY, _MIRROR = range(3)
_FORMER = Qt.ItemDataRole.UserRole  # the name a row had when the dialog opened, "" for a new one


class LabelTable(QTableWidget):
    """Rows of name, key and mirror. A changed name is a renaming: labels given stay given."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setHorizontalHeaderLabels([self.tr("Label"), self.tr("Key"), self.tr("Mirror")])
        header = self.horizontalHeader()
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(_KEY, QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(_MIRROR, QHeaderView.ResizeMode.Fixed)
        self.setColumnWidth(_KEY, 64)
        self.setColumnWidth(_MIRROR, 150)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(34)
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.itemChanged.connect(self._changed)

    def show_labels(self, label_set: LabelSet, renamed: Mapping[str, str]) -> None:
        """Fill the table; `renamed` maps former names to those in `label_set`."""
        former = {new: old for old, new in renamed.items()}
        self.blockSignals(True)
        self.setRowCount(0)
        for label in label_set.labels:
            self._insert(self.rowCount(), label, former.get(label.name, label.name))
        self.blockSignals(False)
        self._fill_mirrors({label.name: label.mirror for label in label_set.labels})

    def _insert(self, row: int, label: Label, former: str) -> None:
        self.insertRow(row)
        name = QTableWidgetItem(label.name)
        name.setData(_FORMER, former)
        key = QTableWidgetItem(label.key)
        key.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setItem(row, _NAME, name)
        self.setItem(row, _KEY, key)
        self.setCellWidget(row, _MIRROR, QComboBox())

    def _text(self, row: int, column: int) -> str:
        item = self.item(row, column)
        return item.text().strip() if item is not None else ""

    def _names(self) -> list[str]:
        return [self._text(row, _NAME) for row in range(self.rowCount())]

    def _mirror_box(self, row: int) -> QComboBox:
        box = self.cellWidget(row, _MIRROR)
        assert isinstance(box, QComboBox)
        return box

    def _fill_mirrors(self, mirrors: Mapping[str, str]) -> None:
        names = self._names()
        for row, name in enumerate(names):
            box = self._mirror_box(row)
            box.clear()
            box.addItem(self.tr("stays itself"), "")
            for other in names:
                if other and other != name:
                    box.addItem(other, other)
            box.setCurrentIndex(max(0, box.findData(mirrors.get(name, ""))))

    def _mirrors(self) -> dict[str, str]:
        rows = range(self.rowCount())
        return {self._text(row, _NAME): self._mirror_box(row).currentData() or "" for row in rows}

    def _changed(self, item: QTableWidgetItem) -> None:
        self.blockSignals(True)
        if item.column() == _KEY:
            item.setText(item.text().strip()[:1].upper())
        self.blockSignals(False)
        if item.column() == _NAME:
            self._fill_mirrors(self._mirrors())

    def labels(self) -> tuple[Label, ...]:
        """The labels as the table says; rows without a name are left out."""
        made = []
        for row, name in enumerate(self._names()):
            if name:
                mirror = self._mirror_box(row).currentData() or ""
                made.append(Label(name, self._text(row, _KEY), mirror))
        return tuple(made)

    def renamed(self) -> dict[str, str]:
        """Former name → new name, of the rows whose name changed."""
        found = {}
        for row, name in enumerate(self._names()):
            item = self.item(row, _NAME)
            former = item.data(_FORMER) if item is not None else ""
            if former and name and former != name:
                found[str(former)] = name
        return found

    def buttons(self) -> QWidget:
        """The buttons that add, remove and move rows."""
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        deeds: tuple[tuple[str, str, Callable[[], None]], ...] = (
            ("plus", self.tr("Add a label"), self.add),
            ("minus", self.tr("Remove the label"), self.remove),
            ("arrow-up", self.tr("Move up"), lambda: self.shift(-1)),
            ("arrow-down", self.tr("Move down"), lambda: self.shift(1)),
        )
        for name, tip, deed in deeds:
            button = QToolButton()
            button.setIcon(icon(name, line))
            button.setIconSize(QSize(16, 16))
            button.setToolTip(tip)
            button.setProperty("framed", True)
            button.clicked.connect(lambda _=False, deed=deed: deed())
            row.addWidget(button)
        row.addStretch(1)
        return line

    def add(self) -> None:
        """A new row at the end, its name being typed."""
        self.blockSignals(True)
        self._insert(self.rowCount(), Label(""), "")
        self.blockSignals(False)
        self.setCurrentCell(self.rowCount() - 1, _NAME)
        item = self.item(self.rowCount() - 1, _NAME)
        if item is not None and self.isVisible():
            self.editItem(item)

    def remove(self) -> None:
        """Take the current row out."""
        mirrors = self._mirrors()
        self.removeRow(self.currentRow())
        self._fill_mirrors(mirrors)

    def shift(self, by: int) -> None:
        """Move the current row up (-1) or down (1)."""
        row, to = self.currentRow(), self.currentRow() + by
        if row < 0 or not 0 <= to < self.rowCount():
            return
        mirrors = self._mirrors()
        item = self.item(row, _NAME)
        former = str(item.data(_FORMER)) if item is not None else ""
        label = Label(self._text(row, _NAME), self._text(row, _KEY))
        self.blockSignals(True)
        self.removeRow(row)
        self._insert(to, label, former)
        self.blockSignals(False)
        self._fill_mirrors(mirrors)
        self.setCurrentCell(to, _NAME)
