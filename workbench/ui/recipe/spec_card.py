"""What one method, head or penalty does, where it comes from, and its parameters as fields."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.errors import ValueRefused
from workbench.domain.methods import Parameter, Spec, Value

COLUMNS = 4
Editor = QComboBox | QCheckBox | QLineEdit


class SpecCard(QFrame):
    """`edited(name, parameter, value)`: a parameter was set; None lets its default stand again."""

    edited = Signal(str, str, object)

    def __init__(self, spec: Spec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.editors: dict[str, Editor] = {}
        self.setProperty("role", "card")
        said = QLabel(f"{spec.title}: {spec.words}")
        said.setWordWrap(True)
        source = QLabel(spec.source)
        source.setWordWrap(True)
        source.setProperty("role", "caption")
        source.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.error = QLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addWidget(said)
        column.addWidget(source)
        if spec.parameters:
            column.addLayout(self._fields())
        column.addWidget(self.error)

    def _fields(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        for at, parameter in enumerate(self.spec.parameters):
            row, place = 2 * (at // COLUMNS), at % COLUMNS
            words = QLabel(parameter.words[:1].upper() + parameter.words[1:])
            words.setProperty("role", "caption")
            editor = self._editor(parameter)
            tip = f"options.{self.spec.name}.{parameter.name}: {parameter.allowed()}"
            editor.setToolTip(tip)
            editor.setAccessibleName(parameter.words)
            words.setBuddy(editor)
            self.editors[parameter.name] = editor
            grid.addWidget(words, row, place)
            grid.addWidget(editor, row + 1, place)
        for place in range(COLUMNS):
            grid.setColumnStretch(place, 1)
        return grid

    def _editor(self, parameter: Parameter) -> Editor:
        if parameter.choices:
            box = QComboBox()
            box.addItems(list(parameter.choices))
            box.textActivated.connect(lambda text: self._set(parameter, text))
            return box
        if isinstance(parameter.default, bool):
            tick = QCheckBox()
            tick.clicked.connect(lambda on: self._set(parameter, bool(on)))
            return tick
        line = QLineEdit()
        line.setPlaceholderText(_written(parameter.default))
        line.textEdited.connect(lambda text: self._typed(parameter, text))
        return line

    def _typed(self, parameter: Parameter, text: str) -> None:
        text = text.strip()
        if not text:
            self._set(parameter, None)
            return
        try:
            self._set(parameter, parameter.check(self.spec.name, _read(parameter, text)))
        except ValueRefused as error:
            self.error.setText(str(error))
            self.error.show()

    def _set(self, parameter: Parameter, value: Value | None) -> None:
        self.error.hide()
        default = value is None or value == parameter.default
        self.edited.emit(self.spec.name, parameter.name, None if default else value)

    def show_options(self, options: Mapping[str, Mapping[str, object]]) -> None:
        """The values that a recipe has; an empty field stands for the default it shows."""
        own = options.get(self.spec.name, {})
        for parameter in self.spec.parameters:
            editor = self.editors[parameter.name]
            value = own.get(parameter.name, parameter.default)
            if isinstance(editor, QCheckBox):
                editor.setChecked(bool(value))
            elif isinstance(editor, QComboBox):
                editor.setCurrentText(str(value))
            elif not editor.hasFocus():
                editor.setText(_written(value) if parameter.name in own else "")


def _read(parameter: Parameter, text: str) -> Value | str:
    """What was typed in the parameter's type; what is no number is left to be refused."""
    kind = type(parameter.default)
    if kind is str:
        return text
    try:
        return kind(text.replace(",", "."))
    except ValueError:
        return text


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
