"""Label set editor: labels with their keys, mirrors and order; applied when saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QListWidget,
    QMessageBox,
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
from workbench.domain.formats import IMPORTABLE_SETS
from workbench.domain.label_names import LabelNames, checked_name, tidied
from workbench.domain.labels import VIEW_PRESETS, Label, LabelSet, Subject
from workbench.domain.text import Message, mark, plural, tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel
from workbench.ui.parts.dialog import Dialog

_NAME, _KEY, _MIRROR = range(3)
_OLD_NAME = Qt.ItemDataRole.UserRole  # name of a row when the dialog opened, "" for a new row
_NUMBER = Qt.ItemDataRole.UserRole + 1  # id of a row, from 1, kept when it is renamed or moved
_PRESET_TITLES = {"cars": mark("Cars"), "animals": mark("Animals")}


class LabelTable(QTableWidget):
    """Table of labels with name, key and mirror.

    A changed name renames the label on all images. Mirrors are pairs of rows and change together.
    """

    def __init__(self) -> None:
        super().__init__(0, 3)
        self._last_number = 0
        self._mirrors: dict[int, int] = {}  # number of a row -> number of its mirror, both ways
        self._merged: dict[str, int] = {}  # old name of a merged label -> number of its row
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
        """Fill the table; `renamed` maps old names to those in `label_set`, as from `renamed`."""
        self.blockSignals(True)
        self.setRowCount(0)
        self._merged = {}
        numbers = {}
        for label in label_set.labels:
            olds = [old for old, new in renamed.items() if new == label.name]
            own = label.name if label.name in olds or not olds else olds[0]
            number = self._insert(self.rowCount(), label, own)
            numbers[label.name] = number
            self._merged |= {old: number for old in olds if old != own}
        self.blockSignals(False)
        pairs = {label.name: label.mirror for label in label_set.labels if label.mirror}
        self._mirrors = {numbers[name]: numbers[mirror] for name, mirror in pairs.items()}
        self._fill_mirrors()

    def _insert(self, row: int, label: Label, old_name: str, number: int = 0) -> int:
        """Insert a row and return its number, a new one unless it is given."""
        self._last_number += not number
        number = number or self._last_number
        self.insertRow(row)
        name = QTableWidgetItem(label.name)
        name.setData(_OLD_NAME, old_name)
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
        return tidied(item.text()) if item is not None else ""

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
            box.addItem(tr("Unchanged"), 0)
            for other, name in numbered.items():
                if name and other != number:
                    box.addItem(name, other)
            box.setCurrentIndex(max(0, box.findData(self._mirrors.get(number, 0))))

    def _pair(self, number: int, other: int) -> None:
        """Make two rows mirrors of each other (0: no mirror); their previous mirrors have none."""
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
        """Return the labels in the table, without new rows that have no name.

        Raises ValueRefused if the name of a label was deleted: only its row may be removed.
        """
        for row, name in enumerate(self._names()):
            if old := self.old_name(row):
                checked_name(name, Message("The label “{name}”", name=old))
        numbered = {self._number(row): name for row, name in enumerate(self._names())}
        return tuple(
            Label(name, self._text(row, _KEY), numbered.get(self._mirrors.get(number, 0), ""))
            for row, (number, name) in enumerate(numbered.items())
            if name
        )

    def renamed(self) -> dict[str, str]:
        """Return old name → new name of the rows whose name changed, and of merged labels.

        A row that others were merged into is listed even if it has its old name.
        """
        merged = set(self._merged.values())
        found = {}
        for row, name in enumerate(self._names()):
            old, number = self.old_name(row), self._number(row)
            if old and name and (old != name or number in merged):
                found[old] = name
            if name:
                found |= {gone: name for gone, into in self._merged.items() if into == number}
        return found

    def old_name(self, row: int) -> str:
        """Name of a row's label when the dialog opened, "" for a new one."""
        item = self.item(row, _NAME)
        return str(item.data(_OLD_NAME)) if item is not None else ""

    def name(self, row: int) -> str:
        """The name in a row."""
        return self._text(row, _NAME)

    def doubled(self) -> tuple[int, int] | None:
        """Return a renamed row and the row that has its new name already, or None.

        Of two renamed rows, the upper one keeps the name.
        """
        names = self._names()
        for row, name in enumerate(names):
            twins = [at for at, other in enumerate(names) if other == name and at != row]
            if not name or not twins or self.old_name(row) in ("", name):
                continue
            unchanged = [at for at in twins if self.old_name(at) in ("", name)]
            if unchanged or twins[0] < row:
                return row, (unchanged or twins)[0]
        return None

    def merge(self, row: int, into: int) -> None:
        """Remove a row whose label is merged into that of the row `into`."""
        gone, kept = self._number(row), self._number(into)
        numbered = LabelSet(
            "",
            tuple(
                Label(str(number), self._text(at, _KEY), str(self._mirrors.get(number, "")))
                for at, number in enumerate(map(self._number, range(self.rowCount())))
            ),
        ).merged(str(gone), str(kept))
        self._mirrors = {int(one.name): int(one.mirror) for one in numbered.labels if one.mirror}
        key = next(one.key for one in numbered.labels if one.name == str(kept))
        self._merged = {old: kept if at == gone else at for old, at in self._merged.items()}
        self._merged[self.old_name(row)] = kept
        self.blockSignals(True)
        item = self.item(into, _KEY)
        assert item is not None
        item.setText(key)
        self.removeRow(row)
        self.blockSignals(False)
        self._fill_mirrors()

    def buttons(self) -> QWidget:
        """Create the buttons that add, remove and move rows."""
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        buttons: tuple[tuple[str, str, Callable[[], None]], ...] = (
            ("plus", tr("Add label"), self.add),
            ("minus", tr("Remove label"), self.remove),
            ("arrow-up", tr("Move up"), lambda: self.shift(-1)),
            ("arrow-down", tr("Move down"), lambda: self.shift(1)),
        )
        for name, tip, run in buttons:
            button = QToolButton()
            button.setIcon(icon(name, line))
            button.setIconSize(QSize(16, 16))
            button.setToolTip(tip)
            button.setProperty("framed", True)
            button.clicked.connect(lambda _=False, run=run: run())
            row.addWidget(button)
        row.addStretch(1)
        return line

    def add(self) -> None:
        """Add a row at the end and edit its name."""
        self.blockSignals(True)
        self._insert(self.rowCount(), Label(""), "")
        self.blockSignals(False)
        self.setCurrentCell(self.rowCount() - 1, _NAME)
        item = self.item(self.rowCount() - 1, _NAME)
        if item is not None and self.isVisible():
            self.editItem(item)

    def remove(self) -> None:
        """Remove the current row."""
        self._unpair(self._number(self.currentRow()))
        self.removeRow(self.currentRow())
        self._fill_mirrors()

    def shift(self, by: int) -> None:
        """Move the current row up (-1) or down (1)."""
        row, to = self.currentRow(), self.currentRow() + by
        if row < 0 or not 0 <= to < self.rowCount():
            return
        old_name = self.old_name(row)
        label, number = Label(self._text(row, _NAME), self._text(row, _KEY)), self._number(row)
        self.blockSignals(True)
        self.removeRow(row)
        self._insert(to, label, old_name, number)
        self.blockSignals(False)
        self._fill_mirrors()
        self.setCurrentCell(to, _NAME)


