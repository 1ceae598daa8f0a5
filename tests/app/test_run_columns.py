"""The columns of runs: the window, the CSV file and the commands show the same facts."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.results.run_columns import RUN_COLUMNS, RunColumn, RunOutput
from workbench.app.results.run_comparison import SinglePair
from workbench.cli.command import run
from workbench.domain.recipes import JOINT
from workbench.storage.project import Project
from workbench.ui.pages.results.comparison import PairsTable
from workbench.ui.pages.results.runs_table import RunsTable

HEADS = ["Run", "Target", "Backbone", "Start", "Test top-1", "Epochs", "Date", "Status"]
WIDTHS = [136, 128, 120, 92, 64, 152, 96]  # pixels of all columns but the first
CREATED = 1.7e9


def local(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


@pytest.fixture
def records(tmp_path, qapp):
    """Three runs, the newest first, of the project `birds.workbench`."""
    store = Project.create(tmp_path / "birds.workbench")
    images = fill(store, tmp_path / "photos")
    make_run(store, images, "alone", wrong=[4, 5, 14], frozen="features.6")
    make_run(store, images, "joint", target=JOINT, start="file:/weights/cub.pth")
    make_run(store, images, "broken", status="failed")
    store.runs.update("alone", finished=CREATED + 7200, metrics={"validation": {"top1": 0.75}})
    store.runs.update("broken", metrics={}, recipe_toml='backbone = "other"\n')
    made = store.runs.all()
    store.close()
    return made


@pytest.fixture
def table(qtbot, records):
    made = RunsTable()
    qtbot.addWidget(made)
    made.set_records(records)
    return made


def rows(records):
    both = "category + view"
    when = local(CREATED + 2), local(CREATED + 1), local(CREATED + 7200)
    return [
        ["broken", "category", "other", "", "–", "3", when[0], "failed"],
        ["joint", both, "SqueezeNet 1.1", "cub.pth", "100.0 %", "3", when[1], "finished"],
        ["alone", "category", "SqueezeNet 1.1", "imagenet", "–", "3", when[2], "finished"],
    ]


def test_the_window_shows_its_columns_with_their_widths(table, records):
    assert [each.title for each in table.figures.columns] == HEADS
    assert table.cells() == rows(records)
    assert [table.columnWidth(at) for at in range(1, 8)] == WIDTHS
    model = table.figures
    tips = [
        model.headerData(at, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
        for at in range(8)
    ]
    assert tips == ["Tick several runs to compare their curves", *[None] * 7]
    sides = [model.index(0, at).data(Qt.ItemDataRole.TextAlignmentRole) for at in range(8)]
    right = [bool(side & Qt.AlignmentFlag.AlignRight) for side in sides]
    assert [at for at in range(8) if right[at]] == [4, 5]


def test_a_narrow_window_leaves_out_the_start_and_then_the_epochs(table):
    hidden = {}
    table.show()
    for width in (1000, 999, 880, 879):
        table.resize(width, 300)
        hidden[width] = [HEADS[at] for at in range(8) if table.isColumnHidden(at)]
    assert hidden == {1000: [], 999: ["Start"], 880: ["Start"], 879: ["Start", "Epochs"]}


def test_moments_are_sorted_as_moments_and_a_status_has_its_reason(table):
    table.sortByColumn(6, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in table.cells()] == ["alone", "broken", "joint"]
    model = table.figures
    tips = [model.index(0, at).data(Qt.ItemDataRole.ToolTipRole) for at in (6, 7)]
    assert tips == [local(CREATED + 2), "The memory of the device is full."]
    assert model.index(1, 7).data(Qt.ItemDataRole.ToolTipRole) == "finished"
    icons = [not model.index(0, at).data(Qt.ItemDataRole.DecorationRole) for at in range(8)]
    assert icons == [True] * 7 + [False]


def test_the_file_has_the_columns_of_the_window_behind_the_id(table, records):
    table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    of_name = {row[0]: row for row in rows(records)}
    lines = [["id", *HEADS, "Version"]]
    lines += [[name, *of_name[name], ""] for name in sorted(of_name)]
    assert table.csv() == "".join(",".join(line) + "\n" for line in lines)


def test_the_command_prints_its_columns_in_their_order(records, tmp_path, capsys):
    assert run(["runs", str(tmp_path / "birds")]) == 0
    made = [local(CREATED + at) for at in (2, 1, 0)]
    assert capsys.readouterr().out.splitlines() == [
        "run     name    target         status    made              validation    test",
        f"broken  broken  category       failed    {made[0]}           –       –",
        f"joint   joint   category+view  finished  {made[1]}           –  1.0000",
        f"alone   alone   category       finished  {made[2]}      0.7500       –",
    ]


def test_the_object_of_a_run_has_its_keys_in_their_order(records, tmp_path, capsys):
    assert run(["runs", str(tmp_path / "birds"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    first = {"run": "broken", "name": "broken", "status": "failed", "target": "category"}
    first |= {"epochs": 3, "message": "The memory of the device is full."}
    first |= {"version": "", "split": "", "parts": {}}
    assert list(found[0].items()) == list(first.items())
    assert found[2]["parts"] == {"validation": {"top1": 0.75}}


def test_pairs_are_compared_in_the_columns_of_both_runs(qtbot, records):
    pairs = PairsTable()
    qtbot.addWidget(pairs)
    titles = [each.title for each in pairs.table.figures.columns]
    runs = ["With views", "Alone"]
    assert titles == [*runs, "Backbone", "Frozen", "Alone", "With views", "Gain (points)"]
    _, joint, alone = records
    alone = replace(alone, metrics={"test": {"top1": 0.9}})
    pairs.show_pairs([SinglePair(alone, joint), SinglePair(joint, alone)])
    assert pairs.table.cells() == [
        ["joint", "alone", "SqueezeNet 1.1", "none", "90.0 %", "100.0 %", "+10.0"],
        ["alone", "joint", "SqueezeNet 1.1", "features.6", "100.0 %", "90.0 %", "−10.0"],
    ]


@pytest.fixture
def added():
    """One more column, for all places."""
    column = RunColumn(
        "letters",
        "Letters",
        lambda each: len(each.name),
        "letters of the name",
        kind="count",
        width=50,
        outputs=RunOutput.TABLE | RunOutput.PRINTED | RunOutput.PAIRS,
    )
    with RUN_COLUMNS.temporarily(column.name, column):
        yield


def test_one_entry_adds_a_column_to_every_output(qtbot, added, records, tmp_path, capsys):
    table = RunsTable()
    qtbot.addWidget(table)
    table.set_records(records)
    assert [each.title for each in table.figures.columns] == [*HEADS, "Letters"]
    assert [row[8] for row in table.cells()] == ["6", "5", "5"]
    assert table.columnWidth(8) == 50
    assert [line.rsplit(",")[-1] for line in table.csv().splitlines()] == ["Letters", *"655"]

    assert run(["runs", str(tmp_path / "birds")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[-1] for line in lines] == ["letters", *"655"]
    assert run(["runs", str(tmp_path / "birds"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert [each["letters"] for each in found] == [6, 5, 5]

    pairs = PairsTable()
    qtbot.addWidget(pairs)
    pairs.show_pairs([SinglePair(records[2], records[1])])
    assert pairs.table.figures.columns[4].title == "Letters"
    assert pairs.table.cells()[0][4] == "5"
