"""The columns of runs: the window, the CSV file and the commands show the same facts."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from tests.fixtures.finished_runs import fill, make_run
from workbench.app.results.run_columns import RUN_COLUMNS, RunColumn, RunOutput
from workbench.app.results.run_comparison import SinglePair
from workbench.cli.command import run
from workbench.domain.recipes import JOINT
from workbench.storage.project import Project
from workbench.ui.pages.results.comparison import PairsTable
from workbench.ui.pages.results.runs_table import RunsTable

USUAL = [
    *("Run", "Target", "Backbone", "Head", "Method", "Penalty", "Frozen", "Start", "Images"),
    *("Test top-1", "Epochs", "Time", "Memory", "Date", "Status"),
]
OPTIONAL = ["Image size", "Seed", "GPU memory", "Split", "Created", "Validation top-1", "Version"]
CREATED = 1.7e9
METRICS = {"validation": {"top1": 0.75}, "train": {"images": 7}}


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
    store.runs.update("alone", finished=CREATED + 7200, metrics=METRICS)
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


def rows():
    """The cells of the usual columns."""
    both, same = "category + view", ["SqueezeNet 1.1", "linear", "fine-tune", "none"]
    when = local(CREATED + 2), local(CREATED + 1), local(CREATED + 7200)
    tail = ["3", "0:03", "–"]
    return [
        ["broken", "category", "other", *[""] * 5, "–", "–", *tail, when[0], "failed"],
        ["joint", both, *same, "none", "cub.pth", "–", "100.0 %", *tail, when[1], "finished"],
        [
            "alone",
            "category",
            *same,
            "features.6",
            "imagenet",
            "7",
            "–",
            *tail,
            when[2],
            "finished",
        ],
    ]


def titles(table):
    """The titles of the columns shown."""
    columns = enumerate(table.figures.columns)
    return [column.title for at, column in columns if not table.isColumnHidden(at)]


def cells(table):
    """The cells of the columns shown."""
    shown = [at for at in range(len(table.figures.columns)) if not table.isColumnHidden(at)]
    return [[row[at] for at in shown] for row in table.cells()]


def place(table, title):
    return [column.title for column in table.figures.columns].index(title)


def test_the_window_shows_the_usual_columns_if_there_is_room(table):
    table.resize(1600, 300)
    table.show()
    assert titles(table) == USUAL
    assert cells(table) == rows()
    assert {column.title for column in table.figures.columns} == {*USUAL, *OPTIONAL}
    model = table.figures
    right = Qt.AlignmentFlag.AlignRight
    sides = [
        model.index(0, place(table, title)).data(Qt.ItemDataRole.TextAlignmentRole)
        for title in ("Head", "Images", "Test top-1", "Time", "Memory")
    ]
    assert [bool(side & right) for side in sides] == [False, True, True, True, True]


def test_a_narrow_window_leaves_out_what_the_names_of_runs_tell(table):
    table.show()
    left_out = {}
    for width in (1479, 1399, 1179, 959):
        table.resize(width, 300)
        left_out[width] = [title for title in USUAL if title not in titles(table)]
        assert table.columnWidth(place(table, "Run")) >= 180
    assert left_out[1479] == ["Target", "Start", "Epochs"]
    assert left_out[1399] == ["Target", "Start", "Epochs", "Date"]
    assert left_out[1179] == ["Target", "Start", "Images", "Epochs", "Memory", "Date"]
    assert left_out[959] == [*("Target", "Penalty"), *left_out[1179][1:]]


@pytest.mark.qt_log_ignore("does not support grabbing the keyboard", extend=True)
def test_chosen_columns_stay_whatever_the_width(table):
    table.resize(700, 300)
    table.show()
    before = titles(table)
    table.choose_columns()
    (menu,) = table.findChildren(QMenu)
    actions = {action.text(): action for action in menu.actions()}
    assert not actions["Run"].isEnabled()
    assert not actions["Reset columns"].isEnabled()
    assert [title for title in before if actions[title].isChecked()] == before
    assert not actions["Seed"].isChecked()
    actions["Seed"].trigger()
    menu.close()
    assert set(titles(table)) == {*before, "Seed"}
    table.resize(500, 300)
    assert set(titles(table)) == {*before, "Seed"}
    assert table.columnWidth(place(table, "Run")) >= 180, "the table scrolls"
    table.set_chosen(["seed", "of another version"])
    assert titles(table) == ["Run", "Seed"]
    table.set_order("seed", True)
    assert table.order() == ("seed", True)
    table.set_order("of another version", False)
    assert table.order() == ("seed", True)
    table.set_chosen(None)
    assert "Seed" not in titles(table)


def test_moments_are_sorted_as_moments_and_a_status_has_its_reason(table):
    date, status = place(table, "Date"), place(table, "Status")
    table.sortByColumn(date, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in table.cells()] == ["alone", "broken", "joint"]
    model = table.figures
    tips = [model.index(0, each).data(Qt.ItemDataRole.ToolTipRole) for each in (date, status)]
    assert tips == [local(CREATED + 2), "The memory of the device is full."]
    assert model.index(1, status).data(Qt.ItemDataRole.ToolTipRole) == "finished"
    columns = range(len(model.columns))
    icons = [each for each in columns if model.index(0, each).data(Qt.ItemDataRole.DecorationRole)]
    assert icons == [status]


def test_times_and_memory_are_sorted_as_numbers(qtbot, records):
    table = RunsTable()
    qtbot.addWidget(table)
    slow = replace(records[0], seconds=3700.0, memory=900_000_000)
    quick = replace(records[1], seconds=59.6, memory=12_340_000_000)
    table.set_records([slow, quick, replace(records[2], seconds=0.0)])
    time_at, memory_at = place(table, "Time"), place(table, "Memory")
    table.sortByColumn(time_at, Qt.SortOrder.AscendingOrder)
    assert [(row[0], row[time_at], row[memory_at]) for row in table.cells()] == [
        ("alone", "–", "–"),
        ("joint", "1:00", "12.3 GB"),
        ("broken", "1:01:40", "900 MB"),
    ]
    table.sortByColumn(memory_at, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in table.cells()] == ["joint", "broken", "alone"]


def test_the_file_has_all_columns_behind_the_id(table):
    found = list(csv.DictReader(io.StringIO(table.csv())))
    assert next(iter(found[0])) == "id"
    assert {*found[0]} == {"id", *USUAL, *OPTIONAL}
    of_name = {row[0]: row for row in rows()}
    for row in found:
        assert [row[title] for title in USUAL] == of_name[row["id"]]


def printed(capsys, *words):
    assert run(["runs", *words]) == 0
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_the_command_prints_its_columns_in_their_order(records, tmp_path, capsys):
    first, *lines = printed(capsys, str(tmp_path / "birds"))
    assert first == [
        *("run", "name", "target", "status", "made", "validation", "test", "backbone", "head"),
        *("method", "penalty", "frozen", "images", "seconds", "memory"),
    ]
    assert lines[2] == [
        *("alone", "alone", "category", "finished", *local(CREATED).split(), "0.7500", "–"),
        *("squeezenet1_1", "linear", "fine-tune", "none", "features.6", "7", "3", "–"),
    ]


def test_the_command_prints_the_columns_that_are_chosen(records, tmp_path, capsys):
    project = str(tmp_path / "birds")
    lines = printed(capsys, project, "--columns", "name, seed,size")
    assert lines[:2] == [["name", "seed", "size"], ["broken", "–", "–"]]
    assert lines[3] == ["alone", "0", "224"]
    assert {"device_memory", "split"} <= {*printed(capsys, project, "--columns", "all")[0]}
    assert run(["runs", project, "--columns", "name,speed"]) == 2
    error = capsys.readouterr().err
    assert "speed" in error
    assert "all, or some of: run, name" in error


def test_the_object_of_a_run_has_its_keys_in_their_order(records, tmp_path, capsys):
    assert run(["runs", str(tmp_path / "birds"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    first = {"run": "broken", "name": "broken", "status": "failed", "target": "category"}
    first |= {"epochs": 3, "message": "The memory of the device is full."}
    first |= {"version": "", "backbone": "other", "head": "", "method": "", "penalty": ""}
    first |= {"frozen": "", "start": "", "images": None, "size": None, "seed": None, "test": None}
    first |= {"seconds": 3.0, "memory": None, "device_memory": None, "when": CREATED + 2}
    first |= {"split": "", "made": CREATED + 2, "validation": None, "parts": {}}
    assert list(found[0].items()) == list(first.items())
    assert found[2]["parts"]["validation"] == {"top1": 0.75}


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
    letters = place(table, "Letters")
    assert [row[letters] for row in table.cells()] == ["6", "5", "5"]
    assert table.columnWidth(letters) == 50
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
