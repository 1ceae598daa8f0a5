"""The settings below the Train form: method, stages, and all other recipe keys in groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from workbench.app.training.recipe_draft import Draft
from workbench.domain.backbones import BACKBONES, Backbone
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import JOINT, RecipeValues
from workbench.domain.stage_rules import PLAIN, PRESETS, StageRule, frozen_stages, preset
from workbench.domain.text import Message, mark, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.parts.recipe.fields import GROUPS, FieldBox, key_tip
from workbench.ui.parts.recipe.methods import MethodSection

NUMBERS = ("rate", "penalty")
_ROWS = {
    "start": mark("Random weights"),
    "frozen": mark("Frozen"),
    "rate": mark("Rate ×"),
    "penalty": mark("Penalties ×"),
}  # the columns of a stage rule, in order
_MOST_STAGES = 9  # beside each other, so that they fit a window of 1,366 pixels


class StageTable(QWidget):
    """The rules for individual stages, one column per stage, in several bands for deep networks.

    `edited("stages", rules)` and `cleared("stages")` are those of any recipe key.
    """

    edited = Signal(str, object)
    cleared = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._backbone: Backbone | None = None
        self._rules: dict[str, StageRule] = {}
        self.new: dict[str, QCheckBox] = {}
        self.frozen: dict[str, QCheckBox] = {}
        self.numbers: dict[tuple[str, str], QLineEdit] = {}
        self.presets = QComboBox()
        for at, each in enumerate(PRESETS.values()):
            self.presets.addItem(tr(each.title), each.name)
            self.presets.setItemData(at, tr(each.words), Qt.ItemDataRole.ToolTipRole)
        self.presets.setCurrentIndex(-1)
        self.presets.setPlaceholderText(tr("Use preset…"))
        self.presets.setAccessibleName(tr("Presets for the stages"))
        self.presets.activated.connect(self._use_preset)
        heading = QLabel(tr("Stages"))
        heading.setProperty("role", "heading")
        heading.setToolTip(key_tip("stages"))
        top = QHBoxLayout()
        top.addWidget(heading)
        top.addStretch(1)
        top.addWidget(self.presets)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(4)
        self.error = PlainLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        column.addLayout(self._grid)
        column.addWidget(self.error)

    def show_draft(self, draft: Draft, errors: Mapping[str, ValueRefused]) -> None:
        """Show the draft's rules for the stages of its backbone."""
        now = draft.recipe
        known = BACKBONES[now.backbone]
        if known is not self._backbone:
            self._backbone = known
            self._build(known)
        self._rules = {name: rule for name, rule in now.stages.items() if name in known.stage_names}
        frozen = frozen_stages(known, now.frozen, self._rules)
        for name in known.stage_names:
            rule = self._rules.get(name, PLAIN)
            self.new[name].setChecked(rule.start == "new")
            self.frozen[name].setChecked(name in frozen)
            for key in NUMBERS:
                field, value = self.numbers[name, key], getattr(rule, key)
                if not field.hasFocus():
                    field.setText("" if value == 1 else f"{value:g}")
        texts = [tr(error.message) for key, error in errors.items() if key.startswith("stages")]
        self.error.setText("\n".join(texts))
        self.error.setVisible(bool(texts))

    def _build(self, known: Backbone) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self.new, self.frozen, self.numbers = {}, {}, {}
        names = known.stage_names
        bands = math.ceil(len(names) / _MOST_STAGES)
        wide = math.ceil(len(names) / bands)
        for band in range(bands):
            self._row_titles(band * (len(_ROWS) + 1))
            for at, name in enumerate(names[band * wide : (band + 1) * wide], start=1):
                self._column(band * (len(_ROWS) + 1), at, name)
        for at in range(1, _MOST_STAGES + 1):
            self._grid.setColumnStretch(at, 1 if at <= wide else 0)

    def _row_titles(self, top: int) -> None:
        for row, text in enumerate(_ROWS.values(), start=top + 1):
            label = QLabel(tr(text))
            label.setProperty("role", "caption")
            self._grid.addWidget(label, row, 0)

    def _column(self, top: int, at: int, name: str) -> None:
        title = QLabel(name)
        title.setProperty("role", "caption")
        self._grid.addWidget(title, top, at, Qt.AlignmentFlag.AlignHCenter)
        self.new[name] = self._tick(name, "start")
        self.frozen[name] = self._tick(name, "frozen")
        self._grid.addWidget(self.new[name], top + 1, at, Qt.AlignmentFlag.AlignHCenter)
        self._grid.addWidget(self.frozen[name], top + 2, at, Qt.AlignmentFlag.AlignHCenter)
        for row, key in enumerate(NUMBERS, start=top + 3):
            field = QLineEdit()
            field.setPlaceholderText("1")
            field.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            field.setMinimumWidth(36)
            field.setToolTip(f"stages.{name}.{key}")
            field.setAccessibleName(self._cell_name(name, key))
            field.textEdited.connect(lambda text, key=key: self._typed(name, key, text))
            self.numbers[name, key] = field
            self._grid.addWidget(field, row, at)

    @staticmethod
    def _cell_name(stage: str, key: str) -> str:
        return tr("{stage}: {setting}").format(stage=stage, setting=tr(_ROWS[key]))

    def _tick(self, name: str, key: str) -> QCheckBox:
        tick = QCheckBox()
        tick.setToolTip(f"stages.{name}.{key}")
        tick.setAccessibleName(self._cell_name(name, key))
        if key == "start":
            tick.clicked.connect(lambda on: self._set(name, start="new" if on else "transferred"))
        else:
            tick.clicked.connect(lambda on: self._set(name, frozen=bool(on)))
        return tick

    # Edits

    def _typed(self, name: str, key: str, text: str) -> None:
        try:
            value = float(text.strip().replace(",", ".") or 1)
            if not 0 <= value < float("inf"):
                raise ValueError
        except ValueError:
            error = ValueRefused(f"stages.{name}.{key}", text, Message("a number ≥ 0"))
            self.error.setText(tr(error.message))
            self.error.show()
            return
        self._set(name, **{key: value})

    def _set(self, name: str, **changed: Any) -> None:
        rule = msgspec.structs.replace(self._rules.get(name, PLAIN), **changed)
        if rule.start == "new" and "start" in changed:
            rule = msgspec.structs.replace(rule, frozen=False)
        self._emit_rules({**self._rules, name: rule})

    def _use_preset(self, at: int) -> None:
        if self._backbone is not None:
            self._emit_rules(preset(self._backbone, self.presets.itemData(at)))
        self.presets.setCurrentIndex(-1)

    def _emit_rules(self, rules: dict[str, StageRule]) -> None:
        left = {name: rule for name, rule in rules.items() if rule != PLAIN}
        if left:
            self.edited.emit("stages", left)
        else:
            self.cleared.emit("stages")


