"""Review queues of the Mouths page, updated with each edit, and the next mouth to review."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.app.session import Session
from workbench.domain.changes import Changes
from workbench.domain.crops import Crop, CropTable, Queue
from workbench.domain.labels import LabelSet, Subject

Ids = NDArray[np.int64]
PLAIN = tuple(queue for queue in Queue if queue is not Queue.LABELLED)


class MouthQueues:
    """All crops of a project as queues of images; read once, then updated by each Changes."""

    def __init__(self, session: Session, label_set: str = "expression") -> None:
        self._session = session
        self._wanted_set = label_set
        self.label_set: LabelSet | None = None
        self._table = CropTable.of([])
        self._order: Ids = np.zeros(0, np.int64)
        self._tally: Ids = np.zeros(0, np.int64)
        self.reload()

    def reload(self) -> None:
        """Read everything again."""
        self._find_set()
        self._order = self._session.store.images.ids()
        self._table = self._session.store.crops.table(self._set_name)
        self._tally = self._table.tally(self.keys())

    @property
    def _set_name(self) -> str:
        return self.label_set.name if self.label_set is not None else ""

    def _find_set(self) -> None:
        sets = self._session.store.labels.sets()
        of_crops = {name: s for name, s in sets.items() if s.subject is Subject.CROP}
        first = next(iter(of_crops.values()), None)
        self.label_set = of_crops.get(self._wanted_set, first)

    def refresh(self, changes: Changes) -> bool:
        """Apply an edit; return False if it changed no mouth, image or label set."""
        if changes.label_sets:
            self.reload()
            return True
        if changes.added or changes.removed or changes.sources:
            self._order = self._session.store.images.ids()
        touched = changes.cropped | changes.labelled | changes.removed | changes.added
        if touched:
            fresh = self._session.store.crops.table(self._set_name, sorted(touched))
            self._table, before = self._table.exchange(touched, fresh)
            self._tally = self._tally + fresh.tally(self.keys()) - before.tally(self.keys())
        return bool(touched) or changes.sources

    @property
    def images(self) -> int:
        """Number of images in the project."""
        return len(self._order)

    @property
    def searched(self) -> int:
        """Number of images that were searched for mouths."""
        return int(self._tally[self.keys().index((Queue.ALL, -1))])

    def keys(self) -> list[tuple[Queue, int]]:
        """All queues; those of labels with the label's position, others with -1."""
        labels = self.label_set.labels if self.label_set is not None else ()
        return [
            *((queue, -1) for queue in PLAIN),
            *((Queue.LABELLED, i) for i in range(len(labels))),
        ]

    def ids(self, queue: Queue, label: int = -1, also: Ids | None = None) -> Ids:
        """Images of a queue and existing images in `also`, sorted by name."""
        if queue is Queue.ALL:
            return self._order
        seen = self._table.images_of(queue if queue is not Queue.UNSEEN else Queue.ALL, label)
        inside = np.isin(self._order, seen)
        if queue is Queue.UNSEEN:
            inside = ~inside
        if also is not None:
            inside |= np.isin(self._order, also)
        return self._order[inside]

    def counts(self) -> dict[tuple[Queue, int], int]:
        """Number of images in each queue."""
        counts = dict(zip(self.keys(), self._tally.tolist(), strict=False))
        counts[(Queue.ALL, -1)] = self.images
        counts[(Queue.UNSEEN, -1)] = self.images - self.searched
        return counts

    def label_counts(self) -> dict[str, int]:
        """Number of mouths with each label; "" for those without one."""
        names = self.label_set.names if self.label_set is not None else ()
        return dict(zip((*names, ""), self._tally[len(self.keys()) :].tolist(), strict=True))

    def crops(self, image: int) -> tuple[list[Crop], dict[int, tuple[str, ...]]]:
        """Crops of an image in the order of its faces, and their labels by crop id."""
        crops = sorted(self._session.store.crops.of_image(image), key=lambda crop: crop.face)
        shown = [crop for crop in crops if crop.rect is not None]
        ids = [crop.id for crop in shown if crop.id is not None]
        labels = self._session.store.labels.of_crops(ids, self._set_name) if self._set_name else {}
        return crops, labels

    def mouths(self, images: Sequence[int]) -> list[int]:
        """Ids of all usable crops of `images`."""
        found = self._session.store.crops.of_images(images)
        crops = [crop for image in images for crop in found.get(image, [])]
        return [crop.id for crop in crops if crop.usable and crop.id is not None]


def first_to_do(
    crops: Sequence[Crop], labels: Container[int], after: int | None = None
) -> int | None:
    """The first unreviewed, unlabelled mouth after the crop `after`; None if there is none."""
    ids = [crop.id for crop in crops]
    start = ids.index(after) + 1 if after in ids else 0
    for crop in crops[start:]:
        if crop.usable and not crop.reviewed and crop.id not in labels:
            return crop.id
    return None


def first_shown(crops: Sequence[Crop], labels: Container[int]) -> int | None:
    """The mouth to select first: the first to review, else the first usable one, else any."""
    waiting = first_to_do(crops, labels)
    if waiting is not None:
        return waiting
    usable = [crop.id for crop in crops if crop.usable]
    drawn = [crop.id for crop in crops if crop.rect is not None]
    return next(iter(usable or drawn), None)
