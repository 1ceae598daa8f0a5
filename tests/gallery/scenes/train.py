"""The Train page: ready, running, finished and failed."""

from __future__ import annotations

from collections.abc import Generator

from tests.gallery.projects import BROKEN, EMPTY, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go, go_train, run_with
from tests.gallery.stage import Stage
from workbench.app.jobs import Task
from workbench.domain.changes import Changes
from workbench.domain.reports import Epoch, Started, Step, Trial
from workbench.domain.runs import RunStatus
from workbench.domain.text import Message, counted
from workbench.ui.pages.train.page import TrainPage


@scene("train", "empty", EMPTY)
def train_empty(stage: Stage) -> None:
    go(stage.open(EMPTY), TrainPage)
    stage.settle()
    stage.take()


@scene("train", "full", FULL)
def train_full(stage: Stage) -> None:
    window = stage.open(FULL)
    page = go_train(stage, window)
    page.watch(run_with(window, RunStatus.FINISHED).id)
    page.model.edit("backbone", "simpleconv3")
    page.model.edit("start", "none")
    page.preflight.run(Task(Message("Try a step"), _trial))
    stage.settle(lambda: page.preflight.trial is not None)
    stage.take()
    page.unfold.setChecked(True)
    stage.settle()
    stage.take("settings")


def _trial() -> Generator[None, None, Trial]:
    """The result of one trial step; a real one differs every time."""
    yield
    return Trial(
        device=counted(2, "CPU, {n} core", "CPU, {n} cores"),
        precision="fp32",
        batch=32,
        largest_batch=512,
        step_seconds=0.04,
        total_seconds=8.0,
        memory=30 * 2**20,
        memory_free=17 * 2**30,
        disk=15 * 2**20,
        disk_free=75 * 2**30,
    )


@scene("train", "running", FULL)
def train_running(stage: Stage) -> None:
    window = stage.open(FULL)
    page = go_train(stage, window)
    run = run_with(window, RunStatus.PAUSED)
    window.session.store.runs.update(run.id, status=RunStatus.RUNNING)
    window.session.announce(Changes(runs=frozenset({run.id})))
    page.watch(run.id)
    for report in _reports(40):
        window.context.queue.reported.emit(run.id, report)
    stage.settle()
    stage.take()


def _reports(epochs: int) -> list[Started | Step | Epoch]:
    """The reports of a training until the middle of its eighth epoch."""
    reports: list[Started | Step | Epoch] = [
        Started(
            device=counted(2, "CPU, {n} core", "CPU, {n} cores"),
            precision="fp32",
            batch=16,
            parameters=94_000,
            trained_parameters=94_000,
            images={"train": 36, "validation": 7},
        )
    ]
    for at in range(1, 85):
        epoch, step = (at + 11) // 12, (at - 1) % 12 + 1
        loss, left = 1.9 * 0.985**at + 0.05 * (at % 3), 3.0 * epochs - 0.25 * at
        reports.append(
            Step(
                epoch=epoch,
                epochs=epochs,
                step=step,
                steps=12,
                loss=loss,
                learning_rate=0.02,
                images_per_second=118.0,
                eta=left,
            )
        )
        if step == 12 and at < 84:
            reports.append(_epoch(epoch, epochs, loss, left))
    return reports


def _epoch(epoch: int, epochs: int, loss: float, left: float) -> Epoch:
    """A finished epoch of a training that converges."""
    return Epoch(
        epoch=epoch,
        epochs=epochs,
        train_loss=loss,
        train_accuracy=0.3 + 0.08 * epoch,
        validation_loss=loss + 0.2,
        validation_accuracy=0.25 + 0.07 * epoch,
        learning_rate=0.02,
        images_per_second=118.0,
        seconds=3.0,
        eta=left,
    )


@scene("train", "long", LONG)
def train_long(stage: Stage) -> None:
    window = stage.open(LONG)
    page = go_train(stage, window)
    page.watch(run_with(window, RunStatus.FINISHED).id)
    stage.settle()
    stage.take()


@scene("train", "error", BROKEN)
def train_error(stage: Stage) -> None:
    window = stage.open(BROKEN)
    page = go_train(stage, window)
    page.watch(run_with(window, RunStatus.FAILED).id)
    stage.settle()
    stage.take()
    page.model.edit("epochs", 0)
    page.model.edit("learning_rate", -1.0)
    page.preflight.cancel()
    stage.settle()
    stage.take("settings")
    page.model.clear_all()
    page.model.edit("backbone", "resnet18")
    page.model.edit("start", "imagenet")
    page.model.download()
    page.preflight.cancel()
    stage.settle(lambda: any("could not be downloaded" in text for text in window.notes.texts()))
    stage.take("download")
