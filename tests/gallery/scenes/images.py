"""The Images page, and the dialogs of skipped files and splits."""

from __future__ import annotations

from tests.gallery.projects import BROKEN, EMPTY, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.domain.images import ImageFilter
from workbench.domain.splits import Part
from workbench.ui.dialogs.importing import SkippedDialog
from workbench.ui.dialogs.leakage import LeakageDialog
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


@scene("dialog-leakage", "empty", EMPTY, shows=[LeakageDialog])
def leakage_empty(stage: Stage) -> None:
    window = stage.open(EMPTY)
    dialog = LeakageDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-leakage", "full", FULL, shows=[LeakageDialog])
def leakage_full(stage: Stage) -> None:
    """Images that stand for copies: the first ones of the train and test parts."""
    window = stage.open(FULL)
    parts = window.session.splits.parts()
    sides = [
        sorted(image for image, part in parts.items() if part is wanted)[:3]
        for wanted in (Part.TRAIN, Part.TEST)
    ]
    pairs = [[*sorted(pair), 0.97] for pair in zip(*sides, strict=True)]
    window.session.remember("near_duplicates", {"newest": max(parts), "pairs": pairs})
    dialog = LeakageDialog(window.context, window)
    stage.show(dialog)
    stage.settle()
    stage.take(front=dialog)
