"""A view of any number of tiles, in which only the visible ones take time to draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QScrollBar, QWidget

from workbench.ui.look.theme import Theme
from workbench.ui.parts.tile_geometry import GAP, Geometry, GridGeometry, StripGeometry
from workbench.ui.parts.tiles import TilePainter, Tiles


class TileSelection:
    """The selected positions of an array of ids, the current one, and the anchor for shift-clicks.

    Methods that change the selection return whether it may have changed.
    """

    def __init__(self) -> None:
        self.ids: NDArray[np.int64] = np.empty(0, np.int64)
        self.mask: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.current = -1
        self.anchor = -1
        self._base: NDArray[np.bool_] | None = None

    def set_ids(self, ids: NDArray[np.int64]) -> None:
        """Replace the ids; those that remain stay selected and current."""
        selected, current = self.selected(), self.current_id()
        at = self.current
        self.ids = np.ascontiguousarray(ids, np.int64)
        self.mask = (
            np.isin(self.ids, selected) if len(selected) else np.zeros(len(self.ids), np.bool_)
        )
        self.current = self.position(current) if current is not None else -1
        if self.current < 0 <= at and len(self.ids):
            self.current = min(at, len(self.ids) - 1)  # the neighbour of the removed id
            if not self.mask.any():
                self.mask[self.current] = True
        self.anchor = self.current

    def position(self, image: int) -> int:
        """The position of `image`, -1 if it is not among the ids."""
        found = np.flatnonzero(self.ids == image)
        return int(found[0]) if len(found) else -1

    def selected(self) -> NDArray[np.int64]:
        """The selected ids, in the order shown."""
        return self.ids[self.mask]

    def count(self) -> int:
        """Number of selected tiles."""
        return int(np.count_nonzero(self.mask))

    def current_id(self) -> int | None:
        """The id of the current tile; None without one."""
        return int(self.ids[self.current]) if 0 <= self.current < len(self.ids) else None

    def select_only(self, position: int) -> bool:
        """Select one tile only."""
        self.mask[:] = False
        self.mask[position] = True
        self.current = self.anchor = position
        return True

    def toggle(self, position: int) -> bool:
        """Select or deselect a tile."""
        self.mask[position] = not self.mask[position]
        self.current = self.anchor = position
        return True

    def extend(self, position: int, *, add: bool = False) -> bool:
        """Select from the anchor to `position`; `add` keeps the rest of the selection."""
        start = self.anchor if self.anchor >= 0 else position
        if not add:
            self.mask[:] = False
        self.mask[min(start, position) : max(start, position) + 1] = True
        self.current, self.anchor = position, start
        return True

    def select_all(self) -> bool:
        """Select all tiles."""
        self.mask[:] = True
        if self.current < 0 and len(self.ids):
            self.current = self.anchor = 0
        return True

    def clear(self) -> bool:
        """Deselect all tiles."""
        changed = bool(self.mask.any())
        self.mask[:] = False
        return changed

    def begin_band(self, *, add: bool) -> None:
        """Start selecting by rubber band; `add` keeps the current selection."""
        self._base = self.mask.copy() if add else np.zeros(len(self.ids), np.bool_)

    def move_band(self, positions: NDArray[np.int64]) -> bool:
        """Select the tiles at `positions`, which the rubber band intersects."""
        if self._base is None:
            return False
        self.mask[:] = self._base
        self.mask[positions] = True
        if len(positions):
            self.current = self.anchor = int(positions[0])
        return True

    def end_band(self) -> None:
        """End selecting by rubber band."""
        self._base = None


SMALLEST, LARGEST = 64, 320


class TileView(QAbstractScrollArea):
    """Tiles for an int64 array of ids, in a grid or (`strip`) in one row; without user input.

    `current_changed(id)` is emitted with -1 if no tile is current.
    """

    current_changed = Signal(int)
    selection_changed = Signal()

    def __init__(self, tiles: Tiles, strip: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.tiles = tiles
        self._strip = strip
        self._tile = 160
        self._selection = TileSelection()
        self._painter = TilePainter()
        self._last_current: int | None = None
        self._pending_scroll: int | None = None
        self._geometry: Geometry = self._measured()
        self._band: QRect | None = None  # rubber band, in pixels of the content
        self._load_timer = QTimer(self, singleShot=True, interval=20)
        self._load_timer.timeout.connect(self._load)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded if strip else never)
        self.setVerticalScrollBarPolicy(never if strip else Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        tiles.ready.connect(self._redraw_tile)
        tiles.altered.connect(self.viewport().update)
        tiles.relabelled.connect(self._redraw)

    # contents

    def set_ids(self, ids: NDArray[np.int64], keep_position: bool = True) -> None:
        """Replace the ids; those that remain stay selected and current.

        `keep_position` keeps the current tile in its place on the screen."""
        current = self._selection.current_id()
        offset = self._top_of_current() if keep_position else None
        count = self._selection.count()
        self._selection.set_ids(ids)
        self._lay_out()
        if not keep_position:
            self._bar().setValue(0)
        elif offset is not None and self._selection.current >= 0:
            self._bar().setValue(self._start(self._selection.current) - offset)
        self._refresh()
        if count or self._selection.count() or self._selection.current_id() != current:
            self.update_selection()

    def ids(self) -> NDArray[np.int64]:
        """All ids, in the order shown."""
        return self._selection.ids

    def selected(self) -> NDArray[np.int64]:
        """The selected ids, in the order shown."""
        return self._selection.selected()

    def selected_count(self) -> int:
        """Number of selected tiles."""
        return self._selection.count()

    def current(self) -> int | None:
        """The id of the current tile, on which keys act; None without one."""
        return self._selection.current_id()

    def set_current(self, image: int | None) -> None:
        """Select only `image` and scroll to it; None or an unknown id clears the selection."""
        position = -1 if image is None else self._selection.position(image)
        if position < 0:
            self._selection.clear()
            self._selection.current = self._selection.anchor = -1
            self.update_selection()
            return
        self._selection.select_only(position)
        self.reveal(position)
        self.update_selection()

    def select(self, ids: NDArray[np.int64]) -> None:
        """Select exactly those of `ids` that are in the view."""
        self._selection.mask[:] = np.isin(self._selection.ids, ids)
        first = np.flatnonzero(self._selection.mask)
        if len(first):
            self._selection.current = self._selection.anchor = int(first[0])
        self.update_selection()

    def select_all(self) -> None:
        """Select all tiles."""
        self._selection.select_all()
        self.update_selection()

    def tile_size(self) -> int:
        """Side of a tile in pixels."""
        return self._tile

    def set_tile_size(self, pixels: int) -> None:
        """Change the side of the tiles; the current or middle tile stays in view."""
        pixels = min(LARGEST, max(SMALLEST, pixels))
        if pixels == self._tile:
            return
        anchor = self._selection.current
        if anchor < 0 or not self._geometry.rect(anchor).intersects(self._view()):
            shown = self._geometry.shown(self._view())
            anchor = shown[len(shown) // 2] if len(shown) else -1
        self._tile = pixels
        self._lay_out()
        if anchor >= 0:
            self._bar().setValue(
                self._geometry.rect(anchor).center().y() - self.viewport().height() // 2
            )
        self._refresh()

    def rect_of(self, image: int) -> QRect:
        """Rectangle of the tile of `image` in the viewport; empty for an unknown id."""
        position = self._selection.position(image)
        return QRect() if position < 0 else self._placed(position)

    def scroll_position(self) -> int:
        """The scroll position in pixels, for `restore_scroll`."""
        return self._bar().value()

    def restore_scroll(self, pixels: int) -> None:
        """Scroll to the result of `scroll_position`, once the view has its size."""
        self._pending_scroll = pixels
        self._bar().setValue(pixels)

    def reveal(self, position: int) -> None:
        """Scroll as little as necessary to show the tile at `position`; a strip centres it."""
        rect, bar = self._geometry.rect(position), self._bar()
        if self._strip:
            bar.setValue(rect.center().x() - self.viewport().width() // 2)
            return
        if rect.top() - GAP < bar.value():
            bar.setValue(rect.top() - GAP)
        elif rect.bottom() + GAP > bar.value() + self.viewport().height():
            bar.setValue(rect.bottom() + GAP - self.viewport().height())

    def redraw_image(self, image: int | None = None) -> None:
        """Redraw the tile of `image` (None: all tiles), whose image has changed."""
        self._painter.forget(image)
        self.viewport().update()

    def update_selection(self) -> None:
        """Redraw and emit the signals after a change of the selection."""
        self.viewport().update()
        image = self._selection.current_id()
        if image != self._last_current:
            self._last_current = image
            self.current_changed.emit(-1 if image is None else image)
        self.selection_changed.emit()

    # layout

    def _measured(self) -> Geometry:
        count = len(self._selection.ids)
        if self._strip:
            return StripGeometry(count, max(32, self.viewport().height()))
        return GridGeometry(count, max(64, self.viewport().width()), self._tile)

    def _lay_out(self) -> None:
        self._geometry = self._measured()
        view, size, bar = self.viewport().size(), self._geometry.size(), self._bar()
        if self._strip:
            bar.setRange(0, max(0, size.width() - view.width()))
            bar.setPageStep(view.width())
            bar.setSingleStep(size.height())
        else:
            bar.setRange(0, max(0, size.height() - view.height()))
            bar.setPageStep(max(1, view.height() - self._tile // 2))
            bar.setSingleStep(max(24, self._tile // 3))

    def _bar(self) -> QScrollBar:
        return self.horizontalScrollBar() if self._strip else self.verticalScrollBar()

    def _start(self, position: int) -> int:
        rect = self._geometry.rect(position)
        return rect.left() if self._strip else rect.top()

    def _top_of_current(self) -> int | None:
        if self._selection.current < 0:
            return None
        on_screen = self._placed(self._selection.current).intersects(self.viewport().rect())
        return self._start(self._selection.current) - self._bar().value() if on_screen else None

    def _offset(self) -> QPoint:
        value = self._bar().value()
        return QPoint(value, 0) if self._strip else QPoint(0, value)

    def _view(self) -> QRect:
        return self.viewport().rect().translated(self._offset())

    def _placed(self, position: int) -> QRect:
        return self._geometry.rect(position).translated(-self._offset())

    def _refresh(self) -> None:
        self.viewport().update()
        self._load_timer.start()

    def _load(self) -> None:
        """Load the visible tiles first, then a screenful on either side.

        A hidden view loads nothing, as its requests would replace those of the page that is shown.
        """
        if self.tiles.ended or not self.isVisible():
            return
        view = self._view()
        shown = self._geometry.shown(view)
        around = range(
            max(0, shown.start - len(shown)), min(len(self._selection.ids), shown.stop + len(shown))
        )
        order = [*shown, *range(shown.stop, around.stop), *range(around.start, shown.start)]
        self.tiles.request(self._selection.ids[order])

    def _redraw_tile(self, image: int) -> None:
        self._painter.forget(image)
        self._redraw([image])

    def _redraw(self, images: Sequence[int]) -> None:
        shown = self._geometry.shown(self._view())
        near = np.isin(self._selection.ids[shown.start : shown.stop], images)
        for at in np.flatnonzero(near).tolist():
            self.viewport().update(self._placed(shown.start + at).adjusted(-4, -4, 4, 4))

    # events of the viewport

    def showEvent(self, event: QShowEvent) -> None:
        """Request again what another page's requests have replaced meanwhile."""
        super().showEvent(event)
        self._load_timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        shown = self._geometry.shown(QRect(self._offset(), event.oldSize()))
        current = self._selection.current if self._top_of_current() is not None else -1
        first = current if current >= 0 else (shown[0] if len(shown) else -1)
        before = self._start(first) - self._bar().value()
        self._lay_out()
        if self._pending_scroll is not None:
            self._bar().setValue(self._pending_scroll)
            self._pending_scroll = None if self.isVisible() else self._pending_scroll
        elif first >= 0:
            self._bar().setValue(self._start(first) - before)
        self._refresh()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if self._band is not None:
            self.viewport().update()
        else:
            self.viewport().scroll(dx, dy)
        self._load_timer.start()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.tiles.ended:
            return
        theme = Theme.of(self)
        painter = QPainter(self.viewport())
        painter.setFont(self.font())
        painter.fillRect(event.rect(), theme.surface)
        shown = self._geometry.shown(event.rect().translated(self._offset()))
        selection = self._selection
        self.tiles.prepare(selection.ids[shown.start : shown.stop])
        for position in shown:
            self._painter.paint(
                painter,
                self._placed(position),
                self.tiles,
                int(selection.ids[position]),
                theme,
                selected=bool(selection.mask[position]),
                current=position == selection.current,
                focused=self.hasFocus(),
            )
        if self._band is not None:
            fill = QColor(theme.accent)
            fill.setAlpha(50)
            painter.setPen(QPen(theme.accent, 1))
            painter.setBrush(fill)
            painter.drawRect(self._band.translated(-self._offset()))
        painter.end()
