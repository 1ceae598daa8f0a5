"""What the window's own actions do: projects, imports, undo, theme, help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMessageBox, QWidget

from workbench import __version__
from workbench.ui.look.theme import apply_theme

if TYPE_CHECKING:
    from workbench.ui.frame.window import MainWindow


def ask_new_project(parent: QWidget) -> Path | None:
    """Where a new project is to be; None when the person thought better of it."""
    title = parent.tr("New project")
    chosen, _ = QFileDialog.getSaveFileName(
        parent, title, str(Path.home() / "project.workbench"), "Projects (*.workbench)"
    )
    return Path(chosen) if chosen else None


def ask_project(parent: QWidget) -> Path | None:
    """An existing project's folder; None when none was chosen."""
    title = parent.tr("Open project (a folder that ends in .workbench)")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(Path.home()))
    return Path(chosen) if chosen else None


class WindowDeeds(QObject):
    """The callbacks of `window_actions`."""

    def __init__(self, window: MainWindow, switch: Callable[[Path, bool], None]) -> None:
        """`switch(folder, new)` puts another project in this one's place."""
        super().__init__(window)
        self._window = window
        self._switch = switch

    def new_project(self) -> None:
        folder = ask_new_project(self._window)
        if folder is not None:
            self._switch(folder, True)

    def open_project(self) -> None:
        folder = ask_project(self._window)
        if folder is not None:
            self._switch(folder, False)

    def open_recent(self, folder: Path) -> None:
        self._switch(folder, False)

    def import_folder(self) -> None:
        from workbench.ui.images.import_dialog import ask_for_folder

        ask_for_folder(self._window.context, self._window)

    def import_list(self) -> None:
        from workbench.ui.images.import_dialog import ask_for_list

        ask_for_list(self._window.context, self._window)

    def import_labels(self) -> None:
        from workbench.ui.frame.file_deeds import ask_import

        ask_import(self._window.context, self._window)

    def export_labels(self) -> None:
        from workbench.ui.frame.file_deeds import ask_export

        ask_export(self._window.context, self._window)

    def relink(self) -> None:
        from workbench.ui.frame.file_deeds import find_moved

        find_moved(self._window.context, self._window)

    def say_moved(self) -> None:
        from workbench.ui.frame.file_deeds import say_moved

        say_moved(self._window.context, self._window)

    def undo(self) -> None:
        self._say(self._window.op.undo(), self.tr("Undone: {0}"))

    def redo(self) -> None:
        self._say(self._window.op.redo(), self.tr("Done again: {0}"))

    def _say(self, text: str | None, sentence: str) -> None:
        if text is not None:
            self._window.notify(sentence.format(text), "info")

    def edit_label_sets(self) -> None:
        from workbench.ui.labels.sets_dialog import LabelSetsDialog

        self._show(LabelSetsDialog(self._window.op, parent=self._window))

    def split(self) -> None:
        from workbench.ui.images.split_dialog import SplitDialog

        self._show(SplitDialog(self._window.context, self._window))

    def _show(self, dialog: QDialog) -> None:
        dialog.exec()
        dialog.deleteLater()

    def set_theme(self, mode: str) -> None:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply_theme(application, mode)
        self._window.settings.set_theme(mode)

    def full_screen(self) -> None:
        window = self._window
        window.showNormal() if window.isFullScreen() else window.showFullScreen()

    def show_keys(self) -> None:
        from workbench.ui.frame.keys_dialog import KeysDialog

        self._window.make_all_pages()
        self._show(KeysDialog(self._window.board, self._window.settings, self._window))

    def doctor(self) -> None:
        from workbench.ui.frame.doctor_dialog import DoctorDialog

        self._show(DoctorDialog(self._window.op, self._window))

    def about(self) -> None:
        QMessageBox.about(
            self._window,
            self.tr("About Vantage Workbench"),
            self.tr(
                "Vantage Workbench {0}\n\nLabel, train and understand fine-grained image "
                "classifiers in one offline desktop program.\n\nApache License 2.0"
            ).format(__version__),
        )
