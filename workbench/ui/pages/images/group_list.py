"""A list of groups of images: the size of each, its most frequent label and sample images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame

from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.session import Session
from workbench.domain.text import tr
from workbench.ui.look.theme import RADIUS, Theme, sized
from workbench.ui.parts.image_view import to_qimage
from workbench.ui.parts.tiles import TilePainter, Tiles

SAMPLES = 4
_GAP = 8
_LINE = 24
_MOVES = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -4,
    Qt.Key.Key_PageDown: 4,
    Qt.Key.Key_Home: -1_000_000,
    Qt.Key.Key_End: 1_000_000,
}


@dataclass(frozen=True)
class Group:
    """One row: title at the left, `summary` at the right, sample images (ids) below."""

    title: str
    summary: str
    samples: tuple[int, ...]


class _Samples(Tiles):
    """Thumbnails with a loader of their own, so that the requests of the grid stay queued."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.loader = ThumbnailLoader(session)
        self.loader.ready.connect(lambda image, _: self.ready.emit(image))

    def thumbnail(self, image: int) -> QImage | None:
        array = self.loader.get(image)
        return None if array is None else to_qimage(array)

    def failure(self, image: int) -> str:
        return self.loader.failure(image)


class GroupList(QAbstractScrollArea):
    """Rows of groups; `chosen(row)` is emitted when a row is clicked or reached with a key. Only
    visible rows are drawn and loaded."""

    chosen = Signal(int)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.groups: list[Group] = []
        self.current = -1
        self._tiles, self._painter = _Samples(session), TilePainter(400)
        self._tiles.ready.connect(self._redraw_sample)
        self._load_timer = QTimer(self, singleShot=True, interval=20)
        self._load_timer.timeout.connect(self._load_samples)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(tr("Groups of images"))

    def show_groups(self, groups: Sequence[Group]) -> None:
        """Show these groups; the current row is kept unless it is beyond their end."""
        self.groups = list(groups)
        if self.current >= len(self.groups):
            self.current = -1
        self._lay_out()

    def set_current(self, row: int) -> None:
        """Mark a row (-1: none) without emitting `chosen`."""
        self.current = row
        self.viewport().update()

    def close_reader(self) -> None:
        """End the threads that decode samples."""
        self._load_timer.stop()
        self._tiles.loader.close()

    # layout

    def _side(self) -> int:
        return max(32, (self.viewport().width() - (SAMPLES + 1) * _GAP) // SAMPLES)

    def _height(self) -> int:
        return _LINE + self._side() + 2 * _GAP

    def row_rect(self, row: int) -> QRect:
        """The rectangle of a row in the viewport."""
        top = row * self._height() - self.verticalScrollBar().value()
        return QRect(0, top, self.viewport().width(), self._height() - 2)

    def _lay_out(self) -> None:
        bar, room = self.verticalScrollBar(), self.viewport().height()
        bar.setRange(0, max(0, len(self.groups) * self._height() - room))
        bar.setPageStep(room)
        bar.setSingleStep(self._height() // 2)
        self.viewport().update()
        self._load_timer.start()

    def _shown(self) -> range:
        top, height = self.verticalScrollBar().value(), self._height()
        last = (top + self.viewport().height()) // height + 1
        return range(top // height, min(len(self.groups), last))

    def _load_samples(self) -> None:
        visible = [image for row in self._shown() for image in self.groups[row].samples]
        self._tiles.loader.request(visible)

    def _redraw_sample(self, image: int) -> None:
        self._painter.forget(image)
        self.viewport().update()

    def resizeEvent(self, _event: QResizeEvent) -> None:
        self._lay_out()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        self.viewport().update()
        self._load_timer.start()

    # mouse and keyboard

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = (event.position().toPoint().y() + self.verticalScrollBar().value()) // self._height()
        if 0 <= row < len(self.groups):
            self._choose(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _MOVES.get(Qt.Key(event.key()))
        if step is None or not self.groups:
            event.ignore()
            return
        self._choose(min(len(self.groups) - 1, max(0, self.current + step)))

    def _choose(self, row: int) -> None:
        self.set_current(row)
        bar, rect = self.verticalScrollBar(), self.row_rect(row)
        if rect.top() < 0:
            bar.setValue(bar.value() + rect.top())
        elif rect.bottom() > self.viewport().height():
            bar.setValue(bar.value() + rect.bottom() - self.viewport().height())
        self.chosen.emit(row)

    # drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = Theme.of(self)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), theme.surface)
        for row in self._shown():
            self._draw(painter, row, theme)
        painter.end()

    def _draw(self, painter: QPainter, row: int, theme: Theme) -> None:
        group, rect = self.groups[row], self.row_rect(row)
        if row == self.current:
            painter.setBrush(theme.hover)
            painter.setPen(QPen(theme.accent, 2) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        line = QRect(_GAP, rect.top() + 4, rect.width() - 2 * _GAP, _LINE - 4)
        painter.setFont(sized(self.font(), 13, bold=True))
        painter.setPen(theme.text)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, group.title)
        title_width = painter.fontMetrics().horizontalAdvance(group.title) + _GAP
        font = sized(self.font(), 11)
        painter.setFont(font)
        painter.setPen(theme.muted)
        rest = line.adjusted(title_width, 0, 0, 0)
        elide = Qt.TextElideMode.ElideMiddle
        summary = QFontMetrics(font).elidedText(group.summary, elide, rest.width())
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rest, right, summary)
        for at, image in enumerate(group.samples):
            self._draw_sample(painter, image, at, rect.top() + _LINE, theme)

    def _draw_sample(self, painter: QPainter, image: int, at: int, top: int, theme: Theme) -> None:
        side = self._side()
        place = QRect(_GAP + at * (side + _GAP), top, side, side)
        ratio = painter.device().devicePixelRatioF()
        pixmap = self._painter.pixmap(self._tiles, image, side, ratio)
        if pixmap is None:
            painter.fillRect(place.adjusted(2, 2, -2, -2), theme.hover)
            return
        inside = QRect(place.topLeft(), pixmap.deviceIndependentSize().toSize())
        inside.moveCenter(place.center())
        painter.drawPixmap(inside.topLeft(), pixmap)
