"""The whole job on toy vehicles, offline: label, train a source, transfer, and compare."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.app.demo.demo_images import draw_source, draw_target
from workbench.app.demo.demo_results import Pair, means, write_results
from workbench.app.images.importing import import_task
from workbench.app.jobs import Cancelled, Done, Task, failure
from workbench.app.open_project import OpenProject
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.domain.errors import KnownError
from workbench.domain.reports import Note
from workbench.domain.runs import WEIGHTS_FILE, RunRecord, RunStatus
from workbench.domain.splits import SplitPlan
from workbench.storage.project import Project

SOURCE_EACH = 60  # images of each source body and view
TARGET_EACH = 15

# One recipe for all runs; transfer and scratch differ in their start alone, and in what belongs to
# it: fresh weights are learned at the rate that the new head of a transferred network has anyway.
RECIPE: dict[str, object] = {
    "target": "category+view",
    "backbone": "resnet18",
    "image_size": 64,
    "crop_scale": 0.75,
    "frozen": "none",
    "precision": "auto",
}
SOURCE = {"start": "none", "epochs": 8, "batch": 32, "learning_rate": 0.05, "head_factor": 1.0}
TARGET: dict[str, object] = {"epochs": 24, "batch": 16}
TRANSFER = {"learning_rate": 0.005, "head_factor": 4.0}
SCRATCH = {"start": "none", "learning_rate": 0.02, "head_factor": 1.0}

Steps = Generator[object | None, None, Any]


@dataclass(frozen=True)
class DemoSize:
    """How much the demo draws and how long it learns; smaller ones are for tests."""

    source_each: int = SOURCE_EACH
    target_each: int = TARGET_EACH
    recipe: tuple[tuple[str, object], ...] = ()  # keys that override every run's


@dataclass(frozen=True)
class DemoResult:
    """Mean test accuracies in [0, 1] over the seeds, and where everything lies."""

    transfer_top1: float
    scratch_top1: float
    seeds: int
    project: Path
    source: Path
    table: Path
    seconds: float

    def as_json(self) -> dict[str, object]:
        return {
            "transfer": {"top1": self.transfer_top1},
            "scratch": {"top1": self.scratch_top1},
            "seeds": self.seeds,
            "project": str(self.project),
            "source": str(self.source),
            "table": str(self.table),
            "seconds": round(self.seconds, 1),
        }


def demo_task(folder: Path, seeds: int = 3, size: DemoSize | None = None) -> Task:
    """A job that makes `source.workbench` and `target.workbench` in `folder`, trains the source,
    and per seed the target from the source's weights and from none; ends with DemoResult.

    Pictures and tables of the result are left in `folder` too. Raises KnownError where the folder
    holds a demo already.
    """
    folder = folder.absolute()
    for name in ("source.workbench", "target.workbench"):
        if (folder / name).exists():
            raise KnownError(f"{folder / name} exists already.", "Choose another folder.")
    chosen = size or DemoSize()
    return Task("Demo", lambda: _demo(folder, seeds, chosen), kind="demo")


def _demo(folder: Path, seeds: int, size: DemoSize) -> Generator[object | None, None, DemoResult]:
    started = time.monotonic()
    yield Note(text="Drawing toy vehicles: eight bodies as the source, four others as the target.")
    yield from draw_source(folder / "source", size.source_each)
    yield from draw_target(folder / "target", size.target_each)
    weights = yield from _learn_source(folder, size)
    with _project(folder / "target.workbench") as op:
        labels = folder / "target" / "labels.csv"
        yield from through(import_task(op, [labels], category_from="csv", view_from="csv"))
        pairs = []
        for seed in range(seeds):
            pairs.append((yield from _one_seed(op, weights, seed, size)))
        yield Note(text="Writing curves, confusion matrix, Grad-CAM wall and table.")
        table = yield from write_results(op, pairs, folder)
        project = op.store.folder
    seconds = time.monotonic() - started
    source = folder / "source.workbench"
    return DemoResult(*means(pairs), seeds, project, source, table, seconds)


def _learn_source(folder: Path, size: DemoSize) -> Generator[object | None, None, Path]:
    """Train the source; gives the file of its weights."""
    with _project(folder / "source.workbench") as op:
        places = [folder / "source"]
        yield from through(import_task(op, places, category_from="folder", view_from="folder"))
        split(op, SplitPlan(0.8, 0.1, 0.1, seed=0))
        yield Note(text="Learning the source: eight bodies in four views.")
        run = yield from _train(op, {**RECIPE, **SOURCE, **dict(size.recipe)}, "source")
        return op.store.runs_folder / run.id / WEIGHTS_FILE


def _one_seed(
    op: OpenProject, weights: Path, seed: int, size: DemoSize
) -> Generator[object | None, None, Pair]:
    """Split the target by `seed`, then train it twice: from the source's weights and from none."""
    split(op, SplitPlan(0.4, 0.1, 0.5, seed=seed))
    common = {**RECIPE, **TARGET, "seed": seed, **dict(size.recipe)}
    yield Note(text=f"Seed {seed}: the target from the source's weights.")
    start = {"start": f"file:{weights}"}
    transfer = yield from _train(op, {**common, **TRANSFER, **start}, f"transfer, seed {seed}")
    yield Note(text=f"Seed {seed}: the target from scratch.")
    scratch = yield from _train(op, {**common, **SCRATCH}, f"from scratch, seed {seed}")
    return Pair(seed, transfer, scratch)


def _train(
    op: OpenProject, recipe: Mapping[str, object], name: str
) -> Generator[object | None, None, RunRecord]:
    run = prepare(op, recipe, name=name)
    yield from through(training_task(op, run.id))
    record = op.store.runs.get(run.id)
    if record.status is not RunStatus.FINISHED:
        raise KnownError(f"The run “{name}” is {record.status}.", record.message)
    return record


def through(task: Task) -> Steps:
    """A task as a part of a longer one: its values are applied here, in the longer job's thread,
    which is the one that opened the project; its reports go on up, and so does its failure."""
    steps = task.work()
    try:
        while True:
            try:
                value = next(steps)
            except StopIteration as end:
                task.finish(Done(end.value))
                return end.value
            if value is not None:
                task.apply(value)
            yield value
    except GeneratorExit:
        steps.close()
        task.finish(Cancelled())
        raise
    except Exception as error:
        steps.close()
        task.finish(failure(task.title, error))
        raise


@contextlib.contextmanager
def _project(folder: Path) -> Generator[OpenProject, None, None]:
    """A new project that belongs to this thread, and is closed when the block ends."""
    op = OpenProject(Project.create(folder))
    try:
        yield op
    finally:
        op.close()
