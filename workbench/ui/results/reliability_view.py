"""The reliability diagram: how often the network was right when it was this sure."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from workbench.domain.reliability import ReliabilityBin
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized

LEFT, RIGHT, TOP, BOTTOM = 48, 12, 20, 40
WARM = 5


class ReliabilityView(QWidget):
    """Bars of accuracy over confidence, the gap to honesty in the warm colour. `chosen(bin)` tells
    of a click on a bar."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bins: tuple[ReliabilityBin, ...] = ()
        self._hover = -1
        self._current = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Reliability diagram"))

    def set_bins(self, bins: Sequence[ReliabilityBin]) -> None:
        """Show these bins."""
        self._bins = tuple(bins)
        self._hover = self._current = -1
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(220, 200)

    def sentence(self, at: int) -> str:
        """What a bar says in words."""
        each = self._bins[at]
        if not each.images:
            return self.tr("no image with a confidence of {low}–{high} %").format(
                low=f"{each.low * 100:.0f}", high=f"{each.high * 100:.0f}"
            )
        return self.tr("{n} images: {sure} % sure, {right} % right").format(
            n=f"{each.images:,}",
            sure=f"{each.confidence * 100:.1f}",
            right=f"{each.accuracy * 100:.1f}",
        )

    def _area(self) -> QRectF:
        side = min(self.width() - LEFT - RIGHT, self.height() - TOP - BOTTOM)
        return QRectF(LEFT, TOP, max(1, side), max(1, side))

    def _bar(self, at: int) -> QRectF:
        area, wide = self._area(), self._area().width() / max(1, len(self._bins))
        return QRectF(area.left() + at * wide, area.top(), wide, area.height())

    def _at(self, point: QPointF) -> int:
        found = (at for at in range(len(self._bins)) if self._bar(at).contains(point))
        return next(found, -1)

    # Drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        theme = Theme.of(self)
        self._paint_axes(painter, theme)
        for at, each in enumerate(self._bins):
            if each.images:
                self._paint_bar(painter, theme, at, each)
        area = self._area()
        painter.setPen(QPen(theme.muted, 1, Qt.PenStyle.DashLine))
        painter.drawLine(area.bottomLeft(), area.topRight())

    def _paint_axes(self, painter: QPainter, theme: Theme) -> None:
        area = self._area()
        for step in range(0, 101, 20):
            y = area.bottom() - area.height() * step / 100
            x = area.left() + area.width() * step / 100
            painter.setPen(QPen(theme.hover, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.muted)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(area.left() - 44, y - 8, 38, 16), right, f"{step}")
            below = QRectF(x - 20, area.bottom() + 4, 40, 16)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, f"{step}")
        text = self.tr("confidence (%) →  accuracy (%) ↑")
        under = QRectF(area.left(), area.bottom() + 20, max(area.width(), 240), 16)
        painter.drawText(under, Qt.AlignmentFlag.AlignLeft, text)

    def _paint_bar(self, painter: QPainter, theme: Theme, at: int, each: ReliabilityBin) -> None:
        box = self._bar(at).adjusted(1.5, 0, -1.5, 0)

        def height(share: float) -> float:
            return box.bottom() - box.height() * share

        right, sure = height(each.accuracy), height(each.confidence)
        low, high = max(right, sure), min(right, sure)
        painter.fillRect(QRectF(box.left(), low, box.width(), box.bottom() - low), theme.accent)
        over = sure < right  # surer than right: the warm gap; righter than sure: the pale one
        gap = QColor(label_colour(WARM) if over else theme.accent)
        gap.setAlpha(180 if over else 70)
        painter.fillRect(QRectF(box.left(), high, box.width(), low - high), gap)
        painter.setPen(QPen(theme.text, 2))
        painter.drawLine(QPointF(box.left(), right), QPointF(box.right(), right))
        if box.width() >= 24:
            painter.setPen(theme.muted)
            above = QRectF(box.left() - 8, high - 16, box.width() + 16, 14)
            painter.drawText(above, Qt.AlignmentFlag.AlignCenter, f"{each.images:,}")
        if at in (self._hover, self._current):
            painter.setPen(QPen(theme.text if at == self._current else theme.muted, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            top = min(right, sure)
            painter.drawRect(QRectF(box.left(), top, box.width(), box.bottom() - top))

    # Hands

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            text = self.sentence(at) if at >= 0 else ""
            QToolTip.showText(event.globalPosition().toPoint(), text, self)
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self._choose(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # what was pressed here is not for the widgets below

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None or not self._bins:
            event.ignore()
            return
        self._choose(max(0, min(len(self._bins) - 1, self._current + step)))

    def _choose(self, at: int) -> None:
        self._current = at
        self.update()
        self.chosen.emit(at)
