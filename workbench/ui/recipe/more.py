"""Everything about a training that has a good default, folded away until it is asked for."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from workbench.app.training.recipe_draft import Draft
from workbench.domain.errors import ValueRefused
from workbench.ui.recipe.fields import GROUPS, FieldBox, group_title
from workbench.ui.recipe.method_section import MethodSection
from workbench.ui.recipe.stage_table import StageTable

COLUMNS = 4


class MoreSettings(QScrollArea):
    """All further keys of a recipe in groups. `edited` and `cleared` are those of the fields."""

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
            heading = QLabel(group_title(title))
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

    def show_draft(self, draft: Draft, errors: dict[str, ValueRefused]) -> None:
        """Fill every field; those that say nothing under this draft are disabled."""
        self.methods.show_draft(draft, errors)
        self.stages.show_draft(draft, errors)
        for key, field in self.fields.items():
            field.show_draft(draft, errors.get(key))
            field.setEnabled(_matters(key, draft))

    def reveal(self, key: str) -> None:
        """Bring a field into sight and the keyboard to it."""
        field = self.fields.get(key)
        if field is not None:
            self.ensureWidgetVisible(field)
            field.editor.setFocus()


def _matters(key: str, draft: Draft) -> bool:
    if key in ("step_epochs", "step_factor"):
        return draft.value("schedule") == "step"
    if key in ("view_weight", "tie"):
        return draft.value("target") == "category+view"
    if key == "focal_gamma":
        return draft.value("loss") == "focal"
    if key == "mix_alpha":
        return draft.value("mix") != "none"
    return key != "momentum" or draft.value("optimizer") != "adamw"
