"""The image being labelled with its labels and suggestion; the next images are read ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QPushButton, QWidget

from workbench.app.images.pixel_reader import PixelReader, PixelRequest, Pixels
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.theme import sized, text_on
from workbench.ui.page import Context
from workbench.ui.parts.image_view import ImageView
from workbench.ui.parts.tiles import Badge

FLASH = 110  # milliseconds for which an assigned letter is shown before the next image
_BADGE = 32


class LabelStage(ImageView):
    """An image with the letters of its labels in the corner. `accepted()` is emitted when its
    suggestion is clicked, `flashed()` when a flash ends."""

    accepted = Signal()
    flashed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._badges: list[Badge] = []
        self._flash: Badge | None = None
        self._timer = QTimer(self, singleShot=True, interval=FLASH)
        self._timer.timeout.connect(self.end_flash)
        self.chip = QPushButton(self)
        self.chip.setIcon(icon("sparkle", self))
        self.chip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.chip.setCursor(Qt.CursorShape.PointingHandCursor)
        self.chip.clicked.connect(self.accepted)
        self.chip.hide()

    def show_badges(self, badges: list[Badge]) -> None:
        """Show the letters of the labels that the image has."""
        self._badges = badges
        self.update()

    def suggest(self, text: str) -> None:
        """Show a suggestion; "" hides it."""
        self.chip.setText(text)
        self.chip.setVisible(bool(text))
        self._place_chip()

    def flash(self, shown: Badge) -> None:
        """Show a large letter for FLASH milliseconds, then emit `flashed`."""
        self._flash = shown
        self._timer.start()
        self.update()

    def end_flash(self) -> None:
        """End the flash now, because the next key is pressed already."""
        if self._flash is not None:
            self.drop_flash()
            self.flashed.emit()

    def drop_flash(self) -> None:
        """End the flash without emitting `flashed`."""
        self._timer.stop()
        self._flash = None
        self.update()

    def paint_overlay(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        seen = self.target().intersected(QRectF(self.rect()))
        left = seen.left() + 12
        for shown in self._badges:
            left += self._paint_badge(painter, QRectF(left, seen.top() + 12, _BADGE, _BADGE), shown)
        if self._flash is not None:
            side = min(160.0, seen.height() / 2)
            box = QRectF(0, 0, side, side)
            box.moveCenter(seen.center())
            self._paint_badge(painter, box, self._flash)

    def _paint_badge(self, painter: QPainter, box: QRectF, shown: Badge) -> float:
        letter, colour = shown
        painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
        painter.setBrush(colour)
        painter.drawRoundedRect(box, box.width() / 6, box.width() / 6)
        painter.setPen(text_on(colour))
        painter.setFont(sized(self.font(), round(box.height() * 0.6), bold=True))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)
        return box.width() + 8

    def _place_chip(self) -> None:
        size = self.chip.sizeHint()
        at = QRect(0, 0, size.width(), size.height())
        at.moveCenter(self.rect().center())
        at.moveBottom(self.height() - 16)
        self.chip.setGeometry(at)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_chip()


LONGEST = 1600  # pixels of the longer side of an image on the stage
_AHEAD, _BEHIND = 4, 1  # neighbours that are read ahead


class PixelFeed(QObject):
    """Shows images on a stage: the thumbnail at once, the image itself once it is read."""

    def __init__(self, context: Context, stage: ImageView) -> None:
        super().__init__()
        self._context, self._stage = context, stage
        self._reader = PixelReader(capacity=12, parent=self)
        self._reader.ready.connect(self._show_pixels)
        self._reader.failed.connect(self._report_failure)
        self._image: int | None = None

    def show(self, ids: NDArray[np.int64], image: int | None) -> None:
        """Show `image`, one of `ids`, and read its neighbours ahead; None shows nothing."""
        changed, self._image = image != self._image, image
        if image is None:
            self._stage.show_array(None)
            return
        if not changed:
            return
        at = int(np.flatnonzero(ids == image)[0])
        near = ids[max(0, at - _BEHIND) : at + _AHEAD + 1].tolist()
        rows = {row.id: row for row in self._context.session.images.rows(near)}
        row = rows[image]
        pixels = self._reader.get(image)
        if pixels is None:
            pixels = self._context.thumbnails.get(image)
        if pixels is None:
            self._stage.show_placeholder(row.width, row.height)
        else:
            self._stage.show_array(pixels, (row.width, row.height))
        order = [image, *near[near.index(image) + 1 :], *near[: near.index(image)]]
        self._reader.request(
            [PixelRequest(i, Path(rows[i].path), LONGEST) for i in order if i in rows]
        )
        if reason := self._reader.failure(image):  # when it was read ahead
            self._report_failure(image, reason)

    def _show_pixels(self, image: int, pixels: Pixels) -> None:
        if image == self._image:
            self._stage.show_array(pixels, self._stage.image_size)

    def _report_failure(self, image: int, reason: str) -> None:
        if image == self._image:
            self._context.notify(tr(reason), "warn")

    def close(self) -> None:
        """End the thread that reads images."""
        self._reader.close()
