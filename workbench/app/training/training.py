"""Training of a run: the learning program works on its folder, its reports are stored."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from workbench.app.jobs import (
    Cancelled,
    Done,
    Failed,
    JobResult,
    Outcome,
    Steps,
    Task,
    Yielded,
    apply_each,
    applying,
)
from workbench.app.learner import BEAT, LearningProcess, crash, raise_reported, reported
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import as_if_split, prepare, recipe_of, write_run
from workbench.app.training.samples import collect
from workbench.app.training.starts import put_start
from workbench.app.weights import fetch
from workbench.domain.advice import DataFacts
from workbench.domain.changes import Changes
from workbench.domain.errors import KnownError, parsing
from workbench.domain.predictions import PredictionTable
from workbench.domain.recipes import (
    Recipe,
    UncheckedKeys,
    check_keys,
    parse_recipe,
    target_of,
    whole,
)
from workbench.domain.reports import (
    AnyReport,
    Epoch,
    ErrorReport,
    Finished,
    Note,
    Paused,
    Started,
    Stopped,
    Trial,
    decode_report,
)
from workbench.domain.runs import (
    PREDICTIONS_FILE,
    RECIPE_FILE,
    REPORTS_FILE,
    START_FILE,
    RunStatus,
)
from workbench.domain.text import Message, mark
from workbench.domain.values import Json
from workbench.files import check_archive
from workbench.storage.project import Project

__all__ = ["RunControl", "facts", "prepare", "recover", "training_task", "trial_task"]

PATIENCE = 60.0  # seconds for a pausing child to save its state
RESUMABLE = (RunStatus.QUEUED, RunStatus.PAUSED, RunStatus.FAILED)


@dataclass
class RunControl:
    """Control of a running training; `requested` ("pause" or "stop") is read by its job."""

    requested: str = ""

    def pause(self) -> None:
        """Request a pause, unless a stop was requested."""
        self.requested = self.requested or "pause"

    def stop(self) -> None:
        """Request a stop."""
        self.requested = "stop"


def facts(project: Session, target: str) -> DataFacts:
    """Facts about the data of `target`. Raises KnownError if it cannot be trained."""
    return facts_of(project.store, target)


def training_task(
    project: Session, run_id: str, control: RunControl | None = None
) -> Task[RunStatus]:
    """A job that starts or resumes a run and updates its record.

    It ends Done(RunStatus) with FINISHED, PAUSED or STOPPED; stopping the job itself pauses the
    run. Raises KnownError for a run that cannot be resumed.
    """
    record = project.store.runs.get(run_id)
    if record.status not in RESUMABLE:
        raise KnownError(
            "The run “{name}” cannot be trained, as its status is “{status}”.",
            name=record.name,
            status=record.status.value,
        )
    folder = project.store.runs_folder / run_id
    recorder = _RunRecorder(project, run_id)
    chosen = control or RunControl()
    return Task(
        title=Message("Train {name}", name=record.name),
        work=lambda: _train(folder, chosen),
        apply=apply_each(
            recorder.begin,
            applying(Started, recorder.start),
            applying(Epoch, recorder.add_epoch),
            applying(Finished, recorder.keep_scores),
            applying(_Predictions, recorder.keep_predictions),
        ),
        finish=recorder.finish,
        kind="training",
    )


def start_task(project: Session, run_id: str) -> Task[None]:
    """A job that copies the start weights to a run's folder, so that it can be trained anywhere."""
    folder = project.store.runs_folder / run_id
    return Task(Message("Copy start weights"), lambda: _fetch_start(folder))


@dataclass(frozen=True)
class _Predictions(JobResult):
    """The predictions of a finished training."""

    table: PredictionTable


def _train(folder: Path, control: RunControl) -> Steps[RunStatus]:
    yield Note(text=Message("Starting the learning program."))
    yield from _preparation_notes(folder)
    yield from _fetch_start(folder)
    process = LearningProcess([str(folder), "--controlled"])
    last: AnyReport | None = None
    try:
        sent = ""
        while not process.ended:
            report = process.read(BEAT)
            last = report or last
            yield report
            if control.requested != sent:
                sent = control.requested
                process.command(sent)
        code = process.wait(PATIENCE)
    finally:
        process.command("pause")
        process.wait(PATIENCE)
    return (yield from _ended(folder, last, code, process.errors))


def _preparation_notes(folder: Path) -> Generator[Note, None, None]:
    """Notes from the preparation of the run, before its first start only."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        lines = (folder / REPORTS_FILE).read_bytes().splitlines()
        reports = [decode_report(line) for line in lines]
        if not any(isinstance(report, Started) for report in reports):
            yield from (report for report in reports if isinstance(report, Note))


def _fetch_start(folder: Path) -> Steps[None]:
    """Download the recipe's ImageNet weights to the folder if they are missing."""
    with parsing(folder / RECIPE_FILE, mark("Create a new run with the same settings.")):
        text = (folder / RECIPE_FILE).read_bytes().decode()
    recipe = whole(parse_recipe(text, RECIPE_FILE))
    present = any(folder.glob(Path(START_FILE).stem + ".*"))
    if recipe.start != "imagenet" or present:
        return
    path = yield from fetch(recipe.backbone)
    put_start(folder, path)


