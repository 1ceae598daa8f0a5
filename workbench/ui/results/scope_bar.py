"""Which predictions are looked at: the part, the view of the images, and the head."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from workbench.app.results.results import TARGET_HEAD, RunResults, Scope
from workbench.domain.splits import Part


class ScopeBar(QWidget):
    """`changed()` tells that another scope was chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.part = self._box(self.tr("Part"))
        self.view = self._box(self.tr("View of the images"))
        self.head = self._box(self.tr("What was predicted"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for box in (self.part, self.view, self.head):
            row.addWidget(box)

    def _box(self, name: str) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.activated.connect(lambda _: self.changed.emit())
        return box

    def show_results(self, results: RunResults) -> None:
        """Offer what this run has; what was chosen stays where it can."""
        words = {
            Part.TEST: self.tr("Test"),
            Part.VALIDATION: self.tr("Validation"),
            Part.TRAIN: self.tr("Train"),
        }
        parts = [part for part in reversed(results.parts)]
        _fill(self.part, [(words[part], part) for part in parts], results.best_part())
        every = [(self.tr("Any view"), "")]
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
