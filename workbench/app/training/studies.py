"""Studies of a project: creation, training run by run, and results as a table."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec
from PySide6.QtCore import QObject, Signal

from workbench.app.jobs import Done, Failed, Job, Outcome, Steps, Task, run_to_end, when_done
from workbench.app.session import Session
from workbench.app.training.preparing import PreparedRun, check, prepare, prepare_task
from workbench.app.training.samples import seen_by
from workbench.app.training.splitting import Drawn, draw_folds, fold_families, put_splits
from workbench.app.training.training_queue import TrainingQueue
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import label_sets_of
from workbench.domain.reports import Epoch, common_goal, time_to_accuracy
from workbench.domain.run_pairs import Seen, data_differences, recipe_differences
from workbench.domain.runs import RunRecord, RunStatus
from workbench.domain.splits import PARTS, Part, SplitPlan, StoredSplit
from workbench.domain.studies import ClassPlan, Keys, Plan, Row, Study, compare
from workbench.domain.text import Message, mark
from workbench.storage.project import Project

ENDED = (RunStatus.FINISHED, RunStatus.STOPPED)


@dataclass(frozen=True)
class StudyProgress:
    """Progress of a study: finished cells, all cells, and the table so far.

    `parts` are those on which the finished runs were scored: one, unless some have no test images.
    `failed` are the ids of failed runs. `differing` has, by variant, the recipe keys besides those
    of the plan in which its runs differ from those of the first variant; `apart` the cells whose
    runs learned from other images, which are not paired. `times` has, by variant, the training
    times in seconds of the runs that reach the validation accuracy `goal` (None without a
    validation part).
    """

    done: int
    cells: int
    rows: list[Row]
    failed: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    differing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    apart: tuple[tuple[str, int], ...] = ()
    goal: float | None = None
    times: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def new_study(session: Session, plan: Plan) -> Study:
    """Create a study. Raises KnownError or ValueRefused, without creating it, if the recipe of a
    variant cannot be trained, or its folds do not exist.

    If `plan.folds` is a number and no name, that many folds are drawn and stored; the project's
    current split is not changed.
    """
    made = run_to_end(_checked(session.store, plan))
    _put(session, made)
    return made.study


def study_task(session: Session, plan: Plan) -> Task[NewStudy]:
    """A job that does the same as `new_study` and ends Done(NewStudy)."""
    session.check_writable()
    folder = session.store.folder

    def work() -> Steps[NewStudy]:
        with Project.reading(folder) as store:
            return (yield from _checked(store, plan))

    def keep(made: NewStudy) -> None:
        _put(session, made)

    title = Message("Check study {name}", name=plan.name)
    return Task(title, work, finish=when_done(keep), kind="prepare")


@dataclass(frozen=True)
class NewStudy:
    """A study that can be trained, and the folds that were drawn for it."""

    study: Study
    drawn: Sequence[Drawn] = ()


def _put(session: Session, made: NewStudy) -> None:
    if made.drawn:
        put_splits(session, made.drawn, use=session.splits.current() is None)
    session.put_study(made.study)


def _checked(store: Project, given: Plan) -> Steps[NewStudy]:
    plan, drawn = with_folds(store, given), []
    if plan.folds.isdecimal() and plan.folds not in fold_families(store):
        folds = int(plan.folds)
        drawn = draw_folds(store, SplitPlan(0.85, 0.15, 0.0, folds=folds))
        plan = msgspec.structs.replace(plan, folds=drawn[0][0].name, seeds=_numbers(folds))
        split: SplitPlan | StoredSplit | None = SplitPlan()  # its parts do not affect the check
    else:
        split = _split(store, plan, plan.seeds[0])
    recipes = [plan.keys(variant, plan.seeds[0]) for variant in plan.variants]
    yield from check(store, recipes, split)
    return NewStudy(Study(id=secrets.token_hex(3), created=time.time(), plan=plan), drawn)


def with_folds(project: Session | Project, plan: Plan) -> Plan:
    """The plan with the numbers of its folds as seeds. Raises ValueRefused for unknown folds, or an
    unknown split."""
    if plan.published:
        _published(project, plan)
    if not plan.folds:
        return plan
    known = fold_families(project)
    if plan.folds in known:
        return msgspec.structs.replace(plan, seeds=_numbers(len(known[plan.folds])))
    if plan.folds.isdecimal() and int(plan.folds) >= 2:
        return plan
    names = ", ".join(known)
    allowed = Message("a number of at least 2, or the name of folds: {names}", names=names)
    if not names:
        allowed = Message("a number of at least 2")
    raise ValueRefused("folds", plan.folds, allowed)


def _published(project: Session | Project, plan: Plan) -> StoredSplit:
    """The newest split of the plan's name. Raises ValueRefused, naming all, if there is none."""
    splits = project.splits.all()
    found = next((split for split in splits if split.name == plan.published), None)
    if found is None:
        names = ", ".join(dict.fromkeys(split.name for split in splits))
        allowed = Message("the name of a split: {names}", names=names)
        none = Message("the name of a split, and this project has none: import one with its files")
        raise ValueRefused("published", plan.published, allowed if names else none)
    return found


def _numbers(folds: int) -> tuple[int, ...]:
    return tuple(range(1, folds + 1))


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
        run = cell.run or prepare(session, *_run_arguments(session.store, study, cell)).id
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

    return prepare_task(session, *_run_arguments(session.store, study, cell), then)


def _run_arguments(
    store: Project, study: Study, cell: Cell
) -> tuple[Keys, str, SplitPlan | StoredSplit | None]:
    """Recipe keys of a cell, name of its run, and its split."""
    plan, seed = study.plan, cell.seed
    name = f"{plan.name}: {cell.variant}, {'fold' if plan.folds else 'seed'} {seed}"
    return plan.keys(cell.variant, seed), name, _split(store, plan, seed)


