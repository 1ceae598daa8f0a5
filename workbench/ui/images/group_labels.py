"""A label for a whole group: which share of it, which label, and the one button that gives it."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.labels import LabelSet


class GroupLabels(QWidget):
    """`given(label)` asks for a label; `share_changed()` tells that more or fewer images count."""

    given = Signal(str)
    share_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(5, 100)
        self.slider.setValue(100)
        self.slider.setSingleStep(5)
        self.slider.setAccessibleName(self.tr("Share of the group, the surest images first"))
        self.surest = QLabel()
        self.surest.setProperty("role", "muted")
        self.label = QComboBox()
        self.label.setEditable(True)
        self.label.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.label.setMinimumContentsLength(6)
        self.button = QPushButton()
        self.button.setProperty("primary", True)
        self._count = 0
        self._settled = QTimer(self, singleShot=True, interval=120)
        self._settled.timeout.connect(self.share_changed)
        self.slider.valueChanged.connect(self._moved)
        self.label.editTextChanged.connect(lambda _: self._can())
        self.button.clicked.connect(lambda: self.given.emit(self.text()))
        line = self.label.lineEdit()
        if line is not None:
            line.setPlaceholderText(self.tr("label"))
            line.returnPressed.connect(self._entered)
        self._arrange()
        self._moved()
        self.show_count(0)

    def _arrange(self) -> None:
        above, below = QHBoxLayout(), QHBoxLayout()
        for row in (above, below):
            row.setSpacing(8)
        above.addWidget(self.surest)
        above.addWidget(self.slider, 1)
        below.addWidget(self.label, 1)
        below.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(above)
        column.addLayout(below)

    @property
    def share(self) -> float:
        """In (0, 1]."""
        return self.slider.value() / 100

    def text(self) -> str:
        """The label that is chosen or typed."""
        return self.label.currentText().strip()

    def show_set(self, label_set: LabelSet) -> None:
        """The labels to choose from; another one can be typed."""
        names = list(label_set.names)
        if [self.label.itemText(at) for at in range(self.label.count())] != names:
            typed = self.text()
            self.label.clear()
            self.label.addItems(names)
            self.label.setEditText(typed if typed in names else "")
        self.label.setToolTip(self.tr("A label of {0}, or a new one").format(label_set.name))
        self._can()

    def show_count(self, images: int) -> None:
        """How many images would get the label; 0 where no group is chosen."""
        self._count = images
        self.button.setText(self.tr("Label {0:,}").format(images) if images else self.tr("Label"))
        words = self.tr("Give these {0:,} images the label, as one edit").format(images)
        self.button.setToolTip(words if images else self.tr("Choose a group first"))
        self._can()

    def _can(self) -> None:
        self.button.setEnabled(bool(self._count and self.text()))

    def _entered(self) -> None:
        if self.button.isEnabled():
            self.given.emit(self.text())

    def _moved(self) -> None:
        self.surest.setText(self.tr("surest {0} %").format(self.slider.value()))
        self._settled.start()
