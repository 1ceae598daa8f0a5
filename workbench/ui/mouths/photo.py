"""The photo with its mouths: choose one, move it, pull its corners, or draw one by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from workbench.domain.crops import CropState
from workbench.domain.geometry import Rect
from workbench.domain.squares import CORNERS, SMALLEST, drawn, moved, pulled
from workbench.ui.look.theme import Theme
from workbench.ui.mouths.marks import HANDLE, Face, Marks
from workbench.ui.tiles.photo import PhotoView

INSIDE = (-1, -1)  # the grip that moves the whole square
_REACH = HANDLE  # pixels of the screen within which a corner is taken


@dataclass(frozen=True)
class _Drag:
    """A hand on a square: which grip, where it began (in the photo), and the square then."""

    grip: tuple[int, int]
    start: QPointF
    rect: Rect


class MouthPhoto(PhotoView):
    """A PhotoView that shows faces over the photo and lets one be changed.

    `chosen(crop id)` on a click, `adjusted(crop id, Rect)` when a drag ends, `drawn(Rect)` when a
    new square was drawn, `previewed(Rect)` while a square moves; `drawing_changed(bool)` as drawing
    by hand begins and ends.
    """

    chosen = Signal(int)
    adjusted = Signal(int, object)
    drawn = Signal(object)
    previewed = Signal(object)
    drawing_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._faces: tuple[Face, ...] = ()
        self._current: int | None = None
        self._drag: _Drag | None = None
        self._moving: Rect | None = None
        self._origin: QPointF | None = None  # where a square by hand began
        self._drawing = False
        self._marks_shown = True
        self.setMouseTracking(True)

    # what is shown

    def set_faces(self, faces: Sequence[Face], current: int | None) -> None:
        """The faces of the photo; `current` is the id of the chosen one."""
        self._faces, self._current = tuple(faces), current
        self._drag = self._moving = None
        self.update()

    def set_marks_shown(self, shown: bool) -> None:
        """Show landmarks and squares, or the bare photo."""
        self._marks_shown = shown
        self.update()

    @property
    def drawing(self) -> bool:
        """Whether the next press of the mouse begins a new square."""
        return self._drawing

    def set_drawing(self, drawing: bool) -> None:
        """Begin or end drawing a square by hand."""
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
            if chosen and self._moving is not None:
                face = replace(face, rect=self._moving, landmarks=())
            marks.face(face, chosen, numbered)
        if self._drawing and self._moving is not None:
            marks.square(self._moving)

    # the hand

    def _face(self, crop_id: int | None) -> Face | None:
        return next((face for face in self._faces if face.id == crop_id), None)

    def _grip_at(self, place: QPointF) -> tuple[int, int] | None:
        """The corner of the chosen square at a point of the widget, INSIDE, or None."""
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

    def _face_at(self, place: QPointF) -> Face | None:
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
                self._point(event.position())

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
        """The square at once where the hand left it; the project's answer follows."""
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
        """Let go of a drag or of drawing, changing nothing; False where there was neither."""
        if self._drag is not None:
            self._drag = self._moving = None
            self.update()
            return True
        if self._drawing:
            self.set_drawing(False)
            return True
        return False

    def _point(self, place: QPointF) -> None:
        """The cursor says what a press would do."""
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
