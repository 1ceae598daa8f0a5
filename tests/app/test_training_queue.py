"""Trainings from a project, by real processes: to the end, paused, stopped, failed, tried."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from tests.fixtures.systems import linux
from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.session import Session
from workbench.app.training.preparing import prepare
from workbench.app.training.training import RunControl, recover, training_task, trial_task
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.errors import KnownError
from workbench.domain.reports import Epoch, Note, Started, Step, Trial
from workbench.domain.runs import CHECKPOINT_FILE, WEIGHTS_FILE, RunStatus
from workbench.domain.splits import Part

WAIT = 120_000
ENDLESS = {**FAST, "epochs": 100_000}


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qapp: object) -> Iterator[Session]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = small_project(tmp_path)
    yield made
    made.close()


@pytest.fixture
def queue(session: Session) -> Iterator[TrainingQueue]:
    made = TrainingQueue(session)
    yield made
    made.close()
    session.jobs.stop_all_and_wait()


def test_a_run_is_trained_and_its_results_stored(session: Session) -> None:
    record = prepare(session, FAST)
    heard: list[object] = []
    outcome = run_here(training_task(session, record.id), heard.append)
    assert outcome == Done(RunStatus.FINISHED)
    assert any(isinstance(report, Note) and "no split" in report.text for report in heard)
    after = session.store.runs.get(record.id)
    assert after.status is RunStatus.FINISHED
    assert after.epochs_done == 2
    assert after.started is not None
    assert after.finished is not None
    assert set(after.metrics) == {"train", "validation", "test"}
    assert [epoch.epoch for epoch in session.store.runs.epochs(record.id)] == [1, 2]
    table = session.store.runs.predictions(record.id)
    assert len(table) == 36
    test = table.of_part(Part.TEST)
    top1 = float((test.predicted == test.truth).mean())
    assert top1 == pytest.approx(after.metrics["test"]["top1"])
    np.testing.assert_allclose(table.scores.sum(axis=1), 1, rtol=1e-3)
    with pytest.raises(KnownError, match="finished"):
        training_task(session, record.id)
    again = prepare(session, {**FAST, "start": f"run:{record.id}", "epochs": 1})
    assert run_here(training_task(session, again.id)) == Done(RunStatus.FINISHED)


def test_queue_trains_one_after_the_other_and_pauses(
    qtbot: QtBot, session: Session, queue: TrainingQueue
) -> None:
    first, second = prepare(session, ENDLESS), prepare(session, FAST)
    queue.enqueue(first.id)
    queue.enqueue(second.id)
    assert queue.current == first.id
    assert queue.waiting == (second.id,)
    with qtbot.waitSignal(
        queue.reported, timeout=WAIT, check_params_cb=lambda run, report: isinstance(report, Epoch)
    ):
        pass
    assert queue.state(first.id) is RunStatus.RUNNING
    with pytest.raises(KnownError, match="in training cannot be removed"):
        queue.remove(first.id)
    with qtbot.waitSignal(queue.ended, timeout=WAIT):
        queue.pause(first.id)
    assert queue.state(first.id) is RunStatus.PAUSED
    assert (session.store.runs_folder / first.id / CHECKPOINT_FILE).exists()
    assert queue.current == second.id
    with qtbot.waitSignal(queue.ended, timeout=WAIT) as ended:
        pass
    assert ended.args == [second.id, Done(RunStatus.FINISHED)]
    done = session.store.runs.get(first.id).epochs_done
    queue.resume(first.id)
    with qtbot.waitSignal(
        queue.reported,
        timeout=WAIT,
        check_params_cb=lambda run, report: isinstance(report, Started) and report.epoch >= done,
    ):
        pass
    with qtbot.waitSignal(queue.ended, timeout=WAIT):
        queue.stop(first.id)
    assert queue.state(first.id) is RunStatus.STOPPED
    assert (session.store.runs_folder / first.id / WEIGHTS_FILE).exists()
    queue.remove(first.id)
    assert [record.id for record in session.store.runs.all()] == [second.id]
    assert not (session.store.runs_folder / first.id).exists()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RunStatus.FINISHED, RunStatus.FINISHED),
        (RunStatus.PAUSED, RunStatus.STOPPED),
        (RunStatus.FAILED, RunStatus.STOPPED),
    ],
)
def test_only_a_run_that_can_be_resumed_is_stopped(
    session: Session, queue: TrainingQueue, before: RunStatus, after: RunStatus
) -> None:
    run = prepare(session, FAST).id
    session.store.runs.update(run, status=before)
    queue.stop(run)
    assert queue.state(run) is after


def test_closing_the_project_pauses_what_runs(session: Session, qtbot: QtBot) -> None:
    queue = TrainingQueue(session)
    running, waiting = prepare(session, ENDLESS), prepare(session, FAST)
    queue.enqueue(running.id)
    queue.enqueue(waiting.id)
    with qtbot.waitSignal(
        queue.reported,
        timeout=WAIT,
        check_params_cb=lambda run, report: isinstance(report, Epoch | Step),
    ):
        pass
    queue.close()
    session.jobs.stop_all_and_wait()
    assert {record.status for record in session.store.runs.all()} == {RunStatus.PAUSED}


@linux
def test_a_killed_training_fails_and_can_go_on(session: Session) -> None:
    record = prepare(session, {**FAST, "epochs": 200})
    killed: list[int] = []

    def kill(report: object) -> None:
        if isinstance(report, Epoch) and not killed:
            for pid in _children():
                killed.append(pid)
                os.kill(pid, signal.SIGKILL)

    outcome = run_here(training_task(session, record.id), kill)
    assert isinstance(outcome, Failed)
    assert "signal 9" in outcome.sentence
    assert not outcome.report
    assert session.store.runs.get(record.id).status is RunStatus.FAILED
    assert "signal 9" in session.store.runs.get(record.id).message
    control = RunControl()
    outcome = run_here(training_task(session, record.id, control), lambda report: control.stop())
    assert outcome == Done(RunStatus.STOPPED)


def _children() -> list[int]:
    """Learning programs of this process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            words = (status.parent / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if int(fields[1]) == os.getpid() and b"workbench.learning" in words:
            found.append(int(status.parent.name))
    return found


def test_a_failed_training_reports_why(session: Session, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"nothing of use")
    record = prepare(session, {**FAST, "start": f"file:{wrong}"})
    outcome = run_here(training_task(session, record.id))
    assert isinstance(outcome, Failed)
    assert "start.safetensors" in outcome.sentence
    assert "start.safetensors" in session.store.runs.get(record.id).message


def test_runs_found_running_are_paused_at_opening(session: Session) -> None:
    record = prepare(session, FAST)
    session.store.runs.update(record.id, status=RunStatus.RUNNING)
    recover(session)
    assert session.store.runs.get(record.id).status is RunStatus.PAUSED


def test_a_trial_needs_no_split_and_leaves_nothing(session: Session) -> None:
    outcome = run_here(trial_task(session, FAST))
    assert isinstance(outcome, Done)
    assert isinstance(outcome.value, Trial)
    assert outcome.value.total_seconds > 0
    assert session.store.splits.current() is None
    assert not list(session.store.runs_folder.iterdir())


def test_a_run_of_another_project_waits_its_turn_and_is_stored_there(
    session: Session, queue: TrainingQueue, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "other").mkdir()
    other = small_project(tmp_path / "other")
    try:
        own, strange = prepare(session, FAST), prepare(other, FAST)
        waiting = prepare(other, FAST)
        queue.enqueue(own.id)
        queue.enqueue(strange.id, other)
        queue.enqueue(waiting.id, other)
        assert queue.current == own.id
        assert queue.waiting == (strange.id, waiting.id)
        assert queue.holds(strange.id)
        assert queue.state(strange.id) is RunStatus.QUEUED
        queue.pause(waiting.id)
        assert other.store.runs.get(waiting.id).status is RunStatus.PAUSED
        with qtbot.waitSignal(
            queue.ended, timeout=WAIT, check_params_cb=lambda run, _: run == strange.id
        ):
            pass
        assert not queue.holds(strange.id)
        assert other.store.runs.get(strange.id).status is RunStatus.FINISHED
        assert len(other.store.runs.predictions(strange.id)) > 0
        assert strange.id not in {run.id for run in session.store.runs.all()}
    finally:
        other.close()
