"""Dialog that splits the images: sizes of the parts, seed, and label sets to stratify by."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QCheckBox,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Failed, Job, Outcome
from workbench.app.training.splitting import split_task
from workbench.domain.splits import DEFAULT_SPLIT, PARTS, STRATA, Part, SplitPlan
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context
from workbench.ui.parts.dialog import Dialog

_COLUMNS = 3  # of check boxes


class SplitDialog(Dialog):
    """Sizes of the parts in percent, a seed, and the label sets to stratify by."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Split images"))
        self.setMinimumWidth(420)
        self._context = context
        self._job: Job[dict[int, Part]] | None = None
        self._images = context.session.images.count()
        current = context.session.splits.current()
        plan = current[1] if current is not None else DEFAULT_SPLIT
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        self.shares: dict[Part, QSpinBox] = {}
        self.counts: dict[Part, QLabel] = {}
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
        self.stratify = {name: QCheckBox(name) for name in context.session.labels.sets()}
        boxes = QGridLayout()
        boxes.setHorizontalSpacing(16)
        boxes.setColumnStretch(_COLUMNS, 1)
        for at, (name, box) in enumerate(self.stratify.items()):
            box.setChecked(name in STRATA)
            boxes.addWidget(box, *divmod(at, _COLUMNS))
        form.addRow(tr("Stratify by"), boxes)
        self.problem = PlainLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        self._arrange(form)
        self._count()

    def _share(self, part: Part, fraction: float) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        box = QSpinBox()
        box.setRange(0, 100)
        box.setSuffix(" %")
        box.setValue(round(100 * fraction))
        box.valueChanged.connect(self._count)
        label = PlainLabel()
        label.setProperty("role", "muted")
        row.addWidget(box)
        row.addWidget(label, 1)
        self.shares[part], self.counts[part] = box, label
        return line

    def _arrange(self, form: QFormLayout) -> None:
        note = QLabel(
            tr(
                "The split stays the same until you create a new one. Runs keep the split they "
                "used."
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
        column.addLayout(form)
        for widget in (note, self.problem, buttons):
            column.addWidget(widget)

    def reject(self) -> None:
        """Close without a split, stopping the job if it runs."""
        if self._job is not None:
            self._job.stop()
        super().reject()

    def _count(self) -> None:
        total = sum(box.value() for box in self.shares.values())
        for part, box in self.shares.items():
            about = round(self._images * box.value() / 100)
            self.counts[part].setText(plural(about, "about {n:,} image", "about {n:,} images"))
        possible = 0 < total <= 100 and self._images > 0
        self.make_button.setEnabled(possible and self._job is None)
        if total > 100:
            text = tr("The parts add up to {percent} %. Reduce them to at most 100 %.")
            self.problem.setText(text.format(percent=total))
        elif total < 100:
            text = tr("{percent} % of the images are left out of the split.")
            self.problem.setText(text.format(percent=100 - total))
        else:
            self.problem.clear()

    def plan(self) -> SplitPlan:
        """Return the plan that the fields describe. Raises ValueRefused if it is invalid."""
        share = {part.value: box.value() / 100 for part, box in self.shares.items()}
        return SplitPlan(**share, seed=self.seed.value())

    def make(self) -> None:
        """Make the split in a job; show its counts and close when it is done."""
        if self._job is not None:
            return
        sets = [name for name, box in self.stratify.items() if box.isChecked()]
        self._job = self._context.session.start(
            split_task(self._context.session, self.plan(), sets),
            done=self._finish,
            failed=self._show_failure,
            ended=self._job_ended,
        )
        self._count()

    def _job_ended(self, _: Outcome[dict[int, Part]]) -> None:
        self._job = None
        self._count()

    def _show_failure(self, failure: Failed) -> None:
        self.problem.setText(tr(failure.text))

    def _finish(self, _: dict[int, Part]) -> None:
        counts = self._context.session.splits.counts()
        numbers = {part.value: counts.get(part, 0) for part in PARTS}
        text = tr("Images split: {train:,} train, {validation:,} validation, {test:,} test.")
        self._context.notify(text.format(**numbers), "info")
        self.accept()
