"""The header of the Explain page: run, images, and one image or the wall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QPushButton, QWidget

from workbench.app.results.run_images import ShownImages
from workbench.domain.runs import RunRecord, top1
from workbench.domain.splits import Part
from workbench.domain.text import plural, tr
from workbench.ui.commands import ShortcutTip
from workbench.ui.look.icons import icon
from workbench.ui.page import PageHeader
from workbench.ui.parts.run_texts import part_title, percent

CHOSEN = "chosen"  # instead of a part: images selected on another page
ANY = "any"
SINGLE, WALL = "single", "wall"


class ExplainHeader(PageHeader):
    """Controls in one line; their signals are emitted for changes by the user."""

    run_changed = Signal(str)
    images_changed = Signal()
    mode_changed = Signal(str)
    save_requested = Signal()

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.run = _box(tr("Run"), 160)
        self.run.activated.connect(lambda _: self.run_changed.emit(self.run.currentData()))
        self.part = _box(tr("Part of the split"), 96)
        self.part.activated.connect(lambda _: self.images_changed.emit())
        outcomes = {
            ShownImages.ALL.value: (tr("All"), tr("Show all images")),
            ShownImages.RIGHT.value: (
                tr("Right"),
                tr("Show correctly predicted images"),
            ),
            ShownImages.WRONG.value: (
                tr("Wrong"),
                tr("Show wrongly predicted images"),
            ),
        }
        self._shown = _ChoiceButtons(outcomes)
        self._shown.changed.connect(lambda _: self.images_changed.emit())
        self._mode = _ChoiceButtons(
            {
                SINGLE: (tr("One"), tr("Show one image beside its heatmap")),
                WALL: (tr("Wall"), tr("Show all images with their heatmaps")),
            },
            "explain.wall",
        )
        self._mode.changed.connect(self.mode_changed)
        self.save = QPushButton(tr("Save PNG…"))
        self.save.setIcon(icon("ph.download-simple", self.save))
        ShortcutTip(self.save, tr("Save what is shown as PNG"), "explain.save_explanation")
        self.save.clicked.connect(self.save_requested)
        self.add(self.run, self.part, self._shown)
        self.stretch()
        self.add(self._mode, self.save)

    def show_runs(self, runs: Sequence[RunRecord], current: str) -> None:
        """List these runs, newest first, and select the run `current`."""
        with QSignalBlocker(self.run):
            self.run.clear()
            for record in runs:
                score = top1(record)
                parts = (record.name, percent(score) if score is not None else "")
                self.run.addItem("  ·  ".join(part for part in parts if part), record.id)
            self.run.setCurrentIndex(max(0, self.run.findData(current)))

    def show_parts(self, parts: Sequence[Part], chosen: int) -> None:
        """List the parts of the run, after the `chosen` images of another page if there are any."""
        before = self.part.currentData()
        with QSignalBlocker(self.part):
            self.part.clear()
            if chosen:
                self.part.addItem(plural(chosen, "{n:,} selected", "{n:,} selected"), CHOSEN)
            for part in parts:
                self.part.addItem(part_title(part), part.value)
            self.part.addItem(tr("All parts"), ANY)
            selected = CHOSEN if chosen else before
            self.part.setCurrentIndex(max(0, self.part.findData(selected)))

    @property
    def selected_part(self) -> str:
        """CHOSEN, ANY or the name of a part."""
        return str(self.part.currentData() or ANY)

    @property
    def shown(self) -> ShownImages:
        """The selected outcome of predictions."""
        return ShownImages(self._shown.value)

    def enable_outcomes(self, enabled: bool) -> None:
        """Enable or disable the selection of right and wrong predictions."""
        self._shown.setEnabled(enabled)

    def restore(self, part: str | None, shown: str | None) -> None:
        """Select what was selected in an earlier session, if it still exists."""
        at = self.part.findData(part)
        if at >= 0:
            self.part.setCurrentIndex(at)
        if shown in list(ShownImages):
            self._shown.select(str(shown))

    @property
    def mode(self) -> str:
        """SINGLE or WALL."""
        return self._mode.value

    def set_mode(self, mode: str) -> None:
        """Select SINGLE or WALL."""
        self._mode.select(mode)

    def show_controls(self, visible: bool) -> None:
        """Show the controls, or hide them if there is no run."""
        for widget in (self.run, self.part, self._shown, self._mode, self.save):
            widget.setVisible(visible)


class _ChoiceButtons(QWidget):
    """Exclusive buttons in a row, each a value with its text and tooltip.

    `command` is the full id of a command that changes the value.
    """

    changed = Signal(str)

    def __init__(self, choices: Mapping[str, tuple[str, str]], command: str = "") -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        for value, (text, tip) in choices.items():
            button = QPushButton(text)
            button.setCheckable(True)
            ShortcutTip(button, tip, *([command] if command else []))
            button.clicked.connect(lambda _=False, value=value: self.changed.emit(str(value)))
            self._group.addButton(button)
            self._buttons[str(value)] = button
            row.addWidget(button)
        next(iter(self._buttons.values())).setChecked(True)

    @property
    def value(self) -> str:
        """The selected value."""
        return next(value for value, button in self._buttons.items() if button.isChecked())

    def select(self, value: str) -> None:
        """Select a value without a signal."""
        self._buttons[str(value)].setChecked(True)


def _box(name: str, width: int) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setMinimumWidth(width)
    box.setMaximumWidth(340)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box
