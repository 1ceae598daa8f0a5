"""What the filmstrip and the wall of explanations show for each row of a run."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QImage, QPainter

from workbench.app.explain.explaining import OPACITY, caption
from workbench.app.explain.explanations import Explanations
from workbench.app.images.photo_reader import PhotoReader, Wish
from workbench.app.results.run_images import RunImage, RunImages
from workbench.domain.geometry import Rect
from workbench.ui.explain.views import heat_image, seen_rect
from workbench.ui.look.theme import label_colour
from workbench.ui.page import Context
from workbench.ui.tiles.photo import to_qimage
from workbench.ui.tiles.tiles import Badge, Tiles

LONGEST = 256
KEPT = 600
_ROWS = 4000
_WRONG = 5  # vermilion


class RunTiles(Tiles):
    """Ids are rows of a `RunImages`; a mouth is cut out of its image."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.end_with(context.op)
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
        wishes: list[Wish] = []
        self._shown = {}
        for row in ids.tolist():
            known = self._known.get(row)
            if known is None:
                continue
            if known.crop is not None and known.picture.box is not None:
                rect = Rect(*known.picture.box)
                wishes.append(Wish(row, Path(known.picture.path), LONGEST, rect))
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
