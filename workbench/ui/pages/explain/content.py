"""The content of the Explain page below its header: pair, filmstrip, wall and side panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from workbench.app.explain.explanations import Explanations
from workbench.app.images.pixel_reader import PixelReader, PixelRequest, Pixels
from workbench.app.results.run_images import RunImage, RunImages
from workbench.domain.geometry import Rect
from workbench.domain.requests import Heat
from workbench.domain.text import tr
from workbench.ui.look.markup import plain_text
from workbench.ui.page import Context
from workbench.ui.pages.explain.side import ExplainSide
from workbench.ui.pages.explain.views import ExplainViews, HeatTiles, RunTiles, layer_text
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.image_grid import ImageGrid
from workbench.ui.parts.side import with_side

LONGEST = 1600  # upper limit of a shown image's longer side, in pixels


class ExplainStage(ExplainViews):
    """The pair for one row of a run, with a thumbnail until the image is decoded."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._images: RunImages | None = None
        self._row: int | None = None
        self._reader = self._new_reader()

    def _new_reader(self) -> PixelReader:
        reader = PixelReader(12, self)
        reader.ready.connect(self._show_pixels)
        return reader

    def open(self, images: RunImages) -> None:
        """Switch to the rows of another run."""
        self._reader.close()
        self._reader = self._new_reader()
        self._images, self._row = images, None

    def show_rows(self, rows: Sequence[int]) -> None:
        """Show the first of these rows and decode the others ahead."""
        if self._images is None or not rows:
            return
        shown = self._images.images(rows)
        current = next((image for image in shown if image.row == rows[0]), None)
        if current is None:
            return
        if current.row != self._row:
            self._row = current.row
            self.overlay.show_heat(None)
            self.show_image(self._available_pixels(current), (current.width, current.height))
            self._show_name(current)
        self._reader.request([_pixel_request(image) for image in shown])

    def _available_pixels(self, image: RunImage) -> Pixels | None:
        pixels = self._reader.get(image.row)
        if pixels is None and image.crop is None:
            return self._context.thumbnails.get(image.image)
        return pixels

    def _show_name(self, image: RunImage) -> None:
        text = image.name
        if image.truth:
            text = tr("{image}  ·  true label {label}").format(image=image.name, label=image.truth)
        self.name.setText(text)
        self.name.setToolTip(plain_text(image.input.path))

    def show_heat(self, heat: Heat | None, layer: str) -> None:
        """Show the heatmap of the row, None while it is computed."""
        self.overlay.show_heat(heat)
        if heat is None:
            self.heat_title.setText(tr("Explaining…"))
            return
        parts = (f"{heat.label} {heat.score:.2f}", layer)
        self.heat_title.setText("  ·  ".join(part for part in parts if part))

    def _show_pixels(self, row: int, pixels: Pixels) -> None:
        if row == self._row:
            for view in (self.original, self.overlay):
                view.show_array(pixels, view.image_size)

    def close_reader(self) -> None:
        """Stop the decoding thread."""
        self._reader.close()


def _pixel_request(image: RunImage) -> PixelRequest:
    box = image.input.box
    rect = Rect(*box) if box is not None else None
    return PixelRequest(image.row, Path(image.input.path), LONGEST, rect)


_STRIP, _TILE = 112, 200


class ExplainContent(QStackedWidget):
    """A run's images and heatmaps, or an empty state if there is no run."""

    def __init__(self, context: Context, explanations: Explanations) -> None:
        super().__init__()
        self._explanations = explanations
        self.stage = ExplainStage(context)
        self.side = ExplainSide()
        self.tiles = RunTiles(context)
        self.strip = ImageGrid(self.tiles, strip=True)
        self.wall_tiles = HeatTiles(context, explanations)
        self.wall = ImageGrid(self.wall_tiles)
        self.strip.setFixedHeight(_STRIP)
        self.strip.setAccessibleName(tr("Images"))
        self.wall.set_tile_size(_TILE)
        self.wall.setAccessibleName(tr("Wall"))
        single = QWidget()
        column = QVBoxLayout(single)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.stage, 1)
        column.addWidget(self.strip)
        self.nothing = EmptyState("image", tr("No images match these filters."))
        self.modes = QStackedWidget()
        for widget in (single, self.wall, self.nothing):
            self.modes.addWidget(widget)
        self.splitter: QSplitter = with_side(self.modes, self.side)
        self.empty = EmptyState(
            "magnifying-glass",
            tr("Train a run first, then see which regions of an image it uses for each label."),
            tr("Train"),
            lambda: context.go("train"),
        )
        self.addWidget(self.splitter)
        self.addWidget(self.empty)
        self.side.opacity_changed.connect(self._set_opacity)
        self.side.heat_hidden_changed.connect(self.set_heat_hidden)

    def open(self, images: RunImages) -> None:
        """Switch to the rows of another run."""
        self.tiles.open(images)
        self.wall_tiles.open(images)
        self.stage.open(images)

    def show_rows(self, rows: NDArray[np.int64], keep: bool) -> None:
        """Show these rows in filmstrip and wall; `keep` keeps the current row and position."""
        for grid in (self.strip, self.wall):
            grid.set_ids(rows, keep_position=keep)
            if len(rows) and (grid.current() is None or not keep):
                grid.set_current(int(rows[0]))

    def show_mode(self, wall: bool) -> None:
        """Show one image or the wall, or the empty state if there are no images."""
        empty = len(self.strip.ids()) == 0
        self.modes.setCurrentIndex(2 if empty else 1 if wall else 0)
        self.side.show_single(not wall)
        self.tiles.set_active(not wall and self.isVisible())
        self.wall_tiles.set_active(wall and self.isVisible())
        if wall:
            self.wall.viewport().update()

    def show_map(self, row: int) -> None:
        """Show what is known of a row: heatmap, scores and check, or why it cannot be read."""
        found = self._explanations
        if found.images is None:
            return
        heat, reason = found.heat(row), found.unread_reason(row)
        target = found.images.record.labels.target.name
        self.stage.show_heat(heat, layer_text(found.layer_title))
        self.side.show_scores(found.images.scores(row), heat)
        self.side.show_explained(heat, found.query.label_set or target)
        if reason:
            self.show_reason(tr(reason))
        else:
            self.side.show_trust(heat)

    def show_reason(self, text: str) -> None:
        """Show why there is no heatmap."""
        self.stage.heat_title.clear()
        self.side.show_reason(text)

    def redraw_wall(self) -> None:
        """Redraw the wall after the query changed."""
        self.wall.redraw_image()
        self.wall_tiles.request_again()

    def forget(self) -> None:
        """Drop cached images after images or crops changed."""
        self.tiles.forget()
        self.wall_tiles.forget()

    def deactivate(self) -> None:
        """Stop all requests while the page is hidden, and show the heatmaps again."""
        self.set_heat_hidden(False)
        self.tiles.set_active(False)
        self.wall_tiles.set_active(False)

    def close_readers(self) -> None:
        """Stop the decoding threads."""
        self.deactivate()
        self.stage.close_reader()
        self.tiles.close()
        self.wall_tiles.close()

    def set_heat_hidden(self, hidden: bool) -> None:
        """Hide or show the heatmaps of the pair and of the wall."""
        if hidden != self.stage.overlay.heat_hidden:
            self.stage.overlay.set_heat_hidden(hidden)
            self.wall_tiles.heat_hidden = hidden
            self.wall.redraw_image()

    def _set_opacity(self, opacity: float) -> None:
        self.stage.overlay.set_opacity(opacity)
        self.wall_tiles.opacity = opacity
        self.wall.redraw_image()
