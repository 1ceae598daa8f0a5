"""Reports of imports as tables."""

from __future__ import annotations

import csv
from pathlib import Path

from workbench.domain.import_reports import ImportReport
from workbench.domain.spreadsheets import guarded_rows
from workbench.files import replacing, writing


def save_report(report: ImportReport, file: Path) -> None:
    """Save all findings of a report as CSV. Raises KnownError if it cannot be written."""
    with (
        writing(file),
        replacing(file) as part,
        part.open("w", encoding="utf-8", newline="") as out,
    ):
        writer = csv.writer(out)
        writer.writerow(("kind", "subject", "details"))
        writer.writerows(guarded_rows(report.rows_of()))
