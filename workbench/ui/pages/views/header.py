"""The header and the model of the Views page: progress, label set, sort order, what comes next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QProgressBar

from workbench.app.labels.label_overview import LabelOverview
from workbench.app.labels.labelling import assign
from workbench.app.labels.second_look import SecondLook
from workbench.app.session import Session
from workbench.app.similar.browsing import ImageList
from workbench.app.similar.suggesting import accept, suggestions
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import PageHeader
from workbench.ui.parts.tiles import labels_of

NEXT_UNLABELLED, NEXT, STAY = "unlabelled", "next", "stay"  # what follows a label


class ViewsHeader(PageHeader):
    """Title, progress and choices; the page connects their signals."""

    set_changed = Signal(str)
    order_changed = Signal()

    def __init__(self, title: str, session: Session) -> None:
        super().__init__(title)
        self._session = session
        self.progress = PlainLabel()
        self.progress.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMinimumWidth(24)
        self.bar.setMaximumWidth(140)
        self.sets, self.order, self.advance = QComboBox(), QComboBox(), QComboBox()
        self.sets.setToolTip(tr("Label set whose labels the keys assign"))
        self.order.setToolTip(tr("Sort order"))
        self.order.addItem(tr("by name"), Sort.NAME)
        self.order.addItem(tr("by import"), Sort.ADDED)
        self.order.addItem(tr("by category"), Sort.CATEGORY)
        self.order.addItem(tr("most uncertain first"), Sort.UNCERTAINTY)
        self.advance.setToolTip(tr("What to show after labelling an image"))
        self.advance.addItem(tr("next unlabelled"), NEXT_UNLABELLED)
        self.advance.addItem(tr("next image"), NEXT)
        self.advance.addItem(tr("stay here"), STAY)
        self.add(self.progress, self.bar)
        self.stretch()
        self.fill_sets()
        self.add_choices(self.sets, self.order, self.advance)
        self.sets.currentTextChanged.connect(self.set_changed)
        self.order.currentIndexChanged.connect(lambda _: self.order_changed.emit())

    @property
    def label_set(self) -> str:
        """Name of the active label set."""
        return self.sets.currentText()

    @property
    def sort(self) -> Sort:
        """The selected sort order."""
        return Sort(self.order.currentData())

    @property
    def after_label(self) -> str:
        """What follows a label: NEXT_UNLABELLED, NEXT or STAY."""
        return str(self.advance.currentData())

    def show_sort(self, sort: Sort) -> None:
        """Show a sort order without emitting `order_changed`."""
        self.order.blockSignals(True)
        self.order.setCurrentIndex(max(0, self.order.findData(sort)))
        self.order.blockSignals(False)

    def fill_sets(self) -> None:
        """List the label sets of images; "view" is selected at first."""
        chosen = self.sets.currentText() or "view"
        sets = self._session.labels.sets().values()
        self.sets.blockSignals(True)
        self.sets.clear()
        self.sets.addItems([s.name for s in sets if s.subject is Subject.IMAGE])
        self.sets.setCurrentIndex(max(0, self.sets.findText(chosen)))
        self.sets.blockSignals(False)

    def show_progress(self, done: int, total: int) -> None:
        """Show how many of all images are labelled."""
        self.progress.setText(
            plural(total, "{done:,} of {n:,} labelled", "{done:,} of {n:,} labelled", done=done)
        )
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)

    def show_seen(self, done: int, total: int) -> None:
        """Show how many of the images of a second look have got a label."""
        text = tr("Second look: {done:,} of {total:,}").format(done=done, total=total)
        self.progress.setText(text)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)

    def restore(self, state: dict[str, Any]) -> None:
        """Restore label set, sort order and what follows a label from a saved state."""
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
    """The listed images, the active label set and the labelling of the Views page.

    Images that get a label stay listed until the filter or the order changes, so that nothing moves
    while a person labels.
    """

    def __init__(self, session: Session, label_set: str) -> None:
        self._session = session
        self.list = ImageList(session)
        self.before_repeat: int | None = None  # current image before that of a hidden repeat
        self.use(label_set)

    @property
    def label_set(self) -> LabelSet:
        """The active label set."""
        found: LabelSet = self._session.labels.get(self.active)
        return found

    def use(self, label_set: str) -> None:
        """Make another label set the active one."""
        self.active = label_set
        self.list.uncertain_in = label_set
        self.overview = _overview(self._session, label_set)
        self.look = SecondLook(self._session, label_set)

    def show(self, new_filter: ImageFilter, sort: Sort) -> str:
        """List images by another filter or order. Returns why they cannot be listed, or ""."""
        try:
            self.list.show(new_filter, sort, False)
        except KnownError as error:
            return tr(error.message)
        return ""

    def update(self, changes: Changes) -> bool:
        """Follow an edit; True if it changed which images are listed."""
        self.look.update(changes)
        self.overview.update(changes)
        return self.list.update(dataclasses.replace(changes, labelled=frozenset()))

    def labels_of(self, image: int) -> list[str]:
        """The labels of one image in the active set; none while they are hidden."""
        if self.look.hides(image):
            return []
        rows = self._session.images.rows([image])
        return labels_of(rows[0], self.label_set) if rows else []

    def suggestion(self, image: int) -> tuple[str, float] | None:
        """Label and confidence suggested by the newest run of the active set; None while the label
        is hidden."""
        if self.look.hides(image):
            return None
        found = suggestions(self._session, self.active, [image]).get(image)
        return (found.label, found.confidence) if found is not None else None

    def set_label(self, images: Sequence[int], label: str | None) -> None:
        """Assign a label of the active set to images; None clears their labels.

        Images whose label is hidden keep it: the label becomes the annotator's opinion.
        """
        hidden = [image for image in images if self.look.hides(image)]
        if not hidden:
            assign(self._session, images, self.active, label)
        elif label is not None:
            self.look.give(hidden, label)

    def repeat_after(self, image: int) -> int | None:
        """The image to show again without its label, now that `image` is labelled; None if none is
        due."""
        if self.look.active or self._list_shows_labels():
            return None
        self.before_repeat = image
        self.look.repeat = self.look.labelled([image], self.list.ids)
        return self.look.repeat

    def _list_shows_labels(self) -> bool:
        """Whether the filter or the order shows which label of the active set an image has."""
        shown = self.list.filter
        return (
            self.active in {name for name, _ in shown.labels}
            or shown.disagreement == self.active
            or (self.list.sort is Sort.CATEGORY and self.active == "category")
        )

    def accept(self, images: Sequence[int]) -> bool:
        """Accept the suggestions for images without a label; False if there are none."""
        if any(self.look.hides(image) for image in images):
            return False
        ids = np.asarray(images, np.int64)
        unlabelled = ids[self._session.labels.label_ids(ids, self.active) < 0]
        return accept(self._session, unlabelled, self.active) > 0

    def next_unlabelled(self, image: int | None) -> int | None:
        """The next listed image without a label, after `image` and then from the start; in a second
        look, without one of the annotator."""
        ids = self.list.ids
        places = (ids == (-1 if image is None else image)).nonzero()[0]
        at = int(places[0]) if len(places) else -1
        if self.look.active:
            return self.look.next_open(ids, at)
        found = self.overview.next_unlabelled(ids, at)
        return None if found is None else int(ids[found])

    def label_for(self, event: QKeyEvent) -> str | None:
        """The label that a key press assigns; None if it assigns none."""
        if event.modifiers() not in _PLAIN or not event.text().strip():
            return None
        label = self.label_set.label_for_key(event.text())
        return label.name if label is not None else None


def _overview(session: Session, label_set: str) -> LabelOverview:
    """Categories by labels of the active set, or by views if categories are the active set."""
    return LabelOverview(session, "view" if label_set == "category" else label_set)
