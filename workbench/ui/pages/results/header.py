"""The line at the top of the Results page: the scope looked at and its key figures."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QWidget

from workbench.app.results.results import LABEL_HEAD, TARGET_HEAD, RunResults, Scope
from workbench.domain.splits import Part
from workbench.domain.text import tr
from workbench.ui.page import row
from workbench.ui.pages.results.section import RunInScope
from workbench.ui.parts.run_words import percent


class KeyFigures(QWidget):
    """`rows_wanted(title, rows)` asks for images, `calibration_wanted()` for that section."""

    rows_wanted = Signal(str, object)
    calibration_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: RunInScope | None = None
        self.top1 = QLabel()
        self.top1.setProperty("role", "title")
        self.top5 = QLabel()
        self.top5.setProperty("role", "muted")
        self.errors = self._button(tr("Show the images that went wrong"))
        self.errors.clicked.connect(lambda: self._show(right=False))
        self.images = self._button(tr("Show all images of this part"))
        self.images.clicked.connect(lambda: self._show(right=None))
        self.calibration = self._button(tr("Show how far confidence can be believed"))
        self.calibration.clicked.connect(self.calibration_wanted)
        figures = (self.top1, self.top5, self.errors, self.images, self.calibration)
        row(*figures, on=self, spacing=12)

    def _button(self, tip: str) -> QPushButton:
        button = QPushButton()
        button.setToolTip(tip)
        return button

    def show_run(self, shown: RunInScope | None) -> None:
        """The figures of a run in a scope; None hides them."""
        self._shown = shown
        self.setVisible(shown is not None)
        if shown is None:
            return
        scores = shown.results.scores(shown.scope)
        wrong = len(shown.results.rows(shown.scope, right=False))
        many = len(shown.names) > 5
        self.top1.setText(percent(scores.top1))
        five = tr("top-1, top-5 {score}").format(score=percent(scores.top5))
        single = shown.scope.head.startswith(LABEL_HEAD)
        one = tr("accuracy") if single else tr("top-1")
        self.top5.setText(five if many else one)
        marked = shown.results.marked
        if marked is not None and shown.several_labels:
            said = marked.scores(shown.results.inside(shown.scope))
            self.top5.setText(
                tr("top-1, every label right {exact}, mAP {mean}").format(
                    exact=percent(said.exact), mean=percent(said.mean_ap)
                )
            )
        self.errors.setText(tr("{n} wrong").format(n=f"{wrong:,}"))
        self.errors.setEnabled(wrong > 0)
        self.images.setText(tr("{n} images").format(n=f"{scores.images:,}"))
        self.images.setEnabled(scores.images > 0)
        self.calibration.setText(tr("ECE {error}").format(error=percent(scores.calibration)))

    def _show(self, *, right: bool | None) -> None:
        shown = self._shown
        if shown is not None:
            rows = shown.results.rows(shown.scope, right=right)
            what = tr("wrong") if right is False else tr("all images")
            self.rows_wanted.emit(tr("{what}: {n} images").format(what=what, n=len(rows)), rows)


class ScopeBar(QWidget):
    """`changed()` tells that another scope was chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.part = self._box(tr("Part"))
        self.view = self._box(tr("View of the images"))
        self.head = self._box(tr("What was predicted"))
        row(self.part, self.view, self.head, on=self, spacing=8)

    def _box(self, name: str) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.activated.connect(lambda _: self.changed.emit())
        return box

    def show_results(self, results: RunResults) -> None:
        """Offer what this run has; what was chosen stays where it can."""
        words = {
            Part.TEST: tr("Test"),
            Part.VALIDATION: tr("Validation"),
            Part.TRAIN: tr("Train"),
        }
        parts = [part for part in reversed(results.parts)]
        _fill(self.part, [(words[part], part) for part in parts], results.best_part())
        every = [(tr("Any view"), "")]
        _fill(self.view, every + [(view, view) for view in results.views], "")
        heads = results.heads
        _fill(self.head, heads, TARGET_HEAD)
        self.view.setVisible(bool(results.views))
        self.head.setVisible(len(heads) > 1)

    def scope(self) -> Scope:
        """What is chosen."""
        part = self.part.currentData()
        return Scope(
            Part(part) if part else Part.TEST,
            str(self.view.currentData() or ""),
            str(self.head.currentData() or TARGET_HEAD),
        )

    def choose(self, part: str, view: str, head: str) -> None:
        """Choose what a former session had chosen, as far as it is there."""
        for box, value in ((self.part, part), (self.view, view), (self.head, head)):
            at = box.findData(value)
            if at >= 0:
                box.setCurrentIndex(at)


def _fill(box: QComboBox, items: list[tuple[str, str]], default: str) -> None:
    kept = box.currentData()
    box.clear()
    for text, value in items:
        box.addItem(text, str(value))
    values = [str(value) for _, value in items]
    wanted = kept if kept in values else str(default)
    box.setCurrentIndex(values.index(wanted) if wanted in values else 0)
