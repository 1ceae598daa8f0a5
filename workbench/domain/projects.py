"""Names of a project's folder and database file."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".workbench"
DATABASE_FILE = "project.sqlite"


def with_suffix(folder: Path) -> Path:
    """Add the project suffix to a folder's name if it is missing; a path without a name, such as
    "..", names the folder that it leads to."""
    named = Path(os.path.abspath(folder))
    return named if named.suffix == SUFFIX else named.parent / (named.name + SUFFIX)
