"""The header of the Images page: counts, active label set, sort order and thumbnail size."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSlider, QToolButton

from workbench.app.session import Session
from workbench.domain.images import Sort
from workbench.domain.labels import Subject
from workbench.domain.text import plural, tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import PageHeader
from workbench.ui.parts.tile_view import LARGEST, SMALLEST


class ImagesHeader(PageHeader):
    """Title and controls; the page connects their signals."""

    sort_changed = Signal()
    set_changed = Signal(str)

    def __init__(self, title: str, session: Session) -> None:
        super().__init__(title)
        self._session = session
        self.counts = PlainLabel()
        self.counts.setProperty("role", "muted")
        self.skipped = QPushButton()
        self.skipped.setFlat(True)
        self.sets = QComboBox()
        self.sets.setToolTip(tr("Label set whose labels the keys assign"))
        self.order = QComboBox()
        self.order.setToolTip(tr("Sort order"))
        for sort, title in (
            (Sort.NAME, tr("by name")),
            (Sort.ADDED, tr("by import")),
            (Sort.CATEGORY, tr("by category")),
            (Sort.UNCERTAINTY, tr("by uncertainty")),
            (Sort.DISAGREEMENT, tr("by disagreement")),
        ):
            self.order.addItem(title, sort)
        self.reverse = QToolButton()
        self.reverse.setCheckable(True)
        self.reverse.setIcon(icon("sort-ascending", self))
        self.reverse.setIconSize(QSize(20, 20))
        self.reverse.setToolTip(tr("Reverse sort order"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(SMALLEST, LARGEST)
        self.slider.setValue(160)
        self.slider.setMinimumWidth(48)
        self.slider.setMaximumWidth(112)
        self.slider.setToolTip(tr("Thumbnail size (Ctrl+wheel)"))
        self.add(self.counts, self.skipped)
        self.stretch()
        caption = QLabel(tr("Label set"))
        caption.setProperty("role", "muted")
        self.add(caption)
        self.fill_sets()
        self.add_choices(self.sets, self.order)
        self.add(self.reverse, self.slider)
        self._connect()

    def _connect(self) -> None:
        self.order.currentIndexChanged.connect(lambda _: self.sort_changed.emit())
        self.reverse.toggled.connect(self._show_direction)
        self.sets.currentTextChanged.connect(self.set_changed)

    def _show_direction(self, descending: bool) -> None:
        self.reverse.setIcon(icon("sort-descending" if descending else "sort-ascending", self))
        self.sort_changed.emit()

    @property
    def sort(self) -> Sort:
        """The selected sort order."""
        return Sort(self.order.currentData())

    @property
    def descending(self) -> bool:
        """Whether the sort order is reversed."""
        return self.reverse.isChecked()

    @property
    def label_set(self) -> str:
        """Name of the active label set, whose labels the keys assign."""
        return self.sets.currentText()

    def set_sort(self, sort: Sort, descending: bool) -> None:
        """Show a sort order without emitting `sort_changed`."""
        for widget in (self.order, self.reverse):
            widget.blockSignals(True)
        self.order.setCurrentIndex(self.order.findData(sort))
        self.reverse.setChecked(descending)
        self.reverse.setIcon(icon("sort-descending" if descending else "sort-ascending", self))
        for widget in (self.order, self.reverse):
            widget.blockSignals(False)

    def fill_sets(self) -> None:
        """List the label sets of images; "view" is selected at first."""
        chosen = self.sets.currentText() or "view"
        sets = self._session.labels.sets().values()
        names = [s.name for s in sets if s.subject is Subject.IMAGE]
        self.sets.blockSignals(True)
        self.sets.clear()
        self.sets.addItems(names)
        self.sets.setCurrentIndex(max(0, self.sets.findText(chosen)))
        self.sets.blockSignals(False)

    def show_counts(self, shown: int, total: int, selected: int) -> None:
        """Show how many of all images are listed, and how many of them are selected."""
        parts = [
            plural(total, "{shown:,} of {n:,} image", "{shown:,} of {n:,} images", shown=shown)
        ]
        if selected > 1:
            parts.append(plural(selected, "{n:,} selected", "{n:,} selected"))
        self.counts.setText(" · ".join(parts) if total else "")

    def show_skipped(self) -> None:
        """Show the button for skipped files if imports skipped any."""
        skipped = sum(source.skipped for source in self._session.images.sources())
        self.skipped.setVisible(bool(skipped))
        self.skipped.setText(plural(skipped, "{n:,} skipped file", "{n:,} skipped files"))

    def restore(self, state: dict[str, Any]) -> None:
        """Restore sort order, thumbnail size and label set from a saved state."""
        sorts = {sort.value for sort in Sort}
        if state.get("sort") in sorts:
            self.set_sort(Sort(state["sort"]), bool(state.get("descending")))
        if isinstance(state.get("size"), int):
            self.slider.setValue(state["size"])
        at = self.sets.findText(str(state.get("set", "")))
        if at >= 0:
            self.sets.setCurrentIndex(at)
