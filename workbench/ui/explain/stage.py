"""The photograph that is explained and its map: read aside, its neighbours before their turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.app.images.photo_reader import PhotoReader, Pixels, Wish
from workbench.app.results.run_images import RunImage, RunImages
from workbench.domain.geometry import Rect
from workbench.domain.requests import Heat
from workbench.ui.explain.views import ExplainViews
from workbench.ui.page import Context

LONGEST = 1600  # pixels of a photograph on the stage


class ExplainStage(ExplainViews):
    """Shows one row of a run; a thumbnail stands in until the photograph is read."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._images: RunImages | None = None
        self._row: int | None = None
        self._reader = self._new_reader()

    def _new_reader(self) -> PhotoReader:
        reader = PhotoReader(12, self)
        reader.ready.connect(self._arrived)
        return reader

    def open(self, images: RunImages) -> None:
        """The run whose rows are shown."""
        self._reader.close()
        self._reader = self._new_reader()
        self._images, self._row = images, None

    def show_rows(self, rows: Sequence[int]) -> None:
        """Show the first of these; the others are read for later."""
        if self._images is None or not rows:
            return
        shown = self._images.images(rows)
        current = next((image for image in shown if image.row == rows[0]), None)
        if current is None:
            return
        if current.row != self._row:
            self._row = current.row
            self.overlay.show_heat(None)
            self.show_photo(self._at_hand(current), (current.width, current.height))
            self._say(current)
        self._reader.want([_wish(image) for image in shown])

    def _at_hand(self, image: RunImage) -> Pixels | None:
        pixels = self._reader.get(image.row)
        if pixels is None and image.crop is None:
            return self._context.thumbnails.get(image.image)
        return pixels

    def _say(self, image: RunImage) -> None:
        said = image.name
        if image.truth:
            said += "  ·  " + self.tr("true: {label}").format(label=image.truth)
        self.name.setText(said)
        self.name.setToolTip(image.picture.path)

    def show_heat(self, heat: Heat | None, layer: str) -> None:
        """The map of the row, None while it is being made."""
        self.overlay.show_heat(heat)
        if heat is None:
            self.what.setText(self.tr("explaining…"))
            return
        words = self.tr("{label} {score:.2f}  ·  {layer}") if layer else "{label} {score:.2f}"
        self.what.setText(words.format(label=heat.label, score=heat.score, layer=layer))

    def _arrived(self, row: object, pixels: Pixels) -> None:
        if row == self._row:
            for view in (self.original, self.overlay):
                view.show_array(pixels, view.image_size)

    def close_reader(self) -> None:
        """End the reading thread."""
        self._reader.close()


def _wish(image: RunImage) -> Wish:
    box = image.picture.box
    rect = Rect(*box) if box is not None else None
    return Wish(image.row, Path(image.picture.path), LONGEST, rect)
