"""What a grid of a run's results shows: the image or mouth, what was predicted, and its label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from workbench.app.images.photo_reader import PhotoReader, Wish
from workbench.app.labels.relabelling import CurrentLabels
from workbench.app.results.results import RunResults
from workbench.domain.geometry import Rect
from workbench.domain.images import ImageRow
from workbench.ui.page import Context
from workbench.ui.tiles.photo import to_qimage
from workbench.ui.tiles.tiles import Badge, Tiles, badge

LONGEST = 256
KEPT = 600


class ResultTiles(Tiles):
    """Ids are rows of one run's prediction table; a mouth is cut out of its image."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.end_with(context.op)
        self._results: RunResults | None = None
        self._labels: CurrentLabels | None = None
        self._head = "target"
        self._moved: NDArray[np.bool_] = np.zeros(0, bool)
        self._rows: dict[int, ImageRow] = {}
        self._rects: dict[int, Rect] = {}
        self._shown: dict[int, list[int]] = {}
        self._reader = PhotoReader(KEPT, self)
        self._reader.ready.connect(lambda row, _: self.ready.emit(row))
        context.thumbnails.ready.connect(self._arrived)

    def show_results(self, results: RunResults, labels: CurrentLabels, head: str) -> None:
        """The run whose rows the ids are, and the labels its images have now."""
        if results is not self._results:
            self._rows.clear()
            self._rects.clear()
            self._reader.close()
            self._reader = PhotoReader(KEPT, self)
            self._reader.ready.connect(lambda row, _: self.ready.emit(row))
        self._results, self._labels, self._head = results, labels, head
        self._moved = labels.moved()
        self.altered.emit()

    def close(self) -> None:
        """End the thread that decodes, and ask the project for nothing more."""
        self._results = None
        self._reader.close()

    def image_row(self, row: int) -> ImageRow | None:
        """The image of a row that was prepared."""
        return self._rows.get(row)

    def prepare(self, ids: NDArray[np.int64]) -> None:
        results = self._results
        missing = [row for row in ids.tolist() if row not in self._rows]
        if results is None or not missing:
            return
        images = results.table.images[missing].tolist()
        found = {row.id: row for row in self._context.op.store.images.rows(sorted(set(images)))}
        for row, image in zip(missing, images, strict=True):
            if image in found:
                self._rows[row] = found[image]
        self._prepare_crops(missing)

    def _prepare_crops(self, rows: list[int]) -> None:
        assert self._results is not None
        crops = {int(self._results.table.crops[row]): row for row in rows}
        crops.pop(-1, None)
        for crop in self._context.op.store.crops.get(sorted(crops)) if crops else ():
            if crop.rect is not None and crop.id is not None:
                self._rects[crops[crop.id]] = crop.rect

    def picture(self, image: int) -> QImage | None:
        results, row = self._results, image
        if results is None:
            return None
        if row in self._rects:
            array = self._reader.get(row)
        else:
            array = self._context.thumbnails.get(int(results.table.images[row]))
        return to_qimage(array) if array is not None else None

    def caption(self, image: int) -> str:
        if self._results is None:
            return ""
        _, scores, predicted = self._results.outputs(self._head)
        label = self._results.label_list(self._head).labels[predicted[image]]
        return f"{label} {scores[image, predicted[image]]:.2f}"

    def badges(self, image: int) -> list[Badge]:
        """The label an image has now, where it is another one than the run was measured with."""
        labels = self._labels
        if labels is None or labels.label_set is None or not self._moved[image]:
            return []
        name = labels.name(image)
        return [badge(labels.label_set, name)] if name in labels.label_set.names else []

    def want(self, ids: NDArray[np.int64]) -> None:
        self.prepare(ids)
        if self._results is None:
            return
        wishes: list[Wish] = []
        self._shown = {}
        for row in ids.tolist():
            known = self._rows.get(row)
            if row in self._rects and known is not None:
                wishes.append(Wish(row, Path(known.path), LONGEST, self._rects[row]))
            else:
                self._shown.setdefault(int(self._results.table.images[row]), []).append(row)
        self._reader.want(wishes)
        self._context.thumbnails.want(list(self._shown))

    def _arrived(self, image: int, _: Any) -> None:
        for row in self._shown.get(image, ()):
            self.ready.emit(row)
