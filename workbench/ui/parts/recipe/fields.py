"""One key of a recipe as a field: its name, an editor, what is wrong, and a way back."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.training.recipe_draft import Draft
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import allowed, choices, type_of
from workbench.domain.text import mark, tr
from workbench.ui.look.icons import icon

_CONTEXT = "RecipeFields"

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        mark("Learning"),
        (
            "epochs",
            "batch",
            "learning_rate",
            "head_factor",
            "schedule",
            "step_epochs",
            "step_factor",
            "optimizer",
            "momentum",
            "weight_decay",
            "averaging",
            "cache",
        ),
    ),
    (
        mark("Loss and stopping"),
        (
            "loss",
            "focal_gamma",
            "sampling",
            "class_weights",
            "label_smoothing",
            "view_weight",
            "tie",
            "early_stopping",
            "keep",
            "precision",
            "seed",
        ),
    ),
    (
        mark("Images"),
        (
            "image_size",
            "crop_scale",
            "flip",
            "rotation",
            "brightness",
            "contrast",
            "mix",
            "mix_alpha",
            "test_mirror",
            "test_resize",
            "test_crops",
        ),
    ),
)

_TITLES = {
    "epochs": mark("Epochs"),
    "batch": mark("Batch"),
    "learning_rate": mark("Learning rate"),
    "head_factor": mark("Rate of the head ×"),
    "schedule": mark("Schedule"),
    "step_epochs": mark("Step every (epochs)"),
    "step_factor": mark("Step factor"),
    "optimizer": mark("Optimizer"),
    "momentum": mark("Momentum"),
    "weight_decay": mark("Weight decay"),
    "averaging": mark("Average weights over (share)"),
    "cache": mark("Kept views of frozen stages"),
    "sampling": mark("Sampling of classes"),
    "class_weights": mark("Class weights"),
    "label_smoothing": mark("Label smoothing"),
    "view_weight": mark("Weight of the view"),
    "tie": mark("Tie of view heads"),
    "early_stopping": mark("Early stopping (epochs)"),
    "keep": mark("Keep epoch"),
    "precision": mark("Precision"),
    "seed": mark("Seed"),
    "image_size": mark("Image size (px)"),
    "crop_scale": mark("Smallest random crop"),
    "flip": mark("Flip sideways"),
    "rotation": mark("Rotation (°)"),
    "brightness": mark("Brightness ±"),
    "contrast": mark("Contrast ±"),
    "test_mirror": mark("Average with mirror"),
    "test_resize": mark("Test resize (px)"),
    "test_crops": mark("Test crops"),
    "method": mark("Method"),
    "head": mark("Head"),
    "penalty": mark("Penalties"),
    "projection": mark("Project penalty gradients"),
    "loss": mark("Loss"),
    "focal_gamma": mark("Focus on hard images (γ)"),
    "mix": mark("Mix images"),
    "mix_alpha": mark("Mixing strength (α)"),
}

Editor = QComboBox | QCheckBox | QLineEdit


def field_title(key: str) -> str:
    """The name of a recipe key on the screen."""
    return tr(_TITLES.get(key, key))


def group_title(text: str) -> str:
    return tr(text)


def written(value: object) -> str:
    """A value as it stands in a field."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def read(key: str, text: str) -> object:
    """What a person typed, as a number where it is one; anything else is refused later."""
    text = text.strip().replace(",", ".")
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return float(value) if type_of(key) is float else value
    return text


class FieldState(NamedTuple):
    """Everything that a field shows; `reason` and `error` are "" where there is none."""

    value: object
    suggested: object
    overridden: bool
    reason: str
    error: str


class FieldBox(QWidget):
    """A field of one key. `edited(key, value)` carries what was typed or chosen; `cleared(key)`
    asks for the advised value."""

    edited = Signal(str, object)
    cleared = Signal(str)

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self.editor: Editor = self._make_editor()
        self.editor.setAccessibleName(field_title(key))
        self._name = QLabel(field_title(key))
        self._name.setProperty("role", "caption")
        self._name.setBuddy(self.editor)
        self.back = QToolButton()
        self.back.setIcon(icon("arrow-counter-clockwise", self.back, "accent"))
        self.back.setFixedSize(18, 18)
        self.back.clicked.connect(lambda: self.cleared.emit(self.key))
        self.error = QLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        self._shown: FieldState | None = None
        self._lay_out()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(4)
        top.addWidget(self._name)
        top.addWidget(self.back)
        top.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.editor)
        column.addWidget(self.error)
        policy = self.back.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # nothing jumps when a value is overridden
        self.back.setSizePolicy(policy)

    def _make_editor(self) -> Editor:
        if listed := choices(self.key):
            box = QComboBox()
            box.addItems(list(listed))
            box.textActivated.connect(lambda text: self.edited.emit(self.key, text))
            return box
        if type_of(self.key) is bool:
            tick = QCheckBox()
            tick.setFixedHeight(28)
            tick.clicked.connect(lambda on: self.edited.emit(self.key, bool(on)))
            return tick
        line = QLineEdit()
        line.textEdited.connect(lambda text: self.edited.emit(self.key, read(self.key, text)))
        return line

    def show_draft(self, draft: Draft, error: ValueRefused | None) -> None:
        """The value the draft has, whether it was overridden, and what is wrong with it."""
        key = self.key
        reason = tr(draft.reasons.get(key, ""))
        state = FieldState(
            draft.value(key),
            draft.suggested(key),
            draft.overridden(key),
            reason,
            tr(error.message) if error else "",
        )
        if state != self._shown:  # most fields stay the same in an edit, and need no new layout
            self._shown = state
            self._show(state)

    def _show(self, state: FieldState) -> None:
        self._write(state.value)
        tip = (state.reason, f"{self.key}: {allowed(self.key)}")
        self.editor.setToolTip("\n".join(filter(None, tip)))
        self.back.setVisible(state.overridden)
        self.back.setToolTip(
            tr("Back to the advised {value}").format(value=written(state.suggested))
        )
        self.back.setAccessibleName(self.back.toolTip())
        font = self._name.font()
        font.setBold(state.overridden)
        self._name.setFont(font)
        self.error.setText(state.error)
        self.error.setVisible(bool(state.error))

    def _write(self, value: object) -> None:
        if isinstance(self.editor, QCheckBox):
            self.editor.setChecked(bool(value))
        elif isinstance(self.editor, QComboBox):
            self.editor.setCurrentText(str(value))
        elif read(self.key, self.editor.text()) != value or not self.editor.text():
            self.editor.setText(written(value))
