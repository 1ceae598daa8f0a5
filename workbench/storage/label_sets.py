"""Storage of label sets. A label keeps its row when it is renamed or moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from workbench.domain.errors import ValueRefused
from workbench.domain.labels import Label, LabelSet, Subject, with_paired_mirrors
from workbench.domain.text import Message
from workbench.storage.database import Database
from workbench.storage.history import Recorder, now


class _LabelValues(NamedTuple):
    """The stored values of a label; `position` counts from 0."""

    name: str
    key: str
    mirror: str
    position: int


def present_names(db: Database, label_set: str, since: float) -> dict[str, str]:
    """The present names of those labels of a set that were renamed or merged after a time (seconds
    since the epoch), by the names that they had at that time."""
    rows = db.rows(
        "SELECT f.name, l.name FROM label_set s JOIN earlier_name f ON f.label_set = s.id"
        " JOIN label l ON l.id = f.label WHERE s.name = ? AND f.ended_at > ? AND NOT l.removed"
        " ORDER BY f.ended_at DESC, f.id DESC",
        (label_set, round(since * 1e6)),
    )
    return dict(rows)


class LabelSets:
    """Reads and writes label sets. Annotations refer to rows, so a rename changes none of them."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder

    def sets(self) -> dict[str, LabelSet]:
        """All label sets by name, in order of creation.

        One-sided mirrors, which older versions stored and undo may restore, are made mutual by
        `with_paired_mirrors`.
        """
        return self._read("true")

    def find(self, name: str) -> LabelSet | None:
        """One label set; None if there is none of this name."""
        return self._read("name = ?", name).get(name)

    def _read(self, which: str, *values: str) -> dict[str, LabelSet]:
        labels: dict[int, list[Label]] = {}
        for label_set, *label in self._db.rows(
            "SELECT label_set, name, key, mirror FROM label WHERE NOT removed AND label_set IN"  # noqa: S608
            f" (SELECT id FROM label_set WHERE {which}) ORDER BY label_set, position",
            values,
        ):
            labels.setdefault(label_set, []).append(Label(*label))
        return {
            name: LabelSet(
                name,
                with_paired_mirrors(labels.get(id_, ())),
                Subject(subject),
                bool(exclusive),
            )
            for id_, name, subject, exclusive in self._db.rows(
                f"SELECT id, name, subject, exclusive FROM label_set WHERE {which} ORDER BY id",  # noqa: S608
                values,
            )
        }

    def get(self, name: str) -> LabelSet:
        """One label set. Raises ValueRefused, listing the known ones, if there is none."""
        if (found := self.find(name)) is None:
            sentence = Message("There is no label set “{name}”.", name=name)
            raise ValueRefused(Message("label set"), name, ", ".join(self.sets()), sentence)
        return found

    def id_of(self, name: str) -> int:
        """Row id of a set. Raises ValueRefused if it is unknown."""
        found = self._db.value("SELECT id FROM label_set WHERE name = ?", (name,))
        if found is None:
            self.get(name)
        return int(found)

    def label_ids(self, name: str) -> dict[str, int]:
        """Row ids of a set's labels by name, in the set's order. Raises ValueRefused."""
        rows = self._db.rows(
            "SELECT name, id FROM label WHERE label_set = ? AND NOT removed ORDER BY position",
            (self.id_of(name),),
        )
        return dict(rows)

    def save(self, wanted: LabelSet, renamed: Mapping[str, str]) -> None:
        """Store a new or changed set, as one undoable edit.

        `renamed` maps previous names of labels to new ones; labels renamed to the same name are
        merged. Labels that are no longer in the set are cleared from all subjects. Raises
        ValueRefused for an empty name, or a new name that is not in the set.
        """
        if not wanted.name.strip():
            raise ValueRefused(Message("label set"), "", Message("a name"))
        for old, new in renamed.items():
            if new not in wanted.names:
                sentence = Message("“{old}” cannot become “{new}”.", old=old, new=new)
                raise ValueRefused(Message("label"), new, ", ".join(wanted.names), sentence)
        with self._recorder.edit(Message("Label set {name}", name=wanted.name)):
            was_exclusive = self._db.value(
                "SELECT exclusive FROM label_set WHERE name = ?", (wanted.name,)
            )
            set_id = self._save_row(wanted)
            rows = self._placed(set_id, wanted, renamed)
            self._write_labels(set_id, wanted, rows)
            if wanted.exclusive and not was_exclusive:
                self._keep_newest(set_id)

    def remove(self, name: str) -> None:
        """Remove a set with its labels and their annotations, as one undoable edit."""
        set_id = self.id_of(name)
        with self._recorder.edit(Message("Remove label set {name}", name=name)):
            for table in ("annotation", "earlier_name", "label"):
                self._db.run(f"DELETE FROM {table} WHERE label_set = ?", (set_id,))  # noqa: S608
            self._db.run("DELETE FROM label_set WHERE id = ?", (set_id,))

    def _save_row(self, wanted: LabelSet) -> int:
        values = (wanted.subject.value, int(wanted.exclusive))
        row = self._db.row(
            "SELECT id, subject, exclusive FROM label_set WHERE name = ?", (wanted.name,)
        )
        if row is None:
            cursor = self._db.run(
                "INSERT INTO label_set (name, subject, exclusive) VALUES (?, ?, ?)",
                (wanted.name, *values),
            )
            return int(cursor.lastrowid or 0)
        if row[1:] != values:
            self._db.run(
                "UPDATE label_set SET subject = ?, exclusive = ? WHERE id = ?", (*values, row[0])
            )
        return int(row[0])

    def _placed(self, set_id: int, wanted: LabelSet, renamed: Mapping[str, str]) -> dict[str, int]:
        """Rows of the remaining labels by their new names; the others are merged or removed."""
        before = self.label_ids(wanted.name)
        rows = {name: id_ for name, id_ in before.items() if name in wanted.names}
        rows = {name: id_ for name, id_ in rows.items() if renamed.get(name, name) == name}
        for old, new in renamed.items():
            if old in before and old != new:
                self._rename(before[old], new, rows)
                self._keep_name(set_id, old, before[old], rows[new])
        remaining = set(rows.values())
        for id_ in before.values():
            if id_ not in remaining:
                self._end_label(set_id, id_)
        return rows

    def _rename(self, row: int, new: str, rows: dict[str, int]) -> None:
        if new not in rows:
            rows[new] = row
        elif rows[new] != row:  # two labels become one
            self._db.run("UPDATE annotation SET label = ? WHERE label = ?", (rows[new], row))
            self._end_duplicates(rows[new])

    def _keep_name(self, set_id: int, old: str, row: int, now_row: int) -> None:
        """Keep the name of a renamed label for the runs that have learned it."""
        if row != now_row:
            self._db.run("UPDATE earlier_name SET label = ? WHERE label = ?", (now_row, row))
        self._db.run(
            "INSERT INTO earlier_name (label_set, label, name, ended_at) VALUES (?, ?, ?, ?)",
            (set_id, now_row, old, now()),
        )

    def _end_duplicates(self, label: int) -> None:
        """Clear all but one of a subject's equal labels: the newest, by hand if there is one."""
        self._db.run(
            "UPDATE annotation SET ended_at = ? WHERE id IN (SELECT id FROM (SELECT id,"
            " row_number() OVER (PARTITION BY image, crop ORDER BY author <> 'human', id DESC)"
            " AS rank FROM annotation WHERE label = ? AND ended_at IS NULL) WHERE rank > 1)",
            (now(), label),
        )

    def _end_label(self, set_id: int, label: int) -> None:
        self._db.run(
            "UPDATE annotation SET ended_at = ?"
            " WHERE label_set = ? AND label = ? AND ended_at IS NULL",
            (now(), set_id, label),
        )
        self._db.run("UPDATE label SET removed = 1 WHERE id = ?", (label,))

    def _write_labels(self, set_id: int, wanted: LabelSet, rows: Mapping[str, int]) -> None:
        for position, label in enumerate(wanted.labels):
            values = _LabelValues(label.name, label.key, label.mirror, position)
            if label.name not in rows:
                self._add_label(set_id, values)
                continue
            self._db.run(
                "UPDATE label SET name = ?, key = ?, mirror = ?, position = ? WHERE id = ?"
                " AND (name, key, mirror, position) IS NOT (?, ?, ?, ?)",
                (*values, rows[label.name], *values),
            )

    def _add_label(self, set_id: int, values: _LabelValues) -> None:
        """Add a label; one that was removed before gets its row and so its history back."""
        found = self._db.value(
            "SELECT id FROM label WHERE label_set = ? AND name = ? AND removed ORDER BY id DESC",
            (set_id, values.name),
        )
        if found is None:
            self._db.run(
                "INSERT INTO label (name, key, mirror, position, label_set) VALUES (?, ?, ?, ?, ?)",
                (*values, set_id),
            )
        else:
            self._db.run(
                "UPDATE label SET key = ?, mirror = ?, position = ?, removed = 0 WHERE id = ?",
                (values.key, values.mirror, values.position, found),
            )

    def _keep_newest(self, set_id: int) -> None:
        """Clear all but the newest label of each subject, for a set that became exclusive."""
        self._db.run(
            "UPDATE annotation SET ended_at = ? WHERE id IN (SELECT id FROM (SELECT id,"
            " row_number() OVER (PARTITION BY image, crop ORDER BY id DESC) AS rank"
            " FROM annotation WHERE label_set = ? AND ended_at IS NULL) WHERE rank > 1)",
            (now(), set_id),
        )
