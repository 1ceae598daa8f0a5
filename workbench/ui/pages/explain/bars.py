"""Scores of labels as selectable bars, and the legend of the heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from workbench.app.explain.explaining import OPACITY, heat_layer
from workbench.domain.text import tr
from workbench.ui.look.icons import draw_icon
from workbench.ui.look.markup import plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, TEXT_PIXELS, Theme, sized
from workbench.ui.pages.explain.views import layer_image

_ROW = 28
_HEAD = 22
_VALUE = 40  # pixels for "0.97"
MOST = 10  # bars per label set: the highest scores of a larger set


@dataclass(frozen=True)
class Bar:
    """The score of one label in [0, 1], None while unknown.

    `true` marks the label that the image has; `key` is the shortcut that explains the label.
    """

    label_set: str
    label: str
    score: float | None
    true: bool = False
    key: str = ""


class ScoreBars(QWidget):
    """Bars below a heading per label set; a click or an arrow key selects a label."""

    chosen = Signal(str, str)  # label set, label
    stepped = Signal(int)  # Left (−1) or Right (1) was pressed: the previous or next image

    def __init__(self) -> None:
        super().__init__()
        self._groups: list[tuple[str, list[Bar]]] = []
        self._explained = ("", "")
        self._hover: Bar | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Scores"))

    def show_bars(self, groups: Sequence[tuple[str, Sequence[Bar]]]) -> None:
        """Show these bars below their headings ("": none)."""
        height = self.sizeHint().height()
        self._groups = [(title, list(bars)) for title, bars in groups]
        if self.sizeHint().height() != height:
            self.setFixedHeight(self.sizeHint().height())
        self.update()

    def show_explained(self, label_set: str, label: str) -> None:
        """Highlight the label that the heatmap explains."""
        self._explained = (label_set, label)
        self.update()

    def bars(self) -> list[Bar]:
        """All bars, in the order shown."""
        return [bar for _, bars in self._groups for bar in bars]

    def sizeHint(self) -> QSize:
        rows = sum(len(bars) for _, bars in self._groups)
        heads = sum(1 for title, _ in self._groups if title)
        return QSize(200, max(_ROW, rows * _ROW + heads * _HEAD))

    def rect_of(self, bar: Bar) -> QRect:
        """The area of a bar, in pixels of the widget."""
        return next(rect for rect, other in self._places() if other == bar)

    def _places(self) -> list[tuple[QRect, Bar]]:
        places, top = [], 0
        for title, bars in self._groups:
            top += _HEAD if title else 0
            for bar in bars:
                places.append((QRect(0, top, self.width(), _ROW), bar))
                top += _ROW
        return places

    def _at(self, point: QPointF) -> Bar | None:
        return next((b for rect, b in self._places() if rect.contains(point.toPoint())), None)

    # Events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        bar = self._at(event.position())
        if bar is not None and event.button() is Qt.MouseButton.LeftButton:
            self.chosen.emit(bar.label_set, bar.label)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover = self._at(event.position())
        pointing = Qt.CursorShape.PointingHandCursor
        self.setCursor(pointing if self._hover else Qt.CursorShape.ArrowCursor)
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover = None
        self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            bar = self._at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), plain_text(self._tip(bar)) if bar else "", self)
            return True
        return super().event(event)

    def _tip(self, bar: Bar) -> str:
        lines = [tr("Explain {label}").format(label=bar.label)]
        if bar.score is not None:
            lines.append(tr("Score: {score:.4f}").format(score=bar.score))
        if bar.key:
            lines.append(tr("Shortcut: {key}").format(key=bar.key))
        if bar.true:
            lines.append(tr("This is the true label"))
        return "\n".join(lines)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        side = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if side is not None:
            self.stepped.emit(side)
            return
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        bars = self.bars()
        if step is None or not bars:
            event.ignore()
            return
        now = [at for at, b in enumerate(bars) if (b.label_set, b.label) == self._explained]
        to = min(max((now[0] if now else 0) + step, 0), len(bars) - 1)
        self.chosen.emit(bars[to].label_set, bars[to].label)

    # Painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = Theme.of(self)
        top = 0
        for title, bars in self._groups:
            if title:
                painter.setFont(sized(self.font(), CAPTION_PIXELS))
                painter.setPen(theme.muted)
                head = QRect(0, top, self.width(), _HEAD - 2)
                painter.drawText(head, Qt.AlignmentFlag.AlignBottom, title)
                top += _HEAD
            for bar in bars:
                self._paint_bar(painter, QRect(0, top, self.width(), _ROW), bar, theme)
                top += _ROW
        painter.end()

    def _paint_bar(self, painter: QPainter, rect: QRect, bar: Bar, theme: Theme) -> None:
        explained = (bar.label_set, bar.label) == self._explained
        if explained or bar == self._hover:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.hover)
            painter.drawRoundedRect(QRectF(rect).adjusted(0, 1, 0, -1), 4, 4)
        if explained and self.hasFocus():
            painter.setPen(QPen(theme.accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(1, 2, -1, -2), 4, 4)
        self._paint_text(painter, rect, bar, theme, explained)
        track = QRectF(rect.left() + 8, rect.bottom() - 6, rect.width() - 16, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.well if explained or bar == self._hover else theme.hover)
        painter.drawRoundedRect(track, 1.5, 1.5)
        if bar.score:
            track.setWidth(max(3.0, track.width() * bar.score))
            painter.setBrush(theme.accent if explained else theme.line)
            painter.drawRoundedRect(track, 1.5, 1.5)

    def _paint_text(
        self, painter: QPainter, rect: QRect, bar: Bar, theme: Theme, explained: bool
    ) -> None:
        font = sized(self.font(), TEXT_PIXELS, bold=explained)
        painter.setFont(font)
        painter.setPen(theme.text)
        line = rect.adjusted(8, 2, -8, -8)
        value = f"{bar.score:.2f}" if bar.score is not None else "–"
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, value)
        room = line.width() - _VALUE - (18 if bar.true else 0)
        name = QFontMetrics(font).elidedText(bar.label, Qt.TextElideMode.ElideMiddle, room)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, left, name)
        if bar.true:
            at = line.left() + QFontMetrics(font).horizontalAdvance(name) + 4
            tick = QRectF(at, line.center().y() - 6, 14, 14)
            draw_icon(painter, "check-circle", tick, theme.good)


class HeatLegend(QWidget):
    """The colour scale of the heatmap, with a caption at each end."""

    def __init__(self) -> None:
        super().__init__()
        ramp = np.linspace(0, 1, 256, dtype=np.float32)[None]
        self._ramp = layer_image(heat_layer(ramp, 256, 1))
        self._opacity = OPACITY
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            tr("How strongly a region supports the label; each heatmap has its own scale")
        )

    def set_opacity(self, opacity: float) -> None:
        """Draw the colours with the opacity of the heatmap."""
        self._opacity = opacity
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, 26)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = Theme.of(self)
        ramp = QRect(0, 0, self.width(), 8)
        painter.fillRect(ramp, theme.well)
        painter.setOpacity(self._opacity)
        painter.drawImage(ramp, self._ramp)
        painter.setOpacity(1.0)
        painter.setPen(theme.line)
        painter.drawRect(ramp.adjusted(0, 0, -1, -1))
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        painter.setPen(theme.muted)
        captions = QRect(0, 10, self.width(), 16)
        painter.drawText(captions, Qt.AlignmentFlag.AlignLeft, tr("weakest"))
        painter.drawText(captions, Qt.AlignmentFlag.AlignRight, tr("strongest"))
        painter.end()
