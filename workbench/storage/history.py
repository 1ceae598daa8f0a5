"""Undo and redo: an edit's record and its rows change places, any number of times."""

from __future__ import annotations

from workbench.domain.changes import Changes, HistoryEntry
from workbench.storage.database import Database
from workbench.storage.recording import KINDS, Recorder


class History:
    """The project's edits, newest first; they outlive the program."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db = db
        self._recorder = recorder

    def undo(self) -> tuple[str, Changes] | None:
        """Take the newest edit back; its text and what changed, or None when there is none."""
        return self._turn("SELECT id, text FROM edit WHERE NOT undone ORDER BY id DESC LIMIT 1", 1)

    def redo(self) -> tuple[str, Changes] | None:
        """Make the edit taken back last again; None when there is none."""
        return self._turn("SELECT id, text FROM edit WHERE undone ORDER BY id LIMIT 1", 0)

    def undo_text(self) -> str | None:
        """What undo would take back, or None."""
        text = self._db.value("SELECT text FROM edit WHERE NOT undone ORDER BY id DESC LIMIT 1")
        return str(text) if text is not None else None

    def redo_text(self) -> str | None:
        """What redo would make again, or None."""
        text = self._db.value("SELECT text FROM edit WHERE undone ORDER BY id LIMIT 1")
        return str(text) if text is not None else None

    def entries(self, limit: int = 100) -> list[HistoryEntry]:
        """The newest edits first."""
        sql = "SELECT id, text, made_at, undone FROM edit ORDER BY id DESC LIMIT ?"
        return [
            HistoryEntry(id_, text, made / 1e6, bool(undone))
            for id_, text, made, undone in self._db.rows(sql, (limit,))
        ]

    def forget(self) -> None:
        """Drop the whole record: nothing made so far can be undone any more."""
        with self._db.transaction(durable=True):
            self._db.run("DELETE FROM change")
            self._db.run("DELETE FROM edit")

    def _turn(self, which: str, undone: int) -> tuple[str, Changes] | None:
        edit = self._db.row(which)
        if edit is None:
            return None
        try:
            with self._db.transaction(durable=True):
                for table, kind in KINDS.items():
                    self._swap(table, kind, edit[0])
                self._db.run("UPDATE edit SET undone = ? WHERE id = ?", (undone, edit[0]))
                changes = self._recorder.changes(edit[0])
        except BaseException:
            self._recorder.tell(None)
            raise
        self._recorder.tell(changes)
        return edit[1], changes

    def _swap(self, table: str, kind: int, edit: int) -> None:
        """Put each recorded row back to the state in the record, and the state it had into it.
        References are checked at the end of the transaction, so the order does not matter."""
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
