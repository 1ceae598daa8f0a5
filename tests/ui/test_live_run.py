"""What the Train page shows of a run as it goes: its bar, its curves, and what is kept of it."""

import dataclasses

import numpy as np
import pytest
from PySide6.QtCore import Qt

from tests.fixtures.finished_runs import epoch
from workbench.domain.reports import Note, Started, Step
from workbench.domain.runs import LabelList, RunLabels, RunRecord, RunStatus
from workbench.domain.text import Message
from workbench.ui.pages.train.live_run import LiveRun
from workbench.ui.parts.curve_group import LIVE_POINTS

RECORD = RunRecord(
    id="r1",
    name="first",
    status=RunStatus.RUNNING,
    target="category",
    recipe_toml="",
    labels=RunLabels(LabelList("category", ("a", "b"), (0, 1))),
    created=1.0,
    metrics={},
)


def step(at, of=4, number=1, epochs=10, loss=1.0):
    return Step(
        epoch=number,
        epochs=epochs,
        step=at,
        steps=of,
        loss=loss,
        learning_rate=0.01,
        images_per_second=50.0,
        eta=9.0,
    )


def started(number):
    return Started(
        device=Message("cpu"),
        precision="fp32",
        batch=4,
        parameters=1,
        trained_parameters=1,
        images={"train": 8},
        epoch=number,
    )


@pytest.fixture
def live(qtbot):
    made = LiveRun(lambda text, kind: None)
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.show()
    return made


def losses(live):
    return live._histories["r1"].xs, live._histories["r1"].ys


def test_the_bar_counts_steps_within_epochs_and_whole_epochs(live):
    live.show_run(RECORD, [])
    assert live.run_id == "r1"
    assert live.bar.value() == 0
    for report, value in (
        (step(1, of=4, number=1), 25),
        (step(2, of=4, number=3), 250),
        (step(4, of=4, number=10), 1000),
        (step(0, of=0, number=2), 100),
        (epoch(2, epochs=10), 200),
    ):
        live.add_report("r1", report)
        live.show_record(RECORD)
        assert live.bar.value() == value


def test_losses_are_drawn_at_their_share_of_an_epoch_and_later_ones_are_removed_on_resume(live):
    live.show_run(RECORD, [])
    for number in (1, 2, 3):
        for at in (1, 2):
            live.add_report("r1", step(at, of=2, number=number, loss=number + at / 10))
    assert losses(live) == ([0.5, 1.0, 1.5, 2.0, 2.5, 3.0], [1.1, 1.2, 2.1, 2.2, 3.1, 3.2])
    live.add_report("r1", started(1))
    assert losses(live) == ([0.5, 1.0], [1.1, 1.2])
    live.add_report("r1", started(0))
    assert losses(live) == ([], [])


def test_old_losses_are_thinned_to_every_other_one(live):
    live.show_run(RECORD, [])
    for at in range(1, LIVE_POINTS + 2):
        live.add_report("r1", step(at, of=LIVE_POINTS + 1, loss=float(at)))
    xs, ys = losses(live)
    assert ys == [float(at) for at in range(1, LIVE_POINTS + 2, 2)]
    assert np.allclose(xs, np.array(ys) / (LIVE_POINTS + 1))


def test_an_epoch_made_again_replaces_itself_and_those_behind_it(live):
    live.show_run(RECORD, [epoch(1), epoch(2), epoch(3)])
    live.add_report("r1", epoch(2))
    assert [one.epoch for one in live._histories["r1"].epochs] == [1, 2]
    live.add_report("r1", epoch(3))
    live.show_run(RECORD, [epoch(1)])  # the project knows fewer than were reported here
    assert [one.epoch for one in live._histories["r1"].epochs] == [1, 2, 3]
    live.show_run(RECORD, [epoch(1), epoch(2), epoch(3), epoch(4)])
    assert [one.epoch for one in live._histories["r1"].epochs] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("status", "bar", "results", "role"),
    [
        (RunStatus.RUNNING, True, False, "muted"),
        (RunStatus.FINISHED, False, True, "muted"),
        (RunStatus.STOPPED, False, False, "muted"),
        (RunStatus.FAILED, False, False, "bad"),
    ],
)
def test_only_a_running_run_has_a_bar_and_only_a_finished_one_results(
    live, status, bar, results, role
):
    live.show_run(dataclasses.replace(RECORD, status=status, message="No memory."), [])
    assert live.bar.isVisible() is bar
    assert live.results.isVisible() is results
    assert live.status.property("role") == role
    assert ("No memory." in live.status.text()) is (status is RunStatus.FAILED)


def test_reports_of_another_run_are_kept_for_it_and_do_not_show(qtbot, live):
    live.show_run(RECORD, [])
    live.add_report("r2", step(2, of=4, epochs=1))
    live.add_report("r1", Note(text=Message("Loading the weights")))
    qtbot.waitUntil(lambda: "Loading the weights" in live.status.text())
    assert live.bar.value() == 0
    live.show_run(dataclasses.replace(RECORD, id="r2", name="second"), [])
    assert (live.name.text(), live.bar.value()) == ("second", 500)
    live.forget("r1")
    assert live.run_id == "r2"
    live.forget("r2")
    assert live.run_id == ""


def test_its_button_opens_the_results_of_the_shown_run(qtbot, live):
    live.show_run(dataclasses.replace(RECORD, status=RunStatus.FINISHED), [])
    with qtbot.waitSignal(live.results_requested) as asked:
        qtbot.mouseClick(live.results, Qt.MouseButton.LeftButton)
    assert asked.args == ["r1"]
