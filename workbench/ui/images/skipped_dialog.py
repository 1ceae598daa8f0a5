"""The files that imports left out, each with the reason."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QTreeWidgetItem, QWidget

from workbench.app.open_project import OpenProject
from workbench.ui.widgets.copy_dialog import CopyDialog, text_of, told_list


class SkippedDialog(CopyDialog):
    """A list that can be copied; importing a mended file again takes it in."""

    def __init__(self, op: OpenProject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setWindowTitle(tr("Skipped files"))
        self.resize(760, 440)
        self.list = told_list([tr("File"), tr("Reason"), tr("Source")], 240, 180)
        self.list.setUniformRowHeights(True)
        for source in op.store.images.sources():
            for file in op.store.images.skipped(source.id):
                item = QTreeWidgetItem([file.path, file.reason, source.path])
                for column in range(3):
                    item.setToolTip(column, item.text(column))
                self.list.addTopLevelItem(item)
        note = QLabel(tr("Mend or replace a file and import its source again to take it in."))
        note.setProperty("role", "caption")
        self._lay_out(lambda: text_of(self.list), self.list, note)
