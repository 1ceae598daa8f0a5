"""Dialog for a new study: variants of the Train page's settings, seeds and splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
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
from workbench.app.training.splitting import fold_families
from workbench.app.training.studies import NewStudy, study_task
from workbench.domain.errors import KnownError
from workbench.domain.methods import Spec, penalty_names
from workbench.domain.recipes import PartialRecipe, value_of
from workbench.domain.studies import HALVES, Keys, Plan, SplitFractions, check_plan
from workbench.domain.text import mark, plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context
from workbench.ui.parts.dialog import Dialog

# Variants besides methods, heads and penalties: their names in the study and their recipe keys.
OTHER_VARIANTS: tuple[tuple[str, Keys], ...] = (
    (mark("Mixup"), {"mix": "mixup"}),
    (mark("CutMix"), {"mix": "cutmix"}),
    (mark("Focal loss"), {"loss": "focal"}),
)
COLUMNS = 3  # of checkboxes


class StudyDialog(Dialog):
    """Choice of the variants, seeds and splits of a study; `plan` is set when it is accepted.

    The baseline has the keys in `base`, those set on the Train page. `specs` are the methods,
    heads and penalties to choose from, `folds` the numbers of stored folds by their name,
    `published` the names of splits that were read from files.
    """

    def __init__(
        self,
        base: PartialRecipe,
        specs: Sequence[Spec],
        folds: Mapping[str, int] | None = None,
        parent: QWidget | None = None,
        *,
        published: Sequence[str] = (),
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("New study"))
        self.setMinimumWidth(560)
        self._base = base.without("seed")
        self.plan: Plan | None = None
        self.name = QLineEdit(tr("Study"))
        self.seeds = QSpinBox()
        self.seeds.setRange(1, 100)
        self.seeds.setValue(5)
        self.seeds.setToolTip(tr("Each variant is trained once with each seed"))
        self.split = self._make_split(folds or {}, published)
        self.per_class = self._make_per_class()
        self.checkboxes: dict[str, tuple[QCheckBox, Keys]] = {}
        for spec in specs:
            value = str(value_of(base.with_defaults, spec.kind))
            if spec.name not in (penalty_names(value) if spec.kind == "penalty" else (value,)):
                self._add_variant(spec.name, spec.title, {spec.kind: spec.name}, spec.description)
        for name, keys in OTHER_VARIANTS:
            self._add_variant(name, name, keys, "")
        self.count = PlainLabel()
        self.problem = PlainLabel()
        self.problem.setProperty("role", "bad")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self._arrange()
        self.seeds.valueChanged.connect(self._show_count)
        self.split.currentIndexChanged.connect(self._show_count)
        self._show_count()

    def _make_per_class(self) -> QSpinBox:
        box = QSpinBox()
        box.setRange(1, 100_000)
        box.setValue(30)
        box.setSuffix(tr(" per class"))
        box.setAccessibleName(tr("Training images per class"))
        return box

    def _make_split(self, folds: Mapping[str, int], published: Sequence[str]) -> QComboBox:
        """The choice of the splits; the data of an entry are the keys of a plan."""
        split = QComboBox()
        split.addItem(tr("New split for each seed: 50 / 0 / 50"), {"split": HALVES})
        fifths = SplitFractions(0.8, 0.0, 0.2)
        split.addItem(tr("New split for each seed: 80 / 0 / 20"), {"split": fifths})
        split.addItem(tr("Current split of the project"), {})
        for name, number in folds.items():
            text = tr("Each of the {count} folds {name}").format(count=number, name=name)
            split.addItem(text, {"folds": name, "count": number})
        split.addItem(tr("Each of 5 new folds: 65 / 15 / 20"), {"folds": "5", "count": 5})
        for name in published:
            text = tr("Split {name}, from files").format(name=name)
            split.addItem(text, {"published": name})
        text = tr("Some images per class for training, for each seed; all others for testing")
        split.addItem(text, {"per_class": 0})
        return split

    def _add_variant(self, name: str, title: str, keys: Keys, tip: str) -> None:
        box = QCheckBox(tr(title))
        box.setToolTip(tr(tip))
        box.toggled.connect(self._show_count)
        self.checkboxes[name] = (box, keys)

    def _arrange(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.addRow(tr("Name"), self.name)
        form.addRow(tr("Seeds"), self.seeds)
        form.addRow(tr("Split"), self.split)
        form.addRow("", self.per_class)
        heading = QLabel(tr("Compare the settings of the Train page with these variants"))
        heading.setProperty("role", "heading")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        for index, (box, _) in enumerate(self.checkboxes.values()):
            grid.addWidget(box, index // COLUMNS, index % COLUMNS)
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

    def variants(self) -> dict[str, Keys]:
        """Return name → recipe keys of the variants: the baseline first, then those checked."""
        checked = {name: keys for name, (box, keys) in self.checkboxes.items() if box.isChecked()}
        return {self._base.with_defaults.method: {}, **checked}

    def use_folds(self) -> None:
        """Select the newest folds, or new ones."""
        first = 1 + self.split.findText(tr("Current split of the project"))
        self.split.setCurrentIndex(first)

    def folds(self) -> tuple[str, int]:
        """Return name and number of the selected folds; ("", 0) for another split."""
        chosen = self.split.currentData()
        return (chosen["folds"], chosen["count"]) if "folds" in chosen else ("", 0)

    def _show_count(self) -> None:
        variants = len(self.variants())
        self.per_class.setEnabled("per_class" in self.split.currentData())
        _, folds = self.folds()
        self.seeds.setEnabled(not folds)
        seeds = folds or self.seeds.value()
        times = (
            plural(folds, "{n:,} fold", "{n:,} folds")
            if folds
            else plural(seeds, "{n:,} seed", "{n:,} seeds")
        )
        text = tr("{variants} × {seeds}: {trainings}")
        self.count.setText(
            text.format(
                variants=plural(variants, "{n:,} variant", "{n:,} variants"),
                seeds=times,
                trainings=plural(variants * seeds, "{n:,} training", "{n:,} trainings"),
            )
        )
        chosen = self.split.currentData()
        self.start.setEnabled(variants > 1 or bool({"folds", "per_class", "published"} & {*chosen}))

    def make(self) -> None:
        """Set `plan` and close; show why the plan is invalid if it is."""
        folds, _ = self.folds()
        chosen = self.split.currentData()
        plan = Plan(
            name=self.name.text().strip() or tr("Study"),
            base=self._base.to_builtins(),
            variants=self.variants(),
            seeds=tuple(range(self.seeds.value())),
            split=chosen.get("split"),
            folds=folds,
            per_class=self.per_class.value() if "per_class" in chosen else None,
            published=chosen.get("published", ""),
        )
        try:
            self.plan = check_plan(plan)
        except KnownError as error:
            self.problem.setText(tr(error.message))
            self.problem.show()
            return
        self.accept()


class StudyStarter(QObject):
    """Opens the dialog and starts the study; `base()` returns the recipe keys set on the page."""

    def __init__(self, context: Context, base: Callable[[], PartialRecipe], page: QWidget) -> None:
        super().__init__(page)
        self._context, self._base, self._page = context, base, page
        self.dialog: StudyDialog | None = None

    def open_dialog(self) -> None:
        """Open the dialog once the methods are listed."""
        if not self._context.can_edit():
            return
        self._context.session.start(specs_task(), done=self._open)

    def open_folds(self) -> None:
        """Open the dialog to train on each fold."""
        if not self._context.can_edit():
            return
        self._context.session.start(specs_task(), done=self._open_folds)

    def _open_folds(self, specs: list[Spec]) -> None:
        self._open(specs)
        if self.dialog is not None:
            self.dialog.use_folds()

    def _open(self, specs: list[Spec]) -> None:
        with self._context.reporting_errors():
            known = fold_families(self._context.session)
            folds = {name: len(splits) for name, splits in known.items()}
            splits = self._context.session.splits.all()
            read = [split.name for split in splits if split.plan is None]
            self.dialog = StudyDialog(self._base(), specs, folds, self._page, published=read)
            self.dialog.accepted.connect(self._start_plan)
            self.dialog.open()

    def _start_plan(self) -> None:
        plan = self.dialog.plan if self.dialog is not None else None
        if plan is not None:
            self.start(plan)

    def start(self, plan: Plan) -> None:
        """Start the study and show it on the Results page.

        The job that checks it reports why it cannot start.
        """
        self._context.session.start(study_task(self._context.session, plan), done=self._show)

    def _show(self, made: NewStudy) -> None:
        self._context.go("results", study=made.study.id)