COLUMNS = 4


class MoreSettings(QScrollArea):
    """All other recipe keys in groups. `edited` and `cleared` are those of the fields."""

    edited = Signal(str, object)
    cleared = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields: dict[str, FieldBox] = {}
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QFrame()
        inside.setProperty("role", "card")
        column = QVBoxLayout(inside)
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(8)
        self.methods = MethodSection()
        self.methods.edited.connect(self.edited)
        self.methods.cleared.connect(self.cleared)
        column.addWidget(self.methods)
        self.stages = StageTable()
        self.stages.edited.connect(self.edited)
        self.stages.cleared.connect(self.cleared)
        column.addWidget(self.stages)
        for title, keys in GROUPS:
            heading = QLabel(tr(title))
            heading.setProperty("role", "heading")
            column.addWidget(heading)
            column.addLayout(self._grid(keys))
        column.addStretch(1)
        self.setWidget(inside)

    def _grid(self, keys: tuple[str, ...]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        for at, key in enumerate(keys):
            field = FieldBox(key)
            field.edited.connect(self.edited)
            field.cleared.connect(self.cleared)
            self.fields[key] = field
            grid.addWidget(field, at // COLUMNS, at % COLUMNS, Qt.AlignmentFlag.AlignTop)
        for at in range(COLUMNS):
            grid.setColumnStretch(at, 1)
        return grid

    def show_draft(self, draft: Draft, errors: Mapping[str, ValueRefused]) -> None:
        """Fill all fields; disable those that have no effect in this draft."""
        self.methods.show_draft(draft, errors)
        self.stages.show_draft(draft, errors)
        for key, field in self.fields.items():
            field.show_draft(draft, errors.get(key))
            field.setEnabled(_has_effect(key, draft.recipe))

    def reveal(self, key: str) -> None:
        """Scroll to the field of `key` and give it the keyboard focus."""
        field = self.fields.get(key)
        if field is not None:
            self.ensureWidgetVisible(field)
            field.editor.setFocus()


def _has_effect(key: str, now: RecipeValues) -> bool:
    if key in ("step_epochs", "step_factor"):
        return now.schedule == "step"
    if key in ("view_weight", "tie"):
        return now.target == JOINT
    if key == "focal_gamma":
        return now.loss == "focal"
    if key == "mix_alpha":
        return now.mix != "none"
    return key != "momentum" or now.optimizer != "adamw"
