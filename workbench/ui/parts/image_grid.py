"""The grid and the filmstrip: a view of tiles with selection by mouse and keyboard."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from workbench.ui.parts.tile_view import TileView
from workbench.ui.parts.tiles import ImageTiles, Tiles

__all__ = ["ImageGrid", "ImageTiles", "Tiles"]

_MOVES = {
    Qt.Key.Key_Left: "left",
    Qt.Key.Key_Right: "right",
    Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
    Qt.Key.Key_PageUp: "page_up",
    Qt.Key.Key_PageDown: "page_down",
    Qt.Key.Key_Home: "home",
    Qt.Key.Key_End: "end",
}
_EDGE = 24  # a rubber band scrolls within this many pixels of the border


class ImageGrid(TileView):
    """A grid (with `strip`, one row) of tiles for an int64 array of ids of images, crops, ….

    Clicks, with Shift or Ctrl, a rubber band, Ctrl+A and the arrow keys select. `activated(id)` is
    emitted for a double click or Enter, `menu_requested(point)` for a right click.
    """

    activated = Signal(int)
    menu_requested = Signal(QPoint)  # global position; its tile is selected

    def __init__(self, tiles: Tiles, strip: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(tiles, strip, parent)
        self._pressed: QPoint | None = None  # in pixels of the content
        self._scroll_timer = QTimer(self, interval=30)
        self._scroll_timer.timeout.connect(self._scroll_with_band)

    # keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        move = _MOVES.get(Qt.Key(event.key()))
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if move is not None and len(self.ids()):
            self.move_to(move, extend=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif event.key() == Qt.Key.Key_A and control:
            self.select_all()
        elif event.key() == Qt.Key.Key_Escape and self.selected_count() > 1:
            self.set_current(self.current())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.current() is not None:
            self.activated.emit(self.current())
        else:
            event.ignore()  # letters assign labels on the page

    def move_to(self, move: str, *, extend: bool = False) -> None:
        """Move the current tile by `move` (see `Geometry.moved`); `extend` selects the range."""
        start = max(0, self._selection.current)
        first = self._selection.current < 0
        to = 0 if first else self._geometry.moved(start, move, self.viewport().size())
        if extend and not first:
            self._selection.extend(to)
        else:
            self._selection.select_only(to)
        self.reveal(to)
        self.update_selection()

    # pointer

    def _content(self, event: QMouseEvent) -> QPoint:
        return event.position().toPoint() + self._offset()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        self._pressed = self._content(event)
        position = self._geometry.at(self._pressed)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if position < 0:
            if not (shift or control):
                self._selection.clear()
        elif shift:
            self._selection.extend(position, add=control)
        elif control:
            self._selection.toggle(position)
        else:
            self._selection.select_only(position)
            if self._strip:
                self.reveal(position)
        self.update_selection()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            return
        point = self._content(event)
        if self._band is None:
            far = (point - self._pressed).manhattanLength() >= QApplication.startDragDistance()
            if self._strip or not far:
                return
            add = event.modifiers() & (
                Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
            )
            self._selection.begin_band(add=bool(add))
            self._scroll_timer.start()
        self._resize_band(point)

    def _resize_band(self, point: QPoint) -> None:
        if self._pressed is None:
            return
        self._band = QRect(self._pressed, point).normalized()
        self._selection.move_band(self._geometry.inside(self._band))
        self.update_selection()

    def _scroll_with_band(self) -> None:
        pointer = self.viewport().mapFromGlobal(self.cursor().pos())
        below = pointer.y() - (self.viewport().height() - _EDGE)
        above = _EDGE - pointer.y()
        step = max(0, below) - max(0, above)
        if step:
            self._bar().setValue(self._bar().value() + step)
            self._resize_band(pointer + self._offset())

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._pressed = self._band = None
        self._scroll_timer.stop()
        self._selection.end_band()
        self.viewport().update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        position = self._geometry.at(self._content(event))
        if position >= 0:
            self.activated.emit(int(self.ids()[position]))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        position = self._geometry.at(event.pos() + self._offset())
        if position < 0:
            return
        if not self._selection.mask[position]:
            self._selection.select_only(position)
            self.update_selection()
        self.menu_requested.emit(event.globalPos())

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y()
        if self._strip and turned:
            self._bar().setValue(self._bar().value() - turned)
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier and not self._strip:
            self.set_tile_size(self.tile_size() + (16 if turned > 0 else -16))
        else:
            super().wheelEvent(event)
            return
        event.accept()

    def focusInEvent(self, _event: QFocusEvent) -> None:
        self.viewport().update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self.viewport().update()
