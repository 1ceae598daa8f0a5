"""Which label each image carries, as arrays held in memory: counts and filters at a million images
within a frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from workbench.domain.changes import Changes
from workbench.storage.database import Database, IntArray, listed

_STANDING = " AND label_set = ? AND crop IS NULL AND ended_at IS NULL"


class LabelArrays:
    """For each exclusive label set an array over image ids holding label row ids, 0 for none.
    Made when first asked for, then kept right from what each edit changed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._arrays: dict[int, NDArray[np.int32]] = {}
        self._stale: set[int] = set()

    def of_set(self, label_set: int) -> NDArray[np.int32]:
        """The array of one set; do not write to it."""
        self._mend()
        if label_set not in self._arrays:
            self._arrays[label_set] = self._read(label_set)
        return self._arrays[label_set]

    def touch(self, images: Iterable[int]) -> None:
        """The labels of these images may have changed."""
        if self._arrays:
            self._stale.update(images)

    def take(self, changes: Changes | None) -> None:
        """Follow what an edit, an undo or a rollback (None) changed."""
        if changes is None or changes.label_sets:
            self._arrays.clear()
            self._stale.clear()
        else:
            self.touch(changes.labelled | changes.removed | changes.added)

    def _read(self, label_set: int) -> NDArray[np.int32]:
        images, labels = self._db.columns(
            "SELECT image, label FROM annotation INDEXED BY standing_of_images"
            " WHERE label_set = ? AND crop IS NULL AND ended_at IS NULL",
            (label_set,),
            2,
        )
        array = np.zeros(self._size(), np.int32)
        array[images] = labels
        return array

    def _size(self) -> int:
        return int(self._db.value("SELECT max(id) FROM image") or 0) + 1

    def _mend(self) -> None:
        if not self._stale:
            return
        stale = np.fromiter(self._stale, np.int64, len(self._stale))
        self._stale.clear()
        size = self._size()
        for label_set, array in self._arrays.items():
            if size > len(array):
                array = np.pad(array, (0, max(size - len(array), len(array) // 8)))
                self._arrays[label_set] = array
            array[stale[stale < len(array)]] = 0
            images, labels = self._standing(stale, label_set)
            array[images] = labels

    def _standing(self, images: IntArray, label_set: int) -> tuple[IntArray, IntArray]:
        found = self._db.columns(
            "SELECT a.image, a.label FROM json_each(?) wanted JOIN annotation a"  # noqa: S608
            " ON a.image = wanted.value" + _STANDING,
            (listed(images), label_set),
            2,
        )
        return found[0], found[1]
