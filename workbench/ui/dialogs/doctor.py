"""Check of the installation and of the project, as a list that can be copied."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QTreeWidgetItem, QWidget

from workbench.app.doctor import Finding, examine_program, examine_project
from workbench.app.session import Session
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import plain_text
from workbench.ui.parts.copying import CopyDialog, text_of, three_column_list


class DoctorDialog(CopyDialog):
    """List of findings, added one at a time, so that a slow check does not block the window."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("This computer and project"))
        self.resize(760, 520)
        self.list = three_column_list([tr("Item"), tr("Status"), tr("Remedy")], 200, 220)
        self._lay_out(lambda: text_of(self.list), self.list)
        self._remaining: list[Iterator[Finding]] = [examine_program(), examine_project(session)]
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._next)
        self._timer.start()

    def _next(self) -> None:
        if not self._remaining:
            self._timer.stop()
            return
        finding = next(self._remaining[0], None)
        if finding is None:
            self._remaining.pop(0)
            return
        value, remedy = tr(finding.value), "" if finding.ok else tr(finding.remedy)
        item = QTreeWidgetItem([tr(finding.name), value, remedy])
        name, role = ("check-circle", "good") if finding.ok else ("warning", "warn")
        item.setIcon(0, icon(name, self, role))
        item.setToolTip(1, plain_text(value))
        item.setToolTip(2, plain_text(remedy))
        self.list.addTopLevelItem(item)
