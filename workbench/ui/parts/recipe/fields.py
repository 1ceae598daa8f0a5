"""A field for one recipe key: its title, an editor, an error message and a reset button."""

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
from workbench.domain.recipe_meanings import MEANINGS
from workbench.domain.recipes import RecipeValue, allowed, choices, type_of
from workbench.domain.text import mark, tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel, rich_tip

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
            "aspect",
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
    "batch": mark("Batch size"),
    "learning_rate": mark("Learning rate"),
    "head_factor": mark("Head rate factor"),
    "schedule": mark("Schedule"),
    "step_epochs": mark("Step every (epochs)"),
    "step_factor": mark("Step factor"),
    "optimizer": mark("Optimizer"),
    "momentum": mark("Momentum"),
    "weight_decay": mark("Weight decay"),
    "averaging": mark("Weight averaging (share)"),
    "cache": mark("Frozen-feature cache"),
    "sampling": mark("Class sampling"),
    "class_weights": mark("Class weights"),
    "label_smoothing": mark("Label smoothing"),
    "view_weight": mark("View loss weight"),
    "tie": mark("View coupling"),
    "early_stopping": mark("Early stopping (epochs)"),
    "keep": mark("Epoch to keep"),
    "precision": mark("Precision"),
    "seed": mark("Seed"),
    "image_size": mark("Image size (px)"),
    "aspect": mark("Wide images"),
    "crop_scale": mark("Smallest random crop"),
    "flip": mark("Horizontal flip"),
    "rotation": mark("Rotation (°)"),
    "brightness": mark("Brightness ±"),
    "contrast": mark("Contrast ±"),
    "test_mirror": mark("Average mirror image"),
    "test_resize": mark("Test resize (px)"),
    "test_crops": mark("Test crops"),
    "method": mark("Method"),
    "head": mark("Head"),
    "penalty": mark("Penalties"),
    "projection": mark("Project penalty gradients"),
    "loss": mark("Loss"),
    "focal_gamma": mark("Focal loss γ"),
    "mix": mark("Mix images"),
    "mix_alpha": mark("Mixing strength (α)"),
}

_CHOICES = {
    "sgd": mark("SGD"),
    "adamw": mark("AdamW"),
    "adamw-then-sgd": mark("AdamW, then SGD"),
    "one-cycle": mark("One-cycle"),
    "cosine": mark("Cosine"),
    "step": mark("Step"),
    "constant": mark("Constant"),
    "plain": mark("Plain"),
    "balanced": mark("Balanced"),
    "square-root": mark("Square root"),
    "none": mark("None"),
    "cross-entropy": mark("Cross-entropy"),
    "focal": mark("Focal"),
    "mixup": mark("Mixup"),
    "cutmix": mark("CutMix"),
    "auto": mark("Auto"),
    "fp32": mark("FP32"),
    "bf16": mark("BF16"),
    "fp16": mark("FP16"),
    "best": mark("Best"),
    "last": mark("Last"),
    "centre": mark("Centre"),
    "centre+whole": mark("Centre and whole"),
    "squeeze": mark("Squeeze"),
    "pad": mark("Pad"),
    "five": mark("Five"),
    "five+whole": mark("Five and whole"),
    "windows": mark("Windows, highest score"),
}  # titles of the values of keys with a fixed list of choices

Editor = QComboBox | QCheckBox | QLineEdit


def field_title(key: str) -> str:
    """The translated title of a recipe key."""
    return tr(_TITLES.get(key, key))


def choice_title(value: str) -> str:
    """The translated title of a choice; `value` itself if it has none."""
    return tr(_CHOICES.get(value, value))


def key_tip(key: str, reason: str = "") -> str:
    """The tooltip of a recipe key: its meaning, the reason for its value, and what is allowed.

    The values of a fixed list are left out: the combo box shows their titles.
    """
    line = f"`{key}`" if choices(key) else values_line(key, allowed(key))
    return rich_tip(tr(MEANINGS[key]), reason, line)


