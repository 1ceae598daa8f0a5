"""What is installed and whether the project is whole, as a list that can be copied."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QTreeWidgetItem, QWidget

from workbench.app.doctor import Finding, examine_program, examine_project
from workbench.app.session import Session
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.parts.copying import CopyDialog, text_of, told_list


class DoctorDialog(CopyDialog):
    """Findings appear one by one, so that a slow one does not hold up the window."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("This computer and this project"))
        self.resize(760, 520)
        self.list = told_list([tr("What"), tr("How it is"), tr("What to do")], 200, 220)
        self._lay_out(lambda: text_of(self.list), self.list)
        self._left: list[Iterator[Finding]] = [examine_program(), examine_project(session)]
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._next)
        self._timer.start()

    def _next(self) -> None:
        if not self._left:
            self._timer.stop()
            return
        finding = next(self._left[0], None)
        if finding is None:
            self._left.pop(0)
            return
        remedy = "" if finding.ok else finding.remedy
        item = QTreeWidgetItem([finding.name, finding.value, remedy])
        role = ("check-circle", "good") if finding.ok else ("warning", "warn")
        item.setIcon(0, icon(role[0], self, role[1]))
        item.setToolTip(1, finding.value)
        item.setToolTip(2, remedy)
        self.list.addTopLevelItem(item)
