"""Labels of a project: who carries which, how many, and what they carried before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from workbench.domain.annotations import Annotation, Author
from workbench.domain.changes import Changes
from workbench.domain.labels import LabelSet, Subject
from workbench.storage.assigning import EVER_OF_IMAGES, Gift, give
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.label_arrays import LabelArrays
from workbench.storage.label_sets import LabelSets
from workbench.storage.recording import Recorder

_ANNOTATIONS = (
    "SELECT a.id, a.image, a.crop, s.name, l.name, a.author, a.confidence, a.made_at, a.ended_at"
    " FROM annotation a JOIN label l ON l.id = a.label JOIN label_set s ON s.id = a.label_set"
)
_HISTORY = f"{_ANNOTATIONS} WHERE a.id IN ({EVER_OF_IMAGES}) ORDER BY a.id"
_STANDING = f"{_ANNOTATIONS} WHERE a.ended_at IS NULL ORDER BY a.image, a.id"


class Labels:
    """Label sets and the labels given to images and crops."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder
        self._sets = LabelSets(db, recorder)
        self._arrays = LabelArrays(db)
        self._images: int | None = None
        recorder.on_changes.append(self._take)

    def _take(self, changes: Changes | None) -> None:
        self._arrays.take(changes)
        if changes is None or changes.added or changes.removed:
            self._images = None

    def forget(self, images: Iterable[int] = ()) -> None:
        """Images come, or these go, inside an open edit: what is remembered of them is wrong."""
        self._images = None
        self._arrays.touch(images)

    def sets(self) -> dict[str, LabelSet]:
        """All label sets by name, in the order they were made."""
        return self._sets.sets()

    def get(self, name: str) -> LabelSet:
        """One label set; raises ValueRefused naming those there are."""
        return self._sets.get(name)

    def save_set(self, label_set: LabelSet, renamed: Mapping[str, str] | None = None) -> None:
        """Store a set, new or changed; `renamed` maps labels' former names to new ones."""
        self._sets.save(label_set, renamed or {})
        self._arrays.take(None)

    def remove_set(self, name: str) -> None:
        """Take a set away with everything labelled in it; raises ValueRefused."""
        self._sets.remove(name)
        self._arrays.take(None)

    def assign(
        self,
        image_ids: Iterable[int] | IntArray,
        label_set: str,
        label: str | None,
        author: Author = Author.HUMAN,
        confidence: float = 1.0,
    ) -> frozenset[int]:
        """Give a label to images (None clears); the ids of those where something changed.

        A person's label is never overridden by another author; the same label again is no change;
        in a set that is not exclusive a person's label is toggled. Raises ValueRefused.
        """
        return self._assign(image_ids, label_set, label, author, confidence, crops=False)

    def assign_crops(
        self,
        crop_ids: Iterable[int] | IntArray,
        label_set: str,
        label: str | None,
        author: Author = Author.HUMAN,
        confidence: float = 1.0,
    ) -> frozenset[int]:
        """The same for crops; the ids of their images where something changed."""
        return self._assign(crop_ids, label_set, label, author, confidence, crops=True)

    def of_images(self, ids: Iterable[int] | IntArray, label_set: str) -> dict[int, str]:
        """The label of each image that has one; several of one set are joined by ", "."""
        found = self.all_of_images(ids, label_set)
        return {image: ", ".join(names) for image, names in found.items()}

    def of_crops(self, crop_ids: Iterable[int] | IntArray, label_set: str) -> dict[int, str]:
        """The label of each crop that has one; several are joined as in `of_images`."""
        found = self.all_of_crops(crop_ids, label_set)
        return {crop: ", ".join(names) for crop, names in found.items()}

    def all_of_images(
        self, ids: Iterable[int] | IntArray, label_set: str
    ) -> dict[int, tuple[str, ...]]:
        """All labels of each image that has any of the set, in the set's order."""
        return self._all(
            "SELECT a.image, l.name FROM json_each(?) wanted"
            " JOIN annotation a ON a.image = wanted.value AND a.crop IS NULL",
            ids,
            label_set,
        )

    def all_of_crops(
        self, crop_ids: Iterable[int] | IntArray, label_set: str
    ) -> dict[int, tuple[str, ...]]:
        """All labels of each crop that has any of the set, in the set's order."""
        return self._all(
            "SELECT a.crop, l.name FROM json_each(?) wanted"
            " JOIN annotation a ON a.crop = wanted.value AND a.crop IS NOT NULL",
            crop_ids,
            label_set,
        )

    def label_ids(self, ids: Iterable[int] | IntArray, label_set: str) -> IntArray:
        """Position of each image's label in its set, -1 without one; in a set that is not exclusive
        the last of several. Fast for any number of ids."""
        rows = self._sets.label_ids(label_set)
        array = self._arrays.of_set(self._sets.id_of(label_set))
        wanted = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        position = np.full(max(rows.values(), default=0) + 1, -1, np.int64)
        position[list(rows.values())] = np.arange(len(rows))
        known = np.minimum(wanted, len(array) - 1)
        found = np.where(wanted < len(array), array[known], 0)
        return np.asarray(position[np.where(found < len(position), found, 0)])

    def counts(self, label_set: str) -> dict[str, int]:
        """How many images (or crops, in a set about crops) carry each label; "" for none yet."""
        wanted = self.get(label_set)
        if wanted.subject is Subject.CROP or not wanted.exclusive:
            return self._counts_by_query(wanted)
        rows = self._sets.label_ids(label_set)
        array = self._arrays.of_set(self._sets.id_of(label_set))
        found = np.bincount(array, minlength=max(rows.values(), default=0) + 1)
        counts = {name: int(found[row]) for name, row in rows.items()}
        if self._images is None:
            self._images = int(self._db.value("SELECT count(*) FROM image"))
        return {**counts, "": self._images - sum(counts.values())}

    def coverage(
        self, rows_set: str, columns_set: str
    ) -> tuple[tuple[str, ...], tuple[str, ...], IntArray]:
        """How many images carry each pair of labels of two sets: names of rows, names of columns,
        and counts with one row and one column more, for images without a label there."""
        rows, columns = self.get(rows_set).names, self.get(columns_set).names
        images = self._db.ids("SELECT id FROM image")
        at_row, at_column = self.label_ids(images, rows_set), self.label_ids(images, columns_set)
        at_row = np.where(at_row < 0, len(rows), at_row)
        at_column = np.where(at_column < 0, len(columns), at_column)
        shape = (len(rows) + 1, len(columns) + 1)
        flat = np.bincount(at_row * shape[1] + at_column, minlength=shape[0] * shape[1])
        return rows, columns, flat.reshape(shape)

    def history(self, image_id: int) -> list[Annotation]:
        """Every label the image or its crops ever carried, oldest first."""
        return [_annotation(row) for row in self._db.rows(_HISTORY, (listed([image_id]),) * 3)]

    def standing(self) -> list[Annotation]:
        """Every label that holds now, of all images and crops, by image."""
        return [_annotation(row) for row in self._db.rows(_STANDING)]

    def _assign(
        self,
        ids: Iterable[int] | IntArray,
        label_set: str,
        label: str | None,
        author: Author,
        confidence: float,
        crops: bool,
    ) -> frozenset[int]:
        wanted = self._sets.get(label_set)
        if label is not None:
            wanted.index(label)
        row = self._sets.label_ids(label_set)[label] if label is not None else None
        gift = Gift(self._sets.id_of(label_set), wanted.exclusive, row, author, confidence)
        with self._recorder.edit(f"Label {label}" if label is not None else "Clear labels"):
            images = give(self._db, ids, gift, crops)
        self._arrays.touch(images)
        return images

    def _all(
        self, select: str, ids: Iterable[int] | IntArray, label_set: str
    ) -> dict[int, tuple[str, ...]]:
        found: dict[int, tuple[str, ...]] = {}
        for id_, name in self._db.rows(
            select + " AND a.ended_at IS NULL AND a.label_set = ?"
            " JOIN label l ON l.id = a.label ORDER BY l.position",
            (listed(ids), self._sets.id_of(label_set)),
        ):
            found[id_] = (*found.get(id_, ()), name)
        return found

    def _counts_by_query(self, wanted: LabelSet) -> dict[str, int]:
        set_id = self._sets.id_of(wanted.name)
        found = dict(
            self._db.rows(
                "SELECT l.name, count(*) FROM annotation a JOIN label l ON l.id = a.label"
                " WHERE a.label_set = ? AND a.ended_at IS NULL GROUP BY l.name",
                (set_id,),
            )
        )
        standing = "WHERE a.label_set = ? AND a.ended_at IS NULL"
        without = "SELECT count(*) FROM image WHERE id NOT IN (SELECT a.image FROM annotation a "
        if wanted.subject is Subject.CROP:
            without = (
                "SELECT count(*) FROM crop WHERE state IN ('found', 'adjusted') AND id NOT IN"
                " (SELECT a.crop FROM annotation a "
            )
            standing += " AND a.crop IS NOT NULL"
        missing = int(self._db.value(f"{without}{standing})", (set_id,)))
        return {**{name: found.get(name, 0) for name in wanted.names}, "": missing}


def _annotation(row: Sequence[Any]) -> Annotation:
    id_, image, crop, label_set, label, author, confidence, made, ended = row
    ended_at = ended / 1e6 if ended is not None else None
    return Annotation(
        id_, image, crop, label_set, label, Author(author), confidence, made / 1e6, ended_at
    )
