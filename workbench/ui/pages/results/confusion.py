"""The confusion matrix: pointed at, walked by arrow keys, zoomed, clicked, with controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QToolButton,
    QToolTip,
    QWidget,
)

from workbench.app.results.result_tables import matrix_csv
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.theme import Theme
from workbench.ui.pages.results.confusion_painter import MatrixOptions, MatrixPainter
from workbench.ui.pages.results.section import ResultSection, RunInScope
from workbench.ui.parts.copying import Copies, Notify

IntArray = NDArray[np.int64]
SMALLEST, LARGEST = 3, 96  # pixels of a cell's height
COMFORTABLE = 64  # the largest cell that is chosen without being asked for
WIDEST = 1.8  # width over height of a cell, at most, where there is room
HEADER_SHARE = 0.3  # of the view, at most, for the labels


class MatrixArea(QAbstractScrollArea):
    """Counts of truth × prediction, as large as fits; hands do nothing to it yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: tuple[str, ...] = ()
        self._counts: IntArray = np.zeros((0, 0), np.int64)
        self._painter = MatrixPainter()
        self._painter.words = (tr("truth"), tr("predicted"))
        self._look = MatrixOptions()
        self._version = 0
        self._kept: tuple[tuple[object, ...], QPixmap] | None = None
        self._asked_cell = 0  # 0: as large as fits
        self._current = (-1, -1)
        self._hover = (-1, -1)
        self._relayout = QTimer(self, singleShot=True, interval=0)
        self._relayout.timeout.connect(self._lay_out)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setMouseTracking(True)
        self.setAccessibleName(tr("Confusion matrix"))

    # What is shown

    def set_matrix(
        self, labels: Sequence[str], counts: IntArray, moved: IntArray | None = None
    ) -> None:
        """C labels and C×C counts (row truth, column prediction); `moved` are the images per cell
        whose label is another one by now."""
        if tuple(labels) != self._labels:
            self._current = (-1, -1)
        self._labels, self._counts = tuple(labels), counts
        self._painter.set_matrix(self._labels, counts, moved)
        self._hover = (-1, -1)
        self._version += 1
        self._lay_out()

    def set_percent(self, on: bool) -> None:
        """Write shares of the row instead of counts."""
        self._look = MatrixOptions(on, self._look.single_scale)
        self.viewport().update()

    def set_single_scale(self, on: bool) -> None:
        """Colour every cell by the same perceptual scale instead of hits and errors apart."""
        self._look = MatrixOptions(self._look.percent, on)
        self.viewport().update()

    def current(self) -> tuple[int, int]:
        """(truth, prediction) of the cell chosen last; −1 for none or for a whole line."""
        return self._current

    def set_current(self, truth: int, predicted: int) -> None:
        """Mark a cell as the chosen one without telling."""
        self._current = (truth, predicted)
        self.viewport().update()

    def sentence(self, truth: int, predicted: int) -> str:
        """What a cell says in words."""
        row, n = self._counts[truth], int(self._counts[truth, predicted])
        share = n / row.sum() if row.sum() else 0.0
        text = tr("true {truth}, predicted {predicted}: {n} ({share} %)").format(
            truth=self._labels[truth],
            predicted=self._labels[predicted],
            n=n,
            share=f"{share * 100:.1f}",
        )
        moved = self._painter.moved(truth, predicted)
        return text + (tr("; {n} labelled otherwise since").format(n=moved) if moved else "")

    def zoom(self, factor: float) -> None:
        """Make cells larger or smaller; what fits wholly is the least."""
        now = self._cell.height()
        size = round(now * factor)
        size = size if size != now else now + (1 if factor > 1 else -1)
        size = max(SMALLEST, min(LARGEST, size))
        self._asked_cell = 0 if size <= self._fitting().height() else size
        self._lay_out()

    def fit(self) -> None:
        """Show the whole matrix."""
        self._asked_cell = 0
        self._lay_out()

    def picture(self) -> QPixmap:
        """The whole matrix with readable cells, whatever is scrolled out of sight."""
        cell = self._cell.expandedTo(QSize(14, 14))
        header = self._painter.header(self.font(), cell, QSize(400, 400))
        size = header + cell * len(self._labels) + QSize(16, 16)
        scale = 2.0 if max(size.width(), size.height()) < 6000 else 1.0
        pixmap = QPixmap(size * scale)
        pixmap.setDevicePixelRatio(scale)
        theme = Theme.of(self)
        pixmap.fill(theme.surface)
        painter = QPainter(pixmap)
        painter.setFont(self.font())
        area = QRect(QPoint(), size)
        self._painter.paint(painter, area, header, QPoint(), cell, self._look, theme)
        painter.end()
        return pixmap

    # Layout

    def _fitting(self) -> QSize:
        """The largest cell with which everything is seen, a little wider than high if it can."""
        classes = max(1, len(self._labels))
        cell = QSize(COMFORTABLE, COMFORTABLE)
        for _ in range(3):  # the header depends a little on the cell
            room = self.viewport().size() - self._header(cell) - QSize(4, 4)
            wide, high = room.width() // classes, room.height() // classes
            high = max(SMALLEST, min(COMFORTABLE, high, wide))
            cell = QSize(max(high, min(wide, round(WIDEST * high))), high)
        return cell

    def _header(self, cell: QSize) -> QSize:
        view = self.viewport().size()
        longest = QSize(round(HEADER_SHARE * view.width()), round(HEADER_SHARE * view.height()))
        return self._painter.header(self.font(), cell, longest.expandedTo(QSize(48, 48)))

    def _lay_out(self) -> None:
        fitting = self._fitting()
        high = max(self._asked_cell, fitting.height())
        self._cell = QSize(round(high * fitting.width() / fitting.height()), high)
        self._head = self._header(self._cell)
        side = self._cell * len(self._labels)
        view = self.viewport().size() - self._head
        for bar, room, whole, step in (
            (self.horizontalScrollBar(), view.width(), side.width(), self._cell.width()),
            (self.verticalScrollBar(), view.height(), side.height(), high),
        ):
            bar.setRange(0, max(0, whole - room))
            bar.setPageStep(max(1, room))
            bar.setSingleStep(max(1, step))
        self.viewport().update()

    _cell = QSize(COMFORTABLE, COMFORTABLE)
    _head = QSize(80, 80)

    def _offset(self) -> QPoint:
        return QPoint(self.horizontalScrollBar().value(), self.verticalScrollBar().value())

    def cell_at(self, at: QPointF) -> tuple[int, int]:
        """(truth, prediction) under a point of the viewport; −1 for a label's line, (−1, −1) for
        nothing."""
        x = at.x() - self._head.width()
        y = at.y() - self._head.height()
        column = int((x + self._offset().x()) // self._cell.width()) if x >= 0 else -1
        row = int((y + self._offset().y()) // self._cell.height()) if y >= 0 else -1
        classes = len(self._labels)
        return (-1, -1) if row >= classes or column >= classes else (row, column)

    def cell_rect(self, truth: int, predicted: int) -> QRect:
        """Where a cell is drawn in the viewport."""
        left = self._head.width() + predicted * self._cell.width() - self._offset().x()
        top = self._head.height() + truth * self._cell.height() - self._offset().y()
        return QRect(QPoint(left, top), self._cell)

    # Events

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        theme = Theme.of(self)
        area = self.viewport().rect()
        painter.drawPixmap(0, 0, self._base(theme))
        inside = area.adjusted(self._head.width(), self._head.height(), 0, 0)
        painter.setClipRect(inside.adjusted(-2, -2, 0, 0))
        for cell, colour in ((self._hover, theme.muted), (self._current, theme.text)):
            if min(cell) >= 0:
                self._painter.ring(painter, self.cell_rect(*cell), colour, self.hasFocus())

    def _base(self, theme: Theme) -> QPixmap:
        """The matrix without rings; made again only when something in it changed."""
        view, ratio = self.viewport(), self.devicePixelRatioF()
        key = (
            view.size(),
            ratio,
            self._offset(),
            self._cell,
            self._look,
            theme.dark,
            self._version,
        )
        if self._kept is None or self._kept[0] != key:
            pixmap = QPixmap(view.size() * ratio)
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(theme.surface)
            if self._labels:
                painter = QPainter(pixmap)
                painter.setFont(self.font())
                self._painter.paint(
                    painter, view.rect(), self._head, self._offset(), self._cell, self._look, theme
                )
                painter.end()
            self._kept = (key, pixmap)
        return self._kept[1]

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._relayout.start()

    def sizeHint(self) -> QSize:
        wide = QFontMetrics(self.font()).averageCharWidth() * 14
        return QSize(wide + 6 * COMFORTABLE, wide + 6 * COMFORTABLE)


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

    def leaveEvent(self, _event: QEvent) -> None:
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


class MatrixSection(ResultSection):
    """Counts or row %, hits and errors in two hues or all on one scale."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.view = ConfusionView()
        self.view.chosen.connect(self._chosen)
        self.view.pointed.connect(self._pointed)
        self.amounts = QComboBox()
        self.amounts.addItems([tr("Counts"), tr("Row %")])
        self.amounts.setAccessibleName(tr("What the cells say"))
        self.amounts.currentIndexChanged.connect(lambda at: self.view.set_percent(at == 1))
        self.single = QCheckBox(tr("One scale"))
        self.single.setToolTip(
            tr("Colour hits and errors by one perceptual scale instead of two hues")
        )
        self.single.toggled.connect(self.view.set_single_scale)
        self.copies = Copies(self.view, lambda: self._title(), self.view.picture, self._csv, notify)
        zoom = [
            self._tool("magnifying-glass-minus", tr("Smaller cells (−)"), 1 / 1.3),
            self._tool("magnifying-glass-plus", tr("Larger cells (+)"), 1.3),
            self._tool("frame-corners", tr("The whole matrix (0)"), 0.0),
        ]
        for widget in (self.amounts, self.single, *zoom, self.copies.button(self)):
            self.bar.addWidget(widget)
        self.column.addWidget(self.view, 1)
        self.note = QLabel()
        self.note.setProperty("role", "caption")
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.RichText)
        self.note.linkActivated.connect(self._show_moved)
        self.column.addWidget(self.note)

    def _tool(self, name: str, text: str, factor: float) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name, button))
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.clicked.connect(lambda: self.view.zoom(factor) if factor else self.view.fit())
        return button

    def fill(self, shown: RunInScope) -> None:
        counts = shown.results.matrix(shown.scope)
        moved = shown.labels.moved_matrix(shown.scope)
        self.view.set_matrix(shown.names, counts, moved)
        n = int(moved.sum())
        self.note.setVisible(n > 0)
        if n:
            self.note.setText(
                tr(
                    "Measured against the labels as they were at training; "
                    '<a href="moved">{n} of these images are labelled otherwise since</a>.'
                ).format(n=n)
            )
        self._pointed("")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "note"):
            text = self.note.text()
            self.note.clear()  # a link keeps the colour it was written in
            self.note.setText(text)

    def _pointed(self, text: str) -> None:
        several = self.shown is not None and self.shown.several_labels
        plain = tr("Click a cell to see its images.")
        if several:
            plain = tr(
                "Click a cell to see its images. One with several labels stands in the row of the "
                "predicted one if that is among them, else of its first. Single labels are above."
            )
        self.caption.setText(text or plain)

    def _chosen(self, truth: int, predicted: int) -> None:
        shown = self.shown
        if shown is None:
            return
        rows = shown.results.rows(
            shown.scope,
            truth if truth >= 0 else None,
            predicted if predicted >= 0 else None,
        )
        self.rows_wanted.emit(self._words(shown.names, truth, predicted, len(rows)), rows)

    def _words(self, names: tuple[str, ...], truth: int, predicted: int, n: int) -> str:
        if truth < 0:
            return tr("predicted {label}: {n} images").format(label=names[predicted], n=n)
        if predicted < 0:
            return tr("true {label}: {n} images").format(label=names[truth], n=n)
        return tr("true {truth}, predicted {predicted}: {n} images").format(
            truth=names[truth], predicted=names[predicted], n=n
        )

    def _show_moved(self) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows(shown.scope)
            rows = rows[shown.labels.moved()[rows]]
            self.rows_wanted.emit(
                tr("labelled otherwise since: {n} images").format(n=len(rows)), rows
            )

    def _title(self) -> str:
        return self.shown.title("confusion") if self.shown is not None else "confusion"

    def _csv(self) -> str:
        return matrix_csv(self.shown.results, self.shown.scope) if self.shown is not None else ""
