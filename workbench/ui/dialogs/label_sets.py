"""Label sets edited as a whole: names, keys, mirrors and order; nothing applies until Save."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QListWidget,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.labels.labelling import edit_set, remove_set
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.labels import VIEW_PRESETS, Label, LabelSet, Subject
from workbench.domain.text import tr
from workbench.ui.look.icons import icon

_NAME, _KEY, _MIRROR = range(3)
_FORMER = Qt.ItemDataRole.UserRole  # the name a row had when the dialog opened, "" for a new one
_NUMBER = Qt.ItemDataRole.UserRole + 1  # a row's own, from 1: mirrors outlive renaming and moving


class LabelTable(QTableWidget):
    """Rows of name, key and mirror. A changed name is a renaming: labels given stay given.

    Mirrors are pairs of rows: each change of one is made on both sides.
    """

    def __init__(self) -> None:
        super().__init__(0, 3)
        self._rows_made = 0
        self._mirrors: dict[int, int] = {}  # number of a row -> that of its mirror, both ways
        self.setHorizontalHeaderLabels([tr("Label"), tr("Key"), tr("Mirror")])
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
        numbers = {}
        for label in label_set.labels:
            row = self.rowCount()
            numbers[label.name] = self._insert(row, label, former.get(label.name, label.name))
        self.blockSignals(False)
        pairs = {label.name: label.mirror for label in label_set.labels if label.mirror}
        self._mirrors = {numbers[name]: numbers[mirror] for name, mirror in pairs.items()}
        self._fill_mirrors()

    def _insert(self, row: int, label: Label, former: str, number: int = 0) -> int:
        """Insert a row and return its number, a new one unless it is given."""
        self._rows_made += not number
        number = number or self._rows_made
        self.insertRow(row)
        name = QTableWidgetItem(label.name)
        name.setData(_FORMER, former)
        name.setData(_NUMBER, number)
        key = QTableWidgetItem(label.key)
        key.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setItem(row, _NAME, name)
        self.setItem(row, _KEY, key)
        box = QComboBox()
        box.activated.connect(lambda _: self._pair(number, box.currentData()))
        self.setCellWidget(row, _MIRROR, box)
        return number

    def _text(self, row: int, column: int) -> str:
        item = self.item(row, column)
        return item.text().strip() if item is not None else ""

    def _names(self) -> list[str]:
        return [self._text(row, _NAME) for row in range(self.rowCount())]

    def _mirror_box(self, row: int) -> QComboBox:
        box = self.cellWidget(row, _MIRROR)
        assert isinstance(box, QComboBox)
        return box

    def _number(self, row: int) -> int:
        item = self.item(row, _NAME)
        return int(item.data(_NUMBER)) if item is not None else 0

    def _fill_mirrors(self) -> None:
        numbered = {self._number(row): name for row, name in enumerate(self._names())}
        for row, number in enumerate(numbered):
            box = self._mirror_box(row)
            box.clear()
            box.addItem(tr("stays itself"), 0)
            for other, name in numbered.items():
                if name and other != number:
                    box.addItem(name, other)
            box.setCurrentIndex(max(0, box.findData(self._mirrors.get(number, 0))))

    def _pair(self, number: int, other: int) -> None:
        """Make two rows each other's mirror (0: none); the former mirrors of both have none."""
        self._unpair(number)
        if other:
            self._unpair(other)
            self._mirrors |= {number: other, other: number}
        self._fill_mirrors()

    def _unpair(self, number: int) -> None:
        self._mirrors.pop(self._mirrors.pop(number, 0), None)

    def _changed(self, item: QTableWidgetItem) -> None:
        self.blockSignals(True)
        if item.column() == _KEY:
            item.setText(item.text().strip()[:1].upper())
        self.blockSignals(False)
        if item.column() == _NAME:
            self._fill_mirrors()

    def labels(self) -> tuple[Label, ...]:
        """The labels as the table says; rows without a name are left out."""
        numbered = {self._number(row): name for row, name in enumerate(self._names())}
        return tuple(
            Label(name, self._text(row, _KEY), numbered.get(self._mirrors.get(number, 0), ""))
            for row, (number, name) in enumerate(numbered.items())
            if name
        )

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
            ("plus", tr("Add a label"), self.add),
            ("minus", tr("Remove the label"), self.remove),
            ("arrow-up", tr("Move up"), lambda: self.shift(-1)),
            ("arrow-down", tr("Move down"), lambda: self.shift(1)),
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
        self._unpair(self._number(self.currentRow()))
        self.removeRow(self.currentRow())
        self._fill_mirrors()

    def shift(self, by: int) -> None:
        """Move the current row up (-1) or down (1)."""
        row, to = self.currentRow(), self.currentRow() + by
        if row < 0 or not 0 <= to < self.rowCount():
            return
        item = self.item(row, _NAME)
        former = str(item.data(_FORMER)) if item is not None else ""
        label, number = Label(self._text(row, _NAME), self._text(row, _KEY)), self._number(row)
        self.blockSignals(True)
        self.removeRow(row)
        self._insert(to, label, former, number)
        self.blockSignals(False)
        self._fill_mirrors()
        self.setCurrentCell(to, _NAME)


