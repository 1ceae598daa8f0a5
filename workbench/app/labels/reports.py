"""Reports of imports as tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.domain.import_reports import Decision, ImportReport
from workbench.domain.spreadsheets import csv_text, notes_on
from workbench.domain.text import Message
from workbench.files import write_whole, writing


def save_report(
    report: ImportReport, file: Path, change_of: Callable[[Decision], str]
) -> list[Message]:
    """Save all findings of a report as CSV; return notes on what was changed for spreadsheets.

    `change_of` tells how to change a decision. Raises KnownError if it cannot be written.
    """
    rows = (
        (kind, about, details, change_of(decision) if decision is not None else "")
        for kind, about, details, decision in report.rows_of()
    )
    text = csv_text([("kind", "subject", "details", "to change it"), *rows])
    with writing(file):
        write_whole(file, text.encode())
    return notes_on(text)
