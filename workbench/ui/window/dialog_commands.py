"""Commands of the File and Label menus that open dialogs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QDialog, QMainWindow

from workbench.app.session import Session
from workbench.app.settings import UserSettings
from workbench.domain.text import mark
from workbench.ui.commands import Menu, command
from workbench.ui.dialogs.projects import choose_new_project, choose_project
from workbench.ui.page import Context


class DialogCommands(QMainWindow):
    """The part of a project's window that opens dialogs. Their modules are imported when they are
    first opened, so that the window starts fast."""

    session: Session
    settings: UserSettings
    context: Context
    _switch: Callable[[Path, bool], None]
    _offer_points: Callable[[], None]

    def _show(self, dialog: QDialog) -> None:
        dialog.exec()
        dialog.deleteLater()

    @command(mark("New project…"), id="new", key="Ctrl+N", menu=Menu.FILE)
    def new_project(self) -> None:
        """Create a project and open it in place of this one."""
        folder = choose_new_project(self)
        if folder is not None:
            self._switch(folder, True)

    @command(mark("Open project…"), id="open", key="Ctrl+O", menu=Menu.FILE)
    def open_project(self) -> None:
        """Open another project in place of this one."""
        folder = choose_project(self)
        if folder is not None:
            self._switch(folder, False)

    @command(mark("Import folder…"), key="Ctrl+I", menu=Menu.FILE, edits=True)
    def import_folder(self) -> None:
        """Import the images of a folder."""
        from workbench.ui.dialogs.importing import import_folder

        import_folder(self.context, self)

    @command(mark("Import list file…"), key="Ctrl+Shift+I", menu=Menu.FILE, edits=True)
    def import_list(self) -> None:
        """Import the images listed in a file."""
        from workbench.ui.dialogs.importing import import_lists

        import_lists(self.context, self)

    @command(mark("Import labels…"), menu=Menu.FILE, edits=True)
    def import_labels(self) -> None:
        """Import labels of images from a file."""
        from workbench.ui.dialogs.files import choose_label_file

        choose_label_file(self.context, self)

    @command(mark("Import labels from folder…"), menu=Menu.FILE, edits=True)
    def import_label_folder(self) -> None:
        """Import labels of images from the folder of a dataset."""
        from workbench.ui.dialogs.files import choose_label_folder

        choose_label_folder(self.context, self)

    @command(mark("Import reports…"), menu=Menu.FILE)
    def show_import_reports(self) -> None:
        """Show the reports of the latest imports."""
        from workbench.ui.dialogs.import_reports import show_reports

        show_reports(self.context, self)

    @command(mark("Export labels…"), key="Ctrl+E", menu=Menu.FILE)
    def export_labels(self) -> None:
        """Export labels to a file."""
        from workbench.ui.dialogs.files import choose_export_file

        choose_export_file(self.context, self)

    @command(mark("Export as dataset folder…"), menu=Menu.FILE)
    def export_folder(self) -> None:
        """Export labels to the folder of a dataset."""
        from workbench.ui.dialogs.files import ExportFolderDialog

        self._show(ExportFolderDialog(self.context, self))

    @command(mark("Merge labels from another project…"), id="merge", menu=Menu.FILE, edits=True)
    def merge_project(self) -> None:
        """Add the labels of another project to this one."""
        from workbench.ui.dialogs.merging import choose_and_merge

        choose_and_merge(self.context, self)

    @command(mark("Re-link moved sources…"), menu=Menu.FILE, edits=True)
    def relink(self) -> None:
        """Choose the new folders of sources that moved."""
        from workbench.ui.dialogs.files import relink_missing_sources

        relink_missing_sources(self.context, self)

    @command(mark("Restore points…"), id="restore_points", menu=Menu.FILE)
    def show_restore_points(self) -> None:
        """List the restore points of the project, and restore one."""
        self._offer_points()

    @command(mark("Label sets…"), id="label_sets", key="Ctrl+L", menu=Menu.LABEL, edits=True)
    def edit_label_sets(self) -> None:
        """Edit the label sets."""
        from workbench.ui.dialogs.label_sets import LabelSetsDialog

        dialog = LabelSetsDialog(self.session, parent=self)
        self._show(dialog)
        for note in dialog.notes:
            self.context.notify(note, "warn")

    @command(mark("Annotator…"), id="annotator", menu=Menu.LABEL)
    def choose_annotator(self) -> None:
        """Choose the name that is stored with labels given by hand."""
        from workbench.ui.dialogs.annotators import choose_annotator

        choose_annotator(self.session, self.settings, self)

    @command(mark("Annotators and agreement…"), id="annotators", menu=Menu.LABEL)
    def show_annotators(self) -> None:
        """Show who labelled how much, and how well people agree."""
        from workbench.ui.dialogs.annotators import AnnotatorsDialog

        self._show(AnnotatorsDialog(self.context, self))

    @command(mark("Split images…"), key="Ctrl+Shift+S", menu=Menu.LABEL, edits=True)
    def split(self) -> None:
        """Split the images into train, validation and test parts."""
        from workbench.ui.dialogs.split import SplitDialog

        self._show(SplitDialog(self.context, self))

    @command(mark("Near-duplicates across parts…"), id="leakage", menu=Menu.LABEL)
    def show_leakage(self) -> None:
        """Show near-duplicates in different parts of the split, and move them together."""
        from workbench.ui.dialogs.leakage import LeakageDialog

        self._show(LeakageDialog(self.context, self))
