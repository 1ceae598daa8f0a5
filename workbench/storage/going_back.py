"""Going back to a version: what it changes, and the undoable edit that changes it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from workbench.domain.changes import Changes
from workbench.domain.splits import PARTS
from workbench.domain.text import Message
from workbench.domain.versions import (
    Version,
    VersionContent,
    VersionFile,
    VersionImage,
    VersionLabel,
    file_of,
    image_of,
)
from workbench.storage.annotators import Annotators
from workbench.storage.database import Database, listed
from workbench.storage.history import Recorder, now
from workbench.storage.images import StoredImages
from workbench.storage.labels import Labels
from workbench.storage.splits import Splits
from workbench.storage.versions import NAMED_LABELS, SOME_LABELS, Versions

BATCH = 5000  # images between two looks at whether going back is stopped

_GIVEN = "a.id, a.image, a.crop, s.name, l.name, a.author, a.confidence, coalesce(p.name, ''),"
_CURRENT_LABELS = f"SELECT {_GIVEN} coalesce(a.role, 0) FROM {SOME_LABELS} a{NAMED_LABELS}"  # noqa: S608
# Earlier labels, without opinions, which were never the current ones (see `Annotators`).
_ENDED_LABELS = (
    f"SELECT l.removed, a.made_at, {_GIVEN} coalesce(a.role, 0)"  # noqa: S608
    " FROM json_each(?1) w JOIN annotation a"
    f" ON a.image = w.value AND a.ended_at IS NOT NULL AND a.ended_at <> a.made_at{NAMED_LABELS}"
    " ORDER BY a.id"
)
_LABEL_ROWS = (
    "SELECT s.name, l.name, s.id, l.id FROM label l"
    " JOIN label_set s ON s.id = l.label_set WHERE NOT l.removed"
)
_CROP_FIELDS = "face, state, left, top, right, bottom, landmarks, detector, reviewed, reason"


@dataclass(frozen=True)
class ReturnPlan:
    """What going back to a version changes: `images` differ, by hash; `moment` as in a draft."""

    target: VersionContent
    version: Version
    images: Mapping[str, VersionImage]
    missing: Mapping[str, VersionFile]
    surplus: tuple[int, ...]
    split: bool
    moment: str


class GoingBack:
    """Changes a project back to one of its versions."""

    def __init__(
        self,
        db: Database,
        recorder: Recorder,
        labels: Labels,
        images: StoredImages,
        splits: Splits,
        versions: Versions,
    ) -> None:
        self._db = db
        self._recorder = recorder
        self._labels = labels
        self._images = images
        self._splits = splits
        self._versions = versions
        self._annotators = Annotators(db, recorder)

    def plan(self, version: Version, target: VersionContent) -> ReturnPlan:
        """Compare the project with the content of a version, for any thread."""
        present, ids = self._versions.current(target), self._images.hashes()
        differ = (
            (hash_, state)
            for hash_, state in target.states.items()
            if present.states.get(hash_) != state
        )
        return ReturnPlan(
            target,
            version,
            {hash_: image_of(state) for hash_, state in differ},
            {hash_: file_of(target.files[hash_]) for hash_ in target.states if hash_ not in ids},
            tuple(id_ for hash_, id_ in ids.items() if hash_ not in target.states),
            (present.split, present.parts) != (target.split, target.parts),
            self._versions.moment(),
        )

    def run(self, plan: ReturnPlan) -> Generator[int, None, Changes]:
        """Change images, labels, mouths and split back to a version, as one undoable edit.

        Yields the number of images that are done; if it is closed, nothing has changed. Files and
        runs are not changed. Returns the changes.
        """
        title = Message("Go back to version “{name}”", name=plan.version.name)
        with self._recorder.edit(title) as edit:
            if plan.moment != self._versions.moment(before=edit.id):
                plan = self.plan(plan.version, plan.target)
            self._restore_sets(plan.target)
            if plan.surplus:
                self._images.remove(plan.surplus)
            self._images.put_back(plan.missing)
            yield 0
            ids, images = self._images.hashes(), list(plan.images.items())
            for at in range(0, len(images), BATCH):
                wanted = {ids[hash_]: image for hash_, image in images[at : at + BATCH]}
                self._restore_crops(wanted)
                self._restore_labels(wanted, plan.version.made_at)
                yield at + len(wanted)
            if plan.split:
                self._restore_split(plan.target, ids)
        return edit.changes

    def _restore_sets(self, target: VersionContent) -> None:
        names = {known.name for known in target.label_sets}
        present = self._labels.sets()
        for known in target.label_sets:
            if present.get(known.name) != known:
                self._labels.save_set(known)
        for name in present:
            if name not in names:
                self._labels.remove_set(name)

    def _crops(self, images: Iterable[int]) -> dict[int, list[tuple[Any, ...]]]:
        """Rows of crops by image: id, then the fields of a VersionCrop without labels."""
        found: dict[int, list[tuple[Any, ...]]] = {}
        for image, *row in self._db.rows(
            f"SELECT c.image, c.id, {_CROP_FIELDS} FROM json_each(?) wanted"  # noqa: S608
            " JOIN crop c ON c.image = wanted.value ORDER BY c.image, c.face, c.id",
            (listed(images),),
        ):
            found.setdefault(image, []).append(tuple(row))
        return found

    def _restore_crops(self, wanted: Mapping[int, VersionImage]) -> None:
        """Make the crops of these images equal to those of a version, keeping their rows."""
        present = self._crops(wanted)
        surplus: list[int] = []
        for image, target in wanted.items():
            rows = present.get(image, [])
            for at, crop in enumerate(target.crops):
                values = msgspec.structs.astuple(crop)[:-1]
                if at >= len(rows):
                    self._db.run(
                        f"INSERT INTO crop (image, {_CROP_FIELDS})"  # noqa: S608
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (image, *values),
                    )
                elif rows[at][1:] != values:
                    self._db.run(
                        f"UPDATE crop SET ({_CROP_FIELDS})"  # noqa: S608
                        " = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?",
                        (*values, rows[at][0]),
                    )
            surplus += [row[0] for row in rows[len(target.crops) :]]
        gone = listed(surplus)
        self._db.run(
            "UPDATE annotation SET ended_at = ? WHERE ended_at IS NULL AND crop IS NOT NULL"
            " AND crop IN (SELECT value FROM json_each(?))",
            (now(), gone),
        )
        self._db.run("DELETE FROM crop WHERE id IN (SELECT value FROM json_each(?))", (gone,))

    def _restore_labels(self, wanted: Mapping[int, VersionImage], made_at: float) -> None:
        """End the labels of these images that a version has not, and bring back those that it has.

        An ended label gets its row back, with the time at which it was given. Others have that of
        the label in place of which they come back, as after a change of names, or else `made_at`,
        that of the version.
        """
        ids = (listed(wanted),)
        present = {tuple(key): id_ for id_, *key in self._db.rows(_CURRENT_LABELS, ids)}
        ended, times = {}, {}
        for removed, made, id_, *key in self._db.rows(_ENDED_LABELS, ids):
            times[_without_label(key)] = made
            if not removed:
                ended[tuple(key)] = id_
        crops = self._crops(wanted)
        target = {
            (image, crop, *msgspec.structs.astuple(label))
            for image, state in wanted.items()
            for crop, labels in _labels_of(state, crops.get(image, []))
            for label in labels
        }
        missing = target - present.keys()
        surplus = (id_ for key, id_ in present.items() if key not in target)
        chosen = "WHERE id IN (SELECT value FROM json_each(?))"
        self._db.run(
            f"UPDATE annotation SET ended_at = ? {chosen}",  # noqa: S608
            (now(), listed(surplus)),
        )
        self._db.run(
            f"UPDATE annotation SET ended_at = NULL {chosen}",  # noqa: S608
            (listed(ended[key] for key in missing & ended.keys()),),
        )
        version = int(made_at * 1e6)
        self._insert_labels(
            (key, times.get(_without_label(key), version))
            for key in sorted(missing - ended.keys(), key=str)
        )

    def _insert_labels(self, labels: Iterable[tuple[tuple[Any, ...], int]]) -> None:
        """Insert labels, each with its time in microseconds."""
        rows = {(name, label): ids for name, label, *ids in self._db.rows(_LABEL_ROWS)}
        people: dict[str, int | None] = {"": None}
        found = []
        for (image, crop, name, label, author, confidence, person, role), made_at in labels:
            if person not in people:
                people[person] = self._annotators.ensure(person)
            what = (image, crop, *rows[name, label], author, confidence)
            found.append((*what, made_at, people[person], role or None))
        self._db.run_many(
            "INSERT INTO annotation (image, crop, label_set, label, author, confidence, made_at,"
            " annotator, role) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            found,
        )

    def _restore_split(self, target: VersionContent, ids: Mapping[str, int]) -> None:
        if target.split is None:
            self._db.run("UPDATE split SET standing = 0 WHERE standing")
            return
        members = {ids[hash_]: PARTS[code] for hash_, code in target.parts.items()}
        self._splits.make(target.split.plan, members, target.split.name)


def _without_label(key: Sequence[Any]) -> tuple[Any, ...]:
    """Image, crop, label set, author, confidence, annotator and role of a label."""
    return (*key[:3], *key[4:])


def _labels_of(
    state: VersionImage, rows: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int | None, tuple[VersionLabel, ...]]]:
    """The labels of an image and of its crops, whose rows are in the same order."""
    yield None, state.labels
    for row, crop in zip(rows, state.crops, strict=True):
        yield row[0], crop.labels
