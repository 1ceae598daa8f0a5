"""The images behind a number: shown as tiles, relabelled by key, undone, explained."""

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

from workbench.app.images.photo_reader import PhotoReader, PhotoRequest
from workbench.app.results.relabelling import CurrentLabels
from workbench.app.results.results import RunResults
from workbench.domain.geometry import Rect
from workbench.domain.images import ImageRow
from workbench.domain.text import mark, tr
from workbench.ui.page import Context
from workbench.ui.parts.image_grid import ImageGrid
from workbench.ui.parts.photo import to_qimage
from workbench.ui.parts.tiles import Badge, Tiles, badge

LONGEST = 256
KEPT = 600


class ResultTiles(Tiles):
    """Ids are rows of one run's prediction table; a mouth is cut out of its image."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self.end_with(context.session)
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
        wishes: list[PhotoRequest] = []
        self._shown = {}
        for row in ids.tolist():
            known = self._rows.get(row)
            if row in self._rects and known is not None:
                wishes.append(PhotoRequest(row, Path(known.path), LONGEST, self._rects[row]))
            else:
                self._shown.setdefault(int(self._results.table.images[row]), []).append(row)
        self._reader.want(wishes)
        self._context.thumbnails.want(list(self._shown))

    def _arrived(self, image: int, _: Any) -> None:
        for row in self._shown.get(image, ()):
            self.ready.emit(row)


IntArray = NDArray[np.int64]


class CellImages(QWidget):
    """`relabelled()` tells that labels were given here."""

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
        self.grid.setAccessibleName(tr("Images of the chosen cell"))
        self.grid.selection_changed.connect(self._tell)
        self.grid.activated.connect(lambda _: self.explain())
        self.title = QLabel()
        self.title.setProperty("role", "heading")
        self.title.setWordWrap(True)
        self.note = QLabel()
        self.note.setProperty("role", "caption")
        self.note.setWordWrap(True)
        self._lay_out()
        self.clear()

    def _lay_out(self) -> None:
        self.label = QComboBox()
        self.label.setToolTip(
            tr("Give this label to the selected images; 1–9 and the labels' own keys do it too")
        )
        self.label.setAccessibleName(tr("Label of the selected images"))
        self.label.activated.connect(self._picked)
        self.explain_button = QPushButton(tr("Explain these"))
        self.explain_button.setToolTip(tr("Show what the network looked at (Enter)"))
        self.explain_button.clicked.connect(self.explain)
        self.undo_button = QPushButton(tr("Undo"))
        self.undo_button.clicked.connect(self._undo)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        row.addWidget(self.undo_button)
        row.addWidget(self.explain_button)
        work = QWidget()
        column = QVBoxLayout(work)
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
        self._stack.addWidget(work)

    # What is shown

    def show_results(self, results: RunResults, labels: CurrentLabels, head: str) -> None:
        """The run whose rows will be shown, and the labels its images have now."""
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
        self._tell()

    def show_rows(self, title: str, rows: IntArray) -> None:
        """The images behind one number."""
        self.title.setText(title)
        self.grid.set_ids(rows, keep_position=False)
        if len(rows):
            self.grid.set_current(int(rows[0]))
        self._stack.setCurrentIndex(1)
        self._tell()

    def clear(self) -> None:
        """Nothing was chosen yet."""
        self.grid.set_ids(np.zeros(0, np.int64), keep_position=False)
        self._stack.setCurrentIndex(0)

    def rows(self) -> IntArray:
        """The rows that are shown."""
        return self.grid.ids()

    def _tell(self) -> None:
        undo = self._context.session.history.undo_text()
        self.undo_button.setEnabled(undo is not None)
        self.undo_button.setToolTip(tr(undo or mark("Nothing to undo")))
        chosen = self.grid.selected_count()
        self.label.setEnabled(chosen > 0)
        self.explain_button.setEnabled(len(self.grid.ids()) > 0)
        self.note.setText(self._note(chosen))

    def _note(self, chosen: int) -> str:
        parts = []
        row = self.grid.current()
        if row is not None:
            self.tiles.prepare(np.array([row]))
        known = self.tiles.image_row(row) if row is not None else None
        if chosen > 1:
            parts.append(tr("{n} selected").format(n=chosen))
        elif known is not None:
            parts.append(known.name)
        if self._labels is not None and len(self.grid.ids()):
            moved = int(self._labels.moved()[self.grid.ids()].sum())
            if moved:
                parts.append(tr("{n} labelled otherwise since").format(n=moved))
        return "  ·  ".join(parts)

    # Deeds

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
        """Label the selected images and go on to the next one."""
        rows = self.grid.selected()
        if self._labels is None or not len(rows):
            return
        self._labels.assign(rows, label)
        if len(rows) == 1:
            self.grid.move_to("right")
        self.relabelled.emit()

    def explain(self) -> None:
        """Show the selected images, or all, on the Explain page."""
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
