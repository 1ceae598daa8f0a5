"""The widgets of the Explain page in their places: pair, filmstrip, wall and side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from workbench.app.explain.explanations import Explanations
from workbench.app.images.photo_reader import PhotoReader, PhotoRequest, Pixels
from workbench.app.results.run_images import RunImage, RunImages
from workbench.domain.geometry import Rect
from workbench.domain.requests import Heat
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.pages.explain.side import ExplainSide
from workbench.ui.pages.explain.views import ExplainViews, HeatTiles, RunTiles
from workbench.ui.parts.empty import EmptyState
from workbench.ui.parts.image_grid import ImageGrid
from workbench.ui.parts.side import with_side

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
            said += "  ·  " + tr("true: {label}").format(label=image.truth)
        self.name.setText(said)
        self.name.setToolTip(image.picture.path)

    def show_heat(self, heat: Heat | None, layer: str) -> None:
        """The map of the row, None while it is being made."""
        self.overlay.show_heat(heat)
        if heat is None:
            self.what.setText(tr("explaining…"))
            return
        words = tr("{label} {score:.2f}  ·  {layer}") if layer else "{label} {score:.2f}"
        self.what.setText(words.format(label=heat.label, score=heat.score, layer=layer))

    def _arrived(self, row: int, pixels: Pixels) -> None:
        if row == self._row:
            for view in (self.original, self.overlay):
                view.show_array(pixels, view.image_size)

    def close_reader(self) -> None:
        """End the reading thread."""
        self._reader.close()


def _wish(image: RunImage) -> PhotoRequest:
    box = image.picture.box
    rect = Rect(*box) if box is not None else None
    return PhotoRequest(image.row, Path(image.picture.path), LONGEST, rect)


_STRIP, _TILE = 112, 200


class ExplainLayout(QStackedWidget):
    """What is seen of a run, or what to do where there is none yet."""

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
        self.nothing = EmptyState("image", tr("No image of this run is like that."))
        self.modes = QStackedWidget()
        for widget in (single, self.wall, self.nothing):
            self.modes.addWidget(widget)
        self.splitter: QSplitter = with_side(self.modes, self.side)
        self.empty = EmptyState(
            "magnifying-glass",
            tr("Train a run first: then see where in an image it looks, and for which label."),
            tr("Train"),
            lambda: context.go("train"),
        )
        self.addWidget(self.splitter)
        self.addWidget(self.empty)
        self.side.opacity_changed.connect(self._set_opacity)
        self.side.bare_changed.connect(self.set_bare)

    def open(self, images: RunImages) -> None:
        """The run whose rows are shown from now on."""
        self.tiles.open(images)
        self.wall_tiles.open(images)
        self.stage.open(images)

    def show_rows(self, rows: NDArray[np.int64], keep: bool) -> None:
        """These rows in the strip and on the wall; `keep` stays where a person was."""
        for grid in (self.strip, self.wall):
            grid.set_ids(rows, keep_position=keep)
            if len(rows) and (grid.current() is None or not keep):
                grid.set_current(int(rows[0]))

    def show_mode(self, wall: bool) -> None:
        """One image or all of them; a sentence where there is none."""
        there = len(self.strip.ids()) > 0
        self.modes.setCurrentIndex(2 if not there else 1 if wall else 0)
        self.side.show_single(not wall)
        self.tiles.set_active(not wall and self.isVisible())
        self.wall_tiles.set_active(wall and self.isVisible())
        if wall:
            self.wall.viewport().update()

    def show_map(self, row: int) -> None:
        """What is known of a row by now: its map, its scores, and how far it can be trusted."""
        found = self._explanations
        if found.images is None:
            return
        heat, lost = found.heat(row), found.why_unread(row)
        target = found.images.record.labels.target.name
        self.stage.show_heat(heat, found.layer_words)
        self.side.show_scores(found.images.scores(row), heat)
        self.side.show_explained(heat, found.question.label_set or target)
        if lost:
            self.show_reason(lost)
        else:
            self.side.show_trust(heat)

    def show_reason(self, sentence: str) -> None:
        """Why there is no map."""
        self.stage.what.clear()
        self.side.say(sentence)

    def draw_wall_again(self) -> None:
        """Another question is asked: other maps."""
        self.wall.forget_picture()
        self.wall_tiles.want_again()

    def forget(self) -> None:
        """Images or crops changed."""
        self.tiles.forget()
        self.wall_tiles.forget()

    def rest(self) -> None:
        """Nobody looks: lay the map down and ask for nothing."""
        self.set_bare(False)
        self.tiles.set_active(False)
        self.wall_tiles.set_active(False)

    def close_readers(self) -> None:
        """End the reading threads."""
        self.rest()
        self.stage.close_reader()
        self.tiles.close()
        self.wall_tiles.close()

    def set_bare(self, bare: bool) -> None:
        """Lift the maps, of the pair and of the wall, or lay them down again."""
        if bare != self.stage.overlay.bare:
            self.stage.overlay.set_bare(bare)
            self.wall_tiles.bare = bare
            self.wall.forget_picture()

    def _set_opacity(self, opacity: float) -> None:
        self.stage.overlay.set_opacity(opacity)
        self.wall_tiles.opacity = opacity
        self.wall.forget_picture()
