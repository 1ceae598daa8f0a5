"""The table of runs: which is shown, which are ticked, and how one is renamed or removed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QMenu

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.results.run_columns import RunOutput
from workbench.ui.pages.results.runs_table import RunsTable

NAMES = ("first", "second", "third")


@pytest.fixture
def records(session, tmp_path):
    images = fill(session.store, tmp_path / "photos")
    states = ("finished", "failed", "running")
    for name, status in zip(NAMES, states, strict=True):
        make_run(session.store, images, name, status=status)
    return [session.store.runs.get(name) for name in NAMES]


@pytest.fixture
def table(qtbot, records):
    made = RunsTable()
    qtbot.addWidget(made)
    made.resize(1200, 300)
    made.show()
    made.set_records(records)
    return made


def test_selecting_a_run_opens_it_and_new_records_do_not(table, records):
    opened = []
    table.select_run("third")
    table.opened.connect(opened.append)
    table.select_run("unknown")
    assert table.current_run() == "third"
    table.select_run("second")
    assert (table.current_run(), opened) == ("second", ["second"])
    table.set_records(records[::-1])
    assert (table.current_run(), opened) == ("second", ["second"])
    table.select_run("first")
    assert opened == ["second", "first"]


def test_ticked_runs_are_listed_in_the_order_shown(qtbot, table, records):
    heard = []
    table.checked_changed.connect(lambda: heard.append(table.checked()))
    name, role = table.runs.name_column, Qt.ItemDataRole.CheckStateRole
    for row in (2, 0):
        table.runs.setData(table.runs.index(row, name), Qt.CheckState.Checked.value, role)
    assert heard == [["third"], ["first", "third"]]
    states = [Qt.CheckState(table.runs.index(row, name).data(role)) for row in range(3)]
    assert states == [Qt.CheckState.Checked, Qt.CheckState.Unchecked, Qt.CheckState.Checked]
    table.sortByColumn(name, Qt.SortOrder.DescendingOrder)
    assert table.checked() == ["third", "first"]
    assert [line.split(",")[0] for line in table.csv().splitlines()[1:]] == list(NAMES[::-1])
    table.runs.setData(table.runs.index(2, name), Qt.CheckState.Unchecked.value, role)
    assert table.checked() == ["first"]
    table.set_records(records[1:])
    assert table.checked() == []
    assert table.runs.index(0, 1).data(role) is None or table.runs.name_column == 1


def test_names_are_edited_and_blank_ones_refused(qtbot, table):
    heard = []
    table.renamed.connect(lambda *what: heard.append(what))
    name = table.runs.name_column
    assert table.runs.setData(table.runs.index(1, name), " better ")
    assert not table.runs.setData(table.runs.index(1, name), "  ")
    assert not table.runs.setData(table.runs.index(1, name), "x", Qt.ItemDataRole.UserRole)
    assert heard == [("second", "better")]
    editable = Qt.ItemFlag.ItemIsEditable
    flags = [table.runs.flags(table.runs.index(0, at)) for at in range(table.runs.columnCount())]
    assert [at for at, flag in enumerate(flags) if flag & editable] == [name]
    table.select_run("third")
    table.rename_current()
    [editor] = table.viewport().findChildren(QLineEdit)
    assert editor.text() == "third"


def test_a_state_has_an_icon_and_its_reason(table):
    status = table.runs._names.index("status")

    def data(row, column, role):
        return table.runs.index(row, column).data(role)

    tips = [data(row, status, Qt.ItemDataRole.ToolTipRole) for row in range(3)]
    assert tips[1] == "The memory of the device is full."
    assert tips[0] == data(0, status, Qt.ItemDataRole.DisplayRole)
    icons = [
        data(row, status, Qt.ItemDataRole.DecorationRole).pixmap(16, 16).toImage()
        for row in range(3)
    ]
    assert icons[0] not in (icons[1], icons[2])
    assert data(0, table.runs.name_column, Qt.ItemDataRole.DecorationRole) is None
    assert data(0, status, Qt.ItemDataRole.CheckStateRole) is None


def test_narrow_tables_leave_columns_out(qtbot, table):
    bounds = {c.hidden_below for c in table.runs.run_columns if c.hidden_below}
    for width in sorted(bounds):
        for wide, hidden in ((width, False), (width - 1, True)):
            table.resize(wide, 300)
            found = {
                table.isColumnHidden(at)
                for at, column in enumerate(table.runs.run_columns)
                if column.hidden_below == width and RunOutput.WINDOW not in column.optional
            }
            assert found == {hidden}
    table.resize(1600, 300)
    for at, column in enumerate(table.runs.run_columns):
        mode = "Interactive" if column.width else "Stretch"
        assert table.horizontalHeader().sectionResizeMode(at).name == mode


@pytest.mark.qt_log_ignore("does not support grabbing the keyboard", extend=True)
def test_the_menu_of_a_run_selects_renames_and_removes_it(qtbot, table):
    removed = []
    table.removed.connect(removed.append)
    table.customContextMenuRequested.emit(table.viewport().rect().bottomLeft())
    assert table.findChildren(QMenu) == []
    index = table.model().index(1, 2)
    table.customContextMenuRequested.emit(table.visualRect(index).center())
    assert table.current_run() == "second"
    [menu] = table.findChildren(QMenu)
    assert [action.text() for action in menu.actions()][:2] == ["Rename", "Delete run…"]
    menu.actions()[1].trigger()
    assert removed == ["second"]
    menu.close()