class LabelSetsDialog(QDialog):
    """The sets at the left, the labels of the chosen one at the right."""

    def __init__(
        self, session: Session, chosen: str = "view", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Label sets"))
        self.resize(720, 460)
        self._op = session
        self._before: Mapping[str, LabelSet] = dict(session.labels.sets())
        self._drafts: dict[str, LabelSet] = dict(self._before)
        self._renamed: dict[str, dict[str, str]] = {}
        self._shown = ""
        self.sets = QListWidget()
        self.sets.setFixedWidth(160)
        self.table = LabelTable()
        self.exclusive = QCheckBox(tr("One label of this set per image"))
        self.subject = QComboBox()
        self.subject.addItem(tr("describes the image"), Subject.IMAGE)
        self.subject.addItem(tr("describes the mouth crop"), Subject.CROP)
        self.problem = QLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        self._arrange()
        self.sets.addItems(list(self._drafts))
        self.sets.currentTextChanged.connect(self._show)
        start = list(self._drafts).index(chosen) if chosen in self._drafts else 0
        self.sets.setCurrentRow(start)

    def _arrange(self) -> None:
        left = QVBoxLayout()
        left.addWidget(self.sets, 1)
        self.new_button = QPushButton(icon("plus", self), tr("New set…"))
        self.new_button.clicked.connect(self._ask_new)
        left.addWidget(self.new_button)
        self.remove_button = QPushButton(icon("trash", self), tr("Remove set"))
        self.remove_button.clicked.connect(self._remove_shown)
        left.addWidget(self.remove_button)
        right = QVBoxLayout()
        right.setSpacing(8)
        line = QHBoxLayout()
        self.presets = QComboBox()
        self.presets.addItem(tr("Take a preset…"), None)
        for name in VIEW_PRESETS:
            self.presets.addItem(name.capitalize(), name)
        self.presets.activated.connect(self._take_preset)
        for widget in (self.subject, self.exclusive):
            line.addWidget(widget)
        line.addStretch(1)
        line.addWidget(self.presets)
        right.addLayout(line)
        right.addWidget(self.table, 1)
        right.addWidget(self.table.buttons())
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(left)
        row.addLayout(right, 1)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Save).setProperty("primary", True)
        buttons.accepted.connect(self.save)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(row, 1)
        column.addWidget(self.problem)
        column.addWidget(buttons)

    def _show(self, name: str) -> None:
        self._keep()
        self._shown = name
        if not name:
            return
        draft = self._drafts[name]
        own = name not in ("category", "view", "expression")
        self.table.show_labels(draft, self._renamed.get(name, {}))
        self.exclusive.setChecked(draft.exclusive)
        self.subject.setCurrentIndex(self.subject.findData(draft.subject))
        self.exclusive.setEnabled(own)
        self.subject.setEnabled(own and name not in self._before)
        self.presets.setVisible(name == "view")
        self.remove_button.setVisible(own)

    def _keep(self) -> bool:
        """Take what the table says into the drafts; False where it says something impossible."""
        self.problem.clear()
        if not self._shown:
            return True
        draft = self._drafts[self._shown]
        try:
            labels = self.table.labels()
            self._drafts[self._shown] = dataclasses.replace(
                draft,
                labels=labels,
                exclusive=self.exclusive.isChecked(),
                subject=Subject(self.subject.currentData()),
            )
        except KnownError as error:
            self.problem.setText(tr(error.message))
            return False
        self._renamed[self._shown] = self.table.renamed()
        return True

    def _ask_new(self) -> None:
        title = tr("New label set")
        name, said = QInputDialog.getText(self, title, tr("Name of the set"))
        if said and name.strip():
            self.add_set(name.strip())

    def add_set(self, name: str) -> None:
        """Begin a new, empty set; one that there is already is shown."""
        if name not in self._drafts:
            self._drafts[name] = LabelSet(name)
            self.sets.addItem(name)
        self.sets.setCurrentItem(self.sets.findItems(name, Qt.MatchFlag.MatchExactly)[0])

    def _remove_shown(self) -> None:
        """Take the shown set off the list; it goes when the dialog is saved."""
        name, self._shown = self._shown, ""
        self._drafts.pop(name, None)
        self.sets.takeItem(self.sets.currentRow())

    def _take_preset(self) -> None:
        name = self.presets.currentData()
        if name is not None:
            self.table.show_labels(VIEW_PRESETS[name], {})
        self.presets.setCurrentIndex(0)

    def save(self) -> None:
        """Apply every set that changed, each as one undoable edit, and close."""
        if not self._keep():
            return
        try:
            self._apply()
        except KnownError as error:
            self.problem.setText(tr(error.message))
            return
        self.accept()

    def _apply(self) -> None:
        for name in self._before.keys() - self._drafts.keys():
            remove_set(self._op, name)
        for name, draft in self._drafts.items():
            renamed = self._renamed.get(name, {})
            if draft != self._before.get(name) or renamed:
                edit_set(self._op, draft, renamed)
