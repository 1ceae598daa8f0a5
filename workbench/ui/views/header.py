"""The head of the Views page: progress, the label set, the order, and where a key press leads."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QProgressBar

from workbench.app.open_project import OpenProject
from workbench.domain.images import Sort
from workbench.domain.labels import Subject
from workbench.ui.page import PageHeader

NEXT_OPEN, NEXT, STAY = "unlabelled", "next", "stay"


class ViewsHeader(PageHeader):
    """Title, progress and choices; the page listens to its signals."""

    set_changed = Signal(str)
    order_changed = Signal()

    def __init__(self, title: str, op: OpenProject) -> None:
        super().__init__(title)
        self._op = op
        self.words = QLabel()
        self.words.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMinimumWidth(24)
        self.bar.setMaximumWidth(140)
        self.sets, self.order, self.advance = QComboBox(), QComboBox(), QComboBox()
        self.sets.setToolTip(self.tr("The label set that keys give labels of"))
        self.order.setToolTip(self.tr("Order of the images"))
        self.order.addItem(self.tr("by name"), Sort.NAME)
        self.order.addItem(self.tr("by import"), Sort.ADDED)
        self.order.addItem(self.tr("by category"), Sort.CATEGORY)
        self.order.addItem(self.tr("most uncertain first"), Sort.UNCERTAINTY)
        self.advance.setToolTip(self.tr("What is shown after a label was given"))
        self.advance.addItem(self.tr("next unlabelled"), NEXT_OPEN)
        self.advance.addItem(self.tr("next image"), NEXT)
        self.advance.addItem(self.tr("stay here"), STAY)
        self.add(self.words, self.bar)
        self.stretch()
        self.fill_sets()
        self.add_choices(self.sets, self.order, self.advance)
        self.sets.currentTextChanged.connect(self.set_changed)
        self.order.currentIndexChanged.connect(lambda _: self.order_changed.emit())

    @property
    def label_set(self) -> str:
        """The active label set."""
        return self.sets.currentText()

    @property
    def sort(self) -> Sort:
        """The chosen order."""
        return Sort(self.order.currentData())

    @property
    def then(self) -> str:
        """NEXT_OPEN, NEXT or STAY."""
        return str(self.advance.currentData())

    def show_sort(self, sort: Sort) -> None:
        """Show an order without telling of it."""
        self.order.blockSignals(True)
        self.order.setCurrentIndex(max(0, self.order.findData(sort)))
        self.order.blockSignals(False)

    def fill_sets(self) -> None:
        """List the label sets of images; "view" is chosen first."""
        chosen = self.sets.currentText() or "view"
        sets = self._op.store.labels.sets().values()
        self.sets.blockSignals(True)
        self.sets.clear()
        self.sets.addItems([s.name for s in sets if s.subject is Subject.IMAGE])
        self.sets.setCurrentIndex(max(0, self.sets.findText(chosen)))
        self.sets.blockSignals(False)

    def say_progress(self, done: int, total: int) -> None:
        """How many are labelled, of how many."""
        self.words.setText(self.tr("{0:,} of {1:,} labelled").format(done, total))
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)

    def restore(self, state: dict[str, Any]) -> None:
        """Label set, order and way on as they were."""
        for box, value in (
            (self.sets, self.sets.findText(str(state.get("set", "")))),
            (self.advance, self.advance.findData(state.get("then"))),
        ):
            if value >= 0:
                box.setCurrentIndex(value)
        if state.get("sort") in {sort.value for sort in Sort}:
            self.show_sort(Sort(state["sort"]))
