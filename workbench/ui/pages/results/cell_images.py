"""The images behind a number, to be viewed, relabelled and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from workbench.app.images.pixel_reader import PixelReader, PixelRequest
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import RunResults
from workbench.domain.geometry import Rect
from workbench.domain.images import ImageRow
from workbench.domain.text import mark, plural, tr
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context
from workbench.ui.pages.results.section import label_names
from workbench.ui.parts.image_grid import ImageGrid
from workbench.ui.parts.image_view import to_qimage
from workbench.ui.parts.tiles import Badge, Tiles, badge

LONGEST = 256
CACHED = 600


class ResultTiles(Tiles):
    """Tiles of a run's images or mouth crops; their ids are rows of its prediction table."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.end_with(context.session)
        self._results: RunResults | None = None
        self._labels: CurrentLabels | None = None
        self._head = "target"
        self._relabelled: NDArray[np.bool_] = np.zeros(0, bool)
        self._rows: dict[int, ImageRow] = {}
        self._rects: dict[int, Rect] = {}
        self._waiting: dict[int, list[int]] = {}
        self._reader = PixelReader(CACHED, self)
        self._reader.ready.connect(lambda row, _: self.ready.emit(row))
        context.thumbnails.ready.connect(self._emit_ready)

    def show_results(self, results: RunResults, labels: CurrentLabels, head: str) -> None:
        """Switch to a run and one of its heads, with the current labels of its images."""
        if results is not self._results:
            self._rows.clear()
            self._rects.clear()
            self._reader.close()
            self._reader = PixelReader(CACHED, self)
            self._reader.ready.connect(lambda row, _: self.ready.emit(row))
        self._results, self._labels, self._head = results, labels, head
        self._relabelled = labels.relabelled()
        self.altered.emit()

    def close(self) -> None:
        """Stop the decoding thread and all requests."""
        self._results = None
        self._reader.close()

    def image_row(self, row: int) -> ImageRow | None:
        """The image of a row, None if it was not prepared or left the project."""
        return self._rows.get(row)

    def prepare(self, ids: NDArray[np.int64]) -> None:
        """Look up the images and crops of these rows."""
        results = self._results
        missing = [row for row in ids.tolist() if row not in self._rows]
        if results is None or not missing:
            return
        images = results.table.images[missing].tolist()
        found = {row.id: row for row in self._context.session.images.rows(sorted(set(images)))}
        for row, image in zip(missing, images, strict=True):
            if image in found:
                self._rows[row] = found[image]
        self._prepare_crops(missing)

    def _prepare_crops(self, rows: list[int]) -> None:
        assert self._results is not None
        crops = {int(self._results.table.crops[row]): row for row in rows}
        crops.pop(-1, None)
        for crop in self._context.session.crops.get(sorted(crops)) if crops else ():
            if crop.rect is not None and crop.id is not None:
                self._rects[crops[crop.id]] = crop.rect

    def thumbnail(self, image: int) -> QImage | None:
        """The thumbnail of a row, None if it is not decoded yet."""
        results, row = self._results, image
        if results is None:
            return None
        if row in self._rects:
            array = self._reader.get(row)
        else:
            array = self._context.thumbnails.get(int(results.table.images[row]))
        return to_qimage(array) if array is not None else None

    def caption(self, image: int) -> str:
        """The predicted label and its score."""
        if self._results is None:
            return ""
        _, scores, predicted = self._results.outputs(self._head)
        label = label_names(self._results, self._head)[predicted[image]]
        return f"{label} {scores[image, predicted[image]]:.2f}"

    def badges(self, image: int) -> list[Badge]:
        """The current label of an image if it was relabelled since the run was created."""
        labels = self._labels
        if labels is None or labels.label_set is None or not self._relabelled[image]:
            return []
        name = labels.name(image)
        return [badge(labels.label_set, name)] if name in labels.label_set.names else []

    def request(self, ids: NDArray[np.int64]) -> None:
        """Request the thumbnails of these rows."""
        self.prepare(ids)
        if self._results is None:
            return
        requests: list[PixelRequest] = []
        self._waiting = {}
        for row in ids.tolist():
            known = self._rows.get(row)
            if row in self._rects and known is not None:
                requests.append(PixelRequest(row, Path(known.path), LONGEST, self._rects[row]))
            else:
                self._waiting.setdefault(int(self._results.table.images[row]), []).append(row)
        self._reader.request(requests)
        self._context.thumbnails.request(list(self._waiting))

    def _emit_ready(self, image: int, _: Any) -> None:
        for row in self._waiting.get(image, ()):
            self.ready.emit(row)


IntArray = NDArray[np.int64]


