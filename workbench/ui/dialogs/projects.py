"""File dialogs in which the folder of a project is chosen."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.domain.text import tr


def choose_new_project(parent: QWidget) -> Path | None:
    """Return the folder for a new project; None if the dialog was cancelled."""
    start, kinds = str(Path.home() / "project.workbench"), tr("Projects (*.workbench)")
    chosen, _ = QFileDialog.getSaveFileName(parent, tr("New project"), start, kinds)
    return Path(chosen) if chosen else None


def choose_project(parent: QWidget) -> Path | None:
    """Return the folder of an existing project; None if the dialog was cancelled."""
    title = tr("Open project (a folder ending in .workbench)")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    return Path(chosen) if chosen else None
