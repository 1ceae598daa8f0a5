"""Command palette: a searchable list of all commands (Ctrl+K)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from workbench.domain.text import tr
from workbench.ui.commands import native
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized

Item = TypeVar("Item")


def score(query: str, text: str) -> float | None:
    """Rate how well `text` matches `query`; None unless it has all its letters in order.

    Consecutive letters, beginnings of words and short texts score higher.
    """
    letters = "".join(query.lower().split())
    lower = text.lower()
    if not letters:
        return 0.0
    whole = lower.find(" ".join(query.lower().split()))
    points, at, last = (8.0 if whole >= 0 else 0.0) + (4.0 if whole == 0 else 0.0), 0, -2
    for number, letter in enumerate(letters, 1):
        found = lower.find(letter, at)
        start = _word_start(lower, letter, at)
        if found < 0:
            return None
        if found != last + 1 and start >= 0:
            found = start if _fits(letters[number:], lower[start + 1 :]) else found
        points += 1.0 + (1.5 if found == last + 1 else 0.0) + (1.0 if _begins(lower, found) else 0)
        last, at = found, found + 1
    return points - 0.01 * len(text)


def _begins(text: str, at: int) -> bool:
    return at == 0 or not text[at - 1].isalnum()


def _word_start(text: str, letter: str, at: int) -> int:
    while (at := text.find(letter, at)) >= 0:
        if _begins(text, at):
            return at
        at += 1
    return -1


def _fits(letters: str, text: str) -> bool:
    """Whether a text has all these letters in order."""
    at = 0
    for letter in letters:
        at = text.find(letter, at) + 1
        if not at:
            return False
    return True


def ranked(query: str, items: Sequence[Item], text: Callable[[Item], str]) -> list[Item]:
    """Return the items that match `query`, best first; all of them, in their order, for ""."""
    scored = [(score(query, text(item)), item) for item in items]
    found = [(points, item) for points, item in scored if points is not None]
    return [item for _, item in sorted(found, key=lambda entry: -entry[0])]


Index = QModelIndex | QPersistentModelIndex
_WIDTH, _ROW = 560, 32  # pixels
_MAX_ROWS = 11
_ENTRY = Qt.ItemDataRole.UserRole


class PaletteEntry:
    """A command as the palette shows it: its id, title, menu and key, and whether it is enabled."""

    def __init__(self, name: str, title: str, menu: str, key: str, enabled: bool) -> None:
        self.name, self.title, self.menu, self.key = name, title, menu, key
        self.enabled = enabled


class _EntryDelegate(QStyledItemDelegate):
    """Draws the title, then the menu in small letters, and the key at the right."""

    def __init__(self, view: QWidget) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(0, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: PaletteEntry = index.data(_ENTRY)
        theme = Theme.of(self._view)
        rect: QRect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        if selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.accent)
            painter.drawRoundedRect(rect.adjusted(2, 1, -2, -1), 4, 4)
        strong = theme.on_accent if selected else theme.text if entry.enabled else theme.line
        faint = theme.on_accent if selected else theme.muted
        inner = rect.adjusted(12, 0, -12, 0)
        painter.setPen(strong)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, entry.title)
        width = painter.fontMetrics().horizontalAdvance(entry.title)
        painter.setPen(faint)
        painter.drawText(
            inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, native(entry.key)
        )
        painter.setFont(sized(painter.font(), CAPTION_PIXELS))
        painter.drawText(
            inner.adjusted(width + 10, 1, 0, 0), Qt.AlignmentFlag.AlignVCenter, entry.menu
        )
        painter.restore()


class CommandPalette(QFrame):
    """Search field and list over the window; Enter runs the selected command, Escape closes."""

    chosen = Signal(str)  # id of a command

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setProperty("role", "note")
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search commands"))
        self.field.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setItemDelegate(_EntryDelegate(self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addWidget(self.list)
        self._entries: Sequence[PaletteEntry] = ()
        self._previous_focus: QWidget | None = None
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(lambda _: self._choose_current())
        self.hide()

    def open_with(self, entries: Sequence[PaletteEntry]) -> None:
        """Show the palette over the window with `entries`, those that are enabled first."""
        self._entries = sorted(entries, key=lambda entry: not entry.enabled)
        self._previous_focus = self.window().focusWidget()
        self.field.clear()
        self._search("")
        width = min(_WIDTH, self.window().width() - 32)
        self.setGeometry(QRect(QPoint((self.window().width() - width) // 2, 64), self._size(width)))
        self.raise_()
        self.show()
        self.field.setFocus()

    def _size(self, width: int) -> QSize:
        rows = min(_MAX_ROWS, max(1, self.list.count()))
        return QSize(width, min(rows * _ROW + 28 + 34, self.window().height() - 96))

    def _search(self, text: str) -> None:
        self.list.clear()
        for entry in ranked(text, self._entries, lambda e: f"{e.title} {e.menu}"):
            item = QListWidgetItem()
            item.setData(_ENTRY, entry)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusOut and self.isVisible():
            self._close()
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
        if step is not None and self.list.count():
            self.list.setCurrentRow((self.list.currentRow() + step) % self.list.count())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose_current()
        elif event.key() == Qt.Key.Key_Escape:
            self._close()
        else:
            return False
        return True

    def _choose_current(self) -> None:
        item = self.list.currentItem()
        self._close()
        if item is not None:
            self.chosen.emit(item.data(_ENTRY).name)

    def _close(self) -> None:
        if not self.isVisible():
            return
        self.hide()
        if self._previous_focus is not None and isValid(self._previous_focus):
            self._previous_focus.setFocus()
