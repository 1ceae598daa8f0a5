"""The confusion matrix under hands: pointed at, walked by the arrow keys, zoomed, and clicked."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip

from workbench.ui.results.confusion_area import MatrixArea

_STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


class ConfusionView(MatrixArea):
    """`chosen(truth, predicted)` tells of a click (or Enter) on a cell; a label at the side gives
    (truth, −1), one at the top (−1, prediction). `pointed` is the sentence on the cell under the
    pointer or the keys."""

    chosen = Signal(int, int)
    pointed = Signal(str)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position())
        if cell == self._hover:
            return
        self._hover = cell
        text = self.sentence(*cell) if min(cell) >= 0 else ""
        if not text and max(cell) >= 0:
            text = self._labels[max(cell)]
        QToolTip.showText(event.globalPosition().toPoint(), text, self.viewport())
        self.pointed.emit(text)
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = (-1, -1)
        self.pointed.emit("")
        self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position())
        if event.button() is Qt.MouseButton.LeftButton and cell != (-1, -1):
            self._choose(*cell)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # what was pressed here is not for the widgets below

    def _choose(self, truth: int, predicted: int) -> None:
        self.set_current(truth, predicted)
        self.chosen.emit(truth, predicted)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.2 if event.angleDelta().y() > 0 else 1 / 1.2)
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if step is not None and self._labels:
            self._move(*step)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            if self._current != (-1, -1):
                self.chosen.emit(*self._current)
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.2)
        elif event.key() == Qt.Key.Key_Minus:
            self.zoom(1 / 1.2)
        elif event.key() == Qt.Key.Key_0:
            self.fit()
        else:
            event.ignore()

    def _move(self, down: int, right: int) -> None:
        last = len(self._labels) - 1
        row = max(0, min(last, self._current[0] + down)) if min(self._current) >= 0 else 0
        column = max(0, min(last, self._current[1] + right)) if min(self._current) >= 0 else 0
        self.set_current(row, column)
        self._reveal(row, column)
        self.pointed.emit(self.sentence(row, column))

    def _reveal(self, row: int, column: int) -> None:
        rect, view = self.cell_rect(row, column), self.viewport().rect()
        for bar, low, high, first, last in (
            (
                self.horizontalScrollBar(),
                rect.left(),
                rect.right(),
                self._head.width(),
                view.right(),
            ),
            (
                self.verticalScrollBar(),
                rect.top(),
                rect.bottom(),
                self._head.height(),
                view.bottom(),
            ),
        ):
            bar.setValue(bar.value() + min(0, low - first) + max(0, high - last))
