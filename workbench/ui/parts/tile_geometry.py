"""Positions of tiles in a grid or a filmstrip, computed in constant time for any number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QSize

GAP = 8  # all lengths in pixels
EDGE = 16  # margin of a strip, equal to that of a page's title
CAPTION = 20  # height of the caption under an image


class Geometry(Protocol):
    """Positions of `count` tiles, in pixels of the content."""

    @property
    def count(self) -> int:
        """Number of tiles."""

    def size(self) -> QSize:
        """Size of the content."""

    def rect(self, index: int) -> QRect:
        """Rectangle of one tile, with its caption."""

    def shown(self, view: QRect) -> range:
        """Indices of the tiles that intersect `view`."""

    def at(self, point: QPoint) -> int:
        """Index of the tile at `point`, -1 between tiles."""

    def inside(self, band: QRect) -> NDArray[np.int64]:
        """Indices of the tiles that intersect the rubber band."""

    def moved(self, index: int, move: str, view: QSize) -> int:
        """The index after a move from `index`.

        `move` is "left", "right", "up", "down", "page_up", "page_down", "home" or "end"; `view` is
        the visible size."""


def _clamped(index: int, count: int) -> int:
    return min(max(index, 0), count - 1)


@dataclass(frozen=True)
class GridGeometry:
    """Rows of square tiles of `tile` pixels with captions, spread over `width` pixels."""

    count: int
    width: int
    tile: int

    @property
    def side(self) -> int:
        """Side of a tile: `tile`, or less in a very narrow view."""
        return min(self.tile, max(16, self.width - 2 * GAP))

    @property
    def columns(self) -> int:
        """Number of tiles in a row, at least 1."""
        return max(1, (self.width - GAP) // (self.side + GAP))

    @property
    def step(self) -> QSize:
        """Distance between neighbouring tiles, horizontal and vertical."""
        return QSize(max(1, (self.width - GAP) // self.columns), self.side + CAPTION + GAP)

    def size(self) -> QSize:
        """`width`, and the height of all rows with their gaps."""
        rows = -(-self.count // self.columns)
        return QSize(self.width, rows * self.step.height() + GAP if rows else 0)

    def rect(self, index: int) -> QRect:
        """Rectangle of a tile with its caption, centred in its column."""
        row, column = divmod(index, self.columns)
        step = self.step
        left = GAP + column * step.width() + (step.width() - GAP - self.side) // 2
        return QRect(left, GAP + row * step.height(), self.side, self.side + CAPTION)

    def shown(self, view: QRect) -> range:
        """Indices of the tiles in rows that intersect `view`."""
        height = self.step.height()
        first = max(0, (view.top() - GAP) // height)
        last = max(0, (view.bottom() - GAP) // height)
        return range(
            min(self.count, first * self.columns), min(self.count, (last + 1) * self.columns)
        )

    def at(self, point: QPoint) -> int:
        """Index of the tile at `point`, -1 between tiles."""
        step = self.step
        row, column = (point.y() - GAP) // step.height(), (point.x() - GAP) // step.width()
        index = row * self.columns + column
        return index if 0 <= index < self.count and self.rect(index).contains(point) else -1

    def inside(self, band: QRect) -> NDArray[np.int64]:
        """Indices of the tiles that intersect `band`, row by row."""
        step = self.step
        rows = np.arange(
            max(0, (band.top() - GAP) // step.height()),
            max(0, (band.bottom() - GAP) // step.height()) + 1,
        )
        columns = [c for c in range(self.columns) if self._spans(c, band)]
        index = (rows[:, None] * self.columns + np.array(columns, np.int64)[None, :]).ravel()
        return index[index < self.count].astype(np.int64)

    def _spans(self, column: int, band: QRect) -> bool:
        rect = self.rect(column)
        return rect.left() <= band.right() and rect.right() >= band.left()

    def moved(self, index: int, move: str, view: QSize) -> int:
        """The index after a move; up and down stay in the column, pages are those of `view`."""
        page = max(1, view.height() // self.step.height()) * self.columns
        steps = {
            "left": index - 1,
            "right": index + 1,
            "up": index - self.columns if index >= self.columns else index,
            "down": index + self.columns if index + self.columns < self.count else index,
            "page_up": index - page,
            "page_down": index + page,
            "home": 0,
            "end": self.count - 1,
        }
        return _clamped(steps[move], self.count)


@dataclass(frozen=True)
class StripGeometry:
    """One row of square tiles that fill the height of the strip."""

    count: int
    height: int

    @property
    def tile(self) -> int:
        """Side of a tile, at least 16 pixels."""
        return max(16, self.height - 2 * GAP)

    @property
    def _step(self) -> int:
        return self.tile + GAP

    def size(self) -> QSize:
        """The width of all tiles with margins, and `height`."""
        return QSize(2 * EDGE - GAP + self.count * self._step, self.height)

    def rect(self, index: int) -> QRect:
        """Rectangle of a tile, which has no caption."""
        return QRect(EDGE + index * self._step, GAP, self.tile, self.tile)

    def shown(self, view: QRect) -> range:
        """Indices of the tiles that intersect `view`."""
        first = max(0, (view.left() - EDGE) // self._step)
        last = max(0, (view.right() - EDGE) // self._step)
        return range(min(self.count, first), min(self.count, last + 1))

    def at(self, point: QPoint) -> int:
        """Index of the tile at `point`, -1 between tiles."""
        index = (point.x() - EDGE) // self._step
        inside = 0 <= index < self.count and self.rect(index).contains(point)
        return index if inside else -1

    def inside(self, band: QRect) -> NDArray[np.int64]:
        """Indices of the tiles that intersect `band`."""
        return np.array(
            [i for i in self.shown(band) if self.rect(i).intersects(band)], dtype=np.int64
        )

    def moved(self, index: int, move: str, view: QSize) -> int:
        """The index after a move; up and down change nothing."""
        page = max(1, view.width() // self._step)
        steps = {"left": -1, "right": 1, "page_up": -page, "page_down": page}
        if move in ("home", "end"):
            return 0 if move == "home" else self.count - 1
        return _clamped(index + steps.get(move, 0), self.count)
