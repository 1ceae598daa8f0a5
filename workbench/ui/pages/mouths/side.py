"""The right side of the Mouths page: expressions by key, deeds on a mouth, the licence note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from workbench.domain.labels import LabelSet
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized
from workbench.ui.pages.mouths.model import MouthModel
from workbench.ui.parts.label_keys import LabelKeys
from workbench.ui.parts.side import SidePanel

_ROW = 40  # pixels of a label's button and the gap under it
_MOST = 8  # labels shown without scrolling


@dataclass(frozen=True)
class MouthAction:
    """A button of the side panel: what it says, its icon, its key and what it does."""

    text: str
    icon_name: str
    key: str
    callback: Callable[[], object]
    tip: str
    checkable: bool = False


class MouthActionButton(QPushButton):
    """A button with its key at the right, quieter than what it does."""

    def __init__(self, deed: MouthAction) -> None:
        super().__init__(deed.text)
        self._key = deed.key
        self.setIcon(icon(deed.icon_name))
        self.setToolTip(f"{deed.tip} ({deed.key})")
        self.setCheckable(deed.checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setStyleSheet("text-align: left; padding: 0 8px;")
        self.clicked.connect(lambda: deed.callback())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        theme = Theme.of(self)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        painter.setPen(theme.muted if self.isEnabled() else theme.line)
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(self.rect().adjusted(0, 0, -8, 0), right, self._key)
        painter.end()


class MouthSide(SidePanel):
    """Labels, deeds and notes of the mouth that is chosen; `other_file_wanted()` when the 68-point
    file is to be another one."""

    other_file_wanted = Signal()
    _landmarks_file = ("", "")

    def __init__(self, deeds: dict[str, MouthAction], history: QWidget) -> None:
        super().__init__()
        self.keys = LabelKeys()
        self.keys.setMinimumWidth(0)
        self.keys.setMaximumWidth(16_777_215)
        self.buttons = {name: MouthActionButton(deed) for name, deed in deeds.items()}
        self.landmarks_note = QLabel()
        self.landmarks_note.setProperty("role", "caption")
        self.landmarks_note.setWordWrap(True)
        self.landmarks_note.setTextFormat(Qt.TextFormat.RichText)
        self.landmarks_note.linkActivated.connect(lambda _: self.other_file_wanted.emit())
        self._expressions = self.add(tr("Expression"), self.keys)
        self.add(tr("This mouth"), self._deeds())
        self.add(tr("History"), history)
        self.add(tr("Landmarks"), self.landmarks_note)

    def _deeds(self) -> QWidget:
        made = QWidget()
        grid = QGridLayout(made)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for at, button in enumerate(self.buttons.values()):
            grid.addWidget(button, at // 2, at % 2)
        return made

    def set_landmarks_file(self, name: str, licence: str) -> None:
        """Say which 68-point file is used and under which terms its data was made."""
        self._landmarks_file = (name, licence)
        link, colour = tr("Use another file…"), Theme.of(self).accent.name()
        self.landmarks_note.setText(
            f"{escape(name)}. {escape(licence)} "
            f'<a href="other" style="color: {colour}">{escape(link)}</a>'
        )

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and self._landmarks_file[0]:
            self.set_landmarks_file(*self._landmarks_file)

    def set_label_set(self, label_set: LabelSet | None) -> None:
        """Buttons for the labels of this set."""
        self._expressions.setVisible(label_set is not None)
        if label_set is not None:
            self.keys.show_set(label_set)
            rows = min(_MOST, len(label_set.labels)) + 1  # and "no label"
            self.keys.setFixedHeight(rows * _ROW + 40)

    def show_desk(self, desk: MouthModel) -> None:
        """Mark the label of the chosen mouth and say what can be done to it."""
        own = desk.labels.get(desk.current, ()) if desk.current is not None else ()
        self.keys.show_assigned(frozenset(own))
        chosen = desk.crop()
        square = chosen is not None and chosen.rect is not None
        for name, enabled in {
            "accept": square,
            "reject": chosen is not None and chosen.usable,
            "only": square and len(desk.faces()) > 1,
            "draw": desk.image is not None,
        }.items():
            self.buttons[name].setEnabled(enabled)
