"""Label sets edited as a whole: names, keys, mirrors and order; nothing is applied until Save."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.labels.labelling import edit_set, remove_set
from workbench.app.open_project import OpenProject
from workbench.domain.errors import KnownError
from workbench.domain.labels import VIEW_PRESETS, LabelSet, Subject
from workbench.ui.labels.table import LabelTable
from workbench.ui.look.icons import icon


class LabelSetsDialog(QDialog):
    """The sets at the left, the labels of the chosen one at the right."""

    def __init__(
        self, op: OpenProject, chosen: str = "view", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Label sets"))
        self.resize(720, 460)
        self._op = op
        self._before: Mapping[str, LabelSet] = dict(op.store.labels.sets())
        self._drafts: dict[str, LabelSet] = dict(self._before)
        self._renamed: dict[str, dict[str, str]] = {}
        self._shown = ""
        self.sets = QListWidget()
        self.sets.setFixedWidth(160)
        self.table = LabelTable()
        self.exclusive = QCheckBox(self.tr("One label of this set per image"))
        self.subject = QComboBox()
        self.subject.addItem(self.tr("describes the image"), Subject.IMAGE)
        self.subject.addItem(self.tr("describes the mouth crop"), Subject.CROP)
        self.problem = QLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        self._arrange()
        self.sets.addItems(list(self._drafts))
        self.sets.currentTextChanged.connect(self._show)
        start = list(self._drafts).index(chosen) if chosen in self._drafts else 0
        self.sets.setCurrentRow(start)

    def _arrange(self) -> None:
        left = QVBoxLayout()
        left.addWidget(self.sets, 1)
        self.new_button = QPushButton(icon("plus", self), self.tr("New set…"))
        self.new_button.clicked.connect(self._ask_new)
        left.addWidget(self.new_button)
        self.remove_button = QPushButton(icon("trash", self), self.tr("Remove set"))
        self.remove_button.clicked.connect(self._remove_shown)
        left.addWidget(self.remove_button)
        right = QVBoxLayout()
        right.setSpacing(8)
        line = QHBoxLayout()
        self.presets = QComboBox()
        self.presets.addItem(self.tr("Take a preset…"), None)
        for name in VIEW_PRESETS:
            self.presets.addItem(name.capitalize(), name)
        self.presets.activated.connect(self._take_preset)
        for widget in (self.subject, self.exclusive):
            line.addWidget(widget)
        line.addStretch(1)
        line.addWidget(self.presets)
        right.addLayout(line)
        right.addWidget(self.table, 1)
        right.addWidget(self.table.buttons())
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(left)
        row.addLayout(right, 1)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Save).setProperty("primary", True)
        buttons.accepted.connect(self.save)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(row, 1)
        column.addWidget(self.problem)
        column.addWidget(buttons)

    def _show(self, name: str) -> None:
        self._keep()
        self._shown = name
        if not name:
            return
        draft = self._drafts[name]
        own = name not in ("category", "view", "expression")
        self.table.show_labels(draft, self._renamed.get(name, {}))
        self.exclusive.setChecked(draft.exclusive)
        self.subject.setCurrentIndex(self.subject.findData(draft.subject))
        self.exclusive.setEnabled(own)
        self.subject.setEnabled(own and name not in self._before)
        self.presets.setVisible(name == "view")
        self.remove_button.setVisible(own)

    def _keep(self) -> bool:
        """Take what the table says into the drafts; False where it says something impossible."""
        self.problem.clear()
        if not self._shown:
            return True
        draft = self._drafts[self._shown]
        try:
            labels = self.table.labels()
            self._drafts[self._shown] = dataclasses.replace(
                draft,
                labels=labels,
                exclusive=self.exclusive.isChecked(),
                subject=Subject(self.subject.currentData()),
            )
        except KnownError as error:
            self.problem.setText(str(error))
            return False
        self._renamed[self._shown] = self.table.renamed()
        return True

    def _ask_new(self) -> None:
        title = self.tr("New label set")
        name, said = QInputDialog.getText(self, title, self.tr("Name of the set"))
        if said and name.strip():
            self.add_set(name.strip())

    def add_set(self, name: str) -> None:
        """Begin a new, empty set; one that there is already is shown."""
        if name not in self._drafts:
            self._drafts[name] = LabelSet(name)
            self.sets.addItem(name)
        self.sets.setCurrentItem(self.sets.findItems(name, Qt.MatchFlag.MatchExactly)[0])

    def _remove_shown(self) -> None:
        """Take the shown set off the list; it goes when the dialog is saved."""
        name, self._shown = self._shown, ""
        self._drafts.pop(name, None)
        self.sets.takeItem(self.sets.currentRow())

    def _take_preset(self) -> None:
        name = self.presets.currentData()
        if name is not None:
            self.table.show_labels(VIEW_PRESETS[name], {})
        self.presets.setCurrentIndex(0)

    def save(self) -> None:
        """Apply every set that changed, each as one undoable edit, and close."""
        if not self._keep():
            return
        try:
            self._apply()
        except KnownError as error:
            self.problem.setText(str(error))
            return
        self.accept()

    def _apply(self) -> None:
        for name in self._before.keys() - self._drafts.keys():
            remove_set(self._op, name)
        for name, draft in self._drafts.items():
            renamed = self._renamed.get(name, {})
            if draft != self._before.get(name) or renamed:
                edit_set(self._op, draft, renamed)
