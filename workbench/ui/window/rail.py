"""Navigation rail at the left: one button per page, in the order of the workflow."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QToolButton, QVBoxLayout, QWidget

from workbench.ui.commands import ShortcutTip
from workbench.ui.look.icons import ICON_PIXELS, draw_icon
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized
from workbench.ui.page import PageEntry

WIDTH = 64  # pixels
_MARGIN = 3  # pixels at either side of a title
_LEAST_PIXELS = 9  # smallest font of a title


class _RailButton(QToolButton):
    """Icon above a title; the current page has an accent bar beside it."""

    def __init__(self, title: str, icon: str) -> None:
        super().__init__()
        self._icon = icon
        self.setText(title)
        self.setCheckable(True)
        self.setFixedSize(QSize(WIDTH, 56))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def fitted_title(self) -> tuple[QFont, str]:
        """The font and text of the title: smaller, and at last elided, if it is too wide in bold.

        Translated titles may be long; the tooltip has the whole one.
        """
        room = WIDTH - 2 * _MARGIN
        for pixels in range(CAPTION_PIXELS, _LEAST_PIXELS - 1, -1):
            font = sized(self.font(), pixels, bold=True)
            if QFontMetrics(font).horizontalAdvance(self.text()) <= room:
                return font, self.text()
        end = Qt.TextElideMode.ElideRight
        return font, QFontMetrics(font).elidedText(self.text(), end, room)

    def paintEvent(self, _event: QPaintEvent) -> None:
        theme = Theme.of(self)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        room = QRectF(self.rect()).adjusted(4, 2, -4, -2)
        if self.isChecked() or self.underMouse():
            painter.setBrush(theme.hover)
            painter.drawRoundedRect(room, 6, 6)
        if self.isChecked():
            painter.setBrush(theme.accent)
            painter.drawRoundedRect(QRectF(0, 14, 3, self.height() - 28), 1.5, 1.5)
        colour = theme.text if self.isChecked() else theme.muted
        at = (self.width() - ICON_PIXELS) / 2
        draw_icon(painter, self._icon, QRectF(at, 9, ICON_PIXELS, ICON_PIXELS), colour)
        painter.setPen(colour)
        font, title = self.fitted_title()
        painter.setFont(sized(font, font.pixelSize(), bold=self.isChecked()))
        painter.drawText(QRectF(0, 33, self.width(), 16), Qt.AlignmentFlag.AlignCenter, title)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(theme.accent)
            painter.drawRoundedRect(room, 6, 6)
        painter.end()


class Rail(QFrame):
    """One button per page."""

    chosen = Signal(str)  # id of a page

    def __init__(self, pages: Iterable[PageEntry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(WIDTH)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(4)
        group = QButtonGroup(self)
        self._buttons: dict[str, _RailButton] = {}
        for page in pages:
            button = _RailButton(page.title_now(), page.icon)
            ShortcutTip(button, page.title_now(), f"go_{page.name}")
            button.clicked.connect(lambda _=False, name=page.name: self.chosen.emit(name))
            group.addButton(button)
            column.addWidget(button)
            self._buttons[page.name] = button
        column.addStretch(1)

    def show_current(self, name: str) -> None:
        """Highlight the current page."""
        self._buttons[name].setChecked(True)
