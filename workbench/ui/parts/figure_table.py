"""A sortable table of figures whose rows can be clicked, with a bar under each share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QBrush, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from workbench.domain.spreadsheets import csv_text
from workbench.ui.look.markup import plain_text
from workbench.ui.look.theme import Theme

Index = QModelIndex | QPersistentModelIndex
SORT_ROLE = Qt.ItemDataRole.UserRole
SHARE_ROLE = Qt.ItemDataRole.UserRole + 1
ROW_PIXELS = 30


@dataclass(frozen=True)
class Column:
    """A column; `kind` is "text", "count", "share" (in [0, 1], shown in per cent) or "figure"."""

    title: str
    kind: str = "text"
    tip: str = ""


@dataclass(frozen=True)
class Figure:
    """A cell of kind "figure": sorted by its number, shown as its text."""

    number: float
    text: str


FigureCell = Figure | str | int | float | None


def figure(
    value: float | None, digits: int = 2, signed: bool = False, half: float = math.nan
) -> Figure:
    """A cell with `digits` decimals, and ± `half` (an interval's half-width) unless that is nan.

    The text is empty for None and nan."""
    if value is None or math.isnan(value):
        return Figure(-math.inf, "")
    text = f"{value:{'+' if signed else ''}z.{digits}f}".replace("-", "−")  # z: no −0.00
    return Figure(value, text if math.isnan(half) else f"{text} ± {half:.{digits}f}")


class FigureModel(QAbstractTableModel):
    """A table model over rows of plain values; numbers are sorted as numbers."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self._all = self.columns = tuple(columns)
        self.rows: tuple[tuple[FigureCell, ...], ...] = ()

    def show_columns(self, count: int) -> None:
        """Keep only the first `count` columns; drop the rows, which have to be set again."""
        if count != len(self.columns):
            self.beginResetModel()
            self.columns, self.rows = self._all[:count], ()
            self.endResetModel()

    def set_rows(self, rows: Sequence[Sequence[FigureCell]]) -> None:
        """Replace the rows; each has one value per column."""
        self.beginResetModel()
        self.rows = tuple(tuple(row) for row in rows)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column, value = self.columns[index.column()], self.rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return written(column, value)
        if role == SORT_ROLE:
            return sort_key(value)
        if role == SHARE_ROLE and column.kind == "share":
            return value
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft
            if column.kind != "text":
                side = Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole and column.kind == "text":
            return plain_text(written(column, value))
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_text(self.columns[section].tip) or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft
            if self.columns[section].kind != "text":
                side = Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        return None


class _Sorted(QSortFilterProxyModel):
    """A sorted view that marks the column's title; Qt's arrow would cover right-aligned ones."""

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        text = super().headerData(section, orientation, role)
        if role != Qt.ItemDataRole.DisplayRole or text is None or section != self.sortColumn():
            return text
        return f"▲ {text}" if self.sortOrder() is Qt.SortOrder.AscendingOrder else f"▼ {text}"


def sort_key(value: FigureCell) -> str | float:
    """The sort key of a cell: a str or a float, the types that Qt can compare."""
    if isinstance(value, str):
        return value
    number = value.number if isinstance(value, Figure) else value
    return -math.inf if number is None or math.isnan(number) else float(number)


def written(column: Column, value: FigureCell) -> str:
    """The text of a cell."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, Figure):
        return value.text
    if column.kind == "share":
        return f"{value * 100:.1f} %"
    return f"{value:,}" if column.kind == "count" else str(value)


class ShareDelegate(QStyledItemDelegate):
    """A delegate that draws a thin bar under each share."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        """Mark the selected row with a light background, on which bars and icons stay readable."""
        super().initStyleOption(option, index)
        option.state &= ~QStyle.StateFlag.State_HasFocus
        view = self.parent()
        if option.state & QStyle.StateFlag.State_Selected and isinstance(view, QWidget):
            option.state &= ~QStyle.StateFlag.State_Selected
            option.backgroundBrush = QBrush(Theme.of(view).hover)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        view = self.parent()
        selected = option.state & QStyle.StateFlag.State_Selected
        if selected and isinstance(view, QWidget):
            painter.fillRect(option.rect, Theme.of(view).hover)  # replaces the highlight of the row
        super().paint(painter, option, index)
        share = index.data(SHARE_ROLE)
        if selected and index.column() == 0 and isinstance(view, QWidget):
            cell = QRectF(option.rect)
            painter.fillRect(
                QRectF(cell.left(), cell.top(), 3, cell.height()), Theme.of(view).accent
            )
        if not isinstance(share, float) or math.isnan(share) or not isinstance(view, QWidget):
            return
        rect = QRectF(option.rect)
        wide = max(0.0, (rect.width() - 16) * min(1.0, share))
        painter.fillRect(
            QRectF(rect.left() + 8, rect.bottom() - 4, rect.width() - 16, 2), Theme.of(view).hover
        )
        painter.fillRect(QRectF(rect.left() + 8, rect.bottom() - 4, wide, 2), Theme.of(view).accent)


class FigureTable(QTableView):
    """A table of figures; `picked(row)` is emitted for a click or Enter, with the row's index in
    `set_rows`."""

    picked = Signal(int)

    def __init__(self, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.figures = FigureModel(columns)
        self._sorted = _Sorted(self)
        self._sorted.setSourceModel(self.figures)
        self._sorted.setSortRole(SORT_ROLE)
        self.setModel(self._sorted)
        self.setSortingEnabled(True)
        self._sorted.sort(-1)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setItemDelegate(ShareDelegate(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setStyleSheet("QTableView::item { padding: 0 8px; }")  # as in the header
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PIXELS)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.sortIndicatorChanged.connect(
            lambda: self._sorted.headerDataChanged.emit(
                Qt.Orientation.Horizontal, 0, max(0, self._sorted.columnCount() - 1)
            )
        )
        self.clicked.connect(lambda index: self.picked.emit(self.source_row(index)))

    def give_first_room(self, least: int = 84) -> None:
        """Fit all columns to their contents except the first, which gets the rest: ≥ `least` px."""
        header = self.horizontalHeader()
        header.setMinimumSectionSize(least)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_columns(self, count: int) -> None:
        """Show only the first `count` columns; `set_rows` has to be called again."""
        self.figures.show_columns(count)

    def set_rows(self, rows: Sequence[Sequence[FigureCell]]) -> None:
        """Show these rows in the order chosen in the header; each has one value per column."""
        self.figures.set_rows(rows)

    def source_row(self, index: Index) -> int:
        """The index in `set_rows` of a row of the view."""
        return self._sorted.mapToSource(index).row()

    def view_row(self, row: int) -> int:
        """The row of the view that shows row `row` of `set_rows`."""
        return self._sorted.mapFromSource(self.figures.index(row, 0)).row()

    def cells(self) -> list[list[str]]:
        """The texts of all cells, in the order shown."""
        model = self._sorted
        return [
            [str(model.index(r, c).data()) for c in range(model.columnCount())]
            for r in range(model.rowCount())
        ]

    def csv(self) -> str:
        """The table as CSV, with a header."""
        return csv_text([[column.title for column in self.figures.columns], *self.cells()])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.picked.emit(self.source_row(self.currentIndex()))
        else:
            super().keyPressEvent(event)