def _ended(folder: Path, last: AnyReport | None, code: int, errors: str) -> Steps[RunStatus]:
    if isinstance(last, Finished):
        yield _Predictions(load_predictions(folder / PREDICTIONS_FILE))
        return RunStatus.FINISHED
    if isinstance(last, Paused):
        return RunStatus.PAUSED
    if isinstance(last, Stopped):
        return RunStatus.STOPPED
    if isinstance(last, ErrorReport):
        raise_reported(last)
    remedy = Message(
        "The memory may be full: close other programs or reduce the batch, then resume the run "
        "from its last checkpoint."
    )
    raise crash(code, errors, remedy)


def load_predictions(path: Path) -> PredictionTable:
    """Read the predictions of a training. Raises KnownError if they are missing or damaged."""
    with parsing(path, mark("Train the run again.")):
        check_archive(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return PredictionTable(
                images=arrays["images"],
                crops=arrays["crops"],
                parts=arrays["parts"].astype(np.int64),
                truth=arrays["truth"],
                scores=arrays["scores"],
                view_truth=arrays["view_truth"],
                view_scores=arrays.get("view_scores"),
                true_view=arrays["true_view"],
                marks=arrays.get("marks"),
            )


class _RunRecorder:
    """Updates a run's record from its reports, in the owner's thread."""

    def __init__(self, project: Session, run_id: str) -> None:
        self._project = project
        self._id = run_id
        self._running = False

    def begin(self, _: Yielded) -> None:
        """Mark the run as running at its first report."""
        if not self._running:
            self._running = True
            self._set(status=RunStatus.RUNNING, message="")

    def start(self, started: Started) -> None:
        """Drop the epochs that are trained again."""
        runs = self._project.store.runs
        runs.truncate_epochs(self._id, started.epoch - 1)
        first = runs.get(self._id).started or time.time()
        self._set(started=first, epochs_done=started.epoch - 1)

    def add_epoch(self, epoch: Epoch) -> None:
        """Store a finished epoch."""
        self._project.store.runs.add_epoch(self._id, epoch)
        self._set(epochs_done=epoch.epoch)

    def keep_scores(self, finished: Finished) -> None:
        """Store the scores of a finished run."""
        runs = self._project.store.runs
        runs.raise_memory(self._id, finished.memory, finished.device_memory)
        self._set(metrics=msgspec.to_builtins(finished.parts))

    def keep_predictions(self, found: _Predictions) -> None:
        """Store the predictions of a finished run."""
        self._project.store.runs.save_predictions(self._id, found.table)

    def finish(self, outcome: Outcome[RunStatus]) -> None:
        """Store the outcome."""
        if isinstance(outcome, Done):
            done = {"finished": time.time()} if outcome.value is not RunStatus.PAUSED else {}
            self._set(status=outcome.value, **done)
        elif isinstance(outcome, Failed):
            self._set(status=RunStatus.FAILED, message=outcome.text, finished=time.time())
        elif isinstance(outcome, Cancelled):
            self._set(status=RunStatus.PAUSED)

    def _set(self, **fields: Json) -> None:
        self._project.store.runs.update(self._id, **fields)
        self._project.announce(Changes(runs=frozenset({self._id})))


def recover(project: Session) -> None:
    """Pause runs that are still marked as running or queued when a project is opened."""
    if project.read_only is not None:
        return
    for record in project.store.runs.all():
        if record.status in (RunStatus.RUNNING, RunStatus.QUEUED):
            project.store.runs.update(record.id, status=RunStatus.PAUSED)


def trial_task(project: Session, given: UncheckedKeys) -> Task[Trial]:
    """A job that makes a few training steps with a recipe and ends Done(Trial); nothing is stored.

    Raises KnownError and ValueRefused as `prepare`.
    """
    partial = check_keys(given)
    target = target_of(partial)
    recipe = recipe_of(facts_of(project.store, target), partial)
    folder, runs = project.store.folder, project.store.runs_folder

    def work() -> Steps[Trial]:
        with Project.reading(folder) as store:
            samples = as_if_split(collect(store, target))
        runs.mkdir(parents=True, exist_ok=True)
        parent = Path(tempfile.mkdtemp(prefix=".trial-", dir=runs))
        try:
            # start weights do not affect the cost of a step, so none are needed
            write_run(parent / "run", _without_start(recipe), samples, None, [])
            return (yield from reported([str(parent / "run"), "--trial"], Trial))
        finally:
            shutil.rmtree(parent, ignore_errors=True)

    return Task(title=Message("Trial step"), work=work, kind="trial")


def _without_start(recipe: Recipe) -> Recipe:
    return msgspec.structs.replace(recipe, start="none")
