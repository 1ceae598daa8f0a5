"""Which project a person means by a path. Loads nothing: it is asked before the window starts."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.domain.errors import KnownError
from workbench.domain.projects import DATABASE_FILE, SUFFIX, with_suffix


def find_project(given: Path) -> Path | None:
    """The folder of the project that a path names, with or without its suffix, or that the path
    lies in; None where there is none."""
    path = Path(os.path.abspath(given))
    around = (path, *path.parents) if os.path.exists(path) else ()
    for folder in (path, with_suffix(path), *around):
        if os.path.isfile(folder / DATABASE_FILE):
            return folder
    return None


def project_folder(given: Path) -> Path:
    """As `find_project`; raises KnownError where there is none."""
    found = find_project(given)
    if found is None:
        name = given.name.removesuffix(SUFFIX)
        new = given.with_name(name) if name and not os.path.exists(given) else "NAME"
        raise KnownError(
            "{given} is not a project.", "Make one with: workbench new {new}", given=given, new=new
        )
    return found
