"""The table of runs: one is shown, several can be ticked to compare their curves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHeaderView, QMenu, QWidget

from workbench.app.results.result_tables import runs_csv
from workbench.app.results.run_columns import RunColumn, RunOutput, run_columns
from workbench.domain.runs import RunRecord
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import plain_text
from workbench.ui.parts.figure_table import FigureModel, FigureTable, Index
from workbench.ui.parts.run_texts import (
    STATUS_ICONS,
    cell_text,
    figure_cell,
    figure_column,
    status_text,
)

NAME, STATUS = "name", "status"  # columns with more than a text
LEAST_NAME = 180  # pixels of the column of names


class _RunsModel(FigureModel):
    """Adds a check box, a status icon and an editable name to the figures of each run."""

    checked_changed = Signal()
    renamed = Signal(str, str)

    def __init__(self, columns: Sequence[RunColumn]) -> None:
        super().__init__([figure_column(column) for column in columns])
        self.run_columns = tuple(columns)
        self._names = [column.name for column in columns]
        self.name_column = self._names.index(NAME)
        self.records: tuple[RunRecord, ...] = ()
        self.checked: set[str] = set()

    def set_records(self, records: Sequence[RunRecord]) -> None:
        """Show these runs."""
        self.records = tuple(records)
        self.checked &= {record.id for record in records}
        self.set_rows(
            [[figure_cell(column, record) for column in self.run_columns] for record in records]
        )

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.column() == self.name_column:
            flags |= Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        record, name = self.records[index.row()], self._names[index.column()]
        if name == NAME and role == Qt.ItemDataRole.CheckStateRole:
            on = record.id in self.checked
            return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
        if name == NAME and role == Qt.ItemDataRole.EditRole:
            return record.name
        if name == NAME and role == Qt.ItemDataRole.ToolTipRole and record.version:
            text = tr("{run}, trained on version “{version}” of the labels")
            return plain_text(text.format(run=record.name, version=record.version))
        if name == STATUS and role == Qt.ItemDataRole.DecorationRole:
            return icon(*_status_icon(record))
        if name == STATUS and role == Qt.ItemDataRole.ToolTipRole:
            return plain_text(tr(record.message) or status_text(record))
        return super().data(index, role)

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        record = self.records[index.row()]
        if role == Qt.ItemDataRole.CheckStateRole:
            self.check(record.id, Qt.CheckState(value) is Qt.CheckState.Checked)
            return True
        if role == Qt.ItemDataRole.EditRole and str(value).strip():
            self.renamed.emit(record.id, str(value).strip())
            return True
        return False

    def check(self, run_id: str, on: bool) -> None:
        """Tick or untick a run."""
        (self.checked.add if on else self.checked.discard)(run_id)
        at = self.name_column
        self.dataChanged.emit(self.index(0, at), self.index(self.rowCount() - 1, at))
        self.checked_changed.emit()


def _status_icon(record: RunRecord) -> tuple[str, None, str]:
    name, role = STATUS_ICONS[record.status]
    return name, None, role


class RunsTable(FigureTable):
    """The table of runs.

    `chosen` has the names of the columns that the user chose in the menu of the header; None shows
    the usual ones, as far as there is room. `opened(run)` is emitted when a run is selected,
    `checked_changed()` when a tick changed, `renamed(run, name)` and `removed(run)` when the user
    requests it.
    """

    opened = Signal(str)
    checked_changed = Signal()
    renamed = Signal(str, str)
    removed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__((), parent)
        self.runs = _RunsModel(run_columns(RunOutput.WINDOW))
        self.figures = self.runs
        self._sorted.setSourceModel(self.runs)
        self.runs.checked_changed.connect(self.checked_changed)
        self.runs.renamed.connect(self.renamed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)
        self.setEditTriggers(FigureTable.EditTrigger.EditKeyPressed)
        self.chosen: set[str] | None = None
        header = self.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self.choose_columns)
        header.setToolTip(tr("Right-click to choose columns"))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for at, column in enumerate(self.runs.run_columns):
            if column.width:
                self.setColumnWidth(at, column.width)
            else:
                header.setSectionResizeMode(at, QHeaderView.ResizeMode.Stretch)
        self.selectionModel().currentRowChanged.connect(self._row_changed)
        self._announcing = True

    def set_records(self, records: Sequence[RunRecord]) -> None:
        """Show these runs; the selected one stays selected."""
        current = self.current_run()
        self._announcing = False
        self.runs.set_records(records)
        self.select_run(current)
        self._announcing = True

    def current_run(self) -> str:
        """The id of the selected run, "" for none."""
        index = self.currentIndex()
        return self.runs.records[self.source_row(index)].id if index.isValid() else ""

    def select_run(self, run_id: str) -> None:
        """Select a run if it is in the table."""
        for at, record in enumerate(self.runs.records):
            if record.id == run_id:
                index = self.runs.index(at, self.runs.name_column)
                self.setCurrentIndex(self._sorted.mapFromSource(index))

    def checked(self) -> list[str]:
        """The ids of the ticked runs, in the order shown."""
        order = [
            self.runs.records[self.source_row(self._sorted.index(row, 0))].id
            for row in range(self._sorted.rowCount())
        ]
        return [run_id for run_id in order if run_id in self.runs.checked]

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Hide columns in a narrow table, so that the names of runs have room."""
        super().resizeEvent(event)
        self._show_columns()

    def shown_columns(self) -> set[str]:
        """The names of the columns shown: those chosen, else the usual ones that have room."""
        if self.chosen is not None:
            return self.chosen | {NAME}
        usual = run_columns(RunOutput.WINDOW, optional=False)
        return {column.name for column in usual if self.width() >= column.hidden_below}

    def _show_columns(self) -> None:
        """Show these columns; names get the room that is left, at least LEAST_NAME pixels."""
        shown, taken = self.shown_columns(), 0
        for at, column in enumerate(self.runs.run_columns):
            self.setColumnHidden(at, column.name not in shown)
            if column.name in shown and column.name != NAME:
                taken += self.columnWidth(at)
        fits = taken + LEAST_NAME <= self.viewport().width()
        mode = QHeaderView.ResizeMode.Stretch if fits else QHeaderView.ResizeMode.Interactive
        self.horizontalHeader().setSectionResizeMode(self.runs.name_column, mode)
        if not fits:
            self.setColumnWidth(self.runs.name_column, LEAST_NAME)

    def set_chosen(self, names: Collection[str] | None) -> None:
        """Show these columns; None shows the usual ones."""
        known = {column.name for column in self.runs.run_columns}
        self.chosen = None if names is None else known.intersection(names)
        self._show_columns()

    def choose_columns(self, at: QPoint | None = None) -> None:
        """Open the menu of the columns, at a point of the header."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        shown = self.shown_columns()
        for column in self.runs.run_columns:
            action = menu.addAction(tr(column.title).replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(column.name in shown)
            action.setEnabled(column.name != NAME)
            action.toggled.connect(partial(self._choose, column.name))
        menu.addSeparator()
        reset = menu.addAction(tr("Reset columns"), lambda: self.set_chosen(None))
        reset.setEnabled(self.chosen is not None)
        header = self.horizontalHeader()
        menu.popup(header.mapToGlobal(header.rect().bottomLeft() if at is None else at))

    def _choose(self, name: str, on: bool) -> None:
        shown = self.shown_columns()
        self.set_chosen(shown | {name} if on else shown - {name})

    def order(self) -> tuple[str, bool]:
        """The column by which the rows are sorted, "" for none, and whether descending."""
        at = self._sorted.sortColumn()
        name = self.runs.run_columns[at].name if at >= 0 else ""
        return name, self._sorted.sortOrder() is Qt.SortOrder.DescendingOrder

    def set_order(self, name: str, descending: bool) -> None:
        """Sort by a column; an unknown one changes nothing."""
        names = [column.name for column in self.runs.run_columns]
        if name in names:
            order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
            self.sortByColumn(names.index(name), order)

    def csv(self) -> str:
        """The runs as CSV text, in the order shown."""
        rows = range(self._sorted.rowCount())
        order = [self.source_row(self._sorted.index(row, 0)) for row in rows]
        return runs_csv(
            [self.runs.records[at] for at in order],
            lambda column: figure_column(column).title,
            cell_text,
        )

    def rename_current(self) -> None:
        """Start editing the name of the selected run."""
        index = self.currentIndex()
        if index.isValid():
            self.edit(index.siblingAtColumn(self.runs.name_column))

    def _row_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        if self._announcing and current.isValid():
            self.opened.emit(self.runs.records[self.source_row(current)].id)

    def _open_menu(self, at: QPoint) -> None:
        index = self.indexAt(at)
        if not index.isValid():
            return
        self.setCurrentIndex(index)
        run_id = self.current_run()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(tr("Rename"), self.rename_current)
        menu.addAction(tr("Delete run…"), lambda: self.removed.emit(run_id))
        menu.addSeparator()
        menu.addActions(self.actions())
        menu.popup(self.viewport().mapToGlobal(at))
