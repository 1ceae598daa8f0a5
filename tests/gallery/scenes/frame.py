"""Scenes outside the pages: welcome window, palette, notifications, running jobs."""

from __future__ import annotations

import threading

from tests.gallery.projects import BROKEN, EMPTY, FACES, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.app.images.importing import ImportResult
from workbench.app.jobs import Steps, Task
from workbench.app.settings import UserSettings
from workbench.domain.formats import Origin
from workbench.domain.images import SkippedFile
from workbench.domain.reports import Progress
from workbench.domain.text import Message
from workbench.ui.application import Workbench
from workbench.ui.dialogs.files import export_to, import_from
from workbench.ui.dialogs.importing import import_summary, start_import
from workbench.ui.pages.images.page import ImagesPage


def _welcome(stage: Stage, *projects: str) -> Workbench:
    settings = UserSettings(None)
    for name in projects:
        settings.remember(stage.copy(name))
    workbench = Workbench(settings)
    workbench.show_welcome()
    assert workbench.welcome is not None
    stage.put(workbench.welcome)
    stage.settle()
    return workbench


@scene("welcome", "empty")
def welcome_empty(stage: Stage) -> None:
    _welcome(stage)
    stage.take()


@scene("welcome", "full", FULL, FACES, EMPTY)
def welcome_full(stage: Stage) -> None:
    _welcome(stage, EMPTY, FACES, FULL)
    stage.take()


@scene("welcome", "long", FULL, LONG)
def welcome_long(stage: Stage) -> None:
    _welcome(stage, FULL, LONG)
    stage.take()


@scene("welcome", "error", FULL)
def welcome_error(stage: Stage) -> None:
    workbench = _welcome(stage, FULL)
    workbench.open(stage.home / "moved away.workbench")
    stage.settle()
    stage.take()


@scene("palette", "full", FULL)
def palette_full(stage: Stage) -> None:
    window = stage.open(FULL)
    go(window, ImagesPage)
    stage.settle()
    window.open_palette()
    stage.settle()
    stage.take()
    window.palette_box.field.setText("label")
    stage.settle()
    stage.take("searched")
    window.palette_box.field.setText("no such command")
    stage.settle()
    stage.take("nothing-found")


@scene("messages", "full", FULL)
def messages_full(stage: Stage) -> None:
    window = stage.open(FULL)
    stage.settle()
    skipped = [SkippedFile(f"{number}.jpg", "truncated") for number in range(3)]
    window.notify(*import_summary(ImportResult(added=72, labelled=72)))
    window.notify(*import_summary(ImportResult(known=72, skipped=skipped)))
    export_to(window.context, stage.home / "no such folder" / "labels.csv")
    stage.settle()
    stage.take()


@scene("messages", "long", LONG)
def messages_long(stage: Stage) -> None:
    window = stage.open(LONG)
    stage.settle()
    path = next(stage.beside("").glob("2024*")) / "没有这个文件夹" / ("x" * 90) / "labels.csv"
    export_to(window.context, stage.home / f"{'x' * 90}.csv")
    import_from(window.context, path)
    stage.settle()
    stage.take()


@scene("messages", "error", EMPTY)
def messages_error(stage: Stage) -> None:
    """Import a folder without images, a file without labels, and a missing label file."""
    window = stage.open(EMPTY)
    go(window, ImagesPage)
    stage.settle()
    folder = stage.home / "a folder without images"
    folder.mkdir(exist_ok=True)
    start_import(window.context, [folder], {"category": Origin.FOLDER})
    stage.settle(lambda: bool(window.notes.texts()))
    wrong = stage.home / "shopping list.csv"
    wrong.write_text("milk;butter\n", encoding="utf-8")
    import_from(window.context, wrong)
    import_from(window.context, stage.home / "missing labels.csv")
    stage.settle()
    stage.take()


@scene("messages", "sources-gone", BROKEN)
def messages_sources_gone(stage: Stage) -> None:
    window = stage.open(BROKEN)
    stage.settle(lambda: bool(window.notes.texts()))
    stage.take()


@scene("status-bar", "full", FULL)
def status_full(stage: Stage) -> None:
    _with_jobs(stage, FULL, ["Find mouths"])


@scene("status-bar", "long", LONG)
def status_long(stage: Stage) -> None:
    name = "Train SqueezeNet 对照实验：只用上午拍摄的照片 — all layers but the first two"
    _with_jobs(stage, LONG, [name, "Download weights of EfficientNet-B0", "Find mouths", "Export"])


def _with_jobs(stage: Stage, project: str, titles: list[str]) -> None:
    """Show jobs that are in progress until the window closes."""
    window = stage.open(project)

    never = threading.Event()

    def work() -> Steps[None]:
        yield Progress(done=312, total=1200, text=Message("312 of 1,200 images"), eta=754.0)
        while not never.wait(0.1):
            yield None

    reported: list[object] = []
    window.session.jobs.reported.connect(lambda job, _: reported.append(job))
    for title in titles:
        window.session.jobs.start(Task(Message(title), work))
    stage.settle(lambda: len(reported) == len(titles), working=True)
    stage.take()
