"""Accuracy of a linear head against depth: a line for each start, a point for each stage."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from workbench.domain.layer_studies import LayerStudy
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized
from workbench.ui.widgets.run_words import percent

LEFT, TOP, RIGHT, BOTTOM = 48, 16, 16, 28  # pixels around the plot
NEAR = 14.0  # pixels to a point within which it is said


class LayerChart(QWidget):
    """`show_studies` draws studies of one backbone; hovering a point says it in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studies: tuple[LayerStudy, ...] = ()
        self._names: tuple[str, ...] = ()
        self.setMinimumHeight(220)
        self.setMouseTracking(True)
        policy = QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)

    def show_studies(self, studies: Sequence[LayerStudy], names: Sequence[str]) -> None:
        """Draw these studies, each under its name."""
        self._studies, self._names = tuple(studies), tuple(names)
        self.setAccessibleName(", ".join(names))
        self.update()

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages below the axis."""
        known = self._studies[:1]
        return tuple(layer.stage for study in known for layer in study.found.layers)

    def colour(self, position: int) -> QColor:
        """The colour of a study's line."""
        return Theme.of(self).accent if position == 0 else label_colour(position + 4)

    def point(self, position: int, stage: int) -> QPointF:
        """Where a study's stage is drawn."""
        value = self._studies[position].found.layers[stage].top1
        return QPointF(self._x(stage), self._y(value))

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(LEFT, TOP, -RIGHT, -BOTTOM)

    def _x(self, stage: int) -> float:
        area, count = self._area(), max(1, len(self.stages))
        return area.left() + (stage + 0.5) * area.width() / count

    def _y(self, value: float) -> float:
        area = self._area()
        return area.bottom() - value * area.height()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = Theme.of(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.raised)
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        self._draw_axes(painter, theme)
        if self._studies:
            self._draw_chance(painter, theme)
        for position in reversed(range(len(self._studies))):  # the newest on top
            self._draw_line(painter, position)
        painter.end()

    def _draw_axes(self, painter: QPainter, theme: Theme) -> None:
        area = self._area()
        for tenth in range(0, 11, 2):
            y = self._y(tenth / 10)
            painter.setPen(QPen(theme.hover, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.muted)
            place = QRectF(0, y - 8, LEFT - 8, 16)
            painter.drawText(place, _RIGHT, f"{10 * tenth} %")
        room = area.width() / max(1, len(self.stages))
        for at, stage in enumerate(self.stages):
            place = QRectF(self._x(at) - room / 2, area.bottom() + 6, room, 16)
            text = painter.fontMetrics().elidedText(stage, Qt.TextElideMode.ElideRight, int(room))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)

    def _draw_chance(self, painter: QPainter, theme: Theme) -> None:
        area, chance = self._area(), self._studies[0].found.chance
        painter.setPen(QPen(theme.muted, 1, Qt.PenStyle.DashLine))
        y = self._y(chance)
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.drawText(QRectF(area.right() - 160, y - 18, 156, 16), _RIGHT, self.tr("chance"))

    def _draw_line(self, painter: QPainter, position: int) -> None:
        colour = self.colour(position)
        points = [self.point(position, at) for at in range(len(self.stages))]
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(points)
        best = self._studies[position].found.best.stage
        for point, stage in zip(points, self.stages, strict=True):
            wide = 5.0 if stage == best else 3.0
            painter.setBrush(colour)
            if position % 2:  # told apart by more than colour
                painter.drawRect(QRectF(point.x() - wide, point.y() - wide, 2 * wide, 2 * wide))
            else:
                painter.drawEllipse(point, wide, wide)

    def words_at(self, at: QPointF) -> str:
        """What is said of the point nearest to a place, "" where none is near."""
        found = [
            (abs(at.x() - point.x()) + abs(at.y() - point.y()), position, stage)
            for position in range(len(self._studies))
            for stage in range(len(self.stages))
            for point in [self.point(position, stage)]
        ]
        distance, position, stage = min(found, default=(NEAR + 1, 0, 0))
        if distance > NEAR:
            return ""
        layer = self._studies[position].found.layers[stage]
        text = self.tr("{0}, {1}: {2} of {3} features")
        return text.format(self._names[position], layer.stage, percent(layer.top1), layer.features)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        QToolTip.showText(event.globalPosition().toPoint(), self.words_at(event.position()), self)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
