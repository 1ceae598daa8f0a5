"""A new study: what is compared with the Train page's settings, how often, on which splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.app.training.choices import specs_task
from workbench.app.training.studies import study_task
from workbench.domain.errors import KnownError
from workbench.domain.methods import Spec, penalty_names
from workbench.domain.studies import Plan, Study, parse_plan
from workbench.domain.text import tr
from workbench.ui.page import Context

PLAIN = {"method": "fine-tune", "head": "linear", "penalty": "none"}
FURTHER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("MixUp", {"mix": "mixup"}),
    ("CutMix", {"mix": "cutmix"}),
    ("Focal loss", {"loss": "focal"}),
)
COLUMNS = 3


class StudyDialog(QDialog):
    """`plan` is what was chosen once the dialog is accepted. The baseline is `base`: the keys
    chosen on the Train page, as they are."""

    def __init__(
        self, base: Mapping[str, Any], specs: Sequence[Spec], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("New study"))
        self.setMinimumWidth(560)
        self._base = {key: value for key, value in base.items() if key != "seed"}
        self.plan: Plan | None = None
        self.name = QLineEdit(tr("Study"))
        self.seeds = QSpinBox()
        self.seeds.setRange(1, 100)
        self.seeds.setValue(5)
        self.seeds.setToolTip(tr("Each seed trains every variant once"))
        self.split = QComboBox()
        self.split.addItem(tr("drawn anew with every seed: 50 / 0 / 50"), (0.5, 0.0, 0.5))
        self.split.addItem(tr("drawn anew with every seed: 80 / 0 / 20"), (0.8, 0.0, 0.2))
        self.split.addItem(tr("the project's current split"), None)
        self.ticks: dict[str, tuple[QCheckBox, dict[str, Any]]] = {}
        for spec in specs:
            value = str(base.get(spec.kind, PLAIN.get(spec.kind)))
            if spec.name not in (penalty_names(value) if spec.kind == "penalty" else (value,)):
                self._offer(spec.name, spec.title, {spec.kind: spec.name}, spec.words)
        for name, keys in FURTHER:
            self._offer(name, name, keys, "")
        self.count = QLabel()
        self.problem = QLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self._arrange()
        self.seeds.valueChanged.connect(self._say_count)
        self._say_count()

    def _offer(self, name: str, title: str, keys: dict[str, Any], words: str) -> None:
        tick = QCheckBox(title)
        tick.setToolTip(words)
        tick.toggled.connect(self._say_count)
        self.ticks[name] = (tick, keys)

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow(tr("Name"), self.name)
        form.addRow(tr("Seeds"), self.seeds)
        form.addRow(tr("Split"), self.split)
        heading = QLabel(tr("Compare the settings of the Train page with the same and…"))
        heading.setProperty("role", "heading")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        for at, (tick, _) in enumerate(self.ticks.values()):
            grid.addWidget(tick, at // COLUMNS, at % COLUMNS)
        self.count.setProperty("role", "muted")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = buttons.addButton(tr("Start"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.start.setProperty("primary", True)
        buttons.accepted.connect(self.make)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(heading)
        column.addLayout(grid)
        for widget in (self.count, self.problem, buttons):
            column.addWidget(widget)

    def variants(self) -> dict[str, dict[str, Any]]:
        """The baseline, and everything ticked as keys over it."""
        chosen = {name: keys for name, (tick, keys) in self.ticks.items() if tick.isChecked()}
        return {str(self._base.get("method", PLAIN["method"])): {}, **chosen}

    def _say_count(self) -> None:
        variants = len(self.variants())
        runs = variants * self.seeds.value()
        self.count.setText(
            tr("{0} variants × {1} seeds: {2} trainings.").format(
                variants, self.seeds.value(), runs
            )
        )
        self.start.setEnabled(variants > 1)

    def make(self) -> None:
        """Take up what was chosen and close."""
        share = self.split.currentData()
        values: dict[str, Any] = {
            "base": self._base,
            "variants": self.variants(),
            "seeds": list(range(self.seeds.value())),
        }
        if share is not None:
            values["split"] = dict(zip(("train", "validation", "test"), share, strict=True))
        try:
            self.plan = parse_plan(values, self.name.text().strip() or tr("Study"))
        except KnownError as error:
            self.problem.setText(tr(error.message))
            self.problem.show()
            return
        self.accept()


class StudyStarter(QObject):
    """`base` gives the recipe keys chosen on the page."""

    def __init__(
        self, context: Context, base: Callable[[], Mapping[str, Any]], page: QWidget
    ) -> None:
        super().__init__(page)
        self._context, self._base, self._page = context, base, page
        self.dialog: StudyDialog | None = None

    def ask(self) -> None:
        """Open the dialog, once it is known what can be compared."""
        self._context.session.start(specs_task(), done=self._open)

    def _open(self, specs: list[Spec]) -> None:
        self.dialog = StudyDialog(self._base(), specs, self._page)
        self.dialog.accepted.connect(self._take)
        self.dialog.open()

    def _take(self) -> None:
        plan = self.dialog.plan if self.dialog is not None else None
        if plan is not None:
            self.start(plan)

    def start(self, plan: Plan) -> None:
        """Keep the study and show it going on; why it cannot is how its check fails."""
        self._context.session.start(study_task(self._context.session, plan), done=self._show)

    def _show(self, study: Study) -> None:
        self._context.go("results", study=study.id)
