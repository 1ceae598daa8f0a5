"""The Views page, and the dialog of label sets."""

from __future__ import annotations

from tests.gallery.projects import BROKEN, EMPTY, FULL, LONG
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.domain.images import ImageFilter
from workbench.ui.dialogs.label_sets import LabelSetsDialog
from workbench.ui.pages.views.page import ViewsPage


@scene("views", "empty", EMPTY)
def views_empty(stage: Stage) -> None:
    go(stage.open(EMPTY), ViewsPage)
    stage.settle()
    stage.take()


@scene("views", "full", FULL)
def views_full(stage: Stage) -> None:
    page = go(stage.open(FULL), ViewsPage)
    page.strip.set_current(int(page.labelling.list.ids[9]))
    stage.settle()
    stage.take()
    page.next_unlabelled()
    stage.settle()
    stage.take("suggestion")
    page.header.sets.setCurrentText("category")
    stage.settle()
    stage.take("category")
    page.bar.set_filter(ImageFilter(text="no such name"))
    stage.settle()
    stage.take("nothing-found")


@scene("views", "long", LONG)
def views_long(stage: Stage) -> None:
    page = go(stage.open(LONG), ViewsPage)
    page.strip.set_current(int(page.labelling.list.ids[5]))
    stage.settle()
    stage.take()
    page.header.sets.setCurrentText("category")
    stage.settle()
    stage.take("category")


@scene("views", "error", BROKEN)
def views_error(stage: Stage) -> None:
    page = go(stage.open(BROKEN), ViewsPage)
    page.strip.set_current(int(page.labelling.list.ids[9]))
    stage.settle()
    stage.take()


# Label sets


@scene("dialog-label-sets", "full", FULL, shows=[LabelSetsDialog])
def label_sets_full(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = LabelSetsDialog(window.session, "view", go(window, ViewsPage))
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-label-sets", "empty", EMPTY, shows=[LabelSetsDialog])
def label_sets_empty(stage: Stage) -> None:
    """A set that has no label yet."""
    window = stage.open(EMPTY)
    dialog = LabelSetsDialog(window.session, "category", window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-label-sets", "long", LONG, shows=[LabelSetsDialog])
def label_sets_long(stage: Stage) -> None:
    window = stage.open(LONG)
    dialog = LabelSetsDialog(window.session, "category", window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-label-sets", "error", FULL, shows=[LabelSetsDialog])
def label_sets_error(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = LabelSetsDialog(window.session, "view", window)
    stage.show(dialog)
    key = dialog.table.item(1, 1)
    assert key is not None
    key.setText("F")
    dialog.save()
    stage.settle()
    stage.take(front=dialog)


@scene("dialog-merge-labels", "full", FULL)
def merge_labels(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = LabelSetsDialog(window.session, "view", window)
    stage.show(dialog)
    name = dialog.table.item(1, 0)
    assert name is not None
    name.setText(dialog.table.name(0))
    stage.take_while(dialog.save)


@scene("dialog-new-label-set", "full", FULL)
def new_label_set(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = LabelSetsDialog(window.session, "view", window)
    stage.show(dialog)
    stage.take_while(dialog.new_button.click)
