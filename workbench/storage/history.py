"""Edit history: triggers record the previous state of each changed row for undo and redo."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from workbench.domain.changes import Changes, HistoryEntry
from workbench.domain.errors import KnownError
from workbench.domain.text import Message, from_stored, stored
from workbench.storage.database import Database

# Kinds of watched rows as the change table stores them, in an order that satisfies references.
KINDS = {
    "source": 1,
    "image": 2,
    "place": 3,
    "skipped": 4,
    "label_set": 5,
    "label": 6,
    "crop": 7,
    "annotation": 8,
    "split": 9,
    "earlier_name": 10,
}
# Images that recorded changes touch: those of the changed rows, and those with a renamed label.
# JSON arrays of states begin with the columns (image) id, hash and (label) id, label_set, name.
_TOUCHED = (
    "SELECT DISTINCT image FROM {changes} AND image"  # noqa: S608
    " UNION SELECT a.image FROM (SELECT l.id, l.label_set, l.name, c.state FROM"
    f" (SELECT row, state FROM {{changes}} AND kind = {KINDS['label']} AND state IS NOT NULL) c"
    " JOIN label l ON l.id = c.row) l JOIN annotation a"
    " ON a.label_set = l.label_set AND a.label = l.id AND a.ended_at IS NULL"
    " WHERE l.name <> json_extract(l.state, '$[2]')"
)
_REMOVED = (
    f"SELECT row, json_extract(state, '$[1]') FROM {{changes}} AND kind = {KINDS['image']}"  # noqa: S608
    " AND state IS NOT NULL AND NOT EXISTS (SELECT 1 FROM image WHERE image.id = change.row)"
)
_IMAGE_OF = {"image": "id", "place": "image", "crop": "image", "annotation": "image"}


@dataclass
class Edit:
    """An edit; `changes` is set when its block ends."""

    id: int
    text: str
    changes: Changes = field(default_factory=Changes)


def now() -> int:
    """Current time in microseconds since the epoch."""
    return time.time_ns() // 1000


class Recorder:
    """Starts edits and records changed rows during an edit."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._open: Edit | None = None
        self.held: Message | None = None  # title of a job during which edits are refused
        self.on_changes: list[Callable[[Changes | None], None]] = []
        self.columns = {table: self._columns_of(table) for table in KINDS}
        db.run("CREATE TEMP TABLE recording (edit INTEGER, step INTEGER)")
        for table in KINDS:
            self._watch(table)

    @contextmanager
    def edit(self, text: str, joined_to: int | None = None) -> Generator[Edit, None, None]:
        """Run the block as one durable transaction and record it as one edit.

        Inside an open edit, it becomes part of that edit. An edit without changes is not recorded.
        Raises KnownError while edits are held.
        """
        if self._open is not None:
            yield self._open
            return
        self.check_held()
        try:
            with self._db.transaction(durable=True):
                self._open = edit = self._begin(text, joined_to)
                yield edit
                edit.changes = self._end(edit)
        except BaseException:
            self.notify(None)
            raise
        finally:
            self._open = None
        self.notify(edit.changes)

    def check_held(self) -> None:
        """Raise KnownError while edits are held by a job that makes one in another thread."""
        if self.held is not None:
            raise KnownError(
                "Nothing can be changed while “{title}” is running.",
                "Wait until it has finished, or stop it.",
                title=self.held,
            )

    def touch(self, edit: int, step: int | None = None) -> None:
        """Note which images an edit, its last step or its undo has changed since the newest
        version."""
        if not self._db.value("SELECT 1 FROM version"):
            return
        which = [edit] if step is None else [edit, step]
        changes = f"change WHERE edit = ?1{'' if step is None else ' AND step = ?2'}"
        insert = "INSERT OR REPLACE INTO touched (image, hash)"
        touched = _TOUCHED.format(changes=changes)
        self._db.run(f"{insert} SELECT image, '' FROM ({touched})", which)  # noqa: S608
        self._db.run(f"{insert} {_REMOVED.format(changes=changes)}", which)

    def notify(self, changes: Changes | None) -> None:
        """Notify listeners that cache rows of changes; None: a transaction was rolled back."""
        for listener in self.on_changes:
            listener(changes)

    def changes(self, edit: int, step: int | None = None) -> Changes:
        """Changes recorded for an edit, or only for its last step."""
        found = Changes(history=True)
        for table, kind in KINDS.items():
            found |= self._changes_of(table, kind, edit, step)
        return found

    def _columns_of(self, table: str) -> list[str]:
        return [name for _, name, *_ in self._db.rows(f"PRAGMA table_info({table})")]

    def state_of(self, table: str, row: str) -> str:
        """SQL of a row's state as a JSON array; `row` is NEW, OLD or the table's name."""
        return "json_array(" + ", ".join(f'{row}."{c}"' for c in self.columns[table]) + ")"

    def _watch(self, table: str) -> None:
        image = _IMAGE_OF.get(table)
        for event, row, state in (
            ("INSERT", "NEW", "NULL"),
            ("UPDATE", "OLD", self.state_of(table, "OLD")),
            ("DELETE", "OLD", self.state_of(table, "OLD")),
        ):
            of_image = f"{row}.{image}" if image else "0"
            self._db.run(
                f"CREATE TEMP TRIGGER watch_{table}_{event} AFTER {event} ON main.{table}"  # noqa: S608
                f" WHEN EXISTS (SELECT 1 FROM recording) BEGIN"
                f" INSERT INTO change (edit, kind, row, step, image, state)"
                f" SELECT edit, {KINDS[table]}, {row}.id, step, {of_image}, {state}"
                f" FROM recording WHERE true"
                f" ON CONFLICT (edit, kind, row) DO UPDATE SET step = excluded.step; END"
            )

    def _begin(self, text: str, joined_to: int | None) -> Edit:
        origin = self._origin(joined_to)
        newest = self._db.row("SELECT id, origin, text FROM edit WHERE NOT undone ORDER BY id DESC")
        if newest and newest[1] == origin and not self._db.value("SELECT 1 FROM edit WHERE undone"):
            self._record(newest[0])
            return Edit(newest[0], from_stored(newest[2]))
        cursor = self._db.run(
            "INSERT INTO edit (origin, text, made_at, undone) VALUES (?, ?, ?, 0)",
            (origin or 0, stored(text), now()),
        )
        edit = Edit(int(cursor.lastrowid or 0), text)
        if origin is None:
            self._db.run("UPDATE edit SET origin = id WHERE id = ?", (edit.id,))
        self._record(edit.id)
        return edit

    def _origin(self, joined_to: int | None) -> int | None:
        """First edit of a joined sequence; it may have been discarded because it changed
        nothing."""
        if joined_to is None:
            return None
        found = self._db.value("SELECT origin FROM edit WHERE id = ?", (joined_to,))
        return int(found) if found is not None else joined_to

    def _record(self, edit: int) -> None:
        step = self._db.value("SELECT max(step) FROM change WHERE edit = ?", (edit,)) or 0
        self._db.run("INSERT INTO recording VALUES (?, ?)", (edit, step + 1))

    def _end(self, edit: Edit) -> Changes:
        step = self._db.value("SELECT step FROM recording")
        self._db.run("DELETE FROM recording")
        if not self._db.value("SELECT 1 FROM change WHERE edit = ? AND step = ?", (edit.id, step)):
            if step == 1:
                self._db.run("DELETE FROM edit WHERE id = ?", (edit.id,))
            return Changes()
        self._discard_undone()
        self.touch(edit.id, step)
        return self.changes(edit.id, step)

    def _discard_undone(self) -> None:
        """Discard undone edits, since a new edit ends the possibility of redo."""
        if not self._db.value("SELECT 1 FROM edit WHERE undone"):
            return
        self._db.run("DELETE FROM change WHERE edit IN (SELECT id FROM edit WHERE undone)")
        self._db.run("DELETE FROM edit WHERE undone")
        self._db.run(
            "DELETE FROM membership WHERE split NOT IN (SELECT id FROM split)"
            " AND split NOT IN (SELECT row FROM change WHERE kind = ?)",
            (KINDS["split"],),  # a deleted split whose deletion can be undone
        )

    def _changes_of(self, table: str, kind: int, edit: int, step: int | None) -> Changes:
        where, which = "edit = ? AND kind = ?", [edit, kind]
        if step is not None:
            where, which = where + " AND step = ?", [*which, step]
        if not self._db.value(f"SELECT 1 FROM change WHERE {where}", which):  # noqa: S608
            return Changes()
        if table in ("source", "place", "skipped"):
            return Changes(sources=True)
        if table in ("label_set", "label", "earlier_name"):
            return Changes(label_sets=True)
        if table == "split":
            return Changes(split=True)
        if table == "image":
            exists = "EXISTS (SELECT 1 FROM image WHERE image.id = change.row)"
            return Changes(
                added=self._images(f"{where} AND state IS NULL AND {exists}", which),
                removed=self._images(f"{where} AND state IS NOT NULL AND NOT {exists}", which),
            )
        images = self._images(where, which)
        return Changes(cropped=images) if table == "crop" else Changes(labelled=images)

    def _images(self, where: str, which: list[int]) -> frozenset[int]:
        sql = f"SELECT DISTINCT image FROM change WHERE {where}"  # noqa: S608
        return frozenset(self._db.ids(sql, which).tolist())


