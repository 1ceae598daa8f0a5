"""The line at the top of the Images page: counts, label set of the keys, order and size."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSlider, QToolButton

from workbench.app.session import Session
from workbench.domain.images import Sort
from workbench.domain.labels import Subject
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.page import PageHeader
from workbench.ui.parts.tile_view import LARGEST, SMALLEST


class ImagesHeader(PageHeader):
    """Title and controls; the page listens to its signals."""

    sort_changed = Signal()
    set_changed = Signal(str)

    def __init__(self, title: str, session: Session) -> None:
        super().__init__(title)
        self._op = session
        self.counts = QLabel()
        self.counts.setProperty("role", "muted")
        self.skipped = QPushButton()
        self.skipped.setFlat(True)
        self.sets = QComboBox()
        self.sets.setToolTip(tr("The label set that keys give labels of"))
        self.order = QComboBox()
        self.order.setToolTip(tr("Order"))
        for sort, words in (
            (Sort.NAME, tr("by name")),
            (Sort.ADDED, tr("by import")),
            (Sort.CATEGORY, tr("by category")),
            (Sort.UNCERTAINTY, tr("by uncertainty")),
            (Sort.DISAGREEMENT, tr("by disagreement")),
        ):
            self.order.addItem(words, sort)
        self.way = QToolButton()
        self.way.setCheckable(True)
        self.way.setIcon(icon("sort-ascending", self))
        self.way.setIconSize(QSize(20, 20))
        self.way.setToolTip(tr("Turn the order round"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(SMALLEST, LARGEST)
        self.slider.setValue(160)
        self.slider.setMinimumWidth(48)
        self.slider.setMaximumWidth(112)
        self.slider.setToolTip(tr("Thumbnail size (Ctrl+wheel)"))
        self.add(self.counts, self.skipped)
        self.stretch()
        keys = QLabel(tr("Keys label"))
        keys.setProperty("role", "muted")
        self.add(keys)
        self.fill_sets()
        self.add_choices(self.sets, self.order)
        self.add(self.way, self.slider)
        self._connect()

    def _connect(self) -> None:
        self.order.currentIndexChanged.connect(lambda _: self.sort_changed.emit())
        self.way.toggled.connect(self._turned)
        self.sets.currentTextChanged.connect(self.set_changed)

    def _turned(self, down: bool) -> None:
        self.way.setIcon(icon("sort-descending" if down else "sort-ascending", self))
        self.sort_changed.emit()

    @property
    def sort(self) -> Sort:
        """The chosen order."""
        return Sort(self.order.currentData())

    @property
    def descending(self) -> bool:
        """Whether the order is turned round."""
        return self.way.isChecked()

    @property
    def label_set(self) -> str:
        """The label set of the keys."""
        return self.sets.currentText()

    def set_sort(self, sort: Sort, descending: bool) -> None:
        """Show an order without telling of it."""
        for widget in (self.order, self.way):
            widget.blockSignals(True)
        self.order.setCurrentIndex(self.order.findData(sort))
        self.way.setChecked(descending)
        self.way.setIcon(icon("sort-descending" if descending else "sort-ascending", self))
        for widget in (self.order, self.way):
            widget.blockSignals(False)

    def fill_sets(self) -> None:
        """List the label sets of images; "view" is chosen first."""
        chosen = self.sets.currentText() or "view"
        sets = self._op.labels.sets().values()
        names = [s.name for s in sets if s.subject is Subject.IMAGE]
        self.sets.blockSignals(True)
        self.sets.clear()
        self.sets.addItems(names)
        self.sets.setCurrentIndex(max(0, self.sets.findText(chosen)))
        self.sets.blockSignals(False)

    def say_counts(self, shown: int, total: int, selected: int) -> None:
        """How many of how many, and how many are selected."""
        text = tr("{0:,} of {1:,} images").format(shown, total)
        if selected > 1:
            text += " · " + tr("{0:,} selected").format(selected)
        self.counts.setText(text if total else "")

    def show_skipped(self) -> None:
        """A button where imports left files out."""
        skipped = sum(source.skipped for source in self._op.images.sources())
        self.skipped.setVisible(bool(skipped))
        self.skipped.setText(tr("{0:,} skipped files").format(skipped))

    def restore(self, state: dict[str, Any]) -> None:
        """Order, size and label set as they were."""
        sorts = {sort.value for sort in Sort}
        if state.get("sort") in sorts:
            self.set_sort(Sort(state["sort"]), bool(state.get("descending")))
        if isinstance(state.get("size"), int):
            self.slider.setValue(state["size"])
        at = self.sets.findText(str(state.get("set", "")))
        if at >= 0:
            self.sets.setCurrentIndex(at)
