"""Reports of imports as tables."""

from __future__ import annotations

from pathlib import Path

from workbench.domain.import_reports import ImportReport
from workbench.domain.spreadsheets import csv_text, notes_on
from workbench.domain.text import Message
from workbench.files import write_whole, writing


def save_report(report: ImportReport, file: Path) -> list[Message]:
    """Save all findings of a report as CSV; return notes on what was changed for spreadsheets.

    Raises KnownError if it cannot be written.
    """
    text = csv_text([("kind", "subject", "details"), *report.rows_of()])
    with writing(file):
        write_whole(file, text.encode())
    return notes_on(text)
