"""The labels of the active set as buttons that show their keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLineEdit, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from workbench.domain.labels import LabelSet
from workbench.domain.text import tr
from workbench.ui.commands import ShortcutText
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, RADIUS, Theme, sized, text_on
from workbench.ui.parts.tiles import badge

_FEW = 12  # the search field is shown for sets with more labels
_SHOWN = 60  # largest number of buttons
WIDTH = 168


class LabelButton(QPushButton):
    """The button of a label: its letter on its colour, its name, and a frame if it is assigned."""

    def __init__(self, name: str, key: tuple[str, QColor | None], tip: str) -> None:
        super().__init__()
        self.label = name
        self._key = key
        self.assigned = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(plain_text(tip))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 36)  # a fixed height would be overridden by the style sheet

    def set_assigned(self, assigned: bool) -> None:
        """Set whether the current image has this label."""
        if assigned != self.assigned:
            self.assigned = assigned
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = Theme.of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        lit = self.assigned or self.underMouse() or self.isDown()
        painter.setBrush(theme.hover if lit else theme.raised)
        edge = theme.accent if self.assigned or self.hasFocus() else theme.line
        painter.setPen(QPen(edge, 2 if self.assigned or self.hasFocus() else 1))
        painter.drawRoundedRect(room, RADIUS, RADIUS)
        letter, colour = self._key[0], self._key[1] or theme.hover
        box = QRectF(8, 8, 20, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(text_on(colour))
        painter.setFont(sized(self.font(), CAPTION_PIXELS + 1, bold=True))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)
        left = 36.0
        painter.setFont(sized(self.font(), 13, bold=self.assigned))
        painter.setPen(theme.text)
        line = QRectF(left, 0, self.width() - left - 10, self.height())
        text = QFontMetrics(painter.font()).elidedText(
            self.label, Qt.TextElideMode.ElideMiddle, int(line.width())
        )
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


def _shortcut_tip(keys: Sequence[str]) -> str:
    if len(keys) > 1:
        return tr("Shortcut: {first} or {second}").format(first=keys[0], second=keys[1])
    return tr("Shortcut: {key}").format(key=keys[0]) if keys else ""


class LabelKeys(QWidget):
    """The buttons of a label set, one that clears the label, and one that edits the set."""

    chosen = Signal(object)  # a label's name, or None to clear the label
    edit_requested = Signal()

    def __init__(self, clear: str) -> None:
        """`clear` is the full id of the command that clears the label."""
        super().__init__()
        self.setFixedWidth(WIDTH)
        self._clear_keys: Sequence[str] = ()
        ShortcutText(self, self._show_clear_keys, clear)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find a label"))
        self.field.textChanged.connect(self._fill)
        self.field.returnPressed.connect(self._choose_first)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inner)
        self.edit_button = QPushButton(icon("pencil-simple", self), tr("Edit labels…"))
        self.edit_button.setFlat(True)
        self.edit_button.setIconSize(QSize(16, 16))
        self.edit_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.edit_button.clicked.connect(self.edit_requested)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addWidget(area, 1)
        column.addWidget(self.edit_button)
        self._set: LabelSet | None = None
        self._assigned: frozenset[str] = frozenset()
        self.buttons: list[LabelButton] = []

    def _show_clear_keys(self, shortcuts: Sequence[str]) -> None:
        self._clear_keys = shortcuts
        self._fill()

    def show_set(self, label_set: LabelSet) -> None:
        """Show the labels of `label_set`."""
        self._set = label_set
        self.field.setVisible(len(label_set.labels) > _FEW)
        self._fill()

    def show_assigned(self, labels: frozenset[str]) -> None:
        """Mark the labels of the current image."""
        self._assigned = labels
        for button in self.buttons:
            button.set_assigned(button.label in labels)

    def _fill(self) -> None:
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons = []
        if self._set is None:
            return
        search = self.field.text().strip().lower() if not self.field.isHidden() else ""
        names = [name for name in self._set.names if search in name.lower()]
        for name in names[:_SHOWN]:
            self._add(name)
        none = LabelButton(tr("no label"), ("⌫", None), _shortcut_tip(self._clear_keys))
        none.clicked.connect(lambda: self.chosen.emit(None))
        self._column.addWidget(none)
        self._column.addStretch(1)
        self.show_assigned(self._assigned)

    def _add(self, name: str) -> None:
        assert self._set is not None
        at = self._set.index(name)
        keys = [self._set.labels[at].key] + ([str(at + 1)] if at < 9 else [])
        button = LabelButton(
            name, badge(self._set, name), _shortcut_tip([k for k in keys if k]) or name
        )
        button.clicked.connect(lambda: self.chosen.emit(name))
        self._column.addWidget(button)
        self.buttons.append(button)

    def _choose_first(self) -> None:
        if self.buttons:
            self.chosen.emit(self.buttons[0].label)
            self.field.clear()
