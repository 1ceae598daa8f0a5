"""The Images page, and the dialogs of imports and splits."""

from __future__ import annotations

from pathlib import Path

from tests.gallery.projects import BROKEN, EMPTY, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.domain.images import ImageFilter
from workbench.domain.splits import Part
from workbench.ui.dialogs.importing import ImportDialog, SkippedDialog
from workbench.ui.dialogs.split import SplitDialog
from workbench.ui.pages.images.page import ImagesPage


@scene("images", "empty", EMPTY)
def images_empty(stage: Stage) -> None:
    go(stage.open(EMPTY), ImagesPage)
    stage.settle()
    stage.take()


@scene("images", "full", FULL)
def images_full(stage: Stage) -> None:
    window = stage.open(FULL)
    page = go(window, ImagesPage)
    page.grid.set_current(int(page.list.ids[3]))
    stage.settle()
    stage.take()
    page.similar.find([int(page.list.ids[0])])
    stage.settle(lambda: not page.similar.pending)
    stage.take("similar")
    page.bar.clear()
    page.groups.open()
    stage.settle()
    stage.take("groups")
    page.groups.close_panel()
    page.bar.set_filter(ImageFilter(labels=(("view", None),), part="test", text="no such name"))
    stage.settle()
    stage.take("nothing-found")


@scene("images", "long", LONG)
def images_long(stage: Stage) -> None:
    window = stage.open(LONG)
    page = go(window, ImagesPage)
    page.header.sets.setCurrentText("category")
    page.grid.set_current(int(page.list.ids[1]))
    label = window.session.store.labels.get("category").names[1]
    stage.settle()
    stage.take()
    page.bar.set_filter(ImageFilter(labels=(("category", label), ("view", None))))
    stage.settle()
    stage.take("filtered")


@scene("images", "error", BROKEN)
def images_error(stage: Stage) -> None:
    page = go(stage.open(BROKEN), ImagesPage)
    page.grid.set_current(int(page.list.ids[3]))
    stage.settle()
    stage.take()


# Dialogs


def _import(stage: Stage, project: str, places: list[Path]) -> None:
    window = stage.open(project)
    known = {name: one.names for name, one in window.session.store.labels.sets().items()}
    dialog = ImportDialog(places, known, window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-import", "full", FULL, shows=[ImportDialog])
def import_full(stage: Stage) -> None:
    _import(stage, FULL, [stage.beside("photographs")])


@scene("dialog-import", "empty", EMPTY, shows=[ImportDialog])
def import_empty(stage: Stage) -> None:
    """A folder without anything in it."""
    folder = stage.home / "nothing here"
    folder.mkdir(exist_ok=True)
    _import(stage, EMPTY, [folder])


@scene("dialog-import", "error", FULL, shows=[ImportDialog])
def import_error(stage: Stage) -> None:
    """A file that is no table, and one that is not there."""
    wrong = stage.home / "shopping list.csv"
    wrong.write_text("milk;butter\n", encoding="utf-8")
    _import(stage, FULL, [wrong, stage.home / "missing.csv"])


@scene("dialog-import", "table", EMPTY, shows=[ImportDialog])
def import_table(stage: Stage) -> None:
    table = stage.home / "labels.csv"
    table.write_text("path,category,view\n", encoding="utf-8")
    _import(stage, EMPTY, [table])


@scene("dialog-import", "long", LONG, shows=[ImportDialog])
def import_long(stage: Stage) -> None:
    folder = next(stage.beside("").glob("2024*"))
    more = [Path("/media/照片") / f"第{n}张存储卡" for n in range(5)]
    _import(stage, LONG, [*sorted(folder.iterdir()), folder, *more])


@scene("dialog-skipped", "full", BROKEN, shows=[SkippedDialog])
def skipped_full(stage: Stage) -> None:
    window = stage.open(BROKEN)
    dialog = SkippedDialog(window.session, go(window, ImagesPage))
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-split", "full", FULL, shows=[SplitDialog])
def split_full(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = SplitDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)
    dialog.shares[Part.TRAIN].setValue(30)
    stage.settle()
    stage.take("some-left-out", dialog)


@scene("dialog-split", "long", LONG, shows=[SplitDialog])
def split_long(stage: Stage) -> None:
    window = stage.open(LONG)
    dialog = SplitDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-split", "empty", EMPTY, shows=[SplitDialog])
def split_empty(stage: Stage) -> None:
    window = stage.open(EMPTY)
    dialog = SplitDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-split", "error", FULL, shows=[SplitDialog])
def split_error(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = SplitDialog(window.context, window)
    stage.show(dialog)
    dialog.shares[Part.TRAIN].setValue(90)
    dialog.shares[Part.TEST].setValue(60)
    stage.settle()
    stage.take(front=dialog)
