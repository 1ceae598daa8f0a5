"""File dialogs that choose the folder of a project."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from workbench.domain.text import tr


def ask_new_project(parent: QWidget) -> Path | None:
    """The folder of a new project; None when the dialog was cancelled."""
    title = tr("New project")
    chosen, _ = QFileDialog.getSaveFileName(
        parent, title, str(Path.home() / "project.workbench"), "Projects (*.workbench)"
    )
    return Path(chosen) if chosen else None


def ask_project(parent: QWidget) -> Path | None:
    """The folder of an existing project; None when the dialog was cancelled."""
    title = tr("Open project (a folder that ends in .workbench)")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    return Path(chosen) if chosen else None
