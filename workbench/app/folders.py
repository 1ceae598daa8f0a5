"""Folders that a person named, made where they are missing."""

from __future__ import annotations

from pathlib import Path

from workbench.domain.errors import KnownError


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises KnownError naming it and why it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KnownError(
            f"The folder {folder} cannot be made: {error.strerror}.", "Choose another folder."
        ) from error
