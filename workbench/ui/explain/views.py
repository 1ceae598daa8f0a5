"""Original and overlay beside each other: zoomed and moved in step, the map drawn by opacity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from workbench.app.explain.explaining import OPACITY, amounts, heat_layer
from workbench.domain.requests import Heat
from workbench.ui.tiles.photo import PhotoView

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
        self.original.setAccessibleName(self.tr("Original"))
        self.overlay.setAccessibleName(self.tr("Explanation"))
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
            tip = self.tr("Wheel zooms, dragging moves both, a double click fits (Ctrl+0)")
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
