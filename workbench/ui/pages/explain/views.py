"""Original and map side by side, zoomed in step, and as tiles of a filmstrip or wall."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from workbench.app.explain.explaining import OPACITY, amounts, caption, heat_layer
from workbench.app.explain.explanations import Explanations
from workbench.app.images.photo_reader import PhotoReader, PhotoRequest
from workbench.app.results.run_images import RunImage, RunImages
from workbench.domain.geometry import Rect
from workbench.domain.requests import Heat
from workbench.domain.text import tr
from workbench.ui.look.theme import label_colour
from workbench.ui.page import Context
from workbench.ui.parts.photo import PhotoView, to_qimage
from workbench.ui.parts.tiles import Badge, Tiles

_LAYER = 384  # pixels of the enlarged map's longer side: it is smooth, more would show nothing new


def layer_image(layer: NDArray[np.uint8]) -> QImage:
    """An image of its own from H × W × 4 uint8 RGBA."""
    rows = np.ascontiguousarray(layer)
    height, width, _ = rows.shape
    image = QImage(rows.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def heat_image(heat: Heat, width: int, height: int) -> QImage:
    """A map for a photograph of width × height, with its own transparency."""
    seen = (heat.seen[2] - heat.seen[0]) * width, (heat.seen[3] - heat.seen[1]) * height
    scale = _LAYER / max(1.0, *seen)
    size = max(1, round(seen[0] * scale)), max(1, round(seen[1] * scale))
    return layer_image(heat_layer(amounts(heat), *size, heat.cells))


def seen_rect(heat: Heat, target: QRectF) -> QRectF:
    """The part of a drawn photograph that its map covers."""
    return part_rect(heat.seen, target)


def part_rect(part: tuple[float, float, float, float], target: QRectF) -> QRectF:
    """A part of a drawn photograph, given as fractions of it: left, top, right, bottom."""
    left, top, right, bottom = part
    return QRectF(
        target.left() + left * target.width(),
        target.top() + top * target.height(),
        (right - left) * target.width(),
        (bottom - top) * target.height(),
    )


class StepView(PhotoView):
    """A photograph that tells when it is zoomed or moved, and can follow another one."""

    stepped = Signal()

    def follow(self, other: StepView) -> None:
        """Show the same part as `other`."""
        self._zoom, self._centre = other._zoom, QPointF(other._centre)
        self.update()

    def fit(self) -> None:
        super().fit()
        self.stepped.emit()

    def _place(self, middle: QPointF) -> None:
        super()._place(middle)
        self.stepped.emit()


class HeatView(StepView):
    """A photograph under a map, whose opacity can be changed and which can be lifted."""

    def __init__(self) -> None:
        super().__init__()
        self._heat: Heat | None = None
        self._layer: QImage | None = None
        self.opacity = OPACITY
        self._bare = False

    def show_heat(self, heat: Heat | None) -> None:
        """Lay a map over the photograph; None takes it away."""
        if heat is self._heat:
            return
        self._heat = heat
        width, height = self.image_size
        self._layer = heat_image(heat, width, height) if heat is not None and width else None
        self.update()

    @property
    def heat(self) -> Heat | None:
        return self._heat

    def set_opacity(self, opacity: float) -> None:
        """How much of the photograph the map covers at most, in [0, 1]."""
        self.opacity = opacity
        self.update()

    def set_bare(self, bare: bool) -> None:
        """Lift the map, or lay it down again."""
        self._bare = bare
        self.update()

    @property
    def bare(self) -> bool:
        return self._bare

    def paint_overlay(self, painter: QPainter) -> None:
        if self._layer is None or self._heat is None or self._bare:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(self.opacity)
        painter.drawImage(seen_rect(self._heat, self.target()), self._layer)
        painter.setOpacity(1.0)
        if self._heat.window is not None:
            frame = part_rect(self._heat.window, self.target())
            for wide, colour in ((3.0, Qt.GlobalColor.black), (1.5, Qt.GlobalColor.white)):
                painter.setPen(QPen(colour, wide))
                painter.drawRect(frame)


class ExplainViews(QWidget):
    """The pair with a line over each: what it is, and what is explained."""

    def __init__(self) -> None:
        super().__init__()
        self.original = StepView()
        self.overlay = HeatView()
        self.original.setAccessibleName(tr("Original"))
        self.overlay.setAccessibleName(tr("Explanation"))
        self.name, self.what = QLabel(), QLabel()
        self.name.setProperty("role", "muted")
        self.what.setProperty("role", "heading")
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 0, 12, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        for column, (line, view) in enumerate(
            ((self.name, self.original), (self.what, self.overlay))
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
            tip = tr("Wheel zooms, dragging moves both, a double click fits (Ctrl+0)")
            one.setToolTip(tip)
            one.stepped.connect(lambda one=one, other=other: other.follow(one))

    def show_photo(self, pixels: NDArray[np.uint8] | None, size: tuple[int, int]) -> None:
        """The photograph, or room of its shape while it is being read."""
        for view in (self.original, self.overlay):
            if pixels is None:
                view.show_placeholder(*size)
            else:
                view.show_array(pixels, size)

    def fit(self) -> None:
        """Show the whole photograph in both."""
        self.original.fit()


LONGEST = 256
KEPT = 600
_ROWS = 4000
_WRONG = 5  # vermilion


class RunTiles(Tiles):
    """Ids are rows of a `RunImages`; a mouth is cut out of its image."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.end_with(context.session)
        self._images: RunImages | None = None
        self._known: OrderedDict[int, RunImage] = OrderedDict()
        self._shown: dict[int, list[int]] = {}  # image → rows that wait for its thumbnail
        self._active = False
        self._wanted = np.zeros(0, np.int64)
        self._reader = self._new_reader()
        context.thumbnails.ready.connect(self._arrived)

    def _new_reader(self) -> PhotoReader:
        reader = PhotoReader(KEPT, self)
        reader.ready.connect(lambda row, _: self.ready.emit(row))
        return reader

    def open(self, images: RunImages | None) -> None:
        """The run whose rows the ids are."""
        if images is not self._images:
            self._reader.close()
            self._reader = self._new_reader()
            self._known.clear()
            self._wanted = np.zeros(0, np.int64)
            self._images = images
        self.altered.emit()

    def forget(self) -> None:
        """Images or crops changed: ask for them anew."""
        self._known.clear()
        self.altered.emit()

    def close(self) -> None:
        """End the thread that decodes."""
        self._reader.close()

    def image(self, row: int) -> RunImage | None:
        """What a row shows."""
        if row not in self._known:
            self.prepare(np.array([row], np.int64))
        return self._known.get(row)

    def prepare(self, ids: NDArray[np.int64]) -> None:
        missing = [row for row in ids.tolist() if row not in self._known]
        if not missing or self._images is None:
            return
        for image in self._images.images(missing):
            self._known[image.row] = image
        while len(self._known) > _ROWS:
            self._known.popitem(last=False)

    def pixels(self, row: int) -> NDArray[np.uint8] | None:
        """The small photograph of a row, if it is at hand."""
        known = self._known.get(row)
        if known is None:
            return None
        if known.crop is not None:
            return self._reader.get(row)
        return self._context.thumbnails.get(known.image)

    def picture(self, image: int) -> QImage | None:
        pixels = self.pixels(image)
        return None if pixels is None else to_qimage(pixels)

    def caption(self, image: int) -> str:
        known = self._known.get(image)
        return caption(known) if known is not None else ""

    def badges(self, image: int) -> list[Badge]:
        known = self._known.get(image)
        return [("✗", label_colour(_WRONG))] if known is not None and known.wrong else []

    def set_active(self, active: bool) -> None:
        """Whether these tiles are looked at; of two views of a run the hidden one asks nothing."""
        self._active = active
        if active:
            self.load(self._wanted)

    def want(self, ids: NDArray[np.int64]) -> None:
        self.prepare(ids)
        self._wanted = ids
        if self._active:
            self.load(ids)

    def load(self, ids: NDArray[np.int64]) -> None:
        """Have the pictures of these rows made, and no others."""
        self.prepare(ids)
        wishes: list[PhotoRequest] = []
        self._shown = {}
        for row in ids.tolist():
            known = self._known.get(row)
            if known is None:
                continue
            if known.crop is not None and known.picture.box is not None:
                rect = Rect(*known.picture.box)
                wishes.append(PhotoRequest(row, Path(known.picture.path), LONGEST, rect))
            else:
                self._shown.setdefault(known.image, []).append(row)
        self._reader.want(wishes)
        self._context.thumbnails.want(list(self._shown))

    def _arrived(self, image: int, _: Any) -> None:
        for row in self._shown.get(image, ()):
            self.ready.emit(row)