class History:
    """The project's edits, newest first; they persist between sessions."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder

    def undo(self) -> tuple[Message, Changes] | None:
        """Undo the newest edit. Returns its text and changes, or None if there is none."""
        return self._turn("SELECT id, text FROM edit WHERE NOT undone ORDER BY id DESC LIMIT 1", 1)

    def redo(self) -> tuple[Message, Changes] | None:
        """Redo the last undone edit. Returns its text and changes, or None if there is none."""
        return self._turn("SELECT id, text FROM edit WHERE undone ORDER BY id LIMIT 1", 0)

    def undo_text(self) -> Message | None:
        """Text of the edit that undo reverts, or None."""
        text = self._db.value("SELECT text FROM edit WHERE NOT undone ORDER BY id DESC LIMIT 1")
        return from_stored(str(text)) if text is not None else None

    def redo_text(self) -> Message | None:
        """Text of the edit that redo applies, or None."""
        text = self._db.value("SELECT text FROM edit WHERE undone ORDER BY id LIMIT 1")
        return from_stored(str(text)) if text is not None else None

    def text_at(self, moment: float) -> Message | None:
        """Text of the last edit begun by `moment` (in seconds since the epoch), or None."""
        sql = "SELECT text FROM edit WHERE made_at <= ? AND NOT undone ORDER BY id DESC LIMIT 1"
        text = self._db.value(sql, (round(moment * 1e6),))
        return from_stored(str(text)) if text is not None else None

    def entries(self, limit: int = 100) -> list[HistoryEntry]:
        """Entries, newest first."""
        sql = "SELECT id, text, made_at, undone FROM edit ORDER BY id DESC LIMIT ?"
        return [
            HistoryEntry(id_, from_stored(text), made / 1e6, bool(undone))
            for id_, text, made, undone in self._db.rows(sql, (limit,))
        ]

    def forget(self) -> None:
        """Clear the history: earlier edits can no longer be undone."""
        with self._db.transaction(durable=True):
            self._db.run("DELETE FROM change")
            self._db.run("DELETE FROM edit")

    def _turn(self, which: str, undone: int) -> tuple[Message, Changes] | None:
        edit = self._db.row(which)
        if edit is None:
            return None
        self._recorder.check_held()
        try:
            with self._db.transaction(durable=True):
                for table, kind in KINDS.items():
                    self._swap(table, kind, edit[0])
                self._db.run("UPDATE edit SET undone = ? WHERE id = ?", (undone, edit[0]))
                changes = self._recorder.changes(edit[0])
                self._recorder.touch(edit[0])
        except BaseException:
            self._recorder.notify(None)
            raise
        self._recorder.notify(changes)
        return from_stored(edit[1]), changes

    def _swap(self, table: str, kind: int, edit: int) -> None:
        """Exchange the current state of each recorded row with the recorded one.

        Foreign keys are checked at the end of the transaction, so the order does not matter.
        """
        if not self._db.value("SELECT 1 FROM change WHERE edit = ? AND kind = ?", (edit, kind)):
            return
        columns = self._recorder.columns[table]
        names = ", ".join(f'"{c}"' for c in columns)
        values = ", ".join(f"json_extract(state, '$[{i}]')" for i in range(len(columns)))
        state = self._recorder.state_of(table, "was")
        run = self._db.run
        run(
            f"CREATE TEMP TABLE swapped AS SELECT c.row AS row, CASE WHEN was.id IS NULL THEN NULL"  # noqa: S608
            f" ELSE {state} END AS state FROM change c LEFT JOIN {table} was ON was.id = c.row"
            f" WHERE c.edit = {edit:d} AND c.kind = {kind:d} ORDER BY c.row"
        )
        recorded = "FROM change WHERE edit = ? AND kind = ?"
        run(f"DELETE FROM {table} WHERE id IN (SELECT row {recorded})", (edit, kind))  # noqa: S608
        run(
            f"INSERT INTO {table} ({names}) SELECT {values} {recorded} AND state IS NOT NULL",
            (edit, kind),
        )
        run(
            "UPDATE change SET state = swapped.state FROM swapped"
            " WHERE change.edit = ? AND change.kind = ? AND change.row = swapped.row",
            (edit, kind),
        )
        run("DROP TABLE swapped")
