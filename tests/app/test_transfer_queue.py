"""The steps of a transfer, one after the other: voted on, refused, failed, stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from tests.fixtures.trained_transfers import store_transfer
from workbench.app.session import Session
from workbench.app.training.training_queue import TrainingQueue
from workbench.app.transfer.transfer_queue import TransferQueue
from workbench.app.transfer.transfer_runs import TransferStage
from workbench.app.transfer.transferring import keep, latest
from workbench.domain.runs import RunStatus
from workbench.domain.transfers import Transfer

WAIT = 60_000


@dataclass
class Running:
    """A queue of transfers, its project, and what it emitted."""

    session: Session
    trainings: TrainingQueue
    queue: TransferQueue
    transfer: Transfer
    changed: list[TransferStage | None] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    finished: list[Transfer] = field(default_factory=list)
    counts: list[tuple[int, int]] = field(default_factory=list)


@pytest.fixture
def running(tmp_path: Path, qapp: object) -> Iterator[Running]:
    session, transfer = store_transfer(tmp_path, compare_views=False)
    trainings = TrainingQueue(session)
    queue = TransferQueue(session, trainings)
    made = Running(session, trainings, queue, transfer)
    queue.changed.connect(lambda: made.changed.append(queue.stage))
    queue.changed.connect(lambda: made.counts.append(queue.trained))
    queue.refused.connect(made.refused.append)
    queue.finished.connect(made.finished.append)
    yield made
    trainings.close()
    session.jobs.stop_all_and_wait()
    session.close()


def without_last_candidate(running: Running) -> Transfer:
    """The transfer of which the run with six layers was removed, and the source is damaged."""
    running.session.remove_run("layers-6")
    source = running.session.store.folder.with_name("Finches.workbench") / "runs" / "source"
    source.mkdir(parents=True)
    for file in ("weights.safetensors", "model.json"):
        (source / file).write_text("{}")
    return latest(running.session, running.transfer)


def test_trained_candidates_are_voted_on_at_once(running: Running) -> None:
    assert (running.queue.current, running.queue.stage) == (None, None)
    running.queue.start(running.transfer.request)
    (done,) = running.finished
    assert (done.winner, done.voted) == ("fire5", 18)
    assert latest(running.session, running.transfer).winner == "fire5"
    assert running.changed == [None]
    assert (running.queue.current, running.queue.stage, running.queue.problem) == (None, None, "")
    assert (running.queue.training, running.queue.trained) == ("", (0, 0))
    assert running.refused == []


def test_a_missing_source_is_refused_and_nothing_is_left_running(
    running: Running, tmp_path: Path
) -> None:
    shutil.move(tmp_path / "Finches.workbench", tmp_path / "moved")
    running.queue.resume(running.transfer)
    (refused,) = running.refused
    assert "is not a project" in refused
    assert running.queue.problem == refused
    assert running.changed == [None]
    assert running.finished == []
    shutil.move(tmp_path / "moved", tmp_path / "Finches.workbench")
    running.queue.resume(running.transfer)
    assert running.queue.problem == ""
    assert len(running.finished) == 1


def test_a_job_that_fails_ends_the_transfer_with_its_reason(qtbot: QtBot, running: Running) -> None:
    """A candidate is made again, but the source's description cannot be read."""
    transfer = without_last_candidate(running)
    running.queue.resume(transfer)
    assert running.queue.stage is TransferStage.CANDIDATES
    assert running.queue.current == transfer
    assert (running.queue.training, running.queue.trained) == ("", (0, 0))
    running.queue.resume(transfer)  # one at a time
    running.queue.start(transfer.request)
    assert len(running.session.jobs.jobs()) == 1
    qtbot.waitUntil(lambda: running.queue.current is None, timeout=WAIT)
    assert "model.json cannot be read" in running.queue.problem
    assert running.changed == [TransferStage.CANDIDATES, None]
    assert (running.refused, running.finished) == ([], [])


def unfinished(running: Running) -> None:
    """Two candidates are still to be trained, and have no files."""
    for run in ("layers-4", "layers-6"):
        running.session.store.runs.update(run, status=RunStatus.PAUSED)


def test_trainings_are_queued_in_order_and_one_that_fails_ends_the_transfer(
    qtbot: QtBot, running: Running
) -> None:
    unfinished(running)
    running.queue.resume(running.transfer)
    assert running.queue.stage is TransferStage.CANDIDATES
    assert (running.trainings.current, running.trainings.waiting) == ("layers-4", ("layers-6",))
    assert (running.queue.training, running.queue.trained) == ("layers-4", (0, 2))
    qtbot.waitUntil(lambda: running.queue.current is None, timeout=WAIT)
    assert (1, 2) in running.counts  # the other one is trained nevertheless
    failed = running.session.store.runs.get("layers-4")
    assert failed.status is RunStatus.FAILED
    assert running.queue.problem == failed.message != ""
    assert running.finished == []


def test_stopping_takes_the_trainings_out_of_the_queue(qtbot: QtBot, running: Running) -> None:
    unfinished(running)
    running.queue.resume(running.transfer)
    running.queue.stop()
    assert running.trainings.waiting == ()
    qtbot.waitUntil(lambda: running.queue.current is None, timeout=WAIT)
    assert running.session.store.runs.get("layers-6").status is RunStatus.PAUSED


def test_reports_of_other_trainings_are_not_passed_on(qtbot: QtBot, running: Running) -> None:
    unfinished(running)
    reports: list[object] = []
    running.queue.reported.connect(reports.append)
    running.trainings.reported.emit("layers-4", "before")
    running.queue.resume(running.transfer)
    running.trainings.reported.emit("layers-4", "own")
    running.trainings.reported.emit("alone", "other")
    assert [one for one in reports if isinstance(one, str)] == ["own"]
    qtbot.waitUntil(lambda: running.queue.current is None, timeout=WAIT)


def test_a_closed_project_leaves_the_transfer(running: Running) -> None:
    keep(running.session, msgspec.structs.replace(running.transfer, winner="fire4"))
    unfinished(running)
    running.queue.resume(running.transfer)
    running.session.closed.emit()
    assert (running.queue.current, running.queue.stage) == (None, None)
    assert running.changed == [TransferStage.CANDIDATES]
