"""The head of the Train page: what to learn, with which network, from what, and what stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from workbench.app.training.recipe_draft import Draft
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import ValueRefused
from workbench.domain.splits import Part
from workbench.ui.look.icons import icon
from workbench.ui.recipe.stage_row import StageRow
from workbench.ui.recipe.start_choice import StartChoice
from workbench.ui.widgets.elided import ElidedLabel


@dataclass(frozen=True)
class Target:
    """Something a run can learn: its name in the recipe, on the screen, and how many of how many
    are labelled. `reason` says why it cannot be learned yet, "" where it can."""

    name: str
    title: str
    reason: str = ""


class RecipeForm(QWidget):
    """`edited(key, value)` and `cleared(key)` are what a person did; the page answers by showing
    the draft anew."""

    edited = Signal(str, object)
    cleared = Signal(str)
    part_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._counts: dict[Part, int] = {}
        super().__init__(parent)
        self.target = QComboBox()
        self.target.activated.connect(self._target_picked)
        self.parts = QLabel()
        self.parts.setProperty("role", "caption")
        self.parts.setTextFormat(Qt.TextFormat.RichText)
        self.parts.linkActivated.connect(self.part_wanted)
        self.backbone = QComboBox()
        for known in BACKBONES.values():
            text = self.tr("{title}  ·  {size} MB  ·  {pixels} px").format(
                title=known.title, size=f"{known.megabytes:g}", pixels=known.input_size
            )
            self.backbone.addItem(text, known.name)
        self.backbone.activated.connect(
            lambda at: self.edited.emit("backbone", self.backbone.itemData(at))
        )
        self.start = StartChoice()
        self.start.chosen.connect(lambda start: self.edited.emit("start", start))
        self.stages = StageRow()
        self.stages.chosen.connect(lambda frozen: self.edited.emit("frozen", frozen))
        self.sentence = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.error = QLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        self._back: dict[str, QToolButton] = {}
        self._targets: list[str] = []
        self._lay_out()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        for column, (key, title, widget, stretch) in enumerate(
            (
                ("target", self.tr("What to learn"), self.target, 4),
                ("backbone", self.tr("Backbone"), self.backbone, 5),
                ("start", self.tr("Start weights"), self.start, 5),
            )
        ):
            grid.addLayout(self._caption(key, title, widget), 0, column)
            grid.addWidget(widget, 1, column, 2 if key == "start" else 1, 1)
            grid.setColumnStretch(column, stretch)
        grid.addWidget(self.parts, 2, 0, 1, 2)
        above = self._caption("frozen", self.tr("Frozen stages"), self.stages)
        above.setSpacing(8)
        above.addWidget(self.sentence, 100)  # the caption's own stretch hardly counts beside it
        grid.addLayout(above, 3, 0, 1, 3)
        grid.addWidget(self.stages, 4, 0, 1, 3)
        grid.addWidget(self.error, 5, 0, 1, 3)

    def _caption(self, key: str, title: str, widget: QWidget) -> QHBoxLayout:
        label = QLabel(title)
        label.setProperty("role", "caption")
        label.setBuddy(widget)
        back = QToolButton()
        back.setIcon(icon("arrow-counter-clockwise", back, "accent"))
        back.setFixedSize(18, 18)
        back.setToolTip(self.tr("Back to what is advised"))
        back.setAccessibleName(back.toolTip())
        back.clicked.connect(lambda: self.cleared.emit(key))
        policy = back.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        back.setSizePolicy(policy)
        back.hide()
        self._back[key] = back
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(label)
        row.addWidget(back)
        row.addStretch(1)
        return row

    # What is shown

    def set_targets(self, targets: Sequence[Target]) -> None:
        """What the project's labels allow to learn."""
        self._targets = [target.name for target in targets]
        self.target.clear()
        for target in targets:
            self.target.addItem(target.title, target.name)
        model = self.target.model()
        for at, target in enumerate(targets):
            item = model.item(at) if isinstance(model, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(not target.reason)
                item.setToolTip(target.reason)

    def set_parts(self, counts: Mapping[Part, int]) -> None:
        """How many images the split gives to each part; nothing where there is no split yet."""
        self._counts = dict(counts)
        linked = [f'<a href="{part}">{part} {n:,}</a>' for part, n in counts.items() if n]
        none = self.tr("No split yet: 70 / 15 / 15 is drawn when a training starts.")
        self.parts.setText(" &nbsp; ".join(linked) or none)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._counts:
            self.parts.clear()  # a link keeps the colour it was written in
            self.set_parts(self._counts)

    def show_draft(
        self,
        draft: Draft,
        errors: dict[str, ValueRefused],
        runs: Sequence[tuple[str, str]],
        present: bool,
    ) -> None:
        """Fill the fields. `runs` and `present` are those of `StartChoice.show_start`."""
        name = str(draft.value("target"))
        self.target.setCurrentIndex(self._targets.index(name) if name in self._targets else -1)
        known = BACKBONES[str(draft.value("backbone"))]
        self.backbone.setCurrentIndex(self.backbone.findData(known.name))
        self.start.show_start(known, str(draft.value("start")), runs, present)
        self.stages.show_backbone(known, str(draft.value("frozen")))
        self._say_stages(draft)
        for key, back in self._back.items():
            back.setVisible(key != "target" and draft.overridden(key))
        here = [errors[key] for key in ("target", "backbone", "start", "frozen") if key in errors]
        self.error.setText("\n".join(str(error) for error in here))
        self.error.setVisible(bool(here))

    def _say_stages(self, draft: Draft) -> None:
        reasons = draft.reasons()
        own = [reasons.pop("frozen")] if "frozen" in reasons else []
        self.sentence.setText(" ".join([self.stages.sentence(), *own, *reasons.values()]))
        self.sentence.setProperty("role", "muted")

    def _target_picked(self, at: int) -> None:
        self.edited.emit("target", self.target.itemData(at))
