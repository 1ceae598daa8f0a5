"""Merging the labels of another project: what will be added, and a choice for each conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Failed, Job
from workbench.app.labels.merging import LabelConflict, MergePlan, merge, merge_plan_task
from workbench.domain.labels import Author
from workbench.domain.reports import Progress, Report
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
_USE = 4  # column of what is chosen for a conflict


class Use(Enum):
    """What is chosen for a conflict; the value is the text that is shown."""

    LEAVE = mark("Leave open")
    MINE = mark("Mine")
    THEIRS = mark("Theirs")


class MergeDialog(Dialog):
    """What merging the project in `folder` adds, and the conflicts with a choice for each.

    The other project is read in a job; closing stops it. Raises KnownError if it is not a project
    or is the open one.
    """

    def __init__(self, context: Context, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plan: MergePlan | None = None
        task = merge_plan_task(context.session, folder)
        self.setWindowTitle(tr("Merge labels from {name}").format(name=folder.stem))
        self.summary = PlainLabel(tr("Comparing labels…"))
        self.summary.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.list = self._make_list()
        self.buttons = [self._choice_button(use) for use in Use]
        self._arrange()
        self.setMinimumWidth(420)
        self._job: Job[MergePlan] | None = context.session.start(
            task, reported=self._show_progress, done=self._show_plan, failed=self._show_failure
        )

    def _make_list(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setRootIsDecorated(False)
        made.setUniformRowHeights(True)
        made.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        made.setHeaderLabels(
            [
                tr("Image"),
                tr("Label set"),
                tr("Here"),
                tr("There", "in the other project"),
                tr("Choice"),
            ]
        )
        header = made.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_USE, QHeaderView.ResizeMode.ResizeToContents)
        return made

    def _choice_button(self, use: Use) -> QPushButton:
        texts = {
            Use.LEAVE: tr("Leave open"),
            Use.MINE: tr("Use mine"),
            Use.THEIRS: tr("Use theirs"),
        }
        button = QPushButton(texts[use])
        button.setAutoDefault(False)
        button.setToolTip(tr("For the selected conflicts; for all if none is selected"))
        button.clicked.connect(lambda: self.choose(use))
        return button

    def _arrange(self) -> None:
        line = QHBoxLayout()
        for button in self.buttons:
            line.addWidget(button)
        line.addWidget(self.count)
        line.addStretch(1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.merge_button = buttons.addButton(tr("Merge"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.merge_button.setProperty("primary", True)
        self.merge_button.setEnabled(False)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.summary)
        layout.addWidget(self.bar)
        layout.addWidget(self.list, 1)
        layout.addLayout(line)
        layout.addWidget(buttons)
        self._show_conflicts(False)

    def _show_conflicts(self, shown: bool) -> None:
        for widget in (self.list, self.count, *self.buttons):
            widget.setVisible(shown)

    def _show_progress(self, report: Report) -> None:
        if isinstance(report, Progress):
            self.bar.setRange(0, report.total)
            self.bar.setValue(report.done)

    def _show_failure(self, failure: Failed) -> None:
        self._job = None
        self.bar.hide()
        self.summary.setText(tr(failure.text))

    def _show_plan(self, plan: MergePlan) -> None:
        self._job, self.plan = None, plan
        self.bar.hide()
        self.summary.setText("\n".join(summary_lines(plan)))
        self.list.addTopLevelItems([_item(one) for one in plan.conflicts])
        self._show_conflicts(bool(plan.conflicts))
        self._show_count()
        self.merge_button.setEnabled(bool(plan.added or plan.opinions or plan.conflicts))
        if plan.conflicts:
            self.resize(760, 480)
        self.fit(self.screen().availableGeometry())
        (self.list if plan.conflicts else self.merge_button).setFocus()

    def _items(self) -> list[QTreeWidgetItem]:
        items = (self.list.topLevelItem(at) for at in range(self.list.topLevelItemCount()))
        return [item for item in items if item is not None]

    def choose(self, use: Use) -> None:
        """Choose for the selected conflicts, or for all if none is selected."""
        for item in self.list.selectedItems() or self._items():
            _set_use(item, use)
        self._show_count()

    def _show_count(self) -> None:
        chosen = Counter(_use(item) for item in self._items())
        self.count.setText(
            tr("{mine:,} mine, {theirs:,} theirs, {open:,} left open").format(
                mine=chosen[Use.MINE], theirs=chosen[Use.THEIRS], open=chosen[Use.LEAVE]
            )
        )

    def chosen(self, use: Use) -> list[LabelConflict]:
        """The conflicts for which `use` is chosen."""
        conflicts = self.plan.conflicts if self.plan is not None else []
        items = zip(conflicts, self._items(), strict=True)
        return [one for one, item in items if _use(item) is use]

    def done(self, result: int) -> None:
        """Close, and stop reading the other project."""
        if self._job is not None:
            self._job.stop()
            self._job = None
        super().done(result)


def _use(item: QTreeWidgetItem) -> Use:
    found: Use = item.data(_USE, Qt.ItemDataRole.UserRole)
    return found


def _set_use(item: QTreeWidgetItem, use: Use) -> None:
    item.setData(_USE, Qt.ItemDataRole.UserRole, use)
    item.setText(_USE, tr(use.value))


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
    _set_use(item, Use.LEAVE)
    item.setSizeHint(0, QSize(0, ROW_PIXELS))
    for column in range(_USE):
        item.setToolTip(column, plain_text(cells[column]))
    return item


_SPELLINGS = 5  # new spellings that are listed


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
    lines += [*_new_lines(plan), *_skipped_lines(plan), *_spelling_lines(plan)]
    lines += [tr("Splits, runs and images are not merged.")]
    if plan.conflicts:
        lines.append(
            plural(
                len(plan.conflicts),
                "{n:,} label differs. What is left open keeps your label and is listed as a"
                " disagreement.",
                "{n:,} labels differ. What is left open keeps your label and is listed as a"
                " disagreement.",
            )
        )
    return lines


def _new_lines(plan: MergePlan) -> list[str]:
    """A line for each label set that gets labels, or is new."""
    lines = []
    for name, labels in plan.new_labels.items():
        known = tr("New labels of “{name}”: {labels}.")
        text = tr("New label set “{name}”: {labels}.") if name in plan.new_sets else known
        if labels or name in plan.new_sets:
            lines.append(text.format(name=name, labels=", ".join(labels) or "–"))
    return lines


def _skipped_lines(plan: MergePlan) -> Iterator[str]:
    skipped = tr("The label set “{name}” is of another kind here and is skipped: {count}.")
    for name, count in plan.skipped.items():
        left_out = plural(count, "{n:,} label is left out", "{n:,} labels are left out")
        yield skipped.format(name=name, count=left_out)


def _spelling_lines(plan: MergePlan) -> list[str]:
    """A line for each renamed label and of the first new spellings, and one for the rest."""
    renamed = tr("“{earlier}” of “{label_set}” is called “{name}” here by now.")
    lines = [renamed.format(**one._asdict()) for one in plan.renamed]
    for one in plan.spellings[:_SPELLINGS]:
        label = tr("“{new}” will be a new label of “{label_set}”, beside “{known}”.")
        label_set = tr("“{new}” will be a new label set, beside “{known}”.")
        lines.append((label if one.label_set else label_set).format(**one._asdict()))
    if more := max(0, len(plan.spellings) - _SPELLINGS):
        lines.append(
            plural(more, "{n:,} more new spelling of a name.", "{n:,} more new spellings of names.")
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
        dialog = MergeDialog(context, folder, parent)
        accepted, plan = dialog.exec(), dialog.plan
        theirs, mine = dialog.chosen(Use.THEIRS), dialog.chosen(Use.MINE)
        dialog.deleteLater()
        if accepted and plan is not None:
            merge(context.session, plan, theirs, mine)
            changed = len(plan.added) + len(theirs)
            text = plural(changed, "{n:,} label merged.", "{n:,} labels merged.")
            context.notify(text, "info")
