"""How the folder of a project and the database in it are called."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".workbench"
DATABASE_FILE = "project.sqlite"


def with_suffix(folder: Path) -> Path:
    """A project's folder named with or without its suffix, with it."""
    named = folder.absolute()
    return named if named.suffix == SUFFIX else named.parent / (named.name + SUFFIX)
