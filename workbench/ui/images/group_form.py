"""What is asked of a grouping: how, how many groups, from which network; and how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.clusters import FEWEST, METHODS

MOST = 1000


class GroupForm(QWidget):
    """`pressed()` is its one button: group, or stop while a grouping is under way."""

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.method = QComboBox()
        for name, title in METHODS.items():
            self.method.addItem(title, name)
        self.method.setToolTip(
            self.tr(
                "DeepCluster learns the clusters of its own features; IIC learns clusters that an "
                "image and its augmentations share"
            )
        )
        self.count = QSpinBox()
        self.count.setRange(FEWEST, MOST)
        self.count.setValue(10)
        self.count.setSuffix(self.tr(" groups"))
        self.start = QComboBox()
        self.start.setToolTip(self.tr("The network that learns them: where it starts"))
        self.start.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.start.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button = QPushButton(self.tr("Group"))
        self.button.clicked.connect(self.pressed)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.words = QLabel()
        self.words.setProperty("role", "caption")
        self.words.setWordWrap(True)
        self._arrange()
        self.show_running(False)

    def _arrange(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(8)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.method, 0, 0)
        grid.addWidget(self.count, 0, 1)
        below = QHBoxLayout()
        below.setSpacing(8)
        start = QLabel(self.tr("from"))
        start.setProperty("role", "muted")
        below.addWidget(start)
        below.addWidget(self.start, 1)
        below.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(grid)
        column.addLayout(below)
        column.addWidget(self.bar)
        column.addWidget(self.words)

    def show_sources(self, sources: Sequence[tuple[str, str]]) -> None:
        """Networks as (name, words); what was chosen stays."""
        kept = self.start.currentData()
        self.start.clear()
        for name, words in sources:
            self.start.addItem(words, name)
        self.start.setCurrentIndex(max(0, self.start.findData(kept)))
        self.button.setEnabled(bool(sources))

    def show_running(self, running: bool) -> None:
        """Whether a grouping is under way."""
        self.button.setText(self.tr("Stop") if running else self.tr("Group"))
        self.bar.setVisible(running)
        self.bar.setRange(0, 0)
        for box in (self.method, self.count, self.start):
            box.setEnabled(not running)

    def show_progress(self, done: int, total: int, words: str) -> None:
        """How far it is, of `total` (0: unknown)."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.say(words)

    def say(self, words: str) -> None:
        """A line below."""
        self.words.setText(words)
        self.words.setVisible(bool(words))
