"""The line between the Train page's settings and its curves: what will be needed, and the deeds."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from workbench.ui.train.preflight import PreflightLine


class TrainLine(QWidget):
    """Buttons and the preflight between them; the page connects them."""

    def __init__(self, preflight: PreflightLine, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.train = QPushButton(self.tr("Train"))
        self.train.setProperty("primary", True)
        self.train.setMinimumWidth(112)
        self.train.setToolTip(self.tr("Start this training, or put it in the queue (Ctrl+Enter)"))
        self.unfold = QPushButton(self.tr("Method and settings"))
        self.unfold.setCheckable(True)
        self.unfold.setToolTip(
            self.tr("Method, head, penalties and every other setting; the defaults are good")
        )
        self.transfer = QPushButton(self.tr("Transfer from…"))
        self.transfer.setToolTip(
            self.tr("Learn the closest of several sources first, then carry it over")
        )
        self.study = QPushButton(self.tr("Study…"))
        self.study.setToolTip(self.tr("Compare methods with these settings on the same splits"))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(self.unfold)
        line.addWidget(preflight, 1)
        for button in (self.transfer, self.study, self.train):
            line.addWidget(button)
