"""The labels of the active set as buttons, each with its key: what can be pressed now."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLineEdit, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from workbench.domain.labels import LabelSet
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.theme import CAPTION_PIXELS, RADIUS, Theme, sized, text_on
from workbench.ui.parts.tiles import badge

_FEW = 12  # labels from which there is a field to find one
_SHOWN = 60
WIDTH = 168


class LabelButton(QPushButton):
    """A label: its letter on its colour, its name, and a ring when the image has it."""

    def __init__(self, name: str, key: tuple[str, QColor | None], tip: str) -> None:
        super().__init__()
        self.label = name
        self._key = key
        self.given = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 36)  # a height set on a widget loses to the style sheet's

    def set_given(self, given: bool) -> None:
        """Whether the current image has this label."""
        if given != self.given:
            self.given = given
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = Theme.of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        lit = self.given or self.underMouse() or self.isDown()
        painter.setBrush(theme.hover if lit else theme.raised)
        edge = theme.accent if self.given or self.hasFocus() else theme.line
        painter.setPen(QPen(edge, 2 if self.given or self.hasFocus() else 1))
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
        painter.setFont(sized(self.font(), 13, bold=self.given))
        painter.setPen(theme.text)
        line = QRectF(left, 0, self.width() - left - 10, self.height())
        words = QFontMetrics(painter.font()).elidedText(
            self.label, Qt.TextElideMode.ElideMiddle, int(line.width())
        )
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, words)
        painter.end()


class LabelKeys(QWidget):
    """Buttons of one label set, "no label", and the way to edit the set."""

    chosen = Signal(object)  # a label's name, or None
    edit_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find a label"))
        self.field.textChanged.connect(self._fill)
        self.field.returnPressed.connect(self._take_first)
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
        self.edit_button.clicked.connect(self.edit_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addWidget(area, 1)
        column.addWidget(self.edit_button)
        self._set: LabelSet | None = None
        self._given: frozenset[str] = frozenset()
        self.buttons: list[LabelButton] = []

    def show_set(self, label_set: LabelSet) -> None:
        """The labels of another set, or of the same one changed."""
        self._set = label_set
        self.field.setVisible(len(label_set.labels) > _FEW)
        self._fill()

    def show_given(self, labels: frozenset[str]) -> None:
        """Which of them the current image has."""
        self._given = labels
        for button in self.buttons:
            button.set_given(button.label in labels)

    def _fill(self) -> None:
        while (item := self._column.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons = []
        if self._set is None:
            return
        wanted = self.field.text().strip().lower() if not self.field.isHidden() else ""
        names = [name for name in self._set.names if wanted in name.lower()]
        for name in names[:_SHOWN]:
            self._add(name)
        none = LabelButton(tr("no label"), ("⌫", None), tr("Backspace"))
        none.clicked.connect(lambda: self.chosen.emit(None))
        self._column.addWidget(none)
        self._column.addStretch(1)
        self.show_given(self._given)

    def _add(self, name: str) -> None:
        assert self._set is not None
        at = self._set.index(name)
        keys = [self._set.labels[at].key] + ([str(at + 1)] if at < 9 else [])
        tip = tr("Key: {0}").format(tr(" or ").join(key for key in keys if key))
        has_key = any(keys)
        button = LabelButton(name, badge(self._set, name), tip if has_key else name)
        button.clicked.connect(lambda: self.chosen.emit(name))
        self._column.addWidget(button)
        self.buttons.append(button)

    def _take_first(self) -> None:
        if self.buttons:
            self.chosen.emit(self.buttons[0].label)
            self.field.clear()
