"""Scenes outside the pages: welcome window, palette, notifications, running jobs."""

from __future__ import annotations

import threading

from tests.gallery.clock import stop_clock
from tests.gallery.projects import BROKEN, EMPTY, FACES, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.app.jobs import Steps, Task
from workbench.app.labels.labelling import assign
from workbench.app.labels.reading import NO_CHOICES
from workbench.app.settings import UserSettings
from workbench.domain.import_reports import ImportReport
from workbench.domain.projects import DamagedProject, PointKind
from workbench.domain.reports import Progress
from workbench.domain.text import Message, tr
from workbench.storage.restore_points import make_point
from workbench.ui.application import Workbench
from workbench.ui.dialogs.files import export_to
from workbench.ui.dialogs.import_reports import show_result
from workbench.ui.dialogs.importing import start_import, start_label_import
from workbench.ui.dialogs.restoring import RestoreDialog
from workbench.ui.dialogs.versions import VersionsDialog
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


@scene("dialog-restore", "full", FULL, shows=[RestoreDialog])
def restore_full(stage: Stage) -> None:
    workbench = _welcome(stage, FULL)
    assert workbench.welcome is not None
    folder = stage.home / f"{FULL}.workbench"
    for kind in PointKind:
        made = make_point(folder, kind)
        made.file.rename(made.file.with_name(f"2026031{len(kind) % 7}-090000-{kind}.sqlite"))
    error = DamagedProject(folder, Message("its database is damaged"))
    dialog = RestoreDialog(folder, tr(error.sentence), workbench.welcome)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-restore", "open", FULL, shows=[RestoreDialog])
def restore_open(stage: Stage) -> None:
    """The restore points of a project that is open."""
    window = stage.open(FULL)
    folder = window.session.folder
    made = make_point(folder, PointKind.DAILY)
    made.file.rename(made.file.with_name(f"20260310-090000-{PointKind.DAILY}.sqlite"))
    reason = tr("Restore points of {name}, copies of its whole database:")
    dialog = RestoreDialog(folder, reason.format(name=window.session.name), window, window.close)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-restore", "empty", EMPTY, shows=[RestoreDialog])
def restore_empty(stage: Stage) -> None:
    workbench = _welcome(stage, EMPTY)
    folder = stage.home / f"{EMPTY}.workbench"
    error = DamagedProject(folder, Message("its database is damaged"))
    dialog = RestoreDialog(folder, tr(error.sentence), workbench.welcome)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-versions", "empty", EMPTY, shows=[VersionsDialog])
def versions_empty(stage: Stage) -> None:
    dialog = VersionsDialog(stage.open(EMPTY).context)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-versions", "full", FULL, shows=[VersionsDialog])
def versions_full(stage: Stage) -> None:
    """Versions made by a person and for runs, compared with the project after an edit."""
    window = stage.open(FULL)
    session, versions = window.session, window.session.store.versions
    versions.add(versions.draft(), f"{FULL} 1", "front, back, left, right", "ada")
    images = session.images.ids()[:5].tolist()
    assign(session, images, "view", "left")
    session.remove_images(session.images.ids()[-2:].tolist())
    stop_clock(session)
    dialog = VersionsDialog(window.context, window)
    stage.show(dialog)
    dialog.versions.selectRow(0)
    stage.settle(lambda: bool(dialog.changes))
    stage.take(front=dialog)


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
    report = ImportReport(title=Message("Import"), added=72, labelled=72)
    show_result(window.context, window, report)
    export_to(window.context, stage.home / "no such folder" / "labels.csv")
    stage.settle()
    stage.take()


@scene("messages", "long", LONG)
def messages_long(stage: Stage) -> None:
    window = stage.open(LONG)
    stage.settle()
    path = next(stage.beside("").glob("2024*")) / "没有这个文件夹" / ("x" * 90) / "labels.csv"
    export_to(window.context, stage.home / f"{'x' * 90}.csv")
    start_label_import(window.context, window, path)
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
    start_import(window.context, window, [folder], NO_CHOICES)
    stage.settle(lambda: bool(window.notes.texts()))
    wrong = stage.home / "shopping list.csv"
    wrong.write_text("milk;butter\n", encoding="utf-8")
    start_label_import(window.context, window, wrong)
    start_label_import(window.context, window, stage.home / "missing labels.csv")
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
