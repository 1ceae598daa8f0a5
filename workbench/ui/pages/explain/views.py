"""Original and heatmap side by side with a common zoom, and as tiles of filmstrip and wall."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtWidgets import QGridLayout, QWidget

from workbench.app.explain.explaining import OPACITY, caption, heat_array, heat_layer
from workbench.app.explain.explanations import Explanations
from workbench.app.images.pixel_reader import PixelReader, PixelRequest
from workbench.app.results.run_images import RunImage, RunImages
from workbench.domain.geometry import Rect
from workbench.domain.requests import Heat
from workbench.domain.text import Message, tr
from workbench.ui.commands import ShortcutTip
from workbench.ui.look.markup import PlainLabel
from workbench.ui.look.theme import label_colour
from workbench.ui.page import Context
from workbench.ui.parts.image_view import ImageView, to_qimage
from workbench.ui.parts.tiles import Badge, Tiles

_LAYER = 384  # longer side of the enlarged heatmap in pixels: it is too smooth to need more


def layer_image(layer: NDArray[np.uint8]) -> QImage:
    """A QImage with its own pixels from H × W × 4 uint8 RGBA."""
    rows = np.ascontiguousarray(layer)
    height, width, _ = rows.shape
    image = QImage(rows.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def layer_text(title: str) -> str:
    """The title of a layer as shown: messages are translated, names of layers are not."""
    return tr(title) if isinstance(title, Message) else title


def heat_image(heat: Heat, width: int, height: int) -> QImage:
    """The heatmap for an image of width × height pixels, with transparency."""
    seen = (heat.seen[2] - heat.seen[0]) * width, (heat.seen[3] - heat.seen[1]) * height
    scale = _LAYER / max(1.0, *seen)
    size = max(1, round(seen[0] * scale)), max(1, round(seen[1] * scale))
    return layer_image(heat_layer(heat_array(heat), *size, heat.cells))


def seen_rect(heat: Heat, target: QRectF) -> QRectF:
    """The part of an image drawn in `target` that the heatmap covers."""
    return part_rect(heat.seen, target)


def part_rect(part: tuple[float, float, float, float], target: QRectF) -> QRectF:
    """A part, as fractions (left, top, right, bottom), of an image drawn in `target`."""
    left, top, right, bottom = part
    return QRectF(
        target.left() + left * target.width(),
        target.top() + top * target.height(),
        (right - left) * target.width(),
        (bottom - top) * target.height(),
    )


class SyncedView(ImageView):
    """An image view that can follow the zoom and position of another one.

    `view_changed` is emitted when it is zoomed or moved.
    """

    view_changed = Signal()

    def follow(self, other: SyncedView) -> None:
        """Show the same part as `other`."""
        self._zoom, self._centre = other._zoom, QPointF(other._centre)
        self.update()

    def fit(self) -> None:
        """Show the whole image."""
        super().fit()
        self.view_changed.emit()

    def _place(self, middle: QPointF) -> None:
        super()._place(middle)
        self.view_changed.emit()


class HeatView(SyncedView):
    """An image below a heatmap, which can be made transparent and hidden."""

    def __init__(self) -> None:
        super().__init__()
        self._heat: Heat | None = None
        self._layer: QImage | None = None
        self.opacity = OPACITY
        self._heat_hidden = False

    def show_heat(self, heat: Heat | None) -> None:
        """Draw a heatmap over the image, or none."""
        if heat is self._heat:
            return
        self._heat = heat
        width, height = self.image_size
        self._layer = heat_image(heat, width, height) if heat is not None and width else None
        self.update()

    @property
    def heat(self) -> Heat | None:
        """The heatmap drawn over the image, None for none."""
        return self._heat

    def set_opacity(self, opacity: float) -> None:
        """Set the opacity of the heatmap at its maximum, in [0, 1]."""
        self.opacity = opacity
        self.update()

    def set_heat_hidden(self, hidden: bool) -> None:
        """Hide or show the heatmap."""
        self._heat_hidden = hidden
        self.update()

    @property
    def heat_hidden(self) -> bool:
        """Whether the heatmap is hidden."""
        return self._heat_hidden

    def paint_overlay(self, painter: QPainter) -> None:
        """Draw the heatmap, and a frame around what the network saw of the image."""
        if self._layer is None or self._heat is None or self._heat_hidden:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(self.opacity)
        painter.drawImage(seen_rect(self._heat, self.target()), self._layer)
        painter.setOpacity(1.0)
        if self._heat.frame is not None:
            frame = part_rect(self._heat.frame, self.target())
            for wide, colour in ((3.0, Qt.GlobalColor.black), (1.5, Qt.GlobalColor.white)):
                painter.setPen(QPen(colour, wide))
                painter.drawRect(frame)


class ExplainViews(QWidget):
    """The pair, with the image's name above the original and the explained label beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.original = SyncedView()
        self.overlay = HeatView()
        self.original.setAccessibleName(tr("Original"))
        self.overlay.setAccessibleName(tr("Heatmap"))
        self.name, self.heat_title = PlainLabel(), PlainLabel()
        self.name.setProperty("role", "muted")
        self.heat_title.setProperty("role", "heading")
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 0, 12, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        for column, (line, view) in enumerate(
            ((self.name, self.original), (self.heat_title, self.overlay))
        ):
            line.setMinimumWidth(40)
            grid.addWidget(line, 0, column)
            grid.addWidget(view, 1, column)
            grid.setColumnStretch(column, 1)
        grid.setRowStretch(1, 1)
        for one, other in (
            (self.original, self.overlay),
            (self.overlay, self.original),
        ):
            ShortcutTip(one, tr("Scroll to zoom, drag to move, double-click to fit"), "explain.fit")
            one.view_changed.connect(lambda one=one, other=other: other.follow(one))

    def show_image(self, pixels: NDArray[np.uint8] | None, size: tuple[int, int]) -> None:
        """Show an image, or a placeholder of its `size` in pixels while it is decoded."""
        for view in (self.original, self.overlay):
            if pixels is None:
                view.show_placeholder(*size)
            else:
                view.show_array(pixels, size)

    def fit(self) -> None:
        """Show the whole image in both."""
        self.original.fit()


