"""Studies in a project: created, trained run by run, and read as a table."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job, Outcome, Task, when_done
from workbench.app.session import Session
from workbench.app.training.preparing import Frozen, check, prepare, prepare_task
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.errors import KnownError
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import SplitPlan
from workbench.domain.studies import Plan, Row, Study, compare
from workbench.domain.text import Message
from workbench.storage.project import Project

ENDED = (RunStatus.FINISHED, RunStatus.STOPPED)


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is: cells done, how many there are, and its table so far."""

    done: int
    cells: int
    rows: list[Row]
    failed: tuple[str, ...] = ()  # ids of runs that did not come to their end


def new_study(session: Session, plan: Plan) -> Study:
    """Keep a study that has not begun. Raises KnownError and ValueRefused where a variant's recipe
    cannot be trained; then nothing is kept."""
    for _ in _checked(session.store, plan):
        pass
    study = _made(plan)
    session.store.studies.put(study)
    return study


def study_task(session: Session, plan: Plan) -> Task[Study]:
    """A job that does what `new_study` does, for a window that must not wait, and ends
    Done(Study)."""
    folder = session.store.folder

    def work() -> Generator[object | None, None, Study]:
        with Project.reading(folder) as store:
            yield from _checked(store, plan)
        return _made(plan)

    title = Message("Check the study {name}")
    keep = when_done(session.store.studies.put)
    return Task(title.format(name=plan.name), work, finish=keep, kind="prepare")


def _checked(store: Project, plan: Plan) -> Iterator[None]:
    first = plan.seeds[0]
    recipes = [plan.keys(variant, first) for variant in plan.variants]
    return check(store, recipes, _split(plan, first))


def _made(plan: Plan) -> Study:
    return Study(id=secrets.token_hex(3), created=time.time(), plan=plan)


@dataclass(frozen=True)
class Cell:
    """One training of a study; `run` is "" where it has not been made."""

    variant: str
    seed: int
    run: str


def open_cells(session: Session, study: Study) -> Iterator[Cell]:
    """The cells that are not done, in their order. A run that was removed or failed is to be made
    anew; one that was paused is gone on with."""
    known = {record.id: record for record in session.store.runs.all()}
    for variant, seed in study.plan.cells:
        record = known.get(study.run_of(variant, seed))
        if record is None or record.status is RunStatus.FAILED:
            yield Cell(variant, seed, "")
        elif record.status not in ENDED:
            yield Cell(variant, seed, record.id)


def next_runs(session: Session, study: Study, most: int = 1) -> tuple[Study, list[str]]:
    """The runs of the next open cells, at most so many, made where there are none."""
    wanted: list[str] = []
    for cell in islice(open_cells(session, study), most):
        run = cell.run or prepare(session, *_frozen(study, cell)).id
        if not cell.run:
            study = study.with_run(cell.variant, cell.seed, run)
            session.store.studies.put(study)
        wanted.append(run)
    return study, wanted


def cell_task(session: Session, study: Study, cell: Cell) -> Task[Frozen]:
    """A job that makes the run of a cell, which the study then knows of."""

    def then(record: RunRecord) -> None:
        now = session.store.studies.get(study.id)
        session.store.studies.put(now.with_run(cell.variant, cell.seed, record.id))

    return prepare_task(session, *_frozen(study, cell), then)


def _frozen(study: Study, cell: Cell) -> tuple[dict[str, Any], str, SplitPlan | None]:
    """The recipe keys of a cell, the name of its run, and its split."""
    plan, seed = study.plan, cell.seed
    name = f"{plan.name}: {cell.variant}, seed {seed}"
    return plan.keys(cell.variant, seed), name, _split(plan, seed)


def _split(plan: Plan, seed: int) -> SplitPlan | None:
    """The split of a cell; None where the project's own is used."""
    drawn = plan.split
    return SplitPlan(drawn.train, drawn.validation, drawn.test, seed) if drawn else None


