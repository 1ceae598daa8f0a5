"""Project folders by path. Imports little, because the window starts with it."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE, RESTORE_FOLDER, SUFFIX, with_suffix


def find_project(given: Path) -> Path | None:
    """Find the project at a path, with or without the suffix, or around it; None if there is
    none."""
    path = Path(os.path.abspath(given))
    around = (path, *path.parents) if os.path.exists(path) else ()
    for folder in (path, with_suffix(path), *around):
        if os.path.isfile(folder / DATABASE_FILE) or os.path.isdir(folder / RESTORE_FOLDER):
            return folder  # a project that lost its database can be restored
    return None


def project_folder(given: Path) -> Path:
    """As `find_project`, but raises KnownError if there is no project."""
    found = find_project(given)
    if found is None:
        name = given.name.removesuffix(SUFFIX)
        new = given.with_name(name) if name and not os.path.exists(given) else "NAME"
        raise KnownError(
            "{path} is not a project.", "Create one with: workbench new {new}", path=given, new=new
        )
    return found
