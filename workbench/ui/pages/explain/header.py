"""Which run is asked, about which images, and whether one by one or as a wall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QPushButton, QWidget

from workbench.app.results.run_images import ShownImages
from workbench.domain.runs import RunRecord, top1
from workbench.domain.splits import Part
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.page import PageHeader
from workbench.ui.parts.run_words import percent

CHOSEN = "chosen"  # instead of a part: images that another page pointed at
ANY = "any"
SINGLE, WALL = "single", "wall"


class ExplainHeader(PageHeader):
    """Choices in one line; each signal tells that a person changed one."""

    run_changed = Signal(str)
    images_changed = Signal()
    mode_changed = Signal(str)
    save_wanted = Signal()

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.run = _box(tr("Run"), 160)
        self.run.activated.connect(lambda _: self.run_changed.emit(self.run.currentData()))
        self.part = _box(tr("Which images of the run"), 96)
        self.part.activated.connect(lambda _: self.images_changed.emit())
        words = {
            ShownImages.ALL.value: (tr("All"), tr("All images")),
            ShownImages.RIGHT.value: (
                tr("Right"),
                tr("Images that were predicted right"),
            ),
            ShownImages.WRONG.value: (
                tr("Wrong"),
                tr("Images that were predicted wrong"),
            ),
        }
        self._shown = _Choice(words)
        self._shown.changed.connect(lambda _: self.images_changed.emit())
        self._mode = _Choice(
            {
                SINGLE: (tr("One"), tr("One image beside its map (W)")),
                WALL: (tr("Wall"), tr("All images under their maps (W)")),
            }
        )
        self._mode.changed.connect(self.mode_changed)
        self.save = QPushButton(tr("Save PNG…"))
        self.save.setIcon(icon("ph.download-simple", self.save))
        self.save.setToolTip(tr("Save what is shown as a picture (Ctrl+S)"))
        self.save.clicked.connect(self.save_wanted)
        self.add(self.run, self.part, self._shown)
        self.stretch()
        self.add(self._mode, self.save)

    def show_runs(self, runs: Sequence[RunRecord], current: str) -> None:
        """Offer these runs, newest first."""
        with QSignalBlocker(self.run):
            self.run.clear()
            for record in runs:
                score = top1(record)
                said = f"{record.name}  ·  {percent(score)}" if score is not None else record.name
                self.run.addItem(said, record.id)
            self.run.setCurrentIndex(max(0, self.run.findData(current)))

    def show_parts(self, parts: Sequence[Part], chosen: int) -> None:
        """Offer the run's parts, and first the `chosen` images where there are any."""
        words = {
            Part.TEST: tr("Test"),
            Part.VALIDATION: tr("Validation"),
            Part.TRAIN: tr("Train"),
        }
        before = self.part.currentData()
        with QSignalBlocker(self.part):
            self.part.clear()
            if chosen:
                self.part.addItem(tr("{n} chosen").format(n=f"{chosen:,}"), CHOSEN)
            for part in parts:
                self.part.addItem(words[part], part.value)
            self.part.addItem(tr("Any part"), ANY)
            wanted = CHOSEN if chosen else before
            self.part.setCurrentIndex(max(0, self.part.findData(wanted)))

    @property
    def part_chosen(self) -> str:
        """CHOSEN, ANY or a part's name."""
        return str(self.part.currentData() or ANY)

    @property
    def shown(self) -> ShownImages:
        return ShownImages(self._shown.value)

    def choices_hold(self, hold: bool) -> None:
        """Whether right and wrong can be chosen among what is shown."""
        self._shown.setEnabled(hold)

    def recall(self, part: object, shown: object) -> None:
        """Choose what a former session had chosen, as far as it is there."""
        at = self.part.findData(part)
        if at >= 0:
            self.part.setCurrentIndex(at)
        if shown in list(ShownImages):
            self._shown.choose(str(shown))

    @property
    def mode(self) -> str:
        return self._mode.value

    def set_mode(self, mode: str) -> None:
        self._mode.choose(mode)

    def enable(self, there: bool) -> None:
        """What needs a run and what needs images."""
        for widget in (self.run, self.part, self._shown, self._mode, self.save):
            widget.setVisible(there)


class _Choice(QWidget):
    """A few words of which one holds, as buttons beside each other."""

    changed = Signal(str)

    def __init__(self, words: Mapping[str, tuple[str, str]]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        for value, (text, tip) in words.items():
            button = QPushButton(text)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, value=value: self.changed.emit(str(value)))
            self._group.addButton(button)
            self._buttons[str(value)] = button
            row.addWidget(button)
        next(iter(self._buttons.values())).setChecked(True)

    @property
    def value(self) -> str:
        return next(value for value, button in self._buttons.items() if button.isChecked())

    def choose(self, value: str) -> None:
        self._buttons[str(value)].setChecked(True)


def _box(name: str, width: int) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(name)
    box.setMinimumWidth(width)
    box.setMaximumWidth(340)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box