def values_line(key: str, values: str) -> str:
    """A line with the key as written in a recipe file, and its allowed values."""
    return tr("`{key}`: {values}").format(key=key, values=tr(values))


def value_text(value: RecipeValue) -> str:
    """A value as text: of a choice its title, of a switch "on" or "off"."""
    if isinstance(value, bool):
        return tr("on") if value else tr("off")
    return choice_title(_written(value))


def _written(value: RecipeValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def parse(key: str, text: str) -> int | float | str:
    """Convert typed text to a number if it is one; other text is left for the recipe to refuse."""
    text = text.strip().replace(",", ".")
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return float(value) if type_of(key) is float else value
    return text


class FieldState(NamedTuple):
    """Everything that a field shows; `reason` and `error` are "" if there is none."""

    value: RecipeValue
    suggested: RecipeValue
    overridden: bool
    reason: str
    error: str


class FieldBox(QWidget):
    """The field of one recipe key.

    `edited(key, value)` is emitted when the user changes the value, `cleared(key)` when they reset
    it to the recommended one.
    """

    edited = Signal(str, object)
    cleared = Signal(str)

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.key = key
        self.editor: Editor = self._make_editor()
        self.editor.setAccessibleName(field_title(key))
        self.editor.setAccessibleDescription(tr(MEANINGS[key]).replace("`", ""))
        self._title = QLabel(field_title(key))
        self._title.setProperty("role", "caption")
        self._title.setBuddy(self.editor)
        self.reset_button = QToolButton()
        self.reset_button.setIcon(icon("arrow-counter-clockwise", self.reset_button, "accent"))
        self.reset_button.setFixedSize(18, 18)
        self.reset_button.clicked.connect(lambda: self.cleared.emit(self.key))
        self.error = PlainLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        self._shown: FieldState | None = None
        self._lay_out()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(4)
        top.addWidget(self._title)
        top.addWidget(self.reset_button)
        top.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.editor)
        column.addWidget(self.error)
        policy = self.reset_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # keep the layout when a value is overridden
        self.reset_button.setSizePolicy(policy)

    def _make_editor(self) -> Editor:
        if listed := choices(self.key):
            box = QComboBox()
            for value in listed:
                box.addItem(choice_title(value), value)
            box.activated.connect(lambda at: self.edited.emit(self.key, box.itemData(at)))
            return box
        if type_of(self.key) is bool:
            tick = QCheckBox()
            tick.setFixedHeight(28)
            tick.clicked.connect(lambda on: self.edited.emit(self.key, bool(on)))
            return tick
        line = QLineEdit()
        line.textEdited.connect(lambda text: self.edited.emit(self.key, parse(self.key, text)))
        return line

    def show_draft(self, draft: Draft, error: ValueRefused | None) -> None:
        """Show the draft's value, whether it is overridden, and its error."""
        key = self.key
        reason = tr(draft.reasons.get(key, ""))
        state = FieldState(
            draft.value(key),
            draft.suggested(key),
            draft.overridden(key),
            reason,
            tr(error.message) if error else "",
        )
        if state != self._shown:  # an edit leaves most fields as they are
            self._shown = state
            self._show(state)

    def _show(self, state: FieldState) -> None:
        self._write(state.value)
        tip = key_tip(self.key, state.reason)
        self.editor.setToolTip(tip)
        self._title.setToolTip(tip)
        self.reset_button.setVisible(state.overridden)
        self.reset_button.setToolTip(
            tr("Reset to recommended: {value}").format(value=value_text(state.suggested))
        )
        self.reset_button.setAccessibleName(self.reset_button.toolTip())
        font = self._title.font()
        font.setBold(state.overridden)
        self._title.setFont(font)
        self.error.setText(state.error)
        self.error.setVisible(bool(state.error))

    def _write(self, value: RecipeValue) -> None:
        if isinstance(self.editor, QCheckBox):
            self.editor.setChecked(bool(value))
        elif isinstance(self.editor, QComboBox):
            self.editor.setCurrentIndex(self.editor.findData(str(value)))
        elif parse(self.key, self.editor.text()) != value or not self.editor.text():
            self.editor.setText(_written(value))
