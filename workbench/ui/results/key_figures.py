"""The few numbers a run is judged by, each a button to the images behind it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from workbench.app.results.results import LABEL_HEAD
from workbench.ui.results.section import Shown
from workbench.ui.widgets.run_words import percent


class KeyFigures(QWidget):
    """`rows_wanted(title, rows)` asks for images, `calibration_wanted()` for that section."""

    rows_wanted = Signal(str, object)
    calibration_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: Shown | None = None
        self.top1 = QLabel()
        self.top1.setProperty("role", "title")
        self.top5 = QLabel()
        self.top5.setProperty("role", "muted")
        self.errors = self._button(self.tr("Show the images that went wrong"))
        self.errors.clicked.connect(lambda: self._show(right=False))
        self.images = self._button(self.tr("Show all images of this part"))
        self.images.clicked.connect(lambda: self._show(right=None))
        self.calibration = self._button(self.tr("Show how far confidence can be believed"))
        self.calibration.clicked.connect(self.calibration_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        for widget in (self.top1, self.top5, self.errors, self.images, self.calibration):
            row.addWidget(widget)

    def _button(self, tip: str) -> QPushButton:
        button = QPushButton()
        button.setToolTip(tip)
        return button

    def show_run(self, shown: Shown | None) -> None:
        """The figures of a run in a scope; None hides them."""
        self._shown = shown
        self.setVisible(shown is not None)
        if shown is None:
            return
        scores = shown.results.scores(shown.scope)
        wrong = len(shown.results.rows(shown.scope, right=False))
        many = len(shown.names) > 5
        self.top1.setText(percent(scores.top1))
        five = self.tr("top-1, top-5 {score}").format(score=percent(scores.top5))
        single = shown.scope.head.startswith(LABEL_HEAD)
        one = self.tr("accuracy") if single else self.tr("top-1")
        self.top5.setText(five if many else one)
        marked = shown.results.marked
        if marked is not None and shown.several_labels:
            said = marked.scores(shown.results.inside(shown.scope))
            self.top5.setText(
                self.tr("top-1, every label right {exact}, mAP {mean}").format(
                    exact=percent(said.exact), mean=percent(said.mean_ap)
                )
            )
        self.errors.setText(self.tr("{n} wrong").format(n=f"{wrong:,}"))
        self.errors.setEnabled(wrong > 0)
        self.images.setText(self.tr("{n} images").format(n=f"{scores.images:,}"))
        self.images.setEnabled(scores.images > 0)
        self.calibration.setText(self.tr("ECE {error}").format(error=percent(scores.calibration)))

    def _show(self, *, right: bool | None) -> None:
        shown = self._shown
        if shown is not None:
            rows = shown.results.rows(shown.scope, right=right)
            what = self.tr("wrong") if right is False else self.tr("all images")
            self.rows_wanted.emit(
                self.tr("{what}: {n} images").format(what=what, n=len(rows)), rows
            )
