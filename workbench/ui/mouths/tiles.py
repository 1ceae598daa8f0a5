"""What the queue of the Mouths page shows for each image: its mouth, or the image where it has
none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from workbench.app.images.photo_reader import PhotoReader, Wish
from workbench.app.mouths.mouth_book import MouthBook
from workbench.domain.crops import Crop, CropState
from workbench.domain.images import ImageRow
from workbench.ui.look.theme import LIGHT
from workbench.ui.page import Context
from workbench.ui.tiles.photo import to_qimage
from workbench.ui.tiles.tiles import Badge, Tiles, badge

LONGEST = 160  # pixels; the largest tile is smaller than that at any usual scale
KEPT = 1500


class MouthTiles(Tiles):
    """Ids are of images. A tile shows the largest mouth that is not rejected."""

    def __init__(self, context: Context, book: MouthBook) -> None:
        super().__init__()
        self._context, self._book = context, book
        self.end_with(context.op)
        self._rows: dict[int, ImageRow] = {}
        self._crops: dict[int, list[Crop]] = {}
        self._labels: dict[int, str] = {}
        self._reader = PhotoReader(KEPT, self)
        self._reader.ready.connect(self._arrived)
        context.thumbnails.ready.connect(self._thumbnail_arrived)

    def close(self) -> None:
        """End the thread that decodes."""
        self._reader.close()

    def forget(self, ids: Iterable[int] | None = None) -> None:
        """Ask for these images' crops and labels anew (None: all)."""
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
        store = self._context.op.store
        found = store.crops.of_images(missing)
        for row in store.images.rows(missing):
            self._rows[row.id] = row
        for image in missing:
            self._crops[image] = sorted(found.get(image, []), key=lambda crop: crop.face)
        label_set = self._book.label_set
        if label_set is not None:
            drawn = [c.id for image in missing for c in self._crops[image] if c.id is not None]
            self._labels.update(store.labels.of_crops(drawn, label_set.name))

    def picture(self, image: int) -> QImage | None:
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
        label_set = self._book.label_set
        names = dict.fromkeys(self._labels.get(crop.id or 0, "") for crop in usable)
        for name in names:
            if label_set is not None and name in label_set.names:
                made.append(badge(label_set, name))
        if len(usable) > 1:
            made.append((f"{len(usable)} ☺", LIGHT.muted))
        return made

    def want(self, ids: NDArray[np.int64]) -> None:
        self.prepare(ids)
        wishes, whole = [], []
        for image in ids.tolist():
            crop, row = self._main(image), self._rows.get(image)
            if crop is not None and row is not None:
                wishes.append(Wish(_key(crop), Path(row.path), LONGEST, crop.rect))
            else:
                whole.append(image)
        self._reader.want(wishes)
        self._context.thumbnails.want(whole)

    def _main(self, image: int) -> Crop | None:
        crops = [crop for crop in self._crops.get(image, []) if crop.rect is not None]
        return next((crop for crop in crops if crop.usable), crops[0] if crops else None)

    def _arrived(self, key: tuple[int, object], _: Any) -> None:
        self.ready.emit(key[0])

    def _thumbnail_arrived(self, image: int, _: Any) -> None:
        if self._main(image) is None:
            self.ready.emit(image)


def _key(crop: Crop) -> tuple[int, object]:
    return crop.image, crop.rect
