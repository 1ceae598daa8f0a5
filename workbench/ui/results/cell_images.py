"""The images behind a number: seen beside it, relabelled by key, undone, explained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from workbench.app.labels.relabelling import CurrentLabels
from workbench.app.results.results import RunResults
from workbench.ui.page import Context
from workbench.ui.results.tiles import ResultTiles
from workbench.ui.tiles.grid import ImageGrid

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
        self.grid.setAccessibleName(self.tr("Images of the chosen cell"))
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
            self.tr(
                "Give this label to the selected images; 1–9 and the labels' own keys do it too"
            )
        )
        self.label.setAccessibleName(self.tr("Label of the selected images"))
        self.label.activated.connect(self._picked)
        self.explain_button = QPushButton(self.tr("Explain these"))
        self.explain_button.setToolTip(self.tr("Show what the network looked at (Enter)"))
        self.explain_button.clicked.connect(self.explain)
        self.undo_button = QPushButton(self.tr("Undo"))
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
        hint = QLabel(self.tr("Click a number to see its images."))
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
            self.label.addItem(self.tr("Label as…"))
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
        undo = self._context.op.store.history.undo_text()
        self.undo_button.setEnabled(undo is not None)
        self.undo_button.setToolTip(undo or self.tr("Nothing to undo"))
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
            parts.append(self.tr("{n} selected").format(n=chosen))
        elif known is not None:
            parts.append(known.name)
        if self._labels is not None and len(self.grid.ids()):
            moved = int(self._labels.moved()[self.grid.ids()].sum())
            if moved:
                parts.append(self.tr("{n} labelled otherwise since").format(n=moved))
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
        self._context.op.undo()
        self.grid.setFocus()
