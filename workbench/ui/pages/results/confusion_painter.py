"""Drawing of a confusion matrix: colours by share of the row, numbers where they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPen, QPolygon

from workbench.ui.look.theme import (
    CAPTION_PIXELS,
    TEXT_PIXELS,
    Theme,
    cividis,
    contrast,
    label_colour,
    sized,
)

Rgb = NDArray[np.uint8]
FULL = 0.92  # share of the full colour in a cell with all images of its row
LEAST = 0.12  # share of the error colour in a cell with at least one error
WARM = 5  # the label colour of errors: vermilion


def matrix_colours(counts: NDArray[np.int64], single_scale: bool, theme: Theme) -> Rgb:
    """Colours of C×C counts, C×C×3 RGB, by the share of the row.

    The diagonal is in the accent colour, errors are in the error colour by the square root of the
    share, so that one error in a hundred is visible. With `single_scale` all are in cividis.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if single_scale:
        return cividis(shares)
    diagonal = np.eye(len(shares), dtype=bool)
    errors = np.where(counts > 0, LEAST + (1 - LEAST) * np.sqrt(shares), 0.0)
    strength = np.where(diagonal, shares, errors)[..., None] * FULL
    empty = _rgb(theme.hover)
    full = np.where(diagonal[..., None], _rgb(theme.accent), _rgb(label_colour(WARM)))
    mixed: Rgb = np.round(empty + (full - empty) * strength).astype(np.uint8)
    return mixed


def readable_on(theme: Theme, under: QColor) -> QColor:
    """The theme's text colour, or its opposite, whichever has more contrast on `under`."""
    return max((theme.text, theme.raised), key=lambda colour: contrast(colour, under))


def _rgb(colour: QColor) -> NDArray[np.float64]:
    return np.array([colour.red(), colour.green(), colour.blue()], dtype=np.float64)


IntArray = NDArray[np.int64]
# Smallest cells, in pixels, with numbers, with gaps between them, with a label for each row, and
# with horizontal labels of columns.
NUMBERS_FROM = 20
GAPS_FROM = 10
LABELS_FROM = 9
FLAT_FROM = 60
AXIS = 18  # pixels for the titles of the axes
PAD = 8


@dataclass(frozen=True)
class MatrixOptions:
    """`percent` shows shares of the row; `single_scale` uses one colour scale for all cells."""

    percent: bool = False
    single_scale: bool = False


