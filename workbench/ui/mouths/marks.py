"""How a mouth is drawn over its photo: square, number, landmarks, handles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from workbench.domain.crops import CropState
from workbench.domain.geometry import Rect
from workbench.ui.look.theme import Theme, sized, text_on

HANDLE = 9.0  # pixels of the screen
SMALL = 90.0  # side of a square on the screen below which the lips have no dark edge
_HALO = QColor(0, 0, 0, 150)  # under every line, so that it shows on any photograph
_PAPER = QColor(255, 255, 255)
_OUTER, _INNER = slice(48, 60), slice(60, 68)  # of the 68 landmarks


@dataclass(frozen=True)
class Face:
    """One crop as it is drawn: `number` from 1, the letter and colour of its expression if any."""

    id: int
    number: int
    state: CropState
    rect: Rect
    landmarks: tuple[tuple[float, float], ...] = ()
    letter: str = ""
    colour: QColor | None = None
    reviewed: bool = False


class Marks:
    """Draws faces with one painter; `place` maps a point of the photo to the widget."""

    def __init__(
        self, painter: QPainter, theme: Theme, place: Callable[[QPointF], QPointF]
    ) -> None:
        self._painter, self._theme, self._place = painter, theme, place

    def face(self, face: Face, chosen: bool, numbered: bool) -> None:
        """One face: the chosen one with handles and landmarks, the others quieter."""
        rejected = face.state is CropState.REJECTED
        box = self.box(face.rect)
        if face.landmarks and not rejected:
            self.landmarks(face.landmarks, box.width(), strong=chosen)
        colour = self._theme.accent if chosen else _PAPER
        self._outline(box, colour, 2.0 if chosen else 1.5, dashed=rejected)
        if rejected:
            self._cross(box)
        if chosen and not rejected:
            self._handles(box, colour)
        self._chip(box, face, colour, numbered)

    def box(self, rect: Rect) -> QRectF:
        """Where a rectangle of the photo lies in the widget."""
        return QRectF(
            self._place(QPointF(rect.left, rect.top)),
            self._place(QPointF(rect.right, rect.bottom)),
        )

    def square(self, rect: Rect) -> None:
        """A square that is being drawn."""
        self._outline(self.box(rect), self._theme.accent, 2.0, dashed=False)

    def landmarks(self, points: Sequence[tuple[float, float]], side: float, strong: bool) -> None:
        """The 68 points as dots, the lips as lines; `side` is that of the square on the screen, so
        that the marks of a small face do not cover it."""
        painter = self._painter
        placed = [self._place(QPointF(x, y)) for x, y in points]
        line = QColor(_PAPER)
        line.setAlpha(230 if strong else 130)
        for part in (_OUTER, _INNER):
            lips = QPolygonF(placed[part])
            for pen in (QPen(_HALO, 2.0), QPen(line, 1.0))[side < SMALL :]:
                painter.setPen(pen)
                painter.drawPolygon(lips)
        painter.setPen(Qt.PenStyle.NoPen)
        radius = min(1.7, max(0.6, side / 90))
        for colour, size in ((_HALO, radius + 0.6), (line, radius)):
            painter.setBrush(colour)
            for point in placed:
                painter.drawEllipse(point, size, size)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _outline(self, box: QRectF, colour: QColor, width: float, dashed: bool) -> None:
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        for pen_colour, extra in ((_HALO, 2.0), (colour, 0.0)):
            pen = QPen(pen_colour, width + extra, style)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            self._painter.setPen(pen)
            self._painter.drawRect(box)

    def _cross(self, box: QRectF) -> None:
        inner = box.adjusted(*(box.width() * share for share in (0.3, 0.3, -0.3, -0.3)))
        for pen in (QPen(_HALO, 3.5), QPen(_PAPER, 1.5)):
            self._painter.setPen(pen)
            self._painter.drawLine(inner.topLeft(), inner.bottomRight())
            self._painter.drawLine(inner.topRight(), inner.bottomLeft())

    def _handles(self, box: QRectF, colour: QColor) -> None:
        self._painter.setPen(QPen(colour, 2.0))
        self._painter.setBrush(_PAPER)
        for corner in (box.topLeft(), box.topRight(), box.bottomLeft(), box.bottomRight()):
            half = HANDLE / 2
            self._painter.drawRect(QRectF(corner.x() - half, corner.y() - half, HANDLE, HANDLE))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)

    def _chip(self, box: QRectF, face: Face, colour: QColor, numbered: bool) -> None:
        """The number of the face and the letter of its label, on a plate above the square."""
        plates = [(str(face.number), colour)] if numbered else []
        if face.letter and face.colour is not None:
            plates.append((face.letter, face.colour))
        font = sized(self._painter.font(), 12, bold=True)
        metrics = QFontMetricsF(font)
        left, height = box.left() - 1, 18.0
        top = box.top() - height - 6
        if top < 0:
            top = box.bottom() + 6
        for text, ground in plates:
            width = max(18.0, metrics.horizontalAdvance(text) + 8)
            self._plate(QRectF(left, top, width, height), text, ground, font)
            left += width + 2

    def _plate(self, rect: QRectF, text: str, ground: QColor, font: QFont) -> None:
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(_HALO)
        self._painter.drawRoundedRect(rect.adjusted(-1, -1, 1, 1), 4, 4)
        self._painter.setBrush(ground)
        self._painter.drawRoundedRect(rect, 3, 3)
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setFont(font)
        self._painter.setPen(text_on(ground))
        self._painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
