"""The right side of the Mouths page: expressions, actions on a mouth, landmark file and licence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from workbench.domain.labels import LabelSet
from workbench.domain.text import tr
from workbench.ui.commands import ShortcutText, ShortcutTip
from workbench.ui.look.icons import icon
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized
from workbench.ui.pages.mouths.model import MouthModel
from workbench.ui.parts.label_keys import LabelKeys
from workbench.ui.parts.side import SidePanel

_ROW = 40  # pixels of a label button and the gap below it
_MOST = 8  # labels shown without scrolling


@dataclass(frozen=True)
class MouthAction:
    """A button of the side panel: text, icon, full id of its command, action and tooltip."""

    text: str
    icon_name: str
    command: str
    callback: Callable[[], object]
    tip: str
    checkable: bool = False


class MouthActionButton(QPushButton):
    """A button with the shortcut of its command in muted text at the right, if it fits."""

    def __init__(self, action: MouthAction) -> None:
        super().__init__(action.text)
        self._shortcut = ""
        self.setIcon(icon(action.icon_name))
        ShortcutTip(self, action.tip, action.command)
        ShortcutText(self, self._show_shortcut, action.command)
        self.setCheckable(action.checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setStyleSheet("text-align: left; padding: 0 8px;")
        self.clicked.connect(lambda: action.callback())

    def _show_shortcut(self, shortcuts: Sequence[str]) -> None:
        (self._shortcut,) = shortcuts
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        theme = Theme.of(self)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        painter.setPen(theme.muted if self.isEnabled() else theme.line)
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        if painter.fontMetrics().horizontalAdvance(self._shortcut) < self._room():
            painter.drawText(self.rect().adjusted(0, 0, -8, 0), right, self._shortcut)
        painter.end()

    def _room(self) -> int:
        """The width in pixels beside icon and text."""
        text = self.fontMetrics().horizontalAdvance(self.text())
        return self.width() - self.iconSize().width() - text - 24


class MouthSide(SidePanel):
    """Labels and actions of the current mouth, history and landmark file; `file_requested()` is
    emitted when another landmark file is to be chosen."""

    file_requested = Signal()
    _landmarks_file = ("", "")

    def __init__(self, actions: dict[str, MouthAction], history: QWidget) -> None:
        super().__init__()
        self.keys = LabelKeys("mouths.clear")
        self.keys.setMinimumWidth(0)
        self.keys.setMaximumWidth(16_777_215)
        self.buttons = {name: MouthActionButton(action) for name, action in actions.items()}
        self.landmarks_note = QLabel()
        self.landmarks_note.setProperty("role", "caption")
        self.landmarks_note.setWordWrap(True)
        self.landmarks_note.setTextFormat(Qt.TextFormat.RichText)
        self.landmarks_note.linkActivated.connect(lambda _: self.file_requested.emit())
        self._expressions = self.add(tr("Expression"), self.keys)
        self.add(tr("This mouth"), self._action_grid())
        self.add(tr("History"), history)
        self.add(tr("Landmarks"), self.landmarks_note)

    def _action_grid(self) -> QWidget:
        widget = QWidget()
        grid = QGridLayout(widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for at, button in enumerate(self.buttons.values()):
            grid.addWidget(button, at // 2, at % 2)
        return widget

    def set_landmarks_file(self, file: str, licence: str) -> None:
        """Show the landmark file in use and the licence of its training data, as sentences."""
        self._landmarks_file = (file, licence)
        link, colour = tr("Use another file…"), Theme.of(self).accent.name()
        self.landmarks_note.setText(
            f"{escape(file)} {escape(licence)} "
            f'<a href="other" style="color: {colour}">{escape(link)}</a>'
        )

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and self._landmarks_file[0]:
            self.set_landmarks_file(*self._landmarks_file)

    def set_label_set(self, label_set: LabelSet | None) -> None:
        """Show buttons for the labels of a set; none without one."""
        self._expressions.setVisible(label_set is not None)
        if label_set is not None:
            self.keys.show_set(label_set)
            rows = min(_MOST, len(label_set.labels)) + 1  # and "no label"
            self.keys.setFixedHeight(rows * _ROW + 40)

    def show_model(self, model: MouthModel) -> None:
        """Mark the labels of the current mouth and enable the actions it allows."""
        own = model.labels.get(model.current, ()) if model.current is not None else ()
        self.keys.show_assigned(frozenset(own))
        crop = model.crop()
        has_box = crop is not None and crop.rect is not None
        for name, enabled in {
            "accept": has_box,
            "reject": crop is not None and crop.usable,
            "only": has_box and len(model.faces()) > 1,
            "draw": model.image is not None,
        }.items():
            self.buttons[name].setEnabled(enabled)
