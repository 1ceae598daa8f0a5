"""The left side of the Mouths page: the queues, and the images of one of them as tiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QVBoxLayout, QWidget

from workbench.app.images.pixel_reader import PixelReader, PixelRequest
from workbench.app.mouths.mouth_queues import MouthQueues
from workbench.domain.crops import Crop, CropState, Queue
from workbench.domain.geometry import Rect
from workbench.domain.images import ImageRow
from workbench.domain.text import tr
from workbench.ui.look.markup import plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, LIGHT, RADIUS, Theme, sized, text_on
from workbench.ui.page import Context
from workbench.ui.parts.image_grid import ImageGrid
from workbench.ui.parts.image_view import to_qimage
from workbench.ui.parts.tiles import Badge, Tiles, badge

_ROW = 26


@dataclass(frozen=True)
class QueueEntry:
    """One queue of images; `label` is the position of a label for LABELLED, -1 otherwise."""

    queue: Queue
    title: str
    tip: str
    label: int = -1
    letter: str = ""
    colour: QColor | None = None

    @property
    def key(self) -> tuple[Queue, int]:
        """What identifies the entry: the queue, and its label."""
        return self.queue, self.label


def queue_entries(queues: MouthQueues) -> list[QueueEntry]:
    """The entries of the queue list: the fixed queues, then one per expression."""
    entries = [
        QueueEntry(Queue.ALL, tr("All images"), tr("All images of the project")),
        QueueEntry(Queue.UNSEEN, tr("Not searched"), tr("Not searched for mouths yet")),
        QueueEntry(Queue.REVIEW, tr("To review"), tr("With a mouth to accept or label")),
        QueueEntry(Queue.MISSED, tr("Missed"), tr("No mouth found: draw its box by hand")),
        QueueEntry(Queue.SEVERAL, tr("Several faces"), tr("With more than one mouth")),
        QueueEntry(Queue.REJECTED, tr("Rejected"), tr("With a rejected mouth box")),
        QueueEntry(Queue.UNLABELLED, tr("Unlabelled"), tr("With an unlabelled mouth")),
    ]
    label_set = queues.label_set
    if label_set is not None:
        for at, name in enumerate(label_set.names):
            letter, colour = badge(label_set, name)
            tip = tr("With a mouth labelled “{label}”").format(label=name)
            entries.append(QueueEntry(Queue.LABELLED, name, tip, at, letter, colour))
    return entries


def empty_text(queues: MouthQueues, queue: Queue) -> tuple[str, str]:
    """The text for a queue without images, and that of the button below it ("": none)."""
    if not queues.images:
        return tr("Import images to find mouths in them."), tr("Import images")
    if queue is Queue.UNSEEN:
        return tr("All images have been searched."), ""
    if not queues.searched:
        return tr("No mouths yet. Find them in all images, on all CPU cores."), tr("Find mouths")
    if queue is Queue.REVIEW:
        return tr("All mouths are reviewed."), ""
    if queue is Queue.UNLABELLED:
        return tr("All mouths are labelled."), ""
    return tr("No images in this queue."), ""


class MouthQueueRow(QAbstractButton):
    """A button with the name of a queue and the number of its images."""

    def __init__(self, entry: QueueEntry) -> None:
        super().__init__()
        self.entry = entry
        self._count = 0
        self.setText(entry.title)
        self.setToolTip(plain_text(entry.tip))
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(_ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def count(self) -> int:
        """Number of images of the queue as shown."""
        return self._count

    def set_count(self, count: int) -> None:
        """Show the number of images."""
        if count != self._count:
            self._count = count
            self.setAccessibleName(f"{self.text()}: {count}")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, _ROW)

    def paintEvent(self, _event: QPaintEvent) -> None:
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
        self._paint_text(painter, theme)
        painter.end()

    def shown_title(self, room: int) -> str:
        """The name, elided to `room` pixels; the tooltip has the whole one."""
        metrics = QFontMetrics(sized(self.font(), 13, bold=self.isChecked()))
        return metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, room)

    def _paint_text(self, painter: QPainter, theme: Theme) -> None:
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
        painter.drawText(
            place, middle | Qt.AlignmentFlag.AlignLeft, self.shown_title(place.width())
        )
        painter.setFont(sized(self.font(), 12))
        painter.setPen(theme.text if self._count else theme.line)
        place = QRect(0, 0, self.width() - 10, _ROW)
        painter.drawText(place, middle | Qt.AlignmentFlag.AlignRight, f"{self._count:,}")


class MouthQueue(QWidget):
    """Queues with their counts above a grid of mouths; `queue_chosen(Queue, label position)` is
    emitted when one is clicked."""

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
        self.grid.setAccessibleName(tr("Images of this queue"))
        column.addWidget(self.grid, 1)
        self._group = QButtonGroup(self)
        self._rows: dict[tuple[Queue, int], MouthQueueRow] = {}

    def set_entries(self, entries: list[QueueEntry]) -> None:
        """List these queues in this order."""
        for row in self._rows.values():
            self._group.removeButton(row)
            row.hide()
            row.deleteLater()
        self._rows = {}
        for entry in entries:
            row = MouthQueueRow(entry)
            row.clicked.connect(lambda _=False, e=entry: self.queue_chosen.emit(e.queue, e.label))
            self._group.addButton(row)
            (self._labels if entry.label >= 0 else self._plain).addWidget(row)
            self._rows[entry.key] = row

    def rows(self) -> dict[tuple[Queue, int], MouthQueueRow]:
        """The row of each queue."""
        return dict(self._rows)

    def show_counts(self, counts: dict[tuple[Queue, int], int]) -> None:
        """Show the number of images of each queue; 0 for queues not in `counts`."""
        for key, row in self._rows.items():
            row.set_count(counts.get(key, 0))

    def choose(self, queue: Queue, label: int = -1) -> None:
        """Mark a queue as the current one."""
        row = self._rows.get((queue, label))
        if row is not None:
            row.setChecked(True)

    def show_ids(self, ids: NDArray[np.int64], keep_position: bool) -> None:
        """Show the images of the current queue."""
        self.grid.set_ids(ids, keep_position)

    def position(self, image: int | None) -> int:
        """The position of an image in the queue, from 0; -1 if it is not in it."""
        found = np.flatnonzero(self.grid.ids() == image)
        return int(found[0]) if len(found) else -1

    def neighbour(self, image: int | None, by: int) -> int | None:
        """The image `by` positions after `image`; None beyond the ends."""
        ids, at = self.grid.ids(), self.position(image) + by
        return int(ids[at]) if 0 <= at < len(ids) else None

    def around(self, image: int) -> list[int]:
        """The next two images and the previous one, to be read ahead."""
        near = (self.neighbour(image, by) for by in (1, 2, -1))
        return [neighbour for neighbour in near if neighbour is not None]


LONGEST = 160  # pixels; tiles are smaller than that at any usual screen scale
CACHED = 1500  # crops of mouths


class MouthTiles(Tiles):
    """Tiles of images; each shows the largest mouth that is not rejected."""

    def __init__(self, context: Context, queues: MouthQueues) -> None:
        super().__init__()
        self._context, self._queues = context, queues
        self.end_with(context.session)
        self._rows: dict[int, ImageRow] = {}
        self._crops: dict[int, list[Crop]] = {}
        self._labels: dict[int, tuple[str, ...]] = {}
        self._reader = PixelReader(CACHED, self)
        self._reader.ready.connect(self._mouth_ready)
        context.thumbnails.ready.connect(self._thumbnail_ready)

    def close(self) -> None:
        """End the thread that decodes images."""
        self._reader.close()

    def forget(self, ids: Iterable[int] | None = None) -> None:
        """Drop cached crops and labels of these images (None: all)."""
        gone = list(self._crops) if ids is None else list(ids)
        for image in gone:
            for crop in self._crops.pop(image, []):
                self._labels.pop(crop.id or 0, None)
            self._rows.pop(image, None)
            self.ready.emit(image)
        self.altered.emit()

    def prepare(self, ids: NDArray[np.int64]) -> None:
        missing = [image for image in ids.tolist() if image not in self._crops]
        if not missing:
            return
        session = self._context.session
        found = session.crops.of_images(missing)
        for row in session.images.rows(missing):
            self._rows[row.id] = row
        for image in missing:
            self._crops[image] = sorted(found.get(image, []), key=lambda crop: crop.face)
        label_set = self._queues.label_set
        if label_set is not None:
            drawn = [c.id for image in missing for c in self._crops[image] if c.id is not None]
            self._labels.update(session.labels.of_crops(drawn, label_set.name))

    def thumbnail(self, image: int) -> QImage | None:
        crop = self._main(image)
        if crop is None:
            array = self._context.thumbnails.get(image)
            return to_qimage(array) if array is not None else None
        array = self._reader.get(_key(crop))
        if array is None:
            return None
        mode = Qt.TransformationMode.SmoothTransformation
        return to_qimage(array).scaled(LONGEST, LONGEST, Qt.AspectRatioMode.IgnoreAspectRatio, mode)

    def caption(self, image: int) -> str:
        row = self._rows.get(image)
        return row.name if row is not None else ""

    def badges(self, image: int) -> list[Badge]:
        crops = self._crops.get(image, [])
        usable = [crop for crop in crops if crop.usable]
        if not usable:
            if any(crop.state is CropState.REJECTED for crop in crops):
                return [("×", LIGHT.line)]
            return [("–", LIGHT.warn)] if crops else []
        made: list[Badge] = []
        label_set = self._queues.label_set
        names = dict.fromkeys(n for crop in usable for n in self._labels.get(crop.id or 0, ()))
        for name in names:
            if label_set is not None and name in label_set.names:
                made.append(badge(label_set, name))
        if len(usable) > 1:
            made.append((f"{len(usable)} ☺", LIGHT.muted))
        return made

    def request(self, ids: NDArray[np.int64]) -> None:
        self.prepare(ids)
        requests, without_mouth = [], []
        for image in ids.tolist():
            crop, row = self._main(image), self._rows.get(image)
            if crop is not None and row is not None:
                requests.append(PixelRequest(_key(crop), Path(row.path), LONGEST, crop.rect))
            else:
                without_mouth.append(image)
        self._reader.request(requests)
        self._context.thumbnails.request(without_mouth)

    def _main(self, image: int) -> Crop | None:
        crops = [crop for crop in self._crops.get(image, []) if crop.rect is not None]
        return next((crop for crop in crops if crop.usable), crops[0] if crops else None)

    def _mouth_ready(self, key: tuple[int, Rect | None], _: Any) -> None:
        self.ready.emit(key[0])

    def _thumbnail_ready(self, image: int, _: Any) -> None:
        if self._main(image) is None:
            self.ready.emit(image)


def _key(crop: Crop) -> tuple[int, Rect | None]:
    return crop.image, crop.rect