class LabelSetsDialog(Dialog):
    """List of label sets at the left, labels of the current set at the right.

    `chosen` is the set that is current at first. `notes` are what is to be reported once it is
    saved.
    """

    def __init__(
        self, session: Session, chosen: str = "view", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Label sets"))
        self.resize(720, 460)
        self._session = session
        self._before: Mapping[str, LabelSet] = dict(session.labels.sets())
        self._drafts: dict[str, LabelSet] = dict(self._before)
        self._renamed: dict[str, dict[str, str]] = {}
        self._shown = ""
        self.notes: list[str] = []
        self.sets = QListWidget()
        self.sets.setFixedWidth(160)
        self.table = LabelTable()
        self.exclusive = QCheckBox(tr("Only one label per image"))
        self.subject = QComboBox()
        self.subject.addItem(tr("For images"), Subject.IMAGE)
        self.subject.addItem(tr("For mouth crops"), Subject.CROP)
        self.problem = PlainLabel()
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
        self.presets.addItem(tr("Use preset…"), None)
        for name in VIEW_PRESETS:
            self.presets.addItem(tr(_PRESET_TITLES[name]), name)
        self.presets.activated.connect(self._use_preset)
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
        self._store_draft()
        self._shown = name
        if not name:
            return
        draft = self._drafts[name]
        custom = name not in IMPORTABLE_SETS
        self.table.show_labels(draft, self._renamed.get(name, {}))
        self.exclusive.setChecked(draft.exclusive)
        self.subject.setCurrentIndex(self.subject.findData(draft.subject))
        self.exclusive.setEnabled(custom)
        self.subject.setEnabled(custom and name not in self._before)
        self.presets.setVisible(name == "view")
        self.remove_button.setVisible(custom)

    def _store_draft(self) -> bool:
        """Store the edited labels as the draft of the current set; False if they are invalid."""
        self.problem.clear()
        if not self._shown:
            return True
        draft = self._drafts[self._shown]
        try:
            self._offer_merges(draft)
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

    def _offer_merges(self, draft: LabelSet) -> None:
        """Offer to merge labels that were renamed to existing ones; stop at the first refusal."""
        while (found := self.table.doubled()) is not None:
            row, into = found
            if not self._confirm_merge(draft, self.table.old_name(row), self.table.name(into)):
                return
            self.table.merge(row, into)

    def _confirm_merge(self, draft: LabelSet, old: str, new: str) -> bool:
        known = draft.name in self._before
        count = self._session.labels.counts(draft.name).get(old, 0) if known else 0
        if draft.subject is Subject.CROP:
            effect = plural(
                count, "{n:,} mouth gets “{label}”.", "{n:,} mouths get “{label}”.", label=new
            )
        else:
            effect = plural(
                count, "{n:,} image gets “{label}”.", "{n:,} images get “{label}”.", label=new
            )
        question = QMessageBox(
            QMessageBox.Icon.Question,
            tr("Merge labels"),
            tr("“{label}” exists. Merge “{old}” into it?").format(label=new, old=old),
            QMessageBox.StandardButton.Cancel,
            self,
        )
        question.setTextFormat(Qt.TextFormat.PlainText)
        question.setInformativeText(f"{effect} {tr('You can undo this.')}")
        merge = question.addButton(tr("Merge"), QMessageBox.ButtonRole.AcceptRole)
        question.setDefaultButton(merge)
        question.exec()
        question.deleteLater()
        return question.clickedButton() is merge

    def _ask_new(self) -> None:
        title = tr("New label set")
        name, accepted = QInputDialog.getText(self, title, tr("Name"))
        if accepted and tidied(name):
            self.add_set(name)

    def add_set(self, name: str) -> None:
        """Add an empty set, or show the set of that name. Raises ValueRefused for a blank name."""
        name = LabelNames(self._drafts).equal_or_new(name)
        name = checked_name(name, Message("A label set"))
        if name not in self._drafts:
            self._drafts[name] = LabelSet(name)
            self.sets.addItem(name)
        self.sets.setCurrentItem(self.sets.findItems(name, Qt.MatchFlag.MatchExactly)[0])

    def _remove_shown(self) -> None:
        """Remove the current set from the list; it is deleted when the dialog is saved."""
        name, self._shown = self._shown, ""
        self._drafts.pop(name, None)
        self.sets.takeItem(self.sets.currentRow())

    def _use_preset(self) -> None:
        name = self.presets.currentData()
        if name is not None:
            self.table.show_labels(VIEW_PRESETS[name], {})
        self.presets.setCurrentIndex(0)

    def save(self) -> None:
        """Apply the changed sets, each as one undoable edit, and close."""
        if not self._store_draft():
            return
        try:
            self._apply()
        except KnownError as error:
            self.problem.setText(tr(error.message))
            return
        self.accept()

    def _apply(self) -> None:
        for name in self._before.keys() - self._drafts.keys():
            remove_set(self._session, name)
        for name, draft in self._drafts.items():
            renamed = self._renamed.get(name, {})
            if draft != self._before.get(name) or renamed:
                edit_set(self._session, draft, renamed)
                self._note_alike(draft)

    def _note_alike(self, draft: LabelSet) -> None:
        """Note new names of a set that differ from others of it in case or spaces alone."""
        before = self._before.get(draft.name)
        known = LabelNames(draft.names)
        for new in draft.names:
            like = known.like(new)
            if like and (before is None or new not in before.names):
                note = tr(
                    "New: “{new}” of {set}, beside “{like}”. To merge them, rename one to the"
                    " other."
                )
                self.notes.append(note.format(new=new, set=draft.name, like=like))
