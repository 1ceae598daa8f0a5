"""Labels of images and crops: assignment, counts, and arrays that are fast for a million images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.changes import Changes
from workbench.domain.labels import Annotation, Author, LabelSet, Role, Subject
from workbench.domain.text import Message
from workbench.storage.annotators import ADD_AGREEMENT, EVER_OF_IMAGES, Annotators
from workbench.storage.bulk_labels import ImportedLabel, LabelTarget, assign_each
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.history import Recorder, now
from workbench.storage.label_sets import LabelSets, present_names

_CURRENT = " AND label_set = ? AND crop IS NULL AND ended_at IS NULL"


class LabelArrays:
    """For each label set, an array of label row ids by image id, 0 for images without a label.

    Arrays are read on first use, then updated from the changes of each edit.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._arrays: dict[int, NDArray[np.int32]] = {}
        self._stale: set[int] = set()

    def of_set(self, label_set: int) -> NDArray[np.int32]:
        """The array of a set; read-only."""
        self._update_stale()
        if label_set not in self._arrays:
            self._arrays[label_set] = self._read(label_set)
        return self._arrays[label_set]

    def touch(self, images: Iterable[int]) -> None:
        """Mark the labels of these images as possibly changed."""
        if self._arrays:
            self._stale.update(images)

    def update(self, changes: Changes | None) -> None:
        """Apply the changes of an edit or undo, or a rollback (None)."""
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

    def _update_stale(self) -> None:
        if not self._stale:
            return
        stale = np.fromiter(self._stale, np.int64, len(self._stale))
        self._stale.clear()
        size = self._size()
        for label_set, known in self._arrays.items():
            more = max(size - len(known), len(known) // 8) if size > len(known) else 0
            array = np.pad(known, (0, more)) if more else known
            self._arrays[label_set] = array
            array[stale[stale < len(array)]] = 0
            images, labels = self._current(stale, label_set)
            array[images] = labels

    def _current(self, images: IntArray, label_set: int) -> tuple[IntArray, IntArray]:
        found = self._db.columns(
            "SELECT a.image, a.label FROM json_each(?) wanted JOIN annotation a"  # noqa: S608
            " ON a.image = wanted.value" + _CURRENT,
            (listed(images), label_set),
            2,
        )
        return found[0], found[1]


# Each subject (image or crop) with each of its current labels of the set, or NULL.
_OF_IMAGES = (
    "SELECT i.id AS image, NULL AS crop, a.id AS annotation, a.label, a.author"
    " FROM json_each(:ids) wanted JOIN image i INDEXED BY image_ids ON i.id = wanted.value"
    " LEFT JOIN annotation a INDEXED BY standing_of_images ON a.image = i.id"
    " AND a.ended_at IS NULL AND a.label_set = :label_set AND a.crop IS NULL"
)
_OF_CROPS = (
    "SELECT c.image AS image, c.id AS crop, a.id AS annotation, a.label, a.author"
    " FROM json_each(:ids) wanted JOIN crop c ON c.id = wanted.value"
    " LEFT JOIN annotation a ON a.crop = c.id"
    " AND a.ended_at IS NULL AND a.label_set = :label_set AND a.crop IS NOT NULL"
)
_MAY_END = "(:author = 'human' OR author <> 'human')"
_CONFIRMED = "((:author = 'human' AND author <> 'human') OR :role = 2)"  # 2: a decision
_WHICH = {
    "clear": f"annotation IS NOT NULL AND {_MAY_END}",
    "replace": f"annotation IS NULL OR ({_MAY_END} AND (label <> :label OR {_CONFIRMED}))",
    "add": "true GROUP BY image, crop HAVING NOT coalesce(max(label = :label), 0)",
    "remove": "label = :label",
}


@dataclass(frozen=True)
class Assignment:
    """A label to assign: its row id (None clears), author, confidence, and the row id of the
    person who gives it (None: no name)."""

    label_set: int
    exclusive: bool
    label: int | None
    author: Author
    confidence: float
    annotator: int | None = None
    role: Role = Role.LABEL


def assign(
    db: Database, ids: Iterable[int] | IntArray, assignment: Assignment, crops: bool = False
) -> frozenset[int]:
    """Assign a label to images (or crops); return the ids of changed images.

    Imports and models never replace labels by hand. The same label again changes nothing, except
    that a label by hand replaces one of an import or a model. In a set that is not exclusive, a
    label by hand is added, or removed from all subjects if all have it. Where the current label of
    an exclusive set stays another person's, the label is stored as the opinion of `annotator`.
    """
    subjects = _OF_CROPS if crops else _OF_IMAGES
    wanted = np.unique(np.fromiter(ids, np.int64))
    values = {
        "ids": listed(wanted),
        "label_set": assignment.label_set,
        "label": assignment.label,
        "author": assignment.author.value,
        "confidence": round(assignment.confidence, 6),
        "now": now(),
        "annotator": assignment.annotator,
        "role": assignment.role.value or None,
    }
    db.run("CREATE TEMP TABLE IF NOT EXISTS chosen (image INTEGER, crop INTEGER, ended INTEGER)")
    if assignment.label is None:
        _choose(db, subjects, "clear", values)
        _end(db, values)
    elif assignment.exclusive:
        changed = _choose(db, subjects, "replace", values)
        _end(db, values)
        _begin(db, values)
        if assignment.annotator is not None and changed < len(wanted):
            db.run(ADD_AGREEMENT.format(subjects=subjects), values)
    elif _choose(db, subjects, "add", values):
        _begin(db, values)
    elif assignment.author is Author.HUMAN:
        _choose(db, subjects, "remove", values)
        _end(db, values)
    return frozenset(db.ids("SELECT DISTINCT image FROM chosen").tolist())


def _choose(db: Database, subjects: str, which: str, values: dict[str, Any]) -> int:
    """Insert the subjects to change into the table `chosen`, with the annotations to end; return
    their number."""
    db.run("DELETE FROM chosen")
    # Materialized, because SQLite would otherwise scan all labels of the set first.
    sql = f"INSERT INTO chosen WITH s AS MATERIALIZED ({subjects}) SELECT image, crop, annotation"
    return db.run(f"{sql} FROM s WHERE {_WHICH[which]}", values).rowcount


def _end(db: Database, values: dict[str, Any]) -> None:
    db.run(
        "UPDATE annotation SET ended_at = :now"
        " WHERE id IN (SELECT ended FROM chosen WHERE ended IS NOT NULL)",
        values,
    )


def _begin(db: Database, values: dict[str, Any]) -> None:
    db.run(
        "INSERT INTO annotation (image, crop, label_set, label, author, confidence, made_at,"
        " annotator, role) SELECT DISTINCT image, crop, :label_set, :label, :author, :confidence,"
        " :now, :annotator, :role FROM chosen",
        values,
    )


_ANNOTATIONS = (
    "SELECT a.id, a.image, a.crop, s.name, l.name, a.author, a.confidence, a.made_at, a.ended_at,"
    " coalesce(p.name, ''), coalesce(a.role, 0)"
    " FROM annotation a JOIN label l ON l.id = a.label JOIN label_set s ON s.id = a.label_set"
    " LEFT JOIN annotator p ON p.id = a.annotator"
)
_HISTORY = f"{_ANNOTATIONS} WHERE a.id IN ({EVER_OF_IMAGES}) ORDER BY a.id"
_ALL_CURRENT = f"{_ANNOTATIONS} WHERE a.ended_at IS NULL ORDER BY a.image, a.id"


class Standing(NamedTuple):
    """A current label, its author, and when it was given (in seconds since the epoch)."""

    label: str
    author: Author
    made_at: float


class Labels:
    """Label sets, and the labels of images and crops.

    `annotator` is the name of the person who labels by hand now, "" without one.
    """

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self.annotator = ""
        self._annotators = Annotators(db, recorder)
        self._recorder = recorder
        self._sets = LabelSets(db, recorder)
        self._arrays = LabelArrays(db)
        self._images: int | None = None
        recorder.on_changes.append(self._update)

    def _update(self, changes: Changes | None) -> None:
        self._arrays.update(changes)
        if changes is None or changes.added or changes.removed:
            self._images = None

    def forget(self, images: Iterable[int] = ()) -> None:
        """Drop cached labels of images that the open edit adds or removes (`images`)."""
        self._images = None
        self._arrays.touch(images)

    def sets(self) -> dict[str, LabelSet]:
        """All label sets by name, in order of creation."""
        return self._sets.sets()

    def find(self, name: str) -> LabelSet | None:
        """One label set; None if there is none of this name."""
        return self._sets.find(name)

    def get(self, name: str) -> LabelSet:
        """One label set. Raises ValueRefused, listing the known ones, if there is none."""
        return self._sets.get(name)

    def save_set(self, label_set: LabelSet, renamed: Mapping[str, str] | None = None) -> None:
        """Store a new or changed set; `renamed` maps previous names of labels to new ones."""
        self._sets.save(label_set, renamed or {})
        self._arrays.update(None)

    def remove_set(self, name: str) -> None:
        """Remove a set with all its labels. Raises ValueRefused if it is unknown."""
        self._sets.remove(name)
        self._arrays.update(None)

    def assign(
        self,
        image_ids: Iterable[int] | IntArray,
        label_set: str,
        label: str | None,
        author: Author = Author.HUMAN,
        confidence: float = 1.0,
        annotator: str = "",
    ) -> frozenset[int]:
        """Label images (None clears), as one undoable edit; return the ids of changed images.

        Labels by hand are not replaced by other authors; in a set that is not exclusive, a label by
        hand is toggled. `annotator` is the name stored with the label; "" means the person who
        labels now, if it is by hand. Raises ValueRefused for an unknown set or label.
        """
        given = self._assignment(label_set, label, author, confidence)
        return self._assign(image_ids, given, label, annotator, crops=False)

    def assign_crops(
        self,
        crop_ids: Iterable[int] | IntArray,
        label_set: str,
        label: str | None,
        author: Author = Author.HUMAN,
        confidence: float = 1.0,
        annotator: str = "",
    ) -> frozenset[int]:
        """As `assign`, for crops; return the ids of images whose crops changed."""
        given = self._assignment(label_set, label, author, confidence)
        return self._assign(crop_ids, given, label, annotator, crops=True)

    def decide(self, ids: Iterable[int], label_set: str, label: str, crops: bool = False) -> None:
        """Settle disagreements on images (or crops) in an exclusive set: store a label as a
        decision, also where it is the current one. Raises ValueRefused for an unknown set or
        label."""
        given = self._assignment(label_set, label, Author.HUMAN, 1.0)
        given = dataclasses.replace(given, role=Role.DECISION)
        self._assign(ids, given, label, "", crops)

    def of_images(
        self, ids: Iterable[int] | IntArray, label_set: str
    ) -> dict[int, tuple[str, ...]]:
        """Labels of each labelled image, in the set's order."""
        return self._all(
            "SELECT a.image, l.name FROM json_each(?) wanted"
            " JOIN annotation a ON a.image = wanted.value AND a.crop IS NULL",
            ids,
            label_set,
        )

    def of_crops(
        self, crop_ids: Iterable[int] | IntArray, label_set: str
    ) -> dict[int, tuple[str, ...]]:
        """Labels of each labelled crop, in the set's order."""
        return self._all(
            "SELECT a.crop, l.name FROM json_each(?) wanted"
            " JOIN annotation a ON a.crop = wanted.value AND a.crop IS NOT NULL",
            crop_ids,
            label_set,
        )

    def standing(
        self, ids: Iterable[int] | IntArray, label_set: str, crops: bool = False
    ) -> dict[int, Standing]:
        """Label, author and time of each labelled image (or crop), the last one of several."""
        subject = (
            "a.crop = wanted.value AND a.crop IS NOT NULL"
            if crops
            else ("a.image = wanted.value AND a.crop IS NULL")
        )
        rows = self._db.rows(
            "SELECT wanted.value, l.name, a.author, a.made_at FROM json_each(?) wanted"  # noqa: S608
            f" JOIN annotation a ON {subject} AND a.ended_at IS NULL AND a.label_set = ?"
            " JOIN label l ON l.id = a.label ORDER BY l.position",
            (listed(ids), self._sets.id_of(label_set)),
        )
        return {id_: Standing(name, Author(author), at / 1e6) for id_, name, author, at in rows}

    def label_ids(self, ids: Iterable[int] | IntArray, label_set: str) -> IntArray:
        """Position of each image's label in the set, -1 without one; the last of several labels.

        Fast for any number of ids.
        """
        rows = self._sets.label_ids(label_set)
        array = self._arrays.of_set(self._sets.id_of(label_set))
        wanted = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), np.int64)
        position = np.full(max(rows.values(), default=0) + 1, -1, np.int64)
        position[list(rows.values())] = np.arange(len(rows))
        known = np.minimum(wanted, len(array) - 1)
        found = np.where(wanted < len(array), array[known], 0)
        return np.asarray(position[np.where(found < len(position), found, 0)])

    def present_names(self, label_set: str, since: float) -> dict[str, str]:
        """As `label_sets.present_names`."""
        return present_names(self._db, label_set, since)

    def counts(self, label_set: str) -> dict[str, int]:
        """Number of images (or crops, for a set of crops) with each label; "" for those without."""
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
        """Number of images with each pair of labels of two sets.

        Returns the names of rows and of columns, and the counts; the last row and the last column
        are for images without a label.
        """
        rows, columns = self.get(rows_set).names, self.get(columns_set).names
        images = self._db.ids("SELECT id FROM image")
        at_row, at_column = self.label_ids(images, rows_set), self.label_ids(images, columns_set)
        at_row = np.where(at_row < 0, len(rows), at_row)
        at_column = np.where(at_column < 0, len(columns), at_column)
        shape = (len(rows) + 1, len(columns) + 1)
        flat = np.bincount(at_row * shape[1] + at_column, minlength=shape[0] * shape[1])
        return rows, columns, flat.reshape(shape)

    def history(self, image_id: int) -> list[Annotation]:
        """All current and previous labels of an image and its crops, oldest first."""
        return [_annotation(row) for row in self._db.rows(_HISTORY, (listed([image_id]),) * 3)]

    def assign_each(
        self, label_set: str, wanted: Sequence[ImportedLabel], crops: bool = False
    ) -> frozenset[int]:
        """Give each image (or crop) its own label, or labels of a set that is not exclusive, as
        files have them.

        Labels by hand are not replaced; equal labels stay, unless the file has them by hand and the
        project does not. Fast for many labels, unlike one call of `assign` for each. Returns the
        ids of changed images. Raises ValueRefused for an unknown set or label.
        """
        known, rows = self._sets.get(label_set), self._sets.label_ids(label_set)
        for label in {one.label for one in wanted} - rows.keys():
            known.index(label)
        target = LabelTarget(self._sets.id_of(label_set), known.exclusive, crops)
        with self._recorder.edit(Message("Import labels")):
            names = dict.fromkeys(one.annotator for one in wanted if one.annotator)
            people = {name: self._annotators.ensure(name) for name in names}
            images = assign_each(self._db, target, rows, people, wanted)
        self._arrays.touch(images)
        return images

    def values(self) -> list[tuple[Any, ...]]:
        """Image, crop, set, label, author, confidence and annotator of all current labels, by
        image."""
        return self._db.rows(
            "SELECT a.image, a.crop, s.name, l.name, a.author, a.confidence, coalesce(p.name, '')"
            " FROM annotation a JOIN label l ON l.id = a.label"
            " JOIN label_set s ON s.id = a.label_set LEFT JOIN annotator p ON p.id = a.annotator"
            " WHERE a.ended_at IS NULL ORDER BY a.image, a.id"
        )

    def current(self) -> list[Annotation]:
        """All current labels of images and crops, by image."""
        return [_annotation(row) for row in self._db.rows(_ALL_CURRENT)]

    def _assignment(
        self, label_set: str, label: str | None, author: Author, confidence: float
    ) -> Assignment:
        wanted = self._sets.get(label_set)
        if label is not None:
            wanted.index(label)
        row = self._sets.label_ids(label_set)[label] if label is not None else None
        set_id = self._sets.id_of(label_set)
        return Assignment(set_id, wanted.exclusive, row, author, confidence)

    def _assign(
        self,
        ids: Iterable[int] | IntArray,
        assignment: Assignment,
        label: str | None,
        annotator: str,
        crops: bool,
    ) -> frozenset[int]:
        name = annotator or (self.annotator if assignment.author is Author.HUMAN else "")
        text = Message("Label “{label}”", label=label)
        with self._recorder.edit(text if label is not None else Message("Clear labels")):
            if name and label is not None:
                person = self._annotators.ensure(name)
                assignment = dataclasses.replace(assignment, annotator=person)
            images = assign(self._db, ids, assignment, crops)
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
        current = "WHERE a.label_set = ? AND a.ended_at IS NULL"
        without = "SELECT count(*) FROM image WHERE id NOT IN (SELECT a.image FROM annotation a "
        if wanted.subject is Subject.CROP:
            without = (
                "SELECT count(*) FROM crop WHERE state IN ('found', 'adjusted') AND id NOT IN"
                " (SELECT a.crop FROM annotation a "
            )
            current += " AND a.crop IS NOT NULL"
        missing = int(self._db.value(f"{without}{current})", (set_id,)))
        return {**{name: found.get(name, 0) for name in wanted.names}, "": missing}


def _annotation(row: Sequence[Any]) -> Annotation:
    id_, image, crop, label_set, label, author, confidence, made, ended, annotator, role = row
    ended_at = ended / 1e6 if ended is not None else None
    about = (Author(author), confidence, made / 1e6, ended_at, annotator, Role(role))
    return Annotation(id_, image, crop, label_set, label, *about)
