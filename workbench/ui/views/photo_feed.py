"""Photographs for a stage: the current one at once, its neighbours before they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from workbench.app.images.photo_reader import PhotoReader, Pixels, Wish
from workbench.ui.page import Context
from workbench.ui.tiles.photo import PhotoView

LONGEST = 1600  # pixels of a photograph on the stage
_AHEAD, _BEHIND = 4, 1


class PhotoFeed(QObject):
    """Shows a thumbnail in the photograph's place until that is read, so that nothing waits."""

    def __init__(self, context: Context, stage: PhotoView) -> None:
        super().__init__()
        self._context, self._stage = context, stage
        self._reader = PhotoReader(kept=12, parent=self)
        self._reader.ready.connect(self._arrived)
        self._reader.failed.connect(self._failed)
        self._image: int | None = None

    def show(self, ids: NDArray[np.int64], image: int | None) -> None:
        """Show `image` of `ids`, None nothing."""
        changed, self._image = image != self._image, image
        if image is None:
            self._stage.show_array(None)
            return
        if not changed:
            return
        at = int(np.flatnonzero(ids == image)[0])
        near = ids[max(0, at - _BEHIND) : at + _AHEAD + 1].tolist()
        rows = {row.id: row for row in self._context.op.store.images.rows(near)}
        row = rows[image]
        pixels = self._reader.get(image)
        if pixels is None:
            pixels = self._context.thumbnails.get(image)
        if pixels is None:
            self._stage.show_placeholder(row.width, row.height)
        else:
            self._stage.show_array(pixels, (row.width, row.height))
        order = [image, *near[near.index(image) + 1 :], *near[: near.index(image)]]
        self._reader.want([Wish(i, Path(rows[i].path), LONGEST) for i in order if i in rows])

    def _arrived(self, image: object, pixels: Pixels) -> None:
        if image == self._image:
            self._stage.show_array(pixels, self._stage.image_size)

    def _failed(self, image: object, sentence: str) -> None:
        if image == self._image:
            self._context.notify(sentence, "warn")

    def close(self) -> None:
        """End the reading thread."""
        self._reader.close()