class MatrixPainter:
    """Draws one matrix and caches its colours.

    `axes` are the titles of the axes, of rows and of columns.
    """

    def __init__(self) -> None:
        self._labels: tuple[str, ...] = ()
        self._counts: IntArray = np.zeros((0, 0), np.int64)
        self._relabelled: IntArray | None = None
        self._shares = np.zeros((0, 0))
        self._colours: tuple[bool, bool, Rgb] | None = None
        self.axes = ("", "")

    def set_matrix(
        self, labels: Sequence[str], counts: IntArray, relabelled: IntArray | None
    ) -> None:
        """Draw these C labels and C×C counts from now on."""
        self._labels, self._counts, self._relabelled = tuple(labels), counts, relabelled
        rows = counts.sum(axis=1, keepdims=True)
        self._shares = counts / np.maximum(rows, 1)
        self._colours = None

    def relabelled(self, truth: int, predicted: int) -> int:
        """The number of images of a cell that were relabelled since training."""
        return int(self._relabelled[truth, predicted]) if self._relabelled is not None else 0

    def header(self, font: QFont, cell: QSize, longest: QSize) -> QSize:
        """Size of the labels beside and above the cells, which are elided to the width (beside)
        and height (above) of `longest`, in pixels."""
        metrics = QFontMetrics(sized(font, _label_pixels(cell)))
        widest = max((metrics.horizontalAdvance(label) for label in self._labels), default=0)
        wide = min(widest + 2, longest.width()) + 2 * PAD
        flat = self._flat(metrics, cell)
        high = metrics.height() + PAD if flat else min(widest + 2, longest.height()) + 2 * PAD
        return QSize(wide + AXIS, high + AXIS)

    def _flat(self, metrics: QFontMetrics, cell: QSize) -> bool:
        widest = max((metrics.horizontalAdvance(label) for label in self._labels), default=0)
        return cell.width() >= FLAT_FROM or widest < cell.width() - 4

    # Drawing

    def paint(
        self,
        painter: QPainter,
        area: QRect,
        head: QSize,
        offset: QPoint,
        cell: QSize,
        options: MatrixOptions,
        theme: Theme,
    ) -> None:
        """Draw the part of the matrix in `area`, scrolled by `offset`; `head` does not scroll."""
        inside = area.adjusted(head.width(), head.height(), 0, 0)
        rows = _visible(offset.y(), inside.height(), cell.height(), len(self._labels))
        columns = _visible(offset.x(), inside.width(), cell.width(), len(self._labels))
        origin = inside.topLeft() - offset
        painter.save()
        painter.setClipRect(inside)
        self._paint_cells(painter, origin, rows, columns, cell, options, theme)
        if _least(cell) >= NUMBERS_FROM:
            self._paint_numbers(painter, origin, rows, columns, cell, options, theme)
        painter.restore()
        self._paint_labels(painter, area, head, origin, rows, columns, cell, theme)

    def _paint_cells(
        self,
        painter: QPainter,
        origin: QPoint,
        rows: range,
        columns: range,
        cell: QSize,
        options: MatrixOptions,
        theme: Theme,
    ) -> None:
        colours = self._colour_table(options, theme)[
            rows.start : rows.stop, columns.start : columns.stop
        ]
        if not colours.size:
            return
        data = np.ascontiguousarray(colours)
        image = QImage(
            data.data, data.shape[1], data.shape[0], data.strides[0], QImage.Format.Format_RGB888
        )
        left = origin.x() + columns.start * cell.width()
        top = origin.y() + rows.start * cell.height()
        size = QSize(len(columns) * cell.width(), len(rows) * cell.height())
        painter.drawImage(QRect(QPoint(left, top), size), image)
        if _least(cell) >= GAPS_FROM:
            self._paint_gaps(painter, QPoint(left, top), rows, columns, cell, theme)

    @staticmethod
    def _paint_gaps(
        painter: QPainter, at: QPoint, rows: range, columns: range, cell: QSize, theme: Theme
    ) -> None:
        gap = 2 if _least(cell) >= 2 * GAPS_FROM else 1
        wide, high = len(columns) * cell.width(), len(rows) * cell.height()
        for i in range(len(columns) + 1):
            left = at.x() + i * cell.width() - gap // 2
            painter.fillRect(left, at.y(), gap, high, theme.surface)
        for i in range(len(rows) + 1):
            top = at.y() + i * cell.height() - gap // 2
            painter.fillRect(at.x(), top, wide, gap, theme.surface)

    def _paint_numbers(
        self,
        painter: QPainter,
        origin: QPoint,
        rows: range,
        columns: range,
        cell: QSize,
        options: MatrixOptions,
        theme: Theme,
    ) -> None:
        colours = self._colour_table(options, theme)
        painter.setFont(
            sized(painter.font(), TEXT_PIXELS if _least(cell) >= 34 else CAPTION_PIXELS - 2)
        )
        for row in rows:
            for column in columns:
                count = int(self._counts[row, column])
                relabelled = self.relabelled(row, column)
                if not count and not relabelled:
                    continue
                box = QRect(_corner_of(origin, row, column, cell), cell)
                under = QColor(*colours[row, column].tolist())
                painter.setPen(readable_on(theme, under))
                text = _share(self._shares[row, column]) if options.percent else str(count)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
                if relabelled:
                    _corner(painter, box, readable_on(theme, under))

    def _paint_labels(
        self,
        painter: QPainter,
        area: QRect,
        head: QSize,
        origin: QPoint,
        rows: range,
        columns: range,
        cell: QSize,
        theme: Theme,
    ) -> None:
        painter.save()
        font = sized(painter.font(), _label_pixels(cell))
        painter.setFont(font)
        metrics = QFontMetrics(font)
        painter.setPen(theme.text)
        every = max(1, -(-LABELS_FROM // _least(cell)))  # labels that would overlap are left out
        side = QRect(area.left() + AXIS, area.top(), head.width() - AXIS, area.height())
        painter.setClipRect(side.adjusted(0, head.height(), 0, 0))
        room = head.width() - AXIS - 2 * PAD
        for row in range(rows.start - rows.start % every, rows.stop, every):
            top = origin.y() + row * cell.height()
            box = QRect(side.left() + PAD, top, room, max(cell.height(), LABELS_FROM))
            text = metrics.elidedText(self._labels[row], Qt.TextElideMode.ElideMiddle, room)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.setClipRect(area.adjusted(head.width(), 0, 0, 0))
        for column in range(columns.start - columns.start % every, columns.stop, every):
            left = origin.x() + column * cell.width()
            self._column_text(painter, metrics, column, left, area.top(), head, cell)
        painter.restore()
        self._paint_axes(painter, area, head, theme)

    def _column_text(
        self,
        painter: QPainter,
        metrics: QFontMetrics,
        column: int,
        left: int,
        top: int,
        head: QSize,
        cell: QSize,
    ) -> None:
        label = self._labels[column]
        if self._flat(metrics, cell):
            text = metrics.elidedText(label, Qt.TextElideMode.ElideMiddle, cell.width() - 4)
            box = QRect(left, top + AXIS, cell.width(), head.height() - AXIS - PAD // 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
            return
        room = head.height() - AXIS - 2 * PAD
        text = metrics.elidedText(label, Qt.TextElideMode.ElideMiddle, room)
        painter.save()
        painter.translate(left + max(cell.width(), LABELS_FROM) / 2, top + head.height() - PAD)
        painter.rotate(-90)
        box = QRect(0, -metrics.height() // 2, room, metrics.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    def _paint_axes(self, painter: QPainter, area: QRect, head: QSize, theme: Theme) -> None:
        painter.save()
        painter.setFont(sized(painter.font(), CAPTION_PIXELS))
        painter.setPen(theme.muted)
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        across = QRect(area.left() + head.width(), area.top(), 200, AXIS)
        painter.drawText(across, flags, self.axes[1])
        painter.translate(area.left(), area.top() + head.height())
        painter.rotate(-90)
        painter.drawText(
            QRect(-200, 0, 200, AXIS),
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
            self.axes[0],
        )
        painter.restore()

    @staticmethod
    def ring(painter: QPainter, rect: QRect, colour: QColor, strong: bool) -> None:
        """Draw the frame of the cell that is hovered or selected."""
        painter.setPen(QPen(colour, 2 if strong else 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(rect).adjusted(-0.5, -0.5, 0.5, 0.5))

    # Colours

    def _colour_table(self, options: MatrixOptions, theme: Theme) -> Rgb:
        cached = self._colours
        if cached is None or cached[:2] != (options.single_scale, theme.dark):
            cached = (
                options.single_scale,
                theme.dark,
                matrix_colours(self._counts, options.single_scale, theme),
            )
            self._colours = cached
        return cached[2]


def _visible(offset: int, room: int, cell: int, classes: int) -> range:
    first = max(0, offset // cell)
    return range(first, max(first, min(classes, (offset + max(0, room)) // cell + 1)))


def _least(cell: QSize) -> int:
    return min(cell.width(), cell.height())


def _corner_of(origin: QPoint, row: int, column: int, cell: QSize) -> QPoint:
    return origin + QPoint(column * cell.width(), row * cell.height())


def _label_pixels(cell: QSize) -> int:
    return TEXT_PIXELS if _least(cell) >= 18 else CAPTION_PIXELS - 2


def _share(share: float) -> str:
    if share in (0.0, 1.0):
        return f"{share * 100:.0f}"
    return f"{share * 100:.1f}"


def _corner(painter: QPainter, box: QRect, colour: QColor) -> None:
    """Draw the mark of a cell with images that were relabelled since training."""
    size = max(5, min(9, box.height() // 5))
    right, top = box.right() - 1, box.top() + 2
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(
        QPolygon([QPoint(right - size, top), QPoint(right, top), QPoint(right, top + size)])
    )
    painter.restore()
