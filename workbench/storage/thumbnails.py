"""Thumbnails, in a separate file that can be deleted at any time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from workbench.storage.database import Database, listed_texts

THUMBNAILS_FILE = "thumbnails.sqlite"
_TABLE = "CREATE TABLE IF NOT EXISTS thumbnail (hash TEXT PRIMARY KEY, jpeg BLOB NOT NULL)"


class Thumbnails:
    """JPEG bytes by image hash. A damaged file is replaced by an empty one."""

    def __init__(self, folder: Path) -> None:
        path = folder / THUMBNAILS_FILE
        try:
            self._db = _opened(path)
        except sqlite3.DatabaseError:
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            self._db = _opened(path)

    def get(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """Return the existing thumbnails of these images."""
        sql = "SELECT hash, jpeg FROM thumbnail WHERE hash IN (SELECT value FROM json_each(?))"
        return dict(self._db.rows(sql, (listed_texts(hashes),)))

    def put(self, jpegs: Mapping[str, bytes]) -> None:
        """Store thumbnails, replacing those of the same images."""
        with self._db.transaction():
            self._db.run_many("INSERT OR REPLACE INTO thumbnail VALUES (?, ?)", jpegs.items())

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _opened(path: Path) -> Database:
    db = Database(path)
    try:
        db.tune()
        db.run(_TABLE)
        db.run("PRAGMA cache_size = -8192")
    except BaseException:
        db.close()
        raise
    return db
