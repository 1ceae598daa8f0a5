"""The head of the Views page and its session: progress, label set, order, what comes next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QLabel, QProgressBar

from workbench.app.labels.label_overview import LabelOverview
from workbench.app.labels.labelling import assign
from workbench.app.session import Session
from workbench.app.similar.browsing import ImageList
from workbench.app.similar.suggesting import accept, suggestions
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.text import tr
from workbench.ui.page import PageHeader
from workbench.ui.parts.tiles import labels_of

NEXT_OPEN, NEXT, STAY = "unlabelled", "next", "stay"


class ViewsHeader(PageHeader):
    """Title, progress and choices; the page listens to its signals."""

    set_changed = Signal(str)
    order_changed = Signal()

    def __init__(self, title: str, session: Session) -> None:
        super().__init__(title)
        self._op = session
        self.words = QLabel()
        self.words.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMinimumWidth(24)
        self.bar.setMaximumWidth(140)
        self.sets, self.order, self.advance = QComboBox(), QComboBox(), QComboBox()
        self.sets.setToolTip(tr("The label set that keys give labels of"))
        self.order.setToolTip(tr("Order of the images"))
        self.order.addItem(tr("by name"), Sort.NAME)
        self.order.addItem(tr("by import"), Sort.ADDED)
        self.order.addItem(tr("by category"), Sort.CATEGORY)
        self.order.addItem(tr("most uncertain first"), Sort.UNCERTAINTY)
        self.advance.setToolTip(tr("What is shown after a label was given"))
        self.advance.addItem(tr("next unlabelled"), NEXT_OPEN)
        self.advance.addItem(tr("next image"), NEXT)
        self.advance.addItem(tr("stay here"), STAY)
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
        sets = self._op.labels.sets().values()
        self.sets.blockSignals(True)
        self.sets.clear()
        self.sets.addItems([s.name for s in sets if s.subject is Subject.IMAGE])
        self.sets.setCurrentIndex(max(0, self.sets.findText(chosen)))
        self.sets.blockSignals(False)

    def say_progress(self, done: int, total: int) -> None:
        """How many are labelled, of how many."""
        self.words.setText(tr("{0:,} of {1:,} labelled").format(done, total))
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


_PLAIN = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.KeypadModifier,
)


class LabelSession:
    """What the Views page works on. Images that got a label stay in the list until it is asked for
    anew, so that nothing jumps under the hand."""

    def __init__(self, session: Session, label_set: str) -> None:
        self._op = session
        self.list = ImageList(session)
        self.use(label_set)

    @property
    def label_set(self) -> LabelSet:
        """The active label set."""
        found: LabelSet = self._op.labels.get(self.active)
        return found

    def use(self, label_set: str) -> None:
        """Label in another set."""
        self.active = label_set
        self.list.uncertain_in = label_set
        self.overview = _overview(self._op, label_set)

    def show(self, wanted: ImageFilter, sort: Sort) -> str:
        """Another filter or order; a sentence where that cannot be, else ""."""
        try:
            self.list.show(wanted, sort, False)
        except KnownError as error:
            return tr(error.message)
        return ""

    def update(self, changes: Changes) -> bool:
        """Take an edit in; True when the list is another one now."""
        self.overview.update(changes)
        return self.list.update(dataclasses.replace(changes, labelled=frozenset()))

    def labels_of(self, image: int) -> list[str]:
        """The labels of one image in the active set."""
        rows = self._op.images.rows([image])
        return labels_of(rows[0], self.label_set) if rows else []

    def suggestion(self, image: int) -> tuple[str, float] | None:
        """Label and confidence that the newest run of this set suggests."""
        found = suggestions(self._op, self.active, [image]).get(image)
        return (found.label, found.confidence) if found is not None else None

    def give(self, images: Sequence[int], label: str | None) -> None:
        """Give images a label of the active set; None takes it away."""
        assign(self._op, images, self.active, label)

    def accept(self, images: Sequence[int]) -> bool:
        """Take the suggestions of images without a label; False where there was none to take."""
        ids = np.asarray(images, np.int64)
        wanted = ids[self._op.labels.label_ids(ids, self.active) < 0]
        return accept(self._op, wanted, self.active) > 0

    def next_unlabelled(self, image: int | None) -> int | None:
        """The next image of the list without a label, from `image` on and then from the start."""
        ids = self.list.ids
        places = (ids == (-1 if image is None else image)).nonzero()[0]
        found = self.overview.next_unlabelled(ids, int(places[0]) if len(places) else -1)
        return None if found is None else int(ids[found])

    def label_for(self, event: QKeyEvent) -> str | None:
        """The label that a key press gives, None where it gives none."""
        if event.modifiers() not in _PLAIN or not event.text().strip():
            return None
        label = self.label_set.label_for_key(event.text())
        return label.name if label is not None else None


def _overview(session: Session, label_set: str) -> LabelOverview:
    """Categories against the active set; against views where categories are given."""
    return LabelOverview(session, "view" if label_set == "category" else label_set)
