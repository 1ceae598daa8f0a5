"""The queue of trainings: its order, and for each run its buttons, bar and words."""

import dataclasses

import pytest
from PySide6.QtCore import Qt

from workbench.domain.reports import Progress, Step
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.text import Message
from workbench.ui.pages.train.queue_panel import QueuePanel, queue_order

LABELS = RunLabels(LabelList("category", ("a", "b"), (0, 1)))


def record(name, status=RunStatus.FINISHED, created=1.0, **more):
    return RunRecord(name, f"run {name}", status, "category", "", LABELS, created, **more)


def test_running_then_waiting_then_paused_then_the_newest_ended_run():
    records = [
        record("f1", RunStatus.FINISHED, 1.0),
        record("p2", RunStatus.PAUSED, 2.0),
        record("q5", RunStatus.QUEUED, 5.0),
        record("q3", RunStatus.QUEUED, 3.0),
        record("x4", RunStatus.FAILED, 4.0),
        record("r6", RunStatus.RUNNING, 6.0),
        record("s7", RunStatus.STOPPED, 7.0),
        record("p1", RunStatus.PAUSED, 1.5),
    ]
    order = ["r6", "q3", "q5", "p1", "p2", "s7", "x4", "f1"]
    assert [one.id for one in queue_order(records)] == order
    assert [one.id for one in queue_order(records, ended=1)] == order[:6]
    ended = [record(str(at), created=float(at)) for at in range(9)]
    assert [one.id for one in queue_order(ended)] == ["8", "7", "6", "5", "4", "3"]


@pytest.fixture
def panel(qtbot):
    made = QueuePanel()
    qtbot.addWidget(made)
    made.resize(300, 500)
    made.show()
    made.reported = []
    made.picked.connect(lambda run: made.reported.append(("picked", run)))
    made.action_requested.connect(lambda name, run: made.reported.append((name, run)))
    return made


def rows(panel):
    column = panel._column
    found = [column.itemAt(at).widget() for at in range(column.count())]
    return [row.run_id for row in found if hasattr(row, "run_id")]


def test_rows_are_ordered_and_unchanged_ones_reused(panel):
    assert panel._none.isVisible()
    runs = [record(name) for name in "abc"]
    panel.show_runs(runs, shown="b")
    assert rows(panel) == ["a", "b", "c"]
    assert not panel._none.isVisible()
    kept = panel.row("b")
    panel.show_runs([runs[2], runs[1]], shown="c")
    assert rows(panel) == ["c", "b"]
    assert panel.row("b") is kept
    assert panel.row("a") is None
    marked = {name: panel.row(name).frameShape() != kept.Shape.NoFrame for name in "bc"}
    assert marked == {"b": False, "c": True}
    panel.show_runs([], shown="")
    assert rows(panel) == []
    assert panel._none.isVisible()


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        (RunStatus.QUEUED, {"pause", "remove"}),
        (RunStatus.RUNNING, {"pause", "stop"}),
        (RunStatus.PAUSED, {"resume", "stop", "remove"}),
        (RunStatus.FAILED, {"resume", "remove"}),
        (RunStatus.STOPPED, {"remove"}),
        (RunStatus.FINISHED, set()),
    ],
)
def test_only_what_can_be_done_with_a_run_has_a_button(qtbot, panel, status, buttons):
    panel.show_runs([record("a", status)], shown="")
    row = panel.row("a")
    qtbot.waitUntil(row.isVisible)
    assert {name for name, button in row.buttons.items() if button.isVisible()} == buttons
    for name in sorted(buttons):
        qtbot.mouseClick(row.buttons[name], Qt.MouseButton.LeftButton)
    assert panel.reported == [(name, "a") for name in sorted(buttons)]
    assert row._bar.isVisible() is (status is RunStatus.RUNNING)


def test_a_row_is_picked_by_a_click_or_a_key(qtbot, panel):
    panel.show_runs([record("a"), record("b")], shown="a")
    qtbot.mouseClick(panel.row("b"), Qt.MouseButton.LeftButton)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_A):
        qtbot.keyClick(panel.row("a"), key)
    assert panel.reported == [("picked", "b"), *[("picked", "a")] * 3]


def test_a_running_row_shows_how_far_it_is_and_a_failed_one_why(panel):
    running = record("a", RunStatus.RUNNING)
    panel.show_runs([running, record("b", RunStatus.QUEUED)], shown="")
    row = panel.row("a")
    panel.add_report("a", Progress(done=1, total=4, text=Message("Reading"), eta=61.0))
    panel.add_report("none", Progress(done=1))
    assert row._bar.value() == 250
    assert "Reading" in row._text.text()
    assert "1:01" in row._text.text()
    step = Step(
        epoch=2,
        epochs=4,
        step=1,
        steps=2,
        loss=1.0,
        learning_rate=0.1,
        images_per_second=9.0,
        eta=3.0,
    )
    panel.add_report("a", step)
    assert row._bar.value() == 375
    failed = dataclasses.replace(running, status=RunStatus.FAILED, message="No memory is left.")
    panel.show_runs([failed], shown="")
    assert "No memory is left." in row._text.text()
    assert "1:01" not in row._text.text()
    scored = {"test": {"top1": 0.875, "top5": 1.0, "loss": 0.1, "images": 8}}
    panel.show_runs([record("a", metrics=scored)], shown="")
    assert "87.5" in row._text.text()
    assert "No memory is left." not in row._text.text()