def standing(session: Session, study: Study) -> StudyProgress:
    """What the finished runs of a study say; scored on the test part, or the validation part where
    there is no test part. Seconds are those of the epochs: a training may have lain paused."""
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
    """Top-1 on the test part, else on the validation part; every label right where an image may
    have several."""
    parts = record.metrics.get("parts", record.metrics)
    for part in ("test", "validation"):
        found = parts.get(part) if isinstance(parts, Mapping) else None
        if isinstance(found, Mapping) and found.get("top1") is not None:
            exact = found.get("exact")
            return float(found["top1"] if exact is None else exact)
    return None


def find_study(session: Session, name: str) -> Study:
    """A study by its id or name, the newest of a name. Raises KnownError naming what there is."""
    studies = session.store.studies.all()
    for study in studies:
        if name in (study.id, study.plan.name):
            return study
    known = ", ".join(f"{study.plan.name} ({study.id})" for study in studies) or "none yet"
    raise KnownError(
        "There is no study “{name}” in this project.", "There are: {known}.", name=name, known=known
    )


def as_builtins(standing: StudyProgress) -> dict[str, Any]:
    """A standing for JSON."""
    return {
        "done": standing.done,
        "cells": standing.cells,
        "failed": list(standing.failed),
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
            for row in standing.rows
        ],
    }


class StudyQueue(QObject):
    """Feeds the training queue, one run at a time. `changed` follows every step; `refused` carries
    the sentence of an error that ended a study's progress."""

    changed = Signal()
    refused = Signal(str)

    def __init__(
        self, session: Session, queue: TrainingQueue, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._op, self._queue = session, queue
        self._under_way: dict[str, str] = {}  # run that is trained -> its study
        self._preparing: dict[str, Job[Frozen]] = {}  # study -> the job that makes its next run
        self._again: set[str] = set()  # those that go on once a job that was stopped has ended
        queue.ended.connect(self._over)

    def running(self, study_id: str) -> bool:
        """Whether a study goes on by itself."""
        if job := self._preparing.get(study_id):
            return study_id in self._again or not job.stopping
        return study_id in self._under_way.values()

    def go_on(self, study_id: str) -> None:
        """Train what a study lacks."""
        if self.running(study_id):
            return
        if study_id in self._preparing:
            self._again.add(study_id)
            self.changed.emit()
        else:
            self._next(study_id)

    def stop(self, study_id: str) -> None:
        """Pause the run under way and queue no other; `go_on` takes it up again."""
        if job := self._preparing.get(study_id):
            self._again.discard(study_id)
            job.stop()
        for run in [run for run, study in self._under_way.items() if study == study_id]:
            del self._under_way[run]
            self._queue.pause(run)
        self.changed.emit()

    def _next(self, study_id: str) -> None:
        try:
            study = self._op.store.studies.get(study_id)
            cell = next(open_cells(self._op, study), None)
            if cell is not None and cell.run:
                self._train(cell.run, study_id)
            elif cell is not None:
                task = cell_task(self._op, study, cell)
                self._preparing[study_id] = self._op.start(task, ended=self._prepared)
        except KnownError as error:
            self.refused.emit(str(error))
        self.changed.emit()

    def _train(self, run: str, study_id: str) -> None:
        self._under_way[run] = study_id
        self._queue.enqueue(run)

    def _prepared(self, outcome: Outcome[Frozen]) -> None:
        """A run was made; one of a study that was stopped meanwhile is left for later, and one that
        shall go on after all is not made twice."""
        own = [study for study, job in self._preparing.items() if job.outcome is outcome]
        for study_id in own:
            job = self._preparing.pop(study_id)
            made = isinstance(outcome, Done) and not job.stopping
            if made or study_id in self._again:
                self._again.discard(study_id)
                self._next(study_id)
            self.changed.emit()

    def _over(self, run: str, outcome: Outcome[RunStatus]) -> None:
        study_id = self._under_way.pop(run, "")
        if not study_id:
            return
        if isinstance(outcome, Failed):
            self.refused.emit(outcome.sentence)
            self.changed.emit()
        elif self._queue.state(run) is RunStatus.PAUSED:
            self.changed.emit()  # a person paused it, and with it the study
        else:
            self._next(study_id)
