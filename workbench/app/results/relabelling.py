"""Relabelling of a run's images, and which images were relabelled since its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.app.results.results import LABEL_HEAD, RunResults
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.metrics import confusion_matrix
from workbench.domain.runs import LabelList
from workbench.domain.text import Message, counted

if TYPE_CHECKING:
    from workbench.app.results.results import Scope
    from workbench.app.session import Session


IntArray = NDArray[np.int64]


class CurrentLabels:
    """The current labels of a run's images and crops, in the label set of one head."""

    def __init__(self, session: Session, results: RunResults, head: str) -> None:
        self._session, self._results, self._head = session, results, head
        self.label_set: LabelSet | None = session.store.labels.sets().get(results.label_set(head))
        self._known = self._present(results.label_list(head))
        self._now = self._read()

    def _present(self, learned: LabelList) -> tuple[str, ...]:
        """The present names of labels that the run has learned."""
        since = self._results.record.created
        now = self._session.store.labels.present_names(learned.name, since)
        return tuple(now.get(name, name) for name in learned.labels)

    def _read(self) -> IntArray:
        """The current label of each row as an index into the run's labels; −1 none, −2 a label
        that the run does not have."""
        rows = len(self._results.table)
        if self.label_set is None:
            return np.full(rows, -1, np.int64)
        if not self.label_set.exclusive:
            return self._of_marks(self.label_set)
        position = self._positions(self.label_set)
        at = self._session.store.labels.label_ids(self._results.table.images, self.label_set.name)
        now: IntArray = position[at]
        if self.label_set.subject is Subject.CROP:
            now = self._of_crops(self.label_set, now)
        return self._as_learned(now)

    def _as_learned(self, now: IntArray) -> IntArray:
        """Of labels that are one by now, take the one that the run has learned for a row."""
        first = np.array([self._known.index(name) for name in self._known], np.int64)
        truth = self._results.outputs(self._head).truth
        same = np.flatnonzero(truth >= 0)
        same = same[first[truth[same]] == now[same]]
        now[same] = truth[same]
        return now

    def _of_marks(self, label_set: LabelSet) -> IntArray:
        """The same for multi-label sets: 1 with and 0 without the label of a single-label head,
        else the label of the run if the image still has it, else its first label."""
        table, labels = self._results.table, self._session.store.labels
        of_images = labels.of_images(table.images, label_set.name)
        of_crops = labels.of_crops(table.crops[table.crops >= 0], label_set.name)
        known = self._present(self._results.record.labels.target)
        truth = self._results.outputs(self._head).truth
        single = None
        if self._head.startswith(LABEL_HEAD):
            single = known[int(self._head.removeprefix(LABEL_HEAD))]
        now = np.full(len(table), -1, np.int64)
        for row, (image, crop) in enumerate(
            zip(table.images.tolist(), table.crops.tolist(), strict=True)
        ):
            given = of_crops.get(crop) or of_images.get(image, ())
            if single is not None:
                now[row] = int(single in given) if given else -1
            elif truth[row] >= 0 and known[truth[row]] in given:
                now[row] = truth[row]
            elif given:
                now[row] = known.index(given[0]) if given[0] in known else -2
        return now

    def _positions(self, label_set: LabelSet) -> IntArray:
        """The index of each label of the set, and last of none, among the run's labels."""
        known = self._known
        found = [known.index(n) if n in known else -2 for n in label_set.names]
        return np.array([*found, -1], dtype=np.int64)

    def _of_crops(self, label_set: LabelSet, now: IntArray) -> IntArray:
        """Replace labels of images by those of their crops."""
        crops = self._results.table.crops
        given = self._session.store.labels.of_crops(crops[crops >= 0].tolist(), label_set.name)
        known = self._known
        now = now.copy()
        for row in np.flatnonzero(crops >= 0).tolist():
            for name in given.get(int(crops[row]), ()):
                now[row] = known.index(name) if name in known else -2
        return now

    def name(self, row: int) -> str:
        """The current label of a row; "" for none, or one that the run does not have."""
        at = int(self._now[row])
        return self._known[at] if at >= 0 else ""

    def relabelled(self) -> NDArray[np.bool_]:
        """Mask of the rows whose label has changed since the run was created."""
        truth = self._results.outputs(self._head).truth
        changed: NDArray[np.bool_] = (truth >= 0) & (truth != self._now)
        return changed

    def relabelled_matrix(self, scope: Scope) -> IntArray:
        """C×C counts of relabelled images, in the same cells as in the run's confusion matrix."""
        truth, _, predicted = self._results.outputs(self._head)
        mask = self._results.inside(scope) & self.relabelled()
        classes = len(self._results.label_list(self._head).labels)
        return confusion_matrix(truth[mask], predicted[mask], classes)

    def assign(self, rows: IntArray, label: str) -> None:
        """Label the images of the rows by hand, or their crops if the set is for crops, in one
        edit."""
        if self.label_set is None or not len(rows):
            return
        table, name = self._results.table, self.label_set.name
        crops = table.crops[rows]
        of_crops = (crops >= 0) & (self.label_set.subject is Subject.CROP)
        labels = self._session.store.labels
        with self._session.edit(_edit_text(len(rows), label)):
            labels.assign_crops(crops[of_crops].tolist(), name, label)
            labels.assign(table.images[rows[~of_crops]].tolist(), name, label)
        self._now = self._read()


def _edit_text(n: int, label: str) -> Message:
    return counted(n, "Label {n:,} image “{label}”", "Label {n:,} images “{label}”", label=label)
