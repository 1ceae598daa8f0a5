"""Making a split: how large each part is, from which seed, balanced over which labels."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Failed, Job
from workbench.app.training.splitting import split_task
from workbench.domain.splits import DEFAULT_SPLIT, PARTS, Part, SplitPlan
from workbench.domain.text import tr
from workbench.ui.page import Context

_SETS = ("category", "view", "expression")


class SplitDialog(QDialog):
    """Fractions in percent, a seed, and the label sets whose shares every part keeps."""

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
        for part in PARTS:
            form.addRow(part.value.capitalize(), self._share(part, getattr(plan, part)))
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setValue(plan.seed)
        self.seed.setToolTip(tr("The same seed gives the same split on every machine"))
        form.addRow(tr("Seed"), self.seed)
        self.stratify = {name: QCheckBox(name) for name in _SETS}
        boxes = QHBoxLayout()
        boxes.setSpacing(16)
        for name, box in self.stratify.items():
            box.setChecked(name != "expression")
            boxes.addWidget(box)
        boxes.addStretch(1)
        form.addRow(tr("Same shares of"), boxes)
        self.problem = QLabel()
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
        label = QLabel()
        label.setProperty("role", "muted")
        row.addWidget(box)
        row.addWidget(label, 1)
        self.shares[part], self.counts[part] = box, label
        return line

    def _arrange(self, form: QFormLayout) -> None:
        note = QLabel(
            tr("A split stays as it is until you make another one; runs keep the one they used.")
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
        """Close without a split, also while one is being drawn."""
        if self._job is not None:
            self._job.stop()
        super().reject()

    def _count(self) -> None:
        total = sum(box.value() for box in self.shares.values())
        for part, box in self.shares.items():
            about = round(self._images * box.value() / 100)
            self.counts[part].setText(tr("about {0:,} images").format(about))
        possible = 0 < total <= 100 and self._images > 0
        self.make_button.setEnabled(possible and self._job is None)
        left = tr("{0} % of the images stay out of the split.").format(100 - total)
        more = tr("The parts sum to {0} %: at most 100 % is possible.").format(total)
        self.problem.setText(more if total > 100 else left if total < 100 else "")

    def plan(self) -> SplitPlan:
        """What the fields say; raises ValueRefused where that is not possible."""
        share = {part.value: box.value() / 100 for part, box in self.shares.items()}
        return SplitPlan(**share, seed=self.seed.value())

    def make(self) -> None:
        """Make the split; when it is made, say its counts and close."""
        if self._job is not None:
            return
        sets = [name for name, box in self.stratify.items() if box.isChecked()]
        self._job = self._context.session.start(
            split_task(self._context.session, self.plan(), sets),
            done=self._made,
            failed=self._show_failure,
            ended=self._over,
        )
        self._count()

    def _over(self, _: object) -> None:
        self._job = None
        self._count()

    def _show_failure(self, failure: Failed) -> None:
        self.problem.setText(failure.text)

    def _made(self, _: dict[int, Part]) -> None:
        counts = self._context.session.splits.counts()
        said = ", ".join(f"{counts.get(part, 0):,} {part.value}" for part in PARTS)
        self._context.notify(tr("Split made: {0}.").format(said), "info")
        self.accept()
