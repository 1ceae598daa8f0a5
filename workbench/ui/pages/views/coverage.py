"""The coverage matrix: how many images of each category have each label, as clickable cells."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip

from workbench.app.labels.label_overview import Coverage, Heading
from workbench.domain.labels import LabelSet
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, label_colour, sized
from workbench.ui.parts.tiles import badge

ROW, HEAD = 24, 28
_NAME = 96  # pixels for the name of a row
_STEPS = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}


class CoverageMatrix(QAbstractScrollArea):
    """Counts of images; rows are categories, columns labels, the last of each "none".

    `chosen(row, column, count)` is emitted when a cell or a name is clicked: the label of its row
    and column, None for "none", True for a whole row or column.
    """

    chosen = Signal(object, object, int)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.viewport().setAutoFillBackground(False)
        self.viewport().setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._coverage: Coverage | None = None
        self._set: LabelSet | None = None
        self._rows: list[int] = []
        self._hover: tuple[int, int] | None = None
        self._cursor = (0, 0)

    def show_coverage(self, coverage: Coverage, label_set: LabelSet) -> None:
        """Show these counts; `label_set` gives the columns their letters and colours."""
        self._coverage, self._set = coverage, label_set
        self._rows = list(range(len(coverage.rows)))
        if coverage.counts[-1].sum():
            self._rows.append(len(coverage.rows))
        self._lay_out()
        self.viewport().update()

    # layout

    def _columns(self) -> int:
        return 0 if self._coverage is None else len(self._coverage.columns) + 1

    def _width(self) -> int:
        room = self.viewport().width() - _NAME
        return max(20, min(48, room // max(1, self._columns())))

    def _lay_out(self) -> None:
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, HEAD + len(self._rows) * ROW - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep(ROW)

    def sizeHint(self) -> QSize:
        return QSize(240, HEAD + ROW * max(3, min(10, len(self._rows))) + 4)

    def resizeEvent(self, _event: object) -> None:
        self._lay_out()

    def cell(self, row: int, column: int) -> QRect:
        """The rectangle of a cell in the viewport; row -1 is the head, column -1 the name."""
        top = HEAD + row * ROW - self.verticalScrollBar().value() if row >= 0 else 0
        height = ROW if row >= 0 else HEAD
        if column < 0:
            return QRect(0, top, _NAME, height)
        return QRect(_NAME + column * self._width(), top, self._width(), height)

    def _at(self, point: QPoint) -> tuple[int, int] | None:
        column = (point.x() - _NAME) // self._width() if point.x() >= _NAME else -1
        if point.y() < HEAD:
            row = -1
        else:
            row = (point.y() - HEAD + self.verticalScrollBar().value()) // ROW
        inside = column < self._columns() and row < len(self._rows)
        return (row, column) if inside and (row, column) != (-1, -1) else None

    # paint

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._coverage is None or self._set is None:
            return
        theme = Theme.of(self)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = self.verticalScrollBar().value()
        first = top // ROW
        last = min(len(self._rows), (top + self.viewport().height()) // ROW + 1)
        for row in range(first, last):
            self._paint_row(painter, theme, row)
        self._paint_head(painter, theme)
        painter.end()

    def _paint_head(self, painter: QPainter, theme: Theme) -> None:
        assert self._coverage is not None
        assert self._set is not None
        painter.fillRect(QRect(0, 0, self.viewport().width(), HEAD), theme.surface)
        painter.setFont(sized(self.font(), CAPTION_PIXELS, bold=True))
        for column in range(self._columns()):
            rect = self.cell(-1, column)
            known = column < len(self._coverage.columns)
            letter = badge(self._set, self._coverage.columns[column])[0] if known else "–"
            painter.setPen(theme.text if known else theme.muted)
            painter.drawText(rect.adjusted(0, 0, 0, -4), Qt.AlignmentFlag.AlignCenter, letter)
            if known:
                line = QRect(rect.center().x() - 8, rect.bottom() - 4, 17, 3)
                painter.fillRect(line, label_colour(column))

    def _paint_row(self, painter: QPainter, theme: Theme, row: int) -> None:
        assert self._coverage is not None
        index = self._rows[row]
        rows = self._coverage.rows
        name = rows[index] if index < len(rows) else tr("no category")
        rect = self.cell(row, -1)
        painter.setFont(sized(self.font(), CAPTION_PIXELS + 1))
        painter.setPen(theme.text if index < len(rows) else theme.muted)
        elided = painter.fontMetrics().elidedText(
            name, Qt.TextElideMode.ElideMiddle, rect.width() - 8
        )
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, elided)
        counts = self._coverage.counts[index]
        most = max(1, int(self._coverage.counts[:, :-1].max(initial=0)))
        for column in range(self._columns()):
            self._paint_cell(painter, theme, (row, column), int(counts[column]), most)

    def _paint_cell(
        self, painter: QPainter, theme: Theme, at: tuple[int, int], count: int, most: int
    ) -> None:
        rect = self.cell(*at).adjusted(1, 1, -1, -1)
        labelled = at[1] < self._columns() - 1
        painter.setPen(Qt.PenStyle.NoPen)
        if labelled and count:
            fill = QColor(theme.accent)
            fill.setAlphaF(0.10 + 0.30 * float(np.sqrt(count / most)))
            painter.setBrush(fill)
            painter.drawRoundedRect(rect, 3, 3)
        focused = self.hasFocus() and at == self._cursor
        if at == self._hover or focused:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.accent, 1.5))
            painter.drawRoundedRect(rect, 3, 3)
        missing = labelled and not count
        painter.setPen(theme.warn if missing else theme.text if labelled else theme.muted)
        text = "·" if not count else _short(count)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)

    # mouse and keyboard

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        hover = self._at(event.position().toPoint())
        if hover != self._hover:
            self._hover = hover
            self.setCursor(
                Qt.CursorShape.PointingHandCursor if hover else Qt.CursorShape.ArrowCursor
            )
            self.viewport().update()

    def leaveEvent(self, _event: object) -> None:
        self._hover = None
        self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position().toPoint())
        if at is not None and event.button() is Qt.MouseButton.LeftButton:
            self.choose(*at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if step is not None and self._rows:
            row = min(max(self._cursor[0] + step[0], 0), len(self._rows) - 1)
            column = min(max(self._cursor[1] + step[1], 0), self._columns() - 1)
            self._cursor = (row, column)
            self.viewport().update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._rows:
            self.choose(*self._cursor)
        else:
            event.ignore()

    def choose(self, row: int, column: int) -> None:
        """Emit `chosen` for a cell; -1 for the name of a column or row, which chooses all of it."""
        coverage = self._coverage
        if coverage is None:
            return
        index = self._rows[row] if row >= 0 else -1
        row_label: Heading = True
        if row >= 0:
            row_label = coverage.rows[index] if index < len(coverage.rows) else None
        column_label: Heading = True
        if column >= 0:
            column_label = coverage.columns[column] if column < len(coverage.columns) else None
        count = int(coverage.counts[index, column]) if row >= 0 and column >= 0 else 1
        self.chosen.emit(row_label, column_label, count)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and self._coverage is not None:
            text = plain_text(self._tooltip(self._at(event.pos())))
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().viewportEvent(event)

    def _tooltip(self, at: tuple[int, int] | None) -> str:
        if at is None or self._coverage is None or min(at) < 0:
            return ""
        index = self._rows[at[0]]
        rows, columns = self._coverage.rows, self._coverage.columns
        name = rows[index] if index < len(rows) else tr("no category")
        label = columns[at[1]] if at[1] < len(columns) else tr("no label")
        count = int(self._coverage.counts[index, at[1]])
        return plural(
            count,
            "{category}, {label}: {n:,} image",
            "{category}, {label}: {n:,} images",
            category=name,
            label=label,
        )


def _short(count: int) -> str:
    """A count in at most four characters."""
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 1_000_000}M"
