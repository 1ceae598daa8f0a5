"""The four steps of a transfer in a row: which are done, which is under way, how far it is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from workbench.app.transfer.transfer_steps import Stage
from workbench.domain.transfers import Transfer
from workbench.ui.look.icons import icon
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.job_words import JobState, clock, state_after

_SIGNS = {
    "done": ("check-circle", "good"),
    "now": ("play-circle", "accent"),
    "": ("circle", "line"),
}


class TransferStages(QWidget):
    """Signs and names of the steps, and below them the progress of the one under way."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = JobState()
        self._words = ""
        self._signs: dict[str, QLabel] = {}
        self._standing: dict[str, str] = {}
        titles = {
            "compare": self.tr("Compare the sources"),
            "source": self.tr("Learn the closest"),
            "candidates": self.tr("Train three candidates"),
            "vote": self.tr("Vote"),
        }
        row = QHBoxLayout()
        row.setSpacing(6)
        for name, title in titles.items():
            self._signs[name] = QLabel()
            row.addWidget(self._signs[name])
            row.addWidget(QLabel(title))
            row.addSpacing(18)
        row.addStretch(1)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(220)
        self.said = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        below = QHBoxLayout()
        below.setSpacing(12)
        below.addWidget(self.bar)
        below.addWidget(self.said, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addLayout(below)

    def show_transfer(
        self, transfer: Transfer | None, stage: Stage | None, words: str, ended: str
    ) -> None:
        """Where a transfer stands; `stage` and `words` say what is under way, `ended` what is to
        be said while nothing is."""
        at = "vote" if stage is Stage.SINGLE else stage.value if stage is not None else ""
        won = transfer is not None and bool(transfer.winner)
        done = {
            "compare": transfer is not None and bool(transfer.ranked),
            "source": transfer is not None and bool(transfer.candidates),
            "candidates": won,
            "vote": won,
        }
        self._standing = {
            name: "now" if name == at else "done" if done[name] else "" for name in self._signs
        }
        self._draw()
        if words != self._words:
            self._state = JobState()
        self._words = words
        self.bar.setVisible(stage is not None)
        if stage is None:
            self.said.setText(ended)
        else:
            self._say()

    def take(self, report: object) -> None:
        """A report of the work under way."""
        self._state = state_after(report, self._state)
        if self.bar.isVisibleTo(self):
            self._say()

    def _say(self) -> None:
        fraction = self._state.fraction
        self.bar.setRange(0, 1000 if fraction is not None else 0)
        self.bar.setValue(round(1000 * min(1.0, fraction or 0.0)))
        parts = [self._words, self._state.text]
        if self._state.eta is not None:
            parts.append(self.tr("{0} left").format(clock(self._state.eta)))
        self.said.setText("  ·  ".join(part for part in parts if part))

    def _draw(self) -> None:
        for name, label in self._signs.items():
            sign, role = _SIGNS[self._standing.get(name, "")]
            label.setPixmap(icon(sign, self, role).pixmap(16, 16))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._standing:
            self._draw()
