"""What a project remembers of how it was used; not undoable."""

from __future__ import annotations

from typing import Any

import msgspec

from workbench.storage.database import Database


class Settings:
    """Named JSON values."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str, default: Any = None) -> Any:
        """The value kept under `key`, or `default`."""
        found = self._db.value("SELECT value FROM setting WHERE key = ?", (key,))
        return msgspec.json.decode(found) if found is not None else default

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        with self._db.transaction():
            self._db.run(
                "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)",
                (key, msgspec.json.encode(value).decode()),
            )

    def push(self, key: str, value: Any, most: int) -> None:
        """Keep a value before the others in the list under `key`, the newest `most` of them."""
        self.put(key, [value, *self.get(key, [])][:most])
