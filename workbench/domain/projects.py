"""Names of a project's folder and database file."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".workbench"
DATABASE_FILE = "project.sqlite"


def with_suffix(folder: Path) -> Path:
    """Add the project suffix to a folder's name if it is missing."""
    named = folder.absolute()
    return named if named.suffix == SUFFIX else named.parent / (named.name + SUFFIX)
