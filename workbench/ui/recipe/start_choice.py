"""What a training starts from: ImageNet weights with their download, a file, a run, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.backbones import Backbone

_FILE = "file:"


class StartChoice(QWidget):
    """A list of starts and, below it, where ImageNet's weights are. `chosen(start)` carries the
    recipe's value; `download_wanted` and `stop_wanted` are the two faces of one button, and
    `compare_wanted` asks which start suits."""

    chosen = Signal(str)
    download_wanted = Signal()
    stop_wanted = Signal()
    compare_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox()
        self.box.setAccessibleName(self.tr("Start weights"))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(14)
        self.box.activated.connect(self._picked)
        self.state = QLabel()
        self.state.setProperty("role", "caption")
        self.button = QPushButton(self.tr("Download"))
        self.button.clicked.connect(self._press)
        self.compare = QPushButton(self.tr("Compare…"))
        self.compare.setToolTip(self.tr("Score starts on your labels before anything is trained"))
        self.compare.clicked.connect(self.compare_wanted)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.hide()
        self._shown: list[str] = []
        self._downloading = False
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.state, 1)
        below.addWidget(self.compare)
        below.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.box)
        column.addLayout(below)
        column.addWidget(self.bar)

    def show_start(
        self, backbone: Backbone, start: str, runs: Sequence[tuple[str, str]], present: bool
    ) -> None:
        """The starts of `backbone`, `start` chosen; `runs` are (id, name) of runs with weights, and
        `present` says that ImageNet's weights are on this machine."""
        items = [("imagenet", self.tr("ImageNet"))] if backbone.weights else []
        items += [("none", self.tr("Nothing (from scratch)"))]
        items += [(f"run:{run}", self.tr("Run {name}").format(name=name)) for run, name in runs]
        if start.startswith(_FILE):
            items.append((start, Path(start.removeprefix(_FILE)).name))
        items.append((_FILE, self.tr("A file…")))
        if [key for key, _ in items] != self._shown:
            self._shown = [key for key, _ in items]
            self.box.clear()
            self.box.addItems([text for _, text in items])
        self.box.setCurrentIndex(self._shown.index(start) if start in self._shown else -1)
        self._tell(backbone, start, present)

    def _tell(self, backbone: Backbone, start: str, present: bool) -> None:
        wanted = start == "imagenet"
        if not wanted:
            text = start.removeprefix(_FILE) if start.startswith(_FILE) else ""
        elif present:
            text = self.tr("{size} MB, on this machine").format(size=f"{backbone.megabytes:g}")
        else:
            text = self.tr("fetched at the start: {size} MB from {host}").format(
                size=f"{backbone.megabytes:g}", host=backbone.weights_address.split("/")[2]
            )
        self.state.setText(text)
        self.state.setToolTip(backbone.weights_address if wanted else text)
        self.button.setVisible(wanted and (not present or self._downloading))

    def show_download(self, done: int, total: int) -> None:
        """How many bytes of the weights are here; `total` 0 while unknown."""
        self._downloading = True
        self.bar.show()
        self.bar.setRange(0, max(0, total) // 1024)
        self.bar.setValue(done // 1024)
        self.button.setText(self.tr("Stop"))
        self.button.show()

    def end_download(self) -> None:
        """The download has ended, one way or another."""
        self._downloading = False
        self.bar.hide()
        self.button.setText(self.tr("Download"))

    def _press(self) -> None:
        (self.stop_wanted if self._downloading else self.download_wanted).emit()

    def _picked(self, at: int) -> None:
        start = self._shown[at]
        if start == _FILE:
            start = self._ask_file()
        if start:
            self.chosen.emit(start)

    def _ask_file(self) -> str:
        path, _ = QFileDialog.getOpenFileName(
            self,
            self.tr("Start weights"),
            str(Path.home()),
            self.tr("Weights (*.safetensors *.pth *.pt)"),
        )
        return _FILE + path if path else ""
