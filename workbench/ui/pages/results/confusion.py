"""The confusion matrix, used by mouse and keyboard, and its controls."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

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
from workbench.domain.text import plural, tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import plain_text
from workbench.ui.look.theme import Theme
from workbench.ui.pages.results.confusion_painter import MatrixOptions, MatrixPainter
from workbench.ui.pages.results.section import ResultSection, RunInScope, with_count
from workbench.ui.parts.copying import Copies, Notify

IntArray = NDArray[np.int64]
SMALLEST, LARGEST = 3, 96  # pixels of a cell's height
COMFORTABLE = 64  # height of the largest cell without zooming in
WIDEST = 1.8  # largest ratio of a cell's width to its height
HEADER_SHARE = 0.3  # largest share of the view for the labels


class MatrixArea(QAbstractScrollArea):
    """The matrix with scroll bars, as large as fits; `ConfusionView` adds mouse and keyboard."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: tuple[str, ...] = ()
        self._counts: IntArray = np.zeros((0, 0), np.int64)
        self._painter = MatrixPainter()
        self._painter.axes = (tr("← true"), tr("predicted →"))
        self._options = MatrixOptions()
        self._version = 0
        self._cached: tuple[Hashable, QPixmap] | None = None
        self._requested_cell = 0  # height in pixels; 0: as large as fits
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
        self, labels: Sequence[str], counts: IntArray, relabelled: IntArray | None = None
    ) -> None:
        """Show C labels and C×C counts (row: true label, column: predicted one).

        `relabelled` are the C×C counts of images that were relabelled since training.
        """
        if tuple(labels) != self._labels:
            self._current = (-1, -1)
        self._labels, self._counts = tuple(labels), counts
        self._painter.set_matrix(self._labels, counts, relabelled)
        self._hover = (-1, -1)
        self._version += 1
        self._lay_out()

    def set_percent(self, on: bool) -> None:
        """Show shares of the row instead of counts."""
        self._options = MatrixOptions(on, self._options.single_scale)
        self.viewport().update()

    def set_single_scale(self, on: bool) -> None:
        """Use one colour scale for all cells instead of two for correct and wrong ones."""
        self._options = MatrixOptions(self._options.percent, on)
        self.viewport().update()

    def current(self) -> tuple[int, int]:
        """(truth, prediction) of the selected cell; −1 for none, or for a whole row or column."""
        return self._current

    def set_current(self, truth: int, predicted: int) -> None:
        """Select a cell without a signal."""
        self._current = (truth, predicted)
        self.viewport().update()

    def sentence(self, truth: int, predicted: int) -> str:
        """The description of a cell."""
        row, n = self._counts[truth], int(self._counts[truth, predicted])
        if not row.sum():
            return tr("True {truth}: no images").format(truth=self._labels[truth])
        share = n / row.sum()
        text = tr("True {truth}, predicted {predicted}: {n:,} ({share:.1f} %)").format(
            truth=self._labels[truth],
            predicted=self._labels[predicted],
            n=n,
            share=share * 100,
        )
        relabelled = self._painter.relabelled(truth, predicted)
        if not relabelled:
            return text
        return plural(
            relabelled,
            "{cell}, {n:,} relabelled since",
            "{cell}, {n:,} relabelled since",
            cell=text,
        )

    def zoom(self, factor: float) -> None:
        """Scale the cells, but not below the size at which the whole matrix fits."""
        now = self._cell.height()
        size = round(now * factor)
        size = size if size != now else now + (1 if factor > 1 else -1)
        size = max(SMALLEST, min(LARGEST, size))
        self._requested_cell = 0 if size <= self._fitting().height() else size
        self._lay_out()

    def fit(self) -> None:
        """Show the whole matrix."""
        self._requested_cell = 0
        self._lay_out()

    def pixmap(self) -> QPixmap:
        """The whole matrix with readable cells, including what is scrolled out of view."""
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
        self._painter.paint(painter, area, header, QPoint(), cell, self._options, theme)
        painter.end()
        return pixmap

    # Layout

    def _fitting(self) -> QSize:
        """The largest cell with which the whole matrix fits, wider than high if possible."""
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
        high = max(self._requested_cell, fitting.height())
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
        """(truth, prediction) at a point of the viewport; one is −1 on a label of a row or column,
        both are −1 outside."""
        x = at.x() - self._head.width()
        y = at.y() - self._head.height()
        column = int((x + self._offset().x()) // self._cell.width()) if x >= 0 else -1
        row = int((y + self._offset().y()) // self._cell.height()) if y >= 0 else -1
        classes = len(self._labels)
        return (-1, -1) if row >= classes or column >= classes else (row, column)

    def cell_rect(self, truth: int, predicted: int) -> QRect:
        """The area of a cell in the viewport."""
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
        """The matrix without frames, cached until something in it changes."""
        view, ratio = self.viewport(), self.devicePixelRatioF()
        key = (
            view.size(),
            ratio,
            self._offset(),
            self._cell,
            self._options,
            theme.dark,
            self._version,
        )
        if self._cached is None or self._cached[0] != key:
            pixmap = QPixmap(view.size() * ratio)
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(theme.surface)
            if self._labels:
                painter = QPainter(pixmap)
                painter.setFont(self.font())
                self._painter.paint(
                    painter,
                    view.rect(),
                    self._head,
                    self._offset(),
                    self._cell,
                    self._options,
                    theme,
                )
                painter.end()
            self._cached = (key, pixmap)
        return self._cached[1]

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
    """The matrix with mouse and keyboard.

    `chosen(truth, predicted)` is emitted for a click or Enter on a cell, with (truth, −1) for the
    label of a row and (−1, prediction) for that of a column; `pointed(text)` with the description
    of the cell under the pointer or selected by keys.
    """

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
        QToolTip.showText(event.globalPosition().toPoint(), plain_text(text), self.viewport())
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
        event.accept()  # keep it from the widgets below

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
    """The confusion matrix with controls for values, colours and zoom."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.view = ConfusionView()
        self.view.chosen.connect(self._chosen)
        self.view.pointed.connect(self._pointed)
        self.values = QComboBox()
        self.values.addItems([tr("Counts"), tr("Row %")])
        self.values.setAccessibleName(tr("Values of the cells"))
        self.values.currentIndexChanged.connect(lambda at: self.view.set_percent(at == 1))
        self.single = QCheckBox(tr("One scale"))
        self.single.setToolTip(tr("Use one colour scale for correct and wrong cells"))
        self.single.toggled.connect(self.view.set_single_scale)
        self.copies = Copies(self.view, self._file_name, self.view.pixmap, self._csv, notify)
        zoom = [
            self._tool("magnifying-glass-minus", tr("Zoom out (−)"), 1 / 1.3),
            self._tool("magnifying-glass-plus", tr("Zoom in (+)"), 1.3),
            self._tool("frame-corners", tr("Fit matrix (0)"), 0.0),
        ]
        for widget in (self.values, self.single, *zoom, self.copies.button(self)):
            self.bar.addWidget(widget)
        self.column.addWidget(self.view, 1)
        self.note = QLabel()
        self.note.setProperty("role", "caption")
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.RichText)
        self.note.linkActivated.connect(self._show_relabelled)
        self.column.addWidget(self.note)

    def _tool(self, name: str, text: str, factor: float) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name, button))
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.clicked.connect(lambda: self.view.zoom(factor) if factor else self.view.fit())
        return button

    def fill(self, shown: RunInScope) -> None:
        """Show the matrix of this run in this scope."""
        counts = shown.results.matrix(shown.scope)
        relabelled = shown.labels.relabelled_matrix(shown.scope)
        self.view.set_matrix(shown.names, counts, relabelled)
        n = int(relabelled.sum())
        self.note.setVisible(n > 0)
        if n:
            self.note.setText(
                plural(
                    n,
                    "Measured with the labels at training time. "
                    '<a href="relabelled">{n:,} of these images has been relabelled since</a>.',
                    "Measured with the labels at training time. "
                    '<a href="relabelled">{n:,} of these images have been relabelled since</a>.',
                )
            )
        self._pointed("")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "note"):
            text = self.note.text()
            self.note.clear()  # links keep the colour they were set with
            self.note.setText(text)

    def _pointed(self, text: str) -> None:
        hint = tr("Click a cell to see its images.")
        if self.shown is not None and self.shown.several_labels:
            hint = tr(
                "Click a cell to see its images. An image with several labels is in the row of the "
                "predicted label if it has it, else of its first. Select a single label above."
            )
        self.caption.setText(text or hint)

    def _chosen(self, truth: int, predicted: int) -> None:
        shown = self.shown
        if shown is None:
            return
        rows = shown.results.rows(
            shown.scope,
            truth if truth >= 0 else None,
            predicted if predicted >= 0 else None,
        )
        title = self._title(shown.names, truth, predicted)
        self.rows_requested.emit(with_count(title, len(rows)), rows)

    def _title(self, names: tuple[str, ...], truth: int, predicted: int) -> str:
        if truth < 0:
            return tr("Predicted {label}").format(label=names[predicted])
        if predicted < 0:
            return tr("True {label}").format(label=names[truth])
        return tr("True {truth}, predicted {predicted}").format(
            truth=names[truth], predicted=names[predicted]
        )

    def _show_relabelled(self) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows(shown.scope)
            rows = rows[shown.labels.relabelled()[rows]]
            title = tr("Relabelled since training")
            self.rows_requested.emit(with_count(title, len(rows)), rows)

    def _file_name(self) -> str:
        return self.file_name(tr("confusion", "file name"))

    def _csv(self) -> str:
        return matrix_csv(self.shown.results, self.shown.scope) if self.shown is not None else ""
