"""The choice of method, head and penalties, with their descriptions, sources and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

from workbench.app.training.recipe_draft import Draft
from workbench.domain.errors import ValueRefused
from workbench.domain.methods import Options, Parameter, Spec, Value, join_penalties, penalty_names
from workbench.domain.recipe_meanings import MEANINGS
from workbench.domain.text import tr
from workbench.ui.look.markup import PlainLabel, rich_tip
from workbench.ui.parts.recipe.fields import (
    choice_title,
    field_title,
    key_tip,
    values_line,
)

COLUMNS = 4
Editor = QComboBox | QCheckBox | QLineEdit


class SpecCard(QFrame):
    """Description and parameters of one spec.

    `edited(name, parameter, value)` is emitted when a parameter is set; None resets it to its
    default.
    """

    edited = Signal(str, str, object)

    def __init__(self, spec: Spec, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.spec = spec
        self.editors: dict[str, Editor] = {}
        self.setProperty("role", "card")
        description = QLabel(
            tr("{title}: {description}").format(
                title=tr(spec.title), description=tr(spec.description)
            )
        )
        description.setWordWrap(True)
        source = QLabel(spec.source)
        source.setWordWrap(True)
        source.setProperty("role", "caption")
        source.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.error = PlainLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addWidget(description)
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
            text = tr(parameter.description)
            title = QLabel(text[:1].upper() + text[1:])
            title.setProperty("role", "caption")
            editor = self._editor(parameter)
            key = f"options.{self.spec.name}.{parameter.name}"
            editor.setToolTip(rich_tip(values_line(key, parameter.allowed())))
            editor.setAccessibleName(text)
            title.setBuddy(editor)
            self.editors[parameter.name] = editor
            grid.addWidget(title, row, place)
            grid.addWidget(editor, row + 1, place)
        for place in range(COLUMNS):
            grid.setColumnStretch(place, 1)
        return grid

    def _editor(self, parameter: Parameter) -> Editor:
        if parameter.choices:
            box = QComboBox()
            for choice in parameter.choices:
                box.addItem(choice_title(choice), choice)
            box.activated.connect(lambda at: self._set(parameter, box.itemData(at)))
            return box
        if isinstance(parameter.default, bool):
            tick = QCheckBox()
            tick.clicked.connect(lambda on: self._set(parameter, bool(on)))
            return tick
        line = QLineEdit()
        line.setPlaceholderText(_written(parameter.default))
        line.textEdited.connect(lambda text: self._set_text(parameter, text))
        return line

    def _set_text(self, parameter: Parameter, text: str) -> None:
        text = text.strip()
        if not text:
            self._set(parameter, None)
            return
        try:
            self._set(parameter, parameter.check(self.spec.name, _parse(parameter, text)))
        except ValueRefused as error:
            self.error.setText(tr(error.message))
            self.error.show()

    def _set(self, parameter: Parameter, value: Value | None) -> None:
        self.error.hide()
        default = value is None or value == parameter.default
        self.edited.emit(self.spec.name, parameter.name, None if default else value)

    def show_options(self, options: Options) -> None:
        """Show the values of a recipe; a field without one shows the default as a placeholder."""
        own = options.get(self.spec.name, {})
        for parameter in self.spec.parameters:
            editor = self.editors[parameter.name]
            value = own.get(parameter.name, parameter.default)
            if isinstance(editor, QCheckBox):
                editor.setChecked(bool(value))
            elif isinstance(editor, QComboBox):
                editor.setCurrentIndex(editor.findData(str(value)))
            elif not editor.hasFocus():
                editor.setText(_written(value) if parameter.name in own else "")


def _parse(parameter: Parameter, text: str) -> Value | str:
    """Convert typed text to the parameter's type; text that is not a number is left to be refused
    by `Parameter.check`."""
    kind = type(parameter.default)
    if kind is str:
        return text
    try:
        return kind(text.replace(",", "."))
    except ValueError:
        return text


def _written(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _chosen(draft: Draft, kind: str) -> tuple[str, ...]:
    """Names of the specs of one kind that the draft chooses."""
    value = str(draft.value(kind))
    return penalty_names(value) if kind == "penalty" else (value,)


def _spec_tip(spec: Spec) -> str:
    return rich_tip(tr(spec.description), spec.source)


TICKS = 4  # check boxes per row
PLAIN = {"method": "fine-tune", "head": "linear"}


class MethodSection(QWidget):
    """Combo boxes for method and head, check boxes for penalties, and a card per chosen spec.

    `edited(key, value)` and `cleared(key)` are those of the recipe's fields. Until `set_specs` is
    called, only the draft's own values are available.
    """

    edited = Signal(str, object)
    cleared = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._specs: list[Spec] = []
        self._draft = Draft()
        self._errors: Mapping[str, ValueRefused] = {}
        self.boxes = {key: self._box(key) for key in PLAIN}
        self.ticks: dict[str, QCheckBox] = {}
        self.projection = QCheckBox(field_title("projection"))
        self.projection.setToolTip(key_tip("projection"))
        self.projection.clicked.connect(lambda on: self.edited.emit("projection", bool(on)))
        self.cards: dict[str, SpecCard] = {}
        self._lay_out()

    def _box(self, key: str) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(field_title(key))
        box.setMinimumWidth(200)
        box.activated.connect(lambda at: self._choose(key, box.itemData(at)))
        return box

    def _lay_out(self) -> None:
        heading = QLabel(tr("Method"))
        heading.setProperty("role", "heading")
        top = QGridLayout()
        top.setHorizontalSpacing(16)
        top.setVerticalSpacing(4)
        for at, (key, box) in enumerate(self.boxes.items()):
            top.addWidget(self._caption(key), 0, at)
            top.addWidget(box, 1, at)
            top.setColumnStretch(at, 1)
        top.setColumnStretch(len(self.boxes), 2)
        self._penalties = QGridLayout()
        self._penalties.setHorizontalSpacing(16)
        self._penalties.setVerticalSpacing(4)
        self._penalties.setColumnStretch(TICKS, 1)
        top.addWidget(self._caption("penalty"), 2, 0)
        top.addLayout(self._penalties, 3, 0, 1, len(self.boxes) + 1)
        self._card_column = QVBoxLayout()
        self._card_column.setSpacing(8)
        self.error = PlainLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(heading)
        column.addLayout(top)
        column.addLayout(self._card_column)
        column.addWidget(self.error)

    def _caption(self, key: str) -> QLabel:
        label = QLabel(field_title(key))
        label.setProperty("role", "caption")
        label.setToolTip(rich_tip(tr(MEANINGS[key])))
        return label

    def set_specs(self, specs: Sequence[Spec]) -> None:
        """Set the specs to choose from."""
        self._specs = list(specs)
        for tick in self.ticks.values():
            self._penalties.removeWidget(tick)
            tick.deleteLater()
        self.ticks = {}
        for spec in self._of("penalty"):
            tick = QCheckBox(tr(spec.title))
            tick.setToolTip(_spec_tip(spec))
            tick.clicked.connect(self._tick_penalties)
            self.ticks[spec.name] = tick
        for at, tick in enumerate((*self.ticks.values(), self.projection)):
            left = Qt.AlignmentFlag.AlignLeft  # as wide as its title, not as its column
            self._penalties.addWidget(tick, at // TICKS, at % TICKS, left)
        self.show_draft(self._draft, self._errors)

    def show_draft(self, draft: Draft, errors: Mapping[str, ValueRefused]) -> None:
        """Show the draft's choices, their errors and their parameters."""
        self._draft, self._errors = draft, errors
        for key, box in self.boxes.items():
            self._fill(box, key, str(draft.value(key)))
        chosen = penalty_names(draft.recipe.penalty)
        for name, tick in self.ticks.items():
            tick.setChecked(name in chosen)
        self.projection.setChecked(draft.recipe.projection)
        self.projection.setVisible(bool(self.ticks) and bool(chosen))
        self._show_cards(draft)
        texts = [tr(error.message) for key, error in errors.items() if key in (*PLAIN, "penalty")]
        self.error.setText("\n".join(texts))
        self.error.setVisible(bool(texts))

    def _fill(self, box: QComboBox, key: str, name: str) -> None:
        named = {spec.name: spec for spec in self._of(key)}
        items = list(named) or [name]
        if name not in items:
            items.append(name)
        if [box.itemData(at) for at in range(box.count())] != items:
            box.clear()
            for item in items:
                box.addItem(tr(named[item].title) if item in named else item, item)
        box.setCurrentIndex(items.index(name))
        spec = named.get(name)
        box.setToolTip(_spec_tip(spec) if spec else "")

    def _show_cards(self, draft: Draft) -> None:
        """Show a card for each chosen spec except the default method and head."""
        specs = [
            spec
            for spec in self._specs
            if spec.name != PLAIN.get(spec.kind) and spec.name in _chosen(draft, spec.kind)
        ]
        for name in set(self.cards) - {spec.name for spec in specs}:
            card = self.cards.pop(name)
            self._card_column.removeWidget(card)
            card.deleteLater()
        for spec in specs:
            if spec.name not in self.cards:
                card = SpecCard(spec)
                card.edited.connect(self._set_option)
                self.cards[spec.name] = card
                self._card_column.addWidget(card)
            self.cards[spec.name].show_options(self._options())

    # Edits

    def _choose(self, key: str, name: str) -> None:
        if name == self._draft.suggested(key):
            self.cleared.emit(key)
        else:
            self.edited.emit(key, name)
        self._drop_options()

    def _tick_penalties(self) -> None:
        ticked = [name for name, tick in self.ticks.items() if tick.isChecked()]
        if ticked:
            self.edited.emit("penalty", join_penalties(ticked))
        else:
            self.cleared.emit("penalty")
        self._drop_options()

    def _set_option(self, name: str, parameter: str, value: Value | None) -> None:
        options = self._options()
        own = options.setdefault(name, {})
        if value is None:
            own.pop(parameter, None)
        else:
            own[parameter] = value
        self._emit_options(options)

    def _drop_options(self) -> None:
        """Remove parameters of specs that are no longer chosen: they would be refused."""
        chosen = {str(self._draft.value(key)) for key in PLAIN}
        chosen |= set(penalty_names(self._draft.recipe.penalty))
        options = self._options()
        left = {name: own for name, own in options.items() if name in chosen}
        if left != options:
            self._emit_options(left)

    def _emit_options(self, options: dict[str, dict[str, Value]]) -> None:
        left = {name: own for name, own in options.items() if own}
        if left:
            self.edited.emit("options", left)
        else:
            self.cleared.emit("options")

    def _options(self) -> dict[str, dict[str, Value]]:
        return {name: dict(own) for name, own in self._draft.recipe.options.items()}

    def _of(self, kind: str) -> list[Spec]:
        return [spec for spec in self._specs if spec.kind == kind]
