"""Storage of the people who label: their names, and the labels that each of them gave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from workbench.domain.agreement import Moments, Opinions
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.labels import Author, Role, Subject
from workbench.domain.text import Message
from workbench.storage.database import Database, IntArray, listed
from workbench.storage.history import Recorder, now
from workbench.storage.label_sets import LabelSets

_INSERT = (
    "INSERT INTO annotation (image, crop, label_set, label, author, confidence, made_at, ended_at,"
    " annotator, role)"
)

# For each chosen subject whose current label is another person's: the opinion of `annotator`, who
# has just given it a label. Without it, only the images on which people disagree would be known.
ADD_AGREEMENT = (
    f"{_INSERT} WITH s AS MATERIALIZED ({{subjects}}) SELECT s.image, s.crop, :label_set, :label,"  # noqa: S608
    " :author, :confidence, :now, :now, :annotator, NULL FROM s CROSS JOIN annotation c"
    " ON c.id = s.annotation WHERE c.annotator IS NOT :annotator AND :label IS NOT ("
    "SELECT o.label FROM annotation o INDEXED BY ended_of_image WHERE o.image = s.image"
    " AND o.crop IS s.crop AND o.label_set = :label_set AND o.annotator = :annotator"
    " AND o.ended_at IS NOT NULL AND o.ended_at = o.made_at"
    " ORDER BY o.made_at DESC, o.id DESC LIMIT 1)"
)

# Ids of all annotations, current and ended, of the images in a JSON list (passed three times).
EVER_OF_IMAGES = (
    "SELECT a.id FROM json_each(?) w CROSS JOIN label_set s CROSS JOIN annotation a"
    " INDEXED BY standing_of_images ON a.label_set = s.id AND a.image = w.value"
    " AND a.ended_at IS NULL AND a.crop IS NULL"
    " UNION ALL SELECT a.id FROM json_each(?) w JOIN annotation a"
    " ON a.image = w.value AND a.ended_at IS NOT NULL"
    " UNION ALL SELECT a.id FROM json_each(?) w JOIN crop c ON c.image = w.value"
    " JOIN annotation a ON a.crop = c.id AND a.ended_at IS NULL AND a.crop IS NOT NULL"
)


class NewAnnotation(NamedTuple):
    """A label to store as it is; `made_at` in microseconds (0: now), `annotator` "" for no name."""

    image: int
    crop: int | None
    label: str
    annotator: str
    author: Author
    role: Role
    made_at: int
    confidence: float = 1.0


class Annotators:
    """Names of annotators, and the labels by hand that carry them.

    Names are not part of the undo history: an unused name is listed nowhere.
    """

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder
        self._sets = LabelSets(db, recorder)

    def names(self) -> dict[int, str]:
        """Names by id, in alphabetical order."""
        rows = self._db.rows("SELECT id, name FROM annotator")
        return dict(sorted(rows, key=lambda row: (row[1].casefold(), row[0])))

    def id_of(self, name: str) -> int | None:
        """Id of the annotator that a written name means, whatever its case; None for an unknown
        name."""
        known = self._ids()
        names = LabelNames(known)
        found = names.equal(name) or names.like(name)
        return known[found] if found else None

    def ensure(self, name: str) -> int | None:
        """Id of the annotator called `name`, stored if it is new; None for a blank name."""
        known = self._ids()
        names = LabelNames(known)
        new = names.equal(name) or names.like(name) or tidied(name)
        if not new:
            return None
        if new not in known:
            cursor = self._db.run("INSERT INTO annotator (name) VALUES (?)", (new,))
            return int(cursor.lastrowid or 0)
        return known[new]

    def _ids(self) -> dict[str, int]:
        return {name: id_ for id_, name in self._db.rows("SELECT id, name FROM annotator")}

    def add_opinions(self, label_set: str, opinions: Iterable[NewAnnotation]) -> None:
        """Store labels that do not become the current ones. Raises ValueRefused for an unknown
        set."""
        self._insert(label_set, opinions, current=False)

    def add_labels(self, label_set: str, labels: Iterable[NewAnnotation]) -> None:
        """Store labels that become current ones, of subjects that have none, or not this one in a
        set that is not exclusive. Raises ValueRefused for an unknown set."""
        self._insert(label_set, labels, current=True)

    def replace_labels(self, label_set: str, labels: Iterable[NewAnnotation]) -> None:
        """Store labels as decisions made now, in place of the current ones. Raises ValueRefused for
        an unknown set."""
        rows, set_id, moment = list(labels), self._sets.id_of(label_set), now()
        with self._recorder.edit(Message("Label {name}", name=label_set)):
            self._db.run_many(
                "UPDATE annotation SET ended_at = ? WHERE label_set = ? AND image = ?"
                " AND crop IS NULL AND ended_at IS NULL",
                [(moment, set_id, one.image) for one in rows if one.crop is None],
            )
            self._db.run_many(
                "UPDATE annotation SET ended_at = ? WHERE label_set = ? AND crop = ?"
                " AND crop IS NOT NULL AND ended_at IS NULL",
                [(moment, set_id, one.crop) for one in rows if one.crop is not None],
            )
            decided = [one._replace(made_at=moment, role=Role.DECISION) for one in rows]
            self._insert(label_set, decided, current=True)

    def _insert(self, label_set: str, rows: Iterable[NewAnnotation], current: bool) -> None:
        set_id, labels = self._sets.id_of(label_set), self._sets.label_ids(label_set)
        people: dict[str, int | None] = {}
        with self._recorder.edit(Message("Label {name}", name=label_set)):
            values = []
            for one in rows:
                if one.annotator not in people:
                    people[one.annotator] = self.ensure(one.annotator)
                made = one.made_at or now()
                what = (one.image, one.crop, set_id, labels[one.label], one.author.value)
                when = (round(one.confidence, 6), made, None if current else made)
                values.append((*what, *when, people[one.annotator], one.role.value or None))
            self._db.run_many(f"{_INSERT} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def opinions(self, label_set: str, images: Sequence[int] | None = None) -> Opinions:
        """The labels of a set that named people gave to its subjects, or only to those of `images`,
        oldest first.

        Labels that were cleared and decisions are left out. Raises ValueRefused for an unknown set.
        """
        crops = self._sets.get(label_set).subject is Subject.CROP
        if not self._db.value("SELECT 1 FROM annotator"):
            return Opinions.none()
        rows = list(self._sets.label_ids(label_set).values())
        scope = (self._sets.id_of(label_set), int(crops))
        ids, at, subjects, labels, people, made, ended, roles = self._columns(
            "id, image, coalesce(crop, image), label, annotator, made_at, coalesce(ended_at, 0),"
            " coalesce(role, 0)",
            8,
            scope,
            images,
            " AND annotator IS NOT NULL",
        )
        given = (roles != Role.DECISION) & np.isin(labels, rows)
        gone = np.flatnonzero(given & (ended > 0) & (ended != made))
        begun = self._begun(scope, at[gone])
        ends = zip(subjects[gone].tolist(), ended[gone].tolist(), strict=True)
        given[gone] = [end in begun for end in ends]  # replaced, not cleared
        used = np.flatnonzero(given)
        used = used[np.lexsort((ids[used], made[used]))]
        position = np.zeros(max(rows, default=0) + 1, np.int64)
        position[rows] = np.arange(len(rows))
        return Opinions(
            at[used],
            subjects[used],
            people[used],
            position[labels[used]],
            made[used],
            roles[used] == Role.BLIND,
        )

    def _columns(
        self,
        names: str,
        count: int,
        scope: tuple[int, int],
        images: Sequence[int] | IntArray | None,
        condition: str = "",
    ) -> list[IntArray]:
        """Columns of annotations of a set, of crops or not (`scope`); `images` None means all."""
        sql = f"SELECT {names} FROM annotation WHERE label_set = ? AND (crop IS NOT NULL) = ?"  # noqa: S608
        if images is None:
            return self._db.columns(sql + condition, scope, count)
        chosen = (listed(images),) * 3
        return self._db.columns(
            f"{sql} AND id IN ({EVER_OF_IMAGES}){condition}", (*scope, *chosen), count
        )

    def _begun(self, scope: tuple[int, int], images: IntArray) -> set[tuple[int, int]]:
        """Each subject of some images with each time at which it got a label."""
        if not len(images):
            return set()
        subjects, made = self._columns("coalesce(crop, image), made_at", 2, scope, images)
        return set(zip(subjects.tolist(), made.tolist(), strict=True))

    def decisions(self, label_set: str) -> dict[int, int]:
        """When a disagreement on each subject was settled by its current label, in microseconds.

        Raises ValueRefused for an unknown set.
        """
        subjects, made = self._db.columns(
            "SELECT coalesce(crop, image), made_at FROM annotation"
            " WHERE label_set = ? AND role = ? AND ended_at IS NULL",
            (self._sets.id_of(label_set), Role.DECISION.value),
            2,
        )
        return dict(zip(subjects.tolist(), made.tolist(), strict=True))

    def moments(self) -> Moments:
        """When each named person labelled which image, in any set; decisions are left out."""
        people, images, made, by_hand, accepted = self._db.columns(
            "SELECT annotator, image, made_at, author = 'human', confidence < 1 FROM annotation"
            " WHERE annotator IS NOT NULL AND role IS NOT ?",
            (Role.DECISION.value,),
            5,
        )
        return Moments(people, images, made, by_hand.astype(np.bool_), accepted.astype(np.bool_))

    def images_of(self, name: str, images: Sequence[int] | None = None) -> IntArray:
        """Those of `images` (None: all) that a person labelled in any set, with repeated ids; none
        for an unknown name."""
        person = self.id_of(name)
        if person is None:
            return np.zeros(0, np.int64)
        found = [self.opinions(label_set, images) for label_set in self._sets.sets()]
        return np.concatenate([one.images[one.annotators == person] for one in found])