class CellImages(QWidget):
    """The images behind a number as tiles; `relabelled()` is emitted when they are labelled."""

    relabelled = Signal()

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._results: RunResults | None = None
        self._labels: CurrentLabels | None = None
        self._shown_labels: tuple[str, ...] = ()
        self.tiles = ResultTiles(context)
        self.grid = ImageGrid(self.tiles)
        self.grid.set_tile_size(112)
        self.grid.setAccessibleName(tr("Images of the selected cell"))
        self.grid.selection_changed.connect(self._update_controls)
        self.grid.activated.connect(lambda _: self.explain())
        self.title = PlainLabel()
        self.title.setProperty("role", "heading")
        self.title.setWordWrap(True)
        self.note = PlainLabel()
        self.note.setProperty("role", "caption")
        self.note.setWordWrap(True)
        self._lay_out()
        self.clear()

    def _lay_out(self) -> None:
        self.label = QComboBox()
        self.label.setToolTip(
            tr("Label the selected images (shortcuts: 1–9 or the labels' own keys)")
        )
        self.label.setAccessibleName(tr("Label of the selected images"))
        self.label.activated.connect(self._picked)
        self.explain_button = QPushButton(tr("Explain these"))
        self.explain_button.setToolTip(tr("Show heatmaps of these images (Return)"))
        self.explain_button.clicked.connect(self.explain)
        self.undo_button = QPushButton(tr("Undo"))
        self.undo_button.clicked.connect(self._undo)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        row.addWidget(self.undo_button)
        row.addWidget(self.explain_button)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.title)
        column.addWidget(self.note)
        column.addLayout(row)
        column.addWidget(self.grid, 1)
        hint = QLabel(tr("Click a number to see its images."))
        hint.setProperty("role", "muted")
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint.setWordWrap(True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(hint)
        self._stack.addWidget(content)

    # What is shown

    def show_results(self, results: RunResults, labels: CurrentLabels, head: str) -> None:
        """Switch to a run and one of its heads, with the current labels of its images."""
        if results is not self._results:
            self.clear()
        self._results, self._labels = results, labels
        self.tiles.show_results(results, labels, head)
        names = labels.label_set.names if labels.label_set is not None else ()
        if names != self._shown_labels:
            self._shown_labels = names
            self.label.clear()
            self.label.addItem(tr("Label as…"))
            for at, label in enumerate(labels.label_set.labels if labels.label_set else ()):
                key = label.key or (str(at + 1) if at < 9 else "")
                self.label.addItem(f"{label.name}   {key}".rstrip())
        self._update_controls()

    def show_rows(self, title: str, rows: IntArray) -> None:
        """Show the images of these rows."""
        self.title.setText(title)
        self.grid.set_ids(rows, keep_position=False)
        if len(rows):
            self.grid.set_current(int(rows[0]))
        self._stack.setCurrentIndex(1)
        self._update_controls()

    def clear(self) -> None:
        """Show no images, only the hint."""
        self.grid.set_ids(np.zeros(0, np.int64), keep_position=False)
        self._stack.setCurrentIndex(0)

    def rows(self) -> IntArray:
        """The rows shown."""
        return self.grid.ids()

    def _update_controls(self) -> None:
        undo = self._context.session.history.undo_text()
        self.undo_button.setEnabled(undo is not None)
        self.undo_button.setToolTip(plain_text(tr(undo or mark("Nothing to undo"))))
        selected = self.grid.selected_count()
        self.label.setEnabled(selected > 0)
        self.explain_button.setEnabled(len(self.grid.ids()) > 0)
        self.note.setText(self._note(selected))

    def _note(self, selected: int) -> str:
        parts = []
        row = self.grid.current()
        if row is not None:
            self.tiles.prepare(np.array([row]))
        known = self.tiles.image_row(row) if row is not None else None
        if selected > 1:
            parts.append(plural(selected, "{n:,} selected", "{n:,} selected"))
        elif known is not None:
            parts.append(known.name)
        if self._labels is not None and len(self.grid.ids()):
            relabelled = int(self._labels.relabelled()[self.grid.ids()].sum())
            if relabelled:
                parts.append(plural(relabelled, "{n:,} relabelled since", "{n:,} relabelled since"))
        return "  ·  ".join(parts)

    # Actions

    def keyPressEvent(self, event: QKeyEvent) -> None:
        label_set = self._labels.label_set if self._labels is not None else None
        plain = not event.modifiers() & ~(
            Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
        )
        label = label_set.label_for_key(event.text()) if label_set and event.text() else None
        if label is None or not plain:
            event.ignore()
            return
        self.assign(label.name)

    def assign(self, label: str) -> None:
        """Label the selected images; a single one is followed by the next."""
        rows = self.grid.selected()
        if self._labels is None or not len(rows):
            return
        self._labels.assign(rows, label)
        if len(rows) == 1:
            self.grid.move_to("right")
        self.relabelled.emit()

    def explain(self) -> None:
        """Show the images on the Explain page: the selected ones if there are several, else all."""
        if self._results is None:
            return
        rows = self.grid.selected() if self.grid.selected_count() > 1 else self.grid.ids()
        ids = tuple(dict.fromkeys(self._results.table.images[rows].tolist()))
        self._context.go("explain", run=self._results.record.id, ids=ids)

    def _picked(self, at: int) -> None:
        self.label.setCurrentIndex(0)
        if at > 0:
            self.assign(self._shown_labels[at - 1])
            self.grid.setFocus()

    def _undo(self) -> None:
        self._context.session.undo()
        self.grid.setFocus()
