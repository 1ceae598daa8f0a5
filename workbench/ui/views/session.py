"""A session of labelling: the images in turn, the active label set, and how far it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from workbench.app.labels.label_overview import LabelOverview
from workbench.app.labels.labelling import assign
from workbench.app.open_project import OpenProject
from workbench.app.similar.browsing import ImageList
from workbench.app.similar.suggesting import accept, suggestions
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter, Sort
from workbench.domain.labels import LabelSet
from workbench.ui.tiles.tiles import labels_of

_PLAIN = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.KeypadModifier,
)


class LabelSession:
    """What the Views page works on. Images that got a label stay in the list until it is asked for
    anew, so that nothing jumps under the hand."""

    def __init__(self, op: OpenProject, label_set: str) -> None:
        self._op = op
        self.list = ImageList(op)
        self.use(label_set)

    @property
    def label_set(self) -> LabelSet:
        """The active label set."""
        found: LabelSet = self._op.store.labels.get(self.active)
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
            return str(error)
        return ""

    def update(self, changes: Changes) -> bool:
        """Take an edit in; True when the list is another one now."""
        self.overview.update(changes)
        return self.list.update(dataclasses.replace(changes, labelled=frozenset()))

    def labels_of(self, image: int) -> list[str]:
        """The labels of one image in the active set."""
        rows = self._op.store.images.rows([image])
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
        wanted = ids[self._op.store.labels.label_ids(ids, self.active) < 0]
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


def _overview(op: OpenProject, label_set: str) -> LabelOverview:
    """Categories against the active set; against views where categories are given."""
    return LabelOverview(op, "view" if label_set == "category" else label_set)
