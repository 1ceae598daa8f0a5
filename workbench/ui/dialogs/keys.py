"""Keyboard shortcuts: all commands in a list in which their shortcuts can be changed."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialogButtonBox,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.settings import UserSettings
from workbench.domain.text import tr
from workbench.ui.commands import Command, CommandRegistry, native
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Page
from workbench.ui.parts.dialog import Dialog

_COMMAND = Qt.ItemDataRole.UserRole


class KeysDialog(Dialog):
    """Table of all commands; a shortcut is edited in its cell, clearing it restores the default."""

    def __init__(
        self, commands: CommandRegistry, settings: UserSettings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Keyboard shortcuts"))
        self.resize(620, 560)
        self._commands, self._settings = commands, settings
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search commands"))
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self._search)
        self.table = self._make_table()
        self.problem = PlainLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        note = QLabel(
            tr(
                "Labels are assigned with the keys of their label set (“Label sets…” in the Label "
                "menu) or with 1 to 9."
            )
        )
        note.setProperty("role", "caption")
        note.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        for widget in (self.field, self.table, self.problem, note, buttons):
            column.addWidget(widget)
        for owner, command in commands.everything():
            self._add(owner, command)

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 3)
        table.setHorizontalHeaderLabels([tr("Page"), tr("Command"), tr("Shortcut")])
        header = table.horizontalHeader()
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.setColumnWidth(0, 100)
        table.setColumnWidth(2, 180)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(34)
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        return table

    def _add(self, owner: QWidget, command: Command) -> None:
        row = self.table.rowCount()
        self.table.insertRow(row)
        title = owner.title if isinstance(owner, Page) else tr("All pages")
        page = QTableWidgetItem(title)
        page.setData(_COMMAND, command)
        self.table.setItem(row, 0, page)
        self.table.setItem(row, 1, QTableWidgetItem(command.title))
        edit = QKeySequenceEdit(QKeySequence(self._commands.key(command)))
        edit.setClearButtonEnabled(True)
        edit.setMaximumSequenceLength(1)
        edit.editingFinished.connect(lambda: self._change_key(owner, command, edit))
        self.table.setCellWidget(row, 2, edit)

    def _search(self, text: str) -> None:
        for row in range(self.table.rowCount()):
            cells = [self.table.item(row, column) for column in (0, 1)]
            searched = " ".join(cell.text() for cell in cells if cell is not None)
            self.table.setRowHidden(row, text.lower() not in searched.lower())

    def _change_key(self, owner: QWidget, command: Command, edit: QKeySequenceEdit) -> None:
        key = edit.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        if key == self._commands.key(command):
            return
        other = self._conflicting(owner, command, key)
        if other is not None:
            message = tr("{shortcut} is already the shortcut of “{command}”.")
            self.problem.setText(message.format(shortcut=native(key), command=other.title))
            edit.setKeySequence(QKeySequence(self._commands.key(command)))
            return
        self.problem.clear()
        custom = None if key in ("", command.key) else key
        self._settings.set_key(command.id, custom)
        self._commands.set_keys(self._settings.keys)
        edit.setKeySequence(QKeySequence(self._commands.key(command)))

    def _conflicting(self, owner: QWidget, command: Command, key: str) -> Command | None:
        """Return another command that has the key and is available at the same time."""
        for other_owner, other in self._commands.everything():
            together = other_owner is owner or not (
                isinstance(other_owner, Page) and isinstance(owner, Page)
            )
            if key and together and other.id != command.id and self._commands.key(other) == key:
                return other
        return None
