"""Storage of the reports of imports."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from workbench.domain.import_reports import (
    KEPT_REPORTS,
    ImportReport,
    decode_report,
    encode_report,
)
from workbench.storage.database import Database


class ImportReports:
    """The newest reports of a project. They are no edits: an undone import keeps its report."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, report: ImportReport) -> int:
        """Store a report and return its number; the oldest ones are removed."""
        with self._db.transaction():
            cursor = self._db.run(
                "INSERT INTO import_report (body) VALUES (?)", (encode_report(report).decode(),)
            )
            number = int(cursor.lastrowid or 0)
            self._db.run("DELETE FROM import_report WHERE number <= ?", (number - KEPT_REPORTS,))
        return number

    def all(self) -> dict[int, ImportReport]:
        """All reports by number, newest first; damaged ones are left out."""
        found = {}
        for number, body in self._db.rows(
            "SELECT number, body FROM import_report ORDER BY number DESC"
        ):
            with suppress(msgspec.DecodeError):
                found[number] = decode_report(body)
        return found
