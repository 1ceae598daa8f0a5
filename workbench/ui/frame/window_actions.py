"""What can be done from anywhere in the window, as data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from workbench.ui.page import Action

if TYPE_CHECKING:
    from workbench.ui.frame.window import MainWindow

MENUS = ("File", "Edit", "Label", "Run", "View", "Help")


def window_actions(window: MainWindow) -> list[Action]:
    """The window's own actions, in the order of the menus."""
    return [*_file(window), *_edit(window), *_view(window), *_help(window)]


def _file(window: MainWindow) -> list[Action]:
    tr, deeds = window.tr, window.deeds
    return [
        Action("new", tr("New project…"), deeds.new_project, "Ctrl+N", menu="File"),
        Action("open", tr("Open project…"), deeds.open_project, "Ctrl+O", menu="File"),
        Action("import_folder", tr("Import folder…"), deeds.import_folder, "Ctrl+I", menu="File"),
        Action(
            "import_list", tr("Import list file…"), deeds.import_list, "Ctrl+Shift+I", menu="File"
        ),
        Action("import_labels", tr("Import labels…"), deeds.import_labels, menu="File"),
        Action("export_labels", tr("Export labels…"), deeds.export_labels, "Ctrl+E", menu="File"),
        Action("relink", tr("Find moved sources…"), deeds.relink, menu="File"),
        Action("close", tr("Close window"), window.close, "Ctrl+W", menu="File"),
    ]


def _edit(window: MainWindow) -> list[Action]:
    tr, history = window.tr, window.op.store.history
    return [
        Action(
            "undo",
            tr("Undo"),
            window.deeds.undo,
            "Ctrl+Z",
            lambda: history.undo_text() is not None,
            "Edit",
        ),
        Action(
            "redo",
            tr("Redo"),
            window.deeds.redo,
            "Ctrl+Shift+Z",
            lambda: history.redo_text() is not None,
            "Edit",
        ),
        Action(
            "label_sets", tr("Label sets…"), window.deeds.edit_label_sets, "Ctrl+L", menu="Label"
        ),
        Action("split", tr("Split images…"), window.deeds.split, "Ctrl+Shift+S", menu="Label"),
    ]


def _view(window: MainWindow) -> list[Action]:
    tr = window.tr
    pages = [
        Action(
            f"go_{page.name}",
            tr("Go to {0}").format(page.title),
            partial(window.go, page.name),
            f"Ctrl+{number}",
            menu="View",
        )
        for number, page in enumerate(window.pages, start=1)
    ]
    themes = [
        Action(f"theme_{mode}", title, partial(window.deeds.set_theme, mode), menu="View")
        for mode, title in (
            ("system", tr("Theme: as the system")),
            ("light", tr("Theme: light")),
            ("dark", tr("Theme: dark")),
        )
    ]
    whole = Action("full_screen", tr("Full screen"), window.deeds.full_screen, "F11", menu="View")
    find = Action("palette", tr("Find a command…"), window.open_palette, "Ctrl+K", menu="View")
    return [*pages, find, whole, *themes]


def _help(window: MainWindow) -> list[Action]:
    tr = window.tr
    return [
        Action("keys", tr("Keys…"), window.deeds.show_keys, "F1", menu="Help"),
        Action("doctor", tr("Check this computer…"), window.deeds.doctor, menu="Help"),
        Action("about", tr("About Vantage Workbench"), window.deeds.about, menu="Help"),
    ]
