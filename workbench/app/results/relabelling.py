"""Labels given from a run's results, and which images carry another label than the run learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.app.results.results import LABEL_HEAD, RunResults
from workbench.domain.labels import LabelSet, Subject
from workbench.domain.metrics import confusion_matrix
from workbench.domain.text import Message, counted

if TYPE_CHECKING:
    from workbench.app.results.results import Scope
    from workbench.app.session import Session


IntArray = NDArray[np.int64]


class CurrentLabels:
    """The labels that the predicted images and crops carry now, of one head's label set."""

    def __init__(self, project: Session, results: RunResults, head: str) -> None:
        self._project, self._results, self._head = project, results, head
        self.label_set: LabelSet | None = project.store.labels.sets().get(results.label_set(head))
        self._now = self._read()

    def _read(self) -> IntArray:
        """Each row's label now as a position among the run's labels; −1 none, −2 one that the run
        does not know."""
        rows = len(self._results.table)
        if self.label_set is None:
            return np.full(rows, -1, np.int64)
        if not self.label_set.exclusive:
            return self._of_marks(self.label_set)
        position = self._positions(self.label_set)
        at = self._project.store.labels.label_ids(self._results.table.images, self.label_set.name)
        now: IntArray = position[at]
        if self.label_set.subject is Subject.CROP:
            now = self._of_crops(self.label_set, now)
        return now

    def _of_marks(self, label_set: LabelSet) -> IntArray:
        """Where labels do not exclude each other: of one label's head 1 with and 0 without it; else
        the run's truth while it is carried, and the first label where it is no more."""
        table, labels = self._results.table, self._project.store.labels
        of_images = labels.of_images(table.images, label_set.name)
        of_crops = labels.of_crops(table.crops[table.crops >= 0], label_set.name)
        known = self._results.record.labels.target.labels
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
        """For each label of the set, and last for none, its position among the run's labels."""
        known = self._results.label_list(self._head).labels
        found = [known.index(n) if n in known else -2 for n in label_set.names]
        return np.array([*found, -1], dtype=np.int64)

    def _of_crops(self, label_set: LabelSet, now: IntArray) -> IntArray:
        """A crop's own label stands before its image's."""
        crops = self._results.table.crops
        given = self._project.store.labels.of_crops(crops[crops >= 0].tolist(), label_set.name)
        known = self._results.label_list(self._head).labels
        now = now.copy()
        for row in np.flatnonzero(crops >= 0).tolist():
            for name in given.get(int(crops[row]), ()):
                now[row] = known.index(name) if name in known else -2
        return now

    def name(self, row: int) -> str:
        """The label of a row now; "" where it has none, or one the run does not know."""
        at = int(self._now[row])
        return self._results.label_list(self._head).labels[at] if at >= 0 else ""

    def moved(self) -> NDArray[np.bool_]:
        """Mask of the rows whose label is another one than when the run was made."""
        truth = self._results.outputs(self._head).truth
        moved: NDArray[np.bool_] = (truth >= 0) & (truth != self._now)
        return moved

    def moved_matrix(self, scope: Scope) -> IntArray:
        """C×C counts of moved images, in the cells where the run's matrix counts them."""
        truth, _, predicted = self._results.outputs(self._head)
        mask = self._results.inside(scope) & self.moved()
        classes = len(self._results.label_list(self._head).labels)
        return confusion_matrix(truth[mask], predicted[mask], classes)

    def assign(self, rows: IntArray, label: str) -> None:
        """Give `label` to the rows' images, or to their crops where the set is of crops; one edit
        of a person for either."""
        if self.label_set is None or not len(rows):
            return
        table, name = self._results.table, self.label_set.name
        crops = table.crops[rows]
        of_crops = (crops >= 0) & (self.label_set.subject is Subject.CROP)
        labels = self._project.store.labels
        with self._project.edit(_edit_text(len(rows), label)):
            labels.assign_crops(crops[of_crops].tolist(), name, label)
            labels.assign(table.images[rows[~of_crops]].tolist(), name, label)
        self._now = self._read()


def _edit_text(n: int, label: str) -> Message:
    return counted(n, "Label {n:,} image {label}", "Label {n:,} images {label}", label=label)
