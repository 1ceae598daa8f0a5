"""A view of one image that can be zoomed and panned, with a hook for drawing over it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from workbench.ui.look.theme import Theme

_LARGEST = 32.0  # largest zoom, in widget pixels per image pixel
_WHEEL_STEP = 1.0015  # per eighth of a degree of rotation; a notch is about 20 %


def to_qimage(array: NDArray[np.uint8]) -> QImage:
    """A QImage with a copy of an H×W×3 uint8 RGB array."""
    rows = np.ascontiguousarray(array)
    height, width, _ = rows.shape
    image = QImage(rows.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return image.convertToFormat(QImage.Format.Format_RGB32)


class ImageView(QWidget):
    """A view of one image.

    Image coordinates are pixels of the full image, even if a reduced copy is drawn. The wheel zooms
    at the pointer, dragging pans, a double click switches between fitted and 1:1. `zoomed(scale)`
    is emitted when the zoom changes.
    """

    zoomed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._fitted_copy: QPixmap | None = None
        self._size = QSize(0, 0)
        self._zoom: float | None = None  # None: fitted
        self._centre = QPointF(0.5, 0.5)  # of the visible area, as shares of the image
        self._drag_from: QPointF | None = None
        self.setMinimumSize(120, 120)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    # contents

    def show_array(
        self, array: NDArray[np.uint8] | None, size: tuple[int, int] | None = None
    ) -> None:
        """Show an H×W×3 uint8 RGB array; None shows nothing.

        `size` is the (width, height) of the full image if `array` is a reduced copy. Zoom and
        position are kept if the size does not change."""
        self._fitted_copy = None
        if array is None:
            self._image, self._size = None, QSize(0, 0)
        else:
            self._image = to_qimage(array)
            self._set_image_size(size or (array.shape[1], array.shape[0]))
        self.update()

    def show_placeholder(self, width: int, height: int) -> None:
        """Show an empty rectangle for an image of `width` × `height` that is still being read."""
        self._image = self._fitted_copy = None
        self._set_image_size((width, height))
        self.update()

    def _set_image_size(self, size: tuple[int, int]) -> None:
        new = QSize(*size)
        if new != self._size:
            self._size = new
            self.fit()

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the full image in pixels; (0, 0) without an image."""
        return self._size.width(), self._size.height()

    @property
    def has_image(self) -> bool:
        """Whether an image is shown, not an empty view or a placeholder."""
        return self._image is not None

    # zoom

    @property
    def scale(self) -> float:
        """Widget pixels per image pixel."""
        return self._fitted() if self._zoom is None else self._zoom

    def fit(self) -> None:
        """Fit the whole image into the widget, enlarged by a limited factor at most."""
        self._zoom = None
        self._centre = QPointF(0.5, 0.5)
        self.zoomed.emit(self.scale)
        self.update()

    def set_zoom(self, scale: float, at: QPointF | None = None) -> None:
        """Zoom to `scale` around the point `at` of the widget (None: its centre)."""
        if self._size.isEmpty():
            return
        place = at if at is not None else QPointF(self.width() / 2, self.height() / 2)
        fixed = self.to_image(place)
        self._zoom = min(_LARGEST, max(min(self._fitted(), 1.0), scale))
        middle = QPointF(self.width() / 2, self.height() / 2)
        self._place(fixed + (middle - place) / self._zoom)
        self.zoomed.emit(self._zoom)

    def _place(self, middle: QPointF) -> None:
        """Centre the view on a point of the image, as far as it shows no unnecessary margin."""

        def clamp(value: float, whole: int, room: int) -> float:
            half = room / self.scale / 2
            return 0.5 if 2 * half >= whole else min(max(value, half), whole - half) / whole

        self._centre = QPointF(
            clamp(middle.x(), self._size.width(), self.width()),
            clamp(middle.y(), self._size.height(), self.height()),
        )
        self.update()

    def _fitted(self) -> float:
        if self._size.isEmpty():
            return 1.0
        return min(
            self.width() / self._size.width(),
            self.height() / self._size.height(),
            self._largest_fit(),
        )

    def _largest_fit(self) -> float:
        """Largest scale of a fitted image; small crops may be enlarged more."""
        return 4.0 if max(self._size.width(), self._size.height()) <= 160 else 2.5

    # coordinates

    def transform(self) -> QTransform:
        """The transform from image pixels to widget pixels."""
        scale = self.scale
        made = QTransform()
        made.translate(self.width() / 2, self.height() / 2)
        made.scale(scale, scale)
        made.translate(
            -self._centre.x() * self._size.width(), -self._centre.y() * self._size.height()
        )
        return made

    def to_widget(self, point: QPointF) -> QPointF:
        """The point of the widget at which a point of the image is drawn."""
        return self.transform().map(point)

    def to_image(self, point: QPointF) -> QPointF:
        """The point of the image under a point of the widget; it may lie outside the image."""
        return self.transform().inverted()[0].map(point)

    def target(self) -> QRectF:
        """The image's rectangle in widget pixels."""
        return self.transform().mapRect(QRectF(0, 0, self._size.width(), self._size.height()))

    # events

    def paint_overlay(self, painter: QPainter) -> None:
        """Draw over the image, in widget pixels; for subclasses."""

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = Theme.of(self)
        painter.fillRect(self.rect(), theme.well)
        if not self._size.isEmpty():
            target = self.target()
            if self._image is None:
                painter.fillRect(target, theme.hover)
            else:
                self._draw(painter, target, self._image)
            self.paint_overlay(painter)
        painter.end()

    def _draw(self, painter: QPainter, target: QRectF, image: QImage) -> None:
        """Draw a fitted image from a scaled copy that is reused, a zoomed image directly."""
        ratio = self.devicePixelRatioF()
        size = (target.size() * ratio).toSize()
        if self._zoom is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.scale < 4.0)
            painter.drawImage(target, image)
            return
        if self._fitted_copy is None or self._fitted_copy.size() != size:
            smooth = Qt.TransformationMode.SmoothTransformation
            scaled = image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
            self._fitted_copy = QPixmap.fromImage(scaled)
        painter.drawPixmap(target, self._fitted_copy, QRectF(self._fitted_copy.rect()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._zoom is not None:
            self._place(
                QPointF(
                    self._centre.x() * self._size.width(), self._centre.y() * self._size.height()
                )
            )
        super().resizeEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        factor = _WHEEL_STEP ** event.angleDelta().y()
        self.set_zoom(self.scale * factor, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._drag_from = event.position()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag_from is not None and self._zoom is not None:
            self._place(
                self.to_image(QPointF(self.width() / 2, self.height() / 2))
                - (event.position() - self._drag_from) / self.scale
            )
            self._drag_from = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._drag_from = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._zoom is None:
            self.set_zoom(1.0, event.position())
        else:
            self.fit()

    def save_state(self) -> dict[str, Any]:
        """Zoom and position, as JSON values."""
        return {"zoom": self._zoom, "x": self._centre.x(), "y": self._centre.y()}