class HeatTiles(RunTiles):
    """The same under their maps, which are asked for as they come into view."""

    def __init__(self, context: Context, explanations: Explanations) -> None:
        super().__init__(context)
        self._explanations = explanations
        self.opacity = OPACITY
        self.bare = False
        self._ask = QTimer(self, singleShot=True, interval=80)  # not for what is scrolled past
        self._ask.timeout.connect(lambda: self._explanations.want(self._wanted.tolist()))
        explanations.ready.connect(self.ready)

    def open(self, images: RunImages | None) -> None:
        self._ask.stop()
        super().open(images)

    def load(self, ids: NDArray[np.int64]) -> None:
        super().load(ids)
        self._ask.start()

    def set_active(self, active: bool) -> None:
        super().set_active(active)
        if not active:
            self._ask.stop()

    def want_again(self) -> None:
        """Ask for the maps of what is in view, after another question."""
        self.altered.emit()
        if self._active:
            self._ask.start()

    def caption(self, image: int) -> str:
        known, heat = self._known.get(image), self._explanations.heat(image)
        if known is None:
            return ""
        said = caption(known, heat)
        if heat is None or heat.label == known.predicted:
            return said
        return f"{said}  ·  {heat.label} {heat.score:.2f}" if known.predicted else said

    def picture(self, image: int) -> QImage | None:
        base, heat = super().picture(image), self._explanations.heat(image)
        if base is None or heat is None or self.bare:
            return base
        painter = QPainter(base)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(self.opacity)
        target = QRectF(0, 0, base.width(), base.height())
        layer = heat_image(heat, base.width(), base.height())
        painter.drawImage(seen_rect(heat, target), layer)
        painter.end()
        return base
