"""Dialog for the splits: choose a stored one, or draw one by fractions, labels and groups."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Failed, Job, Outcome
from workbench.app.training.leakage import leaks_note, open_leaks
from workbench.app.training.near_duplicates import DuplicateSearch, duplicates_task
from workbench.app.training.splitting import (
    Drawn,
    delete_split,
    rename_split,
    split_remarks,
    split_task,
    use_split,
)
from workbench.domain.reports import Note, Report
from workbench.domain.splits import (
    DEFAULT_SPLIT,
    PARTS,
    STRATA,
    GroupBy,
    Grouping,
    Part,
    SplitPlan,
    StoredSplit,
)
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context, row
from workbench.ui.parts.dialog import Dialog

_COLUMNS = 3  # of check boxes


class GroupRule(QWidget):
    """What a split keeps together: a kind of group, and the value that the kind needs."""

    changed = Signal()

    def __init__(self, label_sets: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = QComboBox()
        self.kind.addItem(tr("nothing", "kept together in a split"), None)
        for by, text in (
            (GroupBy.LABELS, tr("images with the same label of")),
            (GroupBy.FOLDER, tr("images in a folder at level")),
            (GroupBy.PATTERN, tr("images whose path matches alike")),
            (GroupBy.TIME, tr("images taken within minutes")),
            (GroupBy.DUPLICATES, tr("near-duplicates")),
        ):
            self.kind.addItem(text, by)
        self.label_set = QComboBox()
        self.label_set.addItems(list(label_sets))
        self.pattern = QLineEdit(placeholderText=r"^(\d+)_")
        self.pattern.setToolTip(
            tr("A regular expression; what its first group finds in the path names the group")
        )
        self.number = QSpinBox()
        self.number.setRange(0, 100_000)
        self.values = QStackedWidget()
        for widget in (QWidget(), self.label_set, self.pattern, self.number):
            self.values.addWidget(widget)
        row((self.kind, 1), (self.values, 1), on=self, spacing=8)
        self.kind.currentIndexChanged.connect(self._show_value)
        for signal in (
            self.label_set.currentIndexChanged,
            self.pattern.textChanged,
            self.number.valueChanged,
        ):
            signal.connect(self.changed)

    def _by(self) -> GroupBy | None:
        given = self.kind.currentData()
        return None if given is None else GroupBy(given)  # Qt returns plain text

    def _show_value(self) -> None:
        by = self._by()
        widgets = {GroupBy.LABELS: 1, GroupBy.PATTERN: 2, GroupBy.FOLDER: 3, GroupBy.TIME: 3}
        self.values.setCurrentIndex(widgets.get(by, 0) if by is not None else 0)
        if by is GroupBy.FOLDER:
            self.number.setSpecialValueText(tr("innermost", "folder of an image"))
            self.number.setValue(1)
        elif by is GroupBy.TIME:
            self.number.setSpecialValueText("")
            self.number.setValue(10)
        self.changed.emit()

    def grouping(self) -> Grouping | None:
        """The chosen rule; None for none."""
        by = self._by()
        if by is None:
            return None
        if by is GroupBy.LABELS:
            return Grouping(by, self.label_set.currentText())
        if by is GroupBy.PATTERN:
            return Grouping(by, self.pattern.text())
        return Grouping(by, number=0 if by is GroupBy.DUPLICATES else self.number.value())


class StoredSplits(QWidget):
    """The stored splits by name, hidden if there is none: the chosen one becomes the current one,
    and it can be renamed or deleted. `used()` is emitted after each change."""

    used = Signal()

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.names = QComboBox()
        self.names.setToolTip(tr("The current split, which the next training uses"))
        self.rename = QPushButton(tr("Rename…"))
        self.delete = QPushButton(tr("Delete"))
        label = QLabel(tr("Current split"))
        row(label, (self.names, 1), self.rename, self.delete, on=self, spacing=8)
        self.names.activated.connect(self._use)
        self.rename.clicked.connect(self._ask_name)
        self.delete.clicked.connect(self._delete)
        self._fill()

    def _fill(self) -> None:
        session = self._context.session
        self._splits = session.splits.all()
        self.names.clear()
        for one in self._splits:
            counts = session.splits.counts(one.id)
            numbers = " / ".join(f"{counts[part]:,}" for part in PARTS)
            self.names.addItem(f"{one.name}  ({numbers})")
        at = [one.current for one in self._splits]
        self.names.setCurrentIndex(at.index(True) if True in at else -1)
        self.rename.setEnabled(True in at)
        self.delete.setEnabled(True in at)
        self.setVisible(bool(self._splits))
        self.used.emit()

    def _chosen(self) -> StoredSplit | None:
        at = self.names.currentIndex()
        return self._splits[at] if at >= 0 else None

    def _use(self, at: int) -> None:
        use_split(self._context.session, self._splits[at])
        self._fill()

    def _ask_name(self) -> None:
        one = self._chosen()
        if one is None:
            return
        title = tr("Rename split")
        name, given = QInputDialog.getText(self, title, tr("Name"), text=one.name)
        if given:
            with self._context.reporting_errors():
                rename_split(self._context.session, one, name)
            self._fill()

    def _delete(self) -> None:
        one = self._chosen()
        if one is not None:
            delete_split(self._context.session, one)
            self._fill()


class SplitDialog(Dialog):
    """The stored splits; sizes of the parts in percent, a seed, folds, label sets to stratify by,
    and what stays together."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Split images"))
        self.setMinimumWidth(420)
        self._context = context
        self._job: Job[list[Drawn]] | None = None
        self._images = context.session.images.count()
        self.stored = StoredSplits(context)
        current = context.session.splits.current()
        plan = (current.plan if current is not None else None) or DEFAULT_SPLIT
        self.shares: dict[Part, QSpinBox] = {}
        self.counts: dict[Part, QLabel] = {}
        self.stratify = {name: QCheckBox(name) for name in context.session.labels.sets()}
        self.rule = GroupRule(list(self.stratify))
        self.name = QLineEdit()
        self.search = QCheckBox(tr("Search near-duplicates across parts afterwards"))
        self.search.setChecked(True)
        self.problem = PlainLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        self._arrange(self._form(plan))
        self.seed.valueChanged.connect(self._count)
        self.folds.valueChanged.connect(self._count)
        self.rule.changed.connect(self._count)
        self._count()

    def _form(self, plan: SplitPlan) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        titles = {
            Part.TRAIN: tr("Train", "part of the split"),
            Part.VALIDATION: tr("Validation", "part of the split"),
            Part.TEST: tr("Test", "part of the split"),
        }
        for part in PARTS:
            form.addRow(titles[part], self._share(part, getattr(plan, part)))
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setValue(plan.seed)
        self.seed.setToolTip(tr("The same seed gives the same split on every computer"))
        form.addRow(tr("Seed"), self.seed)
        self.folds = QSpinBox()
        self.folds.setRange(1, 100)
        self.folds.setSpecialValueText(tr("none", "no folds"))
        self.folds.setToolTip(tr("Create several splits whose test parts contain every image once"))
        form.addRow(tr("Folds"), self.folds)
        boxes = QGridLayout()
        boxes.setHorizontalSpacing(16)
        boxes.setColumnStretch(_COLUMNS, 1)
        for at, (name, box) in enumerate(self.stratify.items()):
            box.setChecked(name in STRATA)
            boxes.addWidget(box, *divmod(at, _COLUMNS))
        form.addRow(tr("Stratify by"), boxes)
        form.addRow(tr("Keep together"), self.rule)
        form.addRow(tr("Name"), self.name)
        form.addRow("", self.search)
        return form

    def _share(self, part: Part, fraction: float) -> QWidget:
        line = QWidget()
        across = QHBoxLayout(line)
        across.setContentsMargins(0, 0, 0, 0)
        box = QSpinBox()
        box.setRange(0, 100)
        box.setSuffix(" %")
        box.setValue(round(100 * fraction))
        box.valueChanged.connect(self._count)
        label = PlainLabel()
        label.setProperty("role", "muted")
        across.addWidget(box)
        across.addWidget(label, 1)
        self.shares[part], self.counts[part] = box, label
        return line

    def _arrange(self, form: QFormLayout) -> None:
        note = QLabel(
            tr(
                "A split stays the same until you replace it by one of its name. Runs keep the "
                "split they used."
            )
        )
        note.setProperty("role", "caption")
        note.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.make_button = buttons.addButton(tr("Split"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.make_button.setProperty("primary", True)
        buttons.accepted.connect(self.make)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.stored)
        column.addLayout(form)
        for widget in (note, self.problem, buttons):
            column.addWidget(widget)

    def reject(self) -> None:
        """Close without a split, stopping the job if it runs."""
        if self._job is not None:
            self._job.stop()
        super().reject()

    def _count(self) -> None:
        folds = self.folds.value() > 1
        for part in (Part.TRAIN, Part.TEST):
            self.shares[part].setEnabled(not folds)
        if folds:
            self._show_fold_shares()
        total = sum(box.value() for box in self.shares.values())
        for part, box in self.shares.items():
            about = round(self._images * box.value() / 100)
            self.counts[part].setText(plural(about, "about {n:,} image", "about {n:,} images"))
        possible = 0 < total <= 100 and self._images > 0 and self.shares[Part.TRAIN].value() > 0
        self.make_button.setEnabled(possible and self._job is None)
        if possible:
            self.name.setPlaceholderText(self.plan().name)
        if folds:
            self.problem.clear()
        elif total > 100:
            text = tr("The parts add up to {percent} %. Reduce them to at most 100 %.")
            self.problem.setText(text.format(percent=total))
        elif total < 100:
            text = tr("{percent} % of the images are left out of the split.")
            self.problem.setText(text.format(percent=100 - total))
        else:
            self.problem.clear()

    def _show_fold_shares(self) -> None:
        """Show the shares of each fold: one in so many images is tested."""
        folds = self.folds.value()
        validation = self.shares[Part.VALIDATION]
        test = round(100 / folds)
        validation.setValue(min(validation.value(), 99 - test))
        shown = {Part.TEST: test, Part.TRAIN: 100 - test - validation.value()}
        for part, percent in shown.items():
            with QSignalBlocker(self.shares[part]):
                self.shares[part].setValue(percent)

    def plan(self) -> SplitPlan:
        """Return the plan that the fields describe. Raises ValueRefused if it is invalid."""
        train, validation, test = (self.shares[part].value() / 100 for part in PARTS)
        seed, grouping, folds = self.seed.value(), self.rule.grouping(), self.folds.value()
        if folds > 1:
            return SplitPlan(1 - validation, validation, 0.0, seed, grouping, folds)
        return SplitPlan(train, validation, test, seed, grouping)

    def make(self) -> None:
        """Make the split in a job; show its counts and close when it is done."""
        if self._job is not None:
            return
        self._notes: list[str] = []
        sets = [name for name, box in self.stratify.items() if box.isChecked()]
        self._job = self._context.session.start(
            split_task(self._context.session, self.plan(), sets, self.name.text().strip()),
            done=self._finish,
            failed=self._show_failure,
            reported=self._add_note,
            ended=self._job_ended,
        )
        self._count()

    def _job_ended(self, _: Outcome[list[Drawn]]) -> None:
        self._job = None
        self._count()

    def _add_note(self, report: Report) -> None:
        if isinstance(report, Note):
            self._notes.append(tr(report.text))

    def _show_failure(self, failure: Failed) -> None:
        self.problem.setText(tr(failure.text))

    def _finish(self, _: list[Drawn]) -> None:
        counts = self._context.session.splits.counts()
        numbers = {part.value: counts.get(part, 0) for part in PARTS}
        text = tr("Images split: {train:,} train, {validation:,} validation, {test:,} test.")
        self._context.notify(text.format(**numbers), "info")
        remarks = [*self._notes, *map(tr, split_remarks(self._context.session))]
        if remarks:
            self._context.notify("\n".join(remarks), "warn")
        if self.search.isChecked():
            task = duplicates_task(self._context.session)
            self._context.session.start(task, done=self._report_leaks)
        self.accept()

    def _report_leaks(self, _: DuplicateSearch) -> None:
        found = open_leaks(self._context.session)
        if found:
            where = tr("See Label › Near-duplicates across parts.")
            self._context.notify(f"{tr(leaks_note(found))} {where}", "warn")
