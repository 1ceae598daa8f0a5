"""Merging the labels of another project: what will be added, and a choice for each conflict."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.labels.merging import LabelConflict, MergePlan, merge, plan_merge
from workbench.domain.labels import Author
from workbench.domain.text import mark, plural, tr
from workbench.ui.dialogs.projects import choose_project
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import ROW_PIXELS

_AUTHORS = {
    Author.HUMAN: mark("by hand"),
    Author.IMPORT: mark("imported"),
    Author.MODEL: mark("by a model"),
}
_TAKE = 4  # column of the check boxes


class MergeDialog(Dialog):
    """What merging adds, and the conflicts; a checked conflict takes the other project's label."""

    def __init__(self, plan: MergePlan, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Merge labels from {name}").format(name=plan.name))
        self._plan = plan
        self.summary = PlainLabel("\n".join(summary_lines(plan)))
        self.summary.setWordWrap(True)
        self.list = QTreeWidget()
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setHeaderLabels(
            [
                tr("Image"),
                tr("Label set"),
                tr("Here"),
                tr("There", "in the other project"),
                tr("Take theirs"),
            ]
        )
        header = self.list.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_TAKE, QHeaderView.ResizeMode.ResizeToContents)
        self.list.addTopLevelItems([_item(one) for one in plan.conflicts])
        self.mine_button = QPushButton(tr("Keep all mine"))
        self.mine_button.clicked.connect(lambda: self._check_all(Qt.CheckState.Unchecked))
        self.theirs_button = QPushButton(tr("Take all theirs"))
        self.theirs_button.clicked.connect(lambda: self._check_all(Qt.CheckState.Checked))
        self._arrange()

    def _arrange(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.mine_button)
        line.addWidget(self.theirs_button)
        line.addStretch(1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.merge_button = buttons.addButton(tr("Merge"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.merge_button.setProperty("primary", True)
        plan = self._plan
        self.merge_button.setEnabled(bool(plan.added or plan.opinions or plan.conflicts))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.summary)
        layout.addWidget(self.list, 1)
        layout.addLayout(line)
        layout.addWidget(buttons)
        for widget in (self.list, self.mine_button, self.theirs_button):
            widget.setVisible(bool(plan.conflicts))
        if plan.conflicts:
            self.resize(760, 480)
        else:
            self.setMinimumWidth(420)

    def _check_all(self, state: Qt.CheckState) -> None:
        for at in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(at)
            assert item is not None
            item.setCheckState(_TAKE, state)

    def taken(self) -> list[LabelConflict]:
        """The conflicts for which the other project's label is taken."""
        items = [self.list.topLevelItem(at) for at in range(self.list.topLevelItemCount())]
        return [
            one
            for one, item in zip(self._plan.conflicts, items, strict=True)
            if item is not None and item.checkState(_TAKE) is Qt.CheckState.Checked
        ]


def _item(one: LabelConflict) -> QTreeWidgetItem:
    mine, theirs = one.mine, one.theirs
    here = tr("{label} ({author})").format(
        label=mine.label, author=mine.annotator or tr(_AUTHORS[mine.author])
    )
    there = tr("{label} ({author})").format(
        label=theirs.label, author=theirs.annotator or tr(_AUTHORS[theirs.author])
    )
    cells = [one.name, mine.label_set, here, there, ""]
    item = QTreeWidgetItem(cells)
    item.setCheckState(_TAKE, Qt.CheckState.Unchecked)
    item.setSizeHint(0, QSize(0, ROW_PIXELS))
    for column in range(_TAKE):
        item.setToolTip(column, plain_text(cells[column]))
    return item


def summary_lines(plan: MergePlan) -> list[str]:
    """What a merge does, a sentence on each line."""
    images, added = plan.images, len(plan.added)
    both = plural(images, "{n:,} image is in both projects.", "{n:,} images are in both projects.")
    lines = [both]
    if plan.missing:
        lines.append(
            plural(
                plan.missing,
                "{n:,} image of the other project is not in this one.",
                "{n:,} images of the other project are not in this one.",
            )
        )
    lines.append(plural(added, "{n:,} label will be added.", "{n:,} labels will be added."))
    if plan.equal:
        lines.append(
            plural(plan.equal, "{n:,} label is equal in both.", "{n:,} labels are equal in both.")
        )
    if plan.opinions:
        lines.append(
            plural(
                len(plan.opinions),
                "{n:,} label of a person will be known as a second opinion.",
                "{n:,} labels of people will be known as second opinions.",
            )
        )
    skipped = tr("The label set “{name}” is of another kind here and is skipped.")
    lines += [skipped.format(name=name) for name in plan.skipped]
    if plan.conflicts:
        lines.append(
            plural(
                len(plan.conflicts),
                "{n:,} label differs. Your label stays unless you take theirs.",
                "{n:,} labels differ. Your labels stay unless you take theirs.",
            )
        )
    return lines


def choose_and_merge(context: Context, parent: QWidget) -> None:
    """Choose another project, show what merging its labels does, and merge them."""
    folder = choose_project(parent)
    if folder is not None:
        merge_with_dialog(context, folder, parent)


def merge_with_dialog(context: Context, folder: Path, parent: QWidget) -> None:
    """Show what merging the labels of the project in `folder` does, and merge them if accepted."""
    with context.reporting_errors():
        QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            plan = plan_merge(context.session, folder)
        finally:
            QGuiApplication.restoreOverrideCursor()
        dialog = MergeDialog(plan, parent)
        accepted, taken = dialog.exec(), dialog.taken()
        dialog.deleteLater()
        if accepted:
            merge(context.session, plan, taken)
            changed = len(plan.added) + len(taken)
            text = plural(changed, "{n:,} label merged.", "{n:,} labels merged.")
            context.notify(text, "info")
