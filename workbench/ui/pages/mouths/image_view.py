"""The image with its mouth boxes, to select, move, resize and draw with the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QWidget

from workbench.domain.crops import CropState
from workbench.domain.datasets import MISSING_POINT
from workbench.domain.geometry import CORNERS, SMALLEST, Rect, drawn, moved, pulled
from workbench.ui.look.theme import Theme, sized, text_on
from workbench.ui.parts.image_view import ImageView

HANDLE = 9.0  # pixels of the screen
SMALL = 90.0  # side of a box on the screen below which the lips have no dark edge
_HALO = QColor(0, 0, 0, 150)  # under every line, so that it is visible on any image
_PAPER = QColor(255, 255, 255)
_OUTER, _INNER = slice(48, 60), slice(60, 68)  # of the 68 landmarks


@dataclass(frozen=True)
class FaceMark:
    """A crop as drawn: `number` from 1, box and landmarks in image pixels, and the letter and
    colour of its expression, if any."""

    id: int
    number: int
    state: CropState
    rect: Rect
    landmarks: tuple[tuple[float, float], ...] = ()
    letter: str = ""
    colour: QColor | None = None
    reviewed: bool = False


class Marks:
    """Draws faces with one painter; `to_widget` maps a point of the image to the widget."""

    def __init__(
        self, painter: QPainter, theme: Theme, to_widget: Callable[[QPointF], QPointF]
    ) -> None:
        self._painter, self._theme, self._to_widget = painter, theme, to_widget

    def face(self, face: FaceMark, chosen: bool, numbered: bool) -> None:
        """Draw one face; the current (`chosen`) one with handles and stronger landmarks."""
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
        """Map a rectangle of the image to the widget."""
        return QRectF(
            self._to_widget(QPointF(rect.left, rect.top)),
            self._to_widget(QPointF(rect.right, rect.bottom)),
        )

    def outline(self, rect: Rect) -> None:
        """Draw the outline of a new box."""
        self._outline(self.box(rect), self._theme.accent, 2.0, dashed=False)

    def landmarks(self, points: Sequence[tuple[float, float]], side: float, strong: bool) -> None:
        """Draw the 68 points as dots and the lips as lines. `side` is that of the box in pixels of
        the screen: the marks of a small face are thinner, so that they do not cover it."""
        painter = self._painter
        placed = [self._to_widget(QPointF(x, y)) for x, y in points if (x, y) != MISSING_POINT]
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

    def _chip(self, box: QRectF, face: FaceMark, colour: QColor, numbered: bool) -> None:
        """Draw the number of the face and the letter of its label above the box."""
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


INSIDE = (-1, -1)  # the grip that moves the whole box
_REACH = HANDLE  # pixels of the screen around a corner that grip it


@dataclass(frozen=True)
class _Drag:
    """A drag of a box: its grip, and start point and box in image pixels as it began."""

    grip: tuple[int, int]
    start: QPointF
    rect: Rect


class MouthImageView(ImageView):
    """An ImageView with mouth boxes over the image, of which the current one can be changed.

    Emits `chosen(crop id)` on a click, `adjusted(crop id, Rect)` when a drag ends, `drawn(Rect)`
    when a new box is drawn, `previewed(Rect)` while a box moves, and `drawing_changed(bool)` when
    drawing by hand starts or ends. Rects are in image pixels.
    """

    chosen = Signal(int)
    adjusted = Signal(int, object)
    drawn = Signal(object)
    previewed = Signal(object)
    drawing_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._faces: tuple[FaceMark, ...] = ()
        self._current: int | None = None
        self._drag: _Drag | None = None
        self._moving: Rect | None = None
        self._origin: QPointF | None = None  # where a new box was started
        self._drawing = False
        self._marks_shown = True
        self.setMouseTracking(True)

    # display

    def set_faces(self, faces: Sequence[FaceMark], current: int | None) -> None:
        """Show these faces; `current` is the id of the current one."""
        self._faces, self._current = tuple(faces), current
        self._drag = self._moving = None
        self.update()

    def set_marks_shown(self, shown: bool) -> None:
        """Show or hide landmarks and boxes."""
        self._marks_shown = shown
        self.update()

    @property
    def drawing(self) -> bool:
        """Whether the next mouse press starts a new box."""
        return self._drawing

    def set_drawing(self, drawing: bool) -> None:
        """Start or stop drawing a box by hand."""
        if drawing == self._drawing:
            return
        self._drawing, self._origin, self._moving = drawing, None, None
        if drawing:
            self.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self.unsetCursor()
        self.drawing_changed.emit(drawing)
        self.update()

    def paint_overlay(self, painter: QPainter) -> None:
        if not self._marks_shown and self._moving is None and not self._drawing:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        marks = Marks(painter, Theme.of(self), self.to_widget)
        numbered = len(self._faces) > 1
        for face in sorted(self._faces, key=lambda face: face.id == self._current):
            chosen = face.id == self._current and not self._drawing
            moved = self._moving if chosen else None
            drawn = face if moved is None else replace(face, rect=moved, landmarks=())
            marks.face(drawn, chosen, numbered)
        if self._drawing and self._moving is not None:
            marks.outline(self._moving)

    # mouse and keyboard

    def _face(self, crop_id: int | None) -> FaceMark | None:
        return next((face for face in self._faces if face.id == crop_id), None)

    def _grip_at(self, place: QPointF) -> tuple[int, int] | None:
        """The corner of the current box at a point of the widget, INSIDE, or None."""
        face = self._face(self._current)
        if face is None or face.state is CropState.REJECTED or not self._marks_shown:
            return None
        rect = face.rect
        for corner in CORNERS:
            x = rect.right if corner[0] else rect.left
            y = rect.bottom if corner[1] else rect.top
            apart = self.to_widget(QPointF(x, y)) - place
            if max(abs(apart.x()), abs(apart.y())) <= _REACH:
                return corner
        return INSIDE if _holds(rect, self.to_image(place)) else None

    def _face_at(self, place: QPointF) -> FaceMark | None:
        at = self.to_image(place)
        held = [face for face in self._faces if _holds(face.rect, at)]
        return min(held, key=lambda face: face.rect.area, default=None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if event.button() is not Qt.MouseButton.LeftButton or not self.has_image:
            super().mousePressEvent(event)
            return
        if self._drawing:
            self._origin = self.to_image(place)
            return
        grip = self._grip_at(place)
        face = self._face(self._current)
        if grip is not None and face is not None:
            self._drag = _Drag(grip, self.to_image(place), face.rect)
            return
        other = self._face_at(place) if self._marks_shown else None
        if other is not None:
            self.chosen.emit(other.id)
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self.to_image(event.position())
        width, height = self.image_size
        if self._origin is not None:
            start = (self._origin.x(), self._origin.y())
            self._move_to(drawn(start, (at.x(), at.y()), width, height))
        elif self._drag is not None:
            self._move_to(self._dragged(self._drag, at))
        else:
            super().mouseMoveEvent(event)
            if not event.buttons() and not self._drawing:
                self._update_cursor(event.position())

    def _dragged(self, drag: _Drag, at: QPointF) -> Rect:
        width, height = self.image_size
        if drag.grip == INSIDE:
            shift = at - drag.start
            return moved(drag.rect, shift.x(), shift.y(), width, height)
        return pulled(drag.rect, drag.grip, at.x(), at.y(), width, height)

    def _move_to(self, rect: Rect) -> None:
        self._moving = rect
        self.previewed.emit(rect)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drag, moving, origin = self._drag, self._moving, self._origin
        self._drag = self._origin = None
        if origin is not None:
            large = moving is not None and moving.width > SMALLEST
            self.set_drawing(False)
            if large:
                self.drawn.emit(moving)
        elif drag is not None:
            self._moving = None
            if moving is not None and moving != drag.rect and self._current is not None:
                self._show_at(self._current, moving)
                self.adjusted.emit(self._current, moving)
        else:
            super().mouseReleaseEvent(event)
        self.update()

    def _show_at(self, crop_id: int, rect: Rect) -> None:
        """Show a box where it was released, before the edit of the project is done."""
        self._faces = tuple(
            replace(face, rect=rect) if face.id == crop_id else face for face in self._faces
        )

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._grip_at(event.position()) is None and not self._drawing:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.cancel():
            event.accept()
            return
        super().keyPressEvent(event)

    def cancel(self) -> bool:
        """Cancel a drag or drawing without a change; False if there was neither."""
        if self._drag is not None:
            self._drag = self._moving = None
            self.update()
            return True
        if self._drawing:
            self.set_drawing(False)
            return True
        return False

    def _update_cursor(self, place: QPointF) -> None:
        """Show with the cursor what a press would do."""
        grip = self._grip_at(place)
        if grip == INSIDE:
            self.setCursor(Qt.CursorShape.SizeAllCursor)
        elif grip is not None:
            straight = grip[0] == grip[1]
            shape = Qt.CursorShape.SizeFDiagCursor if straight else Qt.CursorShape.SizeBDiagCursor
            self.setCursor(shape)
        elif self._marks_shown and self._face_at(place) is not None:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        else:
            self.unsetCursor()


def _holds(rect: Rect, at: QPointF) -> bool:
    return rect.left <= at.x() < rect.right and rect.top <= at.y() < rect.bottom
