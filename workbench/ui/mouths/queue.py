"""The left side of the Mouths page: which images wait, and the mouths found in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QVBoxLayout, QWidget

from workbench.domain.mouth_queue import Queue
from workbench.ui.look.theme import CAPTION_PIXELS, RADIUS, Theme, sized, text_on
from workbench.ui.tiles.grid import ImageGrid
from workbench.ui.tiles.tiles import Tiles

_ROW = 26


@dataclass(frozen=True)
class QueueEntry:
    """One list of images: `label` is a label's position for LABELLED, -1 otherwise."""

    queue: Queue
    title: str
    tip: str
    label: int = -1
    letter: str = ""
    colour: QColor | None = None

    @property
    def key(self) -> tuple[Queue, int]:
        return self.queue, self.label


class QueueRow(QAbstractButton):
    """The name of a queue and how many images wait in it."""

    def __init__(self, entry: QueueEntry) -> None:
        super().__init__()
        self.entry = entry
        self._count = 0
        self.setText(entry.title)
        self.setToolTip(entry.tip)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(_ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def count(self) -> int:
        return self._count

    def set_count(self, count: int) -> None:
        """How many images wait here."""
        if count != self._count:
            self._count = count
            self.setAccessibleName(f"{self.text()}: {count}")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, _ROW)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = Theme.of(self)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.isChecked() or self.underMouse():
            painter.setBrush(theme.hover)
            painter.drawRoundedRect(box, RADIUS, RADIUS)
        if self.hasFocus():
            painter.setPen(QPen(theme.accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        self._words(painter, theme)
        painter.end()

    def _words(self, painter: QPainter, theme: Theme) -> None:
        entry, left = self.entry, 10
        if entry.letter and entry.colour is not None:
            plate = QRectF(left, (_ROW - 16) / 2, 16, 16)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(entry.colour)
            painter.drawRoundedRect(plate, 3, 3)
            painter.setPen(text_on(entry.colour))
            painter.setFont(sized(self.font(), CAPTION_PIXELS, bold=True))
            painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, entry.letter)
            left += 24
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(sized(self.font(), 13, bold=self.isChecked()))
        painter.setPen(theme.accent if self.isChecked() else theme.text)
        place = QRect(left, 0, self.width() - left - 56, _ROW)
        painter.drawText(place, middle | Qt.AlignmentFlag.AlignLeft, self.text())
        painter.setFont(sized(self.font(), 12))
        painter.setPen(theme.text if self._count else theme.line)
        place = QRect(0, 0, self.width() - 10, _ROW)
        painter.drawText(place, middle | Qt.AlignmentFlag.AlignRight, f"{self._count:,}")


class MouthQueue(QWidget):
    """Queues with their counts above a grid of mouths; `queue_chosen(Queue, label position)`."""

    queue_chosen = Signal(object, int)

    def __init__(self, tiles: Tiles, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(200)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 4, 0, 0)
        column.setSpacing(8)
        self._plain, self._labels = QVBoxLayout(), QVBoxLayout()
        for rows in (self._plain, self._labels):
            rows.setSpacing(1)
            column.addLayout(rows)
        self.grid = ImageGrid(tiles)
        self.grid.set_tile_size(80)
        self.grid.setAccessibleName(self.tr("Images of this queue"))
        column.addWidget(self.grid, 1)
        self._group = QButtonGroup(self)
        self._rows: dict[tuple[Queue, int], QueueRow] = {}

    def set_entries(self, entries: list[QueueEntry]) -> None:
        """The queues there are, in their order."""
        for row in self._rows.values():
            self._group.removeButton(row)
            row.hide()
            row.deleteLater()
        self._rows = {}
        for entry in entries:
            row = QueueRow(entry)
            row.clicked.connect(lambda _=False, e=entry: self.queue_chosen.emit(e.queue, e.label))
            self._group.addButton(row)
            (self._labels if entry.label >= 0 else self._plain).addWidget(row)
            self._rows[entry.key] = row

    def rows(self) -> dict[tuple[Queue, int], QueueRow]:
        """The row of each queue."""
        return dict(self._rows)

    def show_counts(self, counts: dict[tuple[Queue, int], int]) -> None:
        """Images waiting in each queue."""
        for key, row in self._rows.items():
            row.set_count(counts.get(key, 0))

    def choose(self, queue: Queue, label: int = -1) -> None:
        """Mark a queue as the one shown."""
        row = self._rows.get((queue, label))
        if row is not None:
            row.setChecked(True)

    def show_ids(self, ids: NDArray[np.int64], keep_position: bool) -> None:
        """The images of the queue."""
        self.grid.set_ids(ids, keep_position)

    def position(self, image: int | None) -> int:
        """Where an image stands in the queue, from 0; -1 where it does not."""
        found = np.flatnonzero(self.grid.ids() == image)
        return int(found[0]) if len(found) else -1

    def neighbour(self, image: int | None, by: int) -> int | None:
        """The image `by` places behind `image`, None beyond the ends."""
        ids, at = self.grid.ids(), self.position(image) + by
        return int(ids[at]) if 0 <= at < len(ids) else None

    def around(self, image: int) -> list[int]:
        """The next two images and the former one, to be read ahead."""
        near = (self.neighbour(image, by) for by in (1, 2, -1))
        return [one for one in near if one is not None]
