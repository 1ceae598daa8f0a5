"""The studies of a project; none of it is undoable."""

from __future__ import annotations

import msgspec

from workbench.domain.errors import KnownError
from workbench.domain.studies import Study
from workbench.storage.database import Database


class Studies:
    """Studies with the runs of their cells."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, study: Study) -> None:
        """Keep a new study, or one that has gone on."""
        with self._db.transaction():
            self._db.run(
                "INSERT INTO study (id, created, body) VALUES (?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (study.id, study.created, msgspec.json.encode(study).decode()),
            )

    def get(self, id: str) -> Study:
        """One study by its id; raises KnownError when there is none."""
        body = self._db.value("SELECT body FROM study WHERE id = ?", (id,))
        if body is None:
            raise KnownError(f"There is no study {id} in this project.", "`study` lists them.")
        return msgspec.json.decode(body, type=Study)

    def all(self) -> list[Study]:
        """All studies, newest first."""
        rows = self._db.rows("SELECT body FROM study ORDER BY created DESC")
        return [msgspec.json.decode(row[0], type=Study) for row in rows]

    def remove(self, id: str) -> None:
        """Forget a study; its runs stay."""
        with self._db.transaction():
            self._db.run("DELETE FROM study WHERE id = ?", (id,))