def _split(store: Project, plan: Plan, seed: int) -> SplitPlan | StoredSplit | None:
    """The split of a cell; None for that of the project. Raises KnownError if its folds were
    deleted or renamed."""
    if plan.folds:
        family = fold_families(store).get(plan.folds)
        if family is None or seed > len(family):
            raise KnownError(
                "The folds “{folds}” of the study “{name}” are no longer complete.",
                "Undo the change of the splits, or create a new study.",
                folds=plan.folds,
                name=plan.name,
            )
        return family[seed - 1]
    if plan.published:
        return _published(store, plan)
    if plan.per_class is not None:
        _check_exclusive(store, plan)
        return ClassPlan(seed=seed, per_class=plan.per_class)
    drawn = plan.split
    return SplitPlan(drawn.train, drawn.validation, drawn.test, seed) if drawn else None


def _check_exclusive(store: Project, plan: Plan) -> None:
    """Raise ValueRefused if images of a target may have several classes."""
    sets = store.labels.sets()
    targets = {str(plan.keys(variant, 0).get("target", "")) for variant in plan.variants}
    for name in sorted({name for target in targets for name in label_sets_of(target)}):
        if name in sets and not sets[name].exclusive:
            allowed = Message(
                "nothing for {label_set}, whose images may have several labels", label_set=name
            )
            raise ValueRefused("per_class", plan.per_class, allowed)


def study_progress(session: Session, study: Study, goal: float | None = None) -> StudyProgress:
    """Progress and results of a study.

    Runs are scored on the test part, or the validation part without one. Their time is the sum of
    their epochs, without pauses. `goal` is a validation accuracy in [0, 1] for the times to reach
    it; None takes one that all runs reach.
    """
    known = {record.id: record for record in session.store.runs.all()}
    values: dict[tuple[str, int], float] = {}
    seconds: dict[tuple[str, int], float] = {}
    curves: dict[tuple[str, int], list[Epoch]] = {}
    failed = []
    parts: set[Part] = set()
    for variant, seed, run in study.runs:
        record = known.get(run)
        if record is None:
            continue
        if record.status is RunStatus.FAILED:
            failed.append(run)
        score = _score(record)
        if record.status is RunStatus.FINISHED and score is not None:
            parts.add(score[0])
            values[variant, seed] = score[1]
            seconds[variant, seed] = record.seconds
            curves[variant, seed] = session.store.runs.epochs(run)
    seen = seen_by(session.store.runs_folder)
    differing, apart = _compared(study, {cell: known[study.run_of(*cell)] for cell in values}, seen)
    rows = compare(study.plan, values, seconds, apart)
    reached = common_goal(curves.values()) if goal is None else goal
    return StudyProgress(
        len(values),
        len(study.plan.cells),
        rows,
        tuple(failed),
        tuple(part for part in PARTS if part in parts),
        differing,
        tuple(apart),
        reached,
        _times(curves, reached),
    )


def _times(
    curves: Mapping[tuple[str, int], Sequence[Epoch]], goal: float | None
) -> dict[str, tuple[float, ...]]:
    """The times to `goal` of the runs that reach it, by variant."""
    found: dict[str, tuple[float, ...]] = {}
    for (variant, _), epochs in curves.items():
        time = None if goal is None else time_to_accuracy(epochs, goal)
        found[variant] = (*found.get(variant, ()), *(() if time is None else (time,)))
    return found


def _compared(
    study: Study, runs: Mapping[tuple[str, int], RunRecord], seen: Seen
) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, int]]]:
    """What `StudyProgress` has as `differing` and `apart`, from the finished runs by cell."""
    variants = study.plan.variants
    first = next(iter(variants))
    differing: dict[str, dict[str, None]] = {}
    apart = []
    for (variant, seed), run in runs.items():
        baseline = runs.get((first, seed))
        if variant == first or baseline is None:
            continue
        meant = {*variants[first], *variants[variant]}
        keys = recipe_differences(baseline, run)
        more = [key for key in keys if key.partition(".")[0] not in meant]
        differing.setdefault(variant, {}).update(dict.fromkeys(more))
        if data_differences(baseline, run, seen):
            apart.append((variant, seed))
    return {variant: tuple(keys) for variant, keys in differing.items() if keys}, apart


def _score(record: RunRecord) -> tuple[Part, float] | None:
    """The test part, else the validation part, and the top-1 accuracy on it; for multi-label sets,
    the share of images with every label right."""
    parts = record.metrics.get("parts", record.metrics)
    for part in (Part.TEST, Part.VALIDATION):
        found = parts.get(part) if isinstance(parts, Mapping) else None
        if isinstance(found, Mapping) and found.get("top1") is not None:
            exact = found.get("exact")
            return part, float(found["top1"] if exact is None else exact)
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
        "parts": [part.value for part in progress.parts],
        "accuracy_goal": progress.goal,
        "differing": {variant: list(keys) for variant, keys in progress.differing.items()},
        "not_paired": [{"variant": variant, "seed": seed} for variant, seed in progress.apart],
        "rows": [
            {
                "variant": row.variant,
                "values": {str(seed): value for seed, value in row.values.items()},
                "mean": row.accuracy.mean,
                "interval": row.accuracy.half,
                "deviation": row.deviation,
                "difference": row.difference.mean,
                "difference_interval": row.difference.half,
                "p": row.p,
                "seconds": row.seconds,
                "times_to_accuracy": list(progress.times.get(row.variant, ())),
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