LONGEST = 256
CACHED = 600
_ROWS = 4000
_WRONG = 5  # vermilion


class RunTiles(Tiles):
    """Tiles of a run's images or mouth crops; their ids are rows of a `RunImages`."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.end_with(context.session)
        self._images: RunImages | None = None
        self._known: OrderedDict[int, RunImage] = OrderedDict()
        self._waiting: dict[int, list[int]] = {}  # image → rows that wait for its thumbnail
        self._active = False
        self._requested = np.zeros(0, np.int64)
        self._reader = self._new_reader()
        context.thumbnails.ready.connect(self._emit_ready)

    def _new_reader(self) -> PixelReader:
        reader = PixelReader(CACHED, self)
        reader.ready.connect(lambda row, _: self.ready.emit(row))
        return reader

    def open(self, images: RunImages | None) -> None:
        """Switch to the rows of another run."""
        if images is not self._images:
            self._reader.close()
            self._reader = self._new_reader()
            self._known.clear()
            self._requested = np.zeros(0, np.int64)
            self._images = images
        self.altered.emit()

    def forget(self) -> None:
        """Drop cached images after images or crops changed."""
        self._known.clear()
        self.altered.emit()

    def close(self) -> None:
        """Stop the decoding thread."""
        self._reader.close()

    def image(self, row: int) -> RunImage | None:
        """The image of a row, None if it left the project."""
        if row not in self._known:
            self.prepare(np.array([row], np.int64))
        return self._known.get(row)

    def prepare(self, ids: NDArray[np.int64]) -> None:
        """Look up the images of these rows."""
        missing = [row for row in ids.tolist() if row not in self._known]
        if not missing or self._images is None:
            return
        for image in self._images.images(missing):
            self._known[image.row] = image
        while len(self._known) > _ROWS:
            self._known.popitem(last=False)

    def pixels(self, row: int) -> NDArray[np.uint8] | None:
        """The thumbnail of a row, H × W × 3, None if it is not decoded yet."""
        known = self._known.get(row)
        if known is None:
            return None
        if known.crop is not None:
            return self._reader.get(row)
        return self._context.thumbnails.get(known.image)

    def thumbnail(self, image: int) -> QImage | None:
        """The thumbnail of a row as a QImage, None if it is not decoded yet."""
        pixels = self.pixels(image)
        return None if pixels is None else to_qimage(pixels)

    def caption(self, image: int) -> str:
        """The predicted label and its score, after the true label if that is another one."""
        known = self._known.get(image)
        return caption(known) if known is not None else ""

    def badges(self, image: int) -> list[Badge]:
        """A cross on wrong predictions."""
        known = self._known.get(image)
        return [("✗", label_colour(_WRONG))] if known is not None and known.wrong else []

    def set_active(self, active: bool) -> None:
        """Start or stop requests: of two views of a run only the visible one makes any."""
        self._active = active
        if active:
            self.load(self._requested)

    def request(self, ids: NDArray[np.int64]) -> None:
        """Request the thumbnails of these rows, as soon as the tiles are active."""
        self.prepare(ids)
        self._requested = ids
        if self._active:
            self.load(ids)

    def load(self, ids: NDArray[np.int64]) -> None:
        """Request the thumbnails of these rows, and cancel those of others."""
        self.prepare(ids)
        requests: list[PixelRequest] = []
        self._waiting = {}
        for row in ids.tolist():
            known = self._known.get(row)
            if known is None:
                continue
            if known.crop is not None and known.input.box is not None:
                rect = Rect(*known.input.box)
                requests.append(PixelRequest(row, Path(known.input.path), LONGEST, rect))
            else:
                self._waiting.setdefault(known.image, []).append(row)
        self._reader.request(requests)
        self._context.thumbnails.request(list(self._waiting))

    def _emit_ready(self, image: int, _: Any) -> None:
        for row in self._waiting.get(image, ()):
            self.ready.emit(row)


class HeatTiles(RunTiles):
    """Tiles with heatmaps, which are requested as the tiles come into view."""

    def __init__(self, context: Context, explanations: Explanations) -> None:
        super().__init__(context)
        self._explanations = explanations
        self.opacity = OPACITY
        self.heat_hidden = False
        self._request_timer = QTimer(self, singleShot=True, interval=80)  # skips what scrolls past
        self._request_timer.timeout.connect(
            lambda: self._explanations.request(self._requested.tolist())
        )
        explanations.ready.connect(self.ready)

    def open(self, images: RunImages | None) -> None:
        self._request_timer.stop()
        super().open(images)

    def load(self, ids: NDArray[np.int64]) -> None:
        super().load(ids)
        self._request_timer.start()

    def set_active(self, active: bool) -> None:
        super().set_active(active)
        if not active:
            self._request_timer.stop()

    def request_again(self) -> None:
        """Request the heatmaps of the visible tiles after the query changed."""
        self.altered.emit()
        if self._active:
            self._request_timer.start()

    def caption(self, image: int) -> str:
        """The prediction as in `RunTiles`, and the explained label if that is another one."""
        known, heat = self._known.get(image), self._explanations.heat(image)
        if known is None:
            return ""
        prediction = caption(known, heat)
        if heat is None or not known.predicted or heat.label == known.predicted:
            return prediction
        return f"{prediction}  ·  {heat.label} {heat.score:.2f}"

    def thumbnail(self, image: int) -> QImage | None:
        """The thumbnail of a row below its heatmap, as far as they are there."""
        base, heat = super().thumbnail(image), self._explanations.heat(image)
        if base is None or heat is None or self.heat_hidden:
            return base
        painter = QPainter(base)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(self.opacity)
        target = QRectF(0, 0, base.width(), base.height())
        layer = heat_image(heat, base.width(), base.height())
        painter.drawImage(seen_rect(heat, target), layer)
        painter.end()
        return base
