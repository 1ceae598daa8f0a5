"""The contents of tiles by id, and the drawing of a tile."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPen, QPixmap

from workbench.app.session import Session
from workbench.domain.images import ImageRow
from workbench.domain.labels import LabelSet
from workbench.ui.look.icons import draw_icon
from workbench.ui.look.theme import CAPTION_PIXELS, RADIUS, Theme, label_colour, sized, text_on
from workbench.ui.page import Context
from workbench.ui.parts.image_view import to_qimage
from workbench.ui.parts.tile_geometry import CAPTION

Badge = tuple[str, QColor]
_KEPT_ROWS = 4000
_FEW = 64  # up to this many tiles are redrawn one by one, more by redrawing everything


class Tiles(QObject):
    """The source of a grid's contents: an image, a caption and badges per id.

    Subclasses return what is in memory. `prepare` is called with the ids about to be drawn,
    `request` with those to load next.
    """

    ready = Signal(int)  # the image of this id is available
    altered = Signal()  # captions or badges changed
    relabelled = Signal(object)  # captions or badges of these few ids changed

    ended = False  # whether the project is closed, so that nothing can be loaded

    def end_with(self, session: Session) -> None:
        """Set `ended` when the project of `session` is closed."""
        session.closed.connect(self._end)

    def _end(self) -> None:
        self.ended = True

    def prepare(self, ids: NDArray[np.int64]) -> None:
        """Read in one query what the captions and badges of `ids` need."""

    def thumbnail(self, image: int) -> QImage | None:
        """The image, or None while it is being loaded."""
        return None

    def caption(self, image: int) -> str:
        """The line under the image."""
        return ""

    def badges(self, image: int) -> list[Badge]:
        """The letters drawn on the image, with their colours."""
        return []

    def failure(self, image: int) -> str:
        """Why the image cannot be loaded; "" if it can, or may still be."""
        return ""

    def request(self, ids: NDArray[np.int64]) -> None:
        """Load these ids, which are or will soon be visible, and cancel loading of all others."""


class ImageTiles(Tiles):
    """Thumbnails of images, with their names and the letters of their labels in one set.

    Images for which `hides` returns True have no letters.
    """

    def __init__(self, context: Context, label_set: str = "view") -> None:
        super().__init__()
        self.hides: Callable[[int], bool] = lambda _: False
        self._context = context
        self.end_with(context.session)
        self._rows: OrderedDict[int, ImageRow] = OrderedDict()
        self._set: LabelSet | None = None
        self._scores: NDArray[np.float32] | None = None
        self.show_set(label_set)
        context.thumbnails.ready.connect(self._arrived)
        context.thumbnails.failed.connect(self._arrived)

    def show_set(self, name: str) -> None:
        """Show the letters of another label set."""
        self._set = self._context.session.labels.sets().get(name)
        self.altered.emit()

    def show_scores(self, scores: NDArray[np.float32] | None) -> None:
        """Show a score before each name, indexed by image id (NaN: none); None shows no scores."""
        if scores is not self._scores:
            self._scores = scores
            self.altered.emit()

    def forget(self, ids: Iterable[int] | None = None) -> None:
        """Read these rows (None: all) again when they are shown next."""
        if ids is None:
            self._rows.clear()
            self.altered.emit()
            return
        gone = list(ids)
        for image in gone:
            self._rows.pop(image, None)
        if len(gone) <= _FEW:
            self.relabelled.emit(gone)
        else:
            self.altered.emit()

    def row(self, image: int) -> ImageRow | None:
        """The row of a prepared image."""
        return self._rows.get(image)

    def prepare(self, ids: NDArray[np.int64]) -> None:
        missing = [image for image in ids.tolist() if image not in self._rows]
        if missing:
            for row in self._context.session.images.rows(missing):
                self._rows[row.id] = row
            while len(self._rows) > _KEPT_ROWS:
                self._rows.popitem(last=False)

    def thumbnail(self, image: int) -> QImage | None:
        array = self._context.thumbnails.get(image)
        return None if array is None else to_qimage(array)

    def caption(self, image: int) -> str:
        row = self._rows.get(image)
        if row is None:
            return ""
        scored = self._scores is not None and image < len(self._scores)
        score = float(self._scores[image]) if self._scores is not None and scored else math.nan
        return row.name if math.isnan(score) else f"{score:.2f}  {row.name}"

    def badges(self, image: int) -> list[Badge]:
        row = self._rows.get(image)
        if row is None or self._set is None or self.hides(image):
            return []
        return [badge(self._set, name) for name in labels_of(row, self._set)]

    def failure(self, image: int) -> str:
        return self._context.thumbnails.failure(image)

    def request(self, ids: NDArray[np.int64]) -> None:
        self._context.thumbnails.request(ids.tolist())

    def _arrived(self, image: int, _: Any) -> None:
        self.ready.emit(image)


def labels_of(row: ImageRow, label_set: LabelSet) -> list[str]:
    """The labels of an image in one set: several in a set that is not exclusive."""
    return [name for name in row.labels.get(label_set.name, ()) if name in label_set.names]


def badge(label_set: LabelSet, name: str) -> Badge:
    """The letter (key, number or initial, in this order) and the colour of a label."""
    at = label_set.index(name)
    letter = label_set.labels[at].key or (str(at + 1) if at < 9 else name[:1].upper())
    return letter.upper(), label_colour(at)


class TilePainter:
    """A painter of tiles that caches `capacity` scaled images, by default of twelve screens."""

    def __init__(self, capacity: int = 1200) -> None:
        self._scaled: OrderedDict[int, QPixmap] = OrderedDict()
        self._capacity = capacity
        self._pixels = 0

    def forget(self, image: int | None = None) -> None:
        """Drop the scaled image of `image` (None: all)."""
        if image is None:
            self._scaled.clear()
        else:
            self._scaled.pop(image, None)

    def pixmap(self, tiles: Tiles, image: int, side: int, ratio: float) -> QPixmap | None:
        """The image fitted into a square of `side` pixels, cached; None if it is not loaded.

        `ratio` is the number of device pixels per pixel."""
        pixels = round(side * ratio)
        if pixels != self._pixels:
            self._scaled.clear()
            self._pixels = pixels
        found = self._scaled.get(image)
        if found is None:
            found_image = tiles.thumbnail(image)
            if found_image is None:
                return None
            found = _fitted(found_image, pixels, ratio)
            self._scaled[image] = found
            if len(self._scaled) > self._capacity:
                self._scaled.popitem(last=False)
        else:
            self._scaled.move_to_end(image)
        return found

    def paint(
        self,
        painter: QPainter,
        rect: QRect,
        tiles: Tiles,
        image: int,
        theme: Theme,
        *,
        selected: bool,
        current: bool,
        focused: bool,
    ) -> None:
        """Draw one tile, with its caption if `rect` is higher than wide."""
        side = rect.width()
        square = QRect(rect.left(), rect.top(), side, side)
        if selected:
            painter.fillRect(rect.adjusted(-3, -3, 3, 3), theme.hover)
        ratio = painter.device().devicePixelRatioF()
        pixmap = self.pixmap(tiles, image, side, ratio)
        if pixmap is None:
            place = square.adjusted(4, 4, -4, -4)
            painter.fillRect(place, theme.hover)
            if tiles.failure(image):
                sign = QRectF(0, 0, 24, 24)
                sign.moveCenter(QRectF(place).center())
                draw_icon(painter, "warning", sign, theme.warn)
        else:
            place = QRect(QPoint(0, 0), pixmap.deviceIndependentSize().toSize())
            place.moveCenter(square.center())
            painter.drawPixmap(place.topLeft(), pixmap)
        draw_badges(painter, place, tiles.badges(image))
        if rect.height() > side:
            _caption(painter, rect, tiles.caption(image), theme, selected)
        if selected or current:
            _ring(painter, rect, theme, selected, current and focused)


def _fitted(image: QImage, pixels: int, ratio: float) -> QPixmap:
    size = image.size().scaled(QSize(pixels, pixels), Qt.AspectRatioMode.KeepAspectRatio)
    largest = image.size() * 2.0  # small crops are enlarged, but not too much
    if size.width() > largest.width():
        size = largest
    made = image.scaled(
        size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    pixmap = QPixmap.fromImage(made)
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def draw_badges(painter: QPainter, square: QRect, badges: Sequence[Badge]) -> None:
    """Draw letters on their colours in the upper left corner, outlined to be visible anywhere."""
    if not badges:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(sized(painter.font(), CAPTION_PIXELS + 1, bold=True))
    metrics = QFontMetrics(painter.font())
    left = square.left() + 4
    for letter, colour in badges:
        width = max(20, metrics.horizontalAdvance(letter) + 8)
        box = QRectF(left, square.top() + 4, width, 20)
        painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
        painter.setBrush(colour)
        painter.drawRoundedRect(box, RADIUS - 2, RADIUS - 2)
        painter.setPen(text_on(colour))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)
        left += width + 4
    painter.restore()


def _caption(painter: QPainter, rect: QRect, text: str, theme: Theme, selected: bool) -> None:
    font: QFont = sized(painter.font(), CAPTION_PIXELS)
    painter.setFont(font)
    painter.setPen(theme.text if selected else theme.muted)
    line = QRect(rect.left(), rect.bottom() - CAPTION + 1, rect.width(), CAPTION)
    elided = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideMiddle, line.width())
    painter.drawText(line, Qt.AlignmentFlag.AlignCenter, elided)


def _ring(painter: QPainter, rect: QRect, theme: Theme, selected: bool, focus: bool) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(theme.accent if selected else theme.muted, 3 if focus else 2)
    painter.setPen(pen)
    painter.drawRoundedRect(QRectF(rect).adjusted(-2, -2, 2, 2), RADIUS, RADIUS)
    painter.restore()
