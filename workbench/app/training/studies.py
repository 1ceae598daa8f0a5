"""Studies of a project: creation, training run by run, and results as a table."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job, Outcome, Steps, Task, when_done
from workbench.app.session import Session
from workbench.app.training.preparing import PreparedRun, check, prepare, prepare_task
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.errors import KnownError
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import SplitPlan
from workbench.domain.studies import Keys, Plan, Row, Study, compare
from workbench.domain.text import Message, mark
from workbench.storage.project import Project

ENDED = (RunStatus.FINISHED, RunStatus.STOPPED)


@dataclass(frozen=True)
class StudyProgress:
    """Progress of a study: finished cells, all cells, and the table so far."""

    done: int
    cells: int
    rows: list[Row]
    failed: tuple[str, ...] = ()  # ids of failed runs


def new_study(session: Session, plan: Plan) -> Study:
    """Create a study. Raises KnownError or ValueRefused, without creating it, if the recipe of a
    variant cannot be trained."""
    for _ in _checked(session.store, plan):
        pass
    study = _made(plan)
    session.put_study(study)
    return study


def study_task(session: Session, plan: Plan) -> Task[Study]:
    """A job that does the same as `new_study` and ends Done(Study)."""
    session.check_writable()
    folder = session.store.folder

    def work() -> Steps[Study]:
        with Project.reading(folder) as store:
            yield from _checked(store, plan)
        return _made(plan)

    title = Message("Check study {name}", name=plan.name)
    return Task(title, work, finish=when_done(session.put_study), kind="prepare")


def _checked(store: Project, plan: Plan) -> Iterator[None]:
    first = plan.seeds[0]
    recipes = [plan.keys(variant, first) for variant in plan.variants]
    return check(store, recipes, _split(plan, first))


def _made(plan: Plan) -> Study:
    return Study(id=secrets.token_hex(3), created=time.time(), plan=plan)


@dataclass(frozen=True)
class Cell:
    """One training of a study; `run` is "" if it does not exist yet."""

    variant: str
    seed: int
    run: str


def open_cells(session: Session, study: Study) -> Iterator[Cell]:
    """Unfinished cells, in order. Removed and failed runs are replaced; paused ones are resumed."""
    known = {record.id: record for record in session.store.runs.all()}
    for variant, seed in study.plan.cells:
        record = known.get(study.run_of(variant, seed))
        if record is None or record.status is RunStatus.FAILED:
            yield Cell(variant, seed, "")
        elif record.status not in ENDED:
            yield Cell(variant, seed, record.id)


def next_runs(session: Session, study: Study, most: int = 1) -> tuple[Study, list[str]]:
    """Runs of at most `most` of the next unfinished cells, created if needed; also returns the
    updated study. Raises KnownError or ValueRefused as `prepare`."""
    wanted: list[str] = []
    for cell in islice(open_cells(session, study), most):
        run = cell.run or prepare(session, *_run_arguments(study, cell)).id
        if not cell.run:
            study = study.with_run(cell.variant, cell.seed, run)
            session.put_study(study)
        wanted.append(run)
    return study, wanted


def cell_task(session: Session, study: Study, cell: Cell) -> Task[PreparedRun]:
    """A job that creates the run of a cell and adds it to the study."""

    def then(record: RunRecord) -> None:
        now = session.store.studies.get(study.id)
        session.put_study(now.with_run(cell.variant, cell.seed, record.id))

    return prepare_task(session, *_run_arguments(study, cell), then)


def _run_arguments(study: Study, cell: Cell) -> tuple[Keys, str, SplitPlan | None]:
    """Recipe keys of a cell, name of its run, and its split."""
    plan, seed = study.plan, cell.seed
    name = f"{plan.name}: {cell.variant}, seed {seed}"
    return plan.keys(cell.variant, seed), name, _split(plan, seed)


def _split(plan: Plan, seed: int) -> SplitPlan | None:
    """The split of a cell; None for that of the project."""
    drawn = plan.split
    return SplitPlan(drawn.train, drawn.validation, drawn.test, seed) if drawn else None


def study_progress(session: Session, study: Study) -> StudyProgress:
    """Progress and results of a study.

    Runs are scored on the test part, or the validation part without one. Their time is the sum of
    their epochs, without pauses.
    """
    known = {record.id: record for record in session.store.runs.all()}
    values: dict[tuple[str, int], float] = {}
    seconds: dict[tuple[str, int], float] = {}
    failed = []
    for variant, seed, run in study.runs:
        record = known.get(run)
        if record is None:
            continue
        if record.status is RunStatus.FAILED:
            failed.append(run)
        score = _score(record)
        if record.status is RunStatus.FINISHED and score is not None:
            values[variant, seed] = score
            seconds[variant, seed] = sum(epoch.seconds for epoch in session.store.runs.epochs(run))
    rows = compare(study.plan, values, seconds)
    return StudyProgress(len(values), len(study.plan.cells), rows, tuple(failed))


def _score(record: RunRecord) -> float | None:
    """Top-1 accuracy on the test part, else on the validation part; for multi-label sets, the share
    of images with every label right."""
    parts = record.metrics.get("parts", record.metrics)
    for part in ("test", "validation"):
        found = parts.get(part) if isinstance(parts, Mapping) else None
        if isinstance(found, Mapping) and found.get("top1") is not None:
            exact = found.get("exact")
            return float(found["top1"] if exact is None else exact)
    return None


def find_study(session: Session, name: str) -> Study:
    """Find a study by id or name (the newest of that name). Raises KnownError, listing all."""
    studies = session.store.studies.all()
    for study in studies:
        if name in (study.id, study.plan.name):
            return study
    known = ", ".join(f"{study.plan.name} ({study.id})" for study in studies)
    raise KnownError(
        "There is no study “{name}” in this project.",
        mark("Studies: {known}.") if known else mark("Create one first."),
        name=name,
        known=known,
    )


def as_builtins(progress: StudyProgress) -> dict[str, Any]:
    """The progress as JSON types."""
    return {
        "done": progress.done,
        "cells": progress.cells,
        "failed": list(progress.failed),
        "rows": [
            {
                "variant": row.variant,
                "values": {str(seed): value for seed, value in row.values.items()},
                "mean": row.accuracy.mean,
                "interval": row.accuracy.half,
                "difference": row.difference.mean,
                "difference_interval": row.difference.half,
                "p": row.p,
                "seconds": row.seconds,
            }
            for row in progress.rows
        ],
    }


class StudyQueue(QObject):
    """Adds the runs of studies to the training queue, one at a time.

    `changed` is emitted after every step; `refused` carries the message of an error that stopped a
    study.
    """

    changed = Signal()
    refused = Signal(object)

    def __init__(
        self, session: Session, queue: TrainingQueue, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._queue = session, queue
        self._training: dict[str, str] = {}  # run in training -> its study
        self._preparing: dict[
            str, Job[PreparedRun]
        ] = {}  # study -> the job that makes its next run
        self._again: set[str] = set()  # studies to resume when a stopped job has ended
        queue.ended.connect(self._ended)

    def running(self, study_id: str) -> bool:
        """Whether a study is being trained."""
        if job := self._preparing.get(study_id):
            return study_id in self._again or not job.stopping
        return study_id in self._training.values()

    def resume(self, study_id: str) -> None:
        """Train the unfinished cells of a study."""
        if self.running(study_id):
            return
        if study_id in self._preparing:
            self._again.add(study_id)
            self.changed.emit()
        else:
            self._next(study_id)

    def stop(self, study_id: str) -> None:
        """Pause the current run of a study and queue no other; `resume` continues it."""
        if job := self._preparing.get(study_id):
            self._again.discard(study_id)
            job.stop()
        for run in [run for run, study in self._training.items() if study == study_id]:
            del self._training[run]
            self._queue.pause(run)
        self.changed.emit()

    def _next(self, study_id: str) -> None:
        try:
            study = self._session.store.studies.get(study_id)
            cell = next(open_cells(self._session, study), None)
            if cell is not None and cell.run:
                self._train(cell.run, study_id)
            elif cell is not None:
                task = cell_task(self._session, study, cell)
                self._preparing[study_id] = self._session.start(task, ended=self._prepared)
        except KnownError as error:
            self.refused.emit(error.message)
        self.changed.emit()

    def _train(self, run: str, study_id: str) -> None:
        self._training[run] = study_id
        self._queue.enqueue(run)

    def _prepared(self, outcome: Outcome[PreparedRun]) -> None:
        """Train a created run, unless its study was stopped meanwhile."""
        own = [study for study, job in self._preparing.items() if job.outcome is outcome]
        for study_id in own:
            job = self._preparing.pop(study_id)
            made = isinstance(outcome, Done) and not job.stopping
            if made or study_id in self._again:
                self._again.discard(study_id)
                self._next(study_id)
            self.changed.emit()

    def _ended(self, run: str, outcome: Outcome[RunStatus]) -> None:
        study_id = self._training.pop(run, "")
        if not study_id:
            return
        if isinstance(outcome, Failed):
            self.refused.emit(outcome.sentence)
            self.changed.emit()
        elif self._queue.state(run) is RunStatus.PAUSED:
            self.changed.emit()  # the user paused the run, which stops the study
        else:
            self._next(study_id)
